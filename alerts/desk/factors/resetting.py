"""An officer lost every second factor: an administrator asks, another officer confirms, a one-time code is given.

What was asked stands in the record and nowhere else: a line within the last quarter of an hour that no
later line answers.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from ... import alarms, audit, watch
from ...models import AuditEntry, AuditHead
from ...people import NotAllowed, Refused, may
from .. import sittings
from . import codes, devices

ASKED, REFUSED, DONE = "reset-asked", "reset-refused", "reset-done"
HOLDS = dt.timedelta(minutes=15)
WINDOW = 5000
"""So many lines of the record are looked through for an open request; a quarter of an hour has fewer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An open request: ``number`` is its line in the record."""

    number: int
    officer: User
    by: User
    reason: str
    until: dt.datetime


def ask(officer: User, by: User, reason: str) -> None:
    """An administrator asks that another officer's second factors be reset. Raises Refused."""
    if not may(by, "auth.change_user"):
        raise NotAllowed(_("Only an administrator can ask for this."))
    if officer.pk == by.pk:
        raise Refused(_("Nobody resets his own second factors. Another administrator does."))
    with transaction.atomic():
        _lock()
        if any(asked.officer.pk == officer.pk for asked in open_requests()):
            raise Refused(_("This has been asked for already and waits for a second officer."))
        line = audit.record(by, ASKED, _subject(officer), reason=reason, officer=officer.pk, asker=by.pk)
        with override("de"):
            text = _("{by} asks to reset the second factors of {officer}. A second officer must confirm it: {reason}")
            text = text.format(by=by.get_username(), officer=officer.get_username(), reason=reason)
        link = f"{settings.ADDRESS}{reverse('admin:confirm-reset', args=[line.number])}"
        alarms.sound(_alarm(officer), text, link)


def confirm(number: int, by: User) -> str:
    """A second officer agrees: all factors and log-ins of the officer end. The one-time code, to be shown once.

    Raises Refused.
    """
    with transaction.atomic():
        _lock()
        asked = find(number, by)
        devices.clear(asked.officer)
        sittings.end(sittings.opened(asked.officer))
        code = codes.make_one_time(asked.officer)
        alarms.end(_alarm(asked.officer))
        audit.record(by, DONE, _subject(asked.officer), request=number)
        watch.tell_access(asked.officer.get_username(), ["factors-reset"], by)
    return code


def refuse(number: int, by: User) -> None:
    """A second officer does not agree. Raises Refused."""
    with transaction.atomic():
        _lock()
        asked = find(number, by)
        audit.record(by, REFUSED, _subject(asked.officer), request=number)
        alarms.end(_alarm(asked.officer))


def find(number: int, by: User) -> Asked:
    """The open request that this officer may decide. Raises Refused."""
    if not decides(by):
        raise NotAllowed(_("An approver or an administrator decides this."))
    asked = next((one for one in open_requests() if one.number == number), None)
    if asked is None:
        raise Refused(_("This request has been decided, or its quarter of an hour is over. It can be asked for anew."))
    if by.pk in {asked.by.pk, asked.officer.pk}:
        raise Refused(_("A second officer decides this: neither who asked nor whom it is about."))
    return asked


def decides(by: User) -> bool:
    return may(by, "alerts.approve_draft") or may(by, "auth.change_user")


def for_officer(by: User) -> list[Asked]:
    """The open requests that this officer may decide."""
    if not decides(by):
        return []
    return [one for one in open_requests() if by.pk not in {one.by.pk, one.officer.pk}]


def open_requests() -> list[Asked]:
    """Requests of the last quarter of an hour that nobody has decided."""
    recent = AuditEntry.objects.filter(number__gt=audit.head()[0] - WINDOW, at__gt=timezone.now() - HOLDS)
    lines = list(recent.filter(action__in=[ASKED, REFUSED, DONE]).order_by("number"))
    decided = {line.data.get("request") for line in lines}
    waiting = [line for line in lines if line.action == ASKED and line.number not in decided]
    # by number, not by name: an officer could change his name between asking and confirming
    people = (
        User.objects.in_bulk([line.data[who] for line in waiting for who in ("officer", "asker")]) if waiting else {}
    )
    return [
        Asked(
            line.number,
            people[line.data["officer"]],
            people[line.data["asker"]],
            str(line.data["reason"]),
            line.at + HOLDS,
        )
        for line in waiting
        if people[line.data["officer"]].is_active
    ]


def _subject(officer: User) -> str:
    return f"officer {officer.get_username()}"


def _lock() -> None:
    """The end of the record is what every decision waits for, so that two of them see one another."""
    AuditHead.objects.get_or_create(pk=1)
    AuditHead.objects.select_for_update().get(pk=1)


def _alarm(officer: User) -> str:
    return f"access reset-asked {officer.get_username()}"[:160]
