"""Subscriptions as CSV, out and in: in constant memory, with a constant number of queries for each chunk."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from alerts.terms import Severity

from ..models import Subscription, SubscriptionArea, Way
from . import addresses, sealing, topics, wishes
from .addresses import BadAddress
from .wishes import YES

CHUNK = 500
LONGEST_LINE = 100_000
"""Bytes; 2,000 districts by their codes fit."""
COLUMNS = ("way", "address", "areas", "least", "topics", "language", "tests")
NEEDED = ("way", "address", "areas")
LISTED = ";"
"""Stands between the codes of districts and the names of topics within a cell."""


class BadFile(Exception):
    """A file that can't be read at all; ``str()`` says what to mend."""


class BadLine(Exception):
    """A line that is no subscription.

    ``str()`` holds nothing of what stands in it: a slip may have put an address into any cell.
    """


@dataclass(slots=True)
class Tally:
    """What became of the lines of a file."""

    new: int = 0
    known: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One sound line: where it stands in the file, and the row that it makes."""

    number: int
    row: Subscription
    areas: tuple[int, ...]


# Out


def lines_out() -> Iterator[str]:
    """All subscriptions as lines of CSV, the names of the columns first. Addresses that no key opens are left empty."""
    yield _csv(COLUMNS)
    after = 0
    while True:
        rows = list(Subscription.objects.filter(pk__gt=after).order_by("pk")[:CHUNK])
        if not rows:
            return
        after = rows[-1].pk
        areas: dict[int, list[str]] = {row.pk: [] for row in rows}
        chosen = SubscriptionArea.objects.filter(subscription__in=list(areas)).order_by("area__order", "area__code")
        for subscription, code in chosen.values_list("subscription_id", "area__code"):
            areas[subscription].append(code)
        opened = {
            way: dict(zip(pks, sealing.unseal_all(way, sealed), strict=True)) for way, pks, sealed in _by_way(rows)
        }
        for row in rows:
            yield _csv(
                (
                    row.way,
                    opened[row.way][row.pk],
                    _csv(areas[row.pk], LISTED).strip(),
                    row.least,
                    LISTED.join(topics.names(row.topics)),
                    row.language,
                    "yes" if row.tests else "no",
                )
            )


def _by_way(rows: Sequence[Subscription]) -> Iterator[tuple[str, list[int], list[bytes]]]:
    for way in {row.way for row in rows}:
        mine = [row for row in rows if row.way == way]
        yield way, [row.pk for row in mine], [bytes(row.address) for row in mine]


def _csv(cells: Iterable[str], delimiter: str = ",") -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


# In


@dataclass
class Reader:
    """Takes subscriptions in from a file, chunk by chunk; may be broken off and run again.

    Who is subscribed already stays as he is: what residents have chosen here since is newer than the file.
    ``bad(number, reason)`` is told each line that is none, ``moved(bytes)`` how far reading has come.
    """

    bad: Callable[[int, str], object]
    moved: Callable[[int], object] = lambda _bytes: None
    dry: bool = False
    tally: Tally = field(default_factory=Tally)

    def take(self, file: IO[bytes]) -> Tally:
        """Read all lines. Raises BadFile."""
        lines = _lines(file)
        head = next(lines, (0, 0, ""))
        delimiter, columns = _columns(head[2])
        districts = wishes.districts()
        if not districts:
            raise BadFile(_("The city has no districts yet. Run manage.py import_areas first."))
        self.moved(head[1])
        chunk: list[Line] = []
        for number, size, line in lines:
            self.moved(size)
            if not line.strip():
                continue
            try:
                chunk.append(_read(number, _cells(line, delimiter, columns), districts))
            except BadLine as error:
                self.tally.bad += 1
                self.bad(number, str(error))
            if len(chunk) >= CHUNK:
                self._write(chunk)
                chunk = []
        self._write(chunk)
        return self.tally

    def _write(self, chunk: Sequence[Line]) -> None:
        if not chunk:
            return
        try:
            self._write_once(chunk)
        except IntegrityError:
            # a resident confirmed one of them at this moment: the second look finds that
            self._write_once(chunk)

    def _write_once(self, chunk: Sequence[Line]) -> None:
        lookups = [line.row.lookup for line in chunk]
        with transaction.atomic():
            known = set(Subscription.objects.filter(lookup__in=lookups).values_list("way", "lookup"))
            new: dict[tuple[str, str], Line] = {}
            for line in chunk:
                key = (line.row.way, line.row.lookup)
                if key not in known:
                    new.setdefault(key, line)
            if not self.dry:
                made = Subscription.objects.bulk_create([line.row for line in new.values()])
                SubscriptionArea.objects.bulk_create(
                    SubscriptionArea(subscription=row, area_id=area)
                    for row, line in zip(made, new.values(), strict=True)
                    for area in line.areas
                )
        self.tally.new += len(new)
        self.tally.known += len(chunk) - len(new)


def _lines(file: IO[bytes]) -> Iterator[tuple[int, int, str]]:
    """Number, bytes and text of each line. What is no UTF-8 is replaced, and then found to be no address."""
    number = 0
    while raw := file.readline(LONGEST_LINE):
        number += 1
        size = len(raw)
        whole = raw.endswith(b"\n") or len(raw) < LONGEST_LINE
        while not whole and (rest := file.readline(LONGEST_LINE)):
            size += len(rest)
            whole = rest.endswith(b"\n") or len(rest) < LONGEST_LINE
            raw = b"\xff"
        yield number, size, raw.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")


def _columns(head: str) -> tuple[str, list[str]]:
    """The sign between the cells, and what stands in which. Raises BadFile."""
    for delimiter in (",", ";", "\t"):
        try:
            columns = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter, strict=True), [])]
        except csv.Error:
            continue
        if set(NEEDED) <= set(columns):
            break
    else:
        raise BadFile(
            _("The first line must name the columns: {columns}. The first three are needed.").format(
                columns=",".join(COLUMNS)
            )
        )
    if len(set(columns)) < len(columns) or set(columns) - set(COLUMNS):
        raise BadFile(_("The first line names a column twice, or one that there is not."))
    return delimiter, columns


def _cells(line: str, delimiter: str, columns: Sequence[str]) -> Mapping[str, str]:
    """One line's cells by column. Each line is read for itself: a stray quote must not swallow those behind it."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise BadLine(_("the quotes do not fit together")) from error
    if len(cells) != len(columns):
        raise BadLine(_("it has {count} cells instead of {wanted}").format(count=len(cells), wanted=len(columns)))
    return dict(zip(columns, (cell.strip() for cell in cells), strict=True))


