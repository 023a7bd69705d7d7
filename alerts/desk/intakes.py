"""What came in by mail and what became of it: raw, as text alone, and read once more where it was not carried out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..intake import email, parts
from ..intake.mail import Unreadable, read
from ..models import Intake, IntakeState, IntakeWay
from ..people import NotAllowed, Refused, may
from .people import officer
from .site import Page, page, transition

PER_PAGE = 30
LONGEST = 20_000
LOOKS = {
    IntakeState.WAITING: "wait",
    IntakeState.TAKEN: "ok",
    IntakeState.REFUSED: "severe",
    IntakeState.IGNORED: "hold",
}
MASK = "••••••"
# Whoever reads a colleague's mail shall find no code in it that was not used yet
_CODE = re.compile(r"(?<![\w.,-])(?:\d{3}[ -]?\d{3}|[a-z0-9]{4}(?:-[a-z0-9]{4}){1,2})(?![\w-]|[.,]\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shown:
    """A mail as text: ``head`` its headers, ``text`` its new words, ``quoted`` what they answer, ``files`` by name."""

    head: str
    text: str
    quoted: str
    files: list[str]


def listing(request: HttpRequest) -> TemplateResponse:
    """The newest first, of one state where it is asked for."""
    state = request.GET.get("state", "")
    rows = Intake.objects.filter(way=IntakeWay.MAIL).defer("raw").select_related("officer", "draft")
    if state in IntakeState.values:
        rows = rows.filter(state=state)
    numbered = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    tabs = [("", _("All")), *((str(value), str(label)) for value, label in IntakeState.choices)]
    listed = [(row, LOOKS[IntakeState(row.state)]) for row in numbered]
    return page(request, "desk/intakes.html", numbered=numbered, listed=listed, tabs=tabs, here=state)


def reading(request: HttpRequest, intake_id: int) -> TemplateResponse:
    intake = get_object_or_404(Intake.objects.select_related("officer", "draft"), pk=intake_id, way=IntakeWay.MAIL)
    may_retry = (
        may(officer(request), "alerts.write_draft")
        and intake.state in {IntakeState.REFUSED, IntakeState.IGNORED}
        and intake.draft_id is None
        and intake.raw is not None
    )
    return page(
        request,
        "desk/intake.html",
        intake=intake,
        look=LOOKS[IntakeState(intake.state)],
        shown=shown(bytes(intake.raw)) if intake.raw is not None else None,
        may_retry=may_retry,
        answer=intake.reply,
    )


def shown(raw: bytes) -> Shown:
    """What a mail says, its codes blotted out."""
    try:
        mail = read(raw)
        head = parts.headers(parts.parse(raw))
    except (Unreadable, *parts.TROUBLE):
        return Shown("", _blotted(raw[:LONGEST].decode("utf-8", "replace")), "", [])
    lines = [f"{name}: {parts.decoded_words(value[:2000])}" for name, values in head.items() for value in values]
    return Shown(
        _blotted("\n".join(" ".join(line.split()) for line in lines)),
        _blotted("\n\n".join(part for part in (mail.text, mail.forwarded) if part)),
        _blotted(mail.quoted),
        [one.name or one.mime for one in mail.attachments],
    )


def _blotted(text: str) -> str:
    return _CODE.sub(MASK, text[:LONGEST]).replace("\0", "")


@transition(back="intake-mail")
def again(request: HttpRequest, intake_id: int) -> HttpResponse:
    """Have it read once more; codes are still judged as of when it came."""
    if not may(officer(request), "alerts.write_draft"):
        raise NotAllowed(_("Your role does not allow writing alerts."))
    get_object_or_404(Intake, pk=intake_id, way=IntakeWay.MAIL)
    if not email.again(intake_id, officer(request)):
        raise Refused(_("This mail was carried out already, or is being read now."))
    messages.success(request, _("The mail is read once more. Its outcome stands here in a moment."))
    return redirect("admin:intake-mail", intake_id=intake_id)


PAGES = [
    Page("intakes/", listing, "intakes", gettext_lazy("Mails"), place=3),
    Page("intakes/<int:intake_id>/", reading, "intake-mail"),
    Page("intakes/<int:intake_id>/again/", again, "intake-again"),
]
