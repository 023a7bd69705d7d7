"""Where things stand on a card: band, area, map and foot, one below the other or side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .colours import BAR, BAR_ON, BAR_ON_2, LOOKS, Look
from .drawing import Box, Sheet
from .fonts import width
from .map import CardMap, Ground
from .words import Words
from .wrapping import NOTHING, Lines, fitted

Steps = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Design:
    """Sizes of one shape of card in pixels; ``Steps`` are sizes of text with the most lines at each.

    ``above`` and ``below`` are kept clear of text, beyond the margins, where a platform lays its own
    signs over a story. A map as high as ``map_most`` is high enough; ``tape`` is the
    height of the band that repeats EXERCISE. ``column`` is the width of the
    band beside the map; 0 where the map is below it.
    """

    margin: int
    frame: int
    above: int
    below: int
    foot: int
    icon: int
    level: Steps
    headline: Steps
    alone: Steps
    step: Steps
    where: Steps
    map_least: int
    map_most: int
    tape: int
    column: int = 0


SQUARE = Design(
    margin=72,
    frame=36,
    above=0,
    below=0,
    foot=158,
    icon=88,
    level=((54, 1), (46, 1), (38, 1), (30, 1)),
    headline=((88, 2), (80, 2), (72, 3), (64, 3), (56, 4), (48, 6)),
    alone=((112, 3), (100, 3), (88, 4), (72, 5), (64, 6), (56, 7), (48, 9)),
    step=((56, 1), (50, 1), (46, 2), (40, 3)),
    where=((40, 1), (36, 1), (36, 2), (32, 2)),
    map_least=250,
    map_most=440,
    tape=72,
)
TALL = Design(
    margin=72,
    frame=36,
    above=180,
    below=250,
    foot=170,
    icon=104,
    level=((62, 1), (54, 1), (46, 1), (38, 1), (30, 1)),
    headline=((112, 3), (100, 3), (88, 4), (80, 4), (72, 5), (64, 5), (56, 6), (48, 10)),
    alone=((120, 5), (100, 6), (88, 7), (72, 8), (56, 10), (48, 12)),
    step=((60, 2), (54, 2), (48, 3), (42, 4)),
    where=((44, 1), (40, 2), (36, 3), (32, 3)),
    map_least=420,
    map_most=760,
    tape=84,
)
WIDE = Design(
    margin=48,
    frame=26,
    above=0,
    below=0,
    foot=124,
    icon=68,
    level=((44, 1), (38, 1), (32, 1), (28, 1)),
    headline=((72, 2), (64, 3), (56, 3), (48, 5)),
    alone=((88, 2), (80, 3), (72, 3), (64, 4), (56, 4), (48, 5)),
    step=((40, 2), (36, 2), (32, 3)),
    where=((32, 1), (28, 2), (26, 3)),
    map_least=200,
    map_most=10_000,
    tape=56,
    column=700,
)
DESIGNS = {(1080, 1080): SQUARE, (1080, 1920): TALL, (1200, 630): WIDE}

PAD = 22
"""Above and below the line that says where."""
BESIDE = 30
"""Left and right of what stands where band and map meet."""


def card(words: Words, ground: Ground, name: str, size: tuple[int, int]) -> Sheet:
    """The card in pixels; ``name`` is the key of its look and sign, ``size`` one of ``DESIGNS``."""
    design = DESIGNS[size]
    sheet = Sheet.blank(*size, LOOKS[name].fill)
    box = Box(0, 0, *size)
    if words.stamp:
        sheet.hatch(design.frame, LOOKS[name].fill)
        box = box.inset(design.frame)
        design = replace(design, margin=design.margin - 16)
    body = Box(box.left, box.top, box.right, box.bottom - design.foot - design.below)
    if words.stamp:
        tape = Box(body.left, body.bottom - design.tape, body.right, body.bottom)
        sheet.tape(tape, words.stamp, LOOKS[name])
        body = replace(body, bottom=tape.top)
    (_beside if design.column and ground.focus else _below)(sheet, body, design, words, ground, name)
    _foot(sheet, Box(box.left, box.bottom - design.foot - design.below, box.right, box.bottom), design, words)
    return sheet


def _below(sheet: Sheet, body: Box, design: Design, words: Words, ground: Ground, name: str) -> None:
    """The map under the band, as high as the band leaves it; without a map the band has its room."""
    look = LOOKS[name]
    mapped = bool(ground.focus)
    wide = body.width - 2 * design.margin
    where = _place(words, design, wide)
    strip = where.height + 2 * PAD if where.lines else 0
    least, most = (design.map_least, design.map_most) if mapped else (0, 0)
    band = Band(words, design, wide, body.height - strip - least, alone=not mapped)
    top = body.top + max(band.height, body.height - strip - most)
    band.draw(sheet, replace(body, bottom=top), look, name)
    _strip(sheet, Box(body.left, top, body.right, top + strip), where, look, design.margin)
    if mapped:
        panel = replace(body, top=top + strip)
        CardMap(ground, panel.width, panel.height).draw(sheet, panel, look, words.radius)


def _beside(sheet: Sheet, body: Box, design: Design, words: Words, ground: Ground, name: str) -> None:
    """The map to the right of the band, and under it the line that says where."""
    look = LOOKS[name]
    left = replace(body, right=body.left + design.column)
    right = replace(body, left=left.right)
    where = _place(words, design, right.width - 2 * BESIDE)
    strip = where.height + 2 * PAD if where.lines else 0
    Band(words, design, left.width - design.margin - BESIDE, left.height, alone=False).draw(sheet, left, look, name)
    _strip(sheet, replace(right, top=body.bottom - strip), where, look, BESIDE)
    panel = replace(right, bottom=body.bottom - strip)
    CardMap(ground, panel.width, panel.height).draw(sheet, panel, look, words.radius)


class Band:
    """Level, headline and the first thing to do, measured before they are drawn."""

    def __init__(self, words: Words, design: Design, wide: int, high: int, *, alone: bool) -> None:
        self.design = design
        self.kind = words.kind
        self.top = design.above + round(design.margin * 0.85)
        self.gap = round(design.icon * 0.3)
        self.level = fitted(words.level, "bold", design.level, wide - design.icon - 30, 200)
        room = high - self.top - design.icon - self.gap - round(design.margin * 0.6)
        sizes = design.alone if alone else design.headline
        least = min(_one(step) for step in design.step) + 14 if words.step else 0
        self.headline = fitted(words.headline, "bold", sizes, wide, room - least)
        self.step = fitted(words.step, "plain", design.step, wide, room - self.headline.height - 14)
        if self.step.cut:
            # An order whose end is missing may say the opposite: the "not" of a German sentence stands there
            self.step = NOTHING
            self.headline = fitted(words.headline, "bold", sizes, wide, room)
        parts = self.headline.height + (self.step.height + 14 if self.step.lines else 0)
        self.height = high - room + parts
        self.wide = wide

    def draw(self, sheet: Sheet, box: Box, look: Look, name: str) -> None:
        """From the top; where the box is higher than it needs, half of the rest stands above the headline."""
        sheet.fill(box, look.fill)
        left, top = box.left + self.design.margin, box.top + self.top
        sheet.sign(name, self.design.icon, left, top, look.on)
        base = top + self.design.icon / 2 + self.level.size * 0.36
        if self.level.lines:
            after = left + self.design.icon + 30
            sheet.text(self.level.lines[0], "bold", self.level.size, (after, base), look.on)
            self._kind(sheet, left + self.wide, base, after + self.level.width + 40, look)
        spare = max(0, box.height - self.height) // 2
        end = sheet.lines(self.headline, left, top + self.design.icon + self.gap + spare, look.on)
        sheet.lines(self.step, left, end + 14, look.on)

    def _kind(self, sheet: Sheet, right: int, base: float, after: float, look: Look) -> None:
        """Update or correction, at the right end of the level's line where it has room."""
        size = round(self.level.size * 0.66)
        if self.kind and right - width(self.kind, "plain", size) >= after:
            sheet.text(self.kind, "plain", size, (right, base), look.on, "rs")


