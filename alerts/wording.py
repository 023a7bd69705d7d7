"""Warnings about texts: what a reader, a screen reader or an SMS would stumble over; pure, and never in the way."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .content import Content, Text
from .faults import LIMITS, URL, Fault, written
from .jargon import KNOWN, LOUD, PLAIN, SHORTENED
from .terms import MSG_TYPE, Kind, MsgType, language_name, ui_language

FIELDS = {
    "event": gettext_lazy("event"),
    "headline": gettext_lazy("headline"),
    "instruction": gettext_lazy("what to do"),
    "description": gettext_lazy("description"),
    "short": gettext_lazy("short text"),
}
IN_SMS = ("headline", "instruction", "short")
HEADLINE = 80
"""Characters that a push notification shows on a locked phone, and that leave room for more in one SMS."""
SENTENCE, SIMPLE_SENTENCE = 20, 12
SHOWN = 4
"""How many of the words found a hint names; the officer sees the rest once these are mended."""

GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€\f"
)
"""3GPP TS 23.038, basic table and its extension."""
# What the SMS channel says instead; ``tests/alerts/test_wording.py`` holds this table against the channel's own.
HARMLESS = {
    **dict.fromkeys("„“”‟«»″〝〞", '"'),
    **dict.fromkeys("‚‘’‛‹›′`´ʼ", "'"),
    **dict.fromkeys("‐‑‒–—―−⁃﹣", "-"),
    **dict.fromkeys("•‣▪●·∙", "-"),
    "…": "...", "‥": "..", "⁄": "/", "∕": "/", "×": "x", "÷": "/", "±": "+-", "≈": "~",
    "≤": "<=", "≥": ">=", "≠": "<>", "→": "->", "←": "<-", "⇒": "=>", "↔": "<->",
    "©": "(c)", "®": "(R)", "ẞ": "ß", "Œ": "OE", "œ": "oe",
    **dict(zip("ıłŁđĐðÐħĦŧŦəƏ", "ilLdDdDhHtTeE", strict=True)),
}  # fmt: skip

GAP = re.compile(r"\{[^{}\n]{1,40}\}")
WORD = re.compile(r"[^\W\d_]+")
CAPITALS = re.compile(r"(?<![\w-])[A-ZÄÖÜ]{2,}(?![\w-])")
SENTENCES = re.compile(r"(?<=[.!?:;])(?<!\d\.)\s+|\n+")
CLOCK = re.compile(r"\b\d{1,2}[:.]\d{2}\b|\b\d{1,2}\s?Uhr\b|\b\d{1,2}\s?[ap]\.?m\b", re.IGNORECASE)
PHONE = re.compile(r"(?<![\w/.-])(?:\(0\d{2,5}\)|0\d{2,5}\s?/|(?:\+|00)49\s?\(0\))[\d\s/-]{4,20}(?<=\d)(?![\w/])")
PROMISE = re.compile(
    r"\b(?:ab|bis)\s+(?P<de>\d{1,2})(?:[:.](?P<de_minute>\d{2}))?\s?Uhr\b"
    r"|\b(?:from|until|by)\s+(?P<en>\d{1,2}):(?P<en_minute>\d{2})\b",
    re.IGNORECASE,
)
ANOTHER_DAY = re.compile(
    r"\b(?:morgen|gestern|täglich|nachts|war|waren|wurden?|hatten?|tomorrow|yesterday|daily|was|were|had"
    r"|(?:mon|diens|donners|frei|sams|sonn)tags?|mittwochs?|sonnabends?"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b"
    r"|\b\d{1,2}\.?\s?(?:jan|feb|mär|mar|apr|mai|may|jun|jul|aug|sep|o[kc]t|nov|de[zc])|\b\d{1,2}\.\d{1,2}\.",
    re.IGNORECASE,
)
"""A word or date by which a time is not today's, or is told of what is over."""
WITH_PLAIN = {word for known in PLAIN.values() for word in known}
FRESH = dt.timedelta(hours=6)
"""How long ago a time of today must lie at most to be surely over, and not tomorrow's."""


@dataclass(frozen=True, slots=True)
class Place:
    """One field in one language: where a hint belongs and what it reads, gaps left out."""

    language: str
    name: str
    value: str

    def hint(self, code: str, words: str) -> Fault:
        where = f"{language_name(self.language)}, {FIELDS[self.name]}: "
        return Fault(f"text-{self.language}-{self.name}", code, where + words, hard=False)


