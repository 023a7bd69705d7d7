"""What providers tell later of what they had accepted: delivered, failed, a bounce. Never a step back."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from .base import Receipt
from .models import Batch, Recipient, Subscription

MOVES: dict[str, set[str]] = {
    "accepted": {Recipient.State.UNCLEAR},
    "delivered": {
        Recipient.State.OWED,
        Recipient.State.ACCEPTED,
        Recipient.State.UNCLEAR,
        Recipient.State.TEMPORARY,
        Recipient.State.FAILED,
    },
    "failed": {Recipient.State.OWED, Recipient.State.ACCEPTED, Recipient.State.UNCLEAR},
}
"""What a receipt may change: calls come out of order and more than once. Who has it, has it."""
STATES = {
    "accepted": Recipient.State.ACCEPTED,
    "delivered": Recipient.State.DELIVERED,
    "failed": Recipient.State.FAILED,
}


def take(channel: str, told: Iterable[Receipt]) -> int:
    """Write what these receipts of a channel say; returns how many changed anything. Unknown ones change nothing."""
    return sum(_take(channel, receipt) for receipt in told)


def _take(channel: str, receipt: Receipt) -> bool:
    if not (receipt.remote_id or receipt.recipient):
        return False
    rows = Recipient.objects.filter(delivery__channel=channel)
    rows = rows.filter(pk=receipt.recipient) if receipt.recipient else rows.filter(remote_id=receipt.remote_id)
    with transaction.atomic():
        row = rows.select_for_update(of=("self",)).order_by("-pk").first()
        if row is None:
            return False
        changed = row.state in MOVES[receipt.state]
        if changed:
            if row.state == Recipient.State.OWED:
                # it was counted by its batch as accepted, without a word of its own
                Batch.objects.filter(
                    delivery=row.delivery_id, language=row.language, first__lte=row.pk, last__gte=row.pk, sent__gt=0
                ).update(sent=F("sent") - 1)
            Recipient.objects.filter(pk=row.pk).update(state=STATES[receipt.state], words=receipt.words[:200])
        if receipt.gone:
            changed = bool(Subscription.objects.filter(pk=row.subscription).delete()[0]) or changed
    return changed
