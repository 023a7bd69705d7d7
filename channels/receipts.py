"""What providers tell later of what they had accepted: delivered, failed, a bounce. Never a step back."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F, Sum
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts import alarms

from . import registry
from .base import Receipt
from .models import Batch, Delivery, Recipient, Subscription

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


FEW, SHARE = 20, 0.2
"""So many failures end subscriptions in any case; beyond them, not where they are more than this share of all."""


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
        if receipt.gone and not _too_many(row.delivery_id):
            changed = bool(Subscription.objects.filter(pk=row.subscription).delete()[0]) or changed
    return changed


def _too_many(delivery: int) -> bool:
    """Whether so much of a delivery is said to have failed that the fault is a provider's, not the residents'.

    A relay that takes the whole town for unknown must not end the town's subscriptions.
    """
    failed = Recipient.objects.filter(delivery=delivery, state=Recipient.State.FAILED).count()
    planned = Batch.objects.filter(delivery=delivery).aggregate(planned=Sum("size"))["planned"] or 0
    if failed <= FEW or failed <= SHARE * planned:
        return False
    with override("de"):
        text = _(
            "{channel}: very many addresses are said to be none any more. None of these subscriptions is ended "
            "for it; look at the provider."
        )
        channel = Delivery.objects.values_list("channel", flat=True).get(pk=delivery)
        alarms.sound(f"receipts {delivery}", text.format(channel=registry.label(channel)))
    return True
