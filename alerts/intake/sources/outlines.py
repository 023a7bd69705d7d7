"""Foreign outlines made sound and simple, in a time that no drawing of somebody else's can stretch; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from alerts.content import Polygon

MOST = 20_000
"""Corners of a message that are looked at."""
CORNERS, LEAST = 1600, 20
"""Corners that a message keeps in all, and each outline at least."""


def corners(shapes: Sequence[BaseGeometry]) -> int:
    return sum(int(shapely.get_num_coordinates(shape)) for shape in shapes)


def drawn(polygon: Polygon) -> BaseGeometry:
    return shapely.Polygon([(lon, lat) for lat, lon in polygon.points])


def simple(shapes: Sequence[BaseGeometry]) -> list[Polygon]:
    """An outline for each polygon among the shapes, without its holes.

    None is mended and none are united: lines of a few hundred corners that cross each other keep that busy for
    minutes. A line that crosses itself becomes its hull: rather too much is told than too little.
    """
    parts: list[Any] = [
        part for part in shapely.get_parts(list(shapes)) if part.geom_type == "Polygon" and not part.is_empty
    ]
    most = max(LEAST, CORNERS // max(1, len(parts)))
    outer: list[Any] = [_simpler(shapely.Polygon(part.exterior), most) for part in parts]
    rings = [[(round(lat, 6), round(lon, 6)) for lon, lat in ring.exterior.coords] for ring in outer if _is_sound(ring)]
    return [Polygon(tuple(ring)) for ring in rings if len(set(ring)) > 2]


def _simpler(ring: BaseGeometry, most: int) -> BaseGeometry:
    if not ring.is_valid:
        ring = shapely.convex_hull(ring)
    tolerance, found = 0.0001, ring
    while corners([found]) > most and tolerance < 10:
        # faster by far than with its topology preserved; what comes out crossed is not taken
        found = shapely.simplify(ring, tolerance, preserve_topology=False)
        if not _is_sound(found):
            ring = found = shapely.convex_hull(ring)
        tolerance *= 2
    return found


def _is_sound(ring: BaseGeometry) -> bool:
    return ring.geom_type == "Polygon" and not ring.is_empty and bool(ring.is_valid)
