"""Whether a foreign warning concerns the city, and its area in few enough corners for a draft."""

from __future__ import annotations

import re
from dataclasses import replace

import shapely
from django.conf import settings

from alerts import areas
from alerts.content import Content, Polygon
from alerts.coordinates import MOST_KM

from .. import geocodes
from .found import Found

CORNERS, SHAPES = 400, 40


def fitted(content: Content) -> Content:
    """The area as a draft may have it: known districts, sound outlines, few corners; ``touched`` filled in."""
    content, _strange = geocodes.settled(content)
    circles = tuple(circle for circle in content.circles if 0 < circle.km <= MOST_KM)[: areas.MOST_SHAPES - SHAPES]
    content = replace(content, circles=circles, polygons=_sound(content.polygons))
    return replace(content, touched=areas.touched(content))


def _sound(polygons: tuple[Polygon, ...]) -> tuple[Polygon, ...]:
    shapes = [
        shapely.make_valid(shapely.Polygon([(lon, lat) for lat, lon in polygon.points]))
        for polygon in polygons
        if len(polygon.points) >= 4 and all(abs(lat) <= 90 and abs(lon) <= 180 for lat, lon in polygon.points)
    ]
    if not shapes:
        return ()
    return tuple(Polygon(ring) for ring in areas.rings_of(shapely.union_all(shapes), CORNERS)[:SHAPES])


def concerns_city(found: Found, content: Content) -> bool:
    """Whether it touches a district. What is not drawn at all is believed by the city's name."""
    if found.local or content.touched:
        return True
    if content.circles or content.polygons:
        return False
    named = re.compile(rf"\b{re.escape(settings.CITY_SHORT)}\b", re.IGNORECASE)
    return bool(settings.CITY_SHORT and named.search(found.area))
