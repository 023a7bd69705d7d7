"""An alert's posts on platforms: what stands there, what was taken back; the page that takes one back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from alerts.desk.confirming import ReasonForm
from alerts.desk.people import kept, officer
from alerts.desk.site import page, refused
from alerts.desk.summary import title
from alerts.models import Alert
from alerts.people import NotAllowed, Refused, may
from alerts.terms import Status, language_name

from .. import jobs, pauses, registry, retractions
from ..base import Publisher
from ..models import Pause, Post, Retraction, State

MOST = 200
"""Posts of one alert that its page shows, the newest."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One post as the page shows it: ``number`` its message's, ``url`` empty where no address is known.

    ``again`` is when a platform that could not take it back is asked again.
    """

    post: Post
    number: int
    language: str
    url: str
    look: str
    state: str
    words: str = ""
    again: dt.datetime | None = None
    may_retract: bool = False


@dataclass(frozen=True, slots=True)
class Platform:
    """A publisher with a switch, and an alert's posts over it, newest first."""

    channel: str
    name: str
    rehearsal: bool
    paused: Pause | None
    posts: list[Standing]


def platforms(alert: Alert, channels: Iterable[str], paused: Mapping[str, Pause]) -> list[Platform]:
    """Those of ``channels`` (of the newest message) that have a switch, and those that carried an earlier message."""
    rows = (
        Post.objects.filter(delivery__message__alert=alert, delivery__site=False, delivery__rehearsal=False)
        .select_related("delivery__message")
        .order_by("-delivery__message__number", "pk")[:MOST]
    )
    asked = {row.post_id: row for row in Retraction.objects.filter(post__delivery__message__alert=alert)}
    standing: dict[str, list[Standing]] = {}
    for row in rows:
        standing.setdefault(row.delivery.channel, []).append(_standing(row, asked.get(row.pk)))
    pausable = set(pauses.pausable())
    names = dict.fromkeys([*(name for name in channels if name in pausable), *standing])
    return [
        Platform(
            name,
            registry.label(name),
            registry.configured(name) and registry.rehearsal(name),
            paused.get(name),
            standing.get(name, []),
        )
        for name in names
    ]


def takes_back(channel: str) -> bool:
    """Whether a channel can take a post back by itself."""
    found = registry.channel(channel) if registry.configured(channel) else None
    return isinstance(found, Publisher) and type(found).retract is not Publisher.retract


def _standing(post: Post, asked: Retraction | None) -> Standing:
    look, state, words, again, may_retract = "ok", _("stands there"), "", None, takes_back(post.delivery.channel)
    if post.retracted_at is not None:
        look, state, may_retract = "hold", _("taken back"), False
    elif asked is not None and asked.state == State.FAILED:
        look, state, words = "bad", _("not taken back"), asked.words
    elif asked is not None:
        look, state, words, may_retract = "run", _("is being taken back"), asked.words, False
        again = asked.due_at if asked.state == State.WAITING and asked.words else None
    return Standing(
        post,
        post.delivery.message.number,
        language_name(post.language),
        post.url if post.url.startswith(("https://", "http://")) else "",
        look,
        state,
        words,
        again,
        may_retract,
    )


def retract(request: HttpRequest, post_id: int) -> HttpResponseBase:
    """An officer has a post taken back that was made in error, with a reason."""
    me = officer(request)
    if not (may(me, "alerts.write_draft") or may(me, "alerts.approve_draft")):
        return refused(request, _("Your role does not allow taking posts back."))
    post = get_object_or_404(Post.objects.select_related("delivery__message__alert"), pk=post_id)
    message, channel = post.delivery.message, registry.label(post.delivery.channel)
    form = ReasonForm(
        request.POST if request.method == "POST" else kept(request),
        label=_("Why is this post taken back?"),
        hint=_("A full sentence. It stays in the record."),
    )
    if request.method == "POST" and form.is_valid():
        try:
            asked = retractions.ask(post_id, form.cleaned_data["reason"], me)
        except NotAllowed as error:
            return refused(request, str(error))
        except Refused as error:
            form.add_error("reason", str(error))
        else:
            jobs.ring_to_retract([asked.pk])
            messages.success(request, _("{channel} is asked to take the post back.").format(channel=channel))
            return redirect("admin:alert", message.alert.slug)
    return page(
        request,
        "desk/retract.html",
        status=422 if request.method == "POST" else 200,
        message=message,
        title=title(message.content),
        exercise=message.status == Status.EXERCISE,
        channel=channel,
        standing=_standing(post, None),
        form=form,
    )
