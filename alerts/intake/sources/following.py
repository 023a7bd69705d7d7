"""One round of a source: claimed by a lease, asked, read, filed; failures back off and sound an alarm.

Nothing here is done twice by two processes, nothing waits for another source, and nothing ends a warning
but the source's own cancel or its expiry.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from alerts import alarms
from alerts.models import Source, SourceKind

from . import atom, capdocs, http, items, nina
from .found import Entry, Found, Listing, Unreadable

log = logging.getLogger(__name__)

ROUND = 90.0
"""Seconds for a round with all its documents."""
LEASE = dt.timedelta(seconds=150)
DOCUMENTS = 60
"""Documents fetched in one round; the next goes on."""
FAILURES = 3
"""So often in a row, and the desk is alarmed."""
LONGEST_PAUSE = 900.0
KNOWN = 5000
"""Entries of a source that each process keeps in mind."""
THREADS = 40
"""More sources than that wait for each other."""
HANGS = "source hangs "


@dataclass
class Memory:
    """What this process has looked at of a source: entry and stamp -> identifier; nothing depends on it but effort.

    ``bounds`` are the source's address and filter: with others everything is looked at anew.
    """

    bounds: str
    looked: OrderedDict[tuple[str, str], str] = field(default_factory=OrderedDict)

    def keep(self, entry: Entry, identifier: str) -> None:
        self.looked[entry.key, entry.stamp] = identifier
        while len(self.looked) > KNOWN:
            self.looked.popitem(last=False)


_memories: dict[int, Memory] = {}


def _memory(source: Source) -> Memory:
    bounds = f"{source.url} {source.least} {source.events} {source.whole_world}"
    if source.pk not in _memories or _memories[source.pk].bounds != bounds:
        _memories[source.pk] = Memory(bounds)
    return _memories[source.pk]


def due(now: dt.datetime | None = None) -> list[int]:
    """The sources (ids) that are to be asked now."""
    now = now or timezone.now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    ready = Q(due_at__isnull=True) | Q(due_at__lte=now)
    rows = Source.objects.filter(free, ready, active=True)
    return list(rows.order_by(F("due_at").asc(nulls_first=True)).values_list("pk", flat=True))


def follow(source_id: int) -> bool:
    """One round; False where another process is at it or it is not due."""
    now = timezone.now()
    lease = secrets.token_hex(8)
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    ready = Q(due_at__isnull=True) | Q(due_at__lte=now)
    mine = Source.objects.filter(free, ready, pk=source_id, active=True)
    if mine.update(lease=lease, lease_until=now + LEASE, asked_at=now) != 1:
        return False
    source = Source.objects.get(pk=source_id)
    try:
        told = _round(source)
    except (http.Unreachable, Unreadable) as error:
        _failed(source, lease, str(error), getattr(error, "after", None))
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("source %s: a fault", source.pk)
        _failed(source, lease, _("A fault of Belfry itself; its log says more."), None)
    else:
        _went_well(source, lease, told)
    return True


@dataclass(frozen=True, slots=True)
class Told:
    """How a round ended: ``etag`` and ``modified`` only where everything was read."""

    words: str = ""
    etag: str = ""
    modified: str = ""
    unchanged: bool = False


def _round(source: Source) -> Told:
    until = time.monotonic() + ROUND
    answer = http.get(source.url, etag=source.etag, modified=source.modified)
    if answer.unchanged:
        return Told(source.words, source.etag, source.modified, unchanged=True)
    listing = _listing(source, answer)
    memory = _memory(source)
    faults = 0
    fetched = 0
    whole = True
    listed: set[str] = set()
    read: list[tuple[Found, Entry]] = []
    for entry in listing.entries:
        if (entry.key, entry.stamp) in memory.looked:
            listed.add(memory.looked[entry.key, entry.stamp])
            continue
        if fetched >= DOCUMENTS or time.monotonic() > until:
            whole = False
            break
        try:
            fetched += not entry.document
            found = _found(source, entry)
        except Unreadable as error:
            log.warning("source %s: an entry can't be read: %s", source.pk, error)
            memory.keep(entry, "")
            faults += 1
            continue
        except http.Unreachable as error:
            log.warning("source %s: a document can't be had: %s", source.pk, error)
            faults += 1
            whole = False
            continue
        read.append((found, entry))
    now = timezone.now()
    # lists begin with the newest; what goes on from another comes after it
    for found, entry in sorted(read, key=lambda pair: pair[0].sent):
        items.take(source, found, now)
        memory.keep(entry, found.identifier)
        listed.add(found.identifier)
    words = _words(source, listing, listed, faults, whole, now)
    return Told(words, answer.etag if whole else "", answer.modified if whole else "")


def _listing(source: Source, answer: http.Answer) -> Listing:
    match source.kind:
        case SourceKind.ATOM:
            return atom.listing(answer.body, answer.url)
        case SourceKind.NINA:
            return nina.listing(answer.body)
    # a document that can't be read is the source's own failure here
    found = _document(answer.body)
    return Listing((Entry(found.identifier, found.sent.isoformat(), document=answer.body),))


def _found(source: Source, entry: Entry) -> Found:
    if source.kind != SourceKind.NINA:
        body = entry.document or http.get(entry.link, home=source.url).body
        return _document(body)
    body = http.get(nina.address(source.url, entry.key), home=source.url).body
    try:
        geometry = http.get(nina.address(source.url, entry.key, "geojson"), home=source.url).body
    except http.Unreachable:
        geometry = b""  # not every warning has one; its keys may tell the city
    return nina.found(body, geometry, settings.CONTENT_LANGUAGES, local=nina.is_local(source.url))


def _document(body: bytes) -> Found:
    trusted = [path.read_bytes() for path in sorted(settings.CAP_TRUSTED_DIR.glob("*.pem"))]
    return capdocs.found(body, settings.CONTENT_LANGUAGES, trusted)


def _words(source: Source, listing: Listing, listed: set[str], faults: int, whole: bool, now: dt.datetime) -> str:
    """What is odd about an answer that was read, in one line."""
    said = []
    if faults:
        text = ngettext("{count} entry can't be read.", "{count} entries can't be read.", faults)
        said.append(text.format(count=faults))
    if not listing.whole:
        said.append(_("The list is longer than what is read of it."))
    missing = items.gone(source, listed, now) if whole and listing.whole else []
    if missing:
        text = ngettext(
            "{count} warning still holds but is not listed any more: it counts until it expires.",
            "{count} warnings still hold but are not listed any more: they count until they expire.",
            len(missing),
        )
        said.append(text.format(count=len(missing)))
    return " ".join(said)[:300]


def _went_well(source: Source, lease: str, told: Told) -> None:
    Source.objects.filter(pk=source.pk, lease=lease).update(
        lease="",
        lease_until=None,
        failures=0,
        words=told.words,
        etag=told.etag,
        modified=told.modified,
        due_at=timezone.now() + dt.timedelta(seconds=max(10, source.seconds)),
    )
    alarms.end(_cause(source))
    alarms.end(f"{HANGS}{source.pk}")


def _failed(source: Source, lease: str, words: str, after: float | None) -> None:
    failures = source.failures + 1
    pause = min(max(10, source.seconds) * 2.0 ** min(failures - 1, 10), max(LONGEST_PAUSE, source.seconds))
    due_at = timezone.now() + dt.timedelta(seconds=max(pause, after or 0.0))
    Source.objects.filter(pk=source.pk, lease=lease).update(
        lease="", lease_until=None, failures=failures, words=words[:300], due_at=due_at
    )
    if failures >= FAILURES:
        text = _("The source “{name}” has failed {count} times: {words} What it warns of is not seen meanwhile.")
        alarms.sound(_cause(source), text.format(name=source.name, count=failures, words=words))
    alarms.end(f"{HANGS}{source.pk}")


def _cause(source: Source) -> str:
    return f"source {source.pk}"


@dataclass
class Followers:
    """A thread for each source that is due: one that hangs holds up no other, nor who asks for it."""

    threads: dict[int, tuple[threading.Thread, float]] = field(default_factory=dict)

    def look(self) -> None:
        self.threads = {pk: running for pk, running in self.threads.items() if running[0].is_alive()}
        for pk in due():
            if pk in self.threads:
                self._look_at_hanging(pk)
            elif len(self.threads) < THREADS:
                thread = threading.Thread(target=_aside, args=(pk,), daemon=True)
                self.threads[pk] = thread, time.monotonic()
                thread.start()

    def _look_at_hanging(self, pk: int) -> None:
        """An alarm for what no time limit of ours ends, such as a name server that never answers."""
        if time.monotonic() - self.threads[pk][1] > LEASE.total_seconds():
            words = _("The source “{name}” hangs and is not asked any more. Start upkeep anew.")
            alarms.sound(f"{HANGS}{pk}", words.format(name=Source.objects.get(pk=pk).name))


def _aside(source_id: int) -> None:
    """In a thread of its own, which has a connection of its own to the database."""
    try:
        with override("de"):
            follow(source_id)
    except (OperationalError, InterfaceError) as error:
        log.warning("database: %s", type(error).__name__)
    finally:
        connection.close()
