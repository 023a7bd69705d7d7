"""New words, quoted words, forwarded words and signature of a mail told apart, line by line; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailparser_reply.parser import EmailMessage

LONGEST_LINE = 200
MOST_LINES = 150
"""How much the library is asked about: its patterns take time that grows with the cube of a line."""
LANGUAGES = ["de", "en", "fr", "it", "es", "nl", "cs", "da", "sv"]

_FORWARD = re.compile(
    r"[>\s*-]*(?:weitergeleitete (?:nachricht|e-?mail)|forwarded (?:message|mail)|begin forwarded message"
    r"|anfang der weitergeleiteten (?:nachricht|e-?mail)|start of forwarded message)\b[\s*:-]*",
    re.IGNORECASE,
)
_ORIGINAL = re.compile(
    r"\s*-{2,}\s*(?:original[ -]?(?:message|nachricht|mail)|urspr(?:ü|ue)ngliche (?:nachricht|e-?mail)"
    r"|antwort|reply message)\s*-{2,}\s*",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"[>\s*_]*(?P<name>von|from|gesendet(?: am)?|sent|datum|date|an|to|betreff|subject|cc|kopie|antwort an|reply-to)"
    r"[*_]*\s*:",
    re.IGNORECASE,
)
_SENDER = {"von", "from"}
_REST = {"gesendet", "gesendet am", "sent", "datum", "date", "an", "to", "betreff", "subject"}
_ATTRIBUTION = [
    re.compile(
        r"[\s>*]*(?:am|on|le|el|il|op|den|dne|dnia|em)\b(?=.{0,200}\d).{3,250}?\b"
        r"(?:schrieb|wrote|écrit|escribió|scritto|schreef|skrev|napsal|napisał|escreveu)\b.{0,150}:\s*",
        re.IGNORECASE,
    ),
    re.compile(
        r"[\s>*]*\S.{1,150}?\b(?:schrieb|wrote)\b\s+(?:am|on|um|at)\b(?=.{0,80}\d).{3,120}:\s*",
        re.IGNORECASE,
    ),
]
_VERB = re.compile(r"schrieb|wrote|écrit|escribió|scritto|schreef|skrev|napsal|napisał|escreveu", re.IGNORECASE)
_PHONE = re.compile(
    r"\s*(?:(?:von meine[mr] .{1,60} gesendet)|gesendet (?:von|mit|aus) .{1,80}|sent (?:from|with|via) .{1,80}"
    r"|get outlook for .{1,80}|holen sie sich outlook .{1,80}|outlook f(?:ü|ue)r (?:ios|android).{0,80}"
    r"|diese nachricht wurde von mein.{1,80} gesendet.{0,20})\s*",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"\s*(?:(?:mit )?(?:freundliche[nm]?|viele[n]?|beste[n]?|liebe[n]?|herzliche[n]?|sch(?:ö|oe)ne[n]?|kollegiale[n]?)"
    r"(?: kollegialen)? gr(?:ü|ue)(?:ß|ss)(?:e|en)?|gru(?:ß|ss)|gr(?:ü|ue)(?:ß|ss)e|mfg|lg|vg"
    r"|(?:(?:best|kind|warm|many) )?regards|best wishes|sincerely|yours (?:sincerely|faithfully)|cheers)"
    r"(?: (?:aus|from) .{1,30})?\s*[,.!]?\s*",
    re.IGNORECASE,
)
_CODE = re.compile(r"\W*(?:einmal)?code\b.{4,40}", re.IGNORECASE)
_GREETED = 25
"""At most so many lines stand below a greeting that ends a mail."""


@dataclass(frozen=True, slots=True)
class Split:
    new: str
    quoted: str
    forwarded: str


def split(text: str, *, forward: bool = False) -> Split:
    """``forward`` says that the subject calls the mail forwarded: then what stands below headers was forwarded."""
    lines = _clear_signed(text).split("\n")
    new: list[str] = []
    quoted: list[str] = []
    forwarded: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if _FORWARD.fullmatch(line[:LONGEST_LINE]):
            forwarded = lines[at + 1 :]
            break
        if _ORIGINAL.fullmatch(line[:LONGEST_LINE]) or _headers(lines, at):
            _cut_rule(new)
            if forward:
                forwarded = lines[at:]
            else:
                quoted += lines[at:]
            break
        if line.startswith(">"):
            quoted.append(line)
            at += 1
        elif length := _attribution(lines, at):
            end = at + length
            quoted += lines[at:end]
            following = next((after for after in lines[end:] if after.strip()), "")
            if not following.startswith(">"):
                quoted += lines[end:]
                break
            at = end
        else:
            new.append(line)
            at += 1
    more = _by_library(_trimmed(new))
    return Split(
        new=_unsigned(_trimmed(new)[:more]),
        quoted="\n".join([*_trimmed(new)[more:], *quoted]).strip("\n"),
        forwarded=_forwarded(forwarded),
    )


def _trimmed(lines: list[str]) -> list[str]:
    return "\n".join(line.rstrip() for line in lines).strip("\n").split("\n")


def _headers(lines: list[str], at: int) -> bool:
    """Whether a block of headers, as clients put above what they quote, begins at this line."""
    if not _HEADER.match(lines[at][:40]):
        return False
    names = set()
    for line in lines[at : at + 10]:
        found = _HEADER.match(line[:40])
        if found:
            names.add(" ".join(found["name"].lower().split()))
        elif not line.strip() and names:
            break
    return bool(names & _SENDER) and len(names & _REST) >= 2


def _attribution(lines: list[str], at: int) -> int:
    """How many lines the words above a quotation ("Am … schrieb …:") take; 0 where none begin here."""
    joined = ""
    for length, line in enumerate(lines[at : at + 3], 1):
        if len(line) > LONGEST_LINE or not line.strip():
            return 0
        joined = f"{joined} {line.strip()}".strip()
        if joined.endswith(":") and _VERB.search(joined):
            return length if any(pattern.fullmatch(joined[:400]) for pattern in _ATTRIBUTION) else 0
        if line.strip().endswith(":"):
            return 0
    return 0


def _cut_rule(lines: list[str]) -> None:
    """Take away the rule that Outlook draws above its headers."""
    while lines and (not lines[-1].strip() or re.fullmatch(r"\s*[_-]{5,}\s*", lines[-1])):
        lines.pop()


def _by_library(lines: list[str]) -> int:
    """How many of these lines are new to mail-parser-reply, which knows the words of more languages."""
    asked = [re.sub(r"\s+", " ", line[:LONGEST_LINE]).strip() for line in lines[:MOST_LINES]]
    if not any(":" in line for line in asked) or any(re.search(r"[_-]{20,}", line) for line in asked):
        return len(lines)
    try:
        first = EmailMessage(text="\n".join(asked), languages=list(LANGUAGES)).read().replies[0]
    except (ValueError, IndexError, RecursionError):
        return len(lines)
    # what begins with a header was not typed above a quotation: better all of it than nothing
    if first.headers or not first.content:
        return len(lines)
    kept = first.content.count("\n") + 1
    head = next((line for line in asked[kept:] if line), "")
    # it takes "Am Montag schrieb die Polizei:" for one too: the head of a quotation has a date, or is a header
    return kept if re.search(r"\d", head) or re.match(r"\W*[^\W\d][\w -]{0,25}\s?:\s*\S", head) else len(lines)


def _forwarded(lines: list[str]) -> str:
    """The words of a mail that was forwarded in the text: without its headers, signature and what it quoted."""
    if not any(line.strip() for line in lines):
        return ""
    if all(line.startswith(">") or not line.strip() for line in lines):
        lines = [line.removeprefix(">").removeprefix(" ") for line in lines]
    lines = _trimmed(lines)
    at = 1 if _ORIGINAL.fullmatch(lines[0][:LONGEST_LINE]) else 0
    while at < len(lines) and not lines[at].strip():
        at += 1
    if at < len(lines) and _headers(lines, at):
        while at < len(lines) and lines[at].strip():
            at += 1
    inner = split("\n".join(lines[at:]))
    return inner.new or inner.forwarded


def _unsigned(lines: list[str]) -> str:
    """The lines above the signature; a code that stands below is kept, since the mail is nothing without it."""
    end = len(lines)
    for at, line in enumerate(lines):
        if line.rstrip() == "--" or _PHONE.fullmatch(line[:LONGEST_LINE]):
            end = at
            break
        if at and len(lines) - at <= _GREETED and _GREETING.fullmatch(line[:LONGEST_LINE]):
            end = at
            break
    codes = [line for line in lines[end:] if _CODE.fullmatch(line[:LONGEST_LINE])]
    return "\n".join([*lines[:end], *codes]).strip("\n")


def _clear_signed(text: str) -> str:
    """The text inside of a PGP signature in the text (RFC 4880 §7)."""
    begins = "-----BEGIN PGP SIGNED MESSAGE-----"
    if begins not in text:
        return text
    before, _mark, rest = text.partition(begins)
    head, _blank, rest = rest.partition("\n\n")
    if len(head) > 1000:
        return text
    signed, _mark, after = rest.partition("-----BEGIN PGP SIGNATURE-----")
    after = after.partition("-----END PGP SIGNATURE-----")[2]
    return f"{before}{re.sub(r'(?m)^- ', '', signed)}{after}"
