"""Push services that refuse, hang, break off, lie or lead elsewhere; and addresses that must never be called."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils.http import http_date

from channels.base import Outcome, Recipient
from channels.city.webpush import WebPush, answers, wire
from channels.city.webpush.endpoints import Rules, check_endpoint
from tests.channels.broadcasting import SERVICE, SLOTS, by_recipient
from tests.channels.contract import CITY, notices
from tests.channels.pushservice import LOOPBACK, Browser, PushService, browser
from tests.house import free_port

SURELY = 3.0
"""Seconds after which a channel gives one up where all others have answered by then."""
FORBIDDEN = (
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 (the opposite)
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::1",
    "2001:0:53aa:64c::1",
)


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


def made(folder: Path, *services: PushService, **options: Any) -> WebPush:
    """A channel that may reach these services, and all that they hold on to."""
    folder.mkdir(exist_ok=True)
    together: dict[str, Any] = {"private_hosts": {}, "resolve": {}}
    for one in services:
        together["private_hosts"] |= one.options["private_hosts"]
        together["resolve"] |= one.options["resolve"]
    roots = folder / "roots.pem"
    roots.write_text("".join((one.folder / "ca.pem").read_text() for one in services))
    given = {**together, **({"ca_file": str(roots)} if services else {}), **options}
    return WebPush("webpush", keys_dir=str(folder / "keys"), city=CITY, **given)


def send(channel: WebPush, *browsers: Browser) -> list[Outcome]:
    rendering = replace(channel.compose(notices()[0]), slots=SLOTS)
    recipients = [Recipient(number, one.address) for number, one in enumerate(browsers, start=1)]
    return list(by_recipient(channel.send(rendering, recipients, key="k")).values())


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
    rendering = replace(channel.compose(notices()[0]), slots=SLOTS)
    given_up = iter(channel.send(rendering, [Recipient(7, one.address) for one in browsers], key="k"))
    assert next(given_up).state == "accepted"
    given_up.close()  # type: ignore[attr-defined]
    assert {outcome.state for outcome in send(channel, *browsers)} == {"accepted"}


# Where no push may go


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
        "https://web.push.apple.com/QGvB",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYA%2bx",
        "https://fcm.googleapis.com:443/x",
    ],
)
def test_the_browsers_services_are_allowed(endpoint: str) -> None:
    check_endpoint(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "http://fcm.googleapis.com/x",
        "ftp://fcm.googleapis.com/x",
        "file:///etc/passwd",
        "https://fcm.googleapis.com",
        "https://fcm.googleapis.comx",
        "https://fcm.googleapis.com?/x",
        "https://fcm.googleapis.com#/x",
        "https://fcm.googleapis.com./x",
        "https://FCM.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com:0443x/",
        "https://fcm.googleapis.com@127.0.0.1/x",
        "https://user:word@fcm.googleapis.com/x",
        "https://fcm.googleapis.com\\@127.0.0.1/x",
        "https://fcm.googleapis.com%2f@127.0.0.1/x",
        "https://fcm.googleapis.com.elsewhere.example/x",
        "https://elsewhere.example/fcm.googleapis.com/",
        "https://evilpush.apple.com/x",
        "https://push.apple.com/x",
        "https://.push.apple.com/x",
        "https://fcm.google\u0430pis.com/x",
        "https://xn--fcm-googleapis.com/x",
        "https://fcm\u3002googleapis.com/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0x7f.0x0.0x0.0x1/x",
        "https://0177.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/x",
        "https://localhost.localdomain/x",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/x\r\nHost: elsewhere.example",
        "https://fcm.googleapis.com/\u0000",
        "https://fcm.googleapis.com/" + "x" * 2000,
    ],
)
def test_anything_else_is_refused_at_sign_up_and_again_when_sending(tmp_path: Path, endpoint: str) -> None:
    channel = made(tmp_path / "channel")
    one = browser(endpoint)
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        check_endpoint(endpoint)
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        channel.check(one.address)
    (outcome,) = send(channel, one)
    assert (outcome.state, outcome.gone) == ("permanent", False)
    assert outcome.words


def test_keys_are_checked_at_sign_up(tmp_path: Path) -> None:
    channel = made(tmp_path / "channel")
    good = browser("https://fcm.googleapis.com/fcm/send/abc")
    channel.check(good.address)
    for address in (
        good.endpoint,
        f"{good.endpoint} {good.p256dh}",
        f"{good.endpoint} {good.auth} {good.p256dh}",
        f"{good.endpoint} {good.p256dh} {good.auth} more",
    ):
        with pytest.raises(ValueError, match=r"\w+ \w+"):
            channel.check(address)


def test_a_service_of_the_city_s_own_is_named_with_its_port(tmp_path: Path) -> None:
    channel = made(tmp_path / "channel", hosts=["push.stadt.example", "up.stadt.example:8443", "*.werke.example"])
    for endpoint in ("https://push.stadt.example/x", "https://up.stadt.example:8443/x", "https://a.b.werke.example/x"):
        channel.check(browser(endpoint).address)
    for endpoint in (
        "https://push.stadt.example:8443/x",
        "https://up.stadt.example/x",
        "https://werke.example/x",
        "https://stadt.example/x",
        "https://x.push.stadt.example/x",
    ):
        with pytest.raises(ValueError, match="service"):
            channel.check(browser(endpoint).address)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_public_name_leads_inside(address: str) -> None:
    place = Rules(hosts=["push.stadt.example"]).place("https://push.stadt.example/x")
    assert not place.allows(address)
    assert place.allows("93.184.215.14")
    assert place.allows("2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    assert place.allows("64:ff9b::5db8:d70e")


def test_a_network_inside_is_open_to_the_host_it_is_named_with_alone() -> None:
    rules = Rules(hosts=["push.werke.example"], private_hosts={"push.stadt.example": "10.1.0.0/16"})
    own, theirs = rules.place("https://push.stadt.example/x"), rules.place("https://push.werke.example/x")
    assert own.allows("10.1.2.3")
    assert own.allows("::ffff:10.1.2.3")
    assert not own.allows("10.2.2.3")
    assert not own.allows("127.0.0.1")
    assert not theirs.allows("10.1.2.3")


class NoSocket(Exception):
    """Nothing leaves this test."""


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Every socket that would have been opened: none ever is."""
    opened: list[tuple[int, ...]] = []

    def refuse(*what: int) -> int:
        opened.append(what)
        return -1

    replaced = SimpleNamespace(AF_INET=socket.AF_INET, AF_INET6=socket.AF_INET6, socket=refuse)
    monkeypatch.setattr(wire, "socket", replaced)
    return opened


