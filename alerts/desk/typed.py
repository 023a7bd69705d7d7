"""Places and areas as officers type them: coordinates, metres, polygons; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils.translation import gettext as _

from ..content import Circle, Polygon

PAIR = re.compile(r"^\s*(-?\d{1,3}(?:[.,]\d+)?)\s*[,;\s]\s*(-?\d{1,3}(?:[.,]\d+)?)\s*$")
MOST_POINTS = 500


def point(text: str) -> tuple[float, float]:
    """``51.3348, 12.3727`` (also with decimal commas, ``51,3348; 12,3727``) as latitude and longitude.

    Raises ValueError with words for the officer.
    """
    match = PAIR.match(text.strip().strip("()"))
    if match is None:
        raise ValueError(_("Type latitude and longitude, like 51.3348, 12.3727."))
    lat, lon = (round(float(part.replace(",", ".")), 6) for part in match.groups())
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise ValueError(_("There is no such place: latitude runs to 90, longitude to 180."))
    return lat, lon


def circle(centre: str, metres: float) -> Circle:
    lat, lon = point(centre)
    return Circle(lat, lon, round(metres / 1000, 6))


def polygons(text: str) -> tuple[Polygon, ...]:
    """Polygons, one point a line, an empty line between two; a ring left open is closed. Raises ValueError."""
    found = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip()):
        points = [point(line) for line in block.splitlines() if line.strip()]
        if not points:
            continue
        if len(points) > MOST_POINTS:
            raise ValueError(_("An area may have {count} corners at most.").format(count=MOST_POINTS))
        if points[0] != points[-1]:
            points.append(points[0])
        if len(points) < 4:
            raise ValueError(_("An area needs three corners at least, one a line."))
        found.append(Polygon(tuple(points)))
    return tuple(found)


def show_point(lat: float, lon: float) -> str:
    return f"{lat:.6f}".rstrip("0").rstrip(".") + ", " + f"{lon:.6f}".rstrip("0").rstrip(".")


def show_polygons(shapes: Sequence[Polygon]) -> str:
    """What ``polygons`` reads, without the closing point."""
    return "\n\n".join("\n".join(show_point(*pair) for pair in shape.points[:-1]) for shape in shapes)
