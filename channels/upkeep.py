"""What upkeep does once a second and once a minute; all of it may run several times at once."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import django_rq
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from redis.exceptions import RedisError

from alerts import alarms, audit, ports, schedule, watch
from alerts.intake import email as intake
from alerts.models import Alert
from alerts.notice import moment
from alerts.terms import MsgType, Status

from . import batches, credentials, fanout, hold, jobs, registry
from .base import ChannelError
from .models import Heartbeat
from .reach import daily
from .subscriptions import prepared
from .subscriptions.retention import forget_unconfirmed

log = logging.getLogger(__name__)

SOON = dt.timedelta(minutes=10)
"""So long before a promised message, the desk is reminded."""
SKEW = 5.0
"""Seconds that two clocks may differ."""


@dataclass
class Upkeep:
    """The supervised process that needs no Redis; ``redis_gone`` is when it last stopped answering."""

    redis_gone: float | None = None
    minute: float = 0.0
    mails: threading.Thread | None = None
    intakes: threading.Thread | None = None

    def second(self) -> None:
        """One round: releases, lapses, sweep, alarms, heartbeat."""
        with override("de"):
            with jobs.going_on("bookmark"):
                hold.look()
            fanout.beat("upkeep")
            for name, step in self.steps():
                with jobs.going_on(name):
                    step()

    def steps(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """What one round does; each goes on whatever becomes of the others."""
        if not hold.held():
            yield "release", schedule.release_due
        yield "lapse", schedule.lapse_overdue
        yield "sweep", partial(jobs.sweep, patience=settings.REDIS_PATIENCE_SECONDS)
        yield "redis", self.look_at_redis
        if time.monotonic() - self.minute >= 60:
            self.minute = time.monotonic()
            for name in settings.CHANNELS:
                yield f"refresh of {name}", partial(_refresh, name)
            yield "promises", remind
            yield "credentials", credentials.look
            yield "clocks", look_at_clock
            yield "twins", watch.look_for_twins
            yield "unconfirmed sign-ups", forget_unconfirmed
            yield "pushes made ahead", look_for_unprepared
            yield "reach", daily.look
            yield "old mails that came in", intake.tidy
        yield "mails", self.send_mails
        yield "mails that came in", self.take_mails

    def send_mails(self) -> None:
        """Mails in a thread of their own: a mail server that hangs must not hold up an alert."""
        if self.mails is None or not self.mails.is_alive():
            self.mails = threading.Thread(target=send_mails, daemon=True)
            self.mails.start()

    def take_mails(self) -> None:
        """Mails to the gateway that nobody is at, in a thread of their own: a name server may hang too."""
        if self.intakes is None or not self.intakes.is_alive():
            self.intakes = threading.Thread(target=take_mails, daemon=True)
            self.intakes.start()

    def look_at_redis(self) -> None:
        """Sound an alarm when Redis has not answered for a while, and end it when it does again."""
        try:
            django_rq.get_connection("site").ping()
        except (RedisError, OSError):
            self.redis_gone = self.redis_gone or time.monotonic()
            if time.monotonic() - self.redis_gone >= settings.REDIS_PATIENCE_SECONDS:
                alarms.sound(
                    "redis",
                    _(
                        "Redis does not answer (setting REDIS_URL). Alerts go out over the city's channels "
                        "all the same, carried by upkeep; commercial channels wait."
                    ),
                )
            return
        if self.redis_gone is not None:
            self.redis_gone = None
        alarms.end("redis")


def look_for_unprepared() -> None:
    """Have what later pushes can use made ahead, while nothing goes out."""
    if prepared.lacking() and not batches.under_way():
        jobs.ring_to_prepare()


def _refresh(name: str) -> None:
    """Pages whose state time alone has changed."""
    refresh = getattr(registry.channel(name), "refresh", None)
    try:
        if refresh is not None:
            refresh()
    except ChannelError as error:
        log.warning("refresh of %s: %s", name, error)


def send_mails() -> None:
    """What is owed to the roster: alarms, and once a day the end of the record."""
    try:
        with override("de"):
            for name, step in (("alarms", alarms.tell), ("end of the record", tell_the_head)):
                with jobs.going_on(name):
                    step()
    except (OperationalError, InterfaceError) as error:
        log.warning("database: %s", type(error).__name__)
    finally:
        connection.close()


def take_mails() -> None:
    """What came in and nobody has carried out, and the answers that are owed."""
    try:
        with jobs.going_on("mails that came in"):
            intake.sweep(most=20)
    except (OperationalError, InterfaceError) as error:
        log.warning("database: %s", type(error).__name__)
    finally:
        connection.close()


def look_at_clock() -> None:
    """An alarm where this host's clock and the database's differ: expiry and one-time codes depend on both."""
    fanout.beat("clock")
    skew = abs((timezone.now() - Heartbeat.objects.get(name="clock").at).total_seconds())
    if skew > SKEW:
        text = _("The clocks of this host and of the database differ by {seconds} seconds. Set them by NTP.")
        alarms.sound("clock", text.format(seconds=round(skew)))
    else:
        alarms.end("clock")


def tell_the_head() -> None:
    """Once a day, mail the end of the record to the roster: kept elsewhere, it proves that nothing was cut off."""
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    if Heartbeat.objects.filter(name="head told", at__gte=today).exists():
        return
    number, value = audit.head()
    if not number:
        return
    try:
        ports.notify(
            _("Belfry: the end of the record, to be kept"),
            _("The record has {number} lines. Keep this; manage.py verify_audit --head checks it:").format(
                number=number
            )
            + f"\n\n{number}:{value}\n",
        )
    except OSError as error:
        log.warning("mail of the record's end failed: %s", type(error).__name__)
        return
    fanout.beat("head told")


def remind() -> None:
    """An alarm for each live alert whose promised next message is due soon or overdue; ended when it has come."""
    now = timezone.now()
    live = Alert.objects.filter(status=Status.ACTUAL, latest__expires__gt=now).exclude(latest__msg_type=MsgType.CANCEL)
    overdue = set()
    for alert in live.select_related("latest"):
        if alert.latest is None:
            continue
        promised = alert.latest.content.next_by
        if promised is None or promised > now + SOON:
            continue
        key = f"{'overdue' if promised <= now else 'due'} {alert.latest.identifier}"
        overdue.add(key)
        link = f"{settings.ADDRESS}/desk/"
        if promised > now:
            text = _("A message is promised for {time}. Write it now, even if nothing has changed.")
            alarms.sound(key, text.format(time=moment(promised)), link=link)
        else:
            alarms.sound(
                key,
                _(
                    "A message was promised for {time} and has not come. Say what holds, even if nothing has changed."
                ).format(time=moment(promised)),
                link=f"{settings.ADDRESS}/desk/",
            )
    for alarm in alarms.open_alarms():
        if alarm.key.startswith(("due ", "overdue ")) and alarm.key not in overdue:
            alarms.end(alarm.key)
