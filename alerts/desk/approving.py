"""Read a submitted draft, approve it, return it, take it back; break-glass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from .. import approval, calls, drafting, ports, readers
from ..content import Content
from ..models import Draft, DraftState, ReleasePlan
from ..notice import Rendering, level_of, moment
from ..people import NotAllowed, Refused, may
from ..terms import Kind, language_name
from . import rounds, writing
from .confirming import ReasonForm, WordForm, word_for
from .differences import compare
from .maps import map_of
from .people import keep, kept, officer, seal
from .site import page, refused, transition
from .summary import event_of, first_text

DIGEST_HEAD = 16
"""Letters of the digest that the page shows, in groups of four."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One language's renderings, as they will go out."""

    language: str
    name: str
    renderings: list[Rendering]


def renderings(draft: Draft) -> tuple[list[Spoken], str]:
    """What each channel says: frozen once submitted, else as it would be now. The second value says why not."""
    submitted = draft.state in {DraftState.SUBMITTED, DraftState.APPROVED, DraftState.RELEASED}
    if not submitted and not (draft.content.has_area and first_text(draft.content).headline):
        return [], _("The preview appears as soon as there are an area and a headline.")
    try:
        found = approval.renderings_of(draft) if submitted else drafting.preview(draft)
    except ports.CannotCompose as error:
        return [], str(error)
    languages = list(dict.fromkeys(rendering.language for rendering in found))
    ordered = sorted(languages, key=_order)
    return [
        Spoken(language, language_name(language), [words for words in found if words.language == language])
        for language in ordered
    ], ""


def _order(language: str) -> int:
    known = settings.CONTENT_LANGUAGES
    return known.index(language) if language in known else len(known)


def shown(draft: Draft) -> dict[str, Any]:
    """Renderings and map of a draft, for its form and for the page that approves it."""
    spoken, cannot = renderings(draft)
    return {"spoken": spoken, "cannot": cannot, "map": map_of(draft.content, draft.alert.slug)}


def not_allowed(request: HttpRequest, words: str) -> HttpResponse:
    return refused(request, words)


def review(request: HttpRequest, draft: Draft, form: WordForm | None = None, *, status: int = 200) -> HttpResponse:
    """A draft to be read: what is new, every channel's words, who did what; and the word to type, for whom it waits."""
    me = officer(request)
    content = draft.content
    mine = [part for part in draft.parts.all() if part.officer_id == me.pk]
    approver = may(me, "alerts.approve_draft")
    waits = draft.state == DraftState.SUBMITTED
    if form is None and waits and approver and not mine:
        form = _word_form(draft, request)
    readers.seen(draft, me)
    return page(
        request,
        "desk/approve.html",
        status=status,
        others=readers.others(draft, me),
        told=calls.told(draft),
        draft=draft,
        content=content,
        level=level_of(content),
        exercise=content.exercise,
        event=event_of(draft),
        headline=first_text(content).headline,
        heading=_heading(draft),
        number=_number(draft),
        changes=_changes(draft, content),
        again=rounds.since_last(draft) if waits else [],
        base=draft.base,
        digest_head=" ".join(draft.digest[at : at + 4] for at in range(0, DIGEST_HEAD, 4)),
        form=form,
        word=word_for(content.exercise),
        release_words=_release_words(draft, content),
        waits=waits,
        mine=mine,
        approver=approver,
        may_return=waits and approver,
        may_pull_back=waits and may(me, "alerts.write_draft"),
        may_withdraw=draft.state == DraftState.APPROVED and (approver or may(me, "alerts.write_draft")),
        may_break_glass=draft.editable and may(me, "alerts.break_glass"),
        may_take_up=draft.state in {DraftState.LAPSED, DraftState.WITHDRAWN} and may(me, "alerts.write_draft"),
        **shown(draft),
    )


def _number(draft: Draft) -> int:
    return draft.base.number + 1 if draft.base else 1


def _heading(draft: Draft) -> str:
    """The page's title says what happens here and which message it is."""
    words = {"event": event_of(draft), "number": _number(draft)}
    if draft.state == DraftState.SUBMITTED:
        return _("{event}: approve message {number}").format(**words)
    return _("{event}: message {number}").format(**words)


def _changes(draft: Draft, content: Content) -> list[Any]:
    plan = ReleasePlan(draft.plan)
    words = moment(draft.release_at) if draft.release_at else str(plan.label)
    release = (_("Release"), "", words) if plan != ReleasePlan.NOW else ("", "", "")
    return compare(draft.base.content if draft.base else None, content, (release,))


@dataclass(frozen=True, slots=True)
class ReleaseWords:
    """What the confirming part of the page says."""

    heading: str
    explanation: str
    button: str


def _release_words(draft: Draft, content: Content) -> ReleaseWords:
    if content.exercise:
        explanation = _("Every text begins with the word of the exercise. Nobody is warned.")
        if draft.plan == ReleasePlan.DRILL:
            return ReleaseWords(_("This is an exercise"), explanation, _("Keep the exercise ready for the drill"))
        return ReleaseWords(_("This is an exercise"), explanation, _("Start the exercise now"))
    kind = Kind(draft.kind)
    heading = {
        Kind.ALL_CLEAR: _("This all-clear is real"),
        Kind.FALSE_ALARM: _("This report of a false alarm is real"),
    }.get(kind, _("This is a real warning"))
    explanation = _("It goes out on every channel within the next minute. What was sent can't be taken back.")
    if draft.plan == ReleasePlan.AT and draft.release_at is not None:
        when = moment(draft.release_at)
        explanation = _("It goes out by itself: {when}. Until then it can be withdrawn.").format(when=when)
        return ReleaseWords(heading, explanation, _("Approve for the set time"))
    button = {
        Kind.WARNING: _("Send the warning now"),
        Kind.UPDATE: _("Send the update now"),
        Kind.CORRECTION: _("Send the correction now"),
        Kind.FALSE_ALARM: _("Send the false-alarm notice now"),
        Kind.ALL_CLEAR: _("Send the all-clear now"),
    }[kind]
    return ReleaseWords(heading, explanation, button)


