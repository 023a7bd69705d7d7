"""What happened to an alert, put together from its rows: events, messages and channels, key figures; pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.audit import SYSTEM
from alerts.content import Content
from alerts.models import Alert, AuditEntry, Draft, Message, ReleasePlan
from alerts.notice import level_of
from alerts.terms import Kind, MsgType

from .models import Attempt, Delivery, Pause, Post, Retraction, State
from .subjects import Numbers
from .tally import Counts

CHANNEL, GATE, WAS_PAUSED = "channel", "gate", "was-paused"
"""Actions of events that stand in no line of the record."""
GRAVE = {"break-glass", "alarm", "gate-opened", "returned", "lapsed", "withdrawn", "retraction-asked", "held"}
LET_GO = {"approved", "released", "break-glass"}
FIGURES = {
    "approved": gettext_lazy("From the first draft to the approval"),
    "page": gettext_lazy("From the approval until page and feeds were public"),
    "push": gettext_lazy("From the approval to the first push"),
    "sms": gettext_lazy("From the approval until the last SMS was handed over"),
    "corrected": gettext_lazy("From the error to its correction"),
    "late": gettext_lazy("A promised message came too late by"),
    "overdue": gettext_lazy("A promised message has not come; overdue for"),
}


@dataclass(frozen=True, slots=True)
class Tries:
    """The first and the last try of a delivery, and how many there were (its languages together are one)."""

    first: Attempt
    last: Attempt
    count: int


@dataclass(frozen=True, slots=True)
class Rows:
    """All that is known of an alert. ``ways`` says of each channel what it is: site, push, sms, email or post.

    ``lines`` are those of the record, in order; ``paused`` what was paused already when the alert began;
    ``names`` how officers are called, by user name.
    """

    alert: Alert
    messages: Sequence[Message] = ()
    drafts: Sequence[Draft] = ()
    deliveries: Sequence[Delivery] = ()
    tries: Mapping[int, Tries] = field(default_factory=dict)
    posts: Sequence[Post] = ()
    retractions: Sequence[Retraction] = ()
    people: Mapping[int, Counts] = field(default_factory=dict)
    lines: Sequence[AuditEntry] = ()
    paused: Sequence[Pause] = ()
    ways: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Posted:
    """One post: ``reply`` where it stands below the alert's first post there; ``taken_back`` what became of that."""

    post: Post
    reply: bool
    by_hand: bool
    taken_back: str = ""

    @property
    def link(self) -> str:
        """Where it stands, if that is an address that can be followed."""
        return self.post.url if self.post.url.startswith(("https://", "http://")) else ""


@dataclass(frozen=True, slots=True)
class Way:
    """One channel with one message: when it first tried and when it was last at it, counted from the approval."""

    delivery: Delivery
    message: int
    first: dt.timedelta | None
    last: dt.timedelta | None
    last_at: dt.datetime | None
    tries: Tries | None
    people: Counts | None
    posts: tuple[Posted, ...]

    @property
    def failed_first(self) -> str:
        """What the first try came to, where it did not simply go well."""
        tries = self.tries
        return "" if tries is None or tries.first.result == Attempt.Result.ACCEPTED else _result(tries.first)

    @property
    def reasons(self) -> tuple[tuple[str, int], ...]:
        return self.people.reasons if self.people else ()


@dataclass(frozen=True, slots=True)
class Said:
    """One message: when it was approved (``started``), how late it broke or kept its promise of a next one."""

    message: Message
    content: Content
    before: Content | None
    started: dt.datetime
    ways: tuple[Way, ...]
    page: dt.timedelta | None
    push: dt.timedelta | None
    sms: dt.timedelta | None

    @property
    def number(self) -> int:
        return self.message.number

    @property
    def level(self) -> str:
        return level_of(self.content)

    @property
    def superseded(self) -> int:
        return sum(way.delivery.state == State.SUPERSEDED for way in self.ways)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. ``action`` is a word of the record, or one of ours; ``after`` counts from the approval.

    ``lines`` are the lines of the record that say so; ``times`` how often it happened in a row.
    """

    at: dt.datetime
    action: str
    who: str = ""
    message: int = 0
    channel: str = ""
    words: str = ""
    after: dt.timedelta | None = None
    level: str = ""
    lines: tuple[AuditEntry, ...] = ()
    way: Way | None = None

    @property
    def times(self) -> int:
        return max(1, len(self.lines))


@dataclass(frozen=True, slots=True)
class Step:
    """What a timeline shows as one: an event, or what all channels did meanwhile with one message."""

    events: tuple[Event, ...]

    @property
    def event(self) -> Event:
        return self.events[0]

    @property
    def channels(self) -> bool:
        return self.event.way is not None

    @property
    def done(self) -> int:
        return sum(event.way is not None and event.way.delivery.state == State.DONE for event in self.events)


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure: a name of ``FIGURES`` and a span; ``message`` is the number of the message it is about."""

    key: str
    span: dt.timedelta
    message: int

    @property
    def words(self) -> str:
        return str(FIGURES[self.key])


