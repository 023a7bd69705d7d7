"""The forgiving form: what an officer types in a mail, in German or English, read line by line; pure."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..content import Text
from . import times, vocabulary
from .drafts import content
from .letters import clean, fold
from .values import word
from .vocabulary import FIELD_BY_NAME, LONG, TEXTS

__all__ = ["Form", "Gap", "content", "parse"]

MOST = 100_000
MOST_LINES = 2_000
MOST_GAPS = 40

_BULLET = r"[\s>*•·▪‣◦–—+_#\"'„“”»«-]*"
_NAMED = re.compile(
    rf"{_BULLET}(?P<name>[^\W\d_][\w ./-]{{0,38}}?)\s*(?:\((?P<note>[\w ]{{1,20}})\))?[*_\"”“]*\s*[:：=]"
    r"[*_]*\s*(?P<value>.*)"
)
_RULE = re.compile(r"\s*[-–—_=*]{3,}\s*")
_IN = re.compile(r"(?P<name>.+?)[\s/]+(?P<language>de|en|ls|deutsch|englisch|english|german)", re.IGNORECASE)
_BLOCK = re.compile(r"\W*(?P<name>[^\W\d_]{2,12}(?: sprache| language)?)\W*", re.IGNORECASE)
_LIST = re.compile(r"^\s*(?:[-–—*•·▪‣◦+]\s+|[•·▪‣◦]|\d{1,2}[.)]\s+)")
_LISTED = re.compile(rf"{_LIST.pattern}|^\s*(?:und|and|sowie|[,;+&])\s+", re.IGNORECASE)
_GOES_ON = re.compile(r"(?:[,;/&+]|\b(?:und|and|sowie))\s*$", re.IGNORECASE)
# a name without a colon is taken where its value is one; what else begins so may be a sentence
_WITHOUT_COLON = {"event", "area", "place", "headline", "template"}
_NOON = dt.datetime(2000, 1, 1, 12, tzinfo=dt.UTC)
_STOPWORDS = {
    "de": {"der", "die", "das", "und", "ist", "sie", "nicht", "ein", "eine", "im", "den", "wird", "bitte", "es", "zu"},
    "en": {"the", "and", "is", "of", "to", "you", "not", "a", "in", "are", "please", "it", "at", "has", "been"},
}


@dataclass(frozen=True, slots=True)
class Gap:
    """A line like ``Gewicht: 100`` whose name is no field's: a template may have a gap of that name."""

    name: str
    value: str
    line: str


