"""``manage.py upkeep``: the supervised process that sweeps, releases what is due, and alarms; not an RQ job."""

from __future__ import annotations

import logging
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections, connection

from channels.upkeep import Upkeep

log = logging.getLogger("channels.upkeep")


class Command(BaseCommand):
    help = "Sweep what is owed, release what is due, sound alarms. Safe to run several times at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="One round, then end.")

    def handle(self, *, once: bool, **_options: Any) -> None:
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, lambda *_: stop.set())
        upkeep = Upkeep()
        while not stop.is_set():
            try:
                close_old_connections()
                upkeep.second()
            except DatabaseError as error:
                log.warning("database: %s", type(error).__name__)
                connection.close()
            if once:
                return
            stop.wait(settings.SWEEP_SECONDS)
