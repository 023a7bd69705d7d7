"""``manage.py restore FILE``: bring a backup into an empty system, which then is held."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from channels import backups


class Command(BaseCommand):
    help = "Restore a backup into an empty system. Afterwards: manage.py rebuild_site, then manage.py resume."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **_options: Any) -> None:
        try:
            backups.restore(file)
        except backups.BackupFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            "Restored. The system is held: look through it, then run manage.py rebuild_site and manage.py resume."
        )
