"""What upkeep does once a second and once a minute; all of it may run several times at once."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import django_rq
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from redis.exceptions import RedisError

from alerts import alarms, audit, calls, drills, ports, schedule, watch
from alerts.intake import email as intake
from alerts.intake.sources import escalating
from alerts.intake.sources.following import Followers

from . import batches, credentials, fanout, hold, jobs, registry, reminders
from .base import ChannelError
from .models import Heartbeat
from .reach import daily
from .subscriptions import prepared
from .subscriptions.retention import forget_unconfirmed

log = logging.getLogger(__name__)

SKEW = 5.0
"""Seconds that two clocks may differ."""


@dataclass
class Upkeep:
    """The supervised process that needs no Redis; ``redis_gone`` is when it last stopped answering."""

    redis_gone: float | None = None
    minute: float = 0.0
    mails: threading.Thread | None = None
    intakes: threading.Thread | None = None
    calls: dict[str, threading.Thread] = field(default_factory=dict)
    followers: Followers = field(default_factory=Followers)

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
            yield "reminders", reminders.look
            yield "credentials", credentials.look
            yield "clocks", look_at_clock
            yield "twins", watch.look_for_twins
            yield "unconfirmed sign-ups", forget_unconfirmed
            yield "pushes made ahead", look_for_unprepared
            yield "reach", daily.look
            yield "old mails that came in", intake.tidy
        for way in calls.WAYS:
            yield f"calls by {way}", partial(self.send_calls, way)
        yield "unheard calls", calls.look
        yield "sources", self.followers.look
        yield "incoming warnings", escalating.look
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

    def send_calls(self, way: str) -> None:
        """Calls to officers, each way in a thread of its own: who has a phone does not wait for a mail server."""
        running = self.calls.get(way)
        if (running is None or not running.is_alive()) and calls.owed(way):
            self.calls[way] = threading.Thread(target=send_calls, args=(way,), daemon=True)
            self.calls[way].start()

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
    """What is owed to officers: alarms; once a day the end of the record, and who should drill again."""
    _aside(
        ("alarms", alarms.tell),
        ("end of the record", tell_the_head),
        ("drill reminders", remind_of_drills),
        ("the whole record", verify_the_record),
    )


def send_calls(way: str) -> None:
    """What is owed to whom a draft concerns, by one way."""
    _aside((f"calls by {way}", partial(calls.send, way)))


def _aside(*steps: tuple[str, Callable[[], object]]) -> None:
    """Steps in a thread of their own, which has a connection of its own to the database."""
    try:
        with override("de"):
            for name, step in steps:
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
    if _done_today("head told"):
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


def remind_of_drills() -> None:
    """Once a day, mail the officers who have not taken part in an exercise for long."""
    if not _done_today("drills told"):
        fanout.beat("drills told")
        drills.remind()


def verify_the_record() -> None:
    """Once a day, look through the whole record; an alarm where it was tampered with or damaged."""
    if _done_today("record verified"):
        return
    fanout.beat("record verified")
    try:
        call_command("verify_audit", stdout=io.StringIO(), stderr=io.StringIO())
    except CommandError:
        alarms.sound("record", _("The record was tampered with or damaged. Run manage.py verify_audit at once."))
    else:
        alarms.end("record")


def _done_today(name: str) -> bool:
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return Heartbeat.objects.filter(name=name, at__gte=today).exists()
