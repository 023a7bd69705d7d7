"""Batches of a broadcaster: cut, claim, checkpoint, give way, settle; rows only, as ``fanout`` for deliveries.

A checkpoint writes, in one transaction and under the lease, what became of a few hundred
recipients and how far the batch has come. A worker that is lost between two checkpoints leaves
behind which recipients it held in its hand.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from alerts.models import Alert

from . import fanout
from .base import Outcome
from .models import BY_BATCHES, Batch, Delivery, Hold, Recipient, State

SIZE = 5000
"""Recipients of one batch: RQ's own cost falls under two per cent (facts on fan-out)."""
PASSES = 5
"""After so many passes, a recipient that is still refused temporarily has failed."""
TRIES = 20
"""After so many workers were lost over a batch, it has failed."""

STATES = {
    "accepted": Recipient.State.ACCEPTED,
    "temporary": Recipient.State.TEMPORARY,
    "permanent": Recipient.State.FAILED,
    "uncertain": Recipient.State.UNCLEAR,
}
OPEN = (State.WAITING, State.SENDING)


def cut(delivery_id: int, token: str) -> list[Batch]:
    """Cut a claimed delivery's recipients into batches of one language each; can run twice.

    The delivery then is carried by its batches. Without any recipient it is settled at once.
    """
    with transaction.atomic():
        held = Delivery.objects.filter(pk=delivery_id, state=State.SENDING, lease=token)
        if held.update(lease=BY_BATCHES, lease_until=None) != 1:
            return []
        runs = Recipient.objects.filter(delivery=delivery_id).values_list("language", flat=True).distinct()
        for language in sorted(runs):
            last = 0
            while True:
                rows = Recipient.objects.filter(delivery=delivery_id, language=language, pk__gt=last).order_by("pk")
                run = list(rows.values_list("pk", flat=True)[:SIZE])
                if not run:
                    break
                last = run[-1]
                Batch.objects.get_or_create(
                    delivery_id=delivery_id,
                    language=language,
                    first=run[0],
                    defaults={
                        "last": last,
                        "size": len(run),
                        "reached": run[0] - 1,
                        "handed": run[0] - 1,
                        "due_at": Now(),
                    },
                )
        close(delivery_id)
    return list(Batch.objects.filter(delivery=delivery_id, state=State.WAITING).order_by("pk"))


def claimable() -> QuerySet[Batch]:
    """Batches that may be claimed now: due, of a delivery still under way, of the alert's newest message, not held."""
    carried = Exists(
        Delivery.objects.filter(
            Exists(Alert.objects.filter(latest_id=OuterRef("message_id"))),
            Q(city=True) | Q(message__live_at__isnull=False),
            pk=OuterRef("delivery_id"),
            state=State.SENDING,
        )
    )
    held = Exists(Hold.objects.filter(ended_at__isnull=True))
    return Batch.objects.filter(carried, ~held, state=State.WAITING, due_at__lte=Now())


def claim(batch_id: int) -> str | None:
    """A lease token where this caller now holds the batch."""
    token = secrets.token_hex(16)
    taken = (
        claimable()
        .filter(pk=batch_id)
        .update(state=State.SENDING, lease=token, lease_until=_lease(), tries=F("tries") + 1)
    )
    return token if taken == 1 else None


def doubtful(batch: Batch) -> QuerySet[Recipient]:
    """Recipients that an earlier worker held in its hand when it was lost, and that have no outcome."""
    state = Recipient.State.TEMPORARY if batch.again else Recipient.State.OWED
    return _of(batch).filter(pk__gt=batch.reached, pk__lte=batch.handed, state=state)


def hand(batch: Batch, token: str, most: int) -> list[Recipient] | None:
    """The next recipients for the channel, marked as handed; empty at the end; None where the lease was lost."""
    if batch.again:
        rows = list(_of(batch).filter(pk__gt=batch.reached, state=Recipient.State.TEMPORARY).order_by("pk")[:most])
    else:
        rows = list(_of(batch).filter(pk__gt=batch.reached, state=Recipient.State.OWED).order_by("pk")[:most])
    batch.handed = rows[-1].pk if rows else batch.last
    if not _mine(batch, token).update(handed=batch.handed, lease_until=_lease()):
        return None
    return rows


