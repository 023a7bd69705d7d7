"""Ready-made texts for the form: found by any of their names, begun, and their gaps filled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from ..content import Content, from_json
from ..desk import gaps as desk_gaps
from ..models import Template
from ..terms import MSG_TYPE, Kind, MsgType
from . import vocabulary
from .letters import fold, spellings
from .values import nearest

if TYPE_CHECKING:
    from .form import Form, Gap


def find(words: str, *, all_clear: bool = False) -> tuple[Template | None, list[str]]:
    """The template that is meant, and what to say about it; none where several may be."""
    rows = [
        row for row in Template.objects.filter(active=True) if (MSG_TYPE[Kind(row.kind)] == MsgType.CANCEL) is all_clear
    ]
    known: dict[str, list[Template]] = {}
    for row in rows:
        for spelling in (each for name in [row.key, *row.names.values()] for each in spellings(str(name))):
            known.setdefault(spelling, []).append(row)
    folded = fold(words)
    found = known.get(folded, [])
    for test in (str.startswith, str.__contains__):
        found = found or [row for spelling, each in known.items() for row in each if folded and test(spelling, folded)]
    guessed = not found
    found = found or [row for spelling in nearest(folded, known) for row in known[spelling]]
    found = [row for row in rows if row in found]
    if len(found) == 1:
        words_ = _("“{words}” was read as {name}. Check it.")
        return found[0], [words_.format(words=words[:80], name=_name(found[0]))] if guessed else []
    if found:
        names = "; ".join(_name(row) for row in found[:8])
        return None, [_("Several templates may be meant by “{words}”: {names}.").format(words=words[:80], names=names)]
    names = "; ".join(_name(row) for row in rows[:20])
    return None, [_("There is no template “{words}”. There are: {names}.").format(words=words[:80], names=names)]


def _name(row: Template) -> str:
    return str(row.names.get(settings.CONTENT_LANGUAGES[0]) or row.key)


def begin(row: Template, content: Content, *, keep_times: bool) -> Content:
    """The words and levels of a template over ``content``, and its times where nothing has been written yet."""
    ready = from_json(row.content_json)
    content = replace(
        content,
        texts=ready.texts,
        category=ready.category,
        urgency=ready.urgency,
        severity=ready.severity,
        certainty=ready.certainty,
        response=ready.response,
        contact=ready.contact or content.contact,
    )
    if keep_times:
        return content
    return replace(content, valid_for=ready.valid_for or content.valid_for, next_in=ready.next_in or content.next_in)


@dataclass(slots=True)
class Filled:
    """Values by gap, and the form's lines that gave them."""

    values: dict[str, str] = field(default_factory=dict)
    used: list[Gap] = field(default_factory=list)


def gaps(content: Content, form: Form, place: str) -> Filled:
    """What the form says for the gaps that ``content`` has."""
    found = Filled()
    wanted = desk_gaps.find(content)
    by_name = {spelling: gap for gap in wanted for spelling in _names(gap)}
    for line in form.gaps:
        gap = by_name.get(fold(line.name))
        if gap and gap not in found.values:
            found.values[gap] = _bare(gap, line.value)
            found.used.append(line)
    districts = ", ".join(district.name for district in content.districts)
    known = {"place": place, "district": districts, "until": form.fields.get("valid", "")}
    for gap in wanted:
        if value := known.get(gap, ""):
            found.values.setdefault(gap, _bare(gap, value))
    return found


def _names(gap: str) -> set[str]:
    """All that a gap may be called: its own name, the desk's label in both languages, a shorter word."""
    names = {gap, gap.replace("_", " "), *vocabulary.GAPS.get(gap, ())}
    for language, _label in settings.LANGUAGES:
        with override(language):
            names.add(re.sub(r"\(.*\)", "", desk_gaps.label(gap)))
    return {spelling for name in names for spelling in spellings(name)}


def _bare(gap: str, value: str) -> str:
    """A value without the unit that stands in the template already."""
    if gap == "weight":
        return re.sub(r"\s*(?:kg|kilogram\w*|kilo)\.?$", "", value, flags=re.IGNORECASE)
    if gap in {"time", "until"}:
        value = re.sub(r"^(?:bis|um|until|at)\s+", "", value, flags=re.IGNORECASE)
        return re.sub(r"\s*uhr$", "", value, flags=re.IGNORECASE)
    return value


def fill(content: Content, values: Mapping[str, str]) -> Content:
    return desk_gaps.fill(content, values)


def left(content: Content) -> list[str]:
    """For each gap that is still open, what to write."""
    words = _("The template still asks for: {name}. Write “{line}: …”.")
    found = []
    for gap in desk_gaps.find(content):
        name = desk_gaps.label(gap)
        found.append(words.format(name=name, line=re.sub(r"\s*\(.*\)", "", name)))
    return found
