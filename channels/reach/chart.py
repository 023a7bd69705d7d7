"""The share of the city's own ways over time, drawn as SVG: classes alone, no script, no style."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.utils import formats
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from . import Day

WIDTH, HEIGHT = 420, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 16, 176
"""Of the plot; outside it stand the words."""
STEPS = (1, 2, 5, 10, 20, 50, 100)
"""Per cent at the upper end of the scale."""
MOST_DOTS = 24
"""With more days than this, the newest alone has a dot."""


def draw(days: Sequence[Day]) -> SafeString:
    """The chart; empty where no day has anybody counted. Its figures also stand in the page as a table."""
    known = [(day.on, day.share.percent) for day in days if day.share.percent is not None]
    points = [(on, percent) for on, percent in known if percent is not None]
    if not points:
        return SafeString()
    top = next(step for step in STEPS if step >= max(percent for _on, percent in points) or step == 100)
    first, last = points[0][0], points[-1][0]
    span = max((last - first).days, 1)
    marks = [
        (
            str(round(LEFT + (WIDTH - LEFT - RIGHT) * (on - first).days / span, 1)),
            str(round(BOTTOM - (BOTTOM - TOP) * percent / top, 1)),
        )
        for on, percent in points
    ]
    line = " ".join(f"{x},{y}" for x, y in marks)
    many = len(marks) > MOST_DOTS
    area = f"{marks[0][0]},{BOTTOM} {line} {marks[-1][0]},{BOTTOM}"
    return format_html(
        '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="chart-name">'
        '<title id="chart-name">{name}</title>{grid}'
        '<polygon class="chart-area" points="{area}"/><polyline class="chart-line" points="{line}"/>'
        "{dots}{dates}</svg>",
        width=WIDTH,
        height=HEIGHT,
        name=_name(points[0][1], points[-1][1]),
        grid=_grid(top),
        area=area,
        line=line,
        dots=format_html_join("", '<circle class="chart-dot" cx="{}" cy="{}" r="4"/>', marks[-1:] if many else marks),
        dates=_dates(_date(first), _date(last) if last != first else ""),
    )


def percent_words(value: float | None) -> str:
    """A share as people read it, with one decimal below ten per cent; a dash where nobody is counted."""
    if value is None:
        return "–"
    decimals = 1 if value < 10 else 0
    # rounded here: number_format would cut off
    return _("{number} %").format(number=formats.number_format(round(value, decimals), decimals))


def _name(first: float, last: float) -> str:
    words = _("Share of the city's own ways: {first} at first, {last} now. The table below has every figure.")
    return words.format(first=percent_words(first), last=percent_words(last))


def _grid(top: int) -> SafeString:
    rows = [(0, BOTTOM), (top / 2, (TOP + BOTTOM) // 2), (top, TOP)]
    lines = [(LEFT, y, WIDTH - RIGHT, y, LEFT - 8, y + 5, _scale(value)) for value, y in rows]
    return format_html_join(
        "",
        '<line class="chart-grid" x1="{}" y1="{}" x2="{}" y2="{}"/><text class="chart-scale" x="{}" y="{}">{}</text>',
        lines,
    )


def _scale(value: float) -> str:
    return _("{number} %").format(number=formats.number_format(value, 0 if value == int(value) else 1))


def _dates(first: str, last: str) -> SafeString:
    return format_html(
        '<text class="chart-first" x="{}" y="{}">{}</text><text class="chart-last" x="{}" y="{}">{}</text>',
        *(LEFT, HEIGHT - 10, first, WIDTH - RIGHT, HEIGHT - 10, last),
    )


def _date(value: dt.date) -> str:
    return str(formats.date_format(value, "SHORT_DATE_FORMAT"))
