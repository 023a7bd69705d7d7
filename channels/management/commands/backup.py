"""``manage.py backup FILE``: a backup while the system runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels import backups


class Command(BaseCommand):
    help = "Write a backup (.tar.gz). Keep the keys apart from it: a stolen backup then opens nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="A new file.")
        parser.add_argument("--with-keys", action="store_true", help="Put the keys in as well.")

    def handle(self, *, file: Path, with_keys: bool, **_options: Any) -> None:
        try:
            backups.write(file, keys=with_keys)
        except backups.BackupFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Backup written: {file} ({file.stat().st_size / 1e6:.1f} MB).")
