"""What a mail asks for: the order word, the number, the one-time code, and the words that remain; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .mail import Mail

RULE = "-----"
"""Parts an officer's own words from those of a mail that he passes on; ends a field of the form."""


class Verb(StrEnum):
    DRAFT = "draft"
    APPROVE = "approve"
    RETURN = "return"
    ALL_CLEAR = "all-clear"
    UPDATE = "update"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Order:
    """``draft`` and ``head`` of ``FREIGABE 17-9F3A61C0`` are 17 and ``9f3a61c0``, as the digest itself is written.

    ``code`` is in lower case, six digits or a backup code with its hyphens, empty where there is none.
    ``words`` are a reason or the text of the form, the code cut out.
    """

    verb: Verb
    draft: int | None
    head: str
    code: str
    words: str


WORDS = {
    Verb.APPROVE: r"freigabe|freigeben|freigegeben|approved?|approval",
    Verb.RETURN: r"zur(?:ü|ue?)ck(?:geben|gegeben|weisen)?|return(?:ed)?|reject(?:ed)?",
    Verb.ALL_CLEAR: r"entwarnung|all[ -]?clear",
    Verb.UPDATE: r"aktualisierung|aktualisieren|update",
    Verb.STATUS: r"status",
    Verb.DRAFT: r"entwurf|draft",
}
ALWAYS = {Verb.ALL_CLEAR, Verb.UPDATE}
"""Orders even without a number, so that an all-clear never becomes a warning of its own."""

_ORDER = {
    verb: re.compile(
        rf"[\W_]*(?:{words})(?![\w-])[\s:.,–-]*(?:(?:nr|no|number|nummer|entwurf|draft)\b[\s.:]*|#\s*)*"
        r"(?:(?P<draft>\d{1,9})(?:\s?-\s?(?P<head>[0-9a-f]{8}))?(?![\w-]))?(?P<rest>.*)",
        re.IGNORECASE | re.DOTALL,
    )
    for verb, words in WORDS.items()
}
_REPLY = re.compile(r"(?:\s*(?:re|aw|antw|antwort|sv|r)\s*(?:\[\d+\])?\s*:)+", re.IGNORECASE)
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_SALUTATION = re.compile(
    r"\s*(?:hallo|hi|hey|guten (?:tag|morgen|abend)|moin|servus|sehr geehrte\w*|liebe[rs]?|dear|hello|good \w+)\b"
    r"[^:\d]{0,60}[,!.]?\s*",
    re.IGNORECASE,
)

_DIGITS = r"\d{3}[ -]?\d{3}"
_LETTERS = r"[a-hjkmnp-z2-9]{4}(?:-[a-hjkmnp-z2-9]{4}){2}|[0-9a-f]{4}-[0-9a-f]{4}"
_TYPED = rf"{_DIGITS}|[a-z0-9]{{4}}(?:[ -]?[a-z0-9]{{4}}){{1,2}}"
_NAME = r"(?<!zip )(?<!post )(?<!area )(?:(?:einmal|sicherheits|backup|one-time|security)[ -]?)?code|otp|totp|2fa"
_NAMED = re.compile(rf"(?<![\w-])(?:{_NAME})\s*[:=]\s*(?P<code>{_TYPED})(?![\w-])[.,;]?", re.IGNORECASE)
_LINE = re.compile(
    rf"[^\w\n]*(?:{_NAME})\b(?:\s*[:=.][\s*_]*(?P<code>{_TYPED})|\s+(?P<plain>{_DIGITS}|{_LETTERS}))\W*", re.IGNORECASE
)
_ALONE = re.compile(rf"\s*(?P<code>{_DIGITS}|{_LETTERS})\s*", re.IGNORECASE)
_AT_END = re.compile(rf"(?:^|[\s,;:(])(?:(?:{_NAME})\s*)?(?P<code>{_DIGITS}|{_LETTERS})[\s.)*]*$", re.IGNORECASE)
_ENDS_SUBJECT = re.compile(rf"(?:^|[\s,;:(])(?P<code>\d{{6}}|{_LETTERS})[\s.)]*$", re.IGNORECASE)
_IN_SUBJECT = re.compile(r"(?<![\w.,/:-])(?P<code>\d{6})(?![\w/:-]|[.,]\d)")


