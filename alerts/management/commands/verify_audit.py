"""``manage.py verify_audit``: whether the record is whole."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alerts import audit
from alerts.models import AuditEntry


class Command(BaseCommand):
    help = "Check the hash chain of the record; --head NUMBER:HASH also checks that an earlier end is still in it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--head", metavar="NUMBER:HASH", default="", help="An end noted down earlier.")

    def handle(self, *, head: str, **_options: Any) -> None:
        faults = list(audit.faults())
        if head:
            number, _, value = head.partition(":")
            if not number.isdigit() or not AuditEntry.objects.filter(number=int(number), hash=value).exists():
                faults.append(f"Line {number} with the hash that was noted down is not in the record.")
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            raise CommandError("The record was tampered with or damaged.")
        last, value = audit.head()
        self.stdout.write(f"The record is whole: {last} lines. Its end, to note down: {last}:{value}")
