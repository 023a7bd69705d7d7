"""How many each channel reaches, whom it passes on the way there, and which share of that the city owns.

Followers and subscriptions are counted, not people: whoever follows in three places counts three times.
Nobody is tracked, so that readers of page and feeds are not counted at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts import audit
from alerts.people import NotAllowed, Refused, may

from .. import registry
from ..base import Broadcaster, Channel, Hop, Publisher
from ..models import Audience, Subscription

OTHER_WAYS = {
    "app": gettext_lazy("NINA or another warning app"),
    "siren": gettext_lazy("Siren or loudspeaker"),
    "radio": gettext_lazy("Radio or television"),
    "told": gettext_lazy("Somebody told me"),
    "not": gettext_lazy("It did not reach me"),
}
"""What people may answer besides a channel; names that no channel may have."""
WHERE = {
    "city": gettext_lazy("the city's own"),
    "eu": gettext_lazy("in the EU"),
    "abroad": gettext_lazy("outside the EU"),
}
NETWORKS = {
    "facebook": "Meta",
    "instagram": "Meta",
    "linkedin": "LinkedIn (Microsoft)",
    "telegram": "Telegram",
    "threads": "Meta",
    "tiktok": "TikTok",
    "x": "X Corp.",
    "youtube": "YouTube (Google)",
}
"""Whom a network belongs to where the city has followers but no channel set up: no adapter says so then."""
FIRST_DAY = dt.date(2006, 1, 1)
"""No earlier date is typed in: there were no followers."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One channel's audience: ``count`` on the day ``on``, by ``source`` (``Audience.Source``; empty without one).

    ``countable`` is False for page and feeds. ``set_up`` is False for a channel that ``CHANNELS`` has not
    (any more), and that then counts as commercial.
    """

    channel: str
    name: str
    city: bool
    hops: tuple[Hop, ...]
    countable: bool = True
    set_up: bool = True
    subscribers: bool = False
    count: int | None = None
    on: dt.date | None = None
    source: str = ""

    @property
    def source_words(self) -> str:
        return str(Audience.Source(self.source).label) if self.source else ""

    @property
    def leaves(self) -> str:
        """How far a message goes on this way: city, eu or abroad."""
        return farthest(self.hops)


@dataclass(frozen=True, slots=True)
class Share:
    """Of ``total`` followers and subscriptions, ``city`` are on ways that the city owns."""

    city: int
    total: int

    @property
    def percent(self) -> float | None:
        """0 to 100, exact; None where nobody is counted."""
        return 100 * self.city / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Day:
    """The share as it stood on one day: each channel with its newest figure of then."""

    on: dt.date
    share: Share


def figures(*, live: bool = False) -> list[Figure]:
    """Every channel with its newest figure, the city's first; ``live`` counts the subscriptions of this moment."""
    newest = Audience.objects.filter(channel=OuterRef("channel")).order_by("-on").values("on")[:1]
    rows = {row.channel: row for row in Audience.objects.filter(on=Subquery(newest))}
    counts = subscriptions() if live else {}
    found = []
    for name in registry.names():
        channel = registry.channel(name)
        row = rows.pop(name, None)
        if name in counts:
            row = Audience(channel=name, on=timezone.localdate(), count=counts[name], source=Audience.Source.COUNTED)
        found.append(_figure(name, channel, row))
    found += [_stranger(row) for _name, row in sorted(rows.items()) if row.count]
    return found


def _figure(name: str, channel: Channel, row: Audience | None) -> Figure:
    return Figure(
        name,
        registry.label(name),
        channel.city,
        tuple(channel.hops),
        countable=not channel.site,
        subscribers=isinstance(channel, Broadcaster),
        count=row.count if row else None,
        on=row.on if row else None,
        source=row.source if row else "",
    )


