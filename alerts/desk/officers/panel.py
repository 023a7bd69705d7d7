"""The officers' part of the first screen: when I drilled last, and roles that wait for my decision."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from ... import drills, roles
from ...people import may
from ..people import officer
from ..site import Panel


def people_panel(request: HttpRequest) -> Panel:
    me = officer(request)
    plays = drills.plays(me)
    drilled = drills.last([me]).get(me.pk)
    waiting = []
    if may(me, "auth.change_user"):
        waiting = [(row, roles.word(row.role.name)) for row in roles.waiting() if not roles.why_not_decide(row, me)]
    wide = render_to_string("desk/officers/panel-roles.html", {"waiting": waiting}, request) if waiting else ""
    context = {
        "drilled": drilled,
        "due": plays and drills.is_due(drilled or me.date_joined),
        "leads": may(me, "alerts.lead_drill"),
    }
    side = render_to_string("desk/officers/panel-drill.html", context, request) if plays or drilled else ""
    return Panel(wide=wide, side=side)