def _read(number: int, cells: Mapping[str, str], districts: Mapping[str, int]) -> Line:
    way = cells["way"].lower()
    if way not in Way.values:
        raise BadLine(_("column {column}: none of {known}").format(column="way", known=", ".join(Way.values)))
    try:
        address = addresses.normalised(way, cells["address"])
    except BadAddress as error:
        raise BadLine(_("column address: {reason}").format(reason=error)) from error
    codes = _listed(cells["areas"])
    if not codes or not set(codes) <= set(districts):
        raise BadLine(_("column areas: empty, or with a code that none of the city's districts has"))
    least = cells.get("least") or Severity.MODERATE.value
    if least not in Severity.values:
        raise BadLine(_("column {column}: none of {known}").format(column="least", known=", ".join(Severity.values)))
    try:
        mask = topics.mask(_listed(cells.get("topics", ""))) or topics.ALL
    except KeyError as error:
        known = ", ".join(topics.TOPICS)
        raise BadLine(_("column {column}: none of {known}").format(column="topics", known=known)) from error
    languages = settings.CONTENT_LANGUAGES
    language = cells.get("language") or languages[0]
    if language not in languages:
        raise BadLine(_("column {column}: none of {known}").format(column="language", known=", ".join(languages)))
    row = Subscription(
        way=way,
        address=sealing.seal(way, address),
        lookup=addresses.lookup(way, address),
        language=language,
        least=least,
        topics=mask,
        tests=cells.get("tests", "").lower() in YES,
    )
    return Line(number, row, tuple(districts[code] for code in dict.fromkeys(codes)))


def _listed(cell: str) -> list[str]:
    """The words of one cell."""
    try:
        words = next(csv.reader([cell], delimiter=LISTED, strict=True), [])
    except csv.Error as error:
        raise BadLine(_("the quotes do not fit together")) from error
    return [word.strip() for word in words if word.strip()]
