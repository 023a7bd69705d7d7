"""Who is reached by a message: the subscriptions it goes to, frozen as recipients by one INSERT … SELECT."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, QuerySet, Value, When

from alerts.content import Content
from alerts.models import Area, Message, MessageArea
from alerts.terms import SEVERITY_RANK, Severity, Status

from .. import registry
from ..models import Batch, Delivery, Recipient, Subscription, SubscriptionArea
from . import sealing, topics, ways

LOUD = SEVERITY_RANK[Severity.SEVERE]
"""From this rank on, a message passes every topic filter."""


def freeze(delivery: Delivery, way: str, languages: Sequence[str], after: int, most: int) -> int:
    """Write one Recipient for each of the next ``most`` subscriptions that the delivery goes to; returns how many.

    In the caller's transaction; ``after`` is the last subscription frozen before. Each comes in its own
    language, where that is one of ``languages``, else in the first of them. A constant number of queries,
    however many subscribe.
    """
    message = delivery.message
    spoken = Case(
        When(language__in=list(languages), then=F("language")), default=Value(languages[0]), output_field=CharField()
    )
    found = (
        reached(message, way)
        .filter(pk__gt=after)
        .annotate(
            to_delivery=Value(delivery.pk),
            spoken=spoken,
            owed=Value(Recipient.State.OWED.value),
            no_words=Value(""),
            no_id=Value(""),
            not_yet=Value(False),
        )
        .order_by("pk")
        .values_list("to_delivery", "pk", "spoken", "owed", "no_words", "no_id", "not_yet")[:most]
    )
    select, parameters = found.query.sql_with_params()
    columns = ("delivery_id", "subscription", "language", "state", "words", "remote_id", "looked_up")
    quoted = ", ".join(connection.ops.quote_name(name) for name in columns)
    table = connection.ops.quote_name(Recipient._meta.db_table)
    with connection.cursor() as cursor:
        # no ORM word for it: rows never leave the database
        cursor.execute(f"INSERT INTO {table} ({quoted}) {select}", parameters)
        return int(cursor.rowcount)


def reached(message: Message, way: str) -> QuerySet[Subscription]:
    """The subscriptions of one way that a message goes to; exercises and tests only to who asked for them.

    Whose districts it touches, whose least severity it meets, whose topics fit; and everybody who got
    any message of the alert before.
    """
    touched = MessageArea.objects.filter(message=message).values_list("area_id", flat=True)
    wanted = _wanted(_around(touched), message.severity, message.content.category)
    before = list(
        Delivery.objects.filter(message__alert=message.alert_id, message__number__lt=message.number, rehearsal=False)
        .filter(recipients__isnull=False)
        .distinct()
        .values_list("pk", flat=True)
    )
    if before:
        wanted |= Q(pk__in=_got(before).values("subscription"))
    found = Subscription.objects.filter(wanted, way=way)
    return found if message.status == Status.ACTUAL else found.filter(tests=True)


def would_reach(content: Content, way: str) -> int:
    """How many subscriptions of one way a first message with this content would go to."""
    areas = Area.objects.filter(code__in=[district.code for district in content.touched]).values_list("pk", flat=True)
    found = Subscription.objects.filter(_wanted(_around(areas), content.severity, content.category), way=way)
    return (found if content.status == Status.ACTUAL else found.filter(tests=True)).count()


def audience(content: Content, alert: int) -> dict[str, int]:
    """How many subscriptions of each way the next message of an alert, with this content, would go to.

    The ways are those that a channel serves which would carry it. Four or five queries, however many subscribe.
    """
    earlier = Delivery.objects.filter(message__alert=alert, rehearsal=False, recipients__isnull=False)
    before = dict(earlier.distinct().values_list("pk", "channel"))
    highest = Message.objects.filter(alert=alert).values_list("highest", flat=True)
    rank = max([content.rank, *(SEVERITY_RANK[Severity(word)] for word in highest)])
    served = [way for way in ways.offered() if _carried(way, rank, set(before.values()))]
    areas = Area.objects.filter(code__in=[district.code for district in content.touched]).values_list("pk", flat=True)
    wanted = _wanted(_around(areas), content.severity, content.category)
    if before:
        wanted |= Q(pk__in=_got(list(before)).values("subscription"))
    found = Subscription.objects.filter(wanted, way__in=served)
    if content.status != Status.ACTUAL:
        found = found.filter(tests=True)
    counts = dict(found.values_list("way").annotate(count=Count("pk")))
    return {way: counts.get(way, 0) for way in served}


def _carried(way: str, rank: int, before: set[str]) -> bool:
    """Whether the channel of a way takes a message of this rank, or carried an earlier one of the alert."""
    found = ways.broadcaster(way)
    if found is None:
        return False
    name = found[0]
    least = registry.least(name)
    return least is None or rank >= SEVERITY_RANK[least] or name in before


def addresses(way: str, subscriptions: Iterable[int]) -> dict[int, str]:
    """The addresses of these subscriptions; those that have left are missing."""
    rows = list(Subscription.objects.filter(pk__in=list(subscriptions), way=way).values_list("pk", "address"))
    opened = sealing.unseal_all(way, [bytes(sealed) for _pk, sealed in rows])
    return {pk: address for (pk, _sealed), address in zip(rows, opened, strict=True)}


def _wanted(areas: Sequence[int], severity: str, categories: Iterable[str]) -> Q:
    rank = SEVERITY_RANK[Severity(severity)]
    quiet_enough = [word.value for word in Severity if SEVERITY_RANK[word] <= rank]
    of_areas = SubscriptionArea.objects.filter(area__in=areas).values("subscription")
    wanted = Q(pk__in=of_areas, least__in=quiet_enough)
    if rank < LOUD:
        wanted &= _topic(topics.of_categories(categories))
    return wanted


def _topic(mask: int) -> Q:
    # the masks are few: a list of those that share a bit, rather than arithmetic that no index knows
    return Q(topics__in=[value for value in range(1, topics.ALL + 1) if value & mask])


def _around(touched: Iterable[int]) -> list[int]:
    """These districts, all that they are part of, and all that are part of them; never their siblings."""
    parents: dict[int, int | None] = dict(Area.objects.values_list("pk", "parent_id"))
    hit = set(touched)
    found = set(hit)
    for area in hit:
        above: int | None = parents.get(area)
        while above is not None and above not in found:
            found.add(above)
            above = parents.get(above)
    for area in parents:
        path: list[int] = []
        above = area
        while above is not None and above not in path:
            if above in hit:
                found.add(area)
                break
            path.append(above)
            above = parents.get(above)
    return sorted(found)


def _got(deliveries: Sequence[int]) -> QuerySet[Recipient, Any]:
    """The recipients of these deliveries whom the message reached, or may have."""
    passed = Batch.objects.filter(
        Q(again__gt=0) | Q(handed__gte=OuterRef("pk")),
        delivery=OuterRef("delivery"),
        language=OuterRef("language"),
        first__lte=OuterRef("pk"),
        last__gte=OuterRef("pk"),
    )
    states = Recipient.State
    return Recipient.objects.filter(
        Q(state__in=[states.ACCEPTED, states.DELIVERED, states.UNCLEAR]) | (Q(state=states.OWED) & Exists(passed)),
        delivery__in=deliveries,
    )
