"""``manage.py mail_gateway``: the process that takes mail in, by SMTP or LMTP and out of a mailbox."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error, connection

from alerts.intake import email, mailbox
from alerts.intake.listener import Listener

log = logging.getLogger(__name__)

LOOK = 2.0
"""Seconds after which it looks for what waits, though nobody told it."""


class Command(BaseCommand):
    help = "Take mails to the gateway: listens at BELFRY_INTAKE_LISTEN, reads BELFRY_INTAKE_IMAP."

    def handle(self, **_options: Any) -> None:
        if not (settings.INTAKE_LISTEN or settings.INTAKE_IMAP):
            # no error: a supervisor would start it again for ever
            self.stdout.write("Nothing to do: set BELFRY_INTAKE_LISTEN or BELFRY_INTAKE_IMAP, then start it again.")
        over, news = threading.Event(), threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _end(over, news))
        box = mailbox.configured(news.set)
        listener = Listener(settings.INTAKE_LISTEN, news.set) if settings.INTAKE_LISTEN else None
        if listener is not None:
            listener.start()
            self.stdout.write(f"Listening at {settings.INTAKE_LISTEN}.")
        if box is not None:
            threading.Thread(target=box.run, name="intake-mailbox", daemon=True).start()
            self.stdout.write("Reading the mailbox.")
        try:
            work(over, news)
        finally:
            if box is not None:
                box.over.set()
            if listener is not None:
                listener.stop()


def _end(*events: threading.Event) -> None:
    for event in events:
        event.set()


def work(over: threading.Event, news: threading.Event) -> None:
    """Carry out what was stored until ``over``; a database that is gone is waited for."""
    while not over.is_set():
        news.clear()
        try:
            while email.sweep() and not over.is_set():
                pass
        except Error as error:
            log.warning("database: %s", type(error).__name__)
            connection.close()
        news.wait(LOOK)
