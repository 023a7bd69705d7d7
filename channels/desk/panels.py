"""The channels' part of the first screen: deliveries in trouble, and how each channel is."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.template.loader import render_to_string

from alerts.desk.people import officer
from alerts.desk.site import Panel
from alerts.models import Message, ReleasePlan
from alerts.people import may
from alerts.terms import Status

from .. import registry
from ..models import State
from .channels import channel_health
from .deliveries import in_trouble

MOST = 6


def first_screen(request: HttpRequest) -> Panel:
    me = officer(request)
    may_act = may(me, "alerts.write_draft") or may(me, "alerts.approve_draft")
    trouble = in_trouble(MOST)
    wide = render_to_string("desk/panel-trouble.html", {"rows": trouble, "may_act": may_act}, request)
    side = render_to_string("desk/panel-channels.html", {"healths": channel_health()}, request)
    return Panel(wide=wide, side=side + render_to_string("desk/panel-drill.html", {"drill": last_drill()}, request))


@dataclass(frozen=True, slots=True)
class Drill:
    """The newest drill: how many of its channels are done, and the slowest of them with its seconds."""

    message: Message
    done: int
    count: int
    slowest: str
    seconds: float | None


def last_drill() -> Drill | None:
    """What the newest drill came to, in two queries."""
    rows = Message.objects.filter(draft__plan=ReleasePlan.DRILL, status=Status.EXERCISE).select_related("alert")
    message = rows.order_by("-pk").first()
    if message is None:
        return None
    deliveries = list(message.deliveries.exclude(state=State.LEFT_OUT))
    done = [row for row in deliveries if row.state == State.DONE and row.done_at is not None]
    last = max(done, key=lambda row: row.done_at or message.sent, default=None)
    seconds = (last.done_at - message.sent).total_seconds() if last and last.done_at else None
    return Drill(message, len(done), len(deliveries), registry.label(last.channel) if last else "", seconds)
