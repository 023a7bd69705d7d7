"""Places and radii as people type them, points or commas for decimals; pure."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

MOST_KM = 100
"""The largest radius in kilometres that is taken for meant."""

_LONGEST = 100
_NUMBER = r"[+-]?\d{1,3}"
_LETTERS = {"": 1, "n": 1, "e": 1, "o": 1, "s": -1, "w": -1}
_PAIRS = [
    # 51.3348, 12.3727; 51.3348 12.3727: a comma alone separates only where a point shows the decimals.
    re.compile(rf"({_NUMBER}\.\d+)\s*°?\s*([ns]?)[\s,;/]+({_NUMBER}(?:\.\d+)?)\s*°?\s*([eow]?)", re.IGNORECASE),
    re.compile(rf"({_NUMBER})\s*°?\s*([ns]?)[\s,;/]+({_NUMBER}\.\d+)\s*°?\s*([eow]?)", re.IGNORECASE),
    # 51,3348 12,3727; 51,3348; 12,3727; 51 12
    re.compile(
        rf"({_NUMBER}(?:,\d+)?)\s*°?\s*([ns]?)(?:,?\s+|\s*[;/]\s*)({_NUMBER}(?:,\d+)?)\s*°?\s*([eow]?)", re.IGNORECASE
    ),
    # 51,3348,12,3727
    re.compile(rf"({_NUMBER},\d+)()\s*,\s*({_NUMBER},\d+)()"),
]
_RADIUS = re.compile(
    r"(?P<count>[1-9]\d{0,2}(?:[.,\s]\d{3})+|\d+(?:[.,]\d+)?)\s*(?P<unit>km|kilomet(?:er|ern|re|res|ers)|m|met(?:er|ern|re|res|ers))",
    re.IGNORECASE,
)


def parse_point(text: str) -> tuple[float, float]:
    """``51.3348, 12.3727``, ``51,3348 12,3727``, ``51.3348° N 12.3727° E`` as (lat, lon) in degrees.

    Raises ValueError with words for the officer.
    """
    match = _pair(text)
    if match is None:
        raise ValueError(_("Type latitude and longitude, like 51.3348, 12.3727."))
    lat, north, lon, east = match.groups()
    point = _degrees(lat, north), _degrees(lon, east)
    if not (-90 <= point[0] <= 90 and -180 <= point[1] <= 180):
        raise ValueError(_("There is no such place. Latitude runs from −90 to 90, longitude from −180 to 180."))
    return point


def parse_radius(text: str) -> float:
    """``600 m``, ``1.500 m``, ``0,6 km`` as kilometres; raises ValueError with words for the officer."""
    match = _RADIUS.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(_("Type the radius with its unit, like 600 m or 1.5 km."))
    count, unit = match["count"], match["unit"].lower()
    # Nobody gives metres to the millimetre: in "1.500 m" and "1,500 m" the mark parts thousands.
    if not unit.startswith("k") or len(re.findall(r"[.,\s]", count)) > 1:
        count = re.sub(r"[.,\s](?=\d{3}(?:\D|$))", "", count)
    km = float(re.sub(r"\s", "", count).replace(",", "."))
    km = round(km if unit.startswith("k") else km / 1000, 6)
    if not 0 < km <= MOST_KM:
        raise ValueError(_("The radius must be more than 0 and at most {km} kilometres.").format(km=MOST_KM))
    return km


def _pair(text: str) -> re.Match[str] | None:
    text = text.strip().strip("()[]").strip()
    if len(text) > _LONGEST:
        return None
    return next((found for pattern in _PAIRS if (found := pattern.fullmatch(text))), None)


def _degrees(number: str, letter: str) -> float:
    return round(_LETTERS[letter.lower()] * float(number.replace(",", ".")), 6)
