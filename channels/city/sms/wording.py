"""The one text of a notice: what happened and what to do, where, until when, how to leave, and last the link."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from alerts.notice import ELLIPSIS, Notice, fit, moment
from alerts.terms import Kind

from .text import ROOM, characters, encoding, plain, segments

LEAVE = ("link", "reply", "none")
"""How a text says to end it: an address (no answer reaches a sender with a name), a word to send back, or nothing."""


def said(notice: Notice, leave: str) -> tuple[str, list[str]]:
    """The words of a notice and what may stand after them, the longest first, in the active language."""
    return plain(_words(notice)), _tails(notice, leave)


def together(words: str, tails: Sequence[str], most: int) -> str:
    """One text of at most ``most`` segments, words first, one of ``tails`` last.

    Where that is little room, the way to leave gives way first, then the end of the warning: words get
    half of it at least. Raises ValueError where the link and one word don't fit.
    """
    *longer, shortest = tails
    tail = next((one for one in longer if 2 * characters(one) <= room(words + one, most)), shortest)
    return fitted(words, tail, most)


def fitted(words: str, tail: str, most: int) -> str:
    """Words, then the tail with the link, in at most ``most`` segments. Raises ValueError where that can't be."""
    if segments(tail) > most:
        text = _("The link alone is longer than {count} SMS. Allow more of them or shorten the address.")
        raise ValueError(text.format(count=most))
    text = _dotted(fit(words, tail, most, lambda text: segments(_dotted(text))))
    if words and text == tail:
        told = _("Beside the link, not one word fits into {count} SMS. Allow more of them or use shorter words.")
        raise ValueError(told.format(count=most))
    return text


def room(text: str, most: int) -> int:
    """The characters that ``most`` segments hold in the encoding that this text needs."""
    single, each = ROOM[encoding(text)]
    return single if most == 1 else most * each


def _dotted(text: str) -> str:
    return text.replace(ELLIPSIS, "...")


def _words(notice: Notice) -> str:
    if notice.exercise:
        return notice.short  # the fixed text, which holds the place
    step = next(iter(notice.steps), "")
    if step.rstrip(".!").casefold() in notice.headline.casefold():
        step = ""  # the headline says it already
    said = notice.short.strip() or _sentences(notice.headline, step)
    if notice.kind in {Kind.ALL_CLEAR, Kind.FALSE_ALARM} and notice.level_word.casefold() not in said.casefold():
        said = f"{notice.level_word}: {said}"
    where = "" if any(place and place in said for place in (notice.place, notice.area)) else notice.area or notice.place
    return _sentences(said, where)


def _sentences(*said: str) -> str:
    kept = [one.strip() for one in said if one.strip()]
    return " ".join(one if one.endswith((".", "!", "?", ":", ELLIPSIS)) else f"{one}." for one in kept)


def _tails(notice: Notice, leave: str) -> list[str]:
    """What stands after the words, the longest first; each ends in the link, which is never touched."""
    until = end = ""
    over = notice.exercise or notice.kind in {Kind.ALL_CLEAR, Kind.FALSE_ALARM}
    if notice.expires is not None and not over:
        until = plain(_("Valid until {time}.").format(time=moment(notice.expires)))
    if leave == "reply":
        end = plain(_("To end these texts: STOP."))
    elif leave == "link":
        # of two addresses, the one to read on must be told from the one to leave by
        leaving, on = plain(_("Unsubscribe:")), plain(_("Read on:"))
        end = f"{leaving} {notice.city.address}/s/leave/ {on}"
    tails = [(until, end, notice.url), (until, notice.url), (notice.url,)]
    return list(dict.fromkeys(" ".join(one for one in tail if one) for tail in tails))
