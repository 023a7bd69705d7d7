"""A draft keeps itself while it is written: what can be read is saved, and the page hears what follows from it."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from .. import drafting, readers
from ..models import Draft
from ..people import Refused, may
from . import writing
from .forms import DraftForm
from .people import officer
from .site import page


def keep(request: HttpRequest, draft_id: int) -> HttpResponseBase:
    """Save the form as typed so far and answer with the parts of the page that change: state, hints, previews.

    Fields that can't be read (half a coordinate) keep what was saved before and are named. 204 where
    nothing has changed. Whoever was overtaken by another officer is told, and nothing is overwritten.
    """
    if request.method != "POST":
        return redirect("admin:draft", draft_id)
    me = officer(request)
    found = writing.load(draft_id)
    if not may(me, "alerts.write_draft"):
        return stopped(request, found, _("Your role does not allow writing alerts."))
    if not found.editable:
        words = _("This draft is no longer being written: it is “{state}”. Load the page anew.")
        return stopped(request, found, words.format(state=drafting.label(found)))
    try:
        form, unread = _readable(found, request)
    except Refused as error:
        return stopped(request, found, str(error))
    content, release = form.content(), form.release()
    version = form.cleaned_data["version"]
    saved = replace(found.content, touched=content.touched)  # what the area touches is computed when it is saved
    same = (content, release["plan"], release["release_at"]) == (saved, found.plan, found.release_at)
    if same and version == found.version and not unread:
        readers.seen(found, me)
        return HttpResponse(status=204)
    try:
        if not same:
            drafting.save(found.pk, version, content, me, by_itself=True, **release)
            readers.seen(found, me, wrote=True)
    except drafting.Overwritten as error:
        return overtaken(request, error.current)
    except Refused as error:
        return stopped(request, found, str(error))
    if same and version != found.version:
        return overtaken(request, found)
    fresh = writing.load(draft_id)
    return page(
        request,
        "desk/kept.html",
        unread=unread,
        others=readers.others(fresh, me),
        **writing.context(request, fresh, writing.form_for(fresh)),
    )


def _readable(found: Draft, request: HttpRequest) -> tuple[DraftForm, list[writing.Link]]:
    """The form with the fields that can't be read put back to what is saved, and what is wrong with those."""
    form = writing.form_for(found, request.POST)
    if form.is_valid():
        return form, []
    unread = writing.errors(form)
    saved = writing.form_for(found)
    data = request.POST.copy()
    for name in {half for faulty in form.errors for half in _halves(faulty)}:
        value = saved[name].value() if name in saved.fields else None
        values = value if isinstance(value, list) else [value]
        data.setlist(name, ["" if one is None else str(one) for one in values])
    mended = writing.form_for(found, data)
    if not mended.is_valid():  # a circle whose other half is missing, a forged choice: nothing of it can be kept
        raise Refused(_("This form can't be read. Load the page anew."))
    return mended, unread


def _halves(name: str) -> list[str]:
    """A circle is read as a whole: its centre and its radius."""
    number = name.removeprefix("circle-").partition("-")[0]
    return [f"circle-{number}-centre", f"circle-{number}-metres"] if name.startswith("circle-") else [name]


def overtaken(request: HttpRequest, current: Draft) -> HttpResponse:
    """Somebody else has saved: said in the page, and it stops saving by itself until its officer decides."""
    return page(request, "desk/kept-overtaken.html", status=200, draft=current, last_saver=writing.last_saver(current))


def stopped(request: HttpRequest, draft: Draft, words: str) -> HttpResponse:
    return page(request, "desk/kept-stopped.html", status=200, draft=draft, words=words)


def who_reads(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Who else has this draft open, and whether it is still what this page shows (``?version=``, ``?state=``)."""
    me = officer(request)
    found = writing.load(draft_id)
    readers.seen(found, me)
    known, state = request.GET.get("version", ""), request.GET.get("state", found.state)
    return page(
        request,
        "desk/readers.html",
        draft=found,
        others=readers.others(found, me),
        changed=known.isdecimal() and int(known) != found.version,
        moved=state != found.state,
        last_saver=writing.last_saver(found),
    )
