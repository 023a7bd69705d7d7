"""The map of a draft as the server draws it."""

from __future__ import annotations

from django.utils.safestring import SafeString

from .. import public
from ..content import Content
from ..notice import level_of


def map_of(content: Content, key: str) -> SafeString:
    """The districts and the area of a content as inline SVG; ``key`` keeps its ids apart from other maps'."""
    from .. import maps

    return maps.alert_map(
        public.areas(),
        content.circles,
        content.polygons,
        frozenset(district.code for district in content.touched or content.districts),
        place=content.place,
        level=level_of(content),
        prefix=f"m{key}",
        exercise=content.exercise,
    )
