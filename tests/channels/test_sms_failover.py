"""Several gateways in order: who takes over when one errs or slows, how it comes back, and what is never sent twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from alerts.notice import Rendering
from channels.base import ChannelError, Outcome, Permanent, Recipient, Temporary
from channels.city.sms import Sms, lines
from tests.channels.broadcasting import SERVICE
from tests.channels.smsc.twilio import TwilioAtTheWire, entry, refusal
from tests.channels.smsc.wire import PATIENT, SHORT, Answer, listening
from tests.house import free_port

RENDERING = Rendering("sms", "de", {"text": "Rauch. Fenster zu. https://warnung.leipzig.example/alerts/k7f3x/"})
SOON = 0.05
"""Seconds that these tests leave a gateway for."""


def many(count: int, first: int = 1) -> list[Recipient]:
    return [Recipient(number, f"+4915112{number:06d}") for number in range(first, first + count)]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PAUSES", (SOON, 4 * SOON))
    monkeypatch.setattr(lines, "MISSET", SOON)


class Everybody(TwilioAtTheWire):
    """Meets all with one answer, for as long as there is one."""

    def __init__(self, answer: Answer | None) -> None:
        super().__init__()
        self.answer = answer

    def __call__(self, asked: Any) -> Answer:
        return super().__call__(asked) if self.answer is None or asked.method == "GET" else self.answer


class Gateways:
    """Several Twilios of the test's own and the channel that knows them in this order."""

    def __init__(self, there: Sequence[Everybody], channel: Sms) -> None:
        self.there = there
        self.channel = channel

    def send(self, recipients: Sequence[Recipient]) -> dict[int, str]:
        """States by recipient; what was raised for the rest stands at 0."""
        states: dict[int, str] = {}
        try:
            for one in self.channel.send(RENDERING, recipients, key="k"):
                assert one.recipient not in states
                states[one.recipient] = one.state
        except ChannelError as error:
            states[0] = type(error).__name__
        return states

    def counts(self) -> list[int]:
        return [len(one.sent) for one in self.there]


@contextmanager
def gateways(
    *answers: Answer | None, options: Mapping[int, Mapping[str, Any]] | None = None, **more: Any
) -> Iterator[Gateways]:
    """One gateway for each of ``answers``, which it meets everybody with; None takes all."""
    with ExitStack() as stack:
        there, entries = [], []
        for number, answer in enumerate(answers):
            twilio = Everybody(answer)
            twilio.wire = stack.enter_context(listening(twilio))
            there.append(twilio)
            own = (options or {}).get(number, {})
            timeout = SHORT if answer is not None and answer.silent else PATIENT
            entries.append(entry(twilio.wire.url, **{"name": f"way-{number}", "timeout": timeout, **own}))
        channel = Sms("sms", gateways=entries, **{"slow_seconds": 30.0, **more})
        stack.callback(channel.close)
        yield Gateways(there, channel)


# One errs


@pytest.mark.parametrize(
    "answer",
    [
        refusal(20500, 500), refusal(20503, 503), refusal(20429, 429), refusal(20003, 401), refusal(21611),
        refusal(20404, 404),
    ],
    ids=["500", "503", "429", "key", "queue", "account"],
)  # fmt: skip
def test_what_surely_did_not_go_out_goes_to_the_next(answer: Answer) -> None:
    with gateways(answer, None) as both:
        assert set(both.send(many(30)).values()) == {"accepted"}
        assert len(both.there[1].texts) == 30
        assert both.counts()[0] <= 8  # a few found out, the others never came by


def test_a_gateway_that_nobody_answers_at_is_left_for_the_next() -> None:
    with listening(second := TwilioAtTheWire()) as wire:
        second.wire = wire
        away = entry(f"http://127.0.0.1:{free_port()}", name="away")
        channel = Sms("sms", gateways=[away, entry(wire.url, name="second")])
        assert {one.state for one in channel.send(RENDERING, many(30), key="k")} == {"accepted"}
        channel.close()
    assert len(second.texts) == 30


