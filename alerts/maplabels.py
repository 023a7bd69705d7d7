"""Where names stand on a map: inside their district, inside the frame and clear of each other; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

STEP = 8
"""Side of a cell in pixels: all room on the map is counted in cells."""
MARGIN = 6
LINE = 20

NARROW = frozenset("ijlftrI.,:;'()[]|/! ")
BROAD = frozenset("mwMW@%—…")


@dataclass(frozen=True, slots=True)
class Font:
    """A size of the stylesheet in pixels. Widths are estimates on the safe side: the reader's font is unknown."""

    size: int
    strong: bool

    def width(self, text: str) -> float:
        ems = 0.0
        for letter in text:
            if letter in NARROW:
                ems += 0.40
            elif letter in BROAD:
                ems += 0.96
            elif letter.isupper() or ord(letter) > 0x2000:
                ems += 0.74
            else:
                ems += 0.61
        return ems * self.size * (1.1 if self.strong else 1.0)


# .map-label and .map-strong, .map-small, .map-note of belfry.css
BIG, SMALL, NOTE = Font(19, strong=True), Font(17, strong=False), Font(30, strong=True)


def lines_of(text: str, font: Font, wide: float) -> list[str]:
    """The text in one or two lines no wider than ``wide``, cut with an ellipsis; empty where hardly a word fits."""
    if font.width(text) <= wide:
        return [text]
    breaks = sorted(_breaks(text), key=lambda place: abs(len(text) / 2 - place))
    for place in breaks:
        lines = [text[:place].rstrip(), text[place:].lstrip()]
        if all(font.width(line) <= wide for line in lines):
            return lines
    if font.width("Mmmmmmm…") > wide:
        return []
    full = [place for place in breaks if font.width(text[:place].rstrip()) <= wide]
    if not full:
        return [_cut(text, font, wide)]
    return [text[: max(full)].rstrip(), _cut(text[max(full) :].lstrip(), font, wide)]


def _cut(text: str, font: Font, wide: float) -> str:
    while text and font.width(f"{text}…") > wide:
        text = text[:-1].rstrip(" ,;.-–/")
    return f"{text}…"


def _breaks(text: str) -> list[int]:
    """Where a line may end: at a blank, and after a hyphen."""
    return [
        place + (letter in "-–/") for place, letter in enumerate(text) if letter in " -–/" and 2 < place < len(text) - 3
    ]


@dataclass(frozen=True, slots=True)
class Spot:
    """A name's place: lines, middle, base line of the first, and the box that it takes.

    ``share`` of it lies in its own district; ``within`` where all of it lies on the alert's own shape.
    """

    lines: list[str]
    x: float
    y: float
    box: tuple[int, int, int, int]
    score: float
    share: float
    within: bool


class Labels:
    """The room left on a sheet. ``zones`` are the alert's shapes in pixels: names keep off their edges."""

    def __init__(self, width: int, height: int, zones: Sequence[BaseGeometry]) -> None:
        self.columns, self.rows = math.ceil(width / STEP), math.ceil(height / STEP)
        self.width, self.height = width, height
        xs, ys = np.meshgrid((np.arange(self.columns) + 0.5) * STEP, (np.arange(self.rows) + 0.5) * STEP)
        self.xs, self.ys = xs, ys
        self.taken = np.zeros(xs.shape, dtype=np.bool_)
        self.zone = self.taken.copy()
        self.edge = self.taken.copy()
        self.taken[(xs < MARGIN) | (xs > width - MARGIN) | (ys < MARGIN) | (ys > height - MARGIN)] = True
        for zone in zones:
            self.zone[self._cells(zone)] = True
            self.edge[self._cells(zone.boundary.buffer(STEP))] = True

    def _cells(self, shape: BaseGeometry) -> NDArray[np.bool_]:
        shapely.prepare(shape)
        return np.asarray(shapely.contains_xy(shape, self.xs, self.ys), dtype=np.bool_)

    def block(self, left: float, top: float, right: float, bottom: float) -> None:
        """Nothing else may stand here."""
        self.taken[self._window(left, top, right, bottom)] = True

    def free(self, left: float, top: float, right: float, bottom: float) -> bool:
        return not self.taken[self._window(left, top, right, bottom)].any()

    def _window(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        return (
            slice(max(0, int(top // STEP)), max(0, math.ceil(bottom / STEP))),
            slice(max(0, int(left // STEP)), max(0, math.ceil(right / STEP))),
        )

    def place(self, name: str, font: Font, shape: BaseGeometry, need: float) -> Spot | None:
        """The best place for a name of which at least ``need`` (a share) lies in its district; takes it."""
        inside = self._cells(shape)
        found = [spot for lines in _layouts(name, font) if (spot := self._best(lines, font, inside, need))]
        if not found:
            return None
        best = max(found, key=lambda spot: spot.score)
        self.block(*best.box)
        return best

    def _best(self, lines: list[str], font: Font, inside: NDArray[np.bool_], need: float) -> Spot | None:
        wide = math.ceil((max(map(font.width, lines)) + 10) / STEP)
        high = math.ceil((font.size + 4 + LINE * (len(lines) - 1)) / STEP)
        if wide >= self.columns or high >= self.rows or not inside.any():
            return None
        share = _sums(inside, high, wide) / (high * wide)
        possible = (_sums(self.taken | self.edge, high, wide) == 0) & (share >= need)
        if not possible.any():
            return None
        crowded = _sums(np.pad(self.taken, 2), high + 4, wide + 4) > 0
        rows, columns = np.indices(share.shape)
        x, y = (columns + wide / 2) * STEP, (rows + high / 2) * STEP
        away = np.hypot(x - self.xs[inside].mean(), y - self.ys[inside].mean()) / math.hypot(self.width, self.height)
        score = np.where(possible, share - 0.6 * away - 0.3 * crowded - 0.08 * (len(lines) - 1), -np.inf)
        row, column = (int(index) for index in np.unravel_index(score.argmax(), score.shape))
        left, top = column * STEP, row * STEP
        high_text = font.size + LINE * (len(lines) - 1)
        on_zone = _sums(self.zone, high, wide)[row, column] == high * wide
        return Spot(
            lines=lines,
            x=left + wide * STEP / 2,
            y=top + (high * STEP - high_text) / 2 + font.size * 0.84,
            box=(left, top, left + wide * STEP, top + high * STEP),
            score=float(score[row, column]),
            share=float(share[row, column]),
            within=bool(on_zone),
        )


def _layouts(name: str, font: Font) -> list[list[str]]:
    """A name in one line, and in two where it is long and has a joint near its middle."""
    breaks = _breaks(name)
    if not breaks or font.width(name) < 90:
        return [[name]]
    place = min(breaks, key=lambda place: abs(len(name) / 2 - place))
    return [[name], [name[:place].rstrip(), name[place:].lstrip()]]


def _sums(cells: NDArray[np.bool_], high: int, wide: int) -> NDArray[np.int64]:
    """How many cells are set in each window of ``high`` rows and ``wide`` columns, by its upper left cell."""
    total = np.zeros((cells.shape[0] + 1, cells.shape[1] + 1), dtype=np.int64)
    total[1:, 1:] = cells.cumsum(axis=0).cumsum(axis=1)
    strips = total[high:] - total[:-high]
    windows: NDArray[np.int64] = strips[:, wide:] - strips[:, :-wide]
    return windows
