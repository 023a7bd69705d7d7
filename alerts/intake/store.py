"""Raw mails are stored before anything of them is read, within quotas: what does not fit is refused at the door."""

from __future__ import annotations

import datetime as dt
import email.utils
import hashlib
import logging
import re

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from .. import alarms
from ..models import Intake, IntakeState, IntakeWay

log = logging.getLogger(__name__)

LARGEST = 10_000_000
"""Bytes of a mail that are taken."""
HOUR = dt.timedelta(hours=1)
KEPT = dt.timedelta(days=30)
"""So long the raw text of what was ignored is kept."""
FULL = "intake-full"
HEADERS = 100_000
"""Bytes at a mail's beginning that are looked at for its path."""

_HEADER = re.compile(rb"(?mi)^(received|return-path):((?:[^\r\n]|\r?\n[ \t])*)")


class Full(Exception):
    """Not stored; ``str()`` is what the server that brought it is told, ``again`` whether it may come again later."""

    def __init__(self, words: str, *, again: bool) -> None:
        super().__init__(words)
        self.again = again


def keep(raw: bytes, received_at: dt.datetime, *, sender: str = "", once: bool = False) -> Intake:
    """Store a mail as it came; only what this returns is ours. Raises Full.

    ``sender`` is the envelope's; quotas count by it, since nothing else is known yet. ``once``: the same bytes
    are the same mail, for ways on which a mail stays until we have it.
    """
    digest = hashlib.sha256(raw).hexdigest()
    sender = sender.replace("\0", "").strip("<> ").lower()[:254]
    if once:
        before = Intake.objects.filter(way=IntakeWay.MAIL, sender=sender, sha256=digest).first()
        if before is not None:
            return before
    fits(sender, len(raw))
    now = timezone.now()
    return Intake.objects.create(
        way=IntakeWay.MAIL,
        # a hop whose clock is ahead must not make a code good for longer
        received_at=min(received_at, now),
        sender=sender,
        sha256=digest,
        size=len(raw),
        raw=raw,
    )


def fits(sender: str, size: int) -> None:
    """Raises Full where a mail of this size does not fit. Officers have a quota each that no stranger uses up."""
    if size > LARGEST:
        raise Full("5.3.4 larger than 10 MB", again=False)
    rows = _lately()
    own = rows.filter(sender=sender)
    if sender and own.count() >= settings.INTAKE_PER_SENDER:
        log.warning("intake: the quota of a sender is used up")
        raise Full("4.2.2 too many mails from this sender within an hour", again=True)
    if sender and User.objects.filter(is_active=True, email__iexact=sender).exists():
        return
    stored = (rows.aggregate(stored=Sum("size"))["stored"] or 0) + size
    if rows.count() >= settings.INTAKE_TOTAL or stored > settings.INTAKE_MEGABYTES * 1_000_000:
        with override("de"):
            text = _("Very many mails reach the mail gateway. Further ones wait at the sender; officers' are taken.")
            alarms.sound(FULL, text, link=f"{settings.ADDRESS}/desk/intakes/")
        raise Full("4.3.1 too many mails within an hour, try again later", again=True)


def _lately() -> QuerySet[Intake]:
    return Intake.objects.filter(way=IntakeWay.MAIL, arrived_at__gt=timezone.now() - HOUR)


def tidy() -> None:
    """Forget the raw text of old mails that were not for us; end the alarm when the flood is over."""
    old = Intake.objects.filter(way=IntakeWay.MAIL, state=IntakeState.IGNORED, arrived_at__lt=timezone.now() - KEPT)
    old.filter(raw__isnull=False).update(raw=None)
    if _lately().count() < settings.INTAKE_TOTAL // 2:
        alarms.end(FULL)


def _head(raw: bytes) -> bytes:
    return re.split(rb"\r?\n\r?\n", raw[:HEADERS], maxsplit=1)[0]


def envelope(raw: bytes) -> str:
    """The envelope's sender as the last server wrote it down (Return-Path), where it did."""
    for name, value in _HEADER.findall(_head(raw)):
        if name.lower() == b"return-path":
            return str(value.decode("latin-1")).strip().strip("<>")
    return ""


def reached(raw: bytes, otherwise: dt.datetime) -> dt.datetime:
    """When a mail reached our first trusted hop: as the trusted relay says in the topmost Received of its own.

    ``otherwise`` where there is none, or where the relay's time lies after it.
    """
    if not settings.INTAKE_RELAY:
        return otherwise
    by = re.compile(rf"\bby\s+{re.escape(settings.INTAKE_RELAY)}(?=[\s;(])", re.IGNORECASE)
    for name, value in _HEADER.findall(_head(raw)):
        line = value.decode("latin-1")
        if name.lower() != b"received" or not by.search(line):
            continue
        try:
            said = email.utils.parsedate_to_datetime(line.rpartition(";")[2].strip()[:100])
        except (ValueError, TypeError, IndexError, OverflowError):
            return otherwise
        said = said if said.tzinfo else said.replace(tzinfo=dt.UTC)
        return min(said, otherwise)
    return otherwise
