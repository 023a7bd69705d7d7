"""Deliveries and channels: what is in trouble, what an officer can do about it, how each channel is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from alerts.desk.people import officer
from alerts.desk.site import page, transition
from alerts.desk.summary import title
from alerts.people import NotAllowed, may

from .. import fanout, health, hold, registry
from ..models import Delivery, Hold, State
from .state import LOOKS, OPEN, TROUBLE

PER_PAGE = 50
RESUME = "auth.change_user"
"""What an administrator holds and other roles do not."""


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery as lists show it."""

    delivery: Delivery
    channel: str
    look: str
    title: str


def row(delivery: Delivery) -> Row:
    return Row(
        delivery, registry.label(delivery.channel), LOOKS[State(delivery.state)], title(delivery.message.content)
    )


def in_trouble(limit: int) -> list[Row]:
    """Deliveries of messages still in force that failed or are unclear, newest first."""
    rows = Delivery.objects.filter(state__in=TROUBLE, message__expires__gt=Now())
    return [row(delivery) for delivery in rows.select_related("message__alert").order_by("-pk")[:limit]]


def listing(request: HttpRequest) -> HttpResponse:
    """All deliveries, newest first; those in trouble or still open by request."""
    rows = Delivery.objects.select_related("message__alert").order_by("-pk")
    show = request.GET.get("show", "")
    if show == "trouble":
        rows = rows.filter(state__in=TROUBLE)
    elif show == "open":
        rows = rows.filter(state__in=OPEN)
    numbered = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return page(request, "desk/deliveries.html", numbered=numbered, rows=[row(each) for each in numbered], show=show)


@dataclass(frozen=True, slots=True)
class Health:
    """A channel as configured, and what became of its last delivery."""

    name: str
    city: bool
    rehearsal: bool
    look: str
    words: str


def channel_health() -> list[Health]:
    """Every configured channel, the city's first."""
    return [_health(name) for name in registry.names()]


def _health(name: str) -> Health:
    last = Delivery.objects.filter(channel=name).exclude(Q(state=State.SUPERSEDED) | Q(state=State.LEFT_OUT))
    newest = last.order_by("-pk").first()
    look, words = "ok", _("ready")
    if newest is not None and newest.state in TROUBLE:
        look, words = LOOKS[State(newest.state)], newest.words or newest.get_state_display()
    elif newest is not None and newest.state in OPEN and newest.tries > 1:
        look, words = "severe", newest.words or _("is tried again")
    channel = registry.channel(name)
    return Health(registry.label(name), channel.city, registry.rehearsal(name), look, words)


def channels(request: HttpRequest) -> HttpResponse:
    """How each channel is, and the machinery behind all of them."""
    return page(
        request,
        "desk/channels.html",
        healths=channel_health(),
        stale=list(health.what_is_stale()),
        file=settings.CHANNELS_FILE.name,
        held=Hold.objects.filter(ended_at__isnull=True).first(),
        may_resume=may(officer(request), RESUME),
    )


@transition(back="channels")
def resume(request: HttpRequest) -> HttpResponseBase:
    """An administrator lets Belfry work again after a restore."""
    if not may(officer(request), RESUME):
        raise NotAllowed(_("Your role does not allow resuming after a restore."))
    if hold.resume(officer(request)):
        messages.success(request, _("Belfry works again. Look at what is unclear."))
    return redirect("admin:channels")


def _act(request: HttpRequest, delivery_id: int, act: Callable[[int, User], None], done: str) -> HttpResponseBase:
    delivery = get_object_or_404(Delivery.objects.select_related("message__alert"), pk=delivery_id)
    act(delivery_id, officer(request))
    messages.success(request, done.format(channel=registry.label(delivery.channel)))
    return redirect("admin:alert", delivery.message.alert.slug)


@transition(back="deliveries")
def again(request: HttpRequest, delivery_id: int) -> HttpResponseBase:
    return _act(request, delivery_id, fanout.try_again, _("{channel} is tried again."))


@transition(back="deliveries")
def leave_out(request: HttpRequest, delivery_id: int) -> HttpResponseBase:
    return _act(request, delivery_id, fanout.leave_out, _("{channel} is left out of this message."))


@transition(back="deliveries")
def sent(request: HttpRequest, delivery_id: int) -> HttpResponseBase:
    return _act(request, delivery_id, fanout.mark_sent, _("{channel} is marked as sent."))
