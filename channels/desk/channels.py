"""The page of the channels: how each one is, its switch, when its credentials end; the machinery behind them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.desk.people import officer
from alerts.desk.site import page, transition
from alerts.models import Alert
from alerts.people import NotAllowed, may

from .. import credentials, fanout, health, hold, jobs, pauses, registry
from ..models import Delivery, Hold, Pause, State
from .state import LOOKS, OPEN, TROUBLE

RESUME = "auth.change_user"
"""What an administrator holds and other roles do not."""


@dataclass(frozen=True, slots=True)
class Health:
    """A channel as configured, and what became of its last delivery. ``key`` is its name in CHANNELS.

    ``waits`` is until when a platform, or our own pause between two tries, holds back what is owed.
    ``ends`` is when its credentials end, ``soon`` whether that is near.
    """

    key: str
    name: str
    city: bool
    rehearsal: bool
    look: str
    words: str
    pausable: bool = False
    paused: Pause | None = None
    waits: dt.datetime | None = None
    ends: dt.datetime | None = None
    soon: bool = False

    @property
    def ended(self) -> bool:
        return self.ends is not None and self.ends <= timezone.now()


def channel_health() -> list[Health]:
    """Every configured channel, the city's first."""
    paused, pausable = pauses.paused(), set(pauses.pausable())
    return [_health(name, paused.get(name), pausable=name in pausable) for name in registry.names()]


def _health(name: str, pause: Pause | None, *, pausable: bool) -> Health:
    last = Delivery.objects.filter(channel=name).exclude(Q(state=State.SUPERSEDED) | Q(state=State.LEFT_OUT))
    newest = last.order_by("-pk").first()
    look, words, waits = "ok", _("ready"), None
    if newest is not None and newest.state == State.BY_HAND:
        look, words = LOOKS[State.BY_HAND], _("waits to be posted by hand")
    elif newest is not None and newest.state in TROUBLE:
        look, words = LOOKS[State(newest.state)], newest.words or newest.get_state_display()
    elif newest is not None and newest.state in OPEN and newest.tries > 1:
        look, words = "severe", newest.words or _("is tried again")
    if newest is not None and newest.state == State.WAITING and newest.tries and newest.due_at > timezone.now():
        look, words, waits = "severe", newest.words or _("is tried again"), newest.due_at
    if pause is not None:
        look, words, waits = "hold", _("paused"), None
    channel, ends = registry.channel(name), credentials.valid_until(name)
    return Health(
        name,
        registry.label(name),
        channel.city,
        registry.rehearsal(name),
        look,
        words,
        pausable=pausable,
        paused=pause,
        waits=waits,
        ends=ends,
        soon=credentials.soon(ends),
    )


def channels(request: HttpRequest) -> HttpResponse:
    """How each channel is, and the machinery behind all of them."""
    me = officer(request)
    healths = channel_health()
    return page(
        request,
        "desk/channels.html",
        groups=[
            (_("Channels of the city"), "own", [one for one in healths if one.city]),
            (_("Commercial channels"), "commercial", [one for one in healths if not one.city]),
        ],
        stale=list(health.what_is_stale()),
        file=settings.CHANNELS_FILE.name,
        held=Hold.objects.filter(ended_at__isnull=True).first(),
        may_resume=may(me, RESUME),
        may_act=may(me, "alerts.write_draft") or may(me, "alerts.approve_draft"),
    )


@transition(back="channels")
def resume(request: HttpRequest) -> HttpResponseBase:
    """An administrator lets Belfry work again after a restore."""
    if not may(officer(request), RESUME):
        raise NotAllowed(_("Your role does not allow resuming after a restore."))
    if hold.resume(officer(request)):
        messages.success(request, _("Belfry works again. Look at what is unclear."))
    return redirect("admin:channels")


@transition(back="channels")
def pause(request: HttpRequest, name: str) -> HttpResponseBase:
    """Switch a channel off; it acts at once."""
    pauses.pause(name, officer(request))
    done = _("{channel} is paused. Nothing more goes out over it until it is switched on again.")
    messages.success(request, done.format(channel=registry.label(name)))
    return _back(request)


@transition(back="channels")
def switch_on(request: HttpRequest, name: str) -> HttpResponseBase:
    """Switch a channel on again, and have sent what still holds."""
    pauses.resume(name, officer(request))
    jobs.ring_for(fanout.claimable().filter(channel=name))
    done = _("{channel} is switched on again. The newest message goes out over it.")
    messages.success(request, done.format(channel=registry.label(name)))
    return _back(request)


def _back(request: HttpRequest) -> HttpResponseBase:
    """To the alert whose page the button stood on, else to the channels."""
    slug = request.POST.get("alert", "")
    if slug and Alert.objects.filter(slug=slug).exists():
        return redirect("admin:alert", slug)
    return redirect("admin:channels")
