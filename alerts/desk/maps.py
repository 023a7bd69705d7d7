"""The map of a draft as the server draws it."""

from __future__ import annotations

from django.utils.safestring import SafeString

from .. import maps, public
from ..content import Content
from ..notice import level_of


def map_of(content: Content, key: str) -> SafeString:
    """The districts and the area of a content as inline SVG; ``key`` keeps its ids apart from other maps'."""
    return maps.alert_map(
        public.areas(),
        content.circles,
        content.polygons,
        {district.code for district in content.touched},
        place=content.place,
        level=level_of(content),
        prefix=f"m{key}",
        exercise=content.exercise,
        chosen={district.code for district in content.districts},
    )
