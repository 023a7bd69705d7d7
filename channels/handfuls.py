"""Recipients of a batch, taken by the handful: their addresses, what became of each, how far the batch has come.

A checkpoint writes, in one transaction and under the lease, what became of a few hundred
recipients and how far the batch has come. A worker that is lost between two checkpoints leaves
behind which recipients it held in its hand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest, Now

from . import batches
from .base import Outcome
from .models import Batch, Recipient, Subscription
from .subscriptions import prepared

MOST_AFTER = 3600.0
"""Seconds: no provider keeps a recipient waiting for longer."""
STATES = {
    "accepted": Recipient.State.ACCEPTED,
    "temporary": Recipient.State.TEMPORARY,
    "permanent": Recipient.State.FAILED,
    "uncertain": Recipient.State.UNCLEAR,
}


@dataclass(frozen=True, slots=True)
class Handful:
    """Recipients for one checkpoint: their subscriptions and sealed addresses by row (missing where the subscription
    has ended), and by subscription what was made ahead for them."""

    subscriptions: dict[int, int]
    addresses: dict[int, bytes]
    prepared: dict[int, bytes]


def hand(batch: Batch, token: str, most: int, *, prepares: bool = False) -> Handful | None:
    """The next recipients for the channel, marked as handed; empty at the end; None where the lease was lost."""
    return _hand(batch, token, batch.reached, most, prepares=prepares)


def go_on(
    batch: Batch, token: str, outcomes: Sequence[Outcome], most: int, *, prepares: bool = False
) -> Handful | None:
    """``checkpoint`` and ``hand`` in one transaction: half as many waits for the one write lock and for the disk."""
    return _hand(batch, token, batch.handed, most, outcomes, prepares=prepares)


def _hand(
    batch: Batch, token: str, after: int, most: int, outcomes: Sequence[Outcome] | None = None, *, prepares: bool
) -> Handful | None:
    state = Recipient.State.TEMPORARY if batch.again else Recipient.State.OWED
    address = Subscription.objects.filter(pk=OuterRef("subscription")).values("address")[:1]
    rows = batches.of(batch).filter(pk__gt=after, state=state).order_by("pk").values_list("pk", "subscription")
    found = list(rows.annotate(sealed=Subquery(address))[:most])
    handed = found[-1][0] if found else batch.last
    change: dict[str, object] = {"handed": handed, "lease_until": batches.lease()}
    if outcomes is not None:
        change |= _reached(batch, outcomes)
    subscriptions = {pk: subscription for pk, subscription, _sealed in found}
    with transaction.atomic():
        if not batches.mine(batch, token).update(**change):
            return None
        if outcomes is not None:
            _write_worth_it(batch, outcomes)
        sets = prepared.take(subscriptions.values()) if prepares and found else {}
    batch.reached, batch.handed = (batch.reached if outcomes is None else batch.handed), handed
    return Handful(subscriptions, {pk: bytes(sealed) for pk, _number, sealed in found if sealed is not None}, sets)


def these(recipients: Sequence[Recipient]) -> Handful:
    """These recipients with their addresses, marked as nothing."""
    subscriptions = {row.pk: row.subscription for row in recipients}
    sealed = dict(Subscription.objects.filter(pk__in=subscriptions.values()).values_list("pk", "address"))
    addresses = {pk: bytes(sealed[number]) for pk, number in subscriptions.items() if number in sealed}
    return Handful(subscriptions, addresses, {})


def note(batch: Batch, token: str, outcome: Outcome) -> bool:
    """Write one recipient's outcome at once, for channels that can't try twice. False where the lease was lost.

    One statement, since it is done for each; a checkpoint's own lease outlasts what it may take.
    """
    written = Recipient.objects.filter(Exists(batches.mine(batch, token)), pk=outcome.recipient).update(
        state=STATES[outcome.state], words=outcome.words[:200], remote_id=outcome.remote_id
    )
    if written and outcome.gone:
        _leave([outcome.recipient])
    return written == 1


def checkpoint(batch: Batch, token: str, outcomes: Sequence[Outcome]) -> bool:
    """Write what did not go well and how far the batch has come. False where the lease was lost: nothing is written.

    In a first pass, those accepted are only counted; ``note`` has written its own already.
    """
    with transaction.atomic():
        if not batches.mine(batch, token).update(**_reached(batch, outcomes), lease_until=batches.lease()):
            return False
        _write_worth_it(batch, outcomes)
    batch.reached = batch.handed
    return True


def _reached(batch: Batch, outcomes: Sequence[Outcome]) -> dict[str, object]:
    """How these outcomes change their batch's row."""
    counted = 0 if batch.again else sum(outcome.state == "accepted" for outcome in outcomes)
    change: dict[str, object] = {"reached": batch.handed, "sent": F("sent") + counted}
    later = [outcome.after for outcome in outcomes if outcome.after is not None and outcome.state == "temporary"]
    if later:
        asked = Now() + dt.timedelta(seconds=min(max(later), MOST_AFTER))
        change["not_before"] = Greatest(asked, Coalesce("not_before", Now()))
    return change


def _write_worth_it(batch: Batch, outcomes: Sequence[Outcome]) -> None:
    _write(batch, outcomes if batch.again else [one for one in outcomes if one.state != "accepted"])


def uncertain(batch: Batch, most: int = 500) -> list[Recipient]:
    """Recipients whose outcome is uncertain and was not asked for yet."""
    rows = batches.of(batch).filter(state=Recipient.State.UNCLEAR, looked_up=False).order_by("pk")
    return list(rows[:most])


def found_out(batch: Batch, token: str, outcomes: Iterable[Outcome]) -> bool:
    """Write what looking up came to: accepted; temporary goes again; uncertain stays so, and is not asked for again."""
    with transaction.atomic():
        if not batches.mine(batch, token).update(lease_until=batches.lease()):
            return False
        told = list(outcomes)
        batches.of(batch).filter(pk__in=[one.recipient for one in told]).update(looked_up=True)
        _write(batch, [one for one in told if one.state != "uncertain"])
    return True


def _write(batch: Batch, outcomes: Sequence[Outcome]) -> None:
    """One update for each kind of outcome, not one for each recipient; who is gone has left."""
    kinds: dict[tuple[str, str], list[int]] = {}
    for outcome in outcomes:
        if outcome.remote_id:
            Recipient.objects.filter(pk=outcome.recipient).update(remote_id=outcome.remote_id)
        kinds.setdefault((STATES[outcome.state], outcome.words[:200]), []).append(outcome.recipient)
    for (state, words), ids in kinds.items():
        batches.of(batch).filter(pk__in=ids).update(state=state, words=words)
    gone = [outcome.recipient for outcome in outcomes if outcome.gone]
    if gone:
        _leave(gone)


def _leave(recipients: Sequence[int]) -> None:
    """Addresses that are none any more end their subscriptions."""
    rows = Recipient.objects.filter(pk__in=recipients).values("subscription")
    Subscription.objects.filter(pk__in=rows).delete()
