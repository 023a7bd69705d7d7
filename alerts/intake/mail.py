"""Raw bytes of a mail as what its sender wrote; pure, and safe with anything a stranger sends."""

from __future__ import annotations

import datetime as dt
import email.errors
import email.utils
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email import headerregistry

from django.utils.translation import gettext as _

from . import letters, parts, quoting
from .parts import Attachment, Unreadable

__all__ = ["Attachment", "Mail", "Unreadable", "read"]

LONGEST_TEXT = 200_000
"""Characters of a mail's words that are read; a draft has 6,000 for its description."""
MOST_HOPS = 50
MOST_IDS = 50

_ADDRESS = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}")
_ID = re.compile(r"<[^<>\s]{1,240}>")
_FORWARDED = re.compile(r"\s*(?:fw|fwd|wg|weitergeleitet|weiterleitung|tr|rv|i)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_AWAY = re.compile(
    r"\s*(?:automatische antwort|automatic reply|auto(?:-| )?reply|autoreply|abwesenheits(?:notiz|nachricht|assistent)"
    r"|abwesend|out of (?:the )?office|antwort automatique)\b",
    re.IGNORECASE,
)
_UNDELIVERED = re.compile(
    r"undeliver|returned mail|delivery (?:status|failure|has failed)|failure notice|mail delivery failed|unzustellbar"
    r"|nicht zugestellt|zustellung fehlgeschlagen",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail says.

    ``sender`` is the address of its one From in lower case, empty if there are none, several, or one that
    two parsers read differently. ``text`` holds the new words alone, ``quoted`` what they answer,
    ``forwarded`` the words of mails passed on with it, which are text of a draft and never an order or a code.
    ``automatic`` is empty or one of auto-reply, list, loop, bounce. ``in_reply_to`` and ``message_id`` keep
    their angle brackets.
    """

    message_id: str
    sender: str
    subject: str
    date: dt.datetime | None
    in_reply_to: tuple[str, ...]
    text: str
    quoted: str
    attachments: tuple[Attachment, ...]
    automatic: str
    forwarded: str = ""

    @property
    def passes_on(self) -> bool:
        """Whether its subject is that of a mail which it forwards."""
        return bool(_FORWARDED.match(self.subject))


def read(raw: bytes) -> Mail:
    """What a mail says; raises Unreadable where no parser can tell."""
    if not raw.strip():
        raise Unreadable(_("The mail is empty."))
    root = parts.parse(raw)
    try:
        headers = parts.headers(root)
        body = parts.body(root)
        kind, report = root.get_content_type(), str(root.get_param("report-type") or "").lower()
    except parts.TROUBLE as error:
        raise Unreadable(_("The mail is too damaged to be read.")) from error
    if body.sealed and not any(text.strip() for text in body.text):
        raise Unreadable(_("The mail is encrypted or sealed, so its words can't be read. Send it as plain text."))
    subject = letters.one_line(parts.decoded_words(_first(headers, "subject")[:2000]), 500)
    forward = bool(_FORWARDED.match(subject))
    split = quoting.split("\n\n".join(body.text)[:LONGEST_TEXT].strip("\n"), forward=forward)
    forwarded = [split.forwarded]
    for words in body.forwarded:
        inner = quoting.split(words[:LONGEST_TEXT])
        forwarded.append(inner.new or inner.forwarded)
    ids = _ID.findall(" ".join(_first(headers, name) for name in ("in-reply-to", "references")))
    return Mail(
        message_id=_id(_first(headers, "message-id")),
        sender=_sender(headers.get("from", [])),
        subject=subject,
        date=_date(_first(headers, "date")),
        in_reply_to=tuple(dict.fromkeys(ids))[:MOST_IDS],
        text=split.new,
        quoted=split.quoted,
        attachments=tuple(body.attachments),
        automatic=_automatic(headers, kind, report, subject),
        forwarded="\n\n".join(words for words in forwarded if words)[:LONGEST_TEXT],
    )


def _first(headers: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(headers.get(name, [])), "")


def _id(value: str) -> str:
    found = _ID.search(value)
    return found[0].encode("utf-8", "replace").decode() if found else ""


def _sender(values: Sequence[str]) -> str:
    """The one address, or nothing where there is any doubt about whose it is.

    Two parsers have to agree: what one reads as the address and another as a name in quotes is how a
    forger passes a check of somebody else's domain.
    """
    if len(values) != 1 or len(values[0]) > 1000:
        return ""
    value = re.sub(r"\r\n|\r|\n", "", values[0]).strip()
    try:
        loose = email.utils.getaddresses([value])
        strict = headerregistry.HeaderRegistry()("from", value)
        found = [str(address.addr_spec) for address in getattr(strict, "addresses", ())]
    except (email.errors.HeaderParseError, *parts.TROUBLE):
        return ""
    if len(found) != 1 or len(loose) != 1 or loose[0][1].lower() != found[0].lower():
        return ""
    if "(" in value and strict.defects:  # a comment that never ends
        return ""
    address = found[0].lower()
    return address if len(address) <= 254 and _ADDRESS.fullmatch(address) else ""


def _date(value: str) -> dt.datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(value.strip()[:100])
        # what names no zone counts as UTC (RFC 5322 §3.3)
        return date if date.tzinfo else date.replace(tzinfo=dt.UTC)
    except (*parts.TROUBLE, OverflowError):
        return None


def _automatic(headers: Mapping[str, Sequence[str]], kind: str, report: str, subject: str) -> str:
    """Why nobody typed this mail (RFC 3464, 3834, 2076), or nothing."""
    said = {name: _first(headers, name).strip().lower() for name in ("auto-submitted", "precedence", "return-path")}
    sender = _first(headers, "from").lower()
    machine = said["return-path"] == "<>" or "mailer-daemon" in sender or "postmaster@" in sender
    if kind == "multipart/report" and report in {"delivery-status", ""}:
        return "bounce"
    if "x-failed-recipients" in headers or (machine and _UNDELIVERED.search(subject)):
        return "bounce"
    if len(headers.get("received", [])) > MOST_HOPS or "x-loop" in headers:
        return "loop"
    if said["auto-submitted"] and not said["auto-submitted"].startswith("no"):
        return "auto-reply"
    if kind == "multipart/report" or _AWAY.match(subject) or said["precedence"] in {"auto_reply", "auto-reply"}:
        return "auto-reply"
    if {"x-autoreply", "x-autorespond", "x-auto-reply-from", "x-ms-exchange-inbox-rules-loop"} & set(headers):
        return "auto-reply"
    if "list-id" in headers or "list-unsubscribe" in headers or said["precedence"] in {"list", "bulk", "junk"}:
        return "list"
    if machine:
        return "bounce"
    return ""
