"""``manage.py verify_audit``: whether the record is whole."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alerts import audit
from alerts.models import AuditEntry

EMPTY = (0, "0" * 64)


class Command(BaseCommand):
    help = "Check the hash chain of the record; --head NUMBER:HASH also checks that an earlier end is still in it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--head", metavar="NUMBER:HASH", default="", help="An end noted down earlier.")

    def handle(self, *, head: str, **_options: Any) -> None:
        noted = _noted(head)
        faults = list(audit.faults())
        if noted is not None and noted != EMPTY:
            number, value = noted
            if not AuditEntry.objects.filter(number=number, hash=value).exists():
                faults.append(f"Line {number} with the hash that was noted down is not in the record.")
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            raise CommandError("The record was tampered with or damaged.")
        last, value = audit.head()
        self.stdout.write(f"The record is whole: {last} lines. Its end, to note down: {last}:{value}")


def _noted(head: str) -> tuple[int, str] | None:
    if not head:
        return None
    match = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", head.strip().lower())
    if match is None:
        raise CommandError(
            f'"{head}" is not the end of a record. Give --head as verify_audit printed it: '
            "the number of a line, a colon, and its hash of 64 digits and letters a to f."
        )
    return int(match[1]), match[2]
