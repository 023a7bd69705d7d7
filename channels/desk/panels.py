"""The channels' part of the first screen: deliveries in trouble, and how each channel is."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from alerts.desk.people import officer
from alerts.desk.site import Panel
from alerts.people import may

from .channels import channel_health
from .deliveries import in_trouble

MOST = 6


def first_screen(request: HttpRequest) -> Panel:
    me = officer(request)
    may_act = may(me, "alerts.write_draft") or may(me, "alerts.approve_draft")
    trouble = in_trouble(MOST)
    wide = render_to_string("desk/panel-trouble.html", {"rows": trouble, "may_act": may_act}, request)
    return Panel(wide=wide, side=render_to_string("desk/panel-channels.html", {"healths": channel_health()}, request))
