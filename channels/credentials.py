"""Credentials that end: how long each channel's still hold, and the alarm before they don't."""

from __future__ import annotations

import datetime as dt
import logging

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import alarms
from alerts.models import Alarm
from alerts.notice import moment

from . import registry

log = logging.getLogger(__name__)

SOON = dt.timedelta(days=14)
"""So long before its credentials end, a channel is told of."""
STEPS = (0, 2, 7, 14)
"""Days left at which it is told again, to whoever has put the alarm aside; 0: they have ended."""
CAUSE = "credentials "
"""How the cause of such an alarm begins; channel and step follow."""


def valid_until(name: str) -> dt.datetime | None:
    """When a channel's credentials end; None where nobody knows, or where the channel can't be made."""
    try:
        return registry.channel(name).valid_until()
    except Exception as error:  # noqa: BLE001 (logged by its kind alone: its words may hold a secret)
        log.warning("valid_until of %s: %s", name, type(error).__name__)
        return None


def days_left(until: dt.datetime) -> int:
    """Whole days until then; negative once it is over."""
    return (until - timezone.now()).days


def soon(until: dt.datetime | None) -> bool:
    return until is not None and until - timezone.now() <= SOON


def look() -> None:
    """Alarm for what ends soon, once for each step; end the alarms of what was renewed or went a step further."""
    owed = {}
    for name in settings.CHANNELS:
        until = valid_until(name)
        if until is not None and soon(until) and not registry.rehearsal(name):
            owed[_cause(name, until)] = (name, until)
    for alarm in Alarm.objects.filter(key__startswith=CAUSE, ended_at__isnull=True):
        if alarm.key not in owed:
            alarms.end(alarm.key)
    for key, (name, until) in owed.items():
        # an officer who has put it aside is not told again before the next step
        if not Alarm.objects.filter(key=key, raised_at__gte=until - SOON - dt.timedelta(days=1)).exists():
            alarms.sound(key, words(name, until), link=f"{settings.ADDRESS}/desk/channels/")


def words(name: str, until: dt.datetime) -> str:
    """What an officer reads of credentials that end soon or have ended."""
    if until <= timezone.now():
        text = _("{channel}: the credentials ended: {time}. Renew them, or nothing goes out over this channel.")
    else:
        text = _("{channel}: the credentials end: {time}. Renew them before.")
    return text.format(channel=registry.label(name), time=moment(until))


def _cause(name: str, until: dt.datetime) -> str:
    left = until - timezone.now()
    step = next((step for step in STEPS if left <= dt.timedelta(days=step)), STEPS[-1])
    return f"{CAUSE}{name} {step}"
