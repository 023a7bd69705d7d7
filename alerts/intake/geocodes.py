"""The geocodes of a foreign document as the city's own districts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings
from django.utils.translation import ngettext

from alerts.cap.schema import shown
from alerts.content import Content, District
from alerts.models import Area

from .capshapes import official

_EDGES = (2, 3, 5, 9)
"""After how many digits of a regional key (ARS) a level of the administration ends."""


def settled(content: Content) -> tuple[Content, tuple[str, ...]]:
    """The content with the city's own districts in place of geocodes, and in words what was none of them.

    A district is known by its key; the German keys (AGS of 8 digits, ARS of 12, the weather
    service's WARNCELLID of 9) of the city or of what it lies in (``settings.ARS``) stand for the whole city.
    """
    if not content.districts:
        return content, ()
    rows = {row.code: row for row in Area.objects.filter(active=True).only("code", "name", "parent_id")}
    city = next((row for row in rows.values() if row.parent_id is None), None)
    found: dict[str, District] = {}
    strange: list[str] = []
    for asked in content.districts:
        row = rows.get(asked.code)
        if row is None and city is not None and covers(asked.code, settings.ARS):
            row = city
        if row is None:
            strange.append(asked.name or asked.code)
        else:
            found.setdefault(row.code, District(row.code, row.name))
    words: tuple[str, ...] = ()
    if strange:
        text = ngettext(
            "{count} place is none of the city's districts: {names}",
            "{count} places are none of the city's districts: {names}",
            len(strange),
        )
        words = (text.format(count=len(strange), names=shown(", ".join(dict.fromkeys(strange)), 300)),)
    return replace(content, districts=tuple(found.values())), words


def covers(key: str, ars: str) -> bool:
    """Whether the place of an official German key is the city of this ARS, or holds it."""
    if not official(key) or not re.fullmatch(r"[0-9]{12}", ars):
        return False
    if len(key) == 12:
        return ars.startswith(_significant(key, _EDGES))
    ags = key[1:] if len(key) == 9 else key
    return f"{ars[:5]}{ars[9:]}".startswith(_significant(ags, _EDGES[:3]))


def _significant(key: str, edges: Sequence[int]) -> str:
    return next((key[:edge] for edge in edges if not key[edge:].strip("0")), key)
