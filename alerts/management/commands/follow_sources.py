"""``manage.py follow_sources``: ask the sources that are due, once or for ever. Upkeep does the same by itself."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import close_old_connections
from django.utils.translation import override

from alerts.intake.sources import escalating
from alerts.intake.sources.following import Followers, due, follow


class Command(BaseCommand):
    help = "Ask the followed sources that are due. Safe to run several times at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--forever", action="store_true", help="Go on until told to stop.")

    def handle(self, *, forever: bool, **_options: Any) -> None:
        if not forever:
            with override("de"):
                for source_id in due():
                    follow(source_id)
                escalating.look()
            return
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, lambda *_: stop.set())
        followers = Followers()
        while not stop.wait(1.0):
            close_old_connections()
            followers.look()
            with override("de"):
                escalating.look()
