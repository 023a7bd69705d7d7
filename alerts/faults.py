"""What is wrong with a content: each fault with the field that mends it, in plain words."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from .content import Content
from .terms import MSG_TYPE, Category, Certainty, Kind, MsgType, ResponseType, Severity, Urgency, language_name

LIMITS = {"event": 80, "headline": 160, "description": 6000, "instruction": 4000, "short": 400}
OTHER_LIMITS = {"place": 120, "contact": 200, "web": 500, "note": 200}
# What can reorder or hide text (Unicode TR 36) is refused, since what is read must be what is there: all format
# characters and line separators, but for joiners, and for direction marks in text that runs from right to left
JOINERS = {"\u200c", "\u200d"}
MARKS = {"\u200e", "\u200f", "\u061c"}
GAP = re.compile(r"\{[^{}\n]{1,40}\}")
URL = re.compile(
    r"(?:https?://|www\.)[^\s<>\"']+"
    r"|(?<![@\w.-])(?:[a-z0-9-]+\.)+[a-z]{2,}(?=/)[^\s<>\"']*"
    r"|(?<![@\w.-])(?:[a-z0-9-]+\.)+(?:de|com|org|net|info|eu|io|app|link|ly|biz|ru|cn|to|me)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a draft: ``field`` to mend, ``words`` for the officer; a ``hard`` one stops submitting."""

    field: str
    code: str
    words: str
    hard: bool = True


def written(content: Content, language: str) -> bool:
    """Whether anything was written in this language."""
    text = content.texts.get(language)
    return text is not None and any((text.headline, text.description, text.instruction, text.short))


def of_words(content: Content) -> Iterator[Fault]:
    """Words that are missing, too long, not what they look like, or lead elsewhere."""
    for language in settings.REQUIRED_LANGUAGES:
        if not written(content, language):
            yield Fault(
                f"text-{language}-headline",
                "no-language",
                _("{language} is missing. Without it the warning does not go out.").format(
                    language=language_name(language)
                ),
            )
    for language, text in content.texts.items():
        name = language_name(language)
        if language not in settings.CONTENT_LANGUAGES:
            yield Fault(
                f"text-{language}", "language", _("{language} is none of the city's languages.").format(language=name)
            )
            continue
        if written(content, language):
            for field, words in (
                ("event", _("{language}: what happened is missing (in a few words).")),
                ("headline", _("{language}: the headline is missing.")),
                ("instruction", _("{language}: what to do is missing. Short sentences, one a line.")),
            ):
                if not getattr(text, field).strip():
                    yield Fault(f"text-{language}-{field}", f"no-{field}", words.format(language=name))
        for field, limit in LIMITS.items():
            yield from of_text(f"text-{language}-{field}", name, getattr(text, field), limit)
    for gap in gaps_in(content):
        words = _("The gap “{name}” of the template is not filled in yet.").format(name=gap)
        yield Fault(f"gap-{gap}", "gap", words)
    for field, limit in OTHER_LIMITS.items():
        yield from of_text(field, "", getattr(content, field), limit)
    if content.web and not re.fullmatch(r"https?://[^\s\\/]+(?:/[^\s\\]*)?", content.web):
        yield Fault("web", "web", _("The link must begin with https://."))


def gaps_in(content: Content) -> list[str]:
    """Names of the template's gaps that are still open, each once."""
    texts = [getattr(text, field) for text in content.texts.values() for field in LIMITS]
    return list(dict.fromkeys(gap[1:-1] for words in texts for gap in GAP.findall(words)))


