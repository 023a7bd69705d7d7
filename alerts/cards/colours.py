"""The colours of a card: the light ones of ``static/tokens.css``, since a picture has no night side; pure."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]


def colour(code: str) -> Colour:
    """``#rrggbb`` as three numbers from 0 to 255."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def blend(over: Colour, under: Colour, share: float) -> Colour:
    """What ``over`` looks like on ``under`` where it covers ``share`` (0 to 1) of it."""
    red, green, blue = (round(a * share + b * (1 - share)) for a, b in zip(over, under, strict=True))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Look:
    """One level's colours: fill and the text on it, tint and the ink on the tint or on the map."""

    fill: Colour
    on: Colour
    soft: Colour
    ink: Colour


def _look(fill: str, on: str, soft: str, ink: str) -> Look:
    return Look(colour(fill), colour(on), colour(soft), colour(ink))


LOOKS = {
    "extreme": _look("#7d0016", "#ffffff", "#fbe9eb", "#7d0016"),
    "severe": _look("#c4320a", "#ffffff", "#fdeee8", "#a52806"),
    "moderate": _look("#f6a821", "#1c1300", "#fef4de", "#734700"),
    "minor": _look("#f7e27a", "#1c1a00", "#fdf9e2", "#5c5200"),
    "clear": _look("#17663a", "#ffffff", "#e6f4eb", "#12562f"),
    "exercise": _look("#5b21a8", "#ffffff", "#f2eafd", "#4c1a90"),
}
GROUND = colour("#ffffff")
INK = colour("#141a20")
BAR = colour("#0e2f4c")
BAR_ON = colour("#ffffff")
BAR_ON_2 = colour("#c6d8e8")
MAP_GROUND = colour("#f3f5f7")
MAP_AREA = colour("#e2e8ed")
MAP_LINE = colour("#ffffff")
MAP_LABEL = colour("#47525d")
STRIPE = colour("#ffffff")


def cover(look: Look) -> float:
    """How much of the map an alert's area hides (0 to 1): names on it stay readable, and yellow is still seen."""
    return 0.24 if look.on == GROUND else 0.5


def area_of(look: Look) -> Colour:
    """An alert's area on the map."""
    return blend(look.fill, MAP_AREA, cover(look))


def pairs(look: Look) -> list[tuple[Colour, Colour]]:
    """Each colour of text on a card with the ground that it stands on."""
    on_area = area_of(look)
    return [
        (look.on, look.fill),
        (look.ink, look.soft),
        (BAR_ON, BAR),
        (BAR_ON_2, BAR),
        (MAP_LABEL, MAP_AREA),
        (MAP_LABEL, MAP_GROUND),
        *((INK, ground) for ground in (MAP_AREA, MAP_GROUND, on_area)),
    ]
