"""One checkpoint of a batch: some hundred recipients handed to their channel, and what became of each written down."""

from __future__ import annotations

import logging

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.notice import Rendering
from alerts.terms import Severity

from . import batches
from .base import Broadcaster, Outcome, Recipient, Temporary, Uncertain
from .models import Batch
from .subscriptions import matching, tokens

log = logging.getLogger(__name__)

LEFT = gettext_lazy("The subscription ended before this went out.")


def carry_out(channel: Broadcaster, batch: Batch, rendering: Rendering, token: str) -> bool:
    """Hand the next recipients to the channel and write what became of them. False at the end, or without the lease."""
    rehearsal = batch.delivery.rehearsal
    handful = batches.hand(batch, token, channel.checkpoint, prepares=channel.prepares and not rehearsal)
    if handful is None:
        log.warning("batch %s: lease lost, stopping", batch.pk)
        return False
    if not handful.subscriptions:
        batches.settle(batch, token, ask=not channel.idempotent)
        return False
    if rehearsal:
        return batches.checkpoint(batch, token, [Outcome(row, "accepted") for row in handful.subscriptions])
    given = _given(channel, handful)
    here = {recipient.id for recipient in given}
    left = [Outcome(row, "permanent", str(LEFT)) for row in handful.subscriptions if row not in here]
    key = f"{batch.delivery.message.identifier}:{batch.delivery.channel}:{batch.pk}"
    heard: set[int] = set()
    outcomes = []
    silence = _("The channel told nothing of this recipient.")
    try:
        for outcome in channel.send(rendering, given, key=key):
            heard.add(outcome.recipient)
            if channel.idempotent:
                outcomes.append(outcome)
            elif not batches.note(batch, token, outcome):
                return False
    except Uncertain as error:
        if channel.idempotent:
            raise Temporary(str(error)) from error
        silence = str(error)
    state = "temporary" if channel.idempotent else "uncertain"
    outcomes += [Outcome(one.id, state, silence) for one in given if one.id not in heard]
    return batches.checkpoint(batch, token, outcomes + left)


def look_up(channel: Broadcaster, batch: Batch, rendering: Rendering, token: str) -> bool:
    """Ask the provider for what is uncertain (DESIGN, rule 5). False where the lease was lost.

    Where nobody can tell, it goes again for Extreme and Severe, once, and stays unclear otherwise.
    """
    message = batch.delivery.message
    loud = message.severity in {Severity.EXTREME, Severity.SEVERE, Severity.UNKNOWN}
    while rows := batches.uncertain(batch, channel.checkpoint):
        handful = batches.Handful({row.pk: row.subscription for row in rows}, {})
        given = _given(channel, handful)
        told = {one.recipient: one for one in channel.look_up(rendering, given, since=message.sent)}
        found = []
        for row in rows:
            outcome = told.get(row.pk, Outcome(row.pk, "uncertain"))
            if outcome.state == "uncertain" and loud and row.pk in {one.id for one in given}:
                outcome = Outcome(row.pk, "temporary", _("Whether it arrived is not known: it goes again."))
            found.append(outcome)
        if not batches.found_out(batch, token, found):
            return False
    return True


def _given(channel: Broadcaster, handful: batches.Handful) -> list[Recipient]:
    """These recipients as the channel gets them; those that have left meanwhile are missing."""
    addresses = matching.addresses(channel.way, handful.subscriptions.values())
    return [
        Recipient(
            row,
            addresses[subscription],
            tokens.make("own", subscription) if channel.personal else "",
            handful.prepared.get(subscription, b""),
        )
        for row, subscription in handful.subscriptions.items()
        if addresses.get(subscription)
    ]
