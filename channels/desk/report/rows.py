"""Everything that is known of one alert, in a number of queries that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from django.contrib.auth.models import User
from django.db.models import Count, Max, Min, Q

from alerts import alarms, drafting
from alerts.desk.people import name
from alerts.models import Alert, AuditEntry, Draft, Message

from ... import registry, tally
from ...base import Broadcaster
from ...models import Attempt, Delivery, Pause, Post, Retraction
from ...timeline import Rows, Tries

AROUND = ("alarm", "alarm-ended", "channel-paused", "channel-resumed", "held", "resumed")
"""Actions that concern every alert that runs at the time."""
OF_OTHERS = (
    alarms.BREAK_GLASS,
    "lapsed ",
    "delivery ",
    "retraction ",
    "receipts ",
    "site ",
    "due ",
    "overdue ",
    "access ",
    "role ",
    "twins ",
    "sign-up ",
)
"""How causes of alarms begin that are about one alert, or about officers: those of this one are asked for by name."""
MOST_AROUND = 500


def load(alert: Alert) -> Rows:
    """The rows of an alert."""
    messages = list(
        Message.objects.filter(alert=alert)
        .select_related("approval__officer", "draft", "break_glass_by", "base")
        .order_by("number")
    )
    drafts = list(Draft.objects.filter(alert=alert).order_by("pk"))
    deliveries = list(Delivery.objects.filter(message__alert=alert).order_by("message", "-site", "-city", "pk"))
    posts = list(Post.objects.filter(delivery__message__alert=alert).order_by("pk").defer("data"))
    retractions = list(Retraction.objects.filter(post__delivery__message__alert=alert).order_by("pk"))
    lines = _lines([*_subjects(messages, drafts, deliveries, retractions)])
    return Rows(
        alert,
        messages,
        drafts,
        deliveries,
        _tries(alert),
        posts,
        retractions,
        tally.counts([row.pk for row in deliveries]),
        lines,
        _paused(lines),
        {channel: way_of(channel) for channel in {row.channel for row in deliveries}},
        _names(lines),
    )


def way_of(channel: str) -> str:
    """What a channel is: site, push, sms, email or post; a removed one tells no more."""
    found = registry.channel(channel) if registry.configured(channel) else None
    if isinstance(found, Broadcaster):
        return found.way
    return "site" if found is not None and found.site else "post"


def _tries(alert: Alert) -> dict[int, Tries]:
    """The first and the last try of each delivery; those between are counted by the database."""
    went = Q(result=Attempt.Result.ACCEPTED)  # one for each language
    rows = Attempt.objects.filter(delivery__message__alert=alert).order_by().values_list("delivery")
    counted = rows.annotate(Min("pk"), Max("pk"), failed=Count("pk", filter=~went), well=Count("pk", filter=went))
    ends = [(delivery, first, last, failed + min(1, well)) for delivery, first, last, failed, well in counted]
    found = Attempt.objects.in_bulk({pk for _delivery, first, last, _count in ends for pk in (first, last)})
    return {
        delivery: Tries(found[first], found[last], count)
        for delivery, first, last, count in ends
        if first in found and last in found
    }


def _subjects(
    messages: Sequence[Message],
    drafts: Sequence[Draft],
    deliveries: Sequence[Delivery],
    retractions: Sequence[Retraction],
) -> Iterator[str]:
    """How the record names what belongs to this alert, and the causes of its alarms."""
    for draft in drafts:
        yield drafting.subject(draft)
        yield f"lapsed {draft.pk}"
    for message in messages:
        yield f"message {message.pk}"
        yield f"{alarms.BREAK_GLASS}{message.identifier}"
        yield f"due {message.identifier}"
        yield f"overdue {message.identifier}"
    for delivery in deliveries:
        yield f"delivery {delivery.pk}"
        yield f"receipts {delivery.pk}"
        if delivery.site:
            yield f"site {delivery.message_id} {delivery.channel}"
    for retraction in retractions:
        yield f"post {retraction.post_id}"
        yield f"retraction {retraction.pk}"


def _lines(subjects: Sequence[str]) -> list[AuditEntry]:
    """The record's lines about these, and between their first and last what concerned every alert."""
    own = list(AuditEntry.objects.filter(subject__in=subjects).order_by("number"))
    if not own:
        return []
    others = Q()
    for beginning in OF_OTHERS:
        others |= Q(subject__startswith=beginning)
    between = AuditEntry.objects.filter(number__gt=own[0].number, number__lt=own[-1].number, action__in=AROUND)
    around = between.exclude(others).exclude(pk__in=[line.pk for line in own]).order_by("number")[:MOST_AROUND]
    return sorted([*own, *around], key=lambda line: line.number)


def _paused(lines: Sequence[AuditEntry]) -> list[Pause]:
    """Channels that were paused already when the alert began."""
    if not lines:
        return []
    began = lines[0].at
    still = Q(ended_at__isnull=True) | Q(ended_at__gt=began)
    return list(Pause.objects.filter(still, since__lt=began).select_related("by").order_by("pk"))


def _names(lines: Iterable[AuditEntry]) -> dict[str, str]:
    return {user.username: name(user) for user in User.objects.filter(username__in={line.actor for line in lines})}
