"""The report as a CSV file: semicolons and a byte order mark, as spreadsheets expect them here."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import extracts
from alerts.templatetags.desk import action_word
from alerts.templatetags.desk import span as in_words

from ... import registry
from ...timeline import CHANNEL, Event, Story, Way
from .words import OURS

BOM = "\ufeff"
EMPTY = [""] * len(extracts.COLUMNS)


def written(story: Story) -> str:
    """The whole file: key figures, every event in its order, then the end of the record and the file's seal."""
    rows = [[extracts.neutral(cell) for cell in row] for row in [_head(), *_figures(story), *_events(story)]]
    width = len(rows[0]) - len(EMPTY)
    last = [_("End of the record"), *[""] * (width - 1), *extracts.end_cells(rows)]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=extracts.DELIMITER, lineterminator="\r\n")
    writer.writerows([*rows, last])
    return BOM + out.getvalue()


def _head() -> list[str]:
    return [
        _("What"),
        _("Time"),
        _("Seconds after approval"),
        _("Number of the message"),
        _("Who"),
        _("Channel"),
        _("Details"),
        _("Outcome"),
        _("First try after seconds"),
        _("Tries"),
        _("Planned"),
        _("Accepted"),
        _("Delivered"),
        _("Failed"),
        _("Unclear"),
        *extracts.COLUMNS,
    ]


def _figures(story: Story) -> Iterator[list[str]]:
    for figure in story.figures:
        seconds = _seconds(figure.span.total_seconds())
        blank = [""] * 8
        yield [figure.words, "", seconds, str(figure.message), "", "", in_words(figure.span), *blank, *EMPTY]


def _events(story: Story) -> Iterator[list[str]]:
    for event in story.events:
        if not event.lines:
            yield [*_event(event), *_way(event.way), *EMPTY]
        for line in event.lines:
            own = [*_event(event), *_way(None)]
            own[1] = _time(line.at)
            yield [*own, *extracts.cells(line)]


def _event(event: Event) -> list[str]:
    ours = OURS.get(event.action)
    return [
        str(ours) if ours else action_word(event.action),
        _time(event.at) if event.action != CHANNEL or (event.way and event.way.last_at) else "",
        _seconds(event.after.total_seconds()) if event.after is not None else "",
        str(event.message or ""),
        event.who,
        registry.label(event.channel) if event.channel else "",
        event.words,
    ]


def _way(way: Way | None) -> list[str]:
    if way is None:
        return [""] * 8
    people = way.people
    counts = [people.planned, people.accepted, people.delivered, people.failed, people.unclear] if people else [""] * 5
    return [
        str(way.delivery.get_state_display()),
        _seconds(way.first.total_seconds()) if way.first is not None else "",
        str(way.tries.count if way.tries else ""),
        *(str(count) for count in counts),
    ]


def _time(at: object) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}"  # type: ignore[arg-type]


def _seconds(count: float) -> str:
    return f"{count:.1f}".replace(".", ",")