@pytest.mark.parametrize("address", FORBIDDEN)
def test_a_name_that_resolves_to_the_inside_is_not_called(
    tmp_path: Path, sockets: list[tuple[int, ...]], address: str
) -> None:
    """Resolver and socket are the test's own: were the guard broken, still nothing would leave."""
    channel = made(tmp_path / "channel", resolve={"fcm.googleapis.com:443": address})
    one = browser("https://fcm.googleapis.com/fcm/send/abc")
    channel.check(one.address)
    (outcome,) = send(channel, one)
    assert (outcome.state, outcome.gone) == ("permanent", False)
    assert channel.tell(SERVICE, Recipient(1, one.address)).state == "permanent"
    assert sockets == []


def test_a_name_that_resolves_to_the_outside_is_called(tmp_path: Path, sockets: list[tuple[int, ...]]) -> None:
    channel = made(tmp_path / "channel", resolve={"fcm.googleapis.com:443": "93.184.215.14"})
    (outcome,) = send(channel, browser("https://fcm.googleapis.com/fcm/send/abc"))
    assert outcome.state == "temporary"
    assert sockets


def test_a_name_that_resolves_elsewhere_after_it_was_checked_gains_nothing(
    tmp_path: Path, service: PushService
) -> None:
    """Rebinding: the address that is really connected to is the one that is asked about."""
    named = f"{service.host}:{service.port}"
    channel = made(tmp_path / "channel", service, private_hosts={named: "10.0.0.0/8"})
    (outcome,) = send(channel, service.browser("anna"))
    assert outcome.state == "permanent"
    assert not service.asked


def test_a_redirect_to_the_inside_is_not_followed(tmp_path: Path, service: PushService, other: PushService) -> None:
    service.elsewhere = f"{other.origin}/inside"
    channel = made(tmp_path / "channel", service, other)
    assert after(service, channel, "redirects").state == "permanent"
    one = service.browser("anna")
    service.script[one.path] = ["redirects"]
    assert channel.tell(SERVICE, Recipient(1, one.address)).state == "permanent"
    assert not other.asked


def test_a_proxy_that_the_environment_names_is_not_used(
    tmp_path: Path, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.1)
        for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
        channel, one = made(tmp_path / "channel", service), service.browser("anna")
        assert send(channel, one)[0].state == "accepted"
        assert channel.tell(SERVICE, Recipient(1, one.address)).state == "accepted"
        with pytest.raises(TimeoutError):
            proxy.accept()