def test_a_sender_that_one_may_not_use_is_another_s_to_try() -> None:
    with gateways(refusal(21606), None) as both:
        assert set(both.send(many(3)).values()) == {"accepted"}


@pytest.mark.parametrize("answer", [refusal(21610), refusal(21211), refusal(30004)])
def test_a_number_that_is_refused_is_not_tried_elsewhere(answer: Answer) -> None:
    """Who has ended the texts would get one by another way."""
    with gateways(answer, None) as both:
        assert set(both.send(many(3)).values()) == {"permanent"}
        assert both.counts() == [3, 0]


@pytest.mark.parametrize(
    "answer", [Answer(silent=True), Answer(drop=True), Answer(201, "?")], ids=["silent", "drop", "nonsense"]
)
def test_what_may_have_gone_out_is_never_handed_on(answer: Answer) -> None:
    with gateways(answer, None) as both:
        people = many(30)
        states = both.send(people)
        doubtful = {number for number, state in states.items() if state == "uncertain"}
        assert 1 <= len(doubtful) <= 8
        assert {states[number] for number in states if number not in doubtful} == {"accepted"}
        assert both.there[1].texts.keys() == {one.address for one in people if one.id not in doubtful}


def test_a_gateway_that_hangs_leaves_a_handful_in_doubt_not_fifty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PAUSES", (5.0, 300.0))
    with gateways(Answer(silent=True)) as one:
        states = one.send(many(50))
    assert list(states.values()).count("uncertain") == lines.FIRST
    assert states[0] == "Temporary"


# All err


def test_where_all_err_nothing_is_lost_and_the_batch_waits() -> None:
    with gateways(refusal(20500, 500), refusal(20429, 429, Retry_After="60")) as both:
        with pytest.raises(Temporary) as caught:
            list(both.channel.send(RENDERING, many(20), key="k"))
        assert caught.value.after == 60
        assert not any(one.texts for one in both.there)


def test_where_all_are_set_up_wrongly_the_channel_stops() -> None:
    with gateways(refusal(20003, 401), refusal(20404, 404)) as both:
        with pytest.raises(Permanent):
            list(both.channel.send(RENDERING, many(20), key="k"))


def test_one_that_is_set_up_wrongly_and_one_that_is_away_are_waited_for() -> None:
    with gateways(refusal(20003, 401), refusal(20500, 500)) as both:
        with pytest.raises(Temporary):
            list(both.channel.send(RENDERING, many(20), key="k"))


def test_one_text_that_every_gateway_stumbles_over_does_not_hold_up_the_others() -> None:
    with gateways(None, None) as both:
        people = many(12)
        for one in both.there:
            one.script[people[2].address] = [refusal(20500, 500)]
        states = both.send(people)
    assert states.pop(people[2].id) == "temporary"
    assert set(states.values()) == {"accepted"}


# One slows


def test_a_gateway_that_is_slow_but_alive_is_left_and_its_answers_still_count() -> None:
    slow = Answer(delay=0.6)
    with gateways(None, None, slow_seconds=0.2) as both:
        both.there[0].usual = slow
        people = many(40)
        states = both.send(people)
        assert set(states.values()) == {"accepted"}
        first, second = both.counts()
        assert 1 <= first < 15
        assert first + second == 40
        assert not both.there[0].texts.keys() & both.there[1].texts.keys()


def test_a_slow_gateway_is_better_than_none() -> None:
    with gateways(None, slow_seconds=0.02) as one:
        one.there[0].usual = Answer(delay=0.1)
        assert set(one.send(many(30)).values()) == {"accepted"}


# And comes back


def test_it_comes_back_when_it_is_well_again_tried_by_one_text_alone() -> None:
    with gateways(refusal(20500, 500), None) as both:
        first = both.there[0]
        both.send(many(10))
        before = both.counts()[0]
        time.sleep(2 * SOON)  # its pause is over
        both.send(many(10, 100))  # still ill: one more text has tried it
        assert both.counts()[0] == before + 1
        first.answer = None
        time.sleep(8 * SOON)
        assert set(both.send(many(30, 200)).values()) == {"accepted"}
        taken = len(first.texts)
        assert taken >= 1
        both.send(many(30, 300))
        assert len(first.texts) == taken + 30


