"""Image cards as officers see them: on the page that approves, and beside what is to be posted by hand."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from alerts.desk.site import page
from alerts.models import Card, Draft, DraftState

FROZEN = (DraftState.SUBMITTED, DraftState.APPROVED, DraftState.RELEASED)
KINDS = {"image/jpeg": "jpg", "image/png": "png"}
CLIP_SECONDS = 10
PATIENCE = 20.0
"""Seconds that an officer waits for a film at the most."""


def cards_of(draft: Draft) -> list[Card]:
    """The cards that an approval covers, without their files; none while the draft can still change."""
    if draft.state not in FROZEN:
        return []
    return list(draft.cards.filter(round=draft.round).defer("body"))


@require_safe
def card(request: HttpRequest, sha256: str) -> HttpResponse:
    """The picture itself; with ``?download`` as a file to be kept."""
    found = _card(sha256)
    return as_file(request, bytes(found.body), found.mime, f"{_name(found)}.{KINDS[found.mime]}")


@require_safe
def clip(request: HttpRequest, sha256: str) -> HttpResponse:
    """A short silent film of the picture, for platforms that take no pictures; made anew each time it is asked for."""
    from ..commercial import _clip  # noqa: PLC0415 (ffmpeg, which nobody else needs)

    found = _card(sha256)
    made = _clip.made(bytes(found.body), CLIP_SECONDS, patience=PATIENCE) if found.mime == "image/jpeg" else None
    if made is None:
        words = _("The film can't be made here: ffmpeg is missing or fails. Make one of the picture yourself.")
        return page(request, "desk/refused.html", status=404, title=_("No film"), words=words)
    return as_file(request, made, "video/mp4", f"{_name(found)}.mp4")


def _card(sha256: str) -> Card:
    # the same picture may stand in several rounds; it is the same file
    found = get_object_or_404(Card.objects.filter(sha256=sha256).select_related("draft__alert").order_by("pk")[:1])
    if found.mime not in KINDS:
        raise Http404
    return found


def _name(found: Card) -> str:
    return f"{found.draft.alert.slug}-{found.language}-{found.shape}"


def as_file(request: HttpRequest, body: bytes, mime: str, name: str) -> HttpResponse:
    """A picture or film of ours that nobody keeps; as a download where that is asked for."""
    how = "attachment" if "download" in request.GET else "inline"
    headers = {
        "Content-Disposition": f'{how}; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return HttpResponse(body, content_type=mime, headers=headers)
