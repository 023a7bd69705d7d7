"""What has changed between two submissions of one draft, for the officer who returned it and reads it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..models import Draft, Rendering
from ..terms import language_name
from .differences import Change, pieces

SILENT = {"link", "url", "lang", "language", "dir", "level", "slug", "sha256"}
"""Fields that say nothing to people, or the same in every round."""


def since_last(draft: Draft) -> list[Change]:
    """The public page's words of the last submission against those of the one before, one line a language.

    Empty for a first submission. Each round's renderings are kept, so nothing can be changed unseen between a
    return and the next submission.
    """
    if draft.round < 2:
        return []
    before, after = (_said(draft, number) for number in (draft.round - 1, draft.round))
    languages = list(dict.fromkeys([*after, *before]))
    return [
        Change(language_name(language), language, pieces(before.get(language, ""), after.get(language, "")))
        for language in languages
    ]


def _said(draft: Draft, number: int) -> dict[str, str]:
    """What the first channel, the city's page, said in that round, by language."""
    found: dict[str, str] = {}
    for row in Rendering.objects.filter(draft=draft, round=number).order_by("pk"):
        found.setdefault(row.language, "\n".join(_texts(row.fields_json)))
    return found


def _texts(value: Any, name: str = "") -> Iterator[str]:
    if name in SILENT:
        return
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(one, key)
