"""What every broadcaster keeps: inherit ``Broadcasts`` in the channel's test and give it the channel and a wire."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from alerts.notice import Rendering
from channels.base import Broadcaster, ChannelError, Outcome, Permanent, Recipient, Service, Temporary, Uncertain
from tests.channels.contract import CONTENT, SECRET, Contract, notices

SLOTS = {
    "identifier": "urn:oid:2.49.0.0.276.0.example.1",
    "sent": "2030-09-13T17:40:00+00:00",
    "slug": "k7f3x",
    "digest": "0" * 64,
    "expires": "2030-09-14T04:00:00+00:00",
}
"""What release fills in of the notices of ``contract``."""
SERVICE = Service(
    "self-test", "en", "Test of your subscription", "It works.", "https://warnung.leipzig.example/subscribe/"
)


@dataclass(frozen=True)
class Wire:
    """A channel with a real server at the other end; ``heard`` is what that one took, as text, by address."""

    channel: Broadcaster
    heard: Callable[[], Mapping[str, str]]


class Broadcasts(Contract):
    """Tests that hold for any broadcaster."""

    refusals_are_of_one: bool = True
    """The provider can refuse one recipient and take the next."""

    def channel(self, **options: Any) -> Broadcaster:  # type: ignore[override]
        """The channel under test; where it takes a secret, ``SECRET``."""
        raise NotImplementedError

    def addresses(self) -> Sequence[str]:
        """Three addresses of this way, all different and well-formed."""
        raise NotImplementedError

    def answering(self, script: Mapping[str, str]) -> AbstractContextManager[Wire]:
        """The channel over a real wire, to a server that meets an address as the script says.

        ``refuses`` this one for good; ``later``, not now; ``silent``: takes all in and never answers
        (the channel's time-out is set short). An address that the script lacks is taken. The special
        address ``*`` with ``away``: nobody listens at all.
        """
        raise NotImplementedError

    def size(self, rendering: Rendering) -> int:
        """What ``limit`` bounds, counted as the channel does."""
        return max(len(value) for value in rendering.fields.values() if isinstance(value, str))

    def recipients(self) -> list[Recipient]:
        """The three addresses as the engine hands them over."""
        signed = [f"{number}" * 36 for number in (1, 2, 3)]
        return [
            Recipient(number, address, token if self.channel().personal else "")
            for number, (address, token) in enumerate(zip(self.addresses(), signed, strict=True), start=1)
        ]

    def released(self, channel: Broadcaster) -> Rendering:
        """The German warning, composed and with its slots filled."""
        return replace(channel.compose(notices()[0]), slots=SLOTS)

    def sent(self, channel: Broadcaster) -> dict[int, Outcome]:
        """Each recipient's outcome, after one ``send`` to all three."""
        return by_recipient(channel.send(self.released(channel), self.recipients(), key="k"))

    def test_limits_are_kept(self) -> None:
        words = {
            language: replace(old, headline="Sehr lange Überschrift " * 40, description="Satz mit Sinn. " * 700)
            for language, old in CONTENT.texts.items()
        }
        for one in notices(replace(CONTENT, texts=words)):
            rendering = self.channel().compose(one)
            assert self.size(rendering) <= self.limit
            assert one.slug in json.dumps(dict(rendering.fields))

    def test_it_says_whom_it_serves(self) -> None:
        channel = self.channel()
        assert channel.way in {"push", "sms", "email"}
        assert channel.city
        assert 1 <= channel.checkpoint <= 5000
        assert 0 < channel.seconds <= 60
        assert inspect.getdoc(type(channel).send)

    def test_everyone_gets_what_was_approved_with_the_link(self) -> None:
        with self.answering({}) as wire:
            outcomes = self.sent(wire.channel)
        assert {one.state for one in outcomes.values()} == {"accepted"}
        assert list(outcomes) == [1, 2, 3]
        heard = wire.heard()
        assert set(heard) == set(self.addresses())
        for recipient in self.recipients():
            assert notices()[0].slug in heard[recipient.address]
            for other in self.recipients():
                own = other is recipient or other.id == recipient.id
                if other.token:
                    assert (other.token in heard[recipient.address]) == own

    def test_one_recipient_s_refusal_is_one_outcome(self) -> None:
        if not self.refusals_are_of_one:
            return
        first, second, third = self.addresses()
        with self.answering({second: "refuses"}) as wire:
            outcomes = self.sent(wire.channel)
        assert [outcomes[one].state for one in (1, 2, 3)] == ["accepted", "permanent", "accepted"]
        assert outcomes[2].words
        assert set(wire.heard()) == {first, third}

    def test_not_now_is_temporary(self) -> None:
        _first, second, _third = self.addresses()
        with self.answering({second: "later"}) as wire:
            outcomes = self.sent(wire.channel)
        assert [outcomes[one].state for one in (1, 2, 3)] == ["accepted", "temporary", "accepted"]

    def test_a_time_out_is_told_apart_from_a_refusal(self) -> None:
        """It may have gone out: again at once only where that is harmless."""
        _first, second, _third = self.addresses()
        with self.answering({second: "silent"}) as wire:
            states = states_of(self, wire.channel)
            assert states[2] == ("temporary" if wire.channel.idempotent else "uncertain")
        assert "permanent" not in states.values()

    def test_a_server_that_is_away_has_taken_nothing(self) -> None:
        with self.answering({"*": "away"}) as wire:
            assert set(states_of(self, wire.channel).values()) == {"temporary"}

    def test_nobody_to_send_to_is_nothing_done(self) -> None:
        with self.answering({}) as wire:
            assert list(wire.channel.send(self.released(wire.channel), [], key="k")) == []
        assert wire.heard() == {}

    @pytest.mark.parametrize("answer", ["refuses", "later", "silent"])
    def test_no_outcome_shows_an_address_or_a_secret(self, answer: str) -> None:
        told = []
        with self.answering(dict.fromkeys(self.addresses(), answer)) as wire:
            try:
                told += [outcome.words for outcome in self.sent(wire.channel).values()]
            except ChannelError as error:
                told.append(str(error))
        assert all(told)
        for words in told:
            assert SECRET not in words
            assert not any(address in words for address in self.addresses())

    def test_a_service_text_reaches_one_resident(self) -> None:
        with self.answering({}) as wire:
            outcome = wire.channel.tell(SERVICE, self.recipients()[0])
        assert (outcome.recipient, outcome.state) == (1, "accepted")
        assert SERVICE.body in wire.heard()[self.addresses()[0]]

    def test_a_service_text_that_nobody_takes_says_so(self) -> None:
        first = self.addresses()[0]
        for answer, states in (("refuses", {"permanent"}), ("silent", {"temporary", "uncertain"})):
            with self.answering({first: answer}) as wire:
                assert state_of(wire.channel, self.recipients()[0]) in states


def by_recipient(outcomes: Iterable[Outcome]) -> dict[int, Outcome]:
    """The outcomes in the order of their recipients; each may have but one."""
    found: dict[int, Outcome] = {}
    for one in outcomes:
        assert one.recipient not in found
        found[one.recipient] = one
    return dict(sorted(found.items()))


def states_of(contract: Broadcasts, channel: Broadcaster) -> dict[int, str]:
    """Each recipient's state, where an error raised for the whole channel is everybody's who has no outcome yet."""
    states: dict[int, str] = {}
    rest = ""
    try:
        for one in channel.send(contract.released(channel), contract.recipients(), key="k"):
            states[one.recipient] = one.state
    except ChannelError as error:
        rest = _state(error)
    return {one.id: states.get(one.id, rest) for one in contract.recipients()}


def state_of(channel: Broadcaster, recipient: Recipient) -> str:
    """What became of one service text, told or raised."""
    try:
        return channel.tell(SERVICE, recipient).state
    except ChannelError as error:
        return _state(error)


def _state(error: ChannelError) -> str:
    return {Temporary: "temporary", Permanent: "permanent", Uncertain: "uncertain"}[type(error)]
