"""A database that came out of a backup holds: what was open is unclear until an administrator resumes it.

The data folder keeps a bookmark: number and hash of the newest line of the record that this
host has seen. A database that lacks that line is older than this host, or another one.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts import alarms, audit, schedule
from alerts.models import AuditEntry

from .models import Delivery, Heartbeat, Hold, State
from .subscriptions import prepared

ALIVE = dt.timedelta(minutes=2)
"""A database that some upkeep has worked on so lately is no backup: this host is only new to it."""


def bookmark() -> Path:
    return Path(settings.DATA) / "run" / "bookmark"


def held() -> bool:
    return Hold.objects.filter(ended_at__isnull=True).exists()


def hold(reason: str) -> None:
    """Hold the system: what waits or was being sent elsewhere than on the page becomes unclear."""
    try:
        with transaction.atomic():
            Hold.objects.create(reason=reason)
            Delivery.objects.filter(state__in=[State.WAITING, State.SENDING], site=False).update(
                state=State.UNCLEAR,
                lease="",
                lease_until=None,
                words=_("The database was restored from a backup: whether this went out is not known."),
            )
            prepared.wipe()
            schedule.lapse_scheduled(_("It was approved before the restore: whether it went out since is not known."))
            audit.record(None, "held", "system", reason=reason)
    except IntegrityError:
        return  # held already
    alarms.sound(
        "held",
        _("Belfry holds: {reason} Page and feeds go on; an administrator resumes the rest.").format(reason=reason),
    )


def resume(by: User | None) -> bool:
    """End the hold; what became unclear stays so until an officer decides. False where there was none."""
    name = by.get_username() if by else audit.SYSTEM
    with transaction.atomic():
        if not Hold.objects.filter(ended_at__isnull=True).update(ended_at=timezone.now(), ended_by=name):
            return False
        audit.record(by, "resumed", "system")
    alarms.end("held")
    return True


def look() -> None:
    """Compare the database with the bookmark, in each round of upkeep; hold where it has gone back, then note its end.

    In each round: a replica may take over, or a backup be restored, under an upkeep that runs on.
    """
    number, value = _read()
    with override("de"):
        if number and not AuditEntry.objects.filter(number=number, hash=value).exists():
            hold(_("The database is older than this host remembers: it was restored from a backup."))
        elif not number and _left_behind():
            hold(_("This host sees this database for the first time and nobody works on it: it may be a backup."))
    note()


def note() -> None:
    """Move the bookmark to the newest line, where there is a newer one."""
    number, value = audit.head()
    if number and _read() != (number, value):
        path = bookmark()
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(f"{number}:{value}\n")
        os.replace(fresh, path)


def _left_behind() -> bool:
    """Whether an upkeep once worked on this database and none does now; on a new one none ever did."""
    return Heartbeat.objects.filter(name="upkeep", at__lte=Now() - ALIVE).exists()


def _read() -> tuple[int, str]:
    try:
        number, _colon, value = bookmark().read_text().strip().partition(":")
        return int(number), value
    except (OSError, ValueError):
        return 0, ""
