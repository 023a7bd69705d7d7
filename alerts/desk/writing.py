"""Write a draft: save, fill gaps, take a template over, submit; begin the next message of an alert."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from .. import approval, drafting, ports, readers, templating
from ..content import Content
from ..drafting import Fault
from ..models import Alert, Area, AuditEntry, Draft, DraftState, ReleasePlan, Template
from ..notice import level_of
from ..people import NotAllowed, Refused, may
from ..terms import MSG_TYPE, Kind, MsgType
from . import approving, gaps
from .differences import Change, compare
from .forms import DraftForm
from .people import kept, officer
from .site import page, transition
from .summary import event_of, name_of

HEADINGS = {
    Kind.WARNING: lambda: _("Write a warning"),
    Kind.UPDATE: lambda: _("Write an update"),
    Kind.CORRECTION: lambda: _("Write a correction"),
    Kind.FALSE_ALARM: lambda: _("Report a false alarm"),
    Kind.ALL_CLEAR: lambda: _("Give the all-clear"),
}


def load(draft_id: int) -> Draft:
    rows = Draft.objects.select_related("alert__latest", "base").prefetch_related("parts__officer")
    return get_object_or_404(rows, pk=draft_id)


def draft(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """The page of a draft: its form while it can be written on, else what becomes of it."""
    found = load(draft_id)
    if request.method == "POST":
        return _post(request, found)
    if found.state == DraftState.RELEASED:
        return redirect("admin:alert", found.alert.slug)
    if not found.editable or not may(officer(request), "alerts.write_draft"):
        return approving.review(request, found)
    form = form_for(found)
    again = kept(request)
    if again is not None:
        messages.warning(request, _("Your session had run out. Your text is here, but not saved yet."))
        form = form_for(found, again)
    return write(request, found, form)


def form_for(found: Draft, data: QueryDict | None = None) -> DraftForm:
    return DraftForm(
        data,
        content=found.content,
        areas=list(Area.objects.filter(active=True).defer("boundary", "outline")),
        version=found.version,
        plan=found.plan,
        release_at=found.release_at,
    )


@transition(back="draft")
def submit(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """Submit a saved draft as it stands, from a page that is not its form."""
    version = request.POST.get("version", "")
    return _submit(request, load(draft_id).pk, int(version) if version.isdecimal() else 0)


def _post(request: HttpRequest, found: Draft) -> HttpResponseBase:
    form = form_for(found, request.POST)
    action = request.POST.get("action", "save")
    if action == "circle":
        more = request.POST.copy()
        more["circle_count"] = str(len(form.circles()) + 1)
        return write(request, found, form_for(found, more), unsaved=True)
    if not form.is_valid():
        return write(request, found, form, status=422)
    content = form.content()
    if action == "template":
        content = _from_template(found, request.POST.get("template", ""), content)
    try:
        return _save(request, found, form, content, action)
    except drafting.Overwritten as error:
        return _both(request, error.current, content, request.POST)
    except NotAllowed as error:
        return approving.not_allowed(request, str(error))
    except Refused as error:
        # past editing: the text stays in the form, where it can be copied from
        messages.error(request, str(error))
        return write(request, load(found.pk), form, status=409)


def _save(request: HttpRequest, found: Draft, form: DraftForm, content: Content, action: str) -> HttpResponseBase:
    saved = drafting.save(found.pk, form.cleaned_data["version"], content, officer(request), **form.release())
    if action == "submit":
        return _submit(request, saved.pk, saved.version)
    if action == "break-glass":
        return redirect("admin:break-glass", saved.pk)
    messages.success(request, _("Saved."))
    return redirect("admin:draft", saved.pk)


def _submit(request: HttpRequest, draft_id: int, version: int) -> HttpResponseBase:
    try:
        approval.submit(draft_id, version, officer(request))
    except NotAllowed as error:
        return approving.not_allowed(request, str(error))
    except approval.HasFaults as error:
        found = load(draft_id)
        return write(request, found, form_for(found), status=422, faults=error.faults, stopped=True)
    except (Refused, ports.CannotCompose) as error:
        messages.error(request, str(error))
        return redirect("admin:draft", draft_id)
    messages.success(request, _("Submitted. A second officer can approve it now."))
    return redirect("admin:draft", draft_id)


def _from_template(found: Draft, key: str, content: Content) -> Content:
    """The words and levels of a template over what stands there; area, place and times stay.

    What follows upon a message keeps its kind of danger and is told what the event is called; a correction
    keeps all its codes, since it corrects words.
    """
    template = Template.objects.filter(key=key, active=True).first()
    said = templating.wording(template) if template else None
    if said is None:
        return content
    events = {
        f"event{'' if language == 'de' else f'_{language}'}": text.event for language, text in content.texts.items()
    }
    ready = said.content if found.base is None else gaps.fill(said.content, events)
    levels = ready if found.kind != Kind.CORRECTION else content
    return replace(
        content,
        texts=ready.texts,
        category=ready.category if found.base is None else content.category,
        urgency=levels.urgency,
        severity=levels.severity,
        certainty=levels.certainty,
        response=levels.response,
        contact=ready.contact or content.contact,
    )


def _both(request: HttpRequest, current: Draft, mine: Content, posted: QueryDict) -> HttpResponse:
    """Somebody saved in between: his text and ours, side by side; saving again is a decision."""
    found = load(current.pk)
    again = posted.copy()
    again["version"] = str(found.version)
    changes = [change for change in compare(found.content, mine) if not change.same]
    return write(request, found, form_for(found, again), status=409, overwritten=changes)


@dataclass(frozen=True, slots=True)
class Link:
    """A fault with the anchor of the field that mends it."""

    words: str
    anchor: str
    hard: bool


def links(faults: list[Fault], form: DraftForm) -> list[Link]:
    return [Link(_words(fault), anchor(fault.field, form), fault.hard) for fault in faults]


def _words(fault: Fault) -> str:
    """A gap is called by the label of its field."""
    if fault.code == "gap":
        return _("{field} is not filled in yet.").format(field=gaps.label(fault.field.removeprefix("gap-")))
    return fault.words


def anchor(field: str, form: DraftForm) -> str:
    """The id of what mends a fault: the field, its group, or the part of the page it belongs to."""
    if field in {"area", "districts"} or field.startswith("area-"):
        return "where"
    if field == "gap-place":
        return "id_place"
    if field in {"expires", "next_by"}:
        return f"group-{field}"
    if field in form.fields:
        return f"id_{field}"
    return "text" if field.startswith("text-") else "what"


def write(
    request: HttpRequest,
    found: Draft,
    form: DraftForm,
    *,
    status: int = 200,
    faults: list[Fault] | None = None,
    stopped: bool = False,
    unsaved: bool = False,
    overwritten: list[Change] | None = None,
) -> HttpResponse:
    """The compose page. Faults and previews are those of what is saved."""
    readers.seen(found, officer(request))
    return page(
        request,
        "desk/write.html",
        status=status,
        heading=HEADINGS[Kind(found.kind)](),
        form_errors=errors(form),
        stopped=stopped,
        unsaved=unsaved or form.is_bound,
        overwritten=overwritten,
        last_saver=last_saver(found) if overwritten is not None else None,
        others=readers.others(found, officer(request)),
        templates=[(row.key, name_of(row)) for row in _templates(found)],
        may_break_glass=may(officer(request), "alerts.break_glass"),
        **context(request, found, form, faults),
    )


def context(request: HttpRequest, found: Draft, form: DraftForm, faults: list[Fault] | None = None) -> dict[str, Any]:
    """What follows from what is saved: faults, previews, map; for the whole page and for the parts that renew."""
    content = found.content
    if faults is None:
        drill = found.plan == ReleasePlan.DRILL
        before = found.base.content if found.base else None
        faults = drafting.faults(content, kind=found.kind, now=timezone.now(), drill=drill, before=before)
    found_links = links(faults, form)
    return {
        "draft": found,
        "content": content,
        "level": level_of(content),
        "exercise": content.exercise,
        "event": event_of(found),
        "form": form,
        "hard": [link for link in found_links if link.hard],
        "soft": [link for link in found_links if not link.hard],
        **approving.shown(found),
    }


def last_saver(found: Draft) -> User | None:
    """Who saved last, for whom he overtook."""
    saved = AuditEntry.objects.filter(subject=drafting.subject(found), action__in=["draft-saved", "draft-kept"])
    name = saved.order_by("-number").values_list("actor", flat=True).first()
    return User.objects.filter(username=name).first()


def _templates(found: Draft) -> list[Template]:
    cancels = MSG_TYPE[Kind(found.kind)] == MsgType.CANCEL
    rows = [
        row
        for row in Template.objects.filter(active=True)
        if (said := templating.wording(row)) and (found.content.exercise or not said.content.exercise)
    ]
    return [row for row in rows if (MSG_TYPE[Kind(row.kind)] == MsgType.CANCEL) is cancels]


def errors(form: DraftForm) -> list[Link]:
    """What the form itself could not read, with the way to each field."""
    if not form.is_bound:
        return []
    return [
        Link(f"{form[name].label}: {error}", anchor(name, form), hard=True)
        for name, errors in form.errors.items()
        if name in form.fields
        for error in errors
    ]


@transition(back="alert")
def derive(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The next message of an alert, from its latest one, in one step."""
    alert = get_object_or_404(Alert.objects.select_related("latest"), slug=slug, latest__isnull=False)
    kind = request.POST.get("kind", "")
    if kind not in Kind.values or alert.latest is None:
        raise Refused(_("Choose what the next message is."))
    return redirect("admin:draft", drafting.derive(alert.latest, Kind(kind), officer(request)).pk)


@transition(back="draft")
def take_up(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """A lapsed or withdrawn draft's text as a new draft."""
    return redirect("admin:draft", drafting.take_up(load(draft_id), officer(request)).pk)