def note(batch: Batch, token: str, outcome: Outcome) -> bool:
    """Write one recipient's outcome at once, for channels that can't try twice. False where the lease was lost."""
    with transaction.atomic():
        if not _mine(batch, token).update(lease_until=_lease()):
            return False
        _write(batch, [outcome])
    return True


def checkpoint(batch: Batch, token: str, outcomes: Sequence[Outcome]) -> bool:
    """Write what did not go well and how far the batch has come. False where the lease was lost: nothing is written."""
    with transaction.atomic():
        if not _mine(batch, token).update(reached=batch.handed, lease_until=_lease()):
            return False
        if batch.again:
            _write(batch, outcomes)
        else:
            _write(batch, [outcome for outcome in outcomes if outcome.state != "accepted"])
    batch.reached = batch.handed
    return True


def settle(batch: Batch, token: str, *, words: str = "", state: str = State.DONE) -> bool:
    """End a batch, or send it on another pass over those refused temporarily; then its delivery, if it was the last."""
    with transaction.atomic():
        # Of two last batches that settle at once, the second sees the first and closes the delivery
        Delivery.objects.select_for_update().get(pk=batch.delivery_id)
        left = _of(batch).filter(state=Recipient.State.TEMPORARY)
        if state == State.DONE and left.exists():
            if batch.again + 1 < PASSES:
                wait = fanout.pause(batch.again + 1)
                return (
                    _mine(batch, token).update(
                        state=State.WAITING,
                        lease="",
                        lease_until=None,
                        again=batch.again + 1,
                        reached=batch.first - 1,
                        handed=batch.first - 1,
                        due_at=Now() + dt.timedelta(seconds=wait),
                        rung_at=None,
                    )
                    == 1
                )
            left.update(state=Recipient.State.FAILED)
        if not _mine(batch, token).update(state=state, lease="", lease_until=None, words=words):
            return False
        close(batch.delivery_id)
    return True


def overtaken(batch: Batch) -> bool:
    """Whether a newer message of its alert is out: this one then stops between two checkpoints."""
    return not Alert.objects.filter(latest_id=batch.delivery.message_id).exists()


def put_back(batch: Batch, token: str, *, after: float = 0.0, words: str = "") -> bool:
    """Let go of a batch between two checkpoints: to give way (``after`` 0), or to try again later."""
    return (
        _mine(batch, token).update(
            state=State.WAITING,
            lease="",
            lease_until=None,
            due_at=Now() + dt.timedelta(seconds=after),
            rung_at=None,
            words=words,
        )
        == 1
    )


def someone_waits(batch: Batch, queue: str) -> bool:
    """Whether a batch of another message waits that goes before this one, or takes turns with it.

    An urgent one goes before; of the same rank, messages alternate, so that none waits behind
    another's tail.
    """
    others = claimable().exclude(delivery__message=batch.delivery.message_id)
    ranks = ["city-urgent"] if queue == "city-urgent" else ["city-urgent", queue]
    return others.filter(delivery__queue__in=ranks).exists()


def lost() -> list[Batch]:
    """Batches whose worker let its lease run out."""
    return list(Batch.objects.filter(state=State.SENDING, lease_until__lte=Now()).select_related("delivery")[:500])


def take_back(batch: Batch, *, idempotent: bool) -> None:
    """A lost worker's batch waits anew. What it held goes again, or is unclear where that would send twice."""
    with transaction.atomic():
        mine = Batch.objects.filter(pk=batch.pk, state=State.SENDING, lease=batch.lease)
        if batch.tries >= TRIES:
            words = _("Unexpected fault in the channel, again and again. The administrator finds it in the log.")
            if mine.update(state=State.FAILED, lease="", lease_until=None, words=words):
                close(batch.delivery_id)
            return
        if not mine.update(state=State.WAITING, lease="", lease_until=None, due_at=Now(), rung_at=None):
            return
        if not idempotent:
            doubtful(batch).update(
                state=Recipient.State.UNCLEAR, words=_("The worker was lost while sending: it may have arrived.")
            )


