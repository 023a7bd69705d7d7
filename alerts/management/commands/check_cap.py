"""Say what is wrong with CAP files, in plain words."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.cap import Fault
from alerts.cap.rules import Report, faults
from alerts.cap.schema import MAX_BYTES
from alerts.signature import SignatureInvalid, fingerprint, verify


class Command(BaseCommand):
    """Exit code 1 where a file has an error, 0 where there are warnings at most."""

    help = "Check CAP 1.2 files: the schema, the rules beyond it and, with --certificate, the signature."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a CAP file; - reads standard input")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        parser.add_argument("--certificate", metavar="PEM", help="each file must be signed by this certificate")

    def handle(self, *args: Any, files: list[str], certificate: str | None, **options: Any) -> None:
        pem = _certificate(certificate) if certificate else None
        reports = [(name, _report(name, pem)) for name in files]
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(*report) for report in reports], ensure_ascii=False, indent=1))
        else:
            for name, report in reports:
                self._print(name, report)
            if len(reports) > 1:
                self.stdout.write(_summary([report for _name, report in reports]))
        if not all(report.ok for _name, report in reports):
            sys.exit(1)

    def _print(self, name: str, report: Report) -> None:
        if not report.errors and not report.warnings:
            self.stdout.write(_("{file}: in order").format(file=name))
            return
        self.stdout.write(f"{name}: {_counts(len(report.errors), len(report.warnings))}")
        for word, found in ((_("Error"), report.errors), (_("Warning"), report.warnings)):
            for fault in found:
                place = _("line {line}").format(line=fault.line) if fault.line else ""
                self.stdout.write(f"  {f'{word}, {place}' if place else word}: {fault.text}")


def _report(name: str, pem: bytes | None) -> Report:
    try:
        body = _first_bytes(sys.stdin.buffer) if name == "-" else _open(name)
    except OSError as error:
        text = _("The file can't be read: {reason}").format(reason=error.strerror)
        return Report(errors=(Fault("unreadable", text),))
    report = faults(body)
    if pem is None:
        return report
    try:
        verify(body, pem)
    except SignatureInvalid as error:
        return Report((*report.errors, Fault("signature", str(error), "Signature")), report.warnings)
    return report


def _open(name: str) -> bytes:
    with Path(name).open("rb") as file:
        return _first_bytes(file)


def _first_bytes(file: BinaryIO) -> bytes:
    """No more than it takes to see that a file is too large: an endless one must not fill the memory."""
    return file.read(MAX_BYTES + 1)


def _certificate(name: str) -> bytes:
    try:
        pem = Path(name).read_bytes()
        fingerprint(pem)
    except OSError as error:
        text = _("{file} can't be read: {reason}").format(file=name, reason=error.strerror)
        raise CommandError(text) from error
    except ValueError as error:
        raise CommandError(_("{file} is no certificate in PEM.").format(file=name)) from error
    return pem


def _counts(errors: int, warnings: int) -> str:
    parts = []
    if errors:
        parts.append(ngettext("{count} error", "{count} errors", errors).format(count=errors))
    if warnings:
        parts.append(ngettext("{count} warning", "{count} warnings", warnings).format(count=warnings))
    return ", ".join(parts)


def _summary(reports: list[Report]) -> str:
    good = sum(report.ok for report in reports)
    text = _("{good} of {all} files pass").format(good=good, all=len(reports))
    counts = _counts(sum(len(report.errors) for report in reports), sum(len(report.warnings) for report in reports))
    return f"{text} ({counts})." if counts else f"{text}."


def _as_json(name: str, report: Report) -> dict[str, Any]:
    return {
        "file": name,
        "ok": report.ok,
        "errors": [asdict(fault) for fault in report.errors],
        "warnings": [asdict(fault) for fault in report.warnings],
    }