def hints(content: Content, kind: str, *, now: dt.datetime | None = None, before: Content | None = None) -> list[Fault]:
    """What deserves a second look, each with the reason and what to write instead; all soft.

    ``before`` is the message that this one goes on from. Without ``now``, times in the text are not looked at.
    """
    found: list[Fault] = []
    names = {word for text in (content.place, content.contact) for word in CAPITALS.findall(text)}
    for language, text in content.texts.items():
        if not written(content, language):
            continue
        for place in _places(language, text):
            for look in LOOKS:
                found += look(place)
            found += _capitals(place, names)
            if now is not None and MSG_TYPE[Kind(kind)] != MsgType.CANCEL:
                found += _over(place, now)
        found += _headline(Place(language, "headline", text.headline), content, kind)
        if kind in {Kind.UPDATE, Kind.CORRECTION} and not language.endswith("-simple"):  # numbers are hard to read
            found += _as_of(Place(language, "description", text.description))
    return [*found, *(_left_behind(content, before) if before else ())]


def _places(language: str, text: Text) -> Iterator[Place]:
    for name in FIELDS:
        # what is longer is told as a fault already, and need not be read to its end
        yield Place(language, name, GAP.sub("x", getattr(text, name)[: 4 * LIMITS[name]]))


def _list(found: Iterable[str]) -> str:
    each = list(dict.fromkeys(found))
    return ", ".join(_quoted(one) for one in each[:SHOWN]) + (" …" if len(each) > SHOWN else "")


def _quoted(words: str) -> str:
    return _("“{words}”").format(words=words)


# What an SMS makes of it


def _sms(place: Place) -> Iterator[Fault]:
    if place.name not in IN_SMS or GSM7.issuperset(place.value):
        return
    typographic, left_out, dear = sms_characters(place.value)
    if typographic:
        words = _("an SMS says {plain} for {found}. Type it like that, so that every channel says the same.")
        plain = "  ".join(dict.fromkeys(HARMLESS[letter] for letter in typographic))
        yield place.hint("typographic", words.format(found="  ".join(typographic), plain=plain))
    if left_out:
        words = _("{found} can't stand in an SMS and is left out there. Say it in words.")
        yield place.hint("left-out", words.format(found=_list(left_out)))
    if dear:
        words = _("{found} makes an SMS hold 70 characters in place of 160: its price doubles. Use plain letters.")
        yield place.hint("dear", words.format(found=_list(dear)))


def sms_characters(text: str) -> tuple[list[str], list[str], list[str]]:
    """Characters outside GSM-7: those replaced by plain ones, those left out, those that make the text UCS-2."""
    typographic, left_out, dear = [], [], []
    for letter in dict.fromkeys(unicodedata.normalize("NFC", text)):
        if letter in GSM7 or not _seen(letter):
            continue
        if letter in HARMLESS and not letter.isalpha():
            typographic.append(letter)
        elif any(one not in GSM7 for one in spelt(letter)):
            dear.append(letter)
        elif not spelt(letter) and unicodedata.category(letter) == "So":
            left_out.append(letter)
    return typographic, left_out, dear


def spelt(letter: str) -> str:
    """What an SMS says for one character: a plain letter, nothing for a picture, else itself."""
    if letter in GSM7:
        return letter
    apart = "".join(HARMLESS.get(one, one) for one in unicodedata.normalize("NFKD", letter))
    if apart != letter:
        return "".join(spelt(one) for one in apart)
    if letter.isspace():
        return " "
    return "" if unicodedata.category(letter) in {"So", "Sk", "Mn", "Me"} else letter


def _seen(letter: str) -> bool:
    return not letter.isspace() and unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Co"}


# What a reader stumbles over


def _jargon(place: Place) -> Iterator[Fault]:
    words, stems = _plain_words(ui_language(place.language))
    pairs: dict[str, str] = {}
    for word in dict.fromkeys(WORD.findall(place.value)):
        folded = word.casefold()
        plain = words.get(folded) or next((plain for stem, plain in stems if folded.startswith(stem)), "")
        if plain:
            pairs.setdefault(word, plain)
    for short, plain in SHORTENED.get(ui_language(place.language), {}).items():
        if _shortened(short).search(place.value):
            pairs.setdefault(short, plain)
    if pairs:
        shown = ", ".join(f"{_quoted(word)} → {_quoted(plain)}" for word, plain in list(pairs.items())[:SHOWN])
        yield place.hint("jargon", _("not everybody knows these words. Plainer: {pairs}.").format(pairs=shown))