@dataclass(frozen=True, slots=True)
class Story:
    """An alert from its first draft to its end."""

    said: tuple[Said, ...]
    events: tuple[Event, ...]
    figures: tuple[Figure, ...]

    @property
    def steps(self) -> list[Step]:
        """The events, with those of the channels put together where nothing else happened between them."""
        key = lambda pair: (pair[1].message, -1) if pair[1].way else (0, pair[0])  # noqa: E731
        return [Step(tuple(event for _number, event in run)) for _key, run in groupby(enumerate(self.events), key)]


def started(message: Message) -> dt.datetime:
    """When a message was let go: its approval's own clock (``sent`` has whole seconds), or its set time."""
    at_once = message.approval is not None and message.draft.plan == ReleasePlan.NOW
    return message.approval.at if message.approval and at_once else message.sent


def put_together(rows: Rows, now: dt.datetime) -> Story:
    """The story of an alert as its rows tell it now."""
    said = tuple(_said(rows))
    events = [*_of_record(rows), *_of_channels(said)]
    ordered = tuple(sorted(events, key=lambda event: (event.at, event.lines[0].number if event.lines else 0)))
    return Story(said, ordered, tuple(_figures(rows, said, now)))


def _said(rows: Rows) -> Iterator[Said]:
    posts = _posted(rows)
    before: Content | None = None
    for message in rows.messages:
        begun, content = started(message), message.content
        mine = [row for row in rows.deliveries if row.message_id == message.pk]
        ways = tuple(_way(rows, row, message.number, begun, posts.get(row.pk, ())) for row in mine)
        reached = [(rows.ways.get(way.delivery.channel), way) for way in ways if way.people and way.people.planned]
        yield Said(
            message,
            content,
            before,
            begun,
            ways,
            page=message.live_at - begun if message.live_at else None,
            push=min((way.first for kind, way in reached if kind == "push" and way.first is not None), default=None),
            sms=max((way.last for kind, way in reached if kind == "sms" and way.last is not None), default=None),
        )
        before = content


def _way(rows: Rows, row: Delivery, number: int, begun: dt.datetime, posts: tuple[Posted, ...]) -> Way:
    tries = rows.tries.get(row.pk)
    first = tries.first.at if tries else row.started_at
    last = row.done_at or (tries.last.at if tries else None)
    return Way(
        row,
        number,
        _after(first, begun),
        _after(last, begun),
        last,
        tries,
        rows.people.get(row.pk) or (Counts() if rows.ways.get(row.channel) in {"push", "sms", "email"} else None),
        posts,
    )


def _after(at: dt.datetime | None, begun: dt.datetime) -> dt.timedelta | None:
    # the database's clock and ours may differ by a moment
    return max(dt.timedelta(0), at - begun) if at else None


def _posted(rows: Rows) -> dict[int, tuple[Posted, ...]]:
    """The posts of each delivery, oldest message first."""
    channels = {row.pk: row for row in rows.deliveries}
    asked = {row.post_id: row for row in rows.retractions}
    standing: set[tuple[str, str]] = set()
    found: dict[int, tuple[Posted, ...]] = {}
    for post in sorted(rows.posts, key=lambda one: (channels[one.delivery_id].message_id, one.pk)):
        delivery = channels[post.delivery_id]
        key = (delivery.channel, post.language)
        by_hand, real = post.remote_id == "by-hand", not (delivery.rehearsal or delivery.site)
        gone = _taken_back(post, asked.get(post.pk))
        reply = real and not by_hand and key in standing
        found[delivery.pk] = (*found.get(delivery.pk, ()), Posted(post, reply, by_hand, gone))
        if real and not by_hand and post.retracted_at is None:
            standing.add(key)
    return found


