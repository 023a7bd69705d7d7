"""A mail's parts, by Python's own parser with bounds on all that grows with what a stranger sends; pure."""

from __future__ import annotations

import base64
import binascii
import email.parser
import email.policy
import re
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, cast

from django.utils.translation import gettext as _

from . import letters, markup

MOST_PARTS = 100
MOST_DEPTH = 20
MOST_LINES = 200_000
"""10 MB in base64 have 140,000 lines."""
LONGEST_HEADER = 10_000
LONGEST_CONTENT_HEADER = 1_000
"""Python reads the parameters of Content-Type in time that grows with the square of their length."""

SIGNATURES = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
SEALED = {"application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted"}
# What the parser and the readers of parameters are known to raise on hostile headers
TROUBLE = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)


class Unreadable(Exception):
    """No mail that can be read; ``str()`` says why in plain words."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came along: ``name`` without folders, ``mime`` as declared, in lower case."""

    name: str
    mime: str
    body: bytes


@dataclass(slots=True)
class Body:
    """What a mail says: its own words, words of mails attached to it, files; ``flowed`` where lines were joined."""

    text: list[str] = field(default_factory=list)
    forwarded: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    sealed: bool = False

    def take(self, other: Body, *, words: bool = True) -> None:
        if words:
            self.text += other.text
        self.forwarded += other.forwarded
        self.attachments += other.attachments
        self.sealed |= other.sealed


class _Headers(email.policy.Compat32):
    """Headers as they stand, cut where they are absurdly long, without NUL."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, _colon, first = sourcelines[0].partition(":")
        most = LONGEST_CONTENT_HEADER if name.lower().startswith("content-") else LONGEST_HEADER
        lines, size = [first.lstrip(" \t")[:most]], len(first)
        for line in sourcelines[1:]:
            if size > most:
                break
            lines.append(line[:most])
            size += len(line)
        return name, "".join(lines)[:most].rstrip("\r\n").replace("\0", "")


class Part(Message):
    """A part that knows how deep it lies, and its bytes as they came.

    ``get_payload`` would read them by whatever charset is declared, among them some that hang.
    """

    depth = 0
    most_depth = MOST_DEPTH
    raw = ""

    def set_payload(self, payload: Any, charset: Any = None) -> None:
        self.raw = payload
        super().set_payload(payload, charset)

    def attach(self, payload: Any) -> None:
        payload.depth, payload.most_depth = self.depth + 1, self.most_depth
        if payload.depth > self.most_depth:
            raise Unreadable(_("The mail has more parts inside of parts than can be read."))
        super().attach(payload)


def parse(raw: bytes) -> Part:
    """The tree of parts; raises Unreadable."""
    lines = raw.count(b"\n") + raw.count(b"\r") - raw.count(b"\r\n")
    if lines > MOST_LINES:
        raise Unreadable(_("The mail has more lines than can be read."))
    # the parser asks every open part at every line whether it ends there
    depth = min(MOST_DEPTH, (600_000 + len(raw) // 2) // (lines + 1))
    count = 0

    def make(policy: Any = None) -> Part:
        nonlocal count
        count += 1
        if count > MOST_PARTS:
            raise Unreadable(_("The mail has more parts than can be read."))
        part = Part(policy=policy)
        part.most_depth = depth
        return part

    try:
        root = email.parser.BytesParser(make, policy=_Headers()).parsebytes(raw)
    except TROUBLE as error:
        raise Unreadable(_("The mail is too damaged to be read.")) from error
    return cast(Part, root)


def headers(part: Part) -> dict[str, list[str]]:
    """All values by name in lower case, raw: bytes outside ASCII are surrogates, folds still in them."""
    found: dict[str, list[str]] = {}
    for name, value in part.raw_items():
        found.setdefault(name.lower(), []).append(str(value))
    return found


def body(part: Part) -> Body:
    """What the tree says. Of alternatives the plain text is read, and HTML only where there is no other."""
    found = Body()
    kind = part.get_content_type()
    found.sealed = kind in SEALED
    if found.sealed:
        return found
    if not part.is_multipart():
        _leaf(part, kind, found)
        return found
    inside = [body(child) for child in part.get_payload() if isinstance(child, Part)]
    if kind == "multipart/alternative":
        _alternatives(inside, found)
    elif kind.startswith("message/"):
        for one in inside:
            found.forwarded += ["\n\n".join(one.text), *one.forwarded] if kind == "message/rfc822" else []
            found.attachments += one.attachments
    else:
        for one in inside:
            found.take(one)
    return found


def _alternatives(inside: list[Body], found: Body) -> None:
    with_words = [one for one in inside if any(text.strip() for text in one.text)]
    for one in inside:
        found.take(one, words=bool(with_words) and one is with_words[0])


def _leaf(part: Part, kind: str, found: Body) -> None:
    raw = _decoded(part)
    attached = _quiet(part.get_content_disposition) == "attachment"
    if kind in SIGNATURES:
        return
    if not attached and (kind in {"text/plain", "text/html"} or kind.startswith("multipart/")):
        text = letters.decode(raw, _quiet(part.get_content_charset))
        if kind == "text/html":
            found.text.append(markup.text(text))
        else:
            text = letters.clean(text)
            if _parameter(part, "format") == "flowed":
                text = flowed(text, delsp=_parameter(part, "delsp") == "yes")
            else:
                text = unwrapped(text)
            found.text.append(text)
    elif raw:
        found.attachments.append(Attachment(_name(part), kind, raw))


def _decoded(part: Part) -> bytes:
    """The bytes of a part; what is broken in its encoding is passed over."""
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    raw = part.raw.encode("ascii", "surrogateescape")
    if encoding == "base64":
        # a letter too many at the end, or padding lost on the way, costs the last bytes and nothing else
        only = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
        only = only[: len(only) - (len(only) % 4 == 1)]
        return base64.b64decode(only + b"=" * (-len(only) % 4))
    if "uu" in encoding:
        return raw
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else raw


def _quiet(read: Any) -> str:
    """What a reader of parameters says, or nothing where it stumbles."""
    try:
        return str(read() or "")
    except TROUBLE:
        return ""


def _parameter(part: Part, name: str) -> str:
    return _quiet(lambda: part.get_param(name)).lower()


def _name(part: Part) -> str:
    name = letters.one_line(decoded_words(_quiet(part.get_filename)), 400)
    return re.split(r"[/\\]", name)[-1].strip(". ")[-120:]


def decoded_words(value: str) -> str:
    """A raw header with its encoded words read; what can't be read stays as it is."""
    raw = value.encode("utf-8", "surrogateescape")
    text = letters.decode(raw)
    text = re.sub(r"(=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]*\?=)\s+(?==\?)", r"\1", text)
    return re.sub(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?\s]*)\?=", _word, text)


