"""Receipts: what providers tell later; out of order, again, of messages we never sent. Never a step back."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.contrib.auth.models import User

from alerts import alarms
from channels import batches, fanout, jobs, receipts, tally
from channels.base import Receipt
from channels.models import Batch, Delivery, Recipient, Subscription
from tests import city

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "wired")]


@pytest.fixture
def wired(settings: Any, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "crowd": {"adapter": "tests.channels.fakes.Crowd", "rehearsal": False},
        "once": {"adapter": "tests.channels.fakes.CrowdOnce", "rehearsal": False},
    }
    monkeypatch.setattr(jobs, "ring_for", lambda _deliveries: None)
    monkeypatch.setattr(jobs, "ring_batches", lambda _batches: None)


@pytest.fixture
def sent(author: User, approver: User, wired: None) -> dict[str, list[Recipient]]:
    """Three recipients of each channel, accepted; those of ``once`` with an id of the provider."""
    city.subscribe("push", "a", "b", "c")
    city.subscribe("sms", "a", "b", "c")
    message = city.released(author, approver)
    fanout.plan(message.pk)
    found = {}
    for channel in ("crowd", "once"):
        delivery = Delivery.objects.get(message=message, channel=channel)
        jobs.deliver(delivery.pk)
        for batch in Batch.objects.filter(delivery=delivery):
            jobs.send_batch(batch.pk)
        found[channel] = list(Recipient.objects.filter(delivery=delivery).order_by("pk"))
    for number, row in enumerate(found["once"]):
        Recipient.objects.filter(pk=row.pk).update(remote_id=f"SM{number}")
    return found


def counted(row: Recipient) -> tally.Counts:
    return tally.counts([row.delivery_id])[row.delivery_id]


def test_delivered_is_told_at_the_desk(sent: dict[str, list[Recipient]]) -> None:
    assert receipts.take("once", [Receipt("delivered", "SM0"), Receipt("failed", "SM1", words="no such number")]) == 2
    counts = counted(sent["once"][0])
    assert (counts.planned, counts.accepted, counts.delivered, counts.failed) == (3, 2, 1, 1)
    assert counts.reasons == (("no such number", 1),)


@pytest.mark.parametrize("order", list(itertools.permutations(["accepted", "failed", "delivered", "delivered"])))
def test_whatever_the_order_who_has_it_has_it(sent: dict[str, list[Recipient]], order: tuple[str, ...]) -> None:
    for state in order:
        receipts.take("once", [Receipt(state, "SM0")])
    assert Recipient.objects.get(remote_id="SM0").state == Recipient.State.DELIVERED


def test_a_receipt_changes_nothing_twice(sent: dict[str, list[Recipient]]) -> None:
    told = [Receipt("failed", "SM0", words="blocked")]
    assert receipts.take("once", told) == 1
    assert receipts.take("once", told) == 0
    assert receipts.take("once", [Receipt("accepted", "SM0")]) == 0
    assert Recipient.objects.get(remote_id="SM0").state == Recipient.State.FAILED


def test_receipts_of_unknown_messages_and_of_other_channels_change_nothing(sent: dict[str, list[Recipient]]) -> None:
    row = sent["once"][0]
    assert receipts.take("once", [Receipt("failed", "SM9"), Receipt("failed"), Receipt("failed", recipient=10**9)]) == 0
    assert receipts.take("crowd", [Receipt("failed", "SM0"), Receipt("failed", recipient=row.pk)]) == 0


def test_a_bounce_takes_back_what_was_only_counted(sent: dict[str, list[Recipient]]) -> None:
    row = sent["crowd"][0]
    assert counted(row).accepted == 3
    assert receipts.take("crowd", [Receipt("failed", recipient=row.pk, words="no such mailbox", gone=True)]) == 1
    counts = counted(row)
    assert (counts.planned, counts.accepted, counts.failed, counts.owed) == (3, 2, 1, 0)
    assert not Subscription.objects.filter(pk=row.subscription).exists()
    assert Subscription.objects.filter(way="push").count() == 2


def test_what_became_clear_is_no_longer_unclear(sent: dict[str, list[Recipient]]) -> None:
    Recipient.objects.filter(remote_id="SM0").update(state=Recipient.State.UNCLEAR)
    receipts.take("once", [Receipt("accepted", "SM0")])
    assert Recipient.objects.get(remote_id="SM0").state == Recipient.State.ACCEPTED
    assert not batches.under_way()


def test_a_provider_that_takes_the_whole_town_for_unknown_ends_few_subscriptions(
    author: User, approver: User, wired: None
) -> None:
    city.subscribe("push", *[f"resident-{number}" for number in range(100)])
    message = city.released(author, approver)
    fanout.plan(message.pk)
    delivery = Delivery.objects.get(message=message, channel="crowd")
    jobs.deliver(delivery.pk)
    for batch in Batch.objects.filter(delivery=delivery):
        jobs.send_batch(batch.pk)
    rows = Recipient.objects.filter(delivery=delivery).values_list("pk", flat=True)
    receipts.take("crowd", [Receipt("failed", recipient=pk, words="unknown", gone=True) for pk in rows])
    assert tally.counts([delivery.pk])[delivery.pk].failed == 100, "that they failed is told"
    assert Subscription.objects.filter(way="push").count() == 100 - receipts.FEW
    assert [alarm.key for alarm in alarms.open_alarms()] == [f"receipts {delivery.pk}"]
