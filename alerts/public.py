"""What anyone may read: released messages as plain values, for website, feeds and data files.

Drafts are never in here. Exercises and tests are only found by asking for them by name.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone

from .content import Content
from .models import Alert, Area, Card, Draft, Message, MessageArea, Rendering
from .notice import City, Notice, notice
from .terms import Kind, MsgType, Status


@dataclass(frozen=True, slots=True)
class PublicMessage:
    """One released message. ``areas`` are the codes of the districts it touches, ancestors not included."""

    id: int
    slug: str
    number: int
    identifier: str
    sender: str
    sent: dt.datetime
    kind: Kind
    msg_type: MsgType
    status: str
    content: Content
    references: tuple[tuple[str, str, str], ...]
    areas: frozenset[str]
    renderings: Mapping[tuple[str, str], Mapping[str, Any]]

    def words(self, channel: str, language: str) -> Mapping[str, Any]:
        """The approved rendering of a channel in a language; empty where it was not composed."""
        return self.renderings.get((channel, language), {})

    def notice(self, language: str) -> Notice:
        return notice(
            self.content,
            slug=self.slug,
            kind=self.kind,
            msg_type=self.msg_type,
            language=language,
            fallback=settings.CONTENT_LANGUAGES[0],
            city=city(),
        )


@dataclass(frozen=True, slots=True)
class PublicAlert:
    """One alert with its messages, newest first. ``state``: live, expired, all-clear or false-alarm.

    Asked for with a ``Glance``, it holds its latest and its first message alone, without their ``areas``.
    """

    id: int
    slug: str
    status: str
    state: str
    messages: tuple[PublicMessage, ...]

    @property
    def latest(self) -> PublicMessage:
        return self.messages[0]

    @property
    def live(self) -> bool:
        return self.state == "live"


MOST_KNOWN = 512
"""Messages that a process keeps in memory: some ten megabytes."""
_KNOWN: dict[str, PublicMessage] = {}
_LOCK = threading.Lock()


def city() -> City:
    """The city's own names and public address, from settings."""
    return City(
        name=settings.CITY,
        short=settings.CITY_SHORT,
        publisher=settings.PUBLISHER,
        hotline=settings.HOTLINE,
        address=settings.ADDRESS,
    )


def live(status: str = Status.ACTUAL, now: dt.datetime | None = None) -> list[PublicAlert]:
    """Alerts that warn now, the most dangerous and newest first."""
    now = now or timezone.now()
    found = _alerts(
        Alert.objects.filter(status=status, latest__expires__gt=now).exclude(latest__msg_type=MsgType.CANCEL),
        now,
        ends=True,
    )
    return sorted(found, key=lambda alert: (-alert.latest.content.rank, -alert.latest.sent.timestamp()))


def ended(limit: int, status: str = Status.ACTUAL, now: dt.datetime | None = None) -> list[PublicAlert]:
    """The alerts that ended last (all-clear, false alarm, or expired), newest first."""
    now = now or timezone.now()
    over = Q(latest__msg_type=MsgType.CANCEL) | Q(latest__expires__lte=now)
    return _alerts(Alert.objects.filter(over, status=status).order_by("-latest__sent", "-pk")[:limit], now, ends=True)


def alert(slug: str, now: dt.datetime | None = None) -> PublicAlert | None:
    """One alert of any status by its address; None where nothing of it was ever released."""
    found = _alerts(Alert.objects.filter(slug=slug, latest__isnull=False), now or timezone.now())
    return found[0] if found else None


