"""One switch for each channel but page and feeds: paused by an officer, nothing more goes out over it at once."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from alerts import audit
from alerts.people import NotAllowed, Refused, may

from . import registry
from .base import Publisher
from .models import Pause


def pausable() -> list[str]:
    """Channels with a switch: publishers that don't make the gate."""
    return [name for name in registry.names() if _is(name)]


def paused() -> dict[str, Pause]:
    """The channels that are paused now."""
    return {row.channel: row for row in Pause.objects.filter(ended_at__isnull=True).select_related("by")}


def pause(channel: str, by: User) -> None:
    """Switch a channel off. What is on the wire ends by itself. Raises NotAllowed, Refused."""
    _may(by)
    if not registry.configured(channel) or not _is(channel):
        raise Refused(_("This channel can't be paused."))
    try:
        with transaction.atomic():
            Pause.objects.create(channel=channel, by=by)
            audit.record(by, "channel-paused", channel)
    except IntegrityError as error:
        raise Refused(_("This channel is paused already.")) from error


def resume(channel: str, by: User) -> None:
    """Switch it on again: what still holds and was not overtaken goes out then. Raises NotAllowed, Refused."""
    _may(by)
    with transaction.atomic():
        if not Pause.objects.filter(channel=channel, ended_at__isnull=True).update(ended_at=Now(), ended_by=by):
            raise Refused(_("This channel is not paused."))
        audit.record(by, "channel-resumed", channel)


def _is(name: str) -> bool:
    found = registry.channel(name)
    return isinstance(found, Publisher) and not found.site


def _may(by: User) -> None:
    if not (may(by, "alerts.write_draft") or may(by, "alerts.approve_draft")):
        raise NotAllowed(_("Your role does not allow pausing channels."))
