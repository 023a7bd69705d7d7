"""All words that a feed entry prints for one message in one language; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.notice import Notice, fit, moment
from alerts.terms import Category, MsgType, Status, ui_language

SUMMARY = 400
"""Characters of the summary where no short text was written."""

# What XML 1.0 can't carry: control characters, halves of a surrogate pair, U+FFFE and U+FFFF
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def words(notice: Notice) -> dict[str, Any]:
    """The fields of a rendering, as JSON values, in the language that the notice's words are in.

    ``facts`` are pairs of name and text, ``categories`` pairs of CAP's term and its name.
    """
    with override(ui_language(notice.words_language)):
        return {
            "title": _title(notice),
            "summary": notice.short or fit(" ".join(notice.description.split()) or notice.headline, "", SUMMARY),
            "level": notice.level,
            "level_word": _level_word(notice),
            "event": notice.event,
            "headline": notice.headline,
            "short": notice.short,
            "description": [line.strip() for line in notice.description.splitlines() if line.strip()],
            "steps": list(notice.steps),
            "area": notice.area or notice.place,
            "facts": [[name, text] for name, text in _facts(notice) if text],
            "categories": [[str(term), str(Category(term).label)] for term in notice.category],
            "author": f"{notice.city.name}, {notice.city.publisher}",
            "link": notice.url,
            "link_words": _("Read on the city's page whether this still holds"),
        }


def unfit(value: Any) -> str:
    """The first character in these fields that XML can't carry, as ``U+0007``; empty where there is none."""
    if isinstance(value, str):
        match = _UNFIT.search(value)
        return f"U+{ord(match[0]):04X}" if match else ""
    inner = value.values() if isinstance(value, dict) else value
    return next((found for item in inner if (found := unfit(item))), "")


def _level_word(notice: Notice) -> str:
    return _("Test, no danger") if notice.status == Status.TEST else notice.level_word


def _title(notice: Notice) -> str:
    """The headline with its level. What is not meant in earnest says so in its first word."""
    if notice.exercise:
        return f"{notice.headline} ({notice.level_word})"
    if notice.status == Status.TEST:
        return _("TEST: {headline}").format(headline=f"{notice.headline} ({_level_word(notice)})")
    if notice.headline.casefold().startswith(notice.level_word.casefold()):
        return notice.headline
    return f"{notice.level_word}: {notice.headline}"


def _facts(notice: Notice) -> Iterator[tuple[str, str]]:
    yield _("Where"), notice.area or notice.place
    if notice.facts_at:
        yield _("Facts as of"), moment(notice.facts_at)
    if notice.onset and notice.msg_type != MsgType.CANCEL:
        yield _("Expected from"), moment(notice.onset)
    if notice.expires and notice.msg_type != MsgType.CANCEL:
        yield _("Valid until"), moment(notice.expires)
    if notice.next_by:
        yield _("Next message at the latest"), moment(notice.next_by)
    if notice.status == Status.ACTUAL:  # in an exercise nobody is to be called
        yield _("Questions"), notice.contact
        yield _("More about this"), notice.web
