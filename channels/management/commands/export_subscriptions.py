"""``manage.py export_subscriptions FILE``: all subscriptions as CSV, addresses in plain."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from channels.models import Subscription
from channels.subscriptions import transfer


class Command(BaseCommand):
    help = (
        "Write all subscriptions as CSV to a new file that its owner alone may read, or to the terminal (-). "
        "The addresses stand in it in plain: bring it where it belongs and delete it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="A new file; - for standard output.")

    def handle(self, *, file: str, **_options: Any) -> None:
        self.stderr.write("This holds residents' numbers and addresses in plain. Delete it once it has served.")
        if file == "-":
            for line in transfer.lines_out():
                self.stdout.write(line, ending="")
            return
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{file} can't be written: {error.strerror}.") from error
        lines = 0
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as target:
                # a bar on a terminal, nothing in a log
                for line in tqdm(transfer.lines_out(), total=Subscription.objects.count() + 1, disable=None):
                    target.write(line)
                    lines += 1
        except (OSError, KeyboardInterrupt) as error:
            Path(file).unlink(missing_ok=True)
            raise CommandError(f"No file was written: {getattr(error, 'strerror', None) or 'interrupted'}.") from None
        self.stdout.write(f"{lines - 1} subscriptions written: {file}")
