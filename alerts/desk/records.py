"""The page of the record: every line in words, by officer, action, subject and time."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import watch
from ..audit import SYSTEM
from ..models import AuditEntry, Draft, Message
from ..notice import moment
from ..templatetags import desk as words
from ..terms import Kind, Status
from . import people
from .site import page
from .summary import title

PER_PAGE = 50
DRAFT = re.compile(r"draft (\d{1,18}) of alert \d+")
MESSAGE = re.compile(r"message (\d{1,18})")
IDENTIFIER = re.compile(r"(?:break-glass|due|overdue) (\S+)")
LABELS = {
    "mail": gettext_lazy("mail"),
    "alone": gettext_lazy("without a second officer"),
    "areas": gettext_lazy("districts"),
    "base": gettext_lazy("goes on from"),
    "categories": gettext_lazy("kinds of danger"),
    "changed": gettext_lazy("changed"),
    "channel": gettext_lazy("channel"),
    "count": gettext_lazy("count"),
    "dead": gettext_lazy("dead in the drill"),
    "digest": gettext_lazy("check sum"),
    "end": gettext_lazy("end"),
    "faults": gettext_lazy("faults"),
    "identifier": gettext_lazy("identifier"),
    "kind": gettext_lazy("kind"),
    "lines": gettext_lazy("lines"),
    "message": gettext_lazy("message"),
    "new": gettext_lazy("new"),
    "on": gettext_lazy("on"),
    "partner": gettext_lazy("partner"),
    "reason": gettext_lazy("reason"),
    "retired": gettext_lazy("out of use"),
    "roles": gettext_lazy("roles"),
    "round": gettext_lazy("submission"),
    "same": gettext_lazy("unchanged"),
    "sent": gettext_lazy("sent"),
    "source": gettext_lazy("taken from"),
    "statuses": gettext_lazy("what is taken"),
    "status": gettext_lazy("status"),
    "text": gettext_lazy("text"),
    "token": gettext_lazy("token"),
    "version": gettext_lazy("version"),
    "voids": gettext_lazy("voids the submission"),
    "what": gettext_lazy("what"),
    "whole": gettext_lazy("whole"),
}
"""What the data of a line is called; what has no word here is shown as it is."""
SHORT = {"digest", "end"}
"""Values of which the beginning will do."""


class Filter(forms.Form):
    """What of the record is asked for; all of it where nothing is."""

    officer = forms.ChoiceField(label=gettext_lazy("Officer"), required=False)
    action = forms.ChoiceField(label=gettext_lazy("What was done"), required=False)
    subject = forms.CharField(label=gettext_lazy("About"), required=False, max_length=80)
    since = forms.DateTimeField(label=gettext_lazy("From"), required=False)
    until = forms.DateTimeField(label=gettext_lazy("Until"), required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        names = sorted((row.username, people.name(row)) for row in User.objects.filter(is_staff=True))
        everyone = [(SYSTEM, "Belfry"), *((name, f"{full} ({name})" if full != name else name) for name, full in names)]
        self.fields["officer"].choices = [("", _("everybody")), *everyone]  # type: ignore[attr-defined]
        actions = sorted(((key, str(word)) for key, word in words.ACTIONS.items()), key=lambda pair: pair[1].casefold())
        self.fields["action"].choices = [("", _("everything")), *actions]  # type: ignore[attr-defined]
        for name in ("since", "until"):
            self.fields[name].widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    @property
    def narrow(self) -> bool:
        return any(self.cleaned_data.values())

    def rows(self) -> QuerySet[AuditEntry]:
        asked = self.cleaned_data
        wanted = {"actor": "officer", "action": "action", "subject": "subject", "at__gte": "since", "at__lte": "until"}
        found = {field: asked[name] for field, name in wanted.items() if asked.get(name)}
        return AuditEntry.objects.filter(**found).order_by("-number")


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the page shows it: ``about`` is what it concerns, in words, ``link`` the way there if there is one."""

    entry: AuditEntry
    about: str
    link: str
    exercise: bool
    facts: list[tuple[str, str]]


def record(request: HttpRequest) -> TemplateResponse:
    """The append-only record, newest first."""
    form = Filter(request.GET)
    valid = form.is_valid()
    rows = form.rows() if valid else AuditEntry.objects.none()
    numbered = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return page(
        request,
        "desk/record.html",
        form=form,
        narrow=not valid or form.narrow,
        numbered=numbered,
        lines=_lines(list(numbered)),
    )


def _lines(entries: Sequence[AuditEntry]) -> list[Line]:
    drafts = _drafts(entries)
    messages = _messages(entries)
    return [_line(entry, drafts, messages) for entry in entries]


def _drafts(entries: Iterable[AuditEntry]) -> dict[int, Draft]:
    found = {int(match[1]) for entry in entries if (match := DRAFT.fullmatch(entry.subject))}
    return {row.pk: row for row in Draft.objects.filter(pk__in=found)}


def _messages(entries: Iterable[AuditEntry]) -> dict[str, Message]:
    """The messages that lines are about, by number and by identifier."""
    keys = {key for entry in entries if (key := _message_key(entry))}
    numbers = [int(key) for key in keys if key.isdecimal()]
    rows = Message.objects.filter(Q(pk__in=numbers) | Q(identifier__in=keys)).select_related("alert")
    return {key: row for row in rows for key in (str(row.pk), row.identifier)}


def _message_key(entry: AuditEntry) -> str:
    if match := MESSAGE.fullmatch(entry.subject) or IDENTIFIER.fullmatch(entry.subject):
        return match[1]
    number = entry.data.get("message") if entry.subject.startswith("delivery ") else None
    return str(number) if isinstance(number, int) and 0 < number < 10**18 else ""


def _line(entry: AuditEntry, drafts: Mapping[int, Draft], messages: Mapping[str, Message]) -> Line:
    about, link, exercise = entry.subject, "", False
    if match := DRAFT.fullmatch(entry.subject):
        draft = drafts.get(int(match[1]))
        if draft is not None:
            about, link = words.title(draft), reverse("admin:draft", args=[draft.pk])
            exercise = draft.content.exercise
    elif message := messages.get(_message_key(entry)):
        about, link = title(message.content), reverse("admin:alert", args=[message.alert.slug])
        exercise = message.status == Status.EXERCISE
    elif entry.action.startswith("channel-") or entry.action == "audience-typed":
        about = words.channel_name(entry.subject)
    elif entry.subject.startswith("officer "):
        about = _("Officer {name}").format(name=entry.subject.removeprefix("officer "))
    told = [(key, value) for key, value in entry.data.items() if value is not False or key == "whole"]
    facts = [(str(LABELS.get(key, key)), _value(key, value)) for key, value in told]
    return Line(entry, about, link, exercise, facts)


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if key == "kind" and value in Kind.values:
        return str(Kind(value).label)
    if key == "status" and value in Status.values:
        return str(Status(value).label)
    if key == "channel":
        return words.channel_name(str(value))
    if key == "sent" and isinstance(value, str):
        return _moment(value)
    if key in SHORT:
        return str(value)[:16]
    if key == "what" and isinstance(value, list):
        return ", ".join(str(watch.ACCESS.get(one, one)) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {inner}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _moment(value: str) -> str:
    try:
        return moment(dt.datetime.fromisoformat(value))
    except ValueError:
        return value
