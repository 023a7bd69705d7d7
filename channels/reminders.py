"""What officers are reminded of: a promised message, facts that grow old, a draft that waits. Upkeep looks each minute.

Each is an alarm of its own that rings once, also for whoever puts it aside, and ends when its cause does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import alarms, calls, callwords
from alerts.models import Alarm, Alert, Draft, DraftState, Message
from alerts.notice import moment
from alerts.terms import MsgType, Severity, Status

SOON = dt.timedelta(minutes=10)
"""So long before a promised message, the desk is reminded."""
CAUSES = ("due ", "overdue ", "facts-old ", "unapproved ")
"""How the causes of these alarms begin."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """An alarm that should be open now."""

    key: str
    text: str
    link: str


def look() -> None:
    """Sound what is due and was not yet, end what is no longer; tell approvers once more of what waits."""
    now = timezone.now()
    due = {reminder.key: reminder for reminder in (*_live(now), *_waiting(now))}
    for reminder in due.values():
        if not Alarm.objects.filter(key=reminder.key).exists():
            alarms.sound(reminder.key, reminder.text, link=reminder.link)
    for alarm in alarms.open_alarms():
        if alarm.key.startswith(CAUSES) and alarm.key not in due:
            alarms.end(alarm.key)


def _live(now: dt.datetime) -> Iterator[Reminder]:
    """Of each real alert that is still live."""
    live = Alert.objects.filter(status=Status.ACTUAL, latest__expires__gt=now).exclude(latest__msg_type=MsgType.CANCEL)
    for alert in live.select_related("latest"):
        if alert.latest is not None:
            link = f"{settings.ADDRESS}/desk/alert/{alert.slug}/"
            yield from _promise(alert.latest, link, now)
            yield from _facts(alert.latest, link, now)


def _promise(message: Message, link: str, now: dt.datetime) -> Iterator[Reminder]:
    promised = message.content.next_by
    if promised is None or promised > now + SOON:
        return
    if promised > now:
        key = f"due {message.identifier}"
        text = _("A message is promised for {time}. Write it now, even if nothing has changed.")
    else:
        key = f"overdue {message.identifier}"
        text = _("A message was promised for {time} and has not come. Say what holds, even if nothing has changed.")
    yield Reminder(key, _named(message, text.format(time=moment(promised))), link)


def _facts(message: Message, link: str, now: dt.datetime) -> Iterator[Reminder]:
    most = settings.FACTS_MINUTES / (2 if message.severity == Severity.EXTREME else 1)
    since = message.content.facts_at
    if most > 0 and since is not None and since <= now - dt.timedelta(minutes=most):
        text = _("What is said there is known since {time}. Check whether it still holds, and write an update.")
        yield Reminder(f"facts-old {message.identifier}", _named(message, text.format(time=moment(since))), link)


def _waiting(now: dt.datetime) -> Iterator[Reminder]:
    """Of each draft that has waited too long; who may approve is told once more. An exercise alarms nobody."""
    if settings.APPROVAL_MINUTES <= 0:
        return
    long_ago = now - dt.timedelta(minutes=settings.APPROVAL_MINUTES)
    late = Draft.objects.filter(state=DraftState.SUBMITTED, submitted_at__lte=long_ago).select_related("alert")
    for draft in late:
        calls.make(draft, callwords.AGAIN)
        if not draft.content.exercise:
            text = _("{what}: a draft waits for approval since {time}. Call somebody who may approve.").format(
                what=callwords.what(draft.content), time=moment(draft.submitted_at or now)
            )
            yield Reminder(f"unapproved {draft.pk}.{draft.round}", text, callwords.address_of(draft))


def _named(message: Message, text: str) -> str:
    """Which of several alerts it is about."""
    return f"{callwords.what(message.content)}: {text}"
