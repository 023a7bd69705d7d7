"""SMPP against an independent SMSC (npm's smpp): letters, long texts, statuses, receipts, sessions that are lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from alerts.notice import Rendering
from channels.base import ChannelError, Outcome, Permanent, Receipt, Recipient, Reply, Temporary
from channels.city.sms import Sms
from channels.city.sms.text import GSM7, encoding, segments
from tests.channels.smsc.node import bound, over_smpp, smsc
from tests.channels.smsc.twilio import TwilioAtTheWire, entry
from tests.channels.smsc.wire import SHORT, listening
from tests.house import PATIENT

pytestmark = pytest.mark.slow
ONE, TWO = Recipient(7, "+4915112345678"), Recipient(8, "+4915112345679")
FIRST, SECOND = ONE.address[1:], TWO.address[1:]
UMLAUTS = "Rauch über Möckern: Fenster schließen, Lüftung aus. Straßen frei! 5 € {1} [x] ~ ÄÖÜß€"
LONG = "Pegel der Weißen Elster: 3,80 m und steigend. Verlassen Sie die Auen [sofort]. Kosten 5 €. " * 4
UKRAINIAN = "Увага! Зачиніть вікна та двері. Залишайтеся вдома. " * 3


def send(channel: Sms, *recipients: Recipient, text: str = UMLAUTS, **slots: str) -> dict[int, Outcome]:
    rendering = Rendering("sms", "de", {"text": text}, slots)
    return {one.recipient: one for one in channel.send(rendering, recipients or [ONE], key="k")}


def arrived(channel: Sms, count: int) -> list[Receipt | Reply]:
    """What came over the session, once there is so much of it."""
    found: list[Receipt | Reply] = []
    until = time.monotonic() + PATIENT
    while len(found) < count:
        found += channel.arrived()
        assert time.monotonic() < until, found
        time.sleep(0.01)
    return found


@pytest.mark.parametrize(
    "text", [UMLAUTS, LONG, UKRAINIAN[:60], UKRAINIAN, "a" * 160, "€" * 81, "🧨" * 36], ids=range(7)
)
@pytest.mark.parametrize("payload", [False, True])
def test_every_letter_arrives(text: str, payload: bool) -> None:
    with over_smpp(gateway={"payload": payload}) as (channel, server):
        outcome = send(channel, text=text)[7]
        assert outcome.state == "accepted"
        assert server.until("whole") == [{"event": "whole", "to": FIRST, "text": text}]
    assert len(server.submitted) == (1 if payload else segments(text))
    assert {one["coding"] for one in server.submitted} == {0 if encoding(text) == GSM7 else 8}
    assert outcome.remote_id == f"smpp:{len(server.submitted)}"


def test_parts_are_marked_as_parts_and_only_the_last_asks_for_a_receipt() -> None:
    with over_smpp() as (channel, server):
        send(channel, text=LONG)
    assert [one["esm"] & 0x40 for one in server.submitted] == [0x40] * 3
    assert [one["receipt"] for one in server.submitted] == [0, 0, 1]


@pytest.mark.parametrize(
    ("sender", "ton", "told"), [("Leipzig", 5, "Leipzig"), ("+49341123", 1, "49341123"), ("22880", 3, "22880")]
)
def test_a_sender_is_a_name_a_number_or_a_short_code(sender: str, ton: int, told: str) -> None:
    with over_smpp(gateway={"sender": sender}) as (channel, server):
        send(channel)
    assert (server.submitted[0]["ton"], server.submitted[0]["from"]) == ([ton, 1], told)


def test_a_text_holds_no_longer_than_its_warning() -> None:
    with over_smpp() as (channel, server):
        send(channel, expires="2099-01-01T00:00:00+00:00")
    assert server.submitted[0]["validity"]


# What its answers mean


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("refused", "permanent"), ("carrier", "permanent"), ("throttled", Temporary), ("full", Temporary),
        ("fault", Temporary), ("sender", Permanent),
    ],
)  # fmt: skip
def test_a_status_means_what_it_says(words: str, state: object) -> None:
    with over_smpp(numbers={FIRST: [words] * 5}) as (channel, _server):
        try:
            told: object = send(channel)[7]
        except ChannelError as error:
            told = error
        assert told.state == state if isinstance(told, Outcome) else type(told) is state
        assert ONE.address not in repr(told)


def test_a_status_of_the_carrier_s_own_does_not_end_the_session() -> None:
    with over_smpp(numbers={FIRST: ["carrier"]}) as (channel, server):
        told = send(channel, ONE, TWO)
        assert [told[7].state, told[8].state] == ["permanent", "accepted"]
        assert len(server.of("bind")) == 1


def test_a_later_part_waits_while_the_carrier_is_busy() -> None:
    with over_smpp(numbers={FIRST: ["", "throttled", ""]}) as (channel, server):
        assert send(channel, text=LONG)[7].state == "accepted"
        assert server.texts[ONE.address] == LONG


def test_a_text_that_went_out_in_part_is_uncertain() -> None:
    with over_smpp(numbers={FIRST: ["", "refused"]}) as (channel, _server):
        assert send(channel, text=LONG)[7].state == "uncertain"


def test_a_wrong_password_stops_the_channel() -> None:
    with over_smpp(password="anders") as (channel, _server):
        with pytest.raises(Permanent):
            send(channel)
        with pytest.raises(Permanent):
            channel.probe()


# What its silence means


def test_no_answer_is_uncertain() -> None:
    with over_smpp(gateway={"timeout": SHORT}, numbers={FIRST: ["silent"]}) as (channel, server):
        told = send(channel, ONE, TWO)
    assert [told[7].state, told[8].state] == ["uncertain", "accepted"]
    assert len(server.submitted) == 2


def test_a_lost_session_leaves_in_doubt_what_was_under_way_and_nothing_else() -> None:
    people = [Recipient(number, f"+4915112{number:06d}") for number in range(30)]
    numbers = {people[0].address[1:]: ["silent"], people[1].address[1:]: ["drop"]}
    with over_smpp(numbers=numbers) as (channel, server):
        told: dict[int, Outcome] = {}
        outcomes = channel.send(Rendering("sms", "de", {"text": UMLAUTS}), people, key="k")
        with pytest.raises(Temporary):
            told.update((one.recipient, one) for one in outcomes)
        doubtful = {number for number, one in told.items() if one.state == "uncertain"}
        assert {0, 1} <= doubtful
        # whoever has no outcome was never submitted, and whoever was taken has one
        submitted = {f"+{one['to']}" for one in server.submitted}
        assert submitted == {one.address for one in people if one.id in told}
        assert {one.address for one in people if told.get(one.id, Outcome(0, "")).state == "accepted"} <= set(
            server.texts
        )


def test_a_new_session_is_bound_after_one_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.city.sms.lines.PAUSES", (0.01, 0.01))
    with over_smpp(numbers={FIRST: ["drop"]}) as (channel, server):
        assert send(channel)[7].state == "uncertain"
        assert send(channel, TWO)[8].state == "accepted"
        assert len(server.of("bind")) == 2


def test_a_session_that_the_carrier_ends_is_bound_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.city.sms.lines.PAUSES", (0.01, 0.01))
    with over_smpp(numbers={FIRST: ["unbind"]}) as (channel, server):
        send(channel)
        wait(lambda: channel.gateways[0]._session.lost)  # type: ignore[attr-defined]
        assert send(channel, TWO)[8].state == "accepted"
        assert len(server.of("bind")) == 2


def test_what_a_lost_session_leaves_in_doubt_does_not_go_to_the_next_gateway() -> None:
    with smsc(numbers={FIRST: ["drop"]}) as server, listening(twilio := TwilioAtTheWire()) as wire:
        channel = Sms("sms", gateways=[bound(server), entry(wire.url)])
        people = [ONE, *(Recipient(number, f"+4915112{number:06d}") for number in range(100, 120))]
        told = send(channel, *people)
        channel.close()
    assert told[7].state == "uncertain"
    everywhere = [*server.texts, *twilio.texts]
    assert len(everywhere) == len(set(everywhere))
    assert ONE.address not in everywhere
    assert {one.id for one in people if one.address in everywhere} >= {
        number for number, one in told.items() if one.state == "accepted"
    }


def test_one_session_serves_many_texts_and_is_ended_politely() -> None:
    people = [Recipient(number, f"+4915112{number:06d}") for number in range(200)]
    with over_smpp() as (channel, server):
        for first in range(0, 200, 50):
            told = send(channel, *people[first : first + 50])
            assert {one.state for one in told.values()} == {"accepted"}
        assert len(server.of("bind")) == 1
        channel.close()
        server.until("unbind")
    assert len(server.submitted) == 200


def test_a_session_that_nobody_uses_is_ended_and_a_new_one_bound_when_needed() -> None:
    """A web process that once sent a code must not keep the carrier from the worker."""
    with over_smpp(gateway={"idle": 0.2}) as (channel, server):
        assert send(channel)[7].state == "accepted"
        server.until("unbind")
        assert send(channel, TWO)[8].state == "accepted"
        assert len(server.of("bind")) == 2


# What comes over the session


def test_receipts_come_over_the_session() -> None:
    with over_smpp(receipts={FIRST: "DELIVRD", SECOND: "UNDELIV"}) as (channel, server):
        told = send(channel, ONE, TWO)
        found = {one.remote_id: one for one in arrived(channel, 2) if isinstance(one, Receipt)}
        server.until("receipt taken", 2)
    assert found[told[7].remote_id] == Receipt("delivered", told[7].remote_id)
    assert (found[told[8].remote_id].state, found[told[8].remote_id].gone) == ("failed", False)
    assert found[told[8].remote_id].words
    assert channel.arrived() == []


def test_a_receipt_that_can_not_be_read_does_not_end_the_session() -> None:
    with over_smpp(odd=[FIRST], receipts={SECOND: "DELIVRD"}) as (channel, server):
        assert send(channel)[7].state == "accepted"
        told = send(channel, TWO)
        assert arrived(channel, 1) == [Receipt("delivered", told[8].remote_id)]
        assert len(server.of("bind")) == 1


def test_an_answer_of_a_resident_comes_over_the_session() -> None:
    with over_smpp(replies={FIRST: "STOPP"}) as (channel, _server):
        send(channel)
        assert arrived(channel, 1) == [Reply(ONE.address, "STOPP")]


def test_a_probe_binds() -> None:
    with over_smpp() as (channel, server):
        assert "smpp" in channel.probe()
        assert len(server.of("bind")) == 1
        assert not server.submitted


def test_nothing_of_it_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    with over_smpp(numbers={FIRST: ["refused"], SECOND: ["drop"]}, odd=["4915112345670"]) as (channel, _server):
        told: list[Any] = [send(channel), send(channel, Recipient(9, "+4915112345670"))]
        told.append(send(channel, TWO))
    shown = caplog.text + "".join(capfd.readouterr()) + repr(told) + repr(channel.gateways)
    for hidden in (FIRST, SECOND, "Möckern", "geheim-4", "4915112345670"):
        assert hidden not in shown


def wait(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENT
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)
