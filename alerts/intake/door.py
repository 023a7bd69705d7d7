"""``POST /intake/cap``: who may, how much, what of; every refusal as RFC 9457 problem details in plain words."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_supported_language_variant, override
from django.utils.translation import gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from ..desk.people import client_address
from ..models import Partner
from . import cap, openapi, partners
from .cap import Refusal
from .capreading import MAX_BYTES

log = logging.getLogger(__name__)

TYPES = {"application/cap+xml", "application/xml", "text/xml"}
PER_ADDRESS = RateLimitItemPerMinute(240)
_addresses = FixedWindowRateLimiter(MemoryStorage())
"""In each process for itself: a token can't be guessed, so that this only keeps a flood from the database."""


@csrf_exempt
def take(request: HttpRequest) -> HttpResponse:
    """A CAP document becomes a draft. No cookie is read: the token alone says who hands it in."""
    language = _language(request)
    with override(language):
        try:
            response = _taken(request)
        except Refusal as refusal:
            response = problem(refusal)
        except (OperationalError, InterfaceError) as error:
            log.warning("a document was not taken: %s", type(error).__name__)
            words = _("The document could not be kept just now. Send it again.")
            response = problem(Refusal(503, "unavailable", [words], after=10))
    response.headers["Content-Language"] = language
    response.headers["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["Accept-Language"])
    return response


def _taken(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        raise Refusal(405, "method", [_("Send the document by POST.")])
    if not _addresses.hit(PER_ADDRESS, client_address(request) or "unknown"):
        raise Refusal(429, "too-many", [_("Too many requests from your address. Wait a little.")], after=60)
    partner = _partner(request)
    if request.content_type not in TYPES or request.headers.get("Content-Encoding", "identity") != "identity":
        words = _("Send the document as {types}, not compressed.")
        raise Refusal(415, "type", [words.format(types=", ".join(sorted(TYPES)))])
    taken = cap.take(_body(request), partner)
    answer = {
        "draft": taken.draft.pk,
        "address": taken.address,
        "sender": taken.sender,
        "identifier": taken.identifier,
        "missing": taken.missing,
        "left_out": taken.left_out,
    }
    status = 201 if taken.new else 200
    return JsonResponse(answer, status=status, headers={"Location": taken.address}, json_dumps_params=_AS_WRITTEN)


_AS_WRITTEN = {"ensure_ascii": False}


def _partner(request: HttpRequest) -> Partner:
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    partner = partners.of_token(token.strip()) if scheme.lower() == "bearer" else None
    if partner is None:
        raise Refusal(401, "token", [_("Send a token that holds, as “Authorization: Bearer …”.")])
    return partner


def _body(request: HttpRequest) -> bytes:
    """The document; not a byte of one that is too long is read."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > MAX_BYTES:
        words = _("The document is larger than {count} bytes.")
        raise Refusal(413, "too-large", [words.format(count=MAX_BYTES)])
    try:
        body = request.read(MAX_BYTES + 1)
    except (UnreadablePostError, OSError) as error:
        raise Refusal(400, "broken", [_("The document broke off on the way.")]) from error
    if len(body) > MAX_BYTES:
        words = _("The document is larger than {count} bytes.")
        raise Refusal(413, "too-large", [words.format(count=MAX_BYTES)])
    if not body or (length.isdecimal() and len(body) < int(length)):
        raise Refusal(400, "empty", [_("The document is missing or broke off. Say its length in Content-Length.")])
    return body


def problem(refusal: Refusal) -> HttpResponse:
    """A refusal as RFC 9457 has it."""
    titles = {
        400: _("The request can't be read"),
        401: _("No token that holds"),
        403: _("Not taken of you"),
        405: _("Not this way"),
        409: _("The document contradicts another"),
        413: _("Too large"),
        415: _("Not this type"),
        422: _("The document has faults"),
        429: _("Too many"),
        503: _("Not just now"),
    }
    detail = {
        "type": f"urn:belfry:problem:{refusal.code}",
        "title": titles[refusal.status],
        "status": refusal.status,
        "detail": " ".join(refusal.faults[:3]),
        "faults": refusal.faults,
    }
    response = JsonResponse(
        detail, status=refusal.status, content_type="application/problem+json", json_dumps_params=_AS_WRITTEN
    )
    if refusal.after:
        response.headers["Retry-After"] = str(refusal.after)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="belfry"'
    if refusal.status == 405:
        response.headers["Allow"] = "POST"
    return response


@require_safe
def description(_request: HttpRequest) -> HttpResponse:
    """The OpenAPI description: no secret, the same for everybody."""
    return JsonResponse(openapi.described(), json_dumps_params=_AS_WRITTEN)


def _language(request: HttpRequest) -> str:
    """The interface's language that is asked for; by the header alone, never by a cookie."""
    for asked, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        try:
            return get_supported_language_variant(asked)
        except LookupError:
            continue
    return str(settings.LANGUAGE_CODE)
