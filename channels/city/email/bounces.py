"""What comes back to the envelope's sender: delivery reports (RFC 3464) and what servers say in words of their own."""

from __future__ import annotations

import email
import email.header
import email.policy
import re
from collections.abc import Iterator
from email.message import Message

from django.utils.translation import gettext as _

from channels.base import Forged, Receipt

from . import verp
from .answers import NO_MAILBOX, UNKNOWN_USER

LONGEST = 1_000_000
"""Bytes of a bounce that are read; what it reports stands at its beginning."""
ADDRESSED = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "Cc")
STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
BY_MACHINE = re.compile(r"mailer-daemon|postmaster|mail delivery|microsoftexchange", re.IGNORECASE)
UNDELIVERED = re.compile(
    r"undeliver|returned mail|delivery (status|failure|has failed)|failure notice|mail delivery failed|delivery report"
    r"|unzustellbar|nicht zugestellt|zustellung",
    re.IGNORECASE,
)
ACTIONS = {
    "failed": "failed",
    "delayed": "accepted",
    "delivered": "delivered",
    "relayed": "accepted",
    "expanded": "accepted",
}
"""What a report's Action (RFC 3464 §2.3.3) comes to."""


def read(raw: bytes, secret: str, to: str = "") -> Receipt | None:
    """What a returned mail says of one recipient; None where it is no bounce, or none of ours.

    Whom it is about is told by the word in the address it was sent to (``to``, where the mail server
    names it, else the headers). Raises Forged where that word is none of ours.
    """
    message = email.message_from_bytes(raw[:LONGEST], policy=email.policy.compat32)
    addressed = to or " ".join(str(value) for name in ADDRESSED for value in message.get_all(name, []))
    found, forged = verp.recipients(addressed, secret)
    if len(found) != 1:
        if forged or found:
            raise Forged("a bounce for an address that is none of ours")
        return None
    reported = _reported(message)
    if reported is None and _is_bounce(message):
        reported = _in_words(message)
    if reported is None:
        return None
    state, status, gone = reported
    words = {"failed": _("The mail came back."), "accepted": _("The mail is delayed on its way.")}.get(state, "")
    return Receipt(state, recipient=found[0], words=f"{words} {status}".strip(), gone=gone)


def _reported(message: Message) -> tuple[str, str, bool] | None:
    """State, status code and whether there is nobody, of a delivery report's first recipient."""
    for part in _parts(message):
        if part.get_content_type() not in {"message/delivery-status", "message/global-delivery-status"}:
            continue
        for block in _blocks(part):
            state = ACTIONS.get(str(block.get("Action", "")).split(";")[0].strip().lower())
            status = STATUS.search(str(block.get("Status", "")))
            if state is None:
                continue
            code = status[0] if status else ""
            if state == "failed":
                # Exchange sends 5.0.0 or 5.1.0 and gives its reason in the diagnostic
                said = str(block.get("Diagnostic-Code", ""))
                inner = STATUS.search(said.partition(";")[2])
                if inner and code in {"", "5.0.0", "5.1.0", "5.3.0", "5.5.0"}:
                    code = inner[0]
            return state, code, state == "failed" and code in NO_MAILBOX
    return None


def _is_bounce(message: Message) -> bool:
    """Whether a mail without a report is a machine's, about a mail that did not arrive; no holiday answer is."""
    if str(message.get("Auto-Submitted", "")).lower().startswith("auto-replied"):
        return bool(message.get("X-Failed-Recipients"))
    from_machine = str(message.get("Return-Path", "")).strip() == "<>" or BY_MACHINE.search(
        str(message.get("From", ""))
    )
    about = message.get("X-Failed-Recipients") or UNDELIVERED.search(_decoded(str(message.get("Subject", ""))))
    return bool(from_machine and about)


def _in_words(message: Message) -> tuple[str, str, bool] | None:
    """The same from a bounce in plain words, such as qmail's; only what stands before the returned mail is read."""
    said = next((_text(part) for part in _parts(message) if part.get_content_maintype() == "text"), "")
    said = re.split(r"(?m)^-{3,}.*(copy|original|kopie|returned)", said, flags=re.IGNORECASE)[0][:20_000]
    status = STATUS.search(said)
    code = status[0] if status else ""
    if code.startswith("2."):
        return None
    if code.startswith("4.") and re.search(r"will (be )?(retr|try|continue)|wird weiter|not need to resend", said):
        return "accepted", code, False
    gone = code in NO_MAILBOX or (not code and bool(UNKNOWN_USER.search(said.encode())))
    return "failed", code, gone


def _parts(message: Message, depth: int = 0) -> Iterator[Message]:
    """The parts of a report itself, never those of a message that it returns."""
    if message.get_content_type() in {"message/delivery-status", "message/global-delivery-status"}:
        yield message
    elif message.get_content_maintype() == "multipart" and isinstance(message.get_payload(), list) and depth < 5:
        for part in message.get_payload():
            if isinstance(part, Message):
                yield from _parts(part, depth + 1)
    elif message.get_content_maintype() != "message":
        yield message


def _blocks(part: Message) -> list[Message]:
    """The blocks of a delivery report, each read as headers: of the message, then of each recipient."""
    inside = part.get_payload()
    if isinstance(inside, list):
        return [block for block in inside if isinstance(block, Message)]
    return [email.message_from_string(block, policy=email.policy.compat32) for block in _text(part).split("\n\n")]


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace").replace("\r\n", "\n") if isinstance(payload, bytes) else ""


def _decoded(subject: str) -> str:
    """A subject whose encoded words are read; what can't be read stays as it is."""
    try:
        return str(email.header.make_header(email.header.decode_header(subject)))
    except (ValueError, LookupError):
        return subject
