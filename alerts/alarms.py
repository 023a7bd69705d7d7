"""Alarms: what an officer must know now; a banner at the desk at once, mail and SMS to the roster by upkeep, no RQ."""

from __future__ import annotations

import datetime as dt
import logging
import re

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from . import audit, ports
from .models import Alarm, AuditEntry, Message
from .people import Refused

log = logging.getLogger(__name__)

BREAK_GLASS = "break-glass "
"""How the cause of such an alarm begins; the message's identifier follows."""
TOLD_ANYWAY = (BREAK_GLASS, "access ", "role ")
"""Whoever caused these must not keep them from the others by putting them aside at once."""
WAYS = ("sms", "mail")
LATE = dt.timedelta(hours=1)
"""So long after it was raised, an alarm that no gateway took is no longer texted."""
CONTACT = re.compile(r"\S+@\S+|\+?\d[\d /()-]{5,}\d")
"""A mail address or phone number: what somebody typed may hold one, and a text is read on a locked screen."""


def sound(key: str, text: str, link: str = "") -> None:
    """Raise the alarm of cause ``key`` unless it is open already; ``text`` in the city's first language."""
    if Alarm.objects.filter(key=key, ended_at__isnull=True).exists():
        return
    try:
        with transaction.atomic():
            Alarm.objects.create(key=key, text=text, link=link)
            audit.record(None, "alarm", _subject(key), text=text)
    except IntegrityError:
        return  # another process raised the same one between our look and our write
    log.warning("alarm %s", key)


def end(key: str) -> None:
    """The cause is gone: end its open alarm, if there is one."""
    if Alarm.objects.filter(key=key, ended_at__isnull=True).update(ended_at=timezone.now()):
        audit.record(None, "alarm-ended", _subject(key))


def put_aside(alarm_id: int, by: User) -> None:
    """An officer has seen it and ends it."""
    with transaction.atomic():
        alarm = Alarm.objects.select_for_update().get(pk=alarm_id)
        if alarm.key.startswith(BREAK_GLASS) and Message.objects.filter(
            identifier=alarm.key.removeprefix(BREAK_GLASS), break_glass_by=by
        ):
            raise Refused(_("Another officer looks at what you released alone, and ends this alarm."))
        if alarm.ended_at is None:
            Alarm.objects.filter(pk=alarm_id).update(ended_at=timezone.now(), ended_by=by)
            audit.record(by, "alarm-ended", _subject(alarm.key))


def open_alarms() -> list[Alarm]:
    return list(Alarm.objects.filter(ended_at__isnull=True))


def tell() -> None:
    """Mail and text what has not been told yet; upkeep calls this. What fails stays owed, each way by itself.

    Break-glass is told to every approver.
    """
    owed = Alarm.objects.filter(told_at__isnull=True)
    told = Q(ended_at__isnull=True)
    for beginning in TOLD_ANYWAY:
        told |= Q(key__startswith=beginning)
    down: set[str] = set()
    for alarm in owed.filter(told).order_by("pk")[:20]:
        if not Alarm.objects.filter(pk=alarm.pk, told_at__isnull=True).update(told_at=timezone.now()):
            continue  # another upkeep is at it
        left = [way for way in WAYS if way not in _told(alarm)]
        for way in left:
            if way not in down and not _tell(alarm, way):
                down.add(way)
        if down & set(left):
            Alarm.objects.filter(pk=alarm.pk).update(told_at=None)
        if down == set(WAYS):
            return


def texts_lately(key: str) -> int:
    """How often the roster was texted about this cause within the hour."""
    since = timezone.now() - dt.timedelta(hours=1)
    lines = AuditEntry.objects.filter(subject=_subject(key), action="alarm-told", at__gt=since)
    return sum(1 for line in lines if line.data.get("way") == "sms" and line.data.get("count"))


def _told(alarm: Alarm) -> set[str]:
    """The ways by which it has been told."""
    lines = AuditEntry.objects.filter(subject=_subject(alarm.key), action="alarm-told", at__gte=alarm.raised_at)
    return {str(line.data.get("way")) for line in lines if line.data.get("alarm") == alarm.pk}


def _tell(alarm: Alarm, way: str) -> bool:
    """Tell it by one way and note that; whether that way is well."""
    everybody = alarm.key.startswith(BREAK_GLASS)
    count = 0
    try:
        if way == "mail":
            with override("de"):
                subject = _("Belfry alarm: {text}").format(text=" ".join(alarm.text.split())[:120])
                body = alarm.text + (f"\n\n{alarm.link}" if alarm.link else "") + _why_no_text(alarm)
            ports.notify(subject, body, approvers=everybody)
        elif texts_lately(alarm.key) < settings.ALARM_TEXTS and timezone.now() - alarm.raised_at < LATE:
            count = ports.text(_short(alarm), alarm.link or f"{settings.ADDRESS}/desk/", approvers=everybody)
    except OSError as error:  # smtplib's errors and sockets' are OSError
        log.warning("alarm by %s failed: %s", way, type(error).__name__)
        return False
    if way == "mail" or count:
        audit.record(None, "alarm-told", _subject(alarm.key), alarm=alarm.pk, way=way, count=count)
    return True


def _short(alarm: Alarm) -> str:
    """What an SMS says of it; the last one that the limit allows says so."""
    with override("de"):
        words = _("Belfry alarm: {text}").format(text=CONTACT.sub("…", " ".join(alarm.text.split())))
        last = texts_lately(alarm.key) + 1 >= settings.ALARM_TEXTS > 1
        return _("(More only by mail.) {words}").format(words=words) if last else words


def _why_no_text(alarm: Alarm) -> str:
    """For the mail: that the limit of texts is reached."""
    if not settings.ALARM_TEXTS or texts_lately(alarm.key) < settings.ALARM_TEXTS or "sms" in _told(alarm):
        return ""
    words = _("No SMS was sent of it: {count} went out about this within the hour (setting BELFRY_ALARM_TEXTS).")
    return "\n\n" + words.format(count=settings.ALARM_TEXTS)


def _subject(key: str) -> str:
    """The cause as the record names it, where there is less room."""
    return key[:80]
