"""The pages that residents are answered with: in the public pages' look, in the language they were reading."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from alerts.terms import ui_language

from .. import registry
from ..city.subscribing import Ticks
from ..city.website import Website
from ..models import Way
from . import topics
from .limits import TooMany
from .wishes import Fault, Wishes

SITE = "website"


def language_of(request: HttpRequest, otherwise: str = "") -> str:
    """The language a page is read in: ``page`` of its form or address, else ``otherwise``, else the city's first."""
    return tongue(request.POST.get("page"), request.GET.get("page"), otherwise)


def language_in_address(request: HttpRequest) -> str:
    """The same without looking at the form, which may be too long to be read."""
    return tongue(request.GET.get("page"))


def tongue(*given: object) -> str:
    """The first of these that the city writes, else its own first."""
    return next((tag for tag in given if tag in settings.CONTENT_LANGUAGES), str(settings.CONTENT_LANGUAGES[0]))


def page(request: HttpRequest, template: str, language: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """A page from ``templates/subscribe``; the switch of languages leads to the same address."""
    with override(ui_language(language)):
        frame = _site().frame(language)
        links = [link | {"path": f"{request.path}?page={link['tag']}"} for link in frame["links"]]
        body = render_to_string(
            f"subscribe/{template}.html",
            frame | {"links": links, "unlisted": True, "path": request.path, "page_language": language} | context,
        )
    response = HttpResponse(body, status=status)
    response.headers["Content-Language"] = language
    return response


def choices(language: str, ticked: Ticks) -> dict[str, Any]:
    """The context of ``public/wishes.html``."""
    return _site().choices(language, ticked)


def ticks(wanted: Wishes) -> Ticks:
    """Wishes as the form shows them."""
    return Ticks(wanted.areas, wanted.least, topics.names(wanted.topics), wanted.language, wanted.tests)


def by_field(faults: Sequence[Fault]) -> Mapping[str, str]:
    """Faults for a template: field -> words."""
    return {fault.field: fault.words for fault in faults}


def see(path: str) -> HttpResponse:
    """Go on by GET: loading that page again posts nothing twice."""
    response = HttpResponseRedirect(path)
    response.status_code = 303
    return response


def gone(request: HttpRequest, language: str) -> HttpResponse:
    """A word that opens nothing: altered, too old, or used already."""
    return page(request, "gone", language, status=404)


def refused(request: HttpRequest, status: int, words: str, language: str) -> HttpResponse:
    """A refusal in one sentence, as a page."""
    return page(request, "refused", language, status=status, words=words)


def refused_json(_request: HttpRequest, status: int, words: str, language: str) -> HttpResponse:
    """A refusal for a script of ours, which shows the words."""
    response = JsonResponse({"error": words}, status=status)
    response.headers["Content-Language"] = language
    return response


def refused_silently(_request: HttpRequest, status: int, _words: str, _language: str) -> HttpResponse:
    """A refusal for a machine that reads no words."""
    return HttpResponse(status=status)


def too_many(response: HttpResponse, refusal: TooMany) -> HttpResponse:
    """Not now, and for machines when again."""
    response.headers["Retry-After"] = str(round(refusal.after))
    return response


def wait(refusal: TooMany) -> str:
    """Why somebody has to wait, and how long at most; in the active language."""
    if refusal.kind.endswith("total"):
        why = _("Very many people are signing up at the moment.")
    elif refusal.kind in {"again", "test"}:
        why = _("A text has just been sent to you.")
    elif not refusal.telling:
        why = _("Several texts have just gone to this address.")
    else:
        why = _("Too many sign-ups came from your network or for your kind of address.")
    if refusal.after < 5400:
        minutes = math.ceil(refusal.after / 60)
        when = ngettext("Try again in %(count)d minute.", "Try again in %(count)d minutes.", minutes)
        when %= {"count": minutes}
    else:
        when = _("Try again tomorrow.")
    return f"{why} {when}"


def not_sent(way: str) -> str:
    """That a channel is down, in the active language."""
    if way == Way.SMS:
        return _("At the moment we can't send any SMS. Nothing is lost: try again in some minutes, or choose e-mail.")
    if way == Way.EMAIL:
        return _("At the moment we can't send any mail. Nothing is lost: try again in some minutes.")
    return _("At the moment we can't send any push. Nothing is lost: try again in some minutes.")


def _site() -> Website:
    """The public pages, whose frame these have too."""
    found = registry.channel(SITE)
    if not isinstance(found, Website):
        raise TypeError(f'CHANNELS["{SITE}"] is not the city\'s website')
    return found