def unclosed() -> list[int]:
    """Deliveries that no batch carries any more: a worker died between its last batch and them."""
    open_batch = Batch.objects.filter(delivery=OuterRef("pk"), state__in=OPEN)
    rows = Delivery.objects.filter(~Exists(open_batch), state=State.SENDING, lease=BY_BATCHES)
    return list(rows.values_list("pk", flat=True)[:100])


def unrung() -> list[Batch]:
    lately = Q(rung_at__gt=Now() - fanout.RING_AGAIN)
    return list(claimable().exclude(lately).select_related("delivery").order_by("pk")[:500])


def forgotten(patience: dt.timedelta) -> list[Batch]:
    """The city's batch that no worker took for longest, if for ``patience``: upkeep sends one in each round."""
    waited = claimable().filter(delivery__city=True, due_at__lte=Now() - patience)
    return list(waited.order_by("due_at", "pk")[:1])


def rung(batch_ids: Sequence[int]) -> None:
    Batch.objects.filter(pk__in=batch_ids).update(rung_at=Now())


def counts(delivery_id: int) -> dict[str, int]:
    """Recipients of a delivery: ``planned``, and of these ``accepted``, ``failed``, ``unclear``, ``owed``."""
    rows = Recipient.objects.filter(delivery=delivery_id)
    by_state = dict(rows.values_list("state").annotate(count=Count("pk")))
    planned = sum(by_state.values())
    passed = sum(
        rows.filter(language=batch.language, pk__gte=batch.first, pk__lte=batch.last if batch.again else batch.reached)
        .filter(state=Recipient.State.OWED)
        .count()
        for batch in Batch.objects.filter(delivery=delivery_id)
    )
    failed = by_state.get(Recipient.State.FAILED, 0)
    unclear = by_state.get(Recipient.State.UNCLEAR, 0)
    accepted = passed + by_state.get(Recipient.State.ACCEPTED, 0)
    return {
        "planned": planned,
        "accepted": accepted,
        "failed": failed,
        "unclear": unclear,
        "owed": planned - accepted - failed - unclear,
    }


def close(delivery_id: int) -> None:
    """Settle a delivery that its batches carry once none of them is open, in the caller's transaction."""
    rows = Batch.objects.filter(delivery=delivery_id)
    if rows.filter(state__in=OPEN).exists():
        return
    worst = rows.filter(state__in=[State.FAILED, State.SUPERSEDED, State.LEFT_OUT]).order_by("pk").first()
    state, words = (worst.state, worst.words) if worst else (State.DONE, "")
    Delivery.objects.filter(pk=delivery_id, state=State.SENDING, lease=BY_BATCHES).update(
        state=state, words=words, lease="", done_at=Now() if state == State.DONE else None
    )


def _of(batch: Batch) -> QuerySet[Recipient]:
    return Recipient.objects.filter(
        delivery=batch.delivery_id, language=batch.language, pk__gte=batch.first, pk__lte=batch.last
    )


def _mine(batch: Batch, token: str) -> QuerySet[Batch]:
    return Batch.objects.filter(pk=batch.pk, state=State.SENDING, lease=token, lease_until__gt=Now())


def _write(batch: Batch, outcomes: Sequence[Outcome]) -> None:
    """One update for each kind of outcome, not one for each recipient."""
    kinds: dict[tuple[str, str], list[int]] = {}
    for outcome in outcomes:
        if outcome.remote_id:
            Recipient.objects.filter(pk=outcome.recipient).update(remote_id=outcome.remote_id)
        kinds.setdefault((STATES[outcome.state], outcome.words[:200]), []).append(outcome.recipient)
    for (state, words), ids in kinds.items():
        _of(batch).filter(pk__in=ids).update(state=state, words=words)


def _lease() -> object:
    return Now() + dt.timedelta(seconds=settings.LEASE_SECONDS)
