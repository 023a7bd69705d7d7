"""What every address below /s/ keeps: methods, size, no other site's forms, nothing cached, no word in logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt

from alerts.desk.people import client_address
from alerts.terms import ui_language

from . import answers, limits

MOST_BYTES = 100_000
"""Of a posted body: 2,000 districts and what else a form holds."""

View = Callable[..., HttpResponse]
Refuse = Callable[[HttpRequest, int, str, str], HttpResponse]
"""Makes a refusal of a status, words and the language they are in."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What ``door`` was given."""

    methods: tuple[str, ...]
    refuse: Refuse
    anonymous: bool
    one_click: bool
    kind: str
    most: int


def door(
    *methods: str,
    refuse: Refuse = answers.refused,
    anonymous: bool = True,
    one_click: bool = False,
    kind: str = "",
    most: int = MOST_BYTES,
) -> Callable[[View], View]:
    """A view behind these methods, in the language that its page was read in.

    ``anonymous`` counts each posted form by its client before anything is read, and refuses those that
    another site sends (``one_click``: except RFC 8058's). Without it, the view checks itself who calls.
    ``kind`` is the one media type that a body may have: browsers send JSON to other sites only after asking.
    ``most`` is how many bytes of a body are read.
    """
    rules = Rules(methods, refuse, anonymous=anonymous, one_click=one_click, kind=kind, most=most)

    def wrap(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, **words: str) -> HttpResponse:
            response = _refused(request, rules)
            if response is None:
                with override(ui_language(answers.language_of(request))):
                    response = view(request, **words)
            return _private(response)

        return guarded

    return wrap


def client_of(request: HttpRequest) -> str:
    """Who asks, for the limits: an address or "unknown"."""
    return client_address(request) or "unknown"


def _refused(request: HttpRequest, rules: Rules) -> HttpResponse | None:
    """The refusal, where there is one; reads the body last, once it is known to be short."""
    if request.method not in {*rules.methods, "HEAD" if "GET" in rules.methods else ""}:
        return HttpResponseNotAllowed(rules.methods)
    if request.method != "POST":
        return None
    language = answers.language_in_address(request)
    with override(ui_language(language)):
        if rules.anonymous:
            try:
                limits.ask(client_of(request))
            except limits.TooMany as refusal:
                return answers.too_many(rules.refuse(request, 429, answers.wait(refusal), language), refusal)
        if not _short(request, rules.most):
            return rules.refuse(request, 413, _("This is more than the form can hold. Send less."), language)
        if rules.kind and request.content_type != rules.kind:
            return rules.refuse(request, 415, _("This form did not arrive whole. Go back and send it again."), language)
        try:
            request.body  # noqa: B018 (read here, so that whatever is wrong with it is answered in words)
            form = request.POST
        except (SuspiciousOperation, MultiPartParserError, UnreadablePostError):
            words = _("This form did not arrive whole. Go back and send it again.")
            return rules.refuse(request, 400, words, language)
        exempt = rules.one_click and form.get("List-Unsubscribe") == "One-Click"
        if rules.anonymous and not exempt and _from_elsewhere(request):
            words = _("This form came from another site. Open our page and fill it in there.")
            return rules.refuse(request, 403, words, language)
    return None


def _short(request: HttpRequest, most: int) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return length.isdecimal() and len(length) < 12 and int(length) <= most


def _from_elsewhere(request: HttpRequest) -> bool:
    """Whether a browser says that another site's page sends this.

    Our own pages forbid referrers, and browsers then write "null" as the Origin of their forms; older
    ones send nothing else. Those forms hold no session that a stranger could ride on.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    if origin in {None, "null"}:
        return False
    ours = {urlsplit(settings.ADDRESS).netloc.lower(), request.get_host().lower()}
    return urlsplit(str(origin)).netloc.lower() not in ours


def _private(response: HttpResponse) -> HttpResponse:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    # Django would write the path of each refusal into the log, and in the path stands a resident's word
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
