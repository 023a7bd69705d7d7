"""The page of one alert: what each channel did, the gate, the history, the four ways on."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts import ports
from alerts.desk.confirming import ReasonForm
from alerts.desk.people import kept, officer
from alerts.desk.site import page, refused
from alerts.desk.summary import live_alert, title
from alerts.models import OPEN as OPEN_DRAFTS
from alerts.models import Alert, Message, PartKind, ReleasePlan
from alerts.notice import level_of
from alerts.people import NotAllowed, Refused, may
from alerts.terms import Status

from .. import fanout, pauses, registry, remedies
from ..models import Attempt, Delivery, State
from .byhand import hands
from .posts import platforms
from .state import LOOKS, OPEN, TROUBLE


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an alert's history; ``level`` colours it."""

    at: dt.datetime
    words: str
    who: str = ""
    level: str = ""
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Reached:
    """Subscriptions over all channels: ``accepted`` of ``planned``; ``missed`` failed or are unclear; of
    ``delivered`` a provider said that they arrived."""

    accepted: int
    planned: int
    missed: int
    delivered: int


def alert(request: HttpRequest, slug: str) -> HttpResponse:
    """An alert by its latest message."""
    found = _load(slug)
    if found.latest is None:
        draft = found.drafts.first()
        if draft is None:
            raise Http404
        return redirect("admin:draft", draft.pk)
    me = officer(request)
    by_hand = _by_hand(found.latest)
    return page(
        request,
        "desk/alert.html",
        exercise=found.status == Status.EXERCISE,
        drafts=list(found.drafts.filter(state__in=OPEN_DRAFTS, base=found.latest).prefetch_related("parts__officer")),
        may_write=may(me, "alerts.write_draft"),
        may_approve=may(me, "alerts.approve_draft"),
        events=_history(found),
        public_url=f"{settings.ADDRESS}/alerts/{found.slug}/",
        hands=hands(by_hand),
        **_progress(request, found, found.latest, by_hand),
    )


