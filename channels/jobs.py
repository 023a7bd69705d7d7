"""The RQ functions: they take ids and can run twice. What Redis loses, ``sweep`` finds in the rows."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterable

import django_rq
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override
from redis.exceptions import RedisError

from alerts import alarms
from alerts.models import Message
from alerts.models import Rendering as RenderingRow
from alerts.notice import Rendering

from . import fanout, registry
from .base import Permanent, Publisher, Temporary, Uncertain
from .base import Post as Out
from .models import Attempt, Delivery, Post

log = logging.getLogger(__name__)


def ring(message_id: int) -> None:
    """Tell the workers that a message is owed (``alerts.ports.Ring``); never raises for a missing Redis."""
    try:
        django_rq.get_queue("site").enqueue(fan_out, message_id, result_ttl=0, failure_ttl=86_400)
    except (RedisError, OSError) as error:
        log.warning("no doorbell for message %s (%s): the sweep takes it", message_id, type(error).__name__)


def fan_out(message_id: int) -> None:
    """Plan a message's deliveries, ring for the others, then carry out page and feeds at once."""
    planned = fanout.plan(message_id)
    ring_for(delivery for delivery in planned if delivery.city and not delivery.site)
    for delivery in planned:
        if delivery.site:
            deliver(delivery.pk)


def ring_for(deliveries: Iterable[Delivery]) -> None:
    """Put each delivery on its queue."""
    told = []
    try:
        for delivery in deliveries:
            django_rq.get_queue(delivery.queue).enqueue(deliver, delivery.pk, result_ttl=0, failure_ttl=86_400)
            told.append(delivery.pk)
    except (RedisError, OSError) as error:
        log.warning("no doorbell (%s): the sweep takes what waits", type(error).__name__)
    if told:
        fanout.rung(told)


def deliver(delivery_id: int) -> None:
    """Carry out one delivery, if nobody else has it: claim, hand over each language, settle."""
    token = fanout.claim(delivery_id)
    if token is None:
        return
    delivery = Delivery.objects.select_related("message__alert").get(pk=delivery_id)
    channel = registry.channel(delivery.channel)
    if not isinstance(channel, Publisher):
        raise TypeError(f"{delivery.channel} is no Publisher")
    started = time.monotonic()
    result = fanout.Result(Attempt.Result.ACCEPTED)
    with override("de"):  # what is stored for officers is stored in the city's first language
        try:
            for rendering in _owed(delivery):
                if not _publish(channel, delivery, rendering, token):
                    log.warning("delivery %s: lease lost, stopping", delivery_id)
                    return
        except Temporary as error:
            result = fanout.Result(Attempt.Result.TEMPORARY, str(error), after=error.after)
        except Permanent as error:
            result = fanout.Result(Attempt.Result.PERMANENT, str(error))
        except Uncertain as error:
            result = fanout.Result(Attempt.Result.UNCERTAIN, str(error))
        except Exception as error:
            # A fault of ours: the row must not stay behind as if somebody worked on it.
            words = _("Unexpected fault in the channel ({name}). The administrator finds it in the log.")
            result = fanout.Result(Attempt.Result.UNCERTAIN, words.format(name=type(error).__name__))
            log.exception("delivery %s: unexpected fault in %s", delivery_id, delivery.channel)
    spent = fanout.Result(
        result.result, result.words, milliseconds=round(1000 * (time.monotonic() - started)), after=result.after
    )
    if fanout.settle(delivery_id, token, spent, idempotent=channel.idempotent, site=channel.site):
        _after(delivery, spent)


def _owed(delivery: Delivery) -> list[Rendering]:
    """The approved renderings that have no post yet, with the slots that release has filled."""
    message = delivery.message
    rows = RenderingRow.objects.filter(draft=message.draft_id, round=message.round, channel=delivery.channel)
    done = set(delivery.posts.values_list("language", flat=True))
    slots = {
        "identifier": message.identifier,
        "sent": message.sent.isoformat(),
        "slug": message.alert.slug,
        "digest": message.digest,
    }
    return [
        Rendering(row.channel, row.language, row.fields_json, slots)
        for row in rows.order_by("pk")
        if row.language not in done
    ]


def _publish(channel: Publisher, delivery: Delivery, rendering: Rendering, token: str) -> bool:
    """Hand one rendering over and keep its post. False where the lease was lost."""
    if not fanout.renew(delivery.pk, token):
        return False
    started = time.monotonic()
    key = f"{delivery.message.identifier}:{delivery.channel}:{rendering.language}"
    if delivery.rehearsal:
        out = Out(remote_id="rehearsal", data={"would_send": dict(rendering.fields)})
    else:
        first = (
            Post.objects.filter(
                delivery__message__alert=delivery.message.alert_id,
                delivery__channel=delivery.channel,
                delivery__message__number__lt=delivery.message.number,
                delivery__rehearsal=False,
                language=rendering.language,
            )
            .order_by("pk")
            .first()
        )
        if first is None:
            out = channel.publish(rendering, key=key)
        else:
            out = channel.update(rendering, Out(first.remote_id, first.url, first.data), key=key)
    spent = round(1000 * (time.monotonic() - started))
    post = Post(remote_id=out.remote_id, url=out.url, data=dict(out.data))
    return fanout.accepted(delivery.pk, token, rendering, post, spent)


def _after(delivery: Delivery, result: fanout.Result) -> None:
    """What follows from a result: the gate opens, or an alarm sounds."""
    cause = f"site {delivery.message_id} {delivery.channel}"
    if result.result == Attempt.Result.ACCEPTED:
        if delivery.site:
            alarms.end(cause)
            if fanout.open_if_live(delivery.message_id):
                ring_for(Delivery.objects.filter(message=delivery.message_id, city=False, state="waiting"))
        return
    with override("de"):
        if delivery.site:
            text = _(
                "The city's own page does not stand yet ({channel}: {reason}). It is tried again. "
                "Commercial channels wait; an officer may open the gate by hand."
            )
            alarms.sound(
                cause,
                text.format(channel=registry.label(delivery.channel), reason=result.words),
                link=f"{settings.ADDRESS}/desk/",
            )
        elif result.result != Attempt.Result.TEMPORARY:
            text = _("{channel} did not carry a message: {reason}")
            alarms.sound(
                f"delivery {delivery.pk}",
                text.format(channel=registry.label(delivery.channel), reason=result.words),
                link=f"{settings.ADDRESS}/desk/",
            )


def sweep(*, patience: float) -> int:
    """Put right what a lost doorbell, a dead worker or a dead Redis left behind. Returns what it did itself.

    Rings again for what nobody was told of; what no worker took for ``patience`` seconds it carries
    out here, the city's own channels only.
    """
    waited = dt.timedelta(seconds=patience)
    for delivery in fanout.lost():
        channel = registry.channel(delivery.channel)
        words = fanout.Result(Attempt.Result.LOST, _("The worker was lost in the middle of it."))
        fanout.settle(delivery.pk, delivery.lease, words, idempotent=channel.idempotent, site=channel.site)
        if not channel.idempotent:
            _after(delivery, words)
    fanout.end_expired()
    for message_id in fanout.unplanned(dt.timedelta(seconds=2)):
        fanout.plan(message_id)
    ring_for(fanout.unrung())
    done = 0
    for delivery in fanout.forgotten(waited):
        deliver(delivery.pk)
        done += 1
    for message in Message.objects.filter(live_at__isnull=True, deliveries__site=True).distinct()[:100]:
        if fanout.open_if_live(message.pk):  # a worker died between its settling and the gate
            ring_for(Delivery.objects.filter(message=message, city=False, state="waiting"))
    return done
