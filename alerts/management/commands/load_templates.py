"""``manage.py load_templates``: the ready-made templates, for officers to begin alerts from."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from alerts.readymade.loading import load


class Command(BaseCommand):
    help = "Add the ready-made templates that are missing. Can run again: what officers changed stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--renew", action="store_true", help="also renew the templates whose text no officer ever changed"
        )

    def handle(self, *, renew: bool, **_options: Any) -> None:
        loaded = load(renew=renew)
        words = _("{new} templates are new, {renewed} renewed, {kept} left as they are.")
        counts = {"new": len(loaded.new), "renewed": len(loaded.renewed), "kept": len(loaded.kept)}
        self.stdout.write(words.format(**counts))
