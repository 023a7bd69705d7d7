"""Where a message holds, as rings and GeoJSON: circles become polygons, overlaps become one; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import shapely

from alerts.content import Circle, Polygon

CORNERS = 64
EARTH_KM = 6371.0088
"""The mean radius: a circle of 600 m comes out within 2 m of WGS 84's."""
DECIMALS = 6

Ring = Sequence[tuple[float, float]]


def circle_ring(lat: float, lon: float, km: float) -> list[tuple[float, float]]:
    """A circle as a closed ring of ``(lat, lon)`` with 64 corners, anticlockwise, all ``km`` from the centre."""
    angle, lat, lon = km / EARTH_KM, math.radians(lat), math.radians(lon)
    ring = []
    for corner in range(CORNERS):
        bearing = -2 * math.pi * corner / CORNERS
        north = math.asin(math.sin(lat) * math.cos(angle) + math.cos(lat) * math.sin(angle) * math.cos(bearing))
        east = lon + math.atan2(
            math.sin(bearing) * math.sin(angle) * math.cos(lat), math.cos(angle) - math.sin(lat) * math.sin(north)
        )
        ring.append((round(math.degrees(north), DECIMALS), round(math.degrees(east), DECIMALS)))
    return [*ring, ring[0]]


def geometry(circles: Iterable[Circle], polygons: Iterable[Polygon], rings: Iterable[Ring]) -> dict[str, Any] | None:
    """All shapes of a message together as a valid GeoJSON geometry (lon, lat; RFC 7946); None where there is none.

    ``rings`` are outlines of districts, ``(lat, lon)`` like polygons.
    """
    closed = [
        *(circle_ring(circle.lat, circle.lon, circle.km) for circle in circles),
        *(polygon.points for polygon in polygons),
        *rings,
    ]
    shapes = [shapely.make_valid(shapely.Polygon([(lon, lat) for lat, lon in ring])) for ring in closed]
    together = shapely.set_precision(shapely.union_all(shapes), 10**-DECIMALS)
    parts = [
        _coordinates(part)
        for part in shapely.get_parts(shapely.orient_polygons(together))
        if part.geom_type == "Polygon" and not part.is_empty
    ]
    if not parts:
        return None
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


def _coordinates(polygon: shapely.Polygon) -> list[list[list[float]]]:
    return [
        [[round(lon, DECIMALS), round(lat, DECIMALS)] for lon, lat in ring.coords]
        for ring in (polygon.exterior, *polygon.interiors)
    ]
