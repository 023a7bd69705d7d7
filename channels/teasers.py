"""What a post on a social network says: the approved words, most important first, cut to a limit, the link last.

A teaser holds nothing that the city's page lacks, and no word that a network reads as a mention or hashtag.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import grapheme
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.notice import ELLIPSIS, Notice, fit, moment
from alerts.terms import Kind, ui_language

JOINER = "\u2060"
"""A word joiner: seen by nobody, and after it a name is none that a network would look for."""
ALONE = re.compile(
    r"[\x00-\x0c\x0e-\u02ff\u0370-\u0482\u05d0-\u05ea\u0620-\u064a\u2010-\u2027\u20ac\u3041-\u30fa\u4e00-\u9fff]+"
)
"""Letters and signs that join with no other: counting them is counting what people see, a hundred times as fast."""
SIGN = re.compile(r"(?<![\w@#＠＃])([@#＠＃])(?=\w)")


def teaser(notice: Notice, limit: int, count: Callable[[str], int] = len, *, most: int = 2000) -> str:
    """The words of a notice, then a line break and its link, within ``limit`` as ``count`` counts.

    ``most`` characters of words are enough for any network. Cut at a word, never in the link. Raises
    ValueError where the link and a few words have no room.
    """
    with override(ui_language(notice.words_language)):
        return joined(words(notice)[:most], notice.url, limit, count)


def words(notice: Notice) -> str:
    """All that may be said, the most important first, in the active language."""
    if notice.exercise:
        return plain("\n\n".join(one for one in (notice.headline, notice.description) if one))
    first = notice.headline.strip()
    if notice.level_word.casefold() not in first.casefold():
        first = f"{notice.level_word}: {first}"
    said = [first]
    where = notice.area or notice.place
    if where and where not in first:
        said.append(where)
    over = notice.kind in {Kind.ALL_CLEAR, Kind.FALSE_ALARM}
    said += [step for step in notice.steps[:3] if step.rstrip(".!").casefold() not in first.casefold()]
    times = []
    if notice.facts_at is not None:
        times.append(_("As of {time}.").format(time=moment(notice.facts_at)))
    if notice.expires is not None and not over:
        times.append(_("Valid until {time}.").format(time=moment(notice.expires)))
    said += [" ".join(times)] if times else []
    said += [notice.description.strip()] if notice.description.strip() else []
    return plain("\n".join(said))


def joined(text: str, link: str, limit: int, count: Callable[[str], int] = len) -> str:
    """``text``, cut at a word where it must be, then a line break and the link.

    A word that has no room alone is cut between two characters as people see them. Raises ValueError
    where there is room for none.
    """
    tail = f"\n{link}"
    text = text.strip()
    if count(text + tail) <= limit:
        return text + tail
    kept = fit(text, "", max(limit - count(tail), 1), count)
    if not kept.strip(ELLIPSIS) or count(kept + tail) > limit:
        kept = _hard_cut(text, lambda cut: count(cut + tail) <= limit)
    return kept + tail


def _hard_cut(text: str, fits: Callable[[str], bool]) -> str:
    seen = list(grapheme.graphemes(text))
    least, most = 0, len(seen)
    while least < most:  # of two lengths the shorter one fits whenever the longer one does
        middle = (least + most + 1) // 2
        least, most = (middle, most) if fits("".join(seen[:middle]) + ELLIPSIS) else (least, middle - 1)
    if not least:
        raise ValueError(_("Beside the link there is no room for a single word."))
    return "".join(seen[:least]) + ELLIPSIS


def seen(text: str, limit: int) -> int:
    """The characters of a text as people see them (graphemes); of one that is surely above ``limit``, no more than
    that it is: the exact count takes milliseconds, and cutting asks for it at each word."""
    alone = sum(map(len, ALONE.findall(text)))
    return alone if alone == len(text) or alone > limit else int(grapheme.length(text))


def plain(text: str) -> str:
    """Without what a network would make a mention, a hashtag or a group call of."""
    return SIGN.sub(rf"\1{JOINER}", text)