def progress(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The part of the page that changes while channels work; asked for again and again by htmx."""
    found = _load(slug)
    by_hand = _by_hand(found.latest) if found.latest is not None else []
    if found.latest is None or found.latest.number != number or request.GET.get("hands", "") != _hands_key(by_hand):
        # a newer message is out, or something lies ready by hand: the page is made anew, not this part alone
        answer = HttpResponse(status=204)
        answer["HX-Refresh"] = "true"
        return answer
    return page(request, "desk/progress.html", **_progress(request, found, found.latest, by_hand))


def _load(slug: str) -> Alert:
    return get_object_or_404(Alert.objects.select_related("latest__approval__officer", "latest__draft"), slug=slug)


def _by_hand(message: Message) -> list[Delivery]:
    """What lies ready for an officer's hand, with its message."""
    return list(message.deliveries.filter(state=State.BY_HAND).select_related("message__alert").order_by("pk"))


def _hands_key(rows: list[Delivery]) -> str:
    """What the page's part tells of it when it asks again."""
    return "-".join(str(row.pk) for row in rows)


def _shown(row: dict[str, Any], started: dt.datetime, now: dt.datetime, paused: bool) -> dict[str, Any]:
    """A channel's row as the page shows it: ``seconds`` from the approval, ``waits`` until when it must wait."""
    waiting = row["state"] == State.WAITING
    held = paused and waiting
    return {
        **row,
        "look": "hold" if held else LOOKS[State(row["state"])],
        "state_words": _("paused") if held else row["state_words"],
        "paused": held,
        "waits": row["due_at"] if waiting and not held and row["attempts"] and row["due_at"] > now else None,
        "seconds": (row["done_at"] - started).total_seconds() if row["done_at"] else None,
        "does": remedies.of(
            row["channel"], row["state"], site=row["site"], rehearsal=row["rehearsal"], waits=bool(row["attempts"])
        ),
    }


def _told(rows: Sequence[dict[str, Any]]) -> str:
    """Where it all stands, in one line: read out when it changes, and nothing else is."""
    done = sum(row["state"] == State.DONE for row in rows)
    said = [ngettext("%(done)d of %(count)d channel done", "%(done)d of %(count)d channels done", len(rows))]
    counted = {
        _("{count} running"): sum(row["state"] == State.SENDING for row in rows),
        _("{count} waiting"): sum(row["state"] == State.WAITING for row in rows),
        _("{count} by hand"): sum(row["state"] == State.BY_HAND for row in rows),
        _("{count} failed"): sum(row["state"] == State.FAILED for row in rows),
        _("{count} unclear"): sum(row["state"] == State.UNCLEAR for row in rows),
    }
    said[0] = said[0] % {"done": done, "count": len(rows)}
    return ", ".join([*said, *(words.format(count=count) for words, count in counted.items() if count)]) + "."


def _reasons(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Why subscribers were not reached, and what follows from it."""
    found = []
    for row in rows:
        for words, count in row["people"].reasons if row["people"] else ():
            after = _("For good: it is not tried again.")
            if words in row["people"].unsure:
                after = (
                    _("It is asked for at the provider, then tried again where that is safe.")
                    if row["state"] in OPEN
                    else _(
                        "It may have arrived, and the provider can't tell. It does not go again: nobody gets it twice."
                    )
                )
            found.append({"name": row["name"], "words": words or _("no reason given"), "count": count, "after": after})
    return found


def _key(*shown: Any) -> str:
    """Changes when what is shown does: a part of the page that is the same is left alone, with what is typed in it."""
    return hashlib.blake2s(repr(shown).encode(), digest_size=6).hexdigest()


def _progress(request: HttpRequest, found: Alert, message: Message, by_hand: list[Delivery]) -> dict[str, Any]:
    now = timezone.now()
    me = officer(request)
    # the approval's own clock: ``sent`` has whole seconds only, as CAP asks
    started = message.approval.at if message.approval and message.draft.plan == ReleasePlan.NOW else message.sent
    paused = pauses.paused()
    rows = [_shown(row, started, now, row["channel"] in paused) for row in ports.progress(message.pk)]
    people = [row["people"] for row in rows if row["people"] and row["people"].planned]
    working = any(row["state"] in OPEN for row in rows) or not rows
    trouble = [row for row in rows if row["state"] in TROUBLE or _held_up(row)]
    reasons, told = _reasons(rows), _told(rows)
    on_platforms = platforms(found, [row["channel"] for row in rows], paused)
    may_act = may(me, "alerts.write_draft") or may(me, "alerts.approve_draft")
    return {
        "found": found,
        "message": message,
        "content": message.content,
        "level": level_of(message.content),
        "summary": live_alert(found, now),
        "now": now,
        "city": [row for row in rows if row["city"]],
        "commercial": [row for row in rows if not row["city"]],
        "trouble": trouble,
        "platforms": on_platforms,
        "hands_key": _hands_key(by_hand),
        "working": working and now - message.sent < dt.timedelta(hours=1),
        "done": sum(row["state"] == State.DONE for row in rows),
        "failed": sum(row["state"] in TROUBLE for row in rows),
        "count": len(rows),
        "people": Reached(
            sum(each.accepted for each in people),
            sum(each.planned for each in people),
            sum(each.failed + each.unclear for each in people),
            sum(each.delivered for each in people),
        )
        if people
        else None,
        "reasons": reasons,
        "trouble_key": _key(
            [(row["id"], row["state"], row["words"], row["due_at"]) for row in trouble], reasons, may_act
        ),
        "posts_key": _key(on_platforms, may_act),
        "told": told,
        "told_key": _key(told),
        "told_anew": request.GET.get("told", "") != _key(told),
        "gate_after": message.live_at - started if message.live_at else None,
        "may_open_gate": may(me, "alerts.open_gate") and message.live_at is None,
        "may_act": may_act,
    }


def _held_up(row: dict[str, Any]) -> bool:
    """Whether a channel is tried again after a fault; a paused one is told of at its switch."""
    return bool(row["state"] == State.WAITING and row["words"] and not row["paused"])


def _history(found: Alert) -> list[Event]:
    """All that happened to an alert, newest first."""
    events: list[Event] = []
    rows = found.messages.select_related("draft", "approval__officer", "break_glass_by").prefetch_related(
        "draft__parts__officer",
        Prefetch("deliveries__attempts", queryset=Attempt.objects.exclude(result=Attempt.Result.ACCEPTED)),
    )
    for message in rows:
        events += _events(message)
    return sorted(events, key=lambda event: event.at, reverse=True)


def _events(message: Message) -> list[Event]:
    level = level_of(message.content)
    said = _("Message {number}: {headline}").format(number=message.number, headline=title(message.content))
    events = []
    released = message.approval.at if message.approval and message.draft.plan == ReleasePlan.NOW else message.sent
    if message.break_glass_by is not None:
        who = message.break_glass_by.get_full_name() or message.break_glass_by.get_username()
        alone = _("{said} Released alone (break-glass): {reason}").format(said=said, reason=message.break_glass_reason)
        events.append(Event(message.sent, alone, who, level))
    elif message.approval is not None:
        approver = message.approval.officer
        events.append(Event(released, said, approver.get_full_name() or approver.get_username(), level))
    if message.draft.submitted_at is not None:
        for part in message.draft.parts.all():
            if part.part == PartKind.SUBMITTED:
                who = part.officer.get_full_name() or part.officer.get_username()
                words = _("Message {number} submitted").format(number=message.number)
                events.append(Event(message.draft.submitted_at, words, who))
    if message.live_at is not None:
        words = (
            _("Gate opened by hand: {reason}").format(reason=message.gate_reason)
            if message.gate_reason
            else _("Page and feeds are public, the gate is open")
        )
        events.append(Event(message.live_at, words, level="severe" if message.gate_reason else "clear", exact=True))
    for delivery in message.deliveries.all():
        name = registry.label(delivery.channel)
        for attempt in list(delivery.attempts.all())[-5:]:
            words = f"{name}: {attempt.get_result_display()}. {attempt.words}"
            events.append(Event(attempt.at, words, level="severe", exact=True))
    return events


def gate(request: HttpRequest, message_id: int) -> HttpResponseBase:
    """An officer opens the gate by hand, since the city's own page failed."""
    me = officer(request)
    message = get_object_or_404(Message.objects.select_related("alert"), pk=message_id)
    if not may(me, "alerts.open_gate"):
        return refused(request, _("Your role does not allow opening the gate."))
    form = ReasonForm(
        request.POST if request.method == "POST" else kept(request),
        label=_("Why is it opened before the city's own page stands?"),
        hint=_("A full sentence. It stays in the record."),
    )
    if request.method == "POST" and form.is_valid():
        try:
            fanout.open_gate(message_id, form.cleaned_data["reason"], me)
        except NotAllowed as error:
            return refused(request, str(error))
        except Refused as error:
            form.add_error("reason", str(error))
        else:
            messages.success(request, _("The gate is open. Commercial channels begin."))
            return redirect("admin:alert", message.alert.slug)
    return page(
        request,
        "desk/gate.html",
        status=422 if request.method == "POST" else 200,
        message=message,
        title=title(message.content),
        exercise=message.status == Status.EXERCISE,
        form=form,
    )