def order(mail: Mail) -> Order:
    """What the new words of a mail ask for, else its subject; without an order word, a draft is meant.

    What is quoted counts for nothing; what is forwarded, and the subject of a forwarded mail, only as
    words of a draft.
    """
    code, text = _named(mail.text)
    subject = "" if mail.passes_on else mail.subject
    subject_code, topic = _named(_REPLY.sub("", subject, count=1))
    subject_code, topic = (subject_code, topic) if subject_code else _of_subject(topic)
    replies = bool(_REPLY.match(subject))
    lines = text.split("\n")
    at = _first(lines)
    found = _read(lines[at], coded=bool(code))
    if found is not None:
        rest = "\n".join([*([found.words] if found.words else []), *lines[at + 1 :]])
        code = code or found.code
        if not code:
            code, rest = _alone(rest)
        return _with(found, code or subject_code, rest)
    text = "\n".join(lines[at:])
    if not code:
        code, text = _alone(text)
    found = _read(topic, coded=True)
    if found is not None and not (replies and _has_fields(text)):
        rest = "\n".join(part for part in (found.words, text) if part.strip())
        return _with(found, code or subject_code, rest)
    words = text
    if mail.forwarded:
        passed_on = _without_codes(mail.forwarded)
        words = f"{text}\n{RULE}\n{passed_on}" if text.strip() else passed_on
    elif not text.strip() and not replies and not mail.attachments:
        words = topic.strip()
    about = re.search(r"\b(?:entwurf|draft)\s+(?:nr\.?\s*)?#?(\d{1,9})\b", topic, re.IGNORECASE) if replies else None
    return Order(Verb.DRAFT, int(about[1]) if about else None, "", code or subject_code, words.strip("\n"))


def _with(found: Order, code: str, words: str) -> Order:
    return Order(found.verb, found.draft, found.head, code, words.strip())


def _first(lines: list[str]) -> int:
    """Where the first line that says something stands; a salutation says nothing."""
    filled = [at for at, line in enumerate(lines) if line.strip()]
    if len(filled) > 1 and _SALUTATION.fullmatch(lines[filled[0]][:100]):
        return filled[1]
    return filled[0] if filled else 0


def _read(line: str, *, coded: bool) -> Order | None:
    """The order that a line begins with; ``words`` is what follows the number.

    ``code`` is the one at its end, which is looked for only where none was found elsewhere (``coded``).
    """
    line = line[:2000].translate(_DASHES)
    for verb, pattern in _ORDER.items():
        found = pattern.fullmatch(line)
        if found is None:
            continue
        draft, head, rest = found["draft"], (found["head"] or "").lower(), found["rest"]
        code = ""
        if not coded and draft and len(draft) == 6 and not head and not rest.strip():
            # six digits and no other code: STATUS 123456
            draft, rest = None, draft
        if not coded and (at_end := _AT_END.search(rest)):
            code, rest = _spelled(at_end["code"]), rest[: at_end.start()]
        rest = rest.strip(" \t:,.;*_-")
        if verb is Verb.DRAFT and (draft is None or rest):
            return None
        if draft is None and rest and verb not in ALWAYS:
            return None
        return Order(verb, int(draft) if draft else None, head, code, rest)
    return None


def _named(text: str) -> tuple[str, str]:
    """The code that is called one, and the text without it; a line of its own goes altogether."""
    codes: list[str] = []
    out: list[str] = []
    for line in text.split("\n"):
        plain = line.translate(_DASHES)
        whole = _LINE.fullmatch(plain) if len(plain) <= 100 else None
        if whole:
            codes.append(whole["code"] or whole["plain"])
            continue
        kept, at = "", 0
        for found in _NAMED.finditer(plain):
            codes.append(found["code"])
            kept, at = f"{kept}{line[at : found.start()]}", found.end()
        if not at:
            out.append(line)
        elif f"{kept}{line[at:]}".strip():
            out.append(f"{kept}{line[at:]}".rstrip())
    return (_spelled(codes[0]) if codes else "", "\n".join(out))


def _of_subject(topic: str) -> tuple[str, str]:
    """A code without a name in a subject: at its end, or six digits that stand by themselves once."""
    plain = topic.translate(_DASHES)
    found = _ENDS_SUBJECT.search(plain)
    if found is None:
        numbers = list(_IN_SUBJECT.finditer(plain))
        found = numbers[0] if len(numbers) == 1 else None
    if found is None:
        return "", topic
    rest = f"{topic[: found.start('code')]} {topic[found.end('code') :]}"
    return _spelled(found["code"]), " ".join(rest.split()).rstrip(" ,;:(-")


def _alone(text: str) -> tuple[str, str]:
    """A code that is the whole first or last line."""
    lines = text.strip("\n").split("\n")
    for at in (-1, 0):
        found = _ALONE.fullmatch(lines[at][:40].translate(_DASHES))
        if found:
            del lines[at]
            return _spelled(found["code"]), "\n".join(lines)
    return "", text


def _without_codes(text: str) -> str:
    return _named(text)[1]


def _has_fields(text: str) -> bool:
    return len(re.findall(r"(?m)^\W{0,4}[^\W\d_][\w ]{1,25}\s?:\s?\S", text[:20_000])) > 1


def _spelled(code: str) -> str:
    """A code as its device knows it."""
    digits = re.sub(r"[ -]", "", code)
    return digits if digits.isdecimal() and len(digits) == 6 else re.sub(r"\s+", "-", code.lower())
