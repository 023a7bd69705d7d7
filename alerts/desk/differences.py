"""What changed between two contents, word by word; pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from django.utils.translation import gettext as _

from ..content import Content, Text
from ..notice import area_text, moment
from ..terms import Category, Certainty, ResponseType, Severity, Urgency, language_name

TOKEN = re.compile(r"\s+|[^\s]+")
MOST_TOKENS = 4000
"""Longer texts are shown as wholly replaced: comparing takes time that grows with the square."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words: ``how`` is same, added or removed."""

    how: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the comparison; ``language`` is the ``lang`` of its words, empty for the interface's."""

    label: str
    language: str
    pieces: tuple[Piece, ...]

    @property
    def same(self) -> bool:
        return all(piece.how == "same" for piece in self.pieces)


def pieces(before: str, after: str) -> tuple[Piece, ...]:
    """``before`` and ``after`` as runs of words that stay, go and come."""
    if before == after:
        return (Piece("same", after),) if after else ()
    old, new = TOKEN.findall(before), TOKEN.findall(after)
    if len(old) > MOST_TOKENS or len(new) > MOST_TOKENS:
        return tuple(piece for piece in (Piece("removed", before), Piece("added", after)) if piece.text)
    found: list[Piece] = []
    for how, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if how == "equal":
            found.append(Piece("same", "".join(old[a:b])))
            continue
        if a < b:
            found.append(Piece("removed", "".join(old[a:b])))
        if c < d:
            found.append(Piece("added", "".join(new[c:d])))
    return tuple(found)


def compare(before: Content | None, after: Content, extra: tuple[tuple[str, str, str], ...] = ()) -> list[Change]:
    """Every line of ``after`` against ``before`` (None: all is new), in the active language.

    ``extra`` are further lines of label, old and new value. Lines empty on both sides are left out.
    """
    old = dict(_lines(before)) if before else {}
    changes = []
    for (label, language), value in _lines(after):
        changes.append(Change(label, language, pieces(old.pop((label, language), ""), value)))
    for (label, language), value in old.items():
        changes.append(Change(label, language, pieces(value, "")))
    changes += [Change(label, "", pieces(first, second)) for label, first, second in extra]
    return [change for change in changes if change.pieces]


def _lines(content: Content) -> Iterator[tuple[tuple[str, str], str]]:
    """Label and language, then the value as an officer reads it."""
    yield (_("Level"), ""), str(_label(Severity, content.severity))
    yield (_("Urgency"), ""), _label(Urgency, content.urgency)
    yield (_("Certainty"), ""), _label(Certainty, content.certainty)
    yield (_("Kind of danger"), ""), ", ".join(_label(Category, word) for word in content.category)
    yield (_("What to do, as a code"), ""), ", ".join(_label(ResponseType, word) for word in content.response)
    yield (_("Place"), ""), content.place
    yield (_("Area"), ""), area_text(content)
    yield (_("Facts as of"), ""), _time(content.facts_at)
    yield (_("Begins"), ""), _time(content.onset or content.effective)
    yield (_("Holds until"), ""), _time(content.expires) or _for(content.valid_for)
    yield (_("Next message by"), ""), _time(content.next_by) or _for(content.next_in)
    for language, text in content.texts.items():
        for label, value in _words(text):
            yield (f"{language_name(language)}: {label}", language), value
    yield (_("Contact"), ""), content.contact
    yield (_("Link"), ""), content.web
    yield (_("Note"), ""), content.note


def _words(text: Text) -> Iterator[tuple[str, str]]:
    yield _("event"), text.event
    yield _("headline"), text.headline
    yield _("what to do"), "\n".join(text.steps)
    yield _("description"), text.description
    yield _("short text"), text.short


def _label(words: type[Severity | Urgency | Certainty | Category | ResponseType], value: str) -> str:
    return str(words(value).label) if value in words.values else value


def _time(value: dt.datetime | None) -> str:
    return moment(value) if value else ""


def _for(minutes: int | None) -> str:
    return _("{duration} after release").format(duration=duration(minutes)) if minutes else ""


def duration(minutes: int) -> str:
    """Minutes as people say them: ``45 min``, ``4 h``, ``1 h 30 min``, ``2 days``; active language."""
    if minutes and minutes % (24 * 60) == 0 and minutes > 24 * 60:
        return _("{count} days").format(count=minutes // (24 * 60))
    if minutes < 1:
        return _("less than 1 min")
    hours, rest = divmod(minutes, 60)
    parts = [_("{count} h").format(count=hours)] if hours else []
    if rest or not hours:
        parts.append(_("{count} min").format(count=rest))
    return " ".join(parts)
