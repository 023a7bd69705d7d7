"""The ready-made texts at the desk: read by everybody, kept by administrators, every version there for good."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from .. import templating, wording
from ..content import Content, Text
from ..faults import Fault
from ..models import Message, Template, TemplateVersion
from ..notice import level_of
from ..people import Refused, may
from ..templating import Wording
from ..terms import Kind, language_name
from . import gaps
from .differences import Change, compare
from .people import kept, officer
from .site import Page, page, refused, transition
from .summary import name_of
from .templateform import NewTemplateForm, TemplateForm

VERSIONS = 10
"""Versions on one page of a template, each with what it changed."""
BLANK = Wording(Kind.WARNING, {}, Content(valid_for=240, next_in=60))


@dataclass(frozen=True, slots=True)
class Row:
    """One template in the list; ``last`` is None where no version was kept yet."""

    template: Template
    name: str
    content: Content | None
    languages: list[str]
    last: TemplateVersion | None


def listing(request: HttpRequest) -> HttpResponse:
    """All templates by what they are for."""
    newest = TemplateVersion.objects.select_related("by").defer("content_json").order_by("-number")
    rows = Template.objects.prefetch_related(Prefetch("versions", newest))
    by_kind: dict[str, list[Row]] = {}
    for template in rows:
        by_kind.setdefault(template.kind, []).append(_row(template))
    groups = [(Kind(kind).label, by_kind[kind]) for kind in Kind.values if kind in by_kind]
    return page(request, "desk/templates/list.html", groups=groups, may_change=_may(request))


def _row(template: Template) -> Row:
    said = templating.wording(template)
    languages = [language_name(code) for code in said.content.texts] if said else []
    last = next(iter(template.versions.all()), None)
    return Row(template, name_of(template), said.content if said else None, languages, last)


def one(request: HttpRequest, key: str) -> HttpResponseBase:
    """A template: its words, how they read, its versions; the form for whoever may change it."""
    template = get_object_or_404(Template, key=key)
    if request.method == "POST":
        return _save(request, template)
    again = kept(request)
    if again is not None:
        messages.warning(request, _("Your session had run out. Your text is here, but not saved yet."))
    return _page(request, template, _form(template, again))


def _form(template: Template, data: Any = None) -> TemplateForm:
    said = templating.wording(template) or Wording(template.kind, template.names, BLANK.content)
    return TemplateForm(data, said=said, seen=templating.number(template))


def _save(request: HttpRequest, template: Template) -> HttpResponseBase:
    if not _may(request):
        return refused(request, _("Your role does not allow changing templates."))
    form = _form(template, request.POST)
    if not form.is_valid():
        return _page(request, template, form, status=422)
    data = form.cleaned_data
    try:
        version = templating.change(officer(request), template.key, data["seen"], form.wording(), data["note"])
    except templating.ChangedMeanwhile as error:
        return _both(request, error.template, form.wording())
    except templating.Unfit as error:
        return _page(request, template, form, status=422, faults=error.faults)
    except Refused as error:
        return _page(request, template, form, status=422, faults=[Fault("note", "refused", str(error))])
    messages.success(request, _("Saved as version {number}.").format(number=version.number))
    return redirect("admin:template", template.key)


def _both(request: HttpRequest, current: Template, mine: Wording) -> HttpResponse:
    """Somebody else was quicker: both texts side by side; saving again is a decision."""
    again = request.POST.copy()
    again["seen"] = str(templating.number(current))
    stands = templating.wording(current)
    changes = [change for change in _compare(stands, mine) if not change.same]
    return _page(request, current, _form(current, again), status=409, overwritten=changes)


def new(request: HttpRequest) -> HttpResponseBase:
    """A template from blank."""
    if not _may(request):
        return refused(request, _("Your role does not allow changing templates."))
    if request.method != "POST":
        again = kept(request)
        return _new(request, NewTemplateForm(again, said=BLANK, seen=0))
    form = NewTemplateForm(request.POST, said=BLANK, seen=0)
    if not form.is_valid():
        return _new(request, form, status=422)
    data = form.cleaned_data
    try:
        template = templating.make(officer(request), data["key"], form.wording(), data["note"])
    except templating.Unfit as error:
        return _new(request, form, status=422, faults=error.faults)
    except Refused as error:
        return _new(request, form, status=422, faults=[Fault("key", "refused", str(error))])
    messages.success(request, _("The template is kept and in use."))
    return redirect("admin:template", template.key)


@transition(back="template")
def restore(request: HttpRequest, key: str) -> HttpResponseBase:
    """An old version's words as a new version."""
    get_object_or_404(Template, key=key)
    version = templating.restore(officer(request), key, _posted(request, "seen"), _posted(request, "version"))
    messages.success(request, _("Restored as version {number}.").format(number=version.number))
    return redirect("admin:template", key)


@transition(back="template")
def use(request: HttpRequest, key: str) -> HttpResponseBase:
    """Into use or out of use."""
    get_object_or_404(Template, key=key)
    template = templating.put(officer(request), key, active=request.POST.get("active") == "yes")
    words = _("The template is in use.") if template.active else _("The template is out of use. Nothing was deleted.")
    messages.success(request, words)
    return redirect("admin:template", key)


