"""Filing what a source says: once each, what belongs together under one event, what is newer over what is older.

``Incoming.came_at`` is since when the desk owes a look: an update of a warning that nobody has acknowledged yet
takes its predecessor's time over, or a source that updates every few minutes would never be escalated.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import replace

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from alerts.content import Content, to_json
from alerts.models import Incoming, ItemState, Source
from alerts.terms import SEVERITY_RANK, MsgType, Severity

from . import places
from .found import Found, line
from .nina import PREFIX

SKEW = dt.timedelta(minutes=10)
"""So far ahead a source's clock may be; what is dated later counts as sent when it came."""
OLD = dt.timedelta(days=7)
"""What is older and names no end is history."""
TOGETHER = dt.timedelta(minutes=30)
"""Two sources that speak of the same event in the same district within this time mean one and the same."""
GENERAL = re.compile(
    r"(?:gefahren(?:information|mitteilung|durchsage)|(?:amtliche )?(?:un?wetter)?warnung|alert|warning|entwarnung)\W*",
    re.IGNORECASE,
)
"""Events that say nothing: MoWaS has three words for everything."""
OPEN = (ItemState.NEW, ItemState.SEEN)


def take(source: Source, found: Found, now: dt.datetime) -> Incoming | None:
    """File it, unless it is none of the city's business or there already."""
    if len(found.identifier) > 255 or Incoming.objects.filter(source=source, identifier=found.identifier).exists():
        return None
    content = places.fitted(found.content)
    sent = min(found.sent, now) if found.sent > now + SKEW else found.sent
    expires = content.expires if content.expires and content.expires > found.sent else None
    if (expires is None and now - sent > OLD) or (expires is not None and expires <= now):
        return None
    earlier = _earlier(source, found, content, sent)
    if not _wanted(source, found, content, earlier):
        return None
    try:
        with transaction.atomic():
            return _file(source, found, replace(content, expires=expires), sent, earlier)
    except IntegrityError:
        return None  # another process filed it between our look and our write


def _wanted(source: Source, found: Found, content: Content, earlier: list[Incoming]) -> bool:
    """Whether it is to be told. Whatever goes on with an event that was told is told too."""
    if any(_identity(item.identifier) in _references(found) for item in earlier):
        return True
    if found.msg_type == MsgType.CANCEL:
        return False  # of what nobody here was told of
    if content.rank < SEVERITY_RANK[Severity(source.least)]:
        return False
    said = " ".join([found.event, found.headline, *(text.event for text in content.texts.values())]).casefold()
    if source.events and not any(str(event).casefold() in said for event in source.events):
        return False
    return source.whole_world or places.concerns_city(found, content)


# What belongs together


def _identity(identifier: str) -> str:
    """An authority's own identifier, without what NINA puts before it."""
    return PREFIX.sub("", identifier)


def _references(found: Found) -> set[str]:
    return {_identity(reference) for reference in found.references}


def _earlier(source: Source, found: Found, content: Content, sent: dt.datetime) -> list[Incoming]:
    """The items that this one belongs to, of any source, the newest first."""
    wanted = _references(found) | {_identity(found.identifier)}
    names = {f"{prefix}{name}" for name in wanted for prefix in ("", "mow.", "dwd.", "dwdmap.", "kat.", "biw.", "lhp.")}
    same = Incoming.objects.filter(identifier__in=names, status=found.status)
    events = list(same.values_list("event", flat=True).distinct())
    if not events:
        events = [item.event for item in _alike(source, found, content, sent)][:1]
    return list(Incoming.objects.filter(event__in=events).select_related("source")) if events else []


def _alike(source: Source, found: Found, content: Content, sent: dt.datetime) -> Iterable[Incoming]:
    """What another source said of the same event, in one of the same districts, at about the same time."""
    name = _name(found.event, found.headline)
    touched = {district.code for district in content.touched}
    near = Incoming.objects.exclude(source=source).filter(
        sent__gte=sent - TOGETHER, sent__lte=sent + TOGETHER, status=found.status
    )
    for item in near[:200]:
        there = item.content_json
        events = {_name(str(text.get("event", "")), item.headline) for text in there.get("texts", {}).values()}
        if name in events and touched & {str(district["code"]) for district in there.get("touched", [])}:
            yield item


