"""From "New alert" to a draft in one click: the templates, most used first, then by kind of event; or blank."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from .. import audit, drafting, templating
from ..content import Content
from ..models import AuditEntry, Draft, DraftState, Template
from ..people import Refused, may
from ..terms import Category, Kind, Status
from .people import officer
from .site import page, refused
from .summary import name_of

MOST_USED = 4
LINES, BEGUN = 20_000, 500
"""How far back use is counted: lines of the record that are looked through, drafts that are counted."""
DRAFT = re.compile(r"draft (\d+) of alert \d+")


@dataclass(frozen=True, slots=True)
class Choice:
    """A template as it can be chosen; ``search`` is what is looked through, in small letters."""

    key: str
    name: str
    content: Content
    search: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """Templates under one heading; a ``wide`` one goes across the page."""

    heading: str
    choices: list[Choice]
    wide: bool = False


def new(request: HttpRequest) -> HttpResponseBase:
    """Choose a template, or begin blank; a POST begins the draft."""
    if not may(officer(request), "alerts.write_draft"):
        return refused(request, _("Your role does not allow writing alerts."))
    asked = request.POST.get("status") or request.GET.get("status")
    status = Status.EXERCISE if asked == Status.EXERCISE else Status.ACTUAL
    if request.method == "POST":
        key = request.POST.get("template", "")
        template = get_object_or_404(Template, active=True, key=key) if key else None
        try:
            return redirect("admin:draft", drafting.new(officer(request), status=status, template=template).pk)
        except Refused as error:
            return refused(request, str(error))
    query = " ".join(request.GET.get("q", "")[:80].split())
    choices = [choice for choice in _choices(status) if all(word in choice.search for word in query.casefold().split())]
    return page(
        request,
        "desk/new.html",
        exercise=status == Status.EXERCISE,
        asked=status,
        query=query,
        found=len(choices),
        shelves=shelves(choices, [] if query else most_used(status)),
    )


def _choices(status: str) -> list[Choice]:
    """Those that fit: a text written for exercises is no way into a real alert."""
    found = []
    for template in Template.objects.filter(active=True, kind=Kind.WARNING):
        said = templating.wording(template)
        if said is not None and (status == Status.EXERCISE or not said.content.exercise):
            events = (text.event for text in said.content.texts.values())
            words = " ".join([*map(str, template.names.values()), template.key, *events])
            found.append(Choice(template.key, name_of(template), said.content, words.casefold()))
    return found


def shelves(choices: list[Choice], first: list[str]) -> list[Shelf]:
    """Each template once: those named in ``first``, then the others by their first CAP category."""
    by_key = {choice.key: choice for choice in choices}
    used = [by_key.pop(key) for key in first if key in by_key]
    found = [Shelf(_("Most used"), used, wide=True)] if used else []
    order = [str(value) for value in Category.values]
    kinds: dict[str, list[Choice]] = {}
    for choice in by_key.values():
        category = next((one for one in choice.content.category if one in order), str(Category.OTHER))
        kinds.setdefault(category, []).append(choice)
    return found + [Shelf(str(Category(kind).label), kinds[kind]) for kind in order if kind in kinds]


def most_used(status: str) -> list[str]:
    """Keys of the templates that most released messages of this status began from, the most used first."""
    last, _hash = audit.head()
    lines = AuditEntry.objects.filter(action="draft-new", number__gt=last - LINES).order_by("-number")[:BEGUN]
    begun = {
        int(match[1]): str(line.data["template"])
        for line in lines
        if "template" in line.data and (match := DRAFT.fullmatch(line.subject))
    }
    released = Draft.objects.filter(pk__in=begun, state=DraftState.RELEASED, alert__status=status)
    counted = Counter(begun[pk] for pk in released.values_list("pk", flat=True))
    return [key for key, _count in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))][:MOST_USED]
