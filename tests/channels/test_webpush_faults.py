"""Push services that refuse, hang, break off or lie: what becomes of each push, and that nobody waits for another."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.http import http_date

from channels.base import Outcome, Recipient
from channels.city.webpush import WebPush, answers, wire
from tests.channels.broadcasting import SERVICE
from tests.channels.pushing import made, released, send
from tests.channels.pushservice import LOOPBACK, PushService, browser
from tests.house import free_port

SURELY = 3.0
"""Seconds after which a channel gives one up where all others have answered by then."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PushService]:
    (tmp_path / "service").mkdir()
    with PushService(tmp_path / "service") as running:
        yield running


@pytest.fixture
def other(tmp_path: Path) -> Iterator[PushService]:
    (tmp_path / "other").mkdir()
    with PushService(tmp_path / "other", host="other.test.example") as running:
        yield running


def after(service: PushService, channel: WebPush, step: str) -> Outcome:
    """What becomes of a push that the service meets with this; the one beside it is always taken."""
    met, beside = service.browser("met"), service.browser("beside")
    service.script[met.path] = [step]
    outcome, untouched = send(channel, met, beside)
    assert untouched == Outcome(2, "accepted")
    return outcome


# What the service answers


@pytest.mark.parametrize(
    ("step", "state", "gone"),
    [
        ("200", "accepted", False),
        ("201", "accepted", False),
        ("202", "accepted", False),
        ("204", "accepted", False),
        ("400", "permanent", False),
        ("401", "permanent", False),
        ("403", "permanent", False),
        ("404", "permanent", True),
        ("410", "permanent", True),
        ("413", "permanent", False),
        ("418", "permanent", False),
        ("429", "temporary", False),
        ("500", "temporary", False),
        ("502", "temporary", False),
        ("503", "temporary", False),
        ("redirects", "permanent", False),
        ("hangs", "temporary", False),
        ("closes", "temporary", False),
        ("half", "temporary", False),
        ("cut", "accepted", False),
        ("endless", "accepted", False),
    ],
)
def test_each_answer_says_what_to_do_next(
    tmp_path: Path, service: PushService, step: str, state: str, gone: bool
) -> None:
    channel = made(tmp_path / "channel", service, **({"timeout": SURELY} if step == "hangs" else {}))
    outcome = after(service, channel, step)
    assert (outcome.state, outcome.gone) == (state, gone)
    assert bool(outcome.words) == (state != "accepted")


def test_a_service_says_when_to_come_back(tmp_path: Path, service: PushService) -> None:
    channel = made(tmp_path / "channel", service)
    assert after(service, channel, "429 after 7").after == 7
    assert after(service, channel, "503 after 120").after == 120
    assert after(service, channel, "429").after is None
    assert after(service, channel, "429 after soon").after is None
    by_date = after(service, channel, f"429 after {http_date(time.time() + 300)}").after
    assert by_date
    assert 290 <= by_date <= 301


def test_a_key_that_is_refused_removes_nobody_and_says_what_to_look_at(tmp_path: Path, service: PushService) -> None:
    outcome = after(service, made(tmp_path / "channel", service), "403")
    assert "403" in outcome.words
    assert not outcome.gone


def test_a_connection_that_broke_is_made_anew(tmp_path: Path, service: PushService) -> None:
    channel = made(tmp_path / "channel", service)
    for step in ("closes", "half", "cut", "endless", "201"):
        after(service, channel, step)
    assert {outcome.state for outcome in send(channel, *[service.browser(str(n)) for n in range(20)])} == {"accepted"}


def test_a_service_text_keeps_the_same_rules(tmp_path: Path, service: PushService) -> None:
    channel, one = made(tmp_path / "channel", service), service.browser("anna")
    for step, state in (("410", "permanent"), ("endless", "accepted"), ("closes", "temporary"), ("503", "temporary")):
        service.script[one.path] = [step]
        assert channel.tell(SERVICE, Recipient(1, one.address)).state == state
    service.script[one.path] = ["410"]
    assert channel.tell(SERVICE, Recipient(1, one.address)).gone


def test_a_service_without_the_right_certificate_gets_nothing(
    tmp_path: Path, service: PushService, other: PushService
) -> None:
    channel = made(tmp_path / "channel", service)
    options = {"resolve": {f"{service.host}:{other.port}": "127.0.0.1"}}
    named = {"private_hosts": {f"{service.host}:{other.port}": LOOPBACK}}
    elsewhere = made(tmp_path / "channel", service, **options, **named)
    (outcome,) = send(elsewhere, browser(f"https://{service.host}:{other.port}/push/anna"))
    assert outcome.state == "temporary"
    (outcome,) = send(made(tmp_path / "channel", service, ca_file=""), service.browser("anna"))
    assert outcome.state == "temporary"
    assert not service.asked
    assert not other.asked
    assert send(channel, service.browser("anna"))[0].state == "accepted"


