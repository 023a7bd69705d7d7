"""What each channel said, or in rehearsal would have said, word for word, as it looks on a telephone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from alerts.desk.people import officer
from alerts.desk.site import page, refused
from alerts.models import Draft, Message
from alerts.models import Rendering as RenderingRow
from alerts.notice import Rendering
from alerts.terms import Status, direction, language_name

from .. import registry
from ..models import Delivery, Post, State
from . import outbox
from .report.rows import way_of
from .report.views import has_a_role, headline
from .state import LOOKS

PER_PAGE = 24
SHA = re.compile(r"[0-9a-f]{64}")
KINDS = {"push": "push", "sms": "sms", "email": "mail", "site": "page"}
"""What kind of telephone screen a channel's words stand on; a post where nothing is said."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The image card of a post, as its payload names it."""

    sha256: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Phone:
    """One rendering on a telephone. ``recorded``: kept instead of sent; ``words`` are its fields as they are."""

    kind: str
    words: Rendering
    draft: Draft
    dir: str
    title: str
    text: str
    link: str
    picture: Picture | None
    exercise: bool
    recorded: bool
    at: dt.datetime | None = None
    look: str = ""
    state: str = ""
    message: Message | None = None


def phone(words: Rendering, message: Message, *, recorded: bool, at: dt.datetime | None = None) -> Phone:
    """A rendering, or the payload that a rehearsal kept of it."""
    fields = words.fields
    told = fields.get("payload", {}).get("notification") if isinstance(fields.get("payload"), Mapping) else None
    said: Mapping[str, Any] = told if isinstance(told, Mapping) else fields
    kind = KINDS.get(way_of(words.channel), "post")
    if kind == "push" and not isinstance(told, Mapping):
        kind = "post"
    return Phone(
        kind,
        words,
        message.draft,
        direction(words.language),
        _first(said, "title", "subject", "headline"),
        _first(said, "body", "text"),
        _first(said, "navigate", "link", "url", "preview"),
        _picture(fields.get("picture")),
        message.status == Status.EXERCISE,
        recorded,
        at,
    )


def _first(fields: Mapping[str, Any], *names: str) -> str:
    return next((str(fields[name]) for name in names if fields.get(name)), "")


def _picture(value: Any) -> Picture | None:
    if not isinstance(value, Mapping) or not SHA.fullmatch(str(value.get("sha256", ""))):
        return None
    width, height = value.get("width"), value.get("height")
    if not (isinstance(width, int) and isinstance(height, int)):
        return None
    return Picture(str(value["sha256"]), str(value.get("alt", "")), width, height)


@require_safe
def sent(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """Every channel's words of one message, language by language."""
    if not has_a_role(officer(request)):
        return refused(request, _("Your role does not allow this page."))
    rows = Message.objects.select_related("alert", "draft")
    message = get_object_or_404(rows, alert__slug=slug, number=number)
    phones = sorted(_of_message(message), key=lambda one: _order(one.words.language))
    spoken = [
        (language, language_name(language), list(some))
        for language, some in groupby(phones, key=lambda one: one.words.language)
    ]
    return page(
        request,
        "desk/outbox-message.html",
        exercise=message.status == Status.EXERCISE,
        message=message,
        title=headline(message.content),
        spoken=spoken,
    )


def _of_message(message: Message) -> Iterable[Phone]:
    deliveries = {row.channel: row for row in Delivery.objects.filter(message=message)}
    kept = {(row.delivery_id, row.language): row for row in Post.objects.filter(delivery__message=message)}
    rows = list(RenderingRow.objects.filter(draft=message.draft_id, round=message.round).order_by("pk"))
    known = registry.names()
    rows.sort(key=lambda row: known.index(row.channel) if row.channel in known else len(known))
    for row in rows:
        delivery = deliveries.get(row.channel)
        post = kept.get((delivery.pk, row.language)) if delivery else None
        fields, recorded = row.fields_json, bool(delivery and delivery.rehearsal)
        if recorded and post is not None:
            fields = post.data.get("would_send", fields)
        made = phone(
            Rendering(row.channel, row.language, fields), message, recorded=recorded, at=post.at if post else None
        )
        if delivery is not None:
            made = replace(made, look=LOOKS[State(delivery.state)], state=str(delivery.get_state_display()))
        yield made


def _order(language: str) -> int:
    known = settings.CONTENT_LANGUAGES
    return known.index(language) if language in known else len(known)


@require_safe
def posts(request: HttpRequest) -> HttpResponse:
    """What channels in rehearsal recorded, newest first; real alerts and exercises never on one page."""
    if not has_a_role(officer(request)):
        return refused(request, _("Your role does not allow this page."))
    exercise = request.GET.get("show") == "exercises"
    of_exercise = Q(delivery__message__status=Status.EXERCISE)
    rows = Post.objects.filter(of_exercise if exercise else ~of_exercise, delivery__rehearsal=True)
    rows = rows.select_related("delivery__message__alert", "delivery__message__draft").order_by("-pk")
    numbered = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    phones = [_kept(row) for row in numbered]
    return page(
        request, "desk/outbox-posts.html", exercise=exercise, numbered=numbered, phones=phones, files=outbox.there()
    )


def _kept(row: Post) -> Phone:
    message = row.delivery.message
    fields = row.data.get("would_send", {})
    made = phone(Rendering(row.delivery.channel, row.language, fields), message, recorded=True, at=row.at)
    return replace(made, message=message)
