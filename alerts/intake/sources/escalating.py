"""Officers are called where nobody acknowledges a warning in time: once for each event, Extreme at once."""

from __future__ import annotations

import datetime as dt
import hashlib

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import alarms
from alerts.models import Alarm, Incoming
from alerts.terms import MsgType, Severity, Status

from . import items
from .found import line

CAUSE = "incoming "


def look(now: dt.datetime | None = None) -> None:
    """Sound what is due, end what is settled; upkeep calls this."""
    now = now or timezone.now()
    owed = list(items.owed(now).filter(status=Status.ACTUAL).defer("raw", "content_json"))
    for item in owed:
        if item.escalated_at is None and _due(item, now):
            _sound(item, now)
    settle({item.event for item in owed})


def _due(item: Incoming, now: dt.datetime) -> bool:
    at_once = item.severity == Severity.EXTREME and item.msg_type != MsgType.CANCEL
    return at_once or now - item.came_at >= dt.timedelta(minutes=item.source.escalate)


def _sound(item: Incoming, now: dt.datetime) -> None:
    with transaction.atomic():
        if Incoming.objects.filter(pk=item.pk, escalated_at__isnull=True).update(escalated_at=now) != 1:
            return
        # one alarm for an event, however many sources tell it
        Incoming.objects.filter(event=item.event, escalated_at__isnull=True, severity=item.severity).update(
            escalated_at=now
        )
        words = _("A warning has come in that nobody has acknowledged: {headline} ({source}, {severity}).")
        text = words.format(
            headline=line(item.headline, 120), source=item.source.name, severity=Severity(item.severity).label
        )
        alarms.end(key(item.event))  # it has become worse: that is told anew
        alarms.sound(key(item.event), text, f"{settings.ADDRESS}/desk/incoming/{item.pk}/")


def settle(owed: set[str]) -> None:
    """End the alarms of events that nobody owes a look any more."""
    wanted = {key(event) for event in owed}
    still_open = Alarm.objects.filter(key__startswith=CAUSE, ended_at__isnull=True).values_list("key", flat=True)
    for cause in still_open:
        if cause not in wanted:
            alarms.end(cause)


def key(event: str) -> str:
    """The alarm's cause; an event's name may be longer than a cause."""
    return CAUSE + hashlib.sha256(event.encode()).hexdigest()[:24]
