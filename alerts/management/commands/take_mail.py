"""``manage.py take_mail < message``: one mail to the gateway; for the mail server's pipe."""

from __future__ import annotations

import datetime as dt
import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from alerts.intake import answers, email, store

TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: the mail server keeps the message and tries again."""
REFUSED = 65
"""EX_DATAERR: it sends it back."""


class Command(BaseCommand):
    help = "Read one mail from standard input, store it and carry out what it asks for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sender", default="", metavar="ADDRESS", help="The envelope's sender, else Return-Path.")
        parser.add_argument(
            "--received",
            type=_time,
            metavar="TIME",
            help="When it reached the first server of ours (ISO 8601 with zone); now, if not given.",
        )

    def handle(self, *, sender: str, received: dt.datetime | None, **_options: Any) -> None:
        raw = sys.stdin.buffer.read(store.LARGEST + 1)
        try:
            came = received or store.reached(raw, timezone.now())
            intake = store.keep(raw, came, sender=sender or store.envelope(raw))
        except store.Full as full:
            raise CommandError(str(full), returncode=TRY_AGAIN if full.again else REFUSED) from full
        except Error as error:
            raise CommandError("The database does not answer: try again.", returncode=TRY_AGAIN) from error
        # it is ours now, whatever comes of it: upkeep goes on where this stops
        try:
            email.take(intake.pk)
            answers.send_owed()
            intake.refresh_from_db()
        except Error:
            self.stderr.write("Stored; the database does not answer now.")
            return
        self.stdout.write(f"Mail {intake.pk}: {intake.state}.")


def _time(value: str) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(value)
    except ValueError as error:
        raise ArgumentTypeError(f"{value!r} is no time") from error
    if found.tzinfo is None:
        raise ArgumentTypeError(f"{value!r} has no zone")
    return found
