"""The values of the form's fields: words of CAP, and districts and circles among a city's names; pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from ..content import Circle, District
from ..coordinates import parse_point, parse_radius
from ..terms import Category, Certainty, Severity, Urgency
from . import vocabulary
from .letters import fold, spellings

_WORDS = {
    "severity": vocabulary.SEVERITIES,
    "urgency": vocabulary.URGENCIES,
    "certainty": vocabulary.CERTAINTIES,
    "category": vocabulary.CATEGORIES,
}
_LABELS = {"severity": Severity, "urgency": Urgency, "certainty": Certainty, "category": Category}
_LIKE = 0.84
"""From here on (0 to 1) a mistyped word is taken for one that is known."""
_APART = 0.06
"""By so much the best has to be nearer than the second."""


def word(name: str, value: str) -> tuple[str, str]:
    """CAP's word for what was typed, and how that word is spelled where it was guessed; empty where unknown."""
    known = _known(name)
    folded = fold(value)
    for tried in (folded, re.sub(r"(?:gefahr|danger|e[rs]?)$", "", folded)):
        if tried in known:
            return known[tried], ""
    near = nearest(folded, known)
    return (known[near[0]], near[0]) if len(near) == 1 else ("", "")


@cache
def _known(name: str) -> dict[str, str]:
    """All that may be typed for CAP's words: these themselves, what the desk calls them, and officers' own words."""
    found = vocabulary.index({key: (str(key), *words) for key, words in _WORDS[name].items()})
    for language, _label in settings.LANGUAGES:
        with override(language):
            labels = {str(key): [str(label)] for key, label in _LABELS[name].choices}
            found |= vocabulary.index(labels)
    return found


def nearest(folded: str, known: Iterable[str]) -> list[str]:
    """The one that is meant by a mistyped name, or all that may be; none where nothing is near."""
    if len(folded) < 4:
        return []
    near = difflib.get_close_matches(folded, list(known), n=4, cutoff=_LIKE)
    ratios = [difflib.SequenceMatcher(None, name, folded).ratio() for name in near]
    if len(near) > 1 and ratios[0] - ratios[1] >= _APART:
        return near[:1]
    return near


@dataclass(frozen=True, slots=True)
class Name:
    """A district as it may be typed; ``inside`` is what it is part of, empty for the city itself."""

    code: str
    name: str
    inside: str


@dataclass(slots=True)
class Place:
    """What the words of an area came to; ``problems`` in plain words."""

    districts: list[District] = field(default_factory=list)
    circles: list[Circle] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


MOST_PIECES = 60
_NUMBER = r"[+-]?\d{1,3}[.,]\d{1,8}"
_COUNT = r"\d[\d.,]{0,8}\s?(?:km|kilomet\w{2,3}|m|met\w{2,3})\b"
_AROUND = r"(?:(?:im\s+)?(?:um)?kreis(?:\s+von)?|radius(?:\s+(?:von|of))?|within|r)"
_CIRCLE = re.compile(
    rf"(?:(?P<before>{_COUNT})\s*(?:um|rund\s+um|around|of)\s+)?"
    rf"(?P<pair>{_NUMBER}\s?°?\s?[NS]?\s?[,;/ ]\s?{_NUMBER}\s?°?\s?[EOW]?)(?!\d)"
    rf"(?:[\s,;()]*(?:{_AROUND}\s*[:=]?\s*)?(?P<after>{_COUNT}))?\)?",
    re.IGNORECASE,
)
_POSTCODE = re.compile(r"(?<!\d)\d{5}(?!\d)")
_WHOLE = {
    fold(words)
    for words in (
        "ganze Stadt", "die ganze Stadt", "gesamte Stadt", "Stadtgebiet", "gesamtes Stadtgebiet", "ganzes Stadtgebiet",
        "whole city", "the whole city", "entire city", "all of the city",
    )
}  # fmt: skip
_ADORNED = re.compile(
    r"^(?:(?:in|im|der|die|das|the|den|ganz|stadtteile?|ortsteile?|stadtbezirke?|bezirke?|districts?|area|gebiet)\s+)+"
    r"|\s+(?:district|stadtteil|ortsteil|bezirk)$",
    re.IGNORECASE,
)


