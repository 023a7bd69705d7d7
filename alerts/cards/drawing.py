"""A sheet of pixels: flat ground, lines of text, signs, and the hatched frame of what is no real danger."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from .colours import STRIPE, Colour, Look
from .fonts import Weight, font, width
from .icons import icon
from .wrapping import Lines

PERIOD = 80
"""Pixels along an edge from one stripe of the hatching to the next; three fifths of them are coloured."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; ``right`` and ``bottom`` are outside of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def inset(self, by: int) -> Box:
        return Box(self.left + by, self.top + by, self.right - by, self.bottom - by)


@dataclass(slots=True)
class Sheet:
    """The picture as it grows; what is drawn later lies above."""

    image: Image.Image
    pen: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self.pen = ImageDraw.Draw(self.image)

    @classmethod
    def blank(cls, width: int, height: int, ground: Colour) -> Sheet:
        return cls(Image.new("RGB", (width, height), ground))

    def fill(self, box: Box, colour: Colour) -> None:
        if box.width > 0 and box.height > 0:
            self.pen.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), fill=colour)

    def text(
        self, words: str, weight: Weight, size: int, place: tuple[float, float], colour: Colour, anchor: str = "ls"
    ) -> None:
        """``place`` is on the base line: the text's start (``ls``), middle (``ms``) or end (``rs``)."""
        self.pen.text((round(place[0]), round(place[1])), words, fill=colour, font=font(weight, size), anchor=anchor)

    def lines(self, block: Lines, left: int, top: int, colour: Colour) -> int:
        """Draws them below ``top`` and returns where they end."""
        for number, line in enumerate(block.lines):
            base = top + round(block.size * 0.93) + number * block.leading
            self.text(line, block.weight, block.size, (left, base), colour)
        return top + block.height

    def tape(self, box: Box, word: str, look: Look) -> None:
        """A band that repeats one word from end to end, under a line that parts it from a ground like its own."""
        self.fill(box, look.fill)
        self.fill(Box(box.left, box.top, box.right, box.top + 3), look.soft)
        size = round(box.height * 0.6)
        wide = width(word, "bold", size)
        times = max(1, int(box.width // (wide + size * 1.6)))
        for number in range(times):
            middle = box.left + box.width * (number + 0.5) / times
            self.text(word, "bold", size, (middle, box.top + box.height / 2 + size * 0.36), look.on, "ms")

    def sign(self, name: str, size: int, left: int, top: int, colour: Colour) -> None:
        self.image.paste(colour, (left, top), icon(name, size))

    def hatch(self, thick: int, colour: Colour) -> None:
        """A frame of slanted stripes, ``thick`` pixels wide, along the sheet's edges."""
        width, height = self.image.size
        place = np.add.outer(np.arange(PERIOD), np.arange(PERIOD)) % PERIOD
        # Half a pixel of transition at both edges of a stripe, so that they are smooth
        share = np.clip(PERIOD * 0.3 + 0.5 - np.abs(place - PERIOD / 2), 0, 1) * 255
        tile = np.tile(share.astype(np.uint8), (-(-height // PERIOD), -(-width // PERIOD)))
        stripes = tile[:height, :width].copy()
        stripes[thick : height - thick, thick : width - thick] = 0
        frame = Image.new("L", (width, height), 255)
        frame.paste(0, (thick, thick, width - thick, height - thick))
        self.image.paste(STRIPE, (0, 0), frame)
        self.image.paste(colour, (0, 0), Image.fromarray(stripes))
