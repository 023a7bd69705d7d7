"""One checkpoint of a batch: some hundred recipients handed to their channel, and what became of each written down."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.notice import Rendering
from alerts.terms import Severity

from . import handfuls
from .base import Broadcaster, Outcome, Recipient, Temporary, Uncertain
from .models import Batch
from .subscriptions import sealing, tokens

LEFT = gettext_lazy("The subscription ended before this went out.")


def begin(channel: Broadcaster, batch: Batch, token: str) -> handfuls.Handful | None:
    """The first recipients of a claimed batch. None where the lease was lost."""
    return handfuls.hand(batch, token, channel.checkpoint, prepares=_prepares(channel, batch))


def go_on(channel: Broadcaster, batch: Batch, token: str, outcomes: Sequence[Outcome]) -> handfuls.Handful | None:
    """Write what became of the last recipients, and take the next. None where the lease was lost."""
    return handfuls.go_on(batch, token, outcomes, channel.checkpoint, prepares=_prepares(channel, batch))


def _prepares(channel: Broadcaster, batch: Batch) -> bool:
    return channel.prepares and not batch.delivery.rehearsal


def hand_over(
    channel: Broadcaster, batch: Batch, rendering: Rendering, token: str, handful: handfuls.Handful
) -> list[Outcome] | None:
    """Hand these recipients to the channel; what became of each. None where the lease was lost."""
    if batch.delivery.rehearsal:
        return [Outcome(row, "accepted") for row in handful.subscriptions]
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
            elif not handfuls.note(batch, token, outcome):
                return None
    except Uncertain as error:
        if channel.idempotent:
            raise Temporary(str(error)) from error
        silence = str(error)
    state = "temporary" if channel.idempotent else "uncertain"
    outcomes += [Outcome(one.id, state, silence) for one in given if one.id not in heard]
    return outcomes + left


def look_up(channel: Broadcaster, batch: Batch, rendering: Rendering, token: str) -> bool:
    """Ask the provider for what is uncertain (DESIGN, rule 5). False where the lease was lost.

    Where nobody can tell, it goes again for Extreme and Severe, once, and stays unclear otherwise.
    """
    message = batch.delivery.message
    loud = message.severity in {Severity.EXTREME, Severity.SEVERE, Severity.UNKNOWN}
    while rows := handfuls.uncertain(batch, channel.checkpoint):
        given = _given(channel, handfuls.these(rows))
        told = {one.recipient: one for one in channel.look_up(rendering, given, since=message.sent)}
        found = []
        for row in rows:
            outcome = told.get(row.pk, Outcome(row.pk, "uncertain"))
            if outcome.state == "uncertain" and loud and row.pk in {one.id for one in given}:
                outcome = Outcome(row.pk, "temporary", _("Whether it arrived is not known: it goes again."))
            found.append(outcome)
        if not handfuls.found_out(batch, token, found):
            return False
    return True


def _given(channel: Broadcaster, handful: handfuls.Handful) -> list[Recipient]:
    """These recipients as the channel gets them; those that have left meanwhile are missing."""
    opened = sealing.unseal_all(channel.way, handful.addresses.values())
    subscriptions, sets = handful.subscriptions, handful.prepared
    return [
        Recipient(
            row,
            address,
            tokens.make("own", subscriptions[row]) if channel.personal else "",
            sets.get(subscriptions[row], b""),
        )
        for row, address in zip(handful.addresses, opened, strict=True)
        if address
    ]
