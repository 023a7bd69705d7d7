"""Lead a drill: start an exercise that was approved in advance, all channels at work or some as if dead."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from alerts.desk.confirming import WordForm, word_for
from alerts.desk.people import officer
from alerts.desk.site import Page, page, refused
from alerts.desk.summary import title
from alerts.models import Draft, DraftState, Message, ReleasePlan
from alerts.people import Refused, may
from alerts.terms import Status

from .. import switchoff

ALL, COMMERCIAL, FOREIGN = "all", "commercial", "foreign"
MODES = {
    ALL: gettext_lazy("Every channel works"),
    COMMERCIAL: gettext_lazy("As if every commercial platform were dead"),
    FOREIGN: gettext_lazy("As if the commercial platforms and every provider outside the EU were dead"),
}
LATELY = 8


class StartForm(WordForm):
    """The exercise's word, and which channels are dead in this drill."""

    mode = forms.ChoiceField(
        label=gettext_lazy("Channels"), choices=list(MODES.items()), widget=forms.RadioSelect, initial=ALL
    )


def ready() -> QuerySet[Draft]:
    """Exercises approved in advance, in the order in which they were made."""
    rows = Draft.objects.filter(
        state=DraftState.APPROVED, plan=ReleasePlan.DRILL, alert__status=Status.EXERCISE
    ).order_by("pk")
    return rows.select_related("alert").prefetch_related("parts__officer")


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """What can be started, for a drill leader, and what the last drills came to."""
    return page(
        request,
        "desk/drills.html",
        exercise=True,
        ready=ready(),
        leads=may(officer(request), "alerts.lead_drill"),
        led=_led(),
    )


def _led() -> list[tuple[Message, str, bool]]:
    """The newest drills: message, title, whether some channels were dead in it."""
    rows = Message.objects.filter(draft__plan=ReleasePlan.DRILL, alert__status=Status.EXERCISE)
    found = []
    for row in rows.select_related("alert").order_by("-pk")[:LATELY]:
        line = switchoff.line_of(row)
        found.append((row, title(row.content), bool(line and line.data.get("dead"))))
    return found


def one(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """One exercise: its word to type and what shall be dead; a POST starts it, and what it came to is shown."""
    me = officer(request)
    if not may(me, "alerts.lead_drill"):
        return refused(request, _("Your role does not allow leading drills."))
    draft = get_object_or_404(Draft.objects.select_related("alert"), pk=draft_id)
    if not ready().filter(pk=draft_id).exists():
        messages.error(request, _("This exercise is not ready for a drill, or was started already."))
        return redirect("admin:drill")
    posted = request.POST if request.method == "POST" else None
    form = StartForm(posted, expected=word_for(exercise=True), request=request)
    if posted is not None and form.is_valid():
        mode = form.cleaned_data["mode"]
        try:
            message = switchoff.release(draft, commercial=mode != ALL, foreign_too=mode == FOREIGN, by=me)
        except Refused as error:
            messages.error(request, str(error))
            return redirect("admin:drill")
        messages.success(request, _("The drill has begun. The table fills while the channels work."))
        return redirect("admin:reach-drill", message.alert.slug)
    return page(
        request,
        "desk/drill.html",
        status=200 if posted is None else 422,
        exercise=True,
        draft=draft,
        title=title(draft.content),
        form=form,
        word=word_for(exercise=True),
    )


PAGES = [
    Page("drill/", overview, "drill"),
    Page("drill/<int:draft_id>/", one, "drill-start"),
]
