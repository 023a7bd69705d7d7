"""The RQ functions: they take ids and can run twice. What Redis loses, ``sweep`` finds in the rows."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import django_rq
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import override
from redis.exceptions import RedisError

from alerts import alarms
from alerts.models import Message

from . import batches, checkpoints, fanout, handfuls, hold, posts, registry, retractions
from .base import Broadcaster, ByHand, Outcome, Permanent, Publisher, Temporary, Uncertain
from .models import Attempt, Batch, Delivery, State
from .subscriptions import hooks, prepared

log = logging.getLogger(__name__)

BUDGET = 5.0
"""Seconds of a round that upkeep spends on what no worker took."""
MOST = 120.0
"""Seconds of one job: an SMS gateway with a low limit takes longer for a batch than RQ lets a job run."""
LOOK = 0.2
"""Seconds between two looks whether more urgent work waits."""
HEAD_START = 0.3
"""Seconds that page and feeds have for themselves at the most, before subscribers are begun with."""
SLICE = 1.0
"""Seconds after which a batch gives way to another channel of its own message."""


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
    if not registry.configured(delivery.channel):
        _refuse(delivery, token)
        return
    channel = registry.channel(delivery.channel)
    if isinstance(channel, Broadcaster):
        _to_batches(channel, delivery, token)
        return
    if not isinstance(channel, Publisher):
        raise TypeError(f"{delivery.channel} is neither Publisher nor Broadcaster")
    started = time.monotonic()
    result = fanout.Result(Attempt.Result.ACCEPTED)
    with override("de"):  # what is stored for officers is stored in the city's first language
        try:
            if not posts.all_languages(channel, delivery, token):
                return
        except Temporary as error:
            result = fanout.Result(Attempt.Result.TEMPORARY, str(error), after=error.after)
        except Permanent as error:
            result = fanout.Result(Attempt.Result.PERMANENT, str(error))
        except ByHand as error:
            result = fanout.Result(Attempt.Result.BY_HAND, str(error))
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
    may_ask = fanout.looks_up(channel)
    if fanout.settle(delivery_id, token, spent, idempotent=channel.idempotent, site=channel.site, looks_up=may_ask):
        _after(delivery, spent)


def _to_batches(channel: Broadcaster, delivery: Delivery, token: str) -> None:
    """Freeze and cut a claimed broadcaster's recipients, and ring for each run of batches as it stands."""
    _let_the_page_go_first(delivery.message_id)
    spoken = list(dict.fromkeys(rendering.language for rendering in posts.renderings(delivery)))
    for number, made in enumerate(batches.cut(delivery.pk, token, channel.way, spoken)):
        ring_batches(made if not channel.one_by_one else made[:1] if number == 0 else [])
        if number == 0:
            _let_the_first_begin(made)


def _let_the_page_go_first(message_id: int) -> None:
    """Wait a moment for page and feeds before a hundred thousand recipients are frozen: links lead to the page.

    The two would share the host, and on SQLite the one write lock. Never for longer than ``HEAD_START``.
    """
    until = time.monotonic() + HEAD_START
    ahead = Delivery.objects.filter(message=message_id, site=True, state__in=[State.WAITING, State.SENDING])
    while time.monotonic() < until and ahead.exists():
        time.sleep(0.02)


def _let_the_first_begin(made: Sequence[Batch]) -> None:
    """Leave the database's one write lock to the first checkpoint before more recipients are frozen."""
    until = time.monotonic() + HEAD_START
    waits = Batch.objects.filter(pk__in=[batch.pk for batch in made[:1]], reached__lt=F("first"))
    while time.monotonic() < until and waits.exists():
        time.sleep(0.01)


def _refuse(delivery: Delivery, token: str) -> None:
    """A channel that was removed from the settings after it was planned for."""
    result = fanout.Result(Attempt.Result.PERMANENT, str(fanout.REMOVED))
    if fanout.settle(delivery.pk, token, result, idempotent=False, site=delivery.site):
        _after(delivery, result)


def ring_batches(waiting: Iterable[Batch]) -> None:
    """Put each batch on its delivery's queue."""
    told = []
    try:
        for batch in waiting:
            django_rq.get_queue(batch.delivery.queue).enqueue(send_batch, batch.pk, result_ttl=0, failure_ttl=86_400)
            told.append(batch.pk)
    except (RedisError, OSError) as error:
        log.warning("no doorbell (%s): the sweep takes what waits", type(error).__name__)
    if told:
        batches.rung(told)