# A service in trouble holds up nobody else


def test_a_service_that_hangs_is_left_alone_for_a_while(
    tmp_path: Path, service: PushService, other: PushService
) -> None:
    channel = made(tmp_path / "channel", service, other, timeout=SURELY)
    hanging = [service.browser(f"h{number}") for number in range(answers.TROUBLE + 10)]
    for one in hanging:
        service.script[one.path] = ["hangs"] * 2
    well = [other.browser(f"w{number}") for number in range(5)]
    first = send(channel, *well, *hanging)
    assert [outcome.state for outcome in first] == ["accepted"] * 5 + ["temporary"] * len(hanging)
    asked = len(service.asked)
    second = send(channel, *hanging, *well)
    assert [outcome.state for outcome in second] == ["temporary"] * len(hanging) + ["accepted"] * 5
    assert len(service.asked) == asked
    assert all(outcome.after and 0 < outcome.after <= answers.REST for outcome in second[: len(hanging)])


def test_the_first_that_break_off_do_not_speak_for_the_others(tmp_path: Path, service: PushService) -> None:
    """Else whoever knows an endpoint that its service breaks off could silence all who come after it."""
    channel = made(tmp_path / "channel", service)
    bad = [service.browser(f"bad{number}") for number in range(2 * wire.FIRST)]
    for one in bad:
        service.script[one.path] = ["closes"] * 2
    well = [service.browser(f"well{number}") for number in range(20)]
    outcomes = send(channel, *bad, *well)
    assert [outcome.state for outcome in outcomes] == ["temporary"] * len(bad) + ["accepted"] * len(well)


def test_who_waited_for_a_service_that_is_away_is_not_forgotten(tmp_path: Path) -> None:
    named = f"push.test.example:{free_port()}"
    channel = made(tmp_path / "channel", private_hosts={named: LOOPBACK}, resolve={named: "127.0.0.1"})
    outcomes = send(channel, *[browser(f"https://{named}/push/{number}") for number in range(30)])
    assert len(outcomes) == 30
    assert {outcome.state for outcome in outcomes} == {"temporary"}


def test_a_service_that_took_a_rest_is_tried_again(
    tmp_path: Path, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "REST", 0.01)
    channel = made(tmp_path / "channel", service)
    browsers = [service.browser(str(number)) for number in range(answers.TROUBLE)]
    for one in browsers:
        service.script[one.path] = ["503"]
    send(channel, *browsers)
    time.sleep(0.02)
    assert {outcome.state for outcome in send(channel, *browsers)} == {"accepted"}


def test_a_few_who_have_left_are_no_trouble(tmp_path: Path, service: PushService) -> None:
    channel = made(tmp_path / "channel", service)
    browsers = [service.browser(str(number)) for number in range(2 * answers.TROUBLE)]
    for one in browsers:
        service.script[one.path] = ["410"]
    send(channel, *browsers)
    assert {outcome.state for outcome in send(channel, *browsers)} == {"accepted"}


def test_when_a_checkpoint_s_time_is_up_the_rest_waits(
    tmp_path: Path, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = made(tmp_path / "channel", service)
    monkeypatch.setattr("channels.city.webpush.SPARE", channel.seconds - SURELY)
    slow, quick = service.browser("slow"), service.browser("quick")
    service.script[slow.path] = ["hangs"]
    assert [outcome.state for outcome in send(channel, slow, quick)] == ["temporary", "accepted"]


# Processes


def test_a_child_process_makes_connections_of_its_own(tmp_path: Path, service: PushService) -> None:
    channel = made(tmp_path / "channel", service)
    send(channel, service.browser("parent"))
    parents = set(service.peers)
    child = os.fork()
    if child == 0:
        outcome = send(channel, service.browser("child"))[0]
        os._exit(0 if outcome.state == "accepted" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(service.peers) == len(parents) + 1
    assert send(channel, service.browser("parent"))[0].state == "accepted"
    assert len(service.peers) == len(parents) + 1


def test_a_send_that_is_given_up_leaves_nothing_behind(tmp_path: Path, service: PushService) -> None:
    channel = made(tmp_path / "channel", service)
    browsers = [service.browser(str(number)) for number in range(100)]
    given_up = iter(channel.send(released(channel), [Recipient(7, one.address) for one in browsers], key="k"))
    assert next(given_up).state == "accepted"
    given_up.close()  # type: ignore[attr-defined]
    assert {outcome.state for outcome in send(channel, *browsers)} == {"accepted"}
