"""The map of a card: the alert's area among the districts, with their names; by the same rules as the page's map."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from PIL import Image, ImageDraw
from shapely.geometry.base import BaseGeometry

from alerts.content import Circle
from alerts.maplabels import BIG, SMALL, Font, Labels
from alerts.maps import LEAST_RING, MOST_NAMES, expanded, leaves, meets, sane_circle, sane_polygon
from alerts.mapsheet import Frame, disc_of, shape_of
from alerts.notice import Notice
from alerts.public import PublicArea

from .colours import INK, MAP_AREA, MAP_GROUND, MAP_LABEL, MAP_LINE, Colour, Look, area_of, cover
from .drawing import Box, Sheet
from .fonts import Weight, drawable, width

FINE = 2
"""Lines and areas are drawn so many times as large, then reduced."""

ZOOM = 1.75
"""Pixels of the card for one of the page's map, in which names are placed: a card is seen as a thumbnail."""

FINEST = 0.8
"""Pixels of the page's map that a border may be off."""

FILL_SHAPES, FILL_DISTRICTS = (0.7, 0.84), (0.9, 0.88)


@dataclass(frozen=True, slots=True)
class Ground:
    """What one alert's maps are drawn from, in degrees: read once for all of its cards.

    ``whole`` are the districts that are coloured as a whole, ``touched`` those that the alert touches.
    """

    circles: tuple[Circle, ...]
    shapes: tuple[BaseGeometry, ...]
    districts: Mapping[str, tuple[str, BaseGeometry]]
    touched: frozenset[str]
    whole: frozenset[str]

    @property
    def focus(self) -> list[BaseGeometry]:
        """What must be seen; empty where there is nothing to draw."""
        return [*self.shapes, *(self.districts[code][1] for code in sorted(self.whole))]


def ground_of(notice: Notice, areas: Sequence[PublicArea]) -> Ground:
    """``areas`` are all districts of the city; shapes that nobody could draw are left out."""
    circles = tuple(circle for circle in notice.circles if sane_circle(circle))
    polygons = [shape_of(polygon) for polygon in notice.polygons if sane_polygon(polygon)]
    shapes = (*map(disc_of, circles), *polygons)
    districts = leaves(areas)
    touched = expanded(areas, {district.code for district in notice.districts})
    whole = {code for code in touched if code in districts and not meets(districts[code][1], shapes)}
    return Ground(circles, shapes, districts, frozenset(touched), frozenset(whole))


