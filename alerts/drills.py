"""When each officer took part in an exercise last, and the mail that reminds him when that is long ago."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from . import audit, ports
from .models import AuditEntry, Part, Profile
from .notice import moment
from .people import may
from .terms import Status

log = logging.getLogger(__name__)

PLAYS = ("alerts.write_draft", "alerts.approve_draft", "alerts.lead_drill")
"""Who holds one of these has a part in an exercise, and is reminded of it."""


def last(officers: Iterable[User]) -> dict[int, dt.datetime]:
    """When each of these officers drilled last, by his key; who never did is missing.

    To drill is to have written, submitted or approved an exercise that was released, or to have led a drill.
    """
    keys = {officer.get_username(): officer.pk for officer in officers}
    found: dict[int, dt.datetime] = {}
    parts = Part.objects.filter(officer__in=list(keys.values()), draft__message__status=Status.EXERCISE)
    led = AuditEntry.objects.filter(action="drill", actor__in=list(keys)).exclude(actor=audit.SYSTEM)
    played = parts.order_by().values_list("officer").annotate(latest=Max("draft__message__sent"))
    leading = led.order_by().values_list("actor").annotate(latest=Max("at"))
    for key, at in [*played, *((keys[name], at) for name, at in leading)]:
        found[key] = max(at, found.get(key, at))
    return found


def plays(officer: User) -> bool:
    """Whether an officer has a part in exercises."""
    return any(may(officer, permission) for permission in PLAYS)


def is_due(last_drill: dt.datetime | None) -> bool:
    """Whether an officer should drill again."""
    days: int = settings.DRILL_DAYS
    return days > 0 and (last_drill is None or timezone.now() - last_drill >= dt.timedelta(days=days))


def remind() -> int:
    """Mail each officer whose last drill is ``settings.DRILL_DAYS`` ago, once in as many days; upkeep calls this.

    Who never drilled is reminded when his account is so old. Returns how many were mailed.
    """
    days: int = settings.DRILL_DAYS
    if days <= 0:
        return 0
    before = timezone.now() - dt.timedelta(days=days)
    officers = list(_not_reminded(before))
    drilled = last(officers)
    count = 0
    for officer in officers:
        at = drilled.get(officer.pk)
        if (at or officer.date_joined) > before or not plays(officer):
            continue
        count += _remind(officer, at)
    return count


def _not_reminded(before: dt.datetime) -> QuerySet[User]:
    """Officers at work with a mail address, for some time, who were not reminded since then."""
    again = Q(profile__drill_reminded_at=None) | Q(profile__drill_reminded_at__lte=before)
    rows = User.objects.filter(again, is_active=True, is_staff=True, is_superuser=False, date_joined__lte=before)
    return rows.exclude(email="").order_by("pk")


def _remind(officer: User, at: dt.datetime | None) -> bool:
    """One mail, claimed first: of two processes one sends it. One that fails stays owed."""
    profile, _made = Profile.objects.get_or_create(officer=officer)
    mine = Profile.objects.filter(pk=profile.pk, drill_reminded_at=profile.drill_reminded_at)
    if mine.update(drill_reminded_at=timezone.now()) != 1:
        return False
    with override("de"):
        said = _("Your last exercise was on {date}.").format(date=moment(at)) if at else _("You have not drilled yet.")
        body = "\n\n".join(
            [
                said,
                _("Take part in an exercise soon: in need, everybody should know the steps."),
                f"{settings.ADDRESS}/desk/new/?status=Exercise",
            ]
        )
        subject = _("Belfry: time for an exercise")
    try:
        ports.notify(subject, body, only=[officer.email])
    except OSError as error:  # smtplib's errors and sockets' are OSError
        Profile.objects.filter(pk=profile.pk).update(drill_reminded_at=profile.drill_reminded_at)
        log.warning("drill reminder failed: %s", type(error).__name__)
        return False
    return True
