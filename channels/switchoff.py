"""The switch-off drill: an exercise with every commercial channel dead, and with every foreign provider dead.

A dead channel's delivery is written as left out in the transaction that releases the exercise, so that
no worker ever sees it waiting. Which ones were dead, and why, stands in the record's line of the drill.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, Min
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts import approval, audit
from alerts.models import AuditEntry, Draft, Message, Rendering
from alerts.people import Refused

from . import fanout, registry, tally
from .base import Broadcaster, Channel, Hop
from .models import Delivery, Post, State
from .reach import Figure, figures, foreign, partly_foreign
from .subscriptions import matching

COMMERCIAL, FOREIGN = "commercial", "foreign"
WHY = {
    COMMERCIAL: gettext_lazy("dead in this drill: commercial"),
    FOREIGN: gettext_lazy("dead in this drill: needs a foreign provider"),
}


def dead(names: Iterable[str], *, commercial: bool, foreign_too: bool) -> dict[str, str]:
    """Which of these channels are dead in such a drill: name -> why. Page and feeds never are."""
    found = {}
    for name in names:
        if not registry.configured(name) or registry.channel(name).site:
            continue
        channel = registry.channel(name)
        if commercial and not channel.city:
            found[name] = COMMERCIAL
        elif foreign_too and foreign(channel):
            found[name] = FOREIGN
    return found


def release(draft: Draft, *, commercial: bool = False, foreign_too: bool = False, by: User | None = None) -> Message:
    """Release an exercise approved in advance, with these channels dead; ``by`` leads the drill.

    Raises as ``approval.release``.
    """
    composed = Rendering.objects.filter(draft=draft, round=draft.round).order_by("pk").values_list("channel", flat=True)
    silent = dead(dict.fromkeys(composed), commercial=commercial, foreign_too=foreign_too)
    told = {"commercial_dead": commercial, "foreign_dead": foreign_too, "dead": silent}
    audit.record(by, "drill", _subject(draft.pk, draft.alert_id), **(told if commercial or foreign_too else {}))
    if not silent:
        return approval.release(draft.pk)
    with transaction.atomic():
        refused: Refused | None = None
        try:
            message = approval.release(draft.pk)
        except Refused as error:
            refused = error  # raised below: what the refusal has written (a lapse) stands
        else:
            _bury(message, silent)
            # all at once: the sweep plans anew only for a message that has no delivery at all
            fanout.plan(message.pk)
    if refused is not None:
        raise refused
    return message


def _bury(message: Message, silent: Mapping[str, str]) -> None:
    for name in silent:
        channel = registry.channel(name)
        Delivery.objects.create(
            message=message,
            channel=name,
            queue=fanout.queue_of(message, site=False, city=channel.city),
            city=channel.city,
            rehearsal=True,
            state=State.LEFT_OUT,
            due_at=Now(),
            words=_("Dead in this switch-off drill."),
        )


def _subject(draft_id: int, alert_id: int) -> str:
    return f"draft {draft_id} of alert {alert_id}"


def line_of(message: Message) -> AuditEntry | None:
    """The record's line of the drill that released this message; None where it was no drill."""
    subject = _subject(message.draft_id, message.alert_id)
    return AuditEntry.objects.filter(action="drill", subject=subject).order_by("-number").first()


# what came of it


@dataclass(frozen=True, slots=True)
class Row:
    """One channel in a drill.

    ``reached``: subscribers who asked for tests and were sent it, or followers who would have seen the
    post; None where nobody is counted. ``lost``: those it did not get to. ``first`` and ``last``: seconds
    from the release until its first and its last message was out. ``why`` is set where it was dead.
    """

    channel: str
    name: str
    city: bool
    hops: tuple[Hop, ...]
    state: str
    words: str
    subscribers: bool
    countable: bool
    partly: bool
    reached: int | None
    lost: int | None
    first: float | None
    last: float | None
    why: str = ""

    @property
    def why_words(self) -> str:
        return str(WHY[self.why]) if self.why else ""

    @property
    def state_words(self) -> str:
        return self.why_words or str(State(self.state).label)