def send_batch(batch_id: int, most: float = MOST) -> None:
    """Send one batch checkpoint by checkpoint, if nobody else has it; give way where more urgent work waits.

    After ``most`` seconds it lets go between two checkpoints and is rung anew, whoever waits.
    """
    batch = Batch.objects.select_related("delivery__message__alert").get(pk=batch_id)
    name = batch.delivery.channel
    channel = registry.channel(name) if registry.configured(name) else None
    alone = isinstance(channel, Broadcaster) and channel.one_by_one
    token = batches.claim(batch_id, turn=name if alone else "")
    if token is None:
        return
    batch.refresh_from_db(fields=["state", "lease", "reached", "handed", "again", "tries", "turn", "first", "last"])
    if channel is None:
        batches.settle(batch, token, state=State.FAILED, words=str(fanout.REMOVED))
        return
    if not isinstance(channel, Broadcaster):
        raise TypeError(f"{name} is no Broadcaster")
    with override("de"):
        _send_batch(channel, batch, token, most)
    if alone:
        ring_batches(batches.next_in_turn(name))


def _send_batch(channel: Broadcaster, batch: Batch, token: str, most: float) -> None:
    """The checkpoints of a claimed batch, until it ends, gives way or fails."""
    started = time.monotonic()
    looked = 0.0
    try:
        rendering = next(one for one in posts.renderings(batch.delivery) if one.language == batch.language)
        if batch.again and not channel.idempotent and not checkpoints.look_up(channel, batch, rendering, token):
            return
        handful = checkpoints.begin(channel, batch, token)
        while handful is not None and handful.subscriptions:
            outcomes = checkpoints.hand_over(channel, batch, rendering, token, handful)
            hooks.take(channel.name, channel.way, channel.arrived())
            if outcomes is None:
                log.warning("batch %s: lease lost, stopping", batch.pk)
                return
            now = time.monotonic()
            look = now - looked >= LOOK or now - started > most
            looked = now if look else looked
            if _stops(batch, token, outcomes, look=look, spent=now - started, most=most):
                return
            handful = checkpoints.go_on(channel, batch, token, outcomes)
        if handful is None:
            log.warning("batch %s: lease lost, stopping", batch.pk)
        else:
            batches.settle(batch, token, ask=not channel.idempotent)
    except Temporary as error:
        after = error.after if error.after is not None else fanout.pause(batch.tries)
        batches.put_back(batch, token, after=after, words=str(error))
    except Permanent as error:
        batches.settle(batch, token, state=State.FAILED, words=str(error))
        _after(batch.delivery, fanout.Result(Attempt.Result.PERMANENT, str(error)))
    except Exception:
        log.exception("batch %s: unexpected fault in %s", batch.pk, batch.delivery.channel)
        # its lease runs out, and the sweep takes it back as a lost worker's


def _stops(batch: Batch, token: str, outcomes: Sequence[Outcome], *, look: bool, spent: float, most: float) -> bool:
    """Whether a batch ends or gives way here, between two checkpoints; it then has written its outcomes."""
    if batches.overtaken(batch):
        if handfuls.checkpoint(batch, token, outcomes):
            words = _("A newer message took its place.")
            batches.settle(batch, token, state=State.SUPERSEDED, words=words)
        return True
    if not look:
        return False
    if batch.delivery.queue != "city-urgent":
        _let_urgent_ones_begin(batch)
    held, over = hold.held(), spent > most
    if held or over or batches.someone_waits(batch, batch.delivery.queue, turns=spent > SLICE):
        if handfuls.checkpoint(batch, token, outcomes) and batches.put_back(batch, token) and not held:
            ring_batches([batch])
        return True
    return False


def _let_urgent_ones_begin(batch: Batch) -> None:
    """Leave the host to a more urgent message until its first batch stands, which this one then gives way to."""
    until = time.monotonic() + batches.BEGINNING
    while time.monotonic() < until and batches.urgent_one_begins(batch):
        if batches.someone_waits(batch, batch.delivery.queue, turns=False):
            return
        time.sleep(0.02)


def prepare(after: int = 0) -> None:
    """In idle time: make ahead what one later push to each subscription can use; goes on in a job of its own."""
    channel = next(
        (
            found
            for found in map(registry.channel, registry.names())
            if isinstance(found, Broadcaster) and found.prepares and not registry.rehearsal(found.name)
        ),
        None,
    )
    if channel is None:
        return
    until = time.monotonic() + BUDGET
    while time.monotonic() < until:
        if batches.under_way():
            return  # the minute's look begins anew
        after = prepared.make(channel.prepare, after)
        if not after:
            return
    ring_to_prepare(after)


