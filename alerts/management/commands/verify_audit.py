"""``manage.py verify_audit``: whether the record is whole, and whether a report says what it says."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alerts import audit, extracts
from alerts.models import AuditEntry

EMPTY = (0, "0" * 64)
MOST_NOTED = 5


class Command(BaseCommand):
    help = (
        "Check the hash chain of the record, and note the result in it. --head NUMBER:HASH also checks that an "
        "earlier end is still in it, --report FILE.csv that the lines of an exported report are in it unchanged."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--head", metavar="NUMBER:HASH", default="", help="An end noted down earlier.")
        parser.add_argument("--report", metavar="FILE.csv", default="", help="The CSV file of an after-action report.")
        parser.add_argument("--no-note", action="store_true", help="Leave no line in the record about this check.")

    def handle(self, *, head: str, report: str = "", no_note: bool = False, **_options: Any) -> None:
        noted = _noted(head)
        of_report = _of_report(report) if report else []
        last, value = audit.head()
        faults = list(audit.faults())
        if noted is not None and noted != EMPTY:
            number, earlier = noted
            if not AuditEntry.objects.filter(number=number, hash=earlier).exists():
                faults.append(f"Line {number} with the hash that was noted down is not in the record.")
        if not no_note:
            told = {"faults": faults[:MOST_NOTED]} if faults else {}
            audit.record(None, extracts.VERIFIED, extracts.RECORD, whole=not faults, lines=last, end=value, **told)
        for fault in [*faults, *of_report]:
            self.stderr.write(fault)
        if faults:
            raise CommandError("The record was tampered with or damaged.")
        if of_report:
            raise CommandError("The record is whole, but the report is not what it says.")
        if report:
            self.stdout.write("The report is what the record says.")
        self.stdout.write(f"The record is whole: {last} lines. Its end, to note down: {last}:{value}")


def _of_report(name: str) -> list[str]:
    try:
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            return list(extracts.faults(file))
    except OSError as error:
        raise CommandError(f'"{name}" can\'t be read: {error.strerror}.') from error
    except extracts.NoReport as error:
        raise CommandError(f'"{name}" is not a report: {error}') from error


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