def _word_form(draft: Draft, request: HttpRequest, data: Any = None) -> WordForm:
    return WordForm(
        data,
        initial={"digest": draft.digest, "version": draft.version},
        expected=word_for(draft.content.exercise),
        request=request,
    )


@transition(back="draft")
def approve(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """The second officer agrees to exactly the digest that his page showed."""
    if not may(officer(request), "alerts.approve_draft"):
        raise NotAllowed(_("Your role does not allow approving alerts."))
    draft = writing.load(draft_id)
    form = _word_form(draft, request, request.POST)
    if not form.is_valid():
        return review(request, draft, form, status=422)
    message = approval.approve(draft_id, form.cleaned_data["digest"], officer(request))
    if message is None:
        messages.success(request, _("Approved. It waits for its release."))
        return redirect("admin:draft", draft_id)
    messages.success(request, _("Approved and released."))
    return redirect("admin:alert", draft.alert.slug)


def send_back(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """Return a draft to its author with a reason."""
    return _with_reason(
        request,
        draft_id,
        allowed=may(officer(request), "alerts.approve_draft"),
        heading=_("Return with a reason"),
        label=_("Reason"),
        hint=_("The author reads it and mends the draft."),
        button=_("Return the draft"),
        done=_("Returned. The author sees your reason."),
        act=approval.send_back,
    )


def withdraw(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """Take back what was approved before it goes out."""
    me = officer(request)
    return _with_reason(
        request,
        draft_id,
        allowed=may(me, "alerts.approve_draft") or may(me, "alerts.write_draft"),
        heading=_("Withdraw before its release"),
        label=_("Reason"),
        hint=_("It then does not go out. Its text can be taken up again."),
        button=_("Withdraw the draft"),
        done=_("Withdrawn. It does not go out."),
        act=approval.withdraw,
    )


def _with_reason(
    request: HttpRequest,
    draft_id: int,
    *,
    allowed: bool,
    heading: str,
    label: str,
    hint: str,
    button: str,
    done: str,
    act: Any,
) -> HttpResponseBase:
    if not allowed:
        return refused(request, _("Your role does not allow this step."))
    draft = writing.load(draft_id)
    form = ReasonForm(request.POST if request.method == "POST" else kept(request), label=label, hint=hint)
    if request.method == "POST" and form.is_valid():
        try:
            act(draft_id, officer(request), form.cleaned_data["reason"])
        except NotAllowed as error:
            return refused(request, str(error))
        except Refused as error:
            form.add_error("reason", str(error))  # and the reason stays in its field
        else:
            messages.success(request, done)
            return redirect("admin:draft", draft_id)
    return page(
        request,
        "desk/reason.html",
        status=422 if request.method == "POST" else 200,
        draft=draft,
        exercise=draft.content.exercise,
        event=event_of(draft),
        heading=heading,
        button=button,
        form=form,
    )


@transition(back="draft")
def pull_back(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """A writer takes a submitted draft back to write on."""
    approval.pull_back(writing.load(draft_id).pk, officer(request))
    messages.success(request, _("Taken back. You can write on."))
    return redirect("admin:draft", draft_id)


@transition(back="draft")
def discard(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """A writer puts an unwanted draft away."""
    draft = writing.load(draft_id)
    approval.discard(draft.pk, officer(request))
    messages.success(request, _("Put away. Its text can be taken up again here."))
    return redirect("admin:draft", draft_id)


def break_glass(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """One officer alone, with a reason and the typed word; alarmed to every approver."""
    me = officer(request)
    if not may(me, "alerts.break_glass"):
        return refused(request, _("Your role does not allow break-glass."))
    draft = writing.load(draft_id)
    if not draft.editable:
        messages.error(request, _("Break-glass releases a draft that is being written. Take this one back first."))
        return redirect("admin:draft", draft_id)
    posted = request.POST if request.method == "POST" else None
    reason = ReasonForm(
        posted or kept(request),
        label=_("Why can no second officer approve?"),
        hint=_("A full sentence. Every approver is alarmed and reads it; it stays in the record."),
    )
    form = _word_form(draft, request, posted)
    if posted is not None and reason.is_valid() and form.is_valid():
        try:
            approval.break_glass(draft_id, form.cleaned_data["version"] or 0, reason.cleaned_data["reason"], me)
        except NotAllowed as error:
            return refused(request, str(error))
        except approval.HasFaults as error:
            faulty = writing.load(draft_id)
            shown_form = writing.form_for(faulty)
            return writing.write(request, faulty, shown_form, status=422, faults=error.faults, stopped=True)
        except approval.Stale as error:
            messages.error(request, str(error))
            keep(request, seal(request))
            return redirect("admin:break-glass", draft_id)
        except (Refused, ports.CannotCompose) as error:
            reason.add_error("reason", str(error))
        else:
            messages.success(request, _("Released by you alone. Every approver has been alarmed."))
            return redirect("admin:alert", draft.alert.slug)
    return page(
        request,
        "desk/break-glass.html",
        status=200 if posted is None else 422,
        draft=draft,
        content=draft.content,
        level=level_of(draft.content),
        exercise=draft.content.exercise,
        event=event_of(draft),
        changes=_changes(draft, draft.content),
        reason=reason,
        form=form,
        word=word_for(draft.content.exercise),
        **shown(draft),
    )
