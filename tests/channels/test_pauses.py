"""The switch of each channel: off at once, between two languages too; on again, the newest message alone goes out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from alerts.models import AuditEntry, Message
from alerts.people import NotAllowed, Refused
from alerts.terms import Kind
from channels import fanout, jobs, pauses
from channels.base import Temporary
from channels.models import Delivery, Pause, State
from tests import city
from tests.channels import fakes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "wired")]


@pytest.fixture
def wired(settings: Any, quiet: None) -> None:
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "own": {"adapter": "tests.channels.fakes.Own", "rehearsal": False},
        "shop": {"adapter": "tests.channels.fakes.Commercial", "rehearsal": False},
        "crowd": {"adapter": "tests.channels.fakes.Crowd", "rehearsal": False},
    }


@pytest.fixture
def message(author: User, approver: User, wired: None) -> Message:
    message = city.released(author, approver)
    live(message)
    return message


def live(message: Message) -> None:
    """Planned, page and feeds out, the gate open."""
    for row in fanout.plan(message.pk):
        if row.site:
            jobs.deliver(row.pk)
    fanout.open_if_live(message.pk)


def owed(message: Message, channel: str = "shop") -> Delivery:
    return Delivery.objects.get(message=message, channel=channel)


def carried(message: Message, channel: str = "shop") -> Delivery:
    row = owed(message, channel)
    jobs.deliver(row.pk)
    row.refresh_from_db()
    return row


def test_publishers_have_a_switch_and_what_makes_the_gate_has_none() -> None:
    assert pauses.pausable() == ["own", "shop"]


@pytest.mark.parametrize("channel", ["page", "crowd", "unknown"])
def test_page_feeds_and_subscribers_can_t_be_paused(author: User, channel: str) -> None:
    with pytest.raises(Refused):
        pauses.pause(channel, author)
    assert not Pause.objects.exists()


@pytest.mark.parametrize("channel", ["own", "shop"])
def test_a_paused_channel_is_not_claimed(message: Message, author: User, channel: str) -> None:
    pauses.pause(channel, author)
    assert fanout.claim(owed(message, channel).pk) is None
    assert owed(message, channel) not in fanout.unrung()
    pauses.resume(channel, author)
    assert fanout.claim(owed(message, channel).pk) is not None


def test_another_channel_goes_on(message: Message, author: User) -> None:
    pauses.pause("shop", author)
    assert carried(message, "own").state == State.DONE
    assert carried(message, "page").state == State.DONE


def test_pausing_between_two_languages_stops_before_the_next(message: Message, author: User) -> None:
    fakes.script["shop"].append(lambda: pauses.pause("shop", author))
    row = carried(message)
    assert len(fakes.sent["shop"]) == 1, "what was on the wire has ended, the second language was not begun"
    assert (row.state, row.lease) == (State.WAITING, "")
    pauses.resume("shop", author)
    assert carried(message).state == State.DONE
    assert [key.rpartition(":")[2] for key, _text in fakes.sent["shop"]] == ["de", "en"]


def test_switched_on_again_only_the_newest_goes_out(message: Message, author: User, approver: User) -> None:
    pauses.pause("shop", author)
    second = city.followed(message, Kind.UPDATE, author, approver)
    live(second)
    third = city.followed(second, Kind.UPDATE, author, approver)
    live(third)
    pauses.resume("shop", author)
    for each in (message, second, third):
        carried(each)
    assert [owed(each).state for each in (message, second, third)] == [State.SUPERSEDED, State.SUPERSEDED, State.DONE]
    assert {key.partition(":shop")[0] for key, _text in fakes.sent["shop"]} == {third.identifier}


def test_a_platform_that_asks_to_wait_gets_the_newest_message_only(
    message: Message, author: User, approver: User
) -> None:
    fakes.script["shop"].append(Temporary("zu viele Beiträge", after=3600))
    row = carried(message)
    assert row.state == State.WAITING
    assert fanout.claim(row.pk) is None, "it is left alone for as long as it asked"
    newer = city.followed(message, Kind.UPDATE, author, approver)
    live(newer)
    Delivery.objects.filter(state=State.WAITING).update(due_at=Now() - dt.timedelta(seconds=1))
    assert carried(message).state == State.SUPERSEDED
    assert carried(newer).state == State.DONE
    assert len(fakes.sent["shop"]) == 2, "the newest, in two languages"


def test_a_pause_is_one_row_with_who_and_since(author: User, approver: User) -> None:
    pauses.pause("shop", author)
    with pytest.raises(Refused):
        pauses.pause("shop", approver)
    assert pauses.paused()["shop"].by == author
    pauses.resume("shop", approver)
    with pytest.raises(Refused):
        pauses.resume("shop", approver)
    row = Pause.objects.get()
    assert (row.by, row.ended_by) == (author, approver)
    told = AuditEntry.objects.filter(action__startswith="channel-").order_by("pk")
    assert [entry.action for entry in told] == ["channel-paused", "channel-resumed"]


def test_whoever_neither_writes_nor_approves_may_not(author: User) -> None:
    stranger = city.officer("stranger")
    with pytest.raises(NotAllowed):
        pauses.pause("shop", stranger)
    pauses.pause("shop", author)
    with pytest.raises(NotAllowed):
        pauses.resume("shop", stranger)
    assert "shop" in pauses.paused()