def ring_to_prepare(after: int = 0) -> None:
    """Have the sets made that are missing; whoever finds Redis gone, sends with fresh keys."""
    try:
        django_rq.get_queue("upkeep").enqueue(prepare, after, result_ttl=0, failure_ttl=86_400)
    except (RedisError, OSError) as error:
        log.warning("no doorbell to prepare (%s)", type(error).__name__)


def _after(delivery: Delivery, result: fanout.Result) -> None:
    """What follows from a result: the gate opens, or an alarm sounds."""
    cause = f"site {delivery.message_id} {delivery.channel}"
    if result.result == Attempt.Result.ACCEPTED:
        if delivery.site:
            alarms.end(cause)
            if fanout.open_if_live(delivery.message_id):
                ring_for(Delivery.objects.filter(message=delivery.message_id, city=False, state=State.WAITING))
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
        elif result.result in {Attempt.Result.PERMANENT, Attempt.Result.UNCERTAIN, Attempt.Result.LOST} and (
            not Delivery.objects.filter(pk=delivery.pk, state=State.WAITING).exists()
        ):
            text = _("{channel} did not carry a message: {reason}")
            alarms.sound(
                f"delivery {delivery.pk}",
                text.format(channel=registry.label(delivery.channel), reason=result.words),
                link=f"{settings.ADDRESS}/desk/",
            )


def ring_to_retract(ids: Iterable[int]) -> None:
    """Have these posts taken back; they wait in their rows where Redis is gone."""
    told = []
    try:
        for retraction_id in ids:
            django_rq.get_queue("commercial").enqueue(retract, retraction_id, result_ttl=0, failure_ttl=86_400)
            told.append(retraction_id)
    except (RedisError, OSError) as error:
        log.warning("no doorbell (%s): the sweep takes what waits", type(error).__name__)
    if told:
        retractions.rung(told)


def retract(retraction_id: int) -> None:
    """Take back one post, if nobody else is at it."""
    retractions.carry_out(retraction_id)


@contextmanager
def going_on(what: str) -> Iterator[None]:
    """One row's fault is logged and the others go on; a database that is gone ends the round."""
    try:
        yield
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("%s: a fault; everything else goes on", what)


def sweep(*, patience: float) -> int:
    """Put right what a lost doorbell, a dead worker or a dead Redis left behind. Returns what it did itself.

    What no worker took for ``patience`` seconds it carries out here, the city's own channels only;
    then it rings again for what nobody was told of.
    """
    waited = dt.timedelta(seconds=patience)
    for delivery in fanout.lost():
        with going_on(f"delivery {delivery.pk}"):
            _lost(delivery)
    for batch in batches.lost():
        with going_on(f"batch {batch.pk}"):
            again = registry.configured(batch.delivery.channel) and registry.channel(batch.delivery.channel).idempotent
            batches.take_back(batch, idempotent=again)
    with going_on("expired deliveries"):
        fanout.end_expired()
    for delivery_id in batches.unclosed():
        with going_on(f"delivery {delivery_id}"):
            batches.close(delivery_id)
    for message_id in fanout.unplanned(dt.timedelta(seconds=2)):
        with going_on(f"message {message_id}"):
            fanout.plan(message_id)
    done, until = 0, time.monotonic() + BUDGET
    for delivery in fanout.forgotten(waited):
        if time.monotonic() > until:
            break  # releases, alarms and the heartbeat wait; the rest comes in the next round
        with going_on(f"delivery {delivery.pk}"):
            deliver(delivery.pk)
            done += 1
    for batch in batches.forgotten(waited):
        with going_on(f"batch {batch.pk}"):
            send_batch(batch.pk, most=BUDGET)
            done += 1
    for message in Message.objects.filter(live_at__isnull=True, deliveries__site=True).distinct().order_by("-pk")[:100]:
        if fanout.open_if_live(message.pk):  # a worker died between its settling and the gate
            ring_for(Delivery.objects.filter(message=message, city=False, state=State.WAITING))
    ring_for(fanout.unrung())
    ring_batches(batches.unrung())
    with going_on("retractions"):
        ring_to_retract(retractions.owed())
    return done


def _lost(delivery: Delivery) -> None:
    """A delivery whose worker let its lease run out: again, or unclear where that would send twice."""
    channel = registry.channel(delivery.channel) if registry.configured(delivery.channel) else None
    # a broadcaster's delivery was only being cut into batches: nothing of it went out
    again = channel is not None and (channel.idempotent or isinstance(channel, Broadcaster))
    result = fanout.Result(Attempt.Result.LOST, _("The worker was lost in the middle of it."))
    may_ask = channel is not None and fanout.looks_up(channel)
    settled = fanout.settle(delivery.pk, delivery.lease, result, idempotent=again, site=delivery.site, looks_up=may_ask)
    if settled and not again:
        _after(delivery, result)