def of_text(field: str, name: str, value: str, limit: int) -> Iterator[Fault]:
    """One text, whatever it is: too long, with characters that nobody sees, or with a link that leads elsewhere."""
    where = f"{name}: " if name else ""
    if len(value) > limit:
        yield Fault(
            field,
            "too-long",
            where
            + _("too long by {over} characters; {limit} are allowed.").format(over=len(value) - limit, limit=limit),
        )
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Cn", "Co"} and letter not in "\n\r\t" for letter in value):
        yield Fault(
            field,
            "control",
            where + _("holds invisible control characters. Type the text anew or paste it as plain text."),
        )
    if _hidden(value):
        yield Fault(
            field,
            "hidden",
            where + _("holds characters that hide or reorder text. Type the text anew or paste it as plain text."),
        )
    own = urlsplit(settings.ADDRESS).hostname or ""
    for url in URL.findall(value[: 4 * limit]):
        host = (urlsplit(url if "//" in url else f"//{url}").hostname or "").lower()
        if "\\" in url or not any(
            host == allowed or host.endswith(f".{allowed}") for allowed in (own, *settings.LINK_HOSTS)
        ):
            yield Fault(
                field,
                "link",
                where
                + _("links to {host}, which is not among the city's hosts (setting BELFRY_LINK_HOSTS).").format(
                    host=host
                ),
            )


def _hidden(value: str) -> bool:
    """Whether a text holds characters that nobody sees and that change what is read."""
    found = {letter for letter in value if unicodedata.category(letter) in {"Cf", "Zl", "Zp"}} - JOINERS
    if found & MARKS and any(
        unicodedata.bidirectional(letter) in {"R", "AL"} for letter in value if letter not in MARKS
    ):
        found -= MARKS
    return bool(found)


def of_codes(content: Content, kind: str) -> Iterator[Fault]:
    """Codes that CAP 1.2 doesn't know or that this kind of message can't have."""
    if not content.category:
        yield Fault("category", "no-category", _("The kind of danger is missing."))
    for field, values, known in (
        ("category", content.category, Category.values),
        ("urgency", (content.urgency,), Urgency.values),
        ("severity", (content.severity,), Severity.values),
        ("certainty", (content.certainty,), Certainty.values),
        ("response", content.response, ResponseType.values),
    ):
        if set(values) - set(known):
            yield Fault(field, "unknown-word", _("“{value}” is not a word of CAP 1.2.").format(value=", ".join(values)))
    if MSG_TYPE[Kind(kind)] == MsgType.CANCEL and not content.all_clear:
        yield Fault("response", "no-all-clear", _("An all-clear or false alarm says “All-clear” as what to do."))
    if MSG_TYPE[Kind(kind)] != MsgType.CANCEL and content.all_clear:
        yield Fault("response", "all-clear", _("“All-clear” belongs to an all-clear. Use “Give the all-clear” for it."))


def of_times(content: Content, now: dt.datetime, *, drill: bool) -> Iterator[Fault]:
    """Times that are missing, over, or in no order; a drill has durations alone."""
    if content.facts_at is None and not drill:
        yield Fault("facts_at", "no-facts-time", _("The time of the facts is missing."))
    elif content.facts_at is not None and content.facts_at > now + dt.timedelta(minutes=5):
        yield Fault("facts_at", "facts-later", _("The time of the facts lies in the future."))
    if content.expires is None and not content.valid_for:
        yield Fault("expires", "no-expires", _("Until when it holds is missing."))
    elif content.valid_for is not None and not 0 < content.valid_for <= 60 * 24 * 60:
        yield Fault("expires", "duration", _("It can hold for one minute to 60 days."))
    elif content.expires is not None and content.expires <= now:
        yield Fault("expires", "expired", _("The end lies in the past. Say until when the warning holds."))
    if drill and content.valid_for is None:
        yield Fault("expires", "drill-duration", _("An exercise kept ready for a drill needs a duration, not a time."))
    if content.next_by is not None and content.next_by <= now:
        yield Fault("next_by", "next-past", _("The next message is promised for a time that has passed."))
    if content.next_by is not None and content.expires is not None and content.next_by > content.expires:
        yield Fault(
            "next_by", "next-late", _("The next message is promised for after the end of this one."), hard=False
        )
    for field in ("effective", "onset"):
        begins = getattr(content, field)
        if begins and content.expires and begins >= content.expires:
            yield Fault(field, "order", _("It ends before it begins."))
