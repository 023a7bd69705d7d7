"""Once a day: subscriptions counted, platforms asked for their followers. And ``reach.json``, whenever it changes."""

from __future__ import annotations

import datetime as dt
import logging

import django_rq
from django.utils import timezone
from redis.exceptions import RedisError

from alerts.models import Message

from .. import fanout, registry
from ..base import ChannelError, Publisher
from ..models import Audience, Heartbeat, State
from . import published, subscriptions

log = logging.getLogger(__name__)

COUNTED, ASKED = "reach counted", "reach asked"
"""Heartbeats that tell when it was last done."""
SECONDS = 90
"""What one platform's answer may take; its worker then goes on to what waits."""


def look() -> None:
    """What upkeep does once a minute; next to nothing where today's figures are there. May run twice at once."""
    if _owed(COUNTED):
        count()
        fanout.beat(COUNTED)
    if _owed(ASKED) and ring():
        fanout.beat(ASKED)
    try:
        published.write()
    except ChannelError as error:
        log.warning("reach.json: %s", error)


def count() -> None:
    """Keep how many subscriptions each channel has today."""
    for name, number in subscriptions().items():
        _keep(name, number, Audience.Source.COUNTED)


def ring() -> bool:
    """Have each platform asked by a worker of the commercial queue: one that hangs holds up nobody else.

    False where Redis does not answer: then it is tried again.
    """
    try:
        for name in registry.names():
            if _can_be_asked(name):
                django_rq.get_queue("commercial").enqueue(
                    ask, name, job_timeout=SECONDS, result_ttl=0, failure_ttl=86_400
                )
    except (RedisError, OSError) as error:
        log.warning("no doorbell for audiences (%s): tried again", type(error).__name__)
        return False
    return True


def ask(name: str) -> None:
    """Ask one platform how many follow the city there. What it does not tell stays as it was, with its date."""
    if not registry.configured(name) or not _can_be_asked(name):
        return
    if _alert_goes_out():
        log.info("audience of %s: an alert goes out, tomorrow is soon enough", name)
        return
    try:
        number = registry.channel(name).audience()
    except ChannelError as error:
        log.warning("audience of %s: %s", name, error)
        return
    if number is not None:
        _keep(name, number, Audience.Source.ASKED)


def _can_be_asked(name: str) -> bool:
    """Publishers that really publish: one in rehearsal may have no account."""
    channel = registry.channel(name)
    return isinstance(channel, Publisher) and not channel.site and not registry.rehearsal(name)


def _alert_goes_out() -> bool:
    """Whether posts of this hour wait: they need the platform's calls and the worker more than a figure does."""
    lately = Message.objects.filter(sent__gt=timezone.now() - dt.timedelta(hours=1))
    return lately.filter(deliveries__queue="commercial", deliveries__state__in=[State.WAITING, State.SENDING]).exists()


def _owed(beat: str) -> bool:
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return not Heartbeat.objects.filter(name=beat, at__gte=today).exists()


def _keep(name: str, number: int, source: str) -> None:
    Audience.objects.update_or_create(
        channel=name, on=timezone.localdate(), defaults={"count": number, "source": source, "by": None}
    )
