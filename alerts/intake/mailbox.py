"""Mail out of an IMAP mailbox (imap-tools): each is stored, then marked on the server; IDLE tells of new ones."""

from __future__ import annotations

import datetime as dt
import imaplib
import logging
import re
import ssl
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone
from imap_tools import AND, BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted, MailMessageFlags
from imap_tools.errors import ImapToolsError

from . import store
from .where import Where, parse

log = logging.getLogger(__name__)

SECONDS = 30.0
"""So long the server may be silent."""
IDLE = 60.0
"""So long is waited for news before the folder is looked at anyway; a server may forget to tell."""
PAUSES = (2.0, 120.0)
"""Seconds until a mailbox that failed is tried again: at first, and at most."""
TROUBLE = (imaplib.IMAP4.error, ImapToolsError, OSError, ValueError, Error)
"""What imaplib, imap-tools, sockets and the database raise; ``IMAP4.abort`` is an ``IMAP4.error``."""


class Mailbox:
    """A folder that is looked at until ``over`` is set; ``stored`` is called after each new mail."""

    def __init__(self, where: Where, password: str, stored: Callable[[], object]) -> None:
        self.where, self.password, self.stored = where, password, stored
        self.over = threading.Event()

    def run(self) -> None:
        pause = PAUSES[0]
        while not self.over.is_set():
            try:
                with self._open() as box:
                    while not self.over.is_set():
                        self.fetch(box)
                        pause = PAUSES[0]
                        box.idle.wait(timeout=IDLE)
            except TROUBLE as error:
                # its text could hold what the server said of a mail
                log.warning("mailbox: %s; tried again in %.0f s", type(error).__name__, pause)
                connection.close()
                self.over.wait(pause)
                pause = min(2 * pause, PAUSES[1])

    def fetch(self, box: BaseMailBox) -> int:
        """Store what was not seen yet, then mark it: a crash between the two has it fetched again, never lost.

        imap-tools would parse each mail and write it anew, which breaks its signature: the bytes come from imaplib.
        """
        count = 0
        for uid in box.uids(AND(seen=False)):
            if self.over.is_set():
                break
            if self._fetch(box, uid):
                count += 1
                self.stored()
        return count

    def _fetch(self, box: BaseMailBox, uid: str) -> bool:
        """Whether it is ours now. What does not fit is asked for in its size and sender alone."""
        head, _date = _asked(box, uid, "(RFC822.SIZE BODY.PEEK[HEADER.FIELDS (RETURN-PATH)])")
        size = re.search(rb"RFC822\.SIZE (\d+)", head)
        raw = b""
        try:
            store.fits(store.envelope(head).lower(), int(size[1]) if size else 0)
            raw, came = _asked(box, uid, "(INTERNALDATE BODY.PEEK[])")
            if raw:
                store.keep(raw, store.reached(raw, came), sender=store.envelope(raw), once=True)
        except store.Full as full:
            if full.again:
                return False
            log.warning("mailbox: a mail is larger than 10 MB: it stays there, marked as read")
        box.flag(uid, MailMessageFlags.SEEN, True)
        return bool(raw)

    def _open(self) -> BaseMailBox:
        where = self.where
        if where.scheme == "imap":
            box: BaseMailBox = MailBoxUnencrypted(where.host, where.port, timeout=SECONDS)
        elif where.scheme == "imap+tls":
            box = MailBoxStartTls(where.host, where.port, timeout=SECONDS, ssl_context=ssl.create_default_context())
        else:
            box = MailBox(where.host, where.port, timeout=SECONDS, ssl_context=ssl.create_default_context())
        return box.login(where.user, self.password, initial_folder=where.folder)


def _asked(box: BaseMailBox, uid: str, what: str) -> tuple[bytes, dt.datetime]:
    """The literal that a FETCH answers, with what stands before it where it is short; and when the server got it."""
    _status, answer = box.client.uid("fetch", uid, what)
    now = timezone.now()
    for part in answer or []:
        if not isinstance(part, tuple):
            continue
        told, literal = part[0], part[1]
        date = re.search(rb'INTERNALDATE "([^"]{1,40})"', told)
        came = imaplib.Internaldate2tuple(b'INTERNALDATE "' + date[1] + b'"') if date else None
        at = dt.datetime.fromtimestamp(time.mktime(came), dt.UTC) if came else now
        return (literal if date else told + b"\r\n" + literal), at
    return b"", now


def configured(stored: Callable[[], object]) -> Mailbox | None:
    if not settings.INTAKE_IMAP:
        return None
    return Mailbox(parse(settings.INTAKE_IMAP), settings.INTAKE_IMAP_PASSWORD, stored)
