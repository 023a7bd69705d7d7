"""A draft's content as the form that would make it: an example to copy, change and send."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.conf import settings
from django.utils import timezone
from django.utils.translation import override

from ..content import Content, Text
from ..terms import Category, Certainty, Severity, Urgency, ui_language
from . import vocabulary

_GERMAN = (("Stunde", "Stunden"), ("Minute", "Minuten"))


def show(content: Content, language: str = "de") -> str:
    """The form, its names in German or English (``language``). ``form.parse`` and ``form.content`` read the same."""
    language = "en" if ui_language(language) == "en" else "de"
    with override(language):
        return "\n".join(_lines(content, vocabulary.PRINTED[language], language))


def _lines(content: Content, names: dict[str, str], language: str) -> Iterator[str]:
    for name, value in _fields(content, language):
        if value:
            yield f"{names[name]}: {value}"
    for spoken in settings.CONTENT_LANGUAGES:
        if spoken in content.texts:
            yield f"\n{vocabulary.SIGNS.get(spoken, spoken.upper())}:"
            yield from _text(content.texts[spoken], names)


def _fields(content: Content, language: str) -> Iterator[tuple[str, str]]:
    """Each field that is no text; what is not known is left empty."""
    yield "status", (content.note or ("yes" if language == "en" else "ja")) if content.exercise else ""
    yield "place", content.place
    circles = [f"{one.lat:.6f}, {one.lon:.6f} {one.km * 1000:.12g} m" for one in content.circles]
    yield "area", "; ".join([*(district.name for district in content.districts), *circles])
    yield "severity", _label(Severity(content.severity))
    yield "urgency", _label(Urgency(content.urgency))
    yield "certainty", _label(Certainty(content.certainty))
    yield "category", "; ".join(str(Category(word).label) for word in content.category)
    yield "valid", _time(content.valid_for, content.expires, language)
    yield "next", _time(content.next_in, content.next_by, language)
    yield "contact", content.contact
    yield "web", content.web


def _label(word: Severity | Urgency | Certainty) -> str:
    return "" if word.value == "Unknown" else str(word.label)


def _text(text: Text, names: dict[str, str]) -> Iterator[str]:
    for name in vocabulary.TEXTS:
        if value := getattr(text, name):
            yield f"{names[name]}:{' ' if name not in vocabulary.LONG else chr(10)}{value}"


def _time(minutes: int | None, until: dt.datetime | None, language: str) -> str:
    if not minutes:
        return f"{timezone.localtime(until):%Y-%m-%d %H:%M}" if until else ""
    hours, rest = divmod(minutes, 60)
    units = (("hour", "hours"), ("minute", "minutes")) if language == "en" else _GERMAN
    counted = zip((hours, rest), units, strict=True)
    return " ".join(f"{count} {unit[count != 1]}" for count, unit in counted if count)
