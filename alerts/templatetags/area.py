"""What templates show of where an alert holds: the map that officers work on, and who is reached."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from alerts import tiles
from alerts.desk import area
from alerts.desk.maps import outlines
from alerts.models import Draft

register = template.Library()


@register.simple_tag
def area_map() -> dict[str, str]:
    """What the script of the map is told: where the outlines are, the tiles if any, and the words it says."""
    set_up = settings.TILES and not tiles.fault(settings.TILES, settings.ADDRESS)
    return {
        "outlines": reverse("admin:districts", args=[outlines().stamp]),
        "tiles": settings.TILES if set_up else "",
        "attribution": settings.TILES_ATTRIBUTION if set_up else "",
        "words": json.dumps(_words(), ensure_ascii=False),
    }


@register.inclusion_tag("desk/where-reach.html")
def reach(draft: Draft, *, districts: bool = True, again: bool = False) -> dict[str, Any]:
    """Who a draft reaches as it is saved; ``again`` in an answer to htmx, which puts it into its place."""
    return {"reach": area.reach_of(draft), "districts": districts, "again": again}


def _words() -> dict[str, str]:
    return {
        "choose": _("Click a district to choose it or to drop it."),
        "draw": _("Click the corners one after the other. The first corner closes the area."),
        "circle": _("Click where the middle is."),
        "chosen": _("{name} chosen."),
        "dropped": _("{name} dropped."),
        "here": _("Below the cross: {name}."),
        "here_chosen": _("Below the cross: {name}, chosen."),
        "nothing_here": _("There is no district here."),
        "corners_0": _("No corner left."),
        "corners_1": _("1 corner set."),
        "corners": _("{count} corners set."),
        "few": _("An area needs three corners at least."),
        "drawn": _("Area drawn with {count} corners."),
        "stopped": _("Drawing stopped. Nothing was changed."),
        "circle_set": _("Circle set, radius {radius}."),
        "circle_moved": _("Circle at {centre}, radius {radius}."),
        "area_moved": _("Area moved."),
        "corner_moved": _("Corner moved."),
        "corner_gone": _("Corner taken out."),
        "circle_gone": _("Circle deleted."),
        "area_gone": _("Area deleted."),
        "undone": _("Last step taken back."),
        "nothing_undone": _("There is no step to take back."),
        "no_room": _("There is no room for more circles: 20 at most."),
        "circle_name": _("Circle {number}, radius {radius}"),
        "area_name": _("Area {number}, {count} corners"),
        "move_circle": _("Middle of circle {number}. Arrow keys move it, Delete takes it out."),
        "move_radius": _("Radius of circle {number}. Arrow keys make it larger or smaller."),
        "move_area": _("Area {number}. Arrow keys move it, Delete takes it out."),
        "move_corner": _("Corner {number}. Arrow keys move it, Delete takes it out."),
        "close_here": _("First corner. Close the area here."),
        "two": _("Two fingers move the map."),
        "failed": _("The map could not be loaded. List and fields below do the same."),
        "smaller": _("Make the map smaller"),
        "larger": _("Make the map larger"),
    }