class CardMap:
    """One alert's map for a panel of this size in pixels; the ground's ``focus`` may not be empty."""

    def __init__(self, ground: Ground, wide: int, high: int) -> None:
        self.size = round(wide / ZOOM), round(high / ZOOM)
        self.circles = ground.circles
        fill = FILL_SHAPES if ground.shapes else FILL_DISTRICTS
        self.frame = Frame.around(ground.focus, fill, *self.size)
        self.view = self._view(ground.districts)
        if len(self.view) == 1 and len(ground.districts) > 1:  # else not a single border would be seen
            self.frame = Frame.around(ground.focus, (fill[0] * 0.6, fill[1] * 0.6), *self.size)
            self.view = self._view(ground.districts)
        self.names = {code: drawable(name) for code, (name, _shape) in ground.districts.items()}
        self.touched = ground.touched
        self.whole = ground.whole & self.view.keys()
        self.outline = shapely.union_all([self.view[code].buffer(0.05, quad_segs=1) for code in sorted(self.whole)])
        self.zones = [self.frame.project(shape) for shape in ground.shapes]

    def _view(self, districts: Mapping[str, tuple[str, BaseGeometry]]) -> dict[str, BaseGeometry]:
        edge = shapely.box(-8, -8, self.size[0] + 8, self.size[1] + 8)
        near = {code: self.frame.project(shape) for code, (_name, shape) in districts.items()}
        near = {code: shape for code, shape in near.items() if shape.intersects(edge)}
        # Neighbours keep their common border, in as many points as can be told apart
        simple = shapely.coverage_simplify(np.array(list(near.values()), dtype=object), FINEST)
        found = {code: self._seen(shape) for code, shape in zip(near, simple, strict=True)}
        return {code: shape for code, shape in found.items() if not shape.is_empty}

    def _seen(self, shape: BaseGeometry) -> BaseGeometry:
        return shapely.clip_by_rect(shape, -8, -8, self.size[0] + 8, self.size[1] + 8)

    def draw(self, sheet: Sheet, box: Box, look: Look, radius: str) -> None:
        """The map into its box; ``radius`` are the words for the first circle."""
        sheet.image.paste(self._ground(box, look), (box.left, box.top))
        # Names keep off the edges of what is coloured
        coloured = [self.outline] if self.whole else []
        labels = Labels(*self.size, [*self.zones, *coloured])
        pen = _Writing(sheet, box, labels)
        self._pins(sheet, box, pen, look, radius)
        self._names(pen)

    # Lines and areas

    def _ground(self, box: Box, look: Look) -> Image.Image:
        scale = ZOOM * FINE
        large = Image.new("RGB", (box.width * FINE, box.height * FINE), MAP_GROUND)
        pen = ImageDraw.Draw(large)
        for code, shape in self.view.items():
            for ring in _outer(shape, scale):
                pen.polygon(ring, fill=area_of(look) if code in self.whole else MAP_AREA)
        for shape in self.view.values():
            for ring in _rings(shape, scale):
                pen.line(ring, fill=MAP_LINE, width=4 * FINE, joint="curve")
        if self.whole:
            for ring in _rings(self.outline, scale):
                pen.line(ring, fill=look.ink, width=5 * FINE, joint="curve")
        for zone in self.zones:
            seen = self._seen(zone)
            mask = Image.new("L", large.size)
            for ring in _outer(seen, scale):
                ImageDraw.Draw(mask).polygon(ring, fill=round(cover(look) * 255))
            large.paste(look.fill, (0, 0), mask)
            for ring in _rings(seen, scale):
                pen.line([*ring, *ring[1:3]], fill=look.ink, width=7 * FINE, joint="curve")
        return large.reduce(FINE)

    # What stands on it

    def _pins(self, sheet: Sheet, box: Box, pen: _Writing, look: Look, radius: str) -> None:
        for circle in self.circles:
            x, y, high = self.frame.circle(circle)
            if not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
                continue
            self._pin(sheet, box, (x, y), high, look)
            clear = max(8, LEAST_RING + 10 if high < LEAST_RING else 0)
            pen.labels.block(x - clear, y - clear, x + clear, y + clear)
            if radius and circle is self.circles[0]:
                pen.radius(radius, x, y, high)

    @staticmethod
    def _pin(sheet: Sheet, box: Box, place: tuple[int, int], high: int, look: Look) -> None:
        """A dot in the middle; a ring around it where the circle itself would hardly be seen."""
        x, y = box.left + place[0] * ZOOM, box.top + place[1] * ZOOM
        half = 9
        dot = Image.new("L", (half * 8 + 4, half * 8 + 4))
        ImageDraw.Draw(dot).ellipse((1, 1, half * 8 + 2, half * 8 + 2), fill=255)
        small = dot.reduce(4)
        sheet.image.paste(look.ink, (round(x - small.width / 2), round(y - small.height / 2)), small)
        if high < LEAST_RING:
            wide = round((LEAST_RING + 8) * ZOOM)
            if box.left + wide < x < box.right - wide and box.top + wide < y < box.bottom - wide:
                sheet.pen.ellipse((x - wide, y - wide, x + wide, y + wide), outline=look.ink, width=5)

    def _names(self, pen: _Writing) -> None:
        """Those of the alert first and bold, then the largest neighbours, where there is room."""
        order = sorted(self.view, key=lambda code: (code not in self.touched, -self.view[code].area, code))
        if len(order) > 2 * MOST_NAMES:
            order = [code for code in order if code in self.touched]
        if len(order) > 2 * MOST_NAMES:
            return
        for code in order[:MOST_NAMES]:
            name = self.names[code]
            strong = code in self.touched
            tries = [(BIG, 0.85), (SMALL, 0.85)] if strong else [(SMALL, 0.85)]
            if self.whole == {code}:
                tries.append((SMALL, 0.4))
            if name:
                pen.name(name, self.view[code], tries, INK if strong else MAP_LABEL)


class _Writing:
    """Names on the sheet; places are counted in pixels of the page's map and drawn ``ZOOM`` times as large."""

    def __init__(self, sheet: Sheet, box: Box, labels: Labels) -> None:
        self.sheet, self.box, self.labels = sheet, box, labels

    def name(self, name: str, shape: BaseGeometry, tries: Sequence[tuple[Font, float]], colour: Colour) -> None:
        for font, need in tries:
            spot = self.labels.place(name, font, shape, need)
            if spot is not None:
                for number, line in enumerate(spot.lines):
                    self._put(line, font, spot.x, spot.y + 20 * number, INK if spot.within else colour)
                return

    def radius(self, words: str, x: int, y: int, high: int) -> None:
        """Below the pin where the circle is wide enough for it, else below the circle."""
        half = width(words, "bold", round(BIG.size * ZOOM)) / ZOOM / 2 + 5
        base = y + 30 if math.hypot(half, 32) < high else y + max(high, LEAST_RING + 8) + 24
        # Half a radius says something else: where it has no room, the line above the map tells it
        if half < x < self.labels.width - half and base < self.labels.height - 8:
            self._put(words, BIG, x, base, INK)
            self.labels.block(x - half, base - 20, x + half, base + 6)

    def _put(self, words: str, font: Font, x: float, base: float, colour: Colour) -> None:
        weight: Weight = "bold" if font.strong else "plain"
        place = self.box.left + x * ZOOM, self.box.top + base * ZOOM
        self.sheet.text(words, weight, round(font.size * ZOOM), place, colour, "ms")


def _outer(shape: BaseGeometry, scale: float) -> Iterator[list[tuple[float, float]]]:
    """Each polygon's ground, in large pixels; holes are filled by what is drawn later."""
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon":
            yield _points(part.exterior, scale)


def _rings(shape: BaseGeometry, scale: float) -> Iterator[list[tuple[float, float]]]:
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon":
            for ring in (part.exterior, *part.interiors):
                yield _points(ring, scale)


def _points(ring: BaseGeometry, scale: float) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in shapely.get_coordinates(ring) * scale]
