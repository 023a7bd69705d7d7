"""What a mail says: its subject and both texts, out of a notice or a fixed service text; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.notice import Notice, fit, moment
from alerts.terms import Kind, MsgType, Severity, Status, direction, language_name, ui_language
from channels.base import Service

from .quoted import PLACE

SUBJECT = 150
"""Characters of a subject line; phones show about 40."""
SHAPES = {
    "extreme": "⬣", "severe": "▲", "moderate": "◆", "minor": "●", "clear": "✓", "false": "✕", "exercise": "▨",
}  # fmt: skip
"""The shape of each level, as near to the icons of the public pages as characters come."""
COLOURS = {
    "extreme": ("#7d0016", "#ffffff"), "severe": ("#c4320a", "#ffffff"), "moderate": ("#f6a821", "#1c1300"),
    "minor": ("#f7e27a", "#1c1a00"), "clear": ("#17663a", "#ffffff"), "false": ("#47525d", "#ffffff"),
    "exercise": ("#5b21a8", "#ffffff"),
}  # fmt: skip
"""Ground and text of the band: static/tokens.css, since a mail brings no style sheet along."""
LOUD = frozenset({Severity.EXTREME, Severity.SEVERE, Severity.UNKNOWN})

LINE_ENDS = re.compile(r"\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
UNSEEN = re.compile(
    r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
"""Controls, and marks that turn the direction of what stands around them; joiners of letters stay."""


def clean(text: str) -> str:
    """A text with LF as its only line end and nothing in it that works unseen."""
    return UNSEEN.sub("", LINE_ENDS.sub("\n", text))


def one_line(text: str) -> str:
    """A text as one line: what stands in a header can't begin another one."""
    return " ".join(clean(text).split())


def header(text: str) -> str:
    """One line that no mail program takes for an encoded word (RFC 2047), whatever it would decode to."""
    return one_line(text).replace("=?", "= ?")


def alert(notice: Notice, address: str) -> dict[str, Any]:
    """All that a mail will say of this notice. Raises ValueError where the notice holds our own mark."""
    with override(ui_language(notice.language)):
        context = _context(notice, address)
        subject = _subject(notice, context)
        texts = _texts("alert", {**context, "subject": subject})
    if any(text.count(PLACE) != 2 for text in texts.values()):
        raise ValueError(_("The text holds the words that stand for each resident's own link."))
    return {
        "subject": subject,
        **texts,
        "language": notice.language,
        "dir": direction(notice.language),
        "importance": "high" if notice.severity in LOUD and context["state"] == "live" else "normal",
    }


def service(told: Service) -> dict[str, Any]:
    """A fixed service text as a mail."""
    with override(ui_language(told.language)):
        context = {
            "subject": header(told.subject)[:SUBJECT],
            "paragraphs": [line for line in clean(told.body).split("\n") if line.strip()],
            "url": told.url,
            "language": told.language,
            "dir": direction(told.language),
        }
        return {**context, **_texts("service", context)}


def _texts(name: str, context: Mapping[str, Any]) -> dict[str, str]:
    text = render_to_string(f"mail/{name}.txt", dict(context))
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    html = render_to_string(f"mail/{name}.html", dict(context))
    return {"text": re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n", "html": html.strip() + "\n"}


def _subject(notice: Notice, context: Mapping[str, Any]) -> str:
    headline = header(notice.headline)
    if notice.exercise:
        said = headline  # its fixed text begins with the word
    elif context["state"] == "test":
        said = f"{_('TEST')}: {headline}"
    elif notice.kind in {Kind.UPDATE, Kind.CORRECTION}:
        said = f"{context['level_word']} ({Kind(notice.kind).label}): {headline}"
    else:
        said = f"{context['level_word']}: {headline}"
    return fit(said, "", SUBJECT) or said[:SUBJECT]


def _context(notice: Notice, address: str) -> dict[str, Any]:
    state = "live"
    if notice.status != Status.ACTUAL:
        state = "exercise" if notice.exercise else "test"
    elif notice.msg_type == MsgType.CANCEL:
        state = "over"
    look = "exercise" if state == "test" else notice.level
    if state == "over" and notice.kind == Kind.FALSE_ALARM:
        look = "false"
    real = notice.status == Status.ACTUAL
    words = notice.words_language
    return {
        "state": state,
        "language": notice.language,
        "dir": direction(notice.language),
        "words_language": words if words != notice.language else "",
        "words_dir": direction(words),
        "words_name": language_name(words),
        "shape": SHAPES[look],
        "ground": COLOURS[look][0],
        "ink": COLOURS[look][1],
        "level_word": _("Test, no danger") if state == "test" else notice.level_word,
        "kind": str(Kind(notice.kind).label) if real and notice.kind in {Kind.UPDATE, Kind.CORRECTION} else "",
        "headline": one_line(notice.headline),
        "area": one_line(notice.area),
        "steps": [one_line(step) for step in notice.steps],
        "paragraphs": [line.strip() for line in clean(notice.description).split("\n") if line.strip()],
        "facts_at": moment(notice.facts_at) if notice.facts_at else "",
        "expires": moment(notice.expires) if notice.expires else "",
        "next_by": moment(notice.next_by) if notice.next_by else "",
        "contact": one_line(notice.contact) if real else "",
        "web": one_line(notice.web) if real and notice.web.startswith(("https://", "http://")) else "",
        "url": notice.url,
        "city": notice.city.name,
        "manage": f"{address}/s/manage/{PLACE}/",
        "leave": f"{address}/s/leave/{PLACE}/",
    }
