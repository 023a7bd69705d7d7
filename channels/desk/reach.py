"""Reach and independence: audiences, the city's share over time, drills and what people say reached them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Q, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from alerts.desk.people import officer
from alerts.desk.site import Page, page, transition
from alerts.desk.summary import title
from alerts.models import Message
from alerts.people import NotAllowed, Refused
from alerts.terms import Status

from .. import registry, switchoff
from ..base import Hop
from ..reach import WHERE, Day, Figure, feedback, figures, foreign, history, may_type, share, thinned, typable, type_in
from ..reach import chart as charts
from .state import OPEN

MOST_ROWS = 24
"""Days that the table below the chart names."""
MOST_POINTS = 120
MOST_DRILLS = 12
WORKING = dt.timedelta(minutes=10)
"""So long the page of a drill looks for itself what has come of it."""
LARGEST = 2_000_000_000
LOOKS = {"city": "ok", "abroad": "severe"}
"""How far a message goes on its way, as a state looks; within the EU as plain words."""


class FigureForm(forms.Form):
    """What an officer read at a platform."""

    channel = forms.ChoiceField(label=gettext_lazy("Channel"))
    count = forms.IntegerField(label=gettext_lazy("Followers"), min_value=0, max_value=LARGEST)
    on = forms.DateField(
        label=gettext_lazy("Read on"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["channel"].choices = typable()  # type: ignore[attr-defined]


def passed(hops: tuple[Hop, ...]) -> list[str]:
    """Hops in words: whom a message passes, and where that is."""
    return [_("{name} ({where})").format(name=_(hop.name), where=WHERE[hop.where]) for hop in hops]


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Who is reached by which channel, and how much of that is the city's own."""
    form = FigureForm(initial={"on": timezone.localdate()}) if may_type(officer(request)) else None
    return _overview(request, form)


def _overview(request: HttpRequest, form: FigureForm | None, status: int = 200) -> HttpResponse:
    found = figures(live=True)
    now = share(found)
    days = history()
    if now.total:
        # the subscriptions of this moment take the place of what was counted last night
        days = [*(day for day in days if day.on < timezone.localdate()), Day(timezone.localdate(), now)]
    return page(
        request,
        "desk/reach.html",
        status=status,
        share=now,
        percent=charts.percent_words(now.percent),
        chart=charts.draw(thinned(days, MOST_POINTS)),
        days=[(day, charts.percent_words(day.share.percent)) for day in reversed(thinned(days, MOST_ROWS))],
        rows=[(figure, LOOKS.get(figure.leaves, ""), passed(figure.hops), _what(figure)) for figure in found],
        drills=_drills(),
        form=form,
        file=f"{settings.ADDRESS}/reach.json",
        dead=sum(figure.set_up and not figure.city for figure in found),
        dead_abroad=[figure.name for figure in found if figure.set_up and figure.city and _foreign(figure)],
    )


def _what(figure: Figure) -> str:
    """What stands where a figure does, for those that have none."""
    if not figure.countable:
        return _("not counted: readers are not tracked")
    return "" if figure.count is not None else _("not known yet")


def _foreign(figure: Figure) -> bool:
    return foreign(registry.channel(figure.channel))


def _drills() -> list[tuple[Message, str, int, bool]]:
    """The newest exercises and tests: first message, title, answers, whether channels were dead."""
    rows = (
        Message.objects.filter(~Q(alert__status=Status.ACTUAL), number=1)
        .select_related("alert")
        .annotate(answers=Sum("reached__count"))
        .order_by("-pk")[:MOST_DRILLS]
    )
    found: list[tuple[Message, str, int, bool]] = []
    for row in rows:
        line = switchoff.line_of(row)
        found.append((row, title(row.content), row.answers or 0, bool(line and line.data.get("dead"))))
    return found


@transition(back="reach")
def typed(request: HttpRequest) -> HttpResponseBase:
    """Keep a figure that an officer typed in."""
    if not may_type(officer(request)):
        raise NotAllowed(_("Your role does not allow typing in figures."))
    form = FigureForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        channel, on, count = str(given["channel"]), given["on"], int(given["count"])
        if not isinstance(on, dt.date):
            raise Http404
        try:
            type_in(channel, on, count, officer(request))
        except NotAllowed:
            raise
        except Refused as error:
            form.add_error("on", str(error))
        else:
            messages.success(request, _("{channel}: the figure is kept.").format(channel=registry.label(channel)))
            return redirect("admin:reach")
    return _overview(request, form, status=422)


@require_safe
def drill(request: HttpRequest, slug: str) -> HttpResponse:
    """One exercise: what still reached whom and how fast, and what people say."""
    message = feedback.asked_about(slug)
    if message is None:
        raise Http404
    result = switchoff.result(message)
    working = timezone.now() - message.sent < WORKING and (
        not result.rows or any(row.state in OPEN for row in result.rows)
    )
    return page(
        request,
        "desk/reach-drill.html",
        message=message,
        working=working,
        title=title(message.content),
        exercise=True,
        result=result,
        rows=[(row, passed(row.hops)) for row in result.rows],
        answers=feedback.table(message),
        open=feedback.is_open(message),
    )


PAGES = [
    Page("reach/", overview, "reach", gettext_lazy("Reach"), place=4),
    Page("reach/typed/", typed, "reach-typed"),
    Page("reach/<slug:slug>/", drill, "reach-drill"),
]