def archive_pages(per_page: int) -> int:
    """How many pages of ``per_page`` alerts the archive has; the last is the newest."""
    total = Alert.objects.filter(status=Status.ACTUAL, latest__isnull=False).count()
    return max(1, -(-total // per_page))


def archive(page: int, per_page: int, now: dt.datetime | None = None) -> list[PublicAlert]:
    """Page ``page`` (from 1, oldest alerts first, so that full pages never shift), newest first within it."""
    rows = Alert.objects.filter(status=Status.ACTUAL, latest__isnull=False).order_by("pk")
    return _alerts(rows[(page - 1) * per_page : page * per_page], now or timezone.now(), ends=True)[::-1]


def archive_page_of(slug: str, per_page: int) -> int:
    """The archive page that lists this alert."""
    row = Alert.objects.get(slug=slug)
    before = Alert.objects.filter(status=Status.ACTUAL, latest__isnull=False, pk__lt=row.pk).count()
    return before // per_page + 1


def recent(status: str, since: dt.datetime, limit: int, districts: Iterable[str] | None = None) -> list[PublicMessage]:
    """Messages for a feed: sent or still valid after ``since``, newest first; of these districts where given."""
    rows = Message.objects.filter(status=status).filter(Q(sent__gt=since) | Q(expires__gt=since))
    if districts is not None:
        rows = rows.filter(areas__area__code__in=list(districts)).distinct()
    return _said(rows.order_by("-sent", "-pk")[:limit])


def message(identifier: str) -> PublicMessage | None:
    """One message by its CAP identifier."""
    found = _said(Message.objects.filter(identifier=identifier))
    return found[0] if found else None


def pictures(slug: str) -> list[str]:
    """Where the image cards of an alert's messages belong, below the site's root."""
    of_message = Message.objects.filter(alert__slug=slug, draft=OuterRef("draft"), round=OuterRef("round"))
    return [card.path for card in Card.objects.filter(Exists(of_message)).defer("body")]


def picture(path: str) -> bytes:
    """The file of one of them."""
    start = path.removeprefix("cards/").partition(".")[0]
    return bytes(Card.objects.filter(sha256__startswith=start).values_list("body", flat=True)[0])


def slugs() -> list[str]:
    """The address of every alert ever released, exercises included, oldest first."""
    return list(Alert.objects.filter(latest__isnull=False).order_by("pk").values_list("slug", flat=True))


@dataclass(frozen=True, slots=True)
class PublicArea:
    """A district for maps and lists; ``outline`` is a GeoJSON geometry, lon, lat."""

    code: str
    name: str
    parent: str
    outline: Mapping[str, Any] | None


def areas() -> list[PublicArea]:
    """The districts in use, in the city's order; ``parent`` is the parent's code or empty."""
    # Values, not rows: a row would drag its parent's outline along, and reading those takes longest
    rows = Area.objects.filter(active=True).values_list("code", "name", "parent__code", "outline")
    return [PublicArea(code, name, parent or "", outline) for code, name, parent, outline in rows]


def _said(rows: QuerySet[Message]) -> list[PublicMessage]:
    """These messages in their order; what this process has read before is not read again, since it never changes."""
    wanted = list(rows.values_list("pk", "identifier"))
    with _LOCK:
        found = {identifier: _KNOWN[identifier] for _pk, identifier in wanted if identifier in _KNOWN}
    lacking = [pk for pk, identifier in wanted if identifier not in found]
    if lacking:
        read = {message.identifier: message for message in map(_message, _whole(lacking))}
        found |= read
        with _LOCK:
            _KNOWN.update(read)
            while len(_KNOWN) > MOST_KNOWN:
                del _KNOWN[next(iter(_KNOWN))]
    return [found[identifier] for _pk, identifier in wanted]


def _whole(ids: list[int]) -> QuerySet[Message]:
    return (
        Message.objects.filter(pk__in=ids)
        .select_related("alert")
        .prefetch_related(
            Prefetch("areas", queryset=MessageArea.objects.select_related("area").only("message_id", "area__code")),
            Prefetch("draft", queryset=Draft.objects.only("pk")),
            Prefetch("draft__renderings", queryset=Rendering.objects.order_by("pk")),
        )
    )


def _alerts(rows: QuerySet[Alert], now: dt.datetime, *, ends: bool = False) -> list[PublicAlert]:
    """These alerts; with ``ends`` their first and latest message alone, however long their history is."""
    alerts = list(rows)
    messages = Message.objects.filter(alert__in=alerts).order_by("-number")
    if ends:
        messages = messages.filter(Q(number=1) | Q(successor__isnull=True))
    said: dict[str, list[PublicMessage]] = {}
    for message in _said(messages):
        said.setdefault(message.slug, []).append(message)
    return [_alert(row, tuple(said[row.slug]), now) for row in alerts]


def _alert(row: Alert, messages: tuple[PublicMessage, ...], now: dt.datetime) -> PublicAlert:
    newest = messages[0]
    if newest.msg_type == MsgType.CANCEL:
        state = "false-alarm" if newest.kind == Kind.FALSE_ALARM else "all-clear"
    else:
        expires = newest.content.expires
        state = "live" if expires and expires > now else "expired"
    return PublicAlert(id=row.pk, slug=row.slug, status=row.status, state=state, messages=messages)


def _message(row: Message) -> PublicMessage:
    return PublicMessage(
        id=row.pk,
        slug=row.alert.slug,
        number=row.number,
        identifier=row.identifier,
        sender=row.sender,
        sent=row.sent,
        kind=Kind(row.kind),
        msg_type=MsgType(row.msg_type),
        status=row.status,
        content=row.content,
        references=tuple((sender, identifier, sent) for sender, identifier, sent in row.references),
        areas=frozenset(area.area.code for area in row.areas.all()),
        renderings={
            (rendering.channel, rendering.language): rendering.fields_json
            for rendering in row.draft.renderings.all()
            if rendering.round == row.round
        },
    )
