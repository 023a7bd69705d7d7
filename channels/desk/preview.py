"""A draft as residents will see it, before it is submitted or approved: the public page, the mail, an image card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from alerts import drafting, pictures, public
from alerts.content import Content
from alerts.desk import approving, writing
from alerts.desk.site import page
from alerts.models import Draft, ReleasePlan
from alerts.public import PublicAlert, PublicMessage
from alerts.terms import MSG_TYPE, Kind, MsgType

from .. import registry
from ..city.app import Look
from ..city.website import Website
from . import cards

BODY = re.compile(r"<body[^>]*>")
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'"
"""A mail brings its style along, as nothing else does: it is shown in a page that can do nothing else, and is nobody's
origin."""


@require_safe
def whole_page(request: HttpRequest, draft_id: int, language: str) -> HttpResponse:
    """The website's own page, made of the draft's renderings; nothing of it is written anywhere."""
    draft = writing.load(draft_id)
    website = next((found for found in map(registry.channel, registry.names()) if isinstance(found, Website)), None)
    if website is None or language not in settings.CONTENT_LANGUAGES:
        raise Http404
    spoken, cannot = approving.renderings(draft)
    if cannot:
        return page(request, "desk/refused.html", status=409, title=_("No preview yet"), words=cannot)
    words = {
        (rendering.channel, rendering.language): rendering.fields
        for tongue in spoken
        for rendering in tongue.renderings
    }
    pages = website._pages(language)
    html = with_our_look(pages.alert(as_released(draft, words)), pages.look)
    note = format_html('<p class="note"><b>{}</b></p>', _("Preview at the desk. This page is not public."))
    return HttpResponse(BODY.sub(lambda body: body[0] + note, html, count=1))


@require_safe
def mail(request: HttpRequest, draft_id: int, channel: str, language: str) -> HttpResponse:
    """The HTML part of a mail, as it lies in the rendering, in a page without any rights."""
    spoken, cannot = approving.renderings(writing.load(draft_id))
    if cannot:
        return page(request, "desk/refused.html", status=409, title=_("No preview yet"), words=cannot)
    renderings = [words for tongue in spoken for words in tongue.renderings]
    html = next(
        (words.fields.get("html") for words in renderings if (words.channel, words.language) == (channel, language)),
        None,
    )
    if not isinstance(html, str):
        raise Http404
    note = format_html("<p><b>{}</b></p>", _("Preview at the desk. This mail has not been sent."))
    html = BODY.sub(lambda body: body[0] + note, html, count=1)
    return HttpResponse(html, headers={"Content-Security-Policy": SANDBOX, "Cache-Control": "no-store"})


@require_safe
def card(request: HttpRequest, draft_id: int, language: str, shape: str) -> HttpResponse:
    """The image card of a draft: the frozen one once it is submitted, else drawn now of what is saved."""
    draft = writing.load(draft_id)
    frozen = next((one for one in cards.cards_of(draft) if (one.language, one.shape) == (language, shape)), None)
    if frozen is not None:
        return cards.card(request, frozen.sha256)
    content = draft.content
    if draft.plan != ReleasePlan.DRILL:
        content = content.settled(draft.release_at or timezone.now())
    notice = next((one for one in drafting.notices(draft, content) if one.language == language), None)
    if notice is None or not content.has_area:
        raise Http404
    try:
        made = pictures.draw(notice, shape)
    except KeyError as error:
        raise Http404 from error
    name = f"{draft.alert.slug}-{language}-{shape}.{cards.KINDS[made.picture.mime]}"
    return cards.as_file(request, made.body, made.picture.mime, name)


def with_our_look(html: str, look: Look) -> str:
    """The page with the desk's own files: those of the public folder may lie on another host, or not be there yet."""
    tokens = format_html('<head>\n<link rel="stylesheet" href="{}">', static("tokens.css"))
    html = html.replace("<head>", tokens, 1)
    for theirs, ours in ((look.css, "belfry.css"), (look.script, "public/expiry.js"), (look.icon, "icon.svg")):
        html = html.replace(f'"{theirs}"', f'"{static(ours)}"')
    return html


def as_released(draft: Draft, words: Mapping[tuple[str, str], Mapping[str, Any]]) -> PublicAlert:
    """The alert as it would stand in public if the draft were released now."""
    now = timezone.now()
    content: Content = draft.content.settled(draft.release_at or now)
    before = public.alert(draft.alert.slug)
    kind = Kind(draft.kind)
    message = PublicMessage(
        id=0,
        slug=draft.alert.slug,
        number=len(before.messages) + 1 if before else 1,
        identifier="preview",
        sender=settings.CAP_SENDER,
        sent=now,
        kind=kind,
        msg_type=MSG_TYPE[kind],
        status=draft.alert.status,
        content=content,
        references=(),
        areas=frozenset(district.code for district in content.touched),
        renderings=words,
    )
    state = "live"
    if MSG_TYPE[kind] == MsgType.CANCEL:
        state = "false-alarm" if kind == Kind.FALSE_ALARM else "all-clear"
    history = before.messages if before else ()
    return PublicAlert(draft.alert_id, draft.alert.slug, draft.alert.status, state, (message, *history))