def _one(step: tuple[int, int]) -> int:
    """One line of this size."""
    return round(step[0] * 1.17)


def _place(words: Words, design: Design, wide: int) -> Lines:
    if not words.where:
        return NOTHING
    return fitted(words.where, "bold", design.where, wide - design.where[0][0] - 18, 400)


def _strip(sheet: Sheet, box: Box, where: Lines, look: Look, side: int) -> None:
    if not where.lines:
        return
    sheet.fill(box, look.soft)
    pin = round(where.size * 1.05)
    sheet.sign("pin", pin, box.left + side, box.top + PAD + round(where.size * 0.1), look.ink)
    sheet.lines(where, box.left + side + pin + 14, box.top + PAD, look.ink)


def _foot(sheet: Sheet, box: Box, design: Design, words: Words) -> None:
    """Who speaks and as of when; below it the way to everything else, never cut."""
    sheet.fill(box, BAR)
    left, right = box.left + design.margin, box.right - design.margin
    tall = design.foot - 52
    tower = round(tall / 1.5)
    top = box.top + 26
    sheet.sign("tower", tower, left - 4, top, BAR_ON)
    left += tower + 22
    size = 34 if design.foot > 130 else 30
    upper, lower = top + round(tall * 0.36), top + round(tall * 0.92)
    room = float(right - left)
    if words.as_of:
        stand = fitted(words.as_of, "plain", ((size - 2, 1), (size - 6, 1), (22, 1)), room * 0.66, 60)
        sheet.text(stand.lines[0], "plain", stand.size, (right, upper), BAR_ON_2, "rs")
        room -= stand.width + 28
    city = fitted(words.city, "bold", ((size + 2, 1), (size - 2, 1), (26, 1), (22, 1)), room, 60)
    for line in city.lines:
        sheet.text(line, "bold", city.size, (left, upper), BAR_ON)
    _link(sheet, left, right, lower, size, words)


def _link(sheet: Sheet, left: int, right: int, base: int, size: int, words: Words) -> None:
    """In one line, smaller where it is long, then in two; left out where not even that holds all of it."""
    for step in (size + 2, size, size - 4):
        label = width(f"{words.more} ", "plain", step - 4)
        if label + width(words.link, "bold", step) <= right - left:
            sheet.text(words.more, "plain", step - 4, (left, base), BAR_ON_2)
            sheet.text(words.link, "bold", step, (left + label, base), BAR_ON)
            return
    for step in range(size, 17, -2):
        if width(words.link, "bold", step) <= right - left:
            sheet.text(words.link, "bold", step, (left, base), BAR_ON)
            return
    for step in (20, 18, 16, 14):
        ends = [at.end() for at in re.finditer(r"[/.]", words.link)]
        fitting = [end for end in ends if width(words.link[:end], "bold", step) <= right - left]
        if fitting and width(words.link[fitting[-1] :], "bold", step) <= right - left:
            sheet.text(words.link[: fitting[-1]], "bold", step, (left, base + 8 - step - 2), BAR_ON)
            sheet.text(words.link[fitting[-1] :], "bold", step, (left, base + 8), BAR_ON)
            return
