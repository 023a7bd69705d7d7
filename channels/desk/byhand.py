"""What lies ready for an officer to post by hand: text, picture and film; and that it was posted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.desk.people import kept, officer
from alerts.desk.site import page, refused
from alerts.desk.summary import title
from alerts.models import Card
from alerts.notice import Rendering
from alerts.people import NotAllowed, Refused, may
from alerts.terms import Status, direction, language_name

from .. import fanout, registry
from ..models import Delivery, Post, State
from ..posts import renderings

BY_HAND = "by-hand"
"""The remote id of a post that an officer made."""
SHAPE = "tall"
"""The shape of card that apps for telephones want."""
LABELS = {
    "title": gettext_lazy("Title"),
    "text": gettext_lazy("Text"),
    "description": gettext_lazy("Description"),
    "tags": gettext_lazy("Keywords"),
}
SILENT = {"link", "url", "sha256"}
"""Fields that stand in the text already, or say nothing to people."""


@dataclass(frozen=True, slots=True)
class Words:
    """One field to be copied; ``rows`` high."""

    name: str
    label: str
    text: str
    rows: int


@dataclass(frozen=True, slots=True)
class Ready:
    """What is to be posted in one language. ``film`` says that the platform takes films, not pictures."""

    language: str
    name: str
    dir: str
    words: list[Words]
    cards: list[Card]
    film: bool


@dataclass(frozen=True, slots=True)
class Hand:
    """A delivery that waits for an officer's hand."""

    delivery: Delivery
    name: str
    ready: list[Ready]
    form: Links


class Links(forms.Form):
    """Where each language's post stands, if the officer likes to say so: fields ``link-<language>``."""

    def __init__(self, data: Any = None, *, delivery: int, languages: Sequence[str]) -> None:
        super().__init__(data, auto_id=f"id_{delivery}_%s")
        for language in languages:
            label = _("Address of the post, if you like")
            if len(languages) > 1:
                label = _("Address of the post in {language}, if you like").format(language=language_name(language))
            typed = forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"})
            self.fields[f"link-{language}"] = forms.URLField(
                label=label, required=False, max_length=500, assume_scheme="https", widget=typed
            )

    def links(self) -> Mapping[str, str]:
        return {name.removeprefix("link-"): str(value) for name, value in self.cleaned_data.items()}


def hands(deliveries: Iterable[Delivery]) -> list[Hand]:
    """Everything that lies ready of these deliveries; they come with their message and its alert."""
    return [_hand(row) for row in deliveries if row.state == State.BY_HAND]


def _hand(delivery: Delivery, data: Any = None) -> Hand:
    ready = _ready(delivery)
    form = Links(data, delivery=delivery.pk, languages=[one.language for one in ready])
    return Hand(delivery, registry.label(delivery.channel), ready, form)


def _ready(delivery: Delivery) -> list[Ready]:
    message = delivery.message
    cards = list(Card.objects.filter(draft=message.draft_id, round=message.round).defer("body"))
    done = set(delivery.posts.values_list("language", flat=True))
    return [_one(words, cards) for words in renderings(delivery) if words.language not in done]


def _one(rendering: Rendering, cards: Sequence[Card]) -> Ready:
    mine = [card for card in cards if card.language == rendering.language]
    named = {value["sha256"] for value in rendering.fields.values() if isinstance(value, dict) and "sha256" in value}
    words = [
        Words(name, str(LABELS.get(name, name)), value, min(14, 1 + value.count("\n") + len(value) // 55))
        for name, value in rendering.fields.items()
        if isinstance(value, str) and value and name not in SILENT
    ]
    return Ready(
        rendering.language,
        language_name(rendering.language),
        direction(rendering.language),
        words,
        [card for card in mine if card.sha256 in named] or [card for card in mine if card.shape == SHAPE],
        bool(rendering.fields.get("clip")),
    )


def posted(request: HttpRequest, delivery_id: int) -> HttpResponseBase:
    """What lies ready, on a page of its own; posting the form says that it was posted."""
    me = officer(request)
    if not (may(me, "alerts.write_draft") or may(me, "alerts.approve_draft")):
        return refused(request, _("Your role does not allow changing deliveries."))
    delivery = get_object_or_404(Delivery.objects.select_related("message__alert"), pk=delivery_id)
    message = delivery.message
    if delivery.state != State.BY_HAND:
        messages.error(request, _("Nothing lies ready here any more: look at what became of it."))
        return redirect("admin:alert", message.alert.slug)
    hand = _hand(delivery, request.POST if request.method == "POST" else kept(request))
    if request.method == "POST" and hand.form.is_valid():
        try:
            with transaction.atomic():
                fanout.mark_sent(delivery_id, me)
                for language, link in hand.form.links().items():
                    Post.objects.create(delivery=delivery, language=language, remote_id=BY_HAND, url=link)
        except NotAllowed as error:
            return refused(request, str(error))
        except Refused as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("{channel} is marked as posted.").format(channel=hand.name))
        return redirect("admin:alert", message.alert.slug)
    return page(
        request,
        "desk/posted.html",
        status=422 if request.method == "POST" else 200,
        hand=hand,
        message=message,
        title=title(message.content),
        exercise=message.status == Status.EXERCISE,
        may_act=True,
    )