def _name(event: str, headline: str) -> str:
    return (headline if not event or GENERAL.fullmatch(event) else event).casefold().strip()


# Filing


def _file(source: Source, found: Found, content: Content, sent: dt.datetime, earlier: list[Incoming]) -> Incoming:
    item = Incoming.objects.create(
        source=source,
        identifier=found.identifier,
        sender=line(found.sender, 255),
        event=earlier[0].event if earlier else _identity(found.identifier),
        sent=sent,
        expires=content.expires,
        msg_type=found.msg_type,
        status=found.status,
        severity=content.severity,
        headline=found.headline or line(found.event, 300) or "—",
        area=found.area,
        signature=found.signature,
        content_json=to_json(content),
        raw=found.raw.replace("\x00", ""),
    )
    twin = next((one for one in earlier if _identity(one.identifier) == _identity(found.identifier)), None)
    if twin is not None and twin.state != ItemState.NEW:
        # the same message by another way, and the desk knows it
        item.state = twin.state if twin.state == ItemState.OVERTAKEN else ItemState.SEEN
        item.seen_by, item.seen_at = twin.seen_by, twin.seen_at
        item.save(update_fields=["state", "seen_by", "seen_at"])
        return item
    older = [one for one in earlier if one.state in OPEN and _overtakes(item, one, found)]
    newer = [one for one in earlier if one.source_id == source.pk and one.sent > item.sent and one not in older]
    if newer:
        # it came late: what it says has been said anew already
        item.state = ItemState.OVERTAKEN
        item.save(update_fields=["state"])
        return item
    _take_over(item, older)
    return item


def _overtakes(item: Incoming, other: Incoming, found: Found) -> bool:
    """By naming it, or by being a later word of the same source."""
    if _identity(other.identifier) in _references(found):
        return True
    return other.source_id == item.source_id and item.sent >= other.sent and found.msg_type != MsgType.ALERT


def _take_over(item: Incoming, older: list[Incoming]) -> None:
    unseen = [one for one in older if one.state == ItemState.NEW]
    Incoming.objects.filter(pk__in=[one.pk for one in older]).update(state=ItemState.OVERTAKEN)
    if not unseen:
        return
    worse = SEVERITY_RANK[Severity(item.severity)] > max(SEVERITY_RANK[Severity(one.severity)] for one in unseen)
    item.came_at = min(one.came_at for one in unseen)
    item.escalated_at = None if worse else next((one.escalated_at for one in unseen if one.escalated_at), None)
    item.save(update_fields=["came_at", "escalated_at"])


# What stands now


def owed(now: dt.datetime | None = None) -> QuerySet[Incoming]:
    """What nobody has acknowledged and still holds."""
    holds = Q(expires__isnull=True) | Q(expires__gt=now or timezone.now())
    return Incoming.objects.filter(holds, state=ItemState.NEW).select_related("source")


def current(now: dt.datetime | None = None) -> QuerySet[Incoming]:
    """What holds and is acknowledged; without an end it is shown for a week."""
    now = now or timezone.now()
    holds = Q(expires__gt=now) | Q(expires__isnull=True, came_at__gt=now - OLD)
    rows = Incoming.objects.filter(holds, state__in=(ItemState.SEEN, ItemState.DRAFTED))
    return rows.select_related("source", "seen_by", "draft")


def gone(source: Source, listed: set[str], now: dt.datetime) -> list[Incoming]:
    """What still holds but is in the source's list no more: no all-clear, but the desk should know."""
    rows = [*owed(now).filter(source=source), *current(now).filter(source=source)]
    return [item for item in rows if item.identifier not in listed and item.msg_type != MsgType.CANCEL]
