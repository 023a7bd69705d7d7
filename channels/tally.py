"""What has become of a message so far: each channel's state, how many residents it reached, how fast it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Sum
from django.utils import timezone

from alerts.models import Message, ReleasePlan

from . import registry
from .base import Broadcaster
from .models import Batch, Delivery, Recipient, State


@dataclass(frozen=True, slots=True)
class Counts:
    """Recipients of one delivery. ``accepted`` includes ``delivered``; ``owed`` those still to be sent or tried again.

    ``reasons`` are the words of those that failed or are unclear, the most frequent first; ``unsure`` the words of
    those that are unclear.
    """

    planned: int = 0
    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    unclear: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    unsure: tuple[str, ...] = ()

    @property
    def handled(self) -> int:
        return self.accepted + self.failed + self.unclear

    @property
    def owed(self) -> int:
        return self.planned - self.handled


MOST_REASONS = 12


def counts(deliveries: Sequence[int]) -> dict[int, Counts]:
    """What became of the recipients of these deliveries so far, in two queries."""
    ledgers = {
        row["delivery"]: row
        for row in Batch.objects.filter(delivery__in=deliveries)
        .order_by()
        .values("delivery")
        .annotate(planned=Sum("size"), counted=Sum("sent"))
    }
    written = (
        Recipient.objects.filter(delivery__in=deliveries)
        .exclude(state=Recipient.State.OWED)
        .order_by()
        .values("delivery", "state", "words")
        .annotate(count=Count("pk"))
    )
    states: dict[int, dict[str, int]] = {}
    reasons: dict[int, dict[str, int]] = {}
    unsure: dict[int, set[str]] = {}
    for row in written:
        of_delivery = states.setdefault(row["delivery"], {})
        of_delivery[row["state"]] = of_delivery.get(row["state"], 0) + row["count"]
        if row["state"] in {Recipient.State.FAILED, Recipient.State.UNCLEAR}:
            told = reasons.setdefault(row["delivery"], {})
            told[row["words"]] = told.get(row["words"], 0) + row["count"]
        if row["state"] == Recipient.State.UNCLEAR:
            unsure.setdefault(row["delivery"], set()).add(row["words"])
    found = {}
    for pk, ledger in ledgers.items():
        by_state = states.get(pk, {})
        delivered = by_state.get(Recipient.State.DELIVERED, 0)
        frequent = sorted(reasons.get(pk, {}).items(), key=lambda item: (-item[1], item[0]))
        found[pk] = Counts(
            planned=ledger["planned"],
            accepted=ledger["counted"] + by_state.get(Recipient.State.ACCEPTED, 0) + delivered,
            delivered=delivered,
            failed=by_state.get(Recipient.State.FAILED, 0),
            unclear=by_state.get(Recipient.State.UNCLEAR, 0),
            reasons=tuple(frequent[:MOST_REASONS]),
            unsure=tuple(sorted(unsure.get(pk, ()))),
        )
    return found


@dataclass(frozen=True, slots=True)
class Pace:
    """Recipients a second since a delivery began, and the seconds that the rest will take at that; None: can't tell."""

    rate: float
    left: float | None


def pace(delivery: Delivery, people: Counts) -> Pace | None:
    """How fast a delivery to subscribers goes; None before it has begun."""
    if delivery.started_at is None:
        return None
    spent = ((delivery.done_at or timezone.now()) - delivery.started_at).total_seconds()
    rate = people.handled / spent if spent > 0 else 0.0
    running = delivery.state == State.SENDING
    return Pace(rate, people.owed / rate if running and rate > 0 else None)


def to_subscribers(channel: str) -> bool:
    """Whether a channel sends to each subscriber; a removed one tells nothing any more."""
    return registry.configured(channel) and isinstance(registry.channel(channel), Broadcaster)


def progress(message_id: int) -> list[dict[str, Any]]:
    """What each channel did for a message so far (``alerts.ports.Progress``): the gate's channels first.

    ``seconds`` run from the approval (from ``sent`` where release came later) to ``done_at``; None while
    it is not done. ``people`` are the Counts of a broadcaster's delivery, ``pace`` how fast it goes.
    """
    message = Message.objects.select_related("approval", "draft").get(pk=message_id)
    at_once = message.approval is not None and message.draft.plan == ReleasePlan.NOW
    # sent has whole seconds, as CAP has no others: the approval is the exact time
    begun = message.approval.at if message.approval and at_once else message.sent
    rows = list(message.deliveries.prefetch_related("posts", "attempts").order_by("-site", "-city", "pk"))
    people = counts([row.pk for row in rows])
    return [
        {
            "id": row.pk,
            "channel": row.channel,
            "name": registry.label(row.channel),
            "city": row.city,
            "site": row.site,
            "rehearsal": row.rehearsal,
            "state": row.state,
            "state_words": row.get_state_display(),
            "words": row.words,
            "seconds": (row.done_at - begun).total_seconds() if row.done_at else None,
            "done_at": row.done_at,
            "due_at": row.due_at,
            "posts": list(row.posts.all()),
            "attempts": list(row.attempts.all()),
            "people": people.get(row.pk, Counts() if to_subscribers(row.channel) else None),
            "pace": pace(row, people[row.pk]) if row.pk in people else None,
        }
        for row in rows
    ]