def _word(word: re.Match[str]) -> str:
    charset, how, written = word.groups()
    raw = written.encode("utf-8")
    if how in "qQ":
        return letters.decode(binascii.a2b_qp(raw, header=True), charset)
    try:
        return letters.decode(base64.b64decode(raw + b"=" * (-len(raw) % 4)), charset)
    except binascii.Error:
        return word[0]


def flowed(text: str, *, delsp: bool) -> str:
    """Lines that a client broke for sending joined again (RFC 3676)."""
    out: list[str] = []
    depth_before, soft = 0, False
    for line in text.split("\n"):
        quote = re.match(r">*", line)
        depth = len(quote[0]) if quote else 0
        words = line[depth:].removeprefix(" ") if depth or line.startswith(" ") else line
        signature = words == "-- "
        if soft and depth == depth_before and not signature:
            out.append(words)
        else:
            out += ["\n", ">" * depth, " " if depth else "", words]
        soft = words.endswith(" ") and not signature
        if soft and delsp:
            out[-1] = words[:-1]
        depth_before = depth
    return "".join(out).removeprefix("\n")


_NEW_LINE = re.compile(r"\s|[-–—•*·>#]|\d+[.)]\s|[^\s:]+(?: [^\s:]+){0,2}\s*:|$")


def unwrapped(text: str) -> str:
    """Lines that a client broke at 72 to 80 columns joined again, as far as that can be told."""
    lines = text.split("\n")
    if any(len(line) > 80 for line in lines):
        return text
    out: list[str] = []
    joins, last = False, ""
    for line in lines:
        if joins and not _NEW_LINE.match(line) and len(last) + 1 + len(line.split(" ", 1)[0]) > 72:
            out += [" ", line]
        else:
            out += ["\n", line]
        last = line.rstrip()
        joins = len(last) >= 50 and not last.startswith(">") and last[-1:] not in ".!?:;"
    return "".join(out).removeprefix("\n")