@dataclass(frozen=True, slots=True)
class Result:
    """What still reached whom. ``reached`` and ``lost`` over all channels that are counted."""

    message: Message
    commercial: bool
    foreign: bool
    rows: tuple[Row, ...]

    @property
    def reached(self) -> int:
        return sum(row.reached or 0 for row in self.rows)

    @property
    def lost(self) -> int:
        return sum(row.lost or 0 for row in self.rows)

    @property
    def first(self) -> float | None:
        """Seconds until anything at all was out."""
        return min((row.first for row in self.rows if row.first is not None), default=None)

    @property
    def complete(self) -> bool:
        """Whether every channel that was not dead carried it."""
        return all(row.state == State.DONE for row in self.rows if not row.why)


def result(message: Message) -> Result:
    """The table of a drill as it stands now: page and feeds first, then the city's channels."""
    line = line_of(message)
    told = line.data if line else {}
    begun = line.at if line else message.sent
    deliveries = list(message.deliveries.order_by("-site", "-city", "pk"))
    people = tally.counts([row.pk for row in deliveries])
    times = _times(deliveries)
    audience = {figure.channel: figure for figure in figures()}
    rows = [
        _row(
            message,
            delivery,
            people.get(delivery.pk),
            audience.get(delivery.channel),
            times.get(delivery.pk),
            begun,
            str(told.get("dead", {}).get(delivery.channel, "")),
        )
        for delivery in deliveries
    ]
    return Result(message, bool(told.get("commercial_dead")), bool(told.get("foreign_dead")), tuple(rows))


def _times(deliveries: Iterable[Delivery]) -> dict[int, tuple[dt.datetime, dt.datetime]]:
    """When a delivery's first and last post was out; of subscribers, when it was begun with and done."""
    found = {row.pk: (row.started_at, row.done_at) for row in deliveries if row.started_at and row.done_at}
    posts = Post.objects.filter(delivery__in=list(found)).order_by().values("delivery")
    for row in posts.annotate(first=Min("at"), last=Max("at")):
        found[row["delivery"]] = (row["first"], row["last"])
    return found


def _row(
    message: Message,
    delivery: Delivery,
    people: tally.Counts | None,
    figure: Figure | None,
    times: tuple[dt.datetime, dt.datetime] | None,
    begun: dt.datetime,
    why: str,
) -> Row:
    channel = registry.channel(delivery.channel) if registry.configured(delivery.channel) else None
    followers = figure.count if figure else None
    out = delivery.state == State.DONE
    if isinstance(channel, Broadcaster):
        reached, lost = _of_subscribers(message, channel, people, why=why)
    else:
        reached, lost = (followers, 0) if out else (0, followers)
    countable = channel is not None and not channel.site
    if isinstance(channel, Broadcaster) and not reached:
        times = None  # nobody was reached, however soon
    return Row(
        delivery.channel,
        registry.label(delivery.channel),
        delivery.city,
        tuple(channel.hops) if channel else (),
        delivery.state,
        delivery.words,
        subscribers=isinstance(channel, Broadcaster),
        countable=countable,
        partly=channel is not None and not why and partly_foreign(channel),
        reached=reached if countable else None,
        lost=lost if countable else None,
        first=_seconds(times[0], begun) if times else None,
        last=_seconds(times[1], begun) if times else None,
        why=why,
    )


def _of_subscribers(
    message: Message, channel: Channel, people: tally.Counts | None, *, why: str
) -> tuple[int | None, int | None]:
    if why and isinstance(channel, Broadcaster):
        return 0, matching.reached(message, channel.way).count()
    counts = people or tally.Counts()
    return counts.accepted, counts.planned - counts.accepted


def _seconds(at: dt.datetime, begun: dt.datetime) -> float:
    return max(0.0, (at - begun).total_seconds())