@dataclass(frozen=True, slots=True)
class Form:
    """What was typed. ``fields`` are values as written, by the keys of ``vocabulary.LABELS``.

    ``texts`` were given by name, ``free`` is text under no name, both by language; a line of ``gaps`` stands
    in one of them too, until a template takes it. ``leftovers`` were not understood.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, Text] = field(default_factory=dict)
    free: Mapping[str, str] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    leftovers: tuple[str, ...] = ()

    @property
    def template(self) -> str:
        return self.fields.get("template", "")


@dataclass(slots=True)
class _Line:
    """One line: the field that it names, if any, the language it says so in, and what follows."""

    text: str
    field: str = ""
    language: str = ""
    block: str = ""
    value: str = ""
    gap: Gap | None = None


def parse(text: str) -> Form:
    """Read a form; never raises."""
    text = clean(text[:MOST].replace("\u00a0", " ").replace("\u202f", " "))
    lines = [_named(line) for line in text.split("\n")[:MOST_LINES]]
    if sum(bool(line.field) for line in lines) < 2:
        lines = [line if line.block or ":" in line.text else _Line(line.text) for line in lines]
    return _Reader().read(lines)


def _named(text: str) -> _Line:
    if len(text) > 2000 and ":" not in text[:60]:
        return _Line(text)
    found = _NAMED.fullmatch(text)
    if found:
        name, note = found["name"], found["note"] or ""
        if block := _block(name):
            return _Line(text, block=block, value=found["value"])
        key, language = _key(name), vocabulary.LANGUAGES.get(fold(note), "")
        if not key and (inside := _IN.fullmatch(name)):
            key, language = _key(inside["name"]), vocabulary.LANGUAGES[fold(inside["language"])]
        if key:
            return _Line(text, key, language or _language_of(name), value=_until(key, name, found["value"]))
        return _Line(text, gap=Gap(name, _unquoted(found["value"]), text.strip()) if found["value"] else None)
    alone = _BLOCK.fullmatch(text) if re.match(r"\s*[\[(=*#]", text) else None
    if alone and (block := _block(alone["name"])):
        return _Line(text, block=block)
    return _without_colon(text) or _Line(text)


def _until(key: str, name: str, value: str) -> str:
    """``Gültig bis: 18`` says by its name that a time follows."""
    says = key == "valid" and re.search(r"\b(?:bis|until)\s*$", name, re.IGNORECASE)
    return f"bis {value}" if says and value else value


def _block(name: str) -> str:
    """The language that a name begins a block of; short ones in capitals, since "es:" is a word."""
    language = vocabulary.LANGUAGES.get(fold(name), "")
    return language if len(name) > 2 or name.isupper() or fold(name) in {"de", "en", "ls"} else ""


def _key(name: str) -> str:
    """The field of a name, one letter of it mistyped or wrongly corrected; short ones would soon be others."""
    folded = fold(name)
    if folded in FIELD_BY_NAME or len(folded) < 6:
        return FIELD_BY_NAME.get(folded, "")
    near = difflib.get_close_matches(folded, FIELD_BY_NAME, n=1, cutoff=0.85)
    return FIELD_BY_NAME[near[0]] if near else ""


def _language_of(name: str) -> str:
    """The language that a name is in; nothing where both have it."""
    folded = fold(name)
    if folded in {"text", "link", "web", "test", "status"}:
        return ""
    return "en" if folded in vocabulary.ENGLISH_NAMES else "de"


def _without_colon(text: str) -> _Line | None:
    words = text.strip().lstrip("-–—*•· ").split()
    if not 2 <= len(words) <= 12 or len(text) > 100:
        return None
    for count in (2, 1):
        name, value = " ".join(words[:count]), " ".join(words[count:])
        key = FIELD_BY_NAME.get(fold(name), "")
        timed = key in {"valid", "next"} and (times.duration(value) or times.moment(value, _NOON))
        levels = key in {"severity", "urgency", "certainty"} and word(key, value)[0]
        if value and (timed or levels or (key in _WITHOUT_COLON and value[-1] not in ".!?:,")):
            return _Line(text, key, _language_of(name), value=value)
    return None


class _Reader:
    """Lines in their order; knows which field goes on and in which language."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.texts: dict[tuple[str, str], list[str]] = {}
        self.free: dict[str, list[str]] = {}
        self.gaps: list[Gap] = []
        self.leftovers: list[str] = []
        self.tally = {"de": 0, "en": 0}
        self.block = ""
        self.open = ("", "")
        """The text that goes on: language and field."""
        self.waits = ""
        """The field named last, whose value follows on lines of its own."""
        self.listing = False
        """Whether the line before belonged to an area."""

    def read(self, lines: list[_Line]) -> Form:
        for line in lines:
            if line.gap and len(self.gaps) < MOST_GAPS:
                self.gaps.append(line.gap)
            if line.block or line.field or not line.text.strip():
                self.listing = line.field == "area"
            if line.block:
                self.block, self.open, self.waits = line.block, ("", ""), ""
                if line.value:
                    self._words(line.value)
            elif line.field in TEXTS:
                self._text(line)
            elif line.field:
                self._field(line)
            elif _RULE.fullmatch(line.text[:200]):
                self.block, self.open, self.waits = "", ("", ""), ""
            else:
                self._words(line.text)
        return self._form()

    def _text(self, line: _Line) -> None:
        if line.language:
            self.tally[line.language if line.language in self.tally else "de"] += 1
        key = (self.block or line.language, line.field)
        value = line.value if line.field in LONG else _unquoted(line.value)
        self.waits = ""
        if line.field in LONG:
            self.texts.setdefault(key, []).append(value)
            self.open = key
        elif self.texts.get(key):
            self.leftovers.append(line.text.strip())
        else:
            self.texts[key] = [value] if value else []
            self.open = ("", "") if value else key

    def _field(self, line: _Line) -> None:
        if line.language:
            self.tally[line.language if line.language in self.tally else "de"] += 1
        self.open = ("", "")
        value = _unquoted(line.value)
        goes_on = line.field == "area" and (not value or _GOES_ON.search(value))
        self.waits = line.field if goes_on or not value else ""
        self._value(line.field, value, line.text)

    def _value(self, name: str, value: str, line: str) -> None:
        before = self.fields.get(name, "")
        if name == "area" and before:
            self.fields[name] = f"{before}\n{value}".strip()
        elif not before:
            self.fields[name] = value
        elif value and value != before:
            self.leftovers.append(line.strip())

    def _words(self, text: str) -> None:
        """A line without a name: it goes on with the text or list that is open, else it is free."""
        if self.listing and _LISTED.match(text):
            self._value("area", _unquoted(_LISTED.sub("", text)), text)
            return
        self.listing = False
        if self.waits:
            if not text.strip():
                if self.fields.get(self.waits):
                    self.waits = ""
                return
            value = _unquoted(_LIST.sub("", text))
            listed = bool(_LIST.match(text))
            name = self.waits
            self._value(name, value, text)
            self.listing = name == "area"
            if name != "area" or not (listed or _GOES_ON.search(value)):
                self.waits = ""
            return
        name = self.open[1]
        if name and name not in LONG:
            if text.strip():
                self.texts[self.open].append(_unquoted(text))
                self.open = ("", "")
        elif name:
            self.texts[self.open].append(text)
        else:
            self.free.setdefault(self.block, []).append(text)

    def _form(self) -> Form:
        default = self._default()
        texts: dict[str, dict[str, str]] = {}
        for (language, name), lines in self.texts.items():
            value = _steps(lines) if name == "instruction" else _paragraphs(lines)
            if value:
                texts.setdefault(language or default, {}).setdefault(name, value)
        free: dict[str, str] = {}
        for language, lines in self.free.items():
            if value := _paragraphs(lines):
                free[language or default] = "\n\n".join(filter(None, (free.get(language or default), value)))
        return Form(
            fields={name: value for name, value in self.fields.items() if value},
            texts={language: Text(**values) for language, values in texts.items()},
            free=free,
            gaps=tuple(self.gaps),
            leftovers=tuple(self.leftovers),
        )

    def _default(self) -> str:
        """The language of what names none: that of the names, else that of the words."""
        if self.tally["de"] != self.tally["en"]:
            return max(self.tally, key=lambda language: self.tally[language])
        words = list(self._said())
        score = {language: sum(word in known for word in words) for language, known in _STOPWORDS.items()}
        return "en" if score["en"] > score["de"] else "de"

    def _said(self) -> Iterator[str]:
        for lines in [*self.free.values(), *self.texts.values()]:
            yield from " ".join(lines)[:5000].lower().split()


def _paragraphs(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in lines)).strip()


def _steps(lines: list[str]) -> str:
    return "\n".join(step for line in lines if (step := _LIST.sub("", line).strip()))


def _unquoted(value: str) -> str:
    """A value without the marks that phones and Markdown put around it."""
    value = " ".join(value.split())
    if len(value) > 1 and value[0] in "\"'„“”»«‚‘*_" and value[-1] in "\"'“”»«’‘*_":
        return value[1:-1].strip()
    return value.strip("*_ ")
