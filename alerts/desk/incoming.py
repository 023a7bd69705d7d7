"""Other people's warnings at the desk: what is to be acknowledged, one warning in full, and the sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from ..content import Content
from ..intake.sources import acting, items
from ..intake.sources.http import Unreachable, check
from ..models import Incoming, ItemState, Source
from ..people import may
from ..terms import Kind, MsgType, language_name
from .people import officer
from .site import Page, Panel, page, refused, transition

MOST = 5
"""Events on the first screen."""
LATELY = 50


@dataclass
class Event:
    """The warnings of one event: ``item`` is the newest word, ``also`` what else was said."""

    item: Incoming
    also: list[Incoming] = field(default_factory=list)

    @property
    def content(self) -> Content:
        return acting.told(self.item)

    @property
    def kind(self) -> str:
        return Kind.ALL_CLEAR if self.item.msg_type == MsgType.CANCEL else Kind.WARNING

    @property
    def since(self) -> datetime:
        return min(one.came_at for one in (self.item, *self.also))

    @property
    def sources(self) -> str:
        return ", ".join(dict.fromkeys(one.source.name for one in (self.item, *self.also)))

    @property
    def suspect(self) -> bool:
        return "bad" in {one.signature for one in (self.item, *self.also)}


def events(rows: Iterable[Incoming]) -> list[Event]:
    """By event, the most dangerous and longest waiting first."""
    found: dict[str, Event] = {}
    for row in sorted(rows, key=lambda row: -row.pk):
        if row.event in found:
            found[row.event].also.append(row)
        else:
            found[row.event] = Event(row)
    return sorted(found.values(), key=lambda event: (-event.content.rank, event.since))


def first_screen(request: HttpRequest) -> Panel:
    """What waits to be acknowledged; nothing where nobody follows a source and nothing waits."""
    waiting = events(items.owed().defer("raw"))
    if not waiting and not Source.objects.filter(active=True).exists():
        return Panel()
    context = {"waiting": waiting[:MOST], "count": len(waiting), **_rights(request)}
    return Panel(wide=render_to_string("desk/incoming/panel.html", context, request))


def _rights(request: HttpRequest) -> dict[str, bool]:
    me = officer(request)
    writes = may(me, "alerts.write_draft")
    return {
        "may_write": writes,
        "may_acknowledge": writes or may(me, "alerts.approve_draft"),
        "may_keep": may(me, acting.KEEPS),
    }


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """What waits, what holds, what was lately."""
    now = timezone.now()
    waiting, holding = items.owed(now).defer("raw"), items.current(now).defer("raw")
    shown = [*waiting.values_list("pk", flat=True), *holding.values_list("pk", flat=True)]
    lately = Incoming.objects.exclude(pk__in=shown).select_related("source", "seen_by").defer("raw")
    return page(
        request,
        "desk/incoming/list.html",
        waiting=events(waiting),
        holding=events(holding),
        lately=list(lately.order_by("-pk")[:LATELY]),
        followed=Source.objects.filter(active=True).count(),
        **_rights(request),
    )


@require_safe
def one(request: HttpRequest, item_id: int) -> HttpResponse:
    """A warning in full, in all its languages, with what belongs to it."""
    item = get_object_or_404(Incoming.objects.select_related("source", "seen_by", "draft__alert"), pk=item_id)
    content = acting.told(item)
    belongs = Incoming.objects.filter(event=item.event).exclude(pk=item.pk).select_related("source").defer("raw")
    others = list(belongs.order_by("-pk")[:LATELY])
    return page(
        request,
        "desk/incoming/one.html",
        item=item,
        event=Event(item),
        content=content,
        texts=[(code, language_name(code), text) for code, text in content.texts.items()],
        others=others,
        newer=next((other for other in others if other.pk > item.pk and other.state == ItemState.NEW), None),
        attribution=acting.attribution(item),
        **_rights(request),
    )


@transition(back="incoming-one")
def acknowledge(request: HttpRequest, item_id: int) -> HttpResponse:
    get_object_or_404(Incoming, pk=item_id)
    count = acting.acknowledge(item_id, officer(request))
    if count:
        text = ngettext("{count} warning is acknowledged.", "{count} warnings are acknowledged.", count)
        messages.success(request, text.format(count=count))
    else:
        messages.info(request, _("This warning was acknowledged already."))
    return redirect("admin:index" if request.POST.get("from") == "index" else "admin:incoming")


@transition(back="incoming-one")
def take_over(request: HttpRequest, item_id: int) -> HttpResponse:
    """One step to a draft; the officer lands in it and reads what is missing."""
    get_object_or_404(Incoming, pk=item_id)
    draft = acting.draft(item_id, officer(request))
    messages.success(request, _("Taken over as a draft. Check words, area and times; nothing goes out by itself."))
    missing = acting.missing_languages(draft)
    if missing:
        names = ", ".join(language_name(code) for code in missing)
        messages.warning(request, _("Still missing: {languages}.").format(languages=names))
    return redirect("admin:draft", draft.pk)


# Sources


class SourceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A source and what is told of it."""

    words = forms.CharField(
        label=gettext_lazy("Only events with these words"),
        help_text=gettext_lazy("One a line. None: all events."),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    class Meta:
        model = Source
        fields = ["name", "kind", "url", "least", "seconds", "escalate", "whole_world", "active"]
        field_classes = {"url": forms.CharField}
        widgets = {"url": forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"})}
        help_texts = {
            "url": gettext_lazy("Of NINA the list: …/api31/dashboard/<ARS>.json or …/mapData.json."),
            "escalate": gettext_lazy("Extreme danger calls them at once."),
            "whole_world": gettext_lazy("Else only what touches one of the city's districts."),
            "seconds": gettext_lazy("From 10 to 86,400 seconds."),
        }

    def __init__(self, data: Mapping[str, Any] | None, source: Source) -> None:
        super().__init__(data, instance=source, initial={"words": "\n".join(map(str, source.events))})

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        try:
            check(url)
        except Unreachable as error:
            raise forms.ValidationError(str(error)) from error
        return url

    def clean_seconds(self) -> int:
        seconds = int(self.cleaned_data["seconds"])
        if not 10 <= seconds <= 86_400:
            raise forms.ValidationError(_("From 10 to 86,400 seconds."))
        return seconds

    def clean_escalate(self) -> int:
        minutes = int(self.cleaned_data["escalate"])
        if not 1 <= minutes <= 1440:
            raise forms.ValidationError(_("From 1 to 1,440 minutes."))
        return minutes

    def made(self) -> Source:
        source: Source = self.instance
        source.events = [row.strip() for row in self.cleaned_data["words"].splitlines() if row.strip()]
        return source


@dataclass(frozen=True, slots=True)
class Row:
    """A source in the list: ``look`` and ``state`` say how it is."""

    source: Source
    look: str
    state: str
    count: int


def _row(source: Source, count: int = 0) -> Row:
    if not source.active:
        return Row(source, "hold", _("out of use"), count)
    if source.failures:
        text = ngettext("failed {count} time", "failed {count} times in a row", source.failures)
        return Row(source, "bad", text.format(count=source.failures), count)
    if source.asked_at is None:
        return Row(source, "wait", _("not asked yet"), count)
    return Row(source, "severe" if source.words else "ok", _("answers"), count)


@require_safe
def sources(request: HttpRequest) -> HttpResponse:
    """Whom we follow, and how each answered."""
    rows = [_row(source, source.told) for source in Source.objects.annotate(told=Count("items"))]
    return page(request, "desk/incoming/sources.html", rows=rows, **_rights(request))


def source_new(request: HttpRequest) -> HttpResponseBase:
    return _source(request, Source())


def source(request: HttpRequest, source_id: int) -> HttpResponseBase:
    return _source(request, get_object_or_404(Source, pk=source_id))


def _source(request: HttpRequest, found: Source) -> HttpResponseBase:
    """The form of a source, for administrators."""
    me = officer(request)
    if not may(me, acting.KEEPS):
        return refused(request, _("Your role does not allow changing sources."))
    row = _row(found) if found.pk else None
    form = SourceForm(request.POST if request.method == "POST" else None, found)
    if form.is_bound and form.is_valid():
        kept = acting.keep(form.made(), me)
        messages.success(request, _("The source “{name}” is kept. It is asked next.").format(name=kept.name))
        return redirect("admin:sources")
    name = Source.objects.values_list("name", flat=True).get(pk=found.pk) if found.pk else ""
    status = 422 if form.is_bound else 200
    return page(request, "desk/incoming/source.html", status=status, form=form, row=row, name=name)


PAGES = [
    Page("incoming/", listing, "incoming"),
    Page("incoming/<int:item_id>/", one, "incoming-one"),
    Page("incoming/<int:item_id>/acknowledge/", acknowledge, "incoming-seen"),
    Page("incoming/<int:item_id>/draft/", take_over, "incoming-draft"),
    Page("sources/", sources, "sources"),
    Page("sources/new/", source_new, "source-new"),
    Page("sources/<int:source_id>/", source, "source"),
]