def _taken_back(post: Post, asked: Retraction | None) -> str:
    if post.retracted_at is not None:
        return _("taken back")
    if asked is None:
        return ""
    return _("not taken back") if asked.state == State.FAILED else _("is being taken back")


def _of_channels(said: Iterable[Said]) -> Iterator[Event]:
    """One event for each channel and message: when it was last at it. Then the gate that opened by itself."""
    for one in said:
        for way in one.ways:
            at = way.last_at or way.delivery.planned_at
            words = way.delivery.words if way.delivery.state != State.DONE else ""
            yield Event(
                at, CHANNEL, message=one.number, channel=way.delivery.channel, words=words, after=way.last, way=way
            )
        live = one.message.live_at
        if live is not None and not one.message.gate_reason:
            yield Event(live, GATE, message=one.number, after=one.page, level="clear")


def _of_record(rows: Rows) -> Iterator[Event]:
    """The lines of the record as events. Saving again and again is one event."""
    numbers = Numbers(rows.messages, rows.deliveries, rows.posts, rows.retractions)
    told: dict[str, str] = {}
    said = {message.number: message for message in rows.messages}
    saved: Event | None = None
    for line in rows.lines:
        event = _of_line(rows, line, numbers.of(line), told)
        message = said.get(event.message)
        if message is not None and line.at > started(message) and line.action not in LET_GO:
            event = replace(event, after=line.at - started(message))
        if message is not None and line.action in LET_GO:
            event = replace(event, level=level_of(message.content))
        if saved is not None and line.action == "draft-saved" and _same(saved.lines[-1], line):
            saved = replace(event, lines=(*saved.lines, line))
            continue
        if saved is not None:
            yield saved
        saved = event if line.action == "draft-saved" else None
        if saved is None:
            yield event
    if saved is not None:
        yield saved
    for pause in rows.paused:
        yield Event(pause.since, WAS_PAUSED, _name(rows, pause.by.get_username()), channel=pause.channel)


def _same(first: AuditEntry, second: AuditEntry) -> bool:
    return (first.actor, first.subject) == (second.actor, second.subject)


def _of_line(rows: Rows, line: AuditEntry, number: int, told: dict[str, str]) -> Event:
    data = line.data
    words = [str(data[key]) for key in ("reason", "text") if data.get(key)]
    if line.action == "alarm":
        told[line.subject] = " ".join(words)
    elif line.action == "alarm-ended":
        words = [told[line.subject]] if line.subject in told else []
    elif line.action == "draft-new" and data.get("kind") in Kind.values:
        words = [str(Kind(data["kind"]).label)]
    elif line.action == "draft-saved" and data.get("voids"):
        words = [_("The submission is void by it.")]
    channel = line.subject if line.action.startswith("channel-") else str(data.get("channel", ""))
    level = "severe" if line.action in GRAVE else ""
    return Event(line.at, line.action, _name(rows, line.actor), number, channel, " ".join(words), None, level, (line,))


def _name(rows: Rows, actor: str) -> str:
    return "Belfry" if actor == SYSTEM else rows.names.get(actor, actor)


def _figures(rows: Rows, said: Sequence[Said], now: dt.datetime) -> Iterator[Figure]:
    if said and rows.drafts:
        yield Figure("approved", said[0].started - rows.drafts[0].created_at, 1)
    for one in said[:1]:
        for key, span in (("page", one.page), ("push", one.push), ("sms", one.sms)):
            if span is not None:
                yield Figure(key, span, one.number)
    for first, second in pairwise(said):
        if second.message.kind in {Kind.CORRECTION, Kind.FALSE_ALARM}:
            yield Figure("corrected", second.started - first.started, second.number)
        promised = first.content.next_by
        if promised is not None and second.started > promised:
            yield Figure("late", second.started - promised, first.number)
    for one in said[-1:]:
        promised, over = one.content.next_by, min(now, one.message.expires)
        if one.message.msg_type != MsgType.CANCEL and promised is not None and over > promised:
            yield Figure("overdue", over - promised, one.number)


def _result(attempt: Attempt) -> str:
    return f"{attempt.get_result_display()}. {attempt.words}".strip()