def test_while_one_text_tries_it_no_other_does() -> None:
    with gateways(refusal(20500, 500), None, options={0: {"timeout": SHORT}}) as both:
        first = both.there[0]
        both.send(many(10))
        before = both.counts()[0]
        first.answer = Answer(silent=True)
        time.sleep(2 * SOON)  # its pause is over
        states = both.send(many(40, 100))
        assert both.counts()[0] == before + 1
    assert sorted(states.values()).count("uncertain") == 1


def test_each_further_time_it_is_left_for_longer() -> None:
    line = lines.Line(Sms("sms", gateways=[entry("http://127.0.0.1:9")]).gateways[0], slow=5.0)
    pauses = []
    now = 0.0
    for _time in range(5):
        line.leave("away", "no connection", now, trial=True)
        pauses.append(round(line.until - now, 3))
        now = line.until
    assert pauses == [SOON, 2 * SOON, 4 * SOON, 4 * SOON, 4 * SOON]


def test_many_that_fail_together_count_once() -> None:
    line = lines.Line(Sms("sms", gateways=[entry("http://127.0.0.1:9")]).gateways[0], slow=5.0)
    for _one in range(10):
        line.leave("away", "no connection", 0.0)
    assert line.until == SOON


# Limits


def test_a_sender_s_limit_is_kept() -> None:
    times: list[float] = []

    class Watch(TwilioAtTheWire):
        def __call__(self, asked: Any) -> Answer:
            times.append(time.monotonic())
            return super().__call__(asked)

    with listening(twilio := Watch()) as wire:
        channel = Sms("sms", gateways=[entry(wire.url, per_second=40)])
        started = time.monotonic()
        assert {one.state for one in channel.send(RENDERING, many(20), key="k")} == {"accepted"}
        channel.close()
    # a request may be late, never early: the last one waited for at least 19 slots
    assert times[-1] - started >= 19 / 40 - 0.02
    assert len(twilio.kept) == 20


def test_a_checkpoint_is_no_larger_than_a_slow_sender_manages() -> None:
    assert Sms("sms", gateways=[entry("http://127.0.0.1:9")]).checkpoint == 50
    assert Sms("sms", gateways=[entry("http://127.0.0.1:9", per_second=1)]).checkpoint == 12
    assert Sms("sms", gateways=[entry("http://127.0.0.1:9", per_second=0.05)]).checkpoint == 1
    assert Sms("sms", gateways=[entry("http://127.0.0.1:9", per_second=100)]).checkpoint == 50


def test_what_there_is_no_time_for_is_left_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.city.sms.BUDGET", 0.5)
    with gateways(None, options={0: {"per_second": 10}}) as one:
        states = one.send(many(50))
        assert states.pop(0) == "Temporary"
        assert set(states.values()) == {"accepted"}
        assert 1 <= len(states) == len(one.there[0].texts) <= 8


def test_a_gateway_s_own_limit_of_requests_is_kept() -> None:
    with gateways(None, options={0: {"in_flight": 4}}) as one:
        one.there[0].usual = Answer(delay=0.02)
        assert set(one.send(many(60)).values()) == {"accepted"}
        assert one.there[0].wire is not None
        assert one.there[0].wire.most <= 4


def test_a_code_leaves_by_the_next_gateway_too() -> None:
    with gateways(refusal(20500, 500), None) as both:
        assert both.channel.tell(SERVICE, many(1)[0]).state == "accepted"


def test_two_threads_may_send_at_once() -> None:
    """Codes go out while a batch does, from the same process."""
    with gateways(None) as one:
        one.there[0].usual = Answer(delay=0.01)
        told: list[Outcome] = []
        codes = threading.Thread(target=lambda: told.extend(one.channel.tell(SERVICE, who) for who in many(5, 900)))
        codes.start()
        states = one.send(many(50))
        codes.join()
    assert set(states.values()) == {"accepted"}
    assert {outcome.state for outcome in told} == {"accepted"}
