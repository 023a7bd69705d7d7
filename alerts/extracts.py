"""Lines of the record in a CSV file for others, one a row, and whether such a file still says what the record says.

A spreadsheet runs cells that begin like a formula: those get an apostrophe in front (CWE-1236), and so do
cells that begin with one, so that reading takes exactly one away again.
"""

from __future__ import annotations

import csv
import datetime as dt
import hmac
import json
from collections.abc import Iterator, Sequence
from typing import TextIO

from django.utils.crypto import salted_hmac

from . import audit
from .content import canonical
from .models import AuditEntry

COLUMNS = (
    "record_number",
    "record_at",
    "record_actor",
    "record_action",
    "record_subject",
    "record_data",
    "record_previous",
    "record_hash",
)
DELIMITER = ";"
"""What a spreadsheet expects where the comma is the decimal sign."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")
END = "(end)"
"""The action of a file's last row: the end of the record when it was written, and the file's seal."""
VERIFIED, RECORD = "record-verified", "record"
"""Action and subject of the line that tells what came of checking the whole record."""
LONGEST = 10_000_000
"""Characters of one cell that are read."""
AT_ONCE = 500


class NoReport(Exception):
    """The file can't be read as a report; ``str()`` says why."""


def neutral(text: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    cell = str(text)
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def plain(cell: str) -> str:
    """What ``neutral`` was given."""
    return cell.removeprefix("'")


def cells(line: AuditEntry) -> list[str]:
    """A line of the record, whole: its hash can be computed anew from these."""
    return [
        str(line.number),
        line.at.astimezone(dt.UTC).isoformat(timespec="microseconds"),
        line.actor,
        line.action,
        line.subject,
        canonical(line.data).decode(),
        line.previous,
        line.hash,
    ]


def end_cells(rows: Sequence[Sequence[str]]) -> list[str]:
    """The last row of a file with these ``rows`` (as they are written, head line included)."""
    number, value = audit.head()
    return [str(number), "", "", END, "", seal(rows), "", value]


def seal(rows: Sequence[Sequence[str]]) -> str:
    """A keyed hash over every cell: this Belfry alone can make it."""
    return salted_hmac("alerts.extracts", canonical([list(row) for row in rows]), algorithm="sha256").hexdigest()


def faults(file: TextIO) -> Iterator[str]:
    """What of a report is not what the record says, in plain words; nothing where all is. Raises NoReport."""
    rows = _rows(file)
    head = rows[0]
    if not set(COLUMNS) <= set(head):
        raise NoReport("It is no report of Belfry: the columns with the record's numbers and hashes are missing.")
    places = [head.index(name) for name in COLUMNS]
    lines: list[AuditEntry] = []
    end: tuple[int, str] | None = None
    for number, row in enumerate(rows[1:], start=2):
        found = [plain(row[place]) if place < len(row) else "" for place in places]
        if not found[0]:
            continue
        try:
            line = _line(found)
        except (ValueError, TypeError):
            yield f"Row {number}: this is no line of a record."
            continue
        if line.action == END:
            end = line.number, line.hash
            if not hmac.compare_digest(str(found[5]), seal(rows[: number - 1])):
                yield (
                    "Something in this file was changed after it was written, be it only that a spreadsheet program "
                    "has saved it anew. What is told below is told of the record's own columns."
                )
        else:
            lines.append(line)
    yield from _against_record(lines, end)


def _rows(file: TextIO) -> list[list[str]]:
    csv.field_size_limit(LONGEST)
    try:
        rows = [row for row in csv.reader(file, delimiter=DELIMITER) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise NoReport(f"It can't be read as CSV with semicolons in UTF-8: {error}.") from error
    if not rows:
        raise NoReport("It is empty.")
    return rows


def _line(found: Sequence[str]) -> AuditEntry:
    number, at, actor, action, subject, data, previous, value = found
    ended = action == END
    return AuditEntry(
        number=int(number),
        at=dt.datetime.now(dt.UTC) if ended else dt.datetime.fromisoformat(at),
        actor=actor,
        action=action,
        subject=subject,
        data={} if ended else json.loads(data),
        previous=previous,
        hash=value,
    )


def _against_record(lines: Sequence[AuditEntry], end: tuple[int, str] | None) -> Iterator[str]:
    if end is None:
        yield "The last row, with the end of the record, is missing: the report is not whole."
    elif end[0] and not AuditEntry.objects.filter(number=end[0], hash=end[1]).exists():
        yield f"Line {end[0]}, the end of the record when the report was written, is not in the record."
    for start in range(0, len(lines), AT_ONCE):
        some = lines[start : start + AT_ONCE]
        kept = {row.number: row for row in AuditEntry.objects.filter(number__in=[line.number for line in some])}
        for line in some:
            row = kept.get(line.number)
            if audit.line_hash(line) != line.hash:
                yield f"Line {line.number} was changed in the file."
            elif row is None or row.hash != line.hash:
                yield f"Line {line.number} of the file is not in the record."
            elif audit.line_hash(row) != row.hash:
                yield f"Line {line.number} was changed in the record after it was written."
    if end is not None:
        yield from _left_out(lines, end[0])


def _left_out(lines: Sequence[AuditEntry], last: int) -> Iterator[str]:
    """Lines about the same drafts that the record had by then and the file has not."""
    subjects = {line.subject for line in lines if line.subject.startswith("draft ")}
    there = {line.number for line in lines}
    kept = AuditEntry.objects.filter(subject__in=subjects, number__lte=last).values_list("number", flat=True)
    for number in sorted(set(kept) - there):
        yield f"Line {number} of the record, about the same alert, was taken out of the file."
