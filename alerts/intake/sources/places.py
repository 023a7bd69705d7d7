"""Whether a foreign warning concerns the city, and its area in few enough corners for a draft."""

from __future__ import annotations

import re
from dataclasses import replace

import shapely
from django.conf import settings

from alerts import areas
from alerts.content import Content, Polygon
from alerts.coordinates import MOST_KM
from alerts.models import Area

from .. import geocodes
from . import outlines
from .found import Found

SHAPES = 40
"""Outlines that a draft begins with: those nearest to the city."""


def fitted(content: Content) -> Content:
    """The area as a draft may have it: known districts, sound outlines, few corners; ``touched`` filled in."""
    content, _strange = geocodes.settled(content)
    circles = tuple(circle for circle in content.circles if 0 < circle.km <= MOST_KM)[: areas.MOST_SHAPES - SHAPES]
    content = replace(content, circles=circles, polygons=_nearest(content.polygons))
    return replace(content, touched=areas.touched(content))


def _nearest(polygons: tuple[Polygon, ...]) -> tuple[Polygon, ...]:
    """As few as a draft may have. A warning for a whole country has hundreds, most of them far from here."""
    found = outlines.simple([outlines.drawn(polygon) for polygon in polygons if len(polygon.points) >= 4])
    if len(found) > SHAPES:
        city = Area.objects.filter(parent=None, active=True).values_list("code", flat=True)
        rings = [point for ring in areas.union_rings(city) for point in ring]
        centre = shapely.centroid(shapely.MultiPoint([(lon, lat) for lat, lon in rings] or [(0, 0)]))
        found.sort(key=lambda polygon: float(shapely.distance(outlines.drawn(polygon), centre)))
        found = outlines.simple([outlines.drawn(polygon) for polygon in found[:SHAPES]])
    return tuple(found)


def concerns_city(found: Found, content: Content) -> bool:
    """Whether it touches a district. What is not drawn at all is believed by the city's name."""
    if found.local or content.touched:
        return True
    if content.circles or content.polygons:
        return False
    named = re.compile(rf"\b{re.escape(settings.CITY_SHORT)}\b", re.IGNORECASE)
    return bool(settings.CITY_SHORT and named.search(found.area))
