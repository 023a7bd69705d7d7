"""A resident's own page: what the subscription is for, change it, test it, leave; a fresh link to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.terms import Severity, ui_language

from ..city.subscribing import Ticks
from ..models import Subscription, Way
from . import addresses, answers, limits, managing, tokens, ways, wishes
from .doors import client_of, door
from .telling import NotSent
from .wishes import Unfit


@door("GET", "POST")
def manage(request: HttpRequest, word: str) -> HttpResponse:
    """What a subscription is for, to look at and to change; from an old message's word, only a fresh link."""
    try:
        own = managing.find(word)
    except tokens.BadToken:
        own = managing.Own(None, shows=False)
    if own.row is None:
        return answers.gone(request, answers.language_of(request))
    language = answers.language_of(request, own.row.language)
    with override(ui_language(language)):
        if not own.shows:
            return _old(request, own.row, word, language)
        if request.method != "POST":
            return _page(request, own.row, word, language)
        try:
            if wishes.change(own.row, wishes.of_form(request.POST, page=own.row.language)):
                return answers.see(f"/s/manage/{word}/?done=changed&page={language}")
        except Unfit as unfit:
            return _page(request, own.row, word, language, status=422, faults=unfit.faults)
    return answers.gone(request, language)


def _page(
    request: HttpRequest, row: Subscription, word: str, language: str, *, status: int = 200, **context: Any
) -> HttpResponse:
    """The own page; of a form with faults, all that was ticked in it."""
    if request.method == "POST" and "faults" in context:
        form = request.POST
        ticked = Ticks(
            areas=form.getlist("area"),
            least=form.get("least", Severity.MODERATE.value),
            topics=form.getlist("topic"),
            language=form.get("lang", row.language),
            tests=form.get("tests", "").lower() in wishes.YES,
        )
    else:
        ticked = answers.ticks(wishes.of_subscription(row))
    faults = context.get("faults", ())
    return answers.page(
        request,
        "manage",
        language,
        status=status,
        way=row.way,
        hint=addresses.hint(row.way, managing.address_of(row)),
        word=word,
        done=request.GET.get("done", ""),
        fault=answers.by_field(faults),
        **answers.choices(language, ticked),
        **context,
    )


def _old(request: HttpRequest, row: Subscription, word: str, language: str) -> HttpResponse:
    """The page of a word that only leaves: whoever was forwarded an old message must not see or change anything."""
    sent, trouble, status = request.GET.get("done") == "link", "", 200
    if request.method == "POST":
        address = managing.address_of(row)
        try:
            limits.send(row.way, address, client=client_of(request))
            managing.send_link(row.way, address, page=language)
            return answers.see(f"/s/manage/{word}/?done=link&page={language}")
        except limits.TooMany as refusal:
            trouble, status = answers.wait(refusal), 429
        except NotSent:
            trouble, status = answers.not_sent(row.way), 503
    return answers.page(request, "old", language, status=status, way=row.way, word=word, sent=sent, trouble=trouble)


@door("GET", "POST")
def test(request: HttpRequest, word: str) -> HttpResponse:
    """Send the self-test to this subscription; opened, it leads back to the own page."""
    try:
        own = managing.find(word)
    except tokens.BadToken:
        own = managing.Own(None, shows=False)
    if own.row is None or not own.shows:
        return answers.gone(request, answers.language_of(request))
    language = answers.language_of(request, own.row.language)
    if request.method != "POST":
        return answers.see(f"/s/manage/{word}/?page={language}")
    with override(ui_language(language)):
        try:
            limits.test(own.row.pk)
            limits.send(own.row.way, managing.address_of(own.row), client=client_of(request))
            state = managing.test(own.row)
        except limits.TooMany as refusal:
            response = _page(request, own.row, word, language, status=429, trouble=answers.wait(refusal))
            return answers.too_many(response, refusal)
        except NotSent:
            trouble = answers.not_sent(own.row.way)
            return _page(request, own.row, word, language, status=503, trouble=trouble)
        if state == "permanent":
            words = _("The test was refused: nothing reaches you here. Subscribe anew, or by another way.")
            return answers.refused(request, 409, words, language)
        return answers.see(f"/s/manage/{word}/?done=tested&page={language}")


@door("GET", "POST", one_click=True)
def leave(request: HttpRequest, word: str) -> HttpResponse:
    """A button; pressed, or by RFC 8058's one click, the subscription is gone. Pressed again, it still is."""
    one_click = request.method == "POST" and request.POST.get("List-Unsubscribe") == "One-Click"
    try:
        own = managing.find(word)
    except tokens.BadToken:
        if one_click:
            return HttpResponse(_("This link does not hold any more."), status=404, content_type="text/plain")
        return answers.gone(request, answers.language_of(request))
    language = answers.language_of(request, own.row.language if own.row else "")
    with override(ui_language(language)):
        if own.row is not None and request.method == "POST":
            managing.leave(own.row)
        if one_click:
            text = _("You get no more warnings here. Your data is deleted.")
            return HttpResponse(text, content_type="text/plain; charset=utf-8")
        if own.row is None or request.method == "POST":
            return answers.page(request, "left", language, way=own.row.way if own.row else "")
        return answers.page(request, "leave", language, way=own.row.way, word=word, shows=own.shows)


@door("GET", "POST")
def link(request: HttpRequest) -> HttpResponse:
    """A fresh link to one's own page, by the way it is for. The same answer for every address."""
    language = answers.language_of(request)
    if request.method != "POST":
        return _link_form(request, language, sent=request.GET.get("done") == "sent")
    typed = request.POST.get("address", "").strip()
    way = Way.EMAIL if "@" in typed else Way.SMS
    try:
        if way not in ways.offered() or not typed:
            raise addresses.BadAddress(_("Enter the mobile number or e-mail address that the warnings go to."))
        address = addresses.normalised(way, typed)
        limits.send(way, address, client=client_of(request))
        managing.send_link(way, address, page=language)
    except addresses.BadAddress as error:
        return _link_form(request, language, status=422, fault=str(error))
    except limits.TooMany as refusal:
        if refusal.telling:
            response = _link_form(request, language, status=429, trouble=answers.wait(refusal))
            return answers.too_many(response, refusal)
    except NotSent:
        return _link_form(request, language, status=503, trouble=answers.not_sent(way))
    return answers.see(f"/s/link/?done=sent&page={language}")


@door("GET", "POST", anonymous=False)
def elsewhere(request: HttpRequest, rest: str) -> HttpResponse:
    """An address that there is none of: a word that was cut, or lost the slash at its end on its way."""
    if not rest.endswith("/"):
        response = HttpResponse(status=308)  # and not 301: one click stays a POST
        response.headers["Location"] = f"/s/{quote(rest)}/"
        return response
    return answers.gone(request, answers.language_of(request))


def _link_form(request: HttpRequest, language: str, *, status: int = 200, **context: Any) -> HttpResponse:
    typed = request.POST.get("address", "")[: addresses.LONGEST_TYPED]
    return answers.page(request, "link", language, status=status, typed=typed, **context)
