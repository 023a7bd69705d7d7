"""``manage.py take_bounce < message``: a mail that came back; for the mail server's pipe to the bounce address."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils.translation import override

from channels import receipts, registry
from channels.base import Forged
from channels.city.email import Email
from channels.city.email.bounces import LONGEST

TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: the mail server keeps the message and tries again."""


class Command(BaseCommand):
    help = (
        "Read one returned mail from standard input and write what it says of its recipient. "
        "What is no bounce of ours changes nothing and is no error: the mail server must not answer it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--to", default="", metavar="ADDRESS", help="Where it was sent to, as the mail server says."
        )
        parser.add_argument("--channel", default="", help="Name of the e-mail channel, if there are several.")

    def handle(self, *, to: str, channel: str, **_options: Any) -> None:
        name, email = _channel(channel)
        with override("de"):  # what is stored for officers is stored in the city's first language
            try:
                found = email.bounced(sys.stdin.buffer.read(LONGEST), to)
            except Forged:
                self.stderr.write("Its address proves nothing: ignored.")
                return
            if found is None:
                self.stdout.write("No bounce of ours: ignored.")
                return
            try:
                changed = receipts.take(name, [found])
            except Error as error:
                raise CommandError("The database does not answer: try again.", returncode=TRY_AGAIN) from error
        self.stdout.write("Written." if changed else "Known already, or of nobody we know: nothing to change.")


def _channel(wanted: str) -> tuple[str, Email]:
    """The e-mail channel of that name, or the first one."""
    for name in [wanted] if wanted else settings.CHANNELS:
        adapter = registry.channel(name) if registry.configured(name) else None
        if isinstance(adapter, Email):
            return name, adapter
    raise CommandError("channels.toml has no such e-mail channel.")
