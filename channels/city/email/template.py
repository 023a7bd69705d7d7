"""A mail as bytes that is built once and then differs by recipient in its first lines and the resident's own word."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any

from . import signing
from .quoted import PLACE, quoted

WORD = re.compile(r"[A-Za-z0-9_-]{36}")
ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9.-]+")
"""What may stand in an envelope and a To line as it is: no space, no line break, no bracket, no comma."""
OFTEN = 2
"""How often the resident's word stands in each of the two texts: once to manage, once to leave."""
OWN = ("to", "message-id", "list-unsubscribe")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What every mail of this city has: ``sender`` as in From, ``domain`` for identifiers, ``list_name`` its name."""

    sender: str
    domain: str
    list_name: str
    address: str
    key: signing.Key | None = None

    def headers(self, subject: str, language: str, at: dt.datetime, **more: str) -> EmailMessage:
        """A message with the headers that all mails have. Raises ValueError where one could break out of its line."""
        message = EmailMessage(policy=SMTP)
        name, address = parseaddr(self.sender)
        message["From"] = Address(name or self.list_name, addr_spec=address)
        message["Subject"] = subject
        message["Date"] = format_datetime(at)
        for header, value in more.items():
            message[header.replace("_", "-")] = value
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "OOF, AutoReply"  # Exchange answers 100,000 mails else
        message["Content-Language"] = language
        message["MIME-Version"] = "1.0"
        return message

    def assembled(self, message: EmailMessage, body: bytes, boundary: str) -> bytes:
        """Headers and a body from ``multipart`` as they are written, lines end in CRLF; dots are not stuffed."""
        message["Content-Type"] = f'multipart/alternative; boundary="{boundary}"'
        return b"".join(SMTP.fold_binary(name, value) for name, value in message.items()) + b"\r\n" + body

    def of_alerts(self, fields: Mapping[str, Any], slots: Mapping[str, str]) -> Template:
        """The template of an approved rendering. Raises ValueError where its texts lack a place for the word."""
        at = dt.datetime.fromisoformat(slots["sent"])
        more = {
            "References": f"<{slots['slug']}@{self.domain}>",  # an all-clear stands under its warning
            "List-Id": f"<alerts.{self.domain}>",
            "Importance": str(fields["importance"]),
        }
        if self.address.startswith("https://"):
            more["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058: by https alone
        message = self.headers(str(fields["subject"]), str(fields["language"]), at, **more)
        return Template(self, message, str(fields["text"]), str(fields["html"]), slots["identifier"])


class Template:
    """Mails of one message in one language. Headers of the recipient's own come first, then what all share."""

    def __init__(self, head: Letterhead, message: EmailMessage, text: str, html: str, identifier: str) -> None:
        for part in (text, html):
            if part.count(PLACE) != OFTEN:
                raise ValueError(f"the text has {part.count(PLACE)} places for the resident's own word, not {OFTEN}")
        body, boundary = multipart(text, html)
        whole = head.assembled(message, body, boundary)
        self._pieces = whole.split(PLACE.encode())
        self._stuffed = stuffed(whole).split(PLACE.encode())
        if not len(self._pieces) == len(self._stuffed) == body.count(PLACE.encode()) + 1 == 2 * OFTEN + 1:
            raise ValueError("a place for the resident's own word was broken by a line's end")
        self._identifier = hashlib.sha256(identifier.encode()).hexdigest()[:20]
        self._domain = head.domain
        self._leave = f"{head.address}/s/leave/"
        self._signer = None
        if head.key is not None:
            headers = re.split(rb"\r\n(?![ \t])", whole.partition(b"\r\n\r\n")[0])
            shared = [(name.decode(), value) for name, _colon, value in (line.partition(b":") for line in headers)]
            self._signer = signing.Signer(head.key, shared, OWN)
            self._relaxed = signing.relaxed(body).split(PLACE.encode())

    def message_id(self, recipient: int) -> str:
        """The same for every try: a second copy is known as one. ``recipient`` is the row's number."""
        return f"<{self._identifier}.{recipient}@{self._domain}>"

    def mail(self, recipient: int, address: str, word: str, *, wire: bool = True) -> bytes:
        """One resident's mail; dots stuffed for the ``wire``. ``address`` must match ADDRESS, ``word`` WORD."""
        own = (
            f"To: {address}\r\nMessage-ID: {self.message_id(recipient)}\r\nList-Unsubscribe: <{self._leave}{word}/>\r\n"
        )
        token = word.encode()
        front = own.encode()
        if self._signer is not None:
            lines = dict(line.split(b": ", 1) for line in front.splitlines())
            mine = {name.decode().lower(): value for name, value in lines.items()}
            front = self._signer.header(mine, token.join(self._relaxed)) + front
        return front + token.join(self._stuffed if wire else self._pieces)


def multipart(text: str, html: str) -> tuple[bytes, str]:
    """Both texts as the body of multipart/alternative, and its boundary: none that quoted-printable could hold."""
    boundary = "=_" + hashlib.sha256(text.encode()).hexdigest()[:24]
    parts = [
        f"--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
        + quoted(words)
        + b"\r\n"
        for kind, words in (("plain", text), ("html", html))
    ]
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), boundary


def stuffed(data: bytes) -> bytes:
    """Dots at the start of lines doubled (RFC 5321 §4.5.2); once."""
    return re.sub(rb"(?m)^\.", b"..", data)
