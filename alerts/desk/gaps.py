"""The gaps of a template, like ``{place}``: found in a draft's words and filled in all languages at once; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace

from django.utils.translation import gettext_lazy as _

from ..content import Content, Text

GAP = re.compile(r"\{([^{}\n]{1,40})\}")

LABELS = {
    "place": _("Place"),
    "street": _("Street"),
    "district": _("District"),
    "radius": _("Radius"),
    "time": _("Time"),
    "until": _("Until when"),
    "weight": _("Weight of the bomb (kg)"),
    "people": _("How many people"),
    "shelter": _("Emergency shelter"),
    "shelters": _("Emergency shelters"),
    "substance": _("Substance"),
    "phone": _("Telephone"),
    "reason": _("Reason"),
    "name": _("Name"),
    "age": _("Age"),
    "looks": _("How the person looks"),
    "looks_en": _("How the person looks (English)"),
    "date": _("Date"),
    "degrees": _("Degrees Celsius"),
    "places": _("Where people get help"),
    "hospital": _("Closed hospital"),
    "hospitals": _("Open hospitals"),
    "hotline": _("Citizens' telephone"),
    "substance_en": _("Substance (English)"),
    "reason_en": _("Reason (English)"),
    "event": _("What the warning was about"),
    "event_en": _("What the warning was about (English)"),
    "claim": _("What is wrongly said, in short words"),
    "claim_en": _("What is wrongly said (English)"),
    "fact": _("What is true, in short words"),
    "fact_en": _("What is true (English)"),
}


def find(content: Content) -> list[str]:
    """The names of the gaps left, each once, in the order they are read."""
    return list(dict.fromkeys(name for value in _strings(content) for name in GAP.findall(value)))


def fill(content: Content, values: Mapping[str, str]) -> Content:
    """Every ``{name}`` replaced for which there is a value; what stands in a value is not looked at again."""

    def filled(text: str) -> str:
        return GAP.sub(lambda gap: values.get(gap[1]) or gap[0], text)

    return replace(
        content,
        contact=filled(content.contact),
        texts={language: _each(text, filled) for language, text in content.texts.items()},
    )


def label(name: str) -> str:
    return str(LABELS.get(name, name.replace("_", " ").capitalize()))


def _each(text: Text, change: Callable[[str], str]) -> Text:
    return Text(**{field.name: change(getattr(text, field.name)) for field in fields(Text)})


def _strings(content: Content) -> Iterator[str]:
    for text in content.texts.values():
        for field in fields(Text):
            yield getattr(text, field.name)
    yield content.contact