@transition(back="templates")
def keep(request: HttpRequest, message_id: int) -> HttpResponseBase:
    """What was said once as a template for the next time, not in use yet."""
    template = templating.keep(officer(request), get_object_or_404(Message, pk=message_id))
    words = _("Kept as a template. It is not in use yet: check its words and gaps, then put it into use.")
    messages.success(request, words)
    return redirect("admin:template", template.key)


def _posted(request: HttpRequest, name: str) -> int:
    value = request.POST.get(name, "")
    return int(value) if value.isdecimal() and len(value) < 9 else 0


def _may(request: HttpRequest) -> bool:
    return may(officer(request), "alerts.change_template")


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap of a template: what the officer will read beside its field, and in which languages it stands."""

    name: str
    label: str
    hint: str
    languages: list[str]
    everywhere: bool

    @property
    def braces(self) -> str:
        return f"{{{self.name}}}"


def gaps_of(content: Content) -> list[Gap]:
    found = []
    for name in gaps.find(content):
        hint = _("This is the field “Place” of every draft.") if name == "place" else gaps.hint(name)
        inside = [code for code, text in content.texts.items() if _holds(text, name)]
        everywhere = len(inside) == len(content.texts)
        found.append(Gap(name, gaps.label(name), hint, [language_name(code) for code in inside], everywhere))
    return found


def _holds(text: Text, name: str) -> bool:
    return any(f"{{{name}}}" in getattr(text, field.name) for field in fields(Text))


def reads(content: Content) -> list[tuple[str, Text]]:
    """How it reads in each language while nothing is filled in: gaps as an ellipsis."""
    open_gaps = dict.fromkeys(gaps.find(content), "…")
    return list(gaps.fill(content, open_gaps).texts.items())


@dataclass(frozen=True, slots=True)
class Was:
    """A version with what it changed from the one before; the first one changed nothing."""

    version: TemplateVersion
    changes: list[Change]
    current: bool


def _versions(request: HttpRequest, template: Template, last: int) -> tuple[Any, list[Was]]:
    numbered = Paginator(template.versions.select_related("by"), VERSIONS).get_page(request.GET.get("page"))
    rows = list(numbered)
    if rows:
        rows += template.versions.filter(number=rows[-1].number - 1)
    before = {row.number: templating.wording(row) for row in rows}
    shown = []
    for row in rows[: len(numbered)]:
        said, earlier = before[row.number], before.get(row.number - 1)
        changes = [change for change in _compare(earlier, said) if not change.same] if said and earlier else []
        shown.append(Was(row, changes, row.number == last))
    return numbered, shown


def _compare(before: Wording | None, after: Wording) -> list[Change]:
    """Words, codes and times by ``differences.compare``, names and purpose as further lines."""
    old = before or BLANK
    extra = [(_("What it is for"), str(Kind(old.kind).label), str(Kind(after.kind).label))]
    for code in dict.fromkeys([*old.names, *after.names]):
        label = _("Name ({language})").format(language=language_name(code))
        extra.append((label, old.names.get(code, ""), after.names.get(code, "")))
    return compare(before.content if before else None, after.content, tuple(extra))


def _page(
    request: HttpRequest,
    template: Template,
    form: TemplateForm,
    *,
    status: int = 200,
    faults: list[Fault] | None = None,
    overwritten: list[Change] | None = None,
) -> HttpResponse:
    said = templating.wording(template)
    content = said.content if said else Content()
    latest = template.versions.select_related("by").first()
    last = latest.number if latest else 0
    numbered, versions = _versions(request, template, last)
    return page(
        request,
        "desk/templates/one.html",
        status=status,
        found=template,
        name=name_of(template),
        content=content,
        level=level_of(content),
        broken=said is None,
        form=form,
        faults=_links(form, faults or []),
        hints=_links(form, wording.hints(content, template.kind) if said and not form.is_bound else []),
        overwritten=overwritten,
        gaps=gaps_of(content),
        reads=reads(content),
        last=last,
        latest=latest,
        numbered=numbered,
        versions=versions,
        may_change=_may(request),
    )


def _new(
    request: HttpRequest, form: NewTemplateForm, *, status: int = 200, faults: list[Fault] | None = None
) -> HttpResponse:
    links = _links(form, faults or [])
    return page(request, "desk/templates/new.html", status=status, form=form, faults=links, may_change=True)


@dataclass(frozen=True, slots=True)
class Link:
    """What is wrong, and the anchor of the field that mends it."""

    words: str
    anchor: str


def _links(form: TemplateForm, faults: list[Fault]) -> list[Link]:
    """The form's own complaints and the domain's, each once."""
    read = [
        Link(f"{form[name].label}: {error}", f"id_{name}")
        for name, errors in (form.errors.items() if form.is_bound else ())
        if name in form.fields
        for error in errors
    ]
    return read + [Link(fault.words, _anchor(form, fault.field)) for fault in faults]


def _anchor(form: TemplateForm, field: str) -> str:
    if field in form.fields:
        return f"id_{field}"
    return "text" if field.startswith("text") else "what"


PAGES = [
    Page("templates/", listing, "templates"),
    Page("templates/new/", new, "template-new"),
    Page("templates/<slug:key>/", one, "template"),
    Page("templates/<slug:key>/restore/", restore, "template-restore"),
    Page("templates/<slug:key>/use/", use, "template-use"),
    Page("messages/<int:message_id>/template/", keep, "template-keep"),
]
