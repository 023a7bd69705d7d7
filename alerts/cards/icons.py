"""The signs of a card: a shape of its own for each level, the pin and the tower; drawn from the look's paths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw

GRID = 24
FINE = 8
"""Drawn so many times as large, then reduced: clean edges at any size."""

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A polygon; with two points, the disc between these corners of its box. ``cut`` parts are holes."""

    points: Points
    cut: bool = False


def _cut(*points: tuple[float, float]) -> Part:
    return Part(points, cut=True)


def _bar(left: float, top: float, right: float, bottom: float, *, cut: bool = True) -> Part:
    return Part(((left, top), (right, top), (right, bottom), (left, bottom)), cut)


ICONS: dict[str, tuple[Part, ...]] = {
    "extreme": (
        Part(((7.6, 1.5), (16.4, 1.5), (22.5, 7.6), (22.5, 16.4), (16.4, 22.5), (7.6, 22.5), (1.5, 16.4), (1.5, 7.6))),
        _cut((10.6, 5.5), (13.4, 5.5), (12.9, 14), (11.1, 14)),
        _bar(10.5, 16, 13.5, 18.8),
    ),
    "severe": (
        Part(((12, 1.8), (23.3, 21.5), (0.7, 21.5))),
        _cut((10.7, 8.5), (13.3, 8.5), (12.9, 14.9), (11.1, 14.9)),
        _bar(10.7, 16.4, 13.3, 18.9),
    ),
    "moderate": (
        Part(((12, 0.8), (23.2, 12), (12, 23.2), (0.8, 12))),
        _cut((10.7, 6.2), (13.3, 6.2), (12.9, 13.4), (11.1, 13.4)),
        _bar(10.7, 15.2, 13.3, 17.8),
    ),
    "minor": (
        Part(((1.2, 1.2), (22.8, 22.8))),
        _bar(10.7, 5.6, 13.3, 8.2),
        _bar(10.7, 10, 13.3, 18.4),
    ),
    "clear": (
        _bar(4, 1.5, 20, 22.5, cut=False),
        _bar(1.5, 4, 22.5, 20, cut=False),
        *(Part(((x, y), (x + 5, y + 5))) for x in (1.5, 17.5) for y in (1.5, 17.5)),
        _cut((6, 12.2), (8, 10.2), (10.8, 13), (16.2, 7.6), (18.2, 9.6), (10.8, 17)),
    ),
    "exercise": (
        _bar(1, 3, 23, 21, cut=False),
        _cut((3.5, 13.5), (3.5, 9.5), (8, 5.5), (12.3, 5.5)),
        _cut((3.5, 18.5), (16, 5.5), (20.3, 5.5), (7.8, 18.5)),
        _cut((11.7, 18.5), (20.7, 9.2), (20.7, 13.5), (15.9, 18.5)),
    ),
    "pin": (
        Part(((4.5, 1), (19.5, 16))),
        Part(((5.4, 12), (18.6, 12), (12, 23))),
        _cut((9.2, 5.7), (14.8, 11.3)),
    ),
    # 36 units high
    "tower": (
        Part(((12, 0), (21, 10.5), (21, 13), (3, 13), (3, 10.5))),
        _bar(4.5, 15, 19.5, 36, cut=False),
        _cut((8.4, 17), (15.6, 24.2)),
        _cut((8.4, 20.6), (15.6, 20.6), (15.6, 23.5), (17, 25.5), (17, 26.5), (7, 26.5), (7, 25.5), (8.4, 23.5)),
        _cut((8.75, 27.25), (15.25, 33.75)),
        _bar(8.75, 30.5, 15.25, 36),
    ),
}


@lru_cache(maxsize=64)
def icon(name: str, size: int) -> Image.Image:
    """A mask ``size`` pixels wide and as high as the sign needs."""
    scale = size * FINE / GRID
    high = 36 if name == "tower" else GRID
    sheet = Image.new("L", (size * FINE, round(high * scale)))
    pen = ImageDraw.Draw(sheet)
    for part in ICONS[name]:
        points = [(x * scale, y * scale) for x, y in part.points]
        if len(points) == 2:
            pen.ellipse(points, fill=0 if part.cut else 255)
        else:
            pen.polygon(points, fill=0 if part.cut else 255)
    return sheet.resize((size, round(high * size / GRID)), Image.Resampling.BOX)
