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