def _stranger(row: Audience) -> Figure:
    """Followers on a network that is not set up here."""
    owner = NETWORKS.get(row.channel)
    hops = (Hop(owner, "abroad"),) if owner else ()
    name = registry.label(row.channel)
    return Figure(row.channel, name, city=False, hops=hops, set_up=False, count=row.count, on=row.on, source=row.source)


def share(found: Iterable[Figure]) -> Share:
    """The share of the city's own ways among these figures."""
    known = [(figure.city, figure.count or 0) for figure in found]
    return Share(sum(count for city, count in known if city), sum(count for _city, count in known))


def subscriptions() -> dict[str, int]:
    """Confirmed subscriptions by channel; where two channels serve one way, the first one has them all."""
    by_way = dict(Subscription.objects.order_by().values_list("way").annotate(Count("pk")))
    found: dict[str, int] = {}
    for name in registry.names():
        channel = registry.channel(name)
        if isinstance(channel, Broadcaster):
            found[name] = by_way.pop(channel.way, 0)
    return found


def history() -> list[Day]:
    """The share on each day that any figure is of, oldest first."""
    owned = {name: registry.channel(name).city for name in registry.names()}
    days: dict[dt.date, Share] = {}
    known: dict[str, int] = {}
    for channel, on, count in Audience.objects.order_by("on", "pk").values_list("channel", "on", "count"):
        known[channel] = count
        city = sum(count for name, count in known.items() if owned.get(name, False))
        days[on] = Share(city, sum(known.values()))
    return [Day(on, stood) for on, stood in days.items()]


def thinned(days: Sequence[Day], most: int) -> list[Day]:
    """At most so many days, evenly chosen, the first and the last among them."""
    if len(days) <= most:
        return list(days)
    return [days[round(place * (len(days) - 1) / (most - 1))] for place in range(most)]


# hops


def farthest(hops: Iterable[Hop]) -> str:
    """Where a message passes that is farthest out of the city's hands: city, eu or abroad."""
    passed = {hop.where for hop in hops}
    return next((where for where in ("abroad", "eu") if where in passed), "city")


def foreign(channel: Channel) -> bool:
    """Whether a channel is silent without foreign providers.

    A post passes each of its publisher's hops; a message to one resident passes one of its broadcaster's.
    """
    abroad = [hop.where == "abroad" for hop in channel.hops]
    return any(abroad) if isinstance(channel, Publisher) else bool(abroad) and all(abroad)


def partly_foreign(channel: Channel) -> bool:
    """Whether some residents, but not all, are reached without foreign providers."""
    return not foreign(channel) and any(hop.where == "abroad" for hop in channel.hops)


# what officers type in


def typable() -> list[tuple[str, str]]:
    """Channels whose figure an officer may type in: name and label. Not page, feeds and subscriptions."""
    own = {name: registry.channel(name) for name in registry.names()}
    known = [name for name, channel in own.items() if isinstance(channel, Publisher) and not channel.site]
    more = [*NETWORKS, *Audience.objects.order_by().values_list("channel", flat=True).distinct()]
    names = dict.fromkeys([*known, *(name for name in sorted(more) if name not in own)])
    return [(name, registry.label(name)) for name in names]


def may_type(by: User) -> bool:
    return may(by, "alerts.write_draft") or may(by, "alerts.approve_draft")


def type_in(channel: str, on: dt.date, count: int, by: User) -> None:
    """Keep what an officer read at the platform itself, of that day. Raises NotAllowed, Refused."""
    if not may_type(by):
        raise NotAllowed(_("Your role does not allow typing in figures."))
    if channel not in dict(typable()):
        raise Refused(_("This channel's figure can't be typed in."))
    if not FIRST_DAY <= on <= timezone.localdate():
        raise Refused(_("Give the day on which you read the figure: today or earlier."))
    with transaction.atomic():
        Audience.objects.update_or_create(
            channel=channel, on=on, defaults={"count": count, "source": Audience.Source.TYPED, "by": by}
        )
        audit.record(by, "audience-typed", channel, on=on.isoformat(), count=count)