@cache
def _plain_words(language: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Whole words, and stems; both folded as the words that are looked up."""
    known = {word.casefold(): plain for word, plain in PLAIN.get(language, {}).items()}
    stems = [(word[:-1], plain) for word, plain in known.items() if word.endswith("*")]
    return {word: plain for word, plain in known.items() if not word.endswith("*")}, stems


@cache
def _shortened(short: str) -> re.Pattern[str]:
    return re.compile(r"(?<![\w.])" + r"\s?".join(re.escape(part) for part in re.findall(r"\w+\.", short)))


def _sentences(place: Place) -> Iterator[Fault]:
    most = SIMPLE_SENTENCE if place.language.endswith("-simple") else SENTENCE
    counted = [(len(WORD.findall(sentence)), sentence) for sentence in SENTENCES.split(place.value)]
    count, longest = max(counted, key=lambda pair: pair[0])
    if count > most:
        start = " ".join(longest.split()[:4])[:40]
        words = _("the sentence “{start} …” has {count} words. Make two of it: {most} are the most that is read.")
        yield place.hint("long-sentence", words.format(start=start, count=count, most=most))


def _exclaimed(place: Place) -> Iterator[Fault]:
    if "!" in place.value:
        yield place.hint("exclamation", _("exclamation marks frighten and say nothing. End with a full stop."))


def _linked(place: Place) -> Iterator[Fault]:
    if URL.search(place.value):
        words = _("holds a link. Every channel adds the link to the city's page itself. Leave this one out.")
        yield place.hint("link-in-text", words)


def _phones(place: Place) -> Iterator[Fault]:
    for number in PHONE.findall(place.value)[:1]:
        plain = " ".join(re.sub(r"\(0\)", " ", number).replace("/", " ").replace("(", "").replace(")", " ").split())
        words = _("“{number}” can't be tapped on every phone. Write it with spaces alone: {plain}.")
        yield place.hint("phone", words.format(number=number.strip(), plain=plain))


LOOKS: tuple[Callable[[Place], Iterator[Fault]], ...] = (_sms, _jargon, _sentences, _exclaimed, _linked, _phones)


def _capitals(place: Place, names: set[str]) -> Iterator[Fault]:
    """Capitals: shouted words, and abbreviations that not everybody knows; ``names`` are the place's own."""
    found = [word for word in CAPITALS.findall(place.value) if word not in KNOWN and word not in names]
    loud = [word for word in found if word in LOUD or len(word) > 5]
    short = [word for word in found if word not in loud and word.casefold() not in WITH_PLAIN]
    if loud:
        words = _("{found} in capitals is hard to read, and screen readers may spell it. Use small letters.")
        yield place.hint("capitals", words.format(found=_list(loud)))
    if short:
        yield place.hint("abbreviation", _("not everybody knows {found}. Write it out.").format(found=_list(short)))


def _over(place: Place, now: dt.datetime) -> Iterator[Fault]:
    """A time that the text promises for today and that has passed, where nothing speaks for another day."""
    local = timezone.localtime(now)
    for sentence in SENTENCES.split(place.value):
        if ANOTHER_DAY.search(sentence):
            continue
        for match in PROMISE.finditer(sentence):
            hour = int(match["de"] or match["en"])
            minute = int(match["de_minute"] or match["en_minute"] or 0)
            if hour > 23 or minute > 59:
                continue
            ago = local - local.replace(hour=hour, minute=minute, second=0, microsecond=0)
            if dt.timedelta(minutes=1) <= ago <= FRESH:
                words = _("“{found}”: it is {now} already. Say what holds now, or name the day.")
                yield place.hint("past-time", words.format(found=match[0], now=f"{local:%H:%M}"))
                return


def _headline(place: Place, content: Content, kind: str) -> Iterator[Fault]:
    if len(place.value) > HEADLINE:
        words = _("{count} characters. A phone shows about {most} of them: cut it, the rest belongs below.")
        yield place.hint("long-headline", words.format(count=len(place.value), most=HEADLINE))
    if MSG_TYPE[Kind(kind)] == MsgType.CANCEL or not place.value or GAP.search(place.value):
        return
    said = place.value.casefold()
    districts = [*content.districts, *content.touched]
    known = [word for text in (content.place, *(one.name for one in districts)) for word in WORD.findall(text)]
    if known and not any(word.casefold() in said for word in known if len(word) > 3 or len(known) == 1):
        words = _("names no place. Whoever reads only this must know where: “{place}”.")
        yield place.hint("no-place-in-headline", words.format(place=content.place or districts[0].name))


def _as_of(place: Place) -> Iterator[Fault]:
    if place.value.strip() and "{time}" not in place.value and not CLOCK.search(place.value):
        words = _("says no time. In an update, say since when this holds, like “14:30”.")
        yield place.hint("no-time", words)


def _left_behind(content: Content, before: Content) -> Iterator[Fault]:
    """A language that says what it said before, although another has news."""
    same = [language for language, text in before.texts.items() if content.texts.get(language) == text]
    news = [language for language, text in content.texts.items() if before.texts.get(language) != text]
    for language in before.texts:
        if not written(before, language) or not news:
            continue
        if language in same:
            words = _("still says what the last message said, but {other} is new. Bring it up to date.")
        elif not written(content, language):
            words = _("was in the last message and is empty now. Its readers would learn nothing new.")
        else:
            continue
        other = ", ".join(language_name(one) for one in news)
        yield Place(language, "headline", "").hint("left-behind", words.format(other=other))
