"""Deliveries: what is in trouble, and what an officer can do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from alerts.desk.people import officer
from alerts.desk.site import page, transition
from alerts.desk.summary import title
from alerts.people import NotAllowed, Refused

from .. import fanout, jobs, registry, remedies
from ..models import Delivery, State
from .state import LOOKS, OPEN, TROUBLE

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery as lists show it."""

    delivery: Delivery
    channel: str
    look: str
    title: str
    does: remedies.Remedies


def row(delivery: Delivery) -> Row:
    return Row(
        delivery,
        registry.label(delivery.channel),
        LOOKS[State(delivery.state)],
        title(delivery.message.content),
        remedies.of_delivery(delivery),
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


def _act(request: HttpRequest, delivery_id: int, act: Callable[[int, User], str | None], done: str) -> HttpResponseBase:
    """Do it, and tell on the alert's page what came of it; ``done`` unless the act says it in words of its own."""
    delivery = get_object_or_404(Delivery.objects.select_related("message__alert"), pk=delivery_id)
    try:
        said = act(delivery_id, officer(request))
    except NotAllowed:
        raise
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said or done.format(channel=registry.label(delivery.channel)))
    return redirect("admin:alert", delivery.message.alert.slug)


@transition(back="deliveries")
def again(request: HttpRequest, delivery_id: int) -> HttpResponseBase:
    def act(pk: int, by: User) -> None:
        remedies.again(pk, by, looked=request.POST.get("looked") == "yes")
        jobs.ring_for(fanout.claimable().filter(pk=pk))

    return _act(request, delivery_id, act, _("{channel} is tried again."))


@transition(back="deliveries")
def look_up(request: HttpRequest, delivery_id: int) -> HttpResponseBase:
    return _act(request, delivery_id, remedies.look_up, "")


@transition(back="deliveries")
def leave_out(request: HttpRequest, delivery_id: int) -> HttpResponseBase:
    return _act(request, delivery_id, fanout.leave_out, _("{channel} is left out of this message."))


@transition(back="deliveries")
def sent(request: HttpRequest, delivery_id: int) -> HttpResponseBase:
    return _act(request, delivery_id, fanout.mark_sent, _("{channel} is marked as sent."))
