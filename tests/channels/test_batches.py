"""Batches: one language each, checkpointed, leased, giving way; one recipient's failure is one row."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from alerts.models import Message
from alerts.terms import Kind
from channels import batches, fanout, jobs
from channels.base import Permanent, Temporary, Uncertain
from channels.models import Batch, Delivery, Recipient, State
from tests import city
from tests.channels import fakes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "wired")]

FAKES = "tests.channels.fakes."
_rung: list[Batch] = []


@pytest.fixture
def wired(settings: Any, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHANNELS = {
        "page": {"adapter": FAKES + "Page"},
        "crowd": {"adapter": FAKES + "Crowd", "rehearsal": False},
        "once": {"adapter": FAKES + "CrowdOnce", "rehearsal": False},
    }
    monkeypatch.setattr(jobs, "ring_for", lambda _deliveries: None)
    monkeypatch.setattr(jobs, "ring_batches", _rung.extend)
    monkeypatch.setattr(batches, "SIZE", 25)
    _rung.clear()


@pytest.fixture
def message(author: User, approver: User, wired: None) -> Message:
    return city.released(author, approver)


def planned(message: Message, channel: str = "crowd", german: int = 60, english: int = 12) -> Delivery:
    """A delivery with its recipients frozen and cut into batches."""
    fanout.plan(message.pk)
    delivery = Delivery.objects.get(message=message, channel=channel)
    Recipient.objects.bulk_create(
        Recipient(delivery=delivery, language=language, address=f"{channel}-{language}-{number}")
        for language, count in (("de", german), ("en", english))
        for number in range(count)
    )
    jobs.deliver(delivery.pk)
    return delivery


def carry(delivery: Delivery) -> None:
    """What workers do until nothing waits any more."""
    for _round in range(50):
        due = list(Batch.objects.filter(delivery=delivery, state=State.WAITING).values_list("pk", flat=True))
        if not due:
            return
        Batch.objects.filter(pk__in=due).update(due_at=Now() - dt.timedelta(seconds=1))
        for pk in due:
            jobs.send_batch(pk)


def to(channel: str) -> list[str]:
    return [address for address, _text in fakes.sent[channel]]


def test_recipients_are_cut_into_batches_of_one_language(message: Message) -> None:
    delivery = planned(message)
    assert [(batch.language, batch.size) for batch in Batch.objects.filter(delivery=delivery).order_by("pk")] == [
        ("de", 25), ("de", 25), ("de", 10), ("en", 12),
    ]  # fmt: skip
    assert len(_rung) == 4


def test_cutting_twice_makes_no_second_batch(message: Message) -> None:
    delivery = planned(message)
    assert batches.cut(delivery.pk, "f" * 32) == []
    batch = Batch.objects.filter(delivery=delivery).first()
    assert batch is not None
    batch.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        batch.save(force_insert=True)


def test_everybody_is_reached_once_in_their_language(message: Message) -> None:
    delivery = planned(message)
    carry(delivery)
    assert set(Counter(to("crowd")).values()) == {1}
    assert len(to("crowd")) == 72
    texts = {address.split("-")[1]: text for address, text in fakes.sent["crowd"]}
    assert texts == {"de": "Bombenfund: Verlassen Sie das Gebiet", "en": "Bomb found: leave the area"}
    delivery.refresh_from_db()
    assert delivery.state == State.DONE
    assert batches.counts(delivery.pk) == {"planned": 72, "accepted": 72, "failed": 0, "unclear": 0, "owed": 0}


def test_a_delivery_to_nobody_is_done(message: Message) -> None:
    delivery = planned(message, german=0, english=0)
    delivery.refresh_from_db()
    assert delivery.state == State.DONE


def test_one_recipients_failure_is_one_row_and_the_batch_goes_on(message: Message) -> None:
    fakes.answers.update(
        {"crowd-de-3": ["permanent"], "crowd-de-4": ["temporary", "temporary"], "crowd-en-1": ["uncertain"]}
    )
    delivery = planned(message)
    carry(delivery)
    assert batches.counts(delivery.pk) == {"planned": 72, "accepted": 70, "failed": 1, "unclear": 1, "owed": 0}
    assert Counter(to("crowd"))["crowd-de-4"] == 3
    assert Counter(to("crowd"))["crowd-de-3"] == 1


def test_who_is_refused_again_and_again_has_failed(message: Message) -> None:
    fakes.answers["crowd-de-0"] = ["temporary"] * 50
    delivery = planned(message)
    carry(delivery)
    assert Recipient.objects.get(address="crowd-de-0").state == Recipient.State.FAILED
    assert Counter(to("crowd"))["crowd-de-0"] == batches.PASSES


@pytest.mark.parametrize(("channel", "again"), [("crowd", 2), ("once", 1)])
def test_a_worker_lost_in_a_checkpoint(message: Message, channel: str, again: int) -> None:
    delivery = planned(message, channel)
    batch = Batch.objects.filter(delivery=delivery).order_by("pk").first()
    assert batch is not None

    def dies() -> None:
        Batch.objects.filter(pk=batch.pk).update(lease_until=Now() - dt.timedelta(seconds=1))

    nothing: Callable[[], None] = lambda: None  # noqa: E731
    fakes.script[channel] = [nothing] * 13 + [dies]
    jobs.send_batch(batch.pk)
    jobs.sweep(patience=600)
    carry(delivery)
    times = Counter(to(channel))
    counts = batches.counts(delivery.pk)
    assert counts["owed"] == 0
    if channel == "crowd":
        assert counts["accepted"] == 72
        assert max(times.values()) == again, "what was in its hand goes again, the checkpoint before it does not"
        assert sum(times.values()) == 72 + 10
    else:
        assert max(times.values()) == again, "nothing is sent twice that can't be taken back"
        assert counts["unclear"] == 72 - counts["accepted"] > 0


def test_without_the_lease_nothing_is_written(message: Message) -> None:
    delivery = planned(message)
    batch = Batch.objects.filter(delivery=delivery).order_by("pk").first()
    assert batch is not None
    token = batches.claim(batch.pk)
    assert token
    assert batches.claim(batch.pk) is None
    rows = batches.hand(batch, token, 10)
    assert rows
    assert len(rows) == 10
    assert batches.hand(batch, "f" * 32, 10) is None
    assert not batches.checkpoint(batch, "f" * 32, [])
    Batch.objects.filter(pk=batch.pk).update(lease_until=Now() - dt.timedelta(seconds=1))
    assert not batches.checkpoint(batch, token, [])
    batch.refresh_from_db()
    assert batch.reached < batch.handed


def test_an_error_of_the_whole_channel_says_what_happens_next(message: Message) -> None:
    delivery = planned(message)
    first, second = list(Batch.objects.filter(delivery=delivery).order_by("pk"))[:2]
    fakes.script["crowd"] = [Temporary("antwortet 429", after=120)]
    jobs.send_batch(first.pk)
    first.refresh_from_db()
    assert (first.state, first.words) == (State.WAITING, "antwortet 429")
    assert Batch.objects.filter(pk=first.pk, due_at__gt=Now() + dt.timedelta(seconds=100)).exists()
    fakes.script["crowd"] = [Permanent("Schlüssel abgelehnt")]
    jobs.send_batch(second.pk)
    second.refresh_from_db()
    assert (second.state, second.words) == (State.FAILED, "Schlüssel abgelehnt")
    carry(delivery)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.words) == (State.FAILED, "Schlüssel abgelehnt")


def test_no_answer_is_unclear_where_trying_twice_would_send_twice(message: Message) -> None:
    delivery = planned(message, "once")
    fakes.script["once"] = [lambda: None, lambda: None, Uncertain("keine Antwort")]
    carry(delivery)
    counts = batches.counts(delivery.pk)
    assert counts["unclear"] == 8, "the rest of that checkpoint; those with an answer are accepted"
    assert counts["accepted"] == 64
    assert max(Counter(to("once")).values()) == 1


def test_a_batch_gives_way_to_an_urgent_message_between_checkpoints(author: User, approver: User) -> None:
    minor = planned(city.released(author, approver, severity="Minor"))
    urgent = planned(city.released(author, approver))
    assert (minor.queue, urgent.queue) == ("city", "city-urgent")
    _rung.clear()
    first = Batch.objects.filter(delivery=minor).order_by("pk").first()
    assert first is not None
    jobs.send_batch(first.pk)
    assert len(to("crowd")) == 10, "one checkpoint, then it let go"
    assert [batch.pk for batch in _rung] == [first.pk]
    carry(urgent)
    carry(minor)
    assert batches.counts(minor.pk)["accepted"] == 72
    assert set(Counter(to("crowd")).values()) == {2}, "both messages have the same addresses; nobody got one twice"


def test_an_urgent_batch_does_not_give_way_to_a_lesser_one(author: User, approver: User) -> None:
    urgent = planned(city.released(author, approver))
    planned(city.released(author, approver, severity="Minor"))
    first = Batch.objects.filter(delivery=urgent).order_by("pk").first()
    assert first is not None
    jobs.send_batch(first.pk)
    assert len(to("crowd")) == 25


def test_a_superseded_message_stops_between_two_checkpoints(message: Message, author: User, approver: User) -> None:
    delivery = planned(message)
    batch = Batch.objects.filter(delivery=delivery).order_by("pk").first()
    assert batch is not None

    def update() -> None:
        fanout.plan(city.followed(message, Kind.UPDATE, author, approver).pk)

    fakes.script["crowd"] = [lambda: None, update]
    jobs.send_batch(batch.pk)
    assert len(to("crowd")) == 10
    carry(delivery)
    assert len(to("crowd")) == 10
    delivery.refresh_from_db()
    assert delivery.state == State.SUPERSEDED
    assert not Batch.objects.filter(delivery=delivery, state__in=[State.WAITING, State.SENDING]).exists()


def test_upkeep_sends_what_no_worker_took(message: Message) -> None:
    delivery = planned(message, german=20, english=0)
    Batch.objects.update(due_at=Now() - dt.timedelta(seconds=60))
    jobs.sweep(patience=5)
    delivery.refresh_from_db()
    assert delivery.state == State.DONE
    assert len(to("crowd")) == 20


def test_in_rehearsal_nothing_is_sent(settings: Any, author: User, approver: User) -> None:
    settings.CHANNELS = settings.CHANNELS | {"crowd": {"adapter": FAKES + "Crowd", "rehearsal": True}}
    delivery = planned(city.released(author, approver))
    carry(delivery)
    assert not to("crowd")
    delivery.refresh_from_db()
    assert delivery.state == State.DONE


def test_a_delivery_whose_last_batches_settled_unseen_is_closed_by_the_sweep(message: Message) -> None:
    delivery = planned(message)
    Batch.objects.filter(delivery=delivery).update(state=State.DONE)
    jobs.sweep(patience=600)
    delivery.refresh_from_db()
    assert delivery.state == State.DONE


def test_trying_again_by_hand_opens_the_failed_batches(message: Message, author: User) -> None:
    delivery = planned(message)
    fakes.script["crowd"] = [Permanent("Schlüssel abgelehnt")] * 4
    carry(delivery)
    delivery.refresh_from_db()
    assert delivery.state == State.FAILED
    assert not to("crowd")
    fanout.try_again(delivery.pk, author)
    jobs.deliver(delivery.pk)
    carry(delivery)
    delivery.refresh_from_db()
    assert delivery.state == State.DONE
    assert len(to("crowd")) == 72


def test_a_batch_over_which_worker_after_worker_is_lost_fails(message: Message) -> None:
    delivery = planned(message, german=20, english=0)
    batch = Batch.objects.get(delivery=delivery)
    assert batches.claim(batch.pk)
    Batch.objects.update(tries=batches.TRIES, lease_until=Now() - dt.timedelta(seconds=1))
    jobs.sweep(patience=600)
    delivery.refresh_from_db()
    assert delivery.state == State.FAILED