def place(words: str, names: Sequence[Name]) -> Place:
    """Districts and circles that an area's words name among ``names``. What may mean several means none."""
    found = Place()
    rest = _CIRCLE.sub(lambda circle: _circle(circle, found), words[:4000])
    known: dict[str, list[Name]] = {}
    for name in names:
        for spelling in spellings(name.name) | {fold(name.code)}:
            known.setdefault(spelling, []).append(name)
    cities = [name for name in names if not name.inside]
    pieces = [piece for line in re.split(r"[\n;]", rest) for piece in _pieces(line, known)]
    for piece in pieces[:MOST_PIECES]:
        _district(piece, known, cities, found)
    return found


def _circle(match: re.Match[str], found: Place) -> str:
    count = match["after"] or match["before"]
    try:
        lat, lon = parse_point(match["pair"])
        if not count:
            words = _("“{words}” has no radius. Write it behind, like 51.33, 12.37 600 m.")
            found.problems.append(words.format(words=match["pair"].strip()))
        else:
            found.circles.append(Circle(lat, lon, parse_radius(count)))
    except ValueError as error:
        found.problems.append(f"“{match[0].strip()}”: {error}")
    return ";"


def _pieces(line: str, known: Mapping[str, object]) -> list[str]:
    """A line cut at commas and at "und", unless a district's own name has them."""
    pieces = [line]
    for mark in (r",", r"\s*/\s*|\s+(?:und|and|sowie|&|\+)\s+"):
        pieces = [
            part
            for piece in pieces
            for part in ([piece] if fold(piece) in known else re.split(mark, piece, flags=re.I))
        ]
    return [piece.strip(" \t.•·*–—-\"'„“”()") for piece in pieces if fold(piece)]


def _district(piece: str, known: Mapping[str, Sequence[Name]], cities: Sequence[Name], found: Place) -> None:
    tried = [fold(piece), fold(_ADORNED.sub("", piece))]
    tried += [folded.removeprefix(fold(city.name)) for folded in tried[:] for city in cities]
    tried = [folded for folded in dict.fromkeys(tried) if folded]
    if set(tried) & _WHOLE and len(cities) == 1:
        meant = [cities[0]]
    else:
        meant = next((list(known[folded]) for folded in tried if folded in known), [])
    guessed = False
    if not meant and _POSTCODE.search(piece):
        words = _("“{words}”: postcodes are not known here. Name the districts, or write 51.33, 12.37 600 m.")
        found.problems.append(words.format(words=piece))
        return
    if not meant:
        near = [name for spelling in nearest(tried[-1], known) for name in known[spelling]]
        near = near or [name for spelling, names in known.items() for name in names if spelling.startswith(tried[0])]
        meant, guessed = list(dict.fromkeys(near)), True
    if not meant:
        words = _("“{words}” is none of the city's districts. Write a district's name, or 51.33, 12.37 600 m.")
        found.problems.append(words.format(words=piece[:80]))
        return
    if len(meant) > 1:
        words = _("“{words}” may be {names}. Write which.")
        found.problems.append(words.format(words=piece[:80], names=_either(meant)))
        return
    if guessed:
        words = _("“{words}” was read as {name}. Check it.")
        found.problems.append(words.format(words=piece[:80], name=meant[0].name))
    district = District(meant[0].code, meant[0].name)
    if district not in found.districts:
        found.districts.append(district)


def _either(names: Sequence[Name]) -> str:
    same = len({name.name for name in names}) < len(names)
    shown = [f"{name.name} ({name.inside})" if same and name.inside else name.name for name in names[:8]]
    return _(" or ").join(filter(None, (", ".join(shown[:-1]), shown[-1])))
