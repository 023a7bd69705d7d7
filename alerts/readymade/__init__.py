"""Twenty-one ready-made texts of our own for a German city, one TOML file each; gaps stand in braces.

The files say what ``Content`` says, so a misspelt word in one is an error and not a gap in a warning.
``{hotline}`` is filled when they are loaded (``loading``), every other gap by an officer.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..content import Content, Text, from_json
from ..terms import Kind

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Ready:
    """One template: its key, its place in the list, its name in each interface language, what a draft starts with."""

    key: str
    order: int
    kind: Kind
    names: dict[str, str]
    content: Content


@cache
def templates() -> tuple[Ready, ...]:
    """All of them, in their order. Raises ValueError, KeyError or cattrs' error where a file is wrong."""
    return tuple(sorted(map(read, FOLDER.glob("*.toml")), key=lambda ready: ready.order))


def read(path: Path) -> Ready:
    value: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    content = from_json(value.pop("content"))
    texts = {language: _stripped(text) for language, text in content.texts.items()}
    kind = Kind(value.pop("kind"))
    return Ready(kind=kind, content=replace(content, texts=texts), **value)


def _stripped(text: Text) -> Text:
    """Without the line break that a text of several lines ends with in its file."""
    return Text(**{field.name: getattr(text, field.name).strip() for field in fields(Text)})
