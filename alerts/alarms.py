"""Alarms: what an officer must know now; a banner at the desk at once, a mail to the roster by upkeep, without RQ."""

from __future__ import annotations

import logging

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from . import audit, ports
from .models import Alarm, Message
from .people import Refused

log = logging.getLogger(__name__)

BREAK_GLASS = "break-glass "
"""How the cause of such an alarm begins; the message's identifier follows."""
TOLD_ANYWAY = (BREAK_GLASS, "access ", "role ")
"""Whoever caused these must not keep them from the others by putting them aside at once."""


def sound(key: str, text: str, link: str = "") -> None:
    """Raise the alarm of cause ``key`` unless it is open already; ``text`` in the city's first language."""
    if Alarm.objects.filter(key=key, ended_at__isnull=True).exists():
        return
    try:
        with transaction.atomic():
            Alarm.objects.create(key=key, text=text, link=link)
            audit.record(None, "alarm", key, text=text)
    except IntegrityError:
        return  # another process raised the same one between our look and our write
    log.warning("alarm %s", key)


def end(key: str) -> None:
    """The cause is gone: end its open alarm, if there is one."""
    if Alarm.objects.filter(key=key, ended_at__isnull=True).update(ended_at=timezone.now()):
        audit.record(None, "alarm-ended", key)


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
            audit.record(by, "alarm-ended", alarm.key)


def open_alarms() -> list[Alarm]:
    return list(Alarm.objects.filter(ended_at__isnull=True))


def tell() -> None:
    """Mail what has not been told yet; upkeep calls this. A mail that fails stays owed.

    Break-glass is told to every approver.
    """
    owed = Alarm.objects.filter(told_at__isnull=True)
    told = Q(ended_at__isnull=True)
    for beginning in TOLD_ANYWAY:
        told |= Q(key__startswith=beginning)
    for alarm in owed.filter(told).order_by("pk")[:20]:
        if not Alarm.objects.filter(pk=alarm.pk, told_at__isnull=True).update(told_at=timezone.now()):
            continue  # another upkeep is at it
        with override("de"):
            subject = _("Belfry alarm: {text}").format(text=" ".join(alarm.text.split())[:120])
        try:
            body = alarm.text + (f"\n\n{alarm.link}" if alarm.link else "")
            ports.notify(subject, body, approvers=alarm.key.startswith(BREAK_GLASS))
        except OSError as error:  # smtplib's errors and sockets' are OSError
            Alarm.objects.filter(pk=alarm.pk).update(told_at=None)
            log.warning("alarm mail failed: %s", type(error).__name__)
            return
