"""Answers to "Did it reach you, and by which way?" on an exercise's page: counters by way and district, nothing else.

No cookie is set and no address kept; who answers twice counts twice, within the limits of all forms.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.models import Area, Message
from alerts.terms import Status

from .. import registry
from ..models import Reached
from . import OTHER_WAYS

log = logging.getLogger(__name__)

OPEN_FOR = dt.timedelta(days=7)
"""So long after an exercise began, answers are counted."""


@dataclass(frozen=True, slots=True)
class Group:
    """Choices below one heading: value and words."""

    name: str
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """What the form offers, in groups."""

    ways: tuple[Group, ...]
    districts: tuple[Group, ...]

    def has_way(self, value: str) -> bool:
        return _holds(self.ways, value)

    def has_district(self, value: str) -> bool:
        return not value or _holds(self.districts, value)


class Unfit(Exception):
    """An answer that can't be counted; ``str()`` says what to mend."""


def choices() -> Choices:
    """Every channel and every other way, and the districts below those that they are parts of."""
    city: list[tuple[str, str]] = []
    networks: list[tuple[str, str]] = []
    for name in settings.CHANNELS:
        try:
            own = registry.channel(name).city
        except (ImportError, TypeError, ValueError) as error:
            # a channel that can't be made must not keep an exercise's page from standing
            log.error("channel %s can't be made: %s", name, error)
            continue
        (city if own else networks).append((name, registry.label(name)))
    others = tuple((name, str(words)) for name, words in OTHER_WAYS.items())
    groups = (
        Group(_("The city's own ways"), tuple(city)),
        Group(_("Networks"), tuple(networks)),
        Group(_("Other ways"), others),
    )
    return Choices(tuple(group for group in groups if group.options), _districts())


def _districts() -> tuple[Group, ...]:
    """The smallest districts; those of a city without a tree stand in one nameless group."""
    rows = list(Area.objects.filter(active=True).values_list("pk", "code", "name", "parent"))
    names = {pk: name for pk, _code, name, _parent in rows}
    place = {pk: number for number, (pk, _code, _name, _parent) in enumerate(rows)}
    parts: dict[int, list[tuple[str, str]]] = {}
    parents = {parent for _pk, _code, _name, parent in rows}
    for pk, code, name, parent in rows:
        if pk not in parents:
            parts.setdefault(parent or 0, []).append((code, name))
    return tuple(
        Group(names.get(parent, ""), tuple(parts[parent])) for parent in sorted(parts, key=lambda pk: place.get(pk, -1))
    )


def _holds(groups: Sequence[Group], value: str) -> bool:
    return any(value == option for group in groups for option, _words in group.options)


def asked_about(slug: str) -> Message | None:
    """The first message of an exercise or a test: the one that answers count for. None where there is none such."""
    rows = Message.objects.filter(alert__slug=slug).exclude(alert__status=Status.ACTUAL)
    return rows.select_related("alert").order_by("number").first()


def is_open(message: Message) -> bool:
    """Whether answers are still counted."""
    return timezone.now() - message.sent < OPEN_FOR


def answer(message: Message, way: str, district: str) -> None:
    """Count one answer. Raises Unfit."""
    offered = choices()
    if not offered.has_way(way):
        raise Unfit(_("Choose by which way it reached you."))
    if not offered.has_district(district):
        raise Unfit(_("Choose a district of the list, or none."))
    with transaction.atomic():
        row, _made = Reached.objects.get_or_create(message=message, way=way, district=district)
        Reached.objects.filter(pk=row.pk).update(count=F("count") + 1)


@dataclass(frozen=True, slots=True)
class Line:
    """One district's answers, in the order of the table's ways."""

    name: str
    counts: tuple[int, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Table:
    """Answers by district and way; ``ways`` are those that anybody chose. ``reached``: all but "It did not"."""

    ways: tuple[str, ...]
    lines: tuple[Line, ...]
    totals: tuple[int, ...]
    total: int
    reached: int


def table(message: Message) -> Table:
    """What was answered so far."""
    counts = {
        (way, district): count
        for way, district, count in Reached.objects.filter(message=message, count__gt=0).values_list(
            "way", "district", "count"
        )
    }
    order = {name: place for place, name in enumerate([*registry.names(), *OTHER_WAYS])}
    ways = sorted({way for way, _district in counts}, key=lambda way: (order.get(way, len(order)), way))
    names: Mapping[str, str] = dict(
        Area.objects.filter(code__in={district for _way, district in counts}).values_list("code", "name")
    )
    districts = sorted({district for _way, district in counts}, key=lambda code: (not code, names.get(code, code)))
    lines = []
    for district in districts:
        row = tuple(counts.get((way, district), 0) for way in ways)
        lines.append(Line(names.get(district, district) or _("no district given"), row, sum(row)))
    totals = tuple(sum(line.counts[place] for line in lines) for place in range(len(ways)))
    total = sum(totals)
    missed = sum(count for (way, _district), count in counts.items() if way == "not")
    return Table(tuple(map(way_words, ways)), tuple(lines), totals, total, total - missed)


def way_words(way: str) -> str:
    return str(OTHER_WAYS[way]) if way in OTHER_WAYS else registry.label(way)
