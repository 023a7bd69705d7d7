"""Plan, claim, supersede, settle, sweep: rows only, no channel and no Redis.

A row is worked on by whoever turned it from WAITING to SENDING with a token of his own; every
later write asks for that token. All times here are the database's.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts import audit
from alerts.models import Alert, Message
from alerts.models import Rendering as RenderingRow
from alerts.notice import Rendering
from alerts.people import NotAllowed, Refused, may
from alerts.terms import SEVERITY_RANK, Kind, MsgType, Severity, Status

from . import registry
from .base import Broadcaster, Channel, Publisher
from .models import BY_BATCHES, MOVES, Attempt, Batch, Delivery, Heartbeat, Hold, Pause, Post, State

log = logging.getLogger(__name__)

RING_AGAIN = dt.timedelta(seconds=10)
"""After this long without being claimed, a delivery is rung again."""
REMOVED = gettext_lazy("The channel was removed from the settings after submission.")
LOOK_UP_AFTER = 5.0
"""Seconds after which an uncertain post is looked up: what was just taken may take a moment to be seen there."""
MOST_WAIT, MOST_SITE_WAIT = 300.0, 5.0
"""Seconds: the longest pause between two tries; elsewhere, and for the city's own page and feeds."""


def plan(message_id: int) -> list[Delivery]:
    """One delivery for each channel that was composed for; can run twice. Returns those still waiting.

    A channel added after submission has no rendering and is not sent to; one removed is recorded as
    left out. Older messages of the alert that still wait elsewhere than on the city's page are superseded.
    """
    message = Message.objects.select_related("alert").get(pk=message_id)
    composed = RenderingRow.objects.filter(draft=message.draft_id, round=message.round).order_by("pk")
    with transaction.atomic():
        names = dict.fromkeys(composed.values_list("channel", flat=True))
        for name in names:
            _owe(message, name)
        older = Delivery.objects.filter(message__alert=message.alert_id, message__number__lt=message.number, site=False)
        _end_waiting(older, State.SUPERSEDED, _("A newer message took its place."))
    return list(message.deliveries.filter(state=State.WAITING))


def _owe(message: Message, name: str) -> None:
    left_out = {"queue": "city", "city": False, "state": State.LEFT_OUT, "due_at": Now()}
    if not registry.configured(name):
        defaults: dict[str, Any] = left_out | {"words": REMOVED}
    else:
        try:
            defaults = _defaults(message, name)
        except (ImportError, TypeError, ValueError) as error:
            # One channel that can't be made must not keep a message from all others
            log.error("channel %s can't be made: %s", name, error)
            defaults = left_out | {"words": _("The channel can't be made: manage.py check says why.")}
    Delivery.objects.get_or_create(message=message, channel=name, defaults=defaults)


def _defaults(message: Message, name: str) -> dict[str, Any]:
    channel = registry.channel(name)
    if not channel.site and not _loud_enough(message, name) and not _carried_before(message, name):
        words = _("Only warnings from a higher severity on go out over this channel.")
        return {"queue": "city", "city": channel.city, "state": State.LEFT_OUT, "due_at": Now(), "words": words}
    found: dict[str, Any] = {
        "queue": queue_of(message, site=channel.site, city=channel.city),
        "city": channel.city,
        "site": channel.site,
        "rehearsal": _in_rehearsal(message, channel),
        "due_at": Now(),
    }
    if (
        not channel.site
        and Hold.objects.filter(ended_at__isnull=True, since__gt=message.sent + dt.timedelta(seconds=1)).exists()
    ):
        # It was released before the restore, and perhaps carried out since
        found |= {
            "state": State.UNCLEAR,
            "words": _("It was released before the restore: whether it went out is not known."),
        }
    return found


def _loud_enough(message: Message, name: str) -> bool:
    """Whether a message has the least severity that the channel's entry asks for; a cancel has that of its alert."""
    least = registry.least(name)
    return least is None or SEVERITY_RANK[Severity(message.highest)] >= SEVERITY_RANK[least]


def _carried_before(message: Message, name: str) -> bool:
    """Whether a channel carried any message of the alert, or may have: what follows then goes there too."""
    earlier = Delivery.objects.filter(message__alert=message.alert_id, message__number__lt=message.number, channel=name)
    return earlier.filter(
        Q(posts__isnull=False) | Q(state__in=[State.SENDING, State.DONE, State.UNCLEAR, State.BY_HAND])
    ).exists()


def _in_rehearsal(message: Message, channel: Channel) -> bool:
    """An exercise reaches publishers in rehearsal alone, and of the subscribers those who asked for it."""
    if channel.site:
        return False
    return registry.rehearsal(channel.name) or (
        message.status != Status.ACTUAL and not isinstance(channel, Broadcaster)
    )


def queue_of(message: Message, *, site: bool, city: bool) -> str:
    """The queue of a channel for this message, by the highest severity its alert ever had; cancels travel urgently."""
    if site:
        return "site"
    if not city:
        return "commercial"
    urgent = (
        message.highest in {Severity.EXTREME, Severity.SEVERE, Severity.UNKNOWN}
        or message.msg_type == MsgType.CANCEL
        or message.kind == Kind.CORRECTION
    )
    return "city-urgent" if urgent else "city"


def claimable() -> QuerySet[Delivery]:
    """What may be claimed now: due, the gate open where it is not the city's, not overtaken, not held, not paused.

    The conditions on other tables stand in EXISTS, so that PostgreSQL checks the row's own state
    anew after waiting for another claim.
    """
    gate = Exists(Message.objects.filter(pk=OuterRef("message_id"), live_at__isnull=False))
    newest = Exists(Alert.objects.filter(latest_id=OuterRef("message_id")))
    held = Exists(Hold.objects.filter(ended_at__isnull=True))
    paused = Exists(Pause.objects.filter(ended_at__isnull=True, channel=OuterRef("channel")))
    return Delivery.objects.filter(
        Q(city=True) | gate, Q(site=True) | (newest & ~held & ~paused), state=State.WAITING, due_at__lte=Now()
    )


def claim(delivery_id: int) -> str | None:
    """A lease token where this caller now holds the delivery; None where another does or it may not go yet."""
    token = secrets.token_hex(16)
    taken = (
        claimable()
        .filter(pk=delivery_id)
        .update(
            state=State.SENDING,
            lease=token,
            lease_until=_later(settings.LEASE_SECONDS),
            started_at=Now(),
            tries=F("tries") + 1,
        )
    )
    return token if taken == 1 else None


def renew(delivery_id: int, token: str) -> bool:
    """Hold on to a claimed delivery; False where the lease was lost: the worker then stops at once."""
    mine = Delivery.objects.filter(pk=delivery_id, state=State.SENDING, lease=token, lease_until__gt=Now())
    return mine.update(lease_until=_later(settings.LEASE_SECONDS)) == 1


@dataclass(frozen=True, slots=True)
class Result:
    """What one try came to: ``result`` of Attempt.Result; ``after`` seconds until the next try."""

    result: str
    words: str = ""
    language: str = ""
    milliseconds: int = 0
    after: float | None = None


def accepted(delivery_id: int, token: str, rendering: Rendering, post: Post, milliseconds: int) -> bool:
    """Keep what one language's post came to. False where the lease was lost meanwhile."""
    with transaction.atomic():
        if not renew(delivery_id, token):
            return False
        post.delivery_id = delivery_id
        post.language = rendering.language
        post.save(force_insert=True)
        Delivery.objects.filter(pk=delivery_id, unsure=True).update(unsure=False)
        _append(delivery_id, Result(Attempt.Result.ACCEPTED, language=rendering.language, milliseconds=milliseconds))
    return True


def begun(delivery: Delivery, token: str, language: str, made: Mapping[str, Any]) -> bool:
    """Keep what ``Publisher.begin`` came to, before anything goes out. False where the lease was lost meanwhile."""
    delivery.begun = {**delivery.begun, language: dict(made)}
    mine = Delivery.objects.filter(pk=delivery.pk, state=State.SENDING, lease=token, lease_until__gt=Now())
    return mine.update(begun=delivery.begun) == 1


def sure(delivery: Delivery, token: str) -> bool:
    """What was uncertain has been looked up: it is not there. False where the lease was lost meanwhile."""
    delivery.unsure = False
    mine = Delivery.objects.filter(pk=delivery.pk, state=State.SENDING, lease=token, lease_until__gt=Now())
    return mine.update(unsure=False) == 1


def looks_up(channel: Channel) -> bool:
    """Whether a publisher can say what an uncertain try came to."""
    return isinstance(channel, Publisher) and type(channel).look_up is not Publisher.look_up


def settle(
    delivery_id: int, token: str, result: Result, *, idempotent: bool, site: bool, looks_up: bool = False
) -> bool:
    """Append the Attempt and set the state that follows from it. False where the lease was lost meanwhile.

    An uncertain outcome is looked up once where the channel can (``looks_up``), else it is unclear.
    """
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
        if delivery.lease != token or delivery.state != State.SENDING:
            return False
        lost = result.result in {Attempt.Result.UNCERTAIN, Attempt.Result.LOST}
        again = result.result == Attempt.Result.TEMPORARY or (lost and idempotent)
        change: dict[str, Any] = {"lease": "", "lease_until": None, "words": result.words}
        if result.result == Attempt.Result.ACCEPTED:
            change |= {"state": State.DONE, "done_at": Now()}
        elif again:
            wait = pause(delivery.tries, site=site) if result.after is None else result.after
            wait = min(wait, MOST_SITE_WAIT) if site else wait  # whatever a proxy asks for
            change |= {"state": State.WAITING, "due_at": _later(wait), "rung_at": None}
        elif lost and looks_up and not delivery.unsure:
            change |= {"state": State.WAITING, "due_at": _later(LOOK_UP_AFTER), "rung_at": None, "unsure": True}
        elif result.result == Attempt.Result.BY_HAND:
            change["state"] = State.BY_HAND
        else:
            change["state"] = State.UNCLEAR if lost else State.FAILED
        Delivery.objects.filter(pk=delivery_id, lease=token).update(**change)
        if result.result != Attempt.Result.ACCEPTED:
            _append(delivery_id, result)
    return True


def pause(tries: int, *, site: bool = False) -> float:
    """Seconds until the next try: doubling, with jitter of half to one and a half."""
    most = MOST_SITE_WAIT if site else MOST_WAIT
    return float(min(0.5 * 2 ** min(tries, 12), most) * random.uniform(0.5, 1.5))  # noqa: S311 (no secret)


def may_go_on(message_id: int, channel: str = "") -> bool:
    """Whether a message may still go out elsewhere than on the page: no newer one is out, nothing is held or paused."""
    newest = Alert.objects.filter(latest_id=message_id).exists()
    paused = Pause.objects.filter(ended_at__isnull=True, channel=channel)
    return newest and not Hold.objects.filter(ended_at__isnull=True).exists() and not paused.exists()


def stop(delivery_id: int, token: str) -> None:
    """Let go of a claimed delivery between two languages: superseded, unclear where the system is held, or it waits
    where its channel is paused."""
    mine = Delivery.objects.filter(pk=delivery_id, state=State.SENDING, lease=token)
    if Hold.objects.filter(ended_at__isnull=True).exists():
        words = _("The system was held while this was going out.")
        mine.update(state=State.UNCLEAR, words=words, lease="", lease_until=None)
        return
    newest = mine.filter(Exists(Alert.objects.filter(latest_id=OuterRef("message_id"))))
    words = _("The channel is paused.")
    if not newest.update(state=State.WAITING, words=words, lease="", lease_until=None, rung_at=None):
        words = _("A newer message took its place.")
        mine.update(state=State.SUPERSEDED, words=words, lease="", lease_until=None)


def open_if_live(message_id: int) -> bool:
    """Set the gate once page and feeds are both out; True for the one caller who set it."""
    site = Delivery.objects.filter(message=message_id, site=True)
    if not site.exists() or site.exclude(state=State.DONE).exists():
        return False
    return Message.objects.filter(pk=message_id, live_at__isnull=True).update(live_at=Now()) == 1


def open_gate(message_id: int, reason: str, by: User) -> None:
    """An officer opens the gate by hand, since the city's own page failed; the reason is kept."""
    if not may(by, "alerts.open_gate"):
        raise NotAllowed(_("Your role does not allow opening the gate."))
    if len(reason.strip()) < 10:
        raise Refused(_("Say in a sentence why the gate is opened before the city's own page stands."))
    with transaction.atomic():
        opened = Message.objects.filter(pk=message_id, live_at__isnull=True).update(
            live_at=Now(), gate_reason=reason.strip()
        )
        if opened != 1:
            raise Refused(_("The gate is open already."))
        audit.record(by, "gate-opened", f"message {message_id}", reason=reason.strip())


def try_again(delivery_id: int, by: User) -> None:
    """An officer sends a failed or unclear delivery again."""
    _by_hand(delivery_id, State.WAITING, by, "try-again", due_at=Now(), rung_at=None, tries=0, unsure=False)


def leave_out(delivery_id: int, by: User) -> None:
    """An officer leaves a channel out for this message."""
    _by_hand(delivery_id, State.LEFT_OUT, by, "left-out", words=_("Left out by an officer."))


def mark_sent(delivery_id: int, by: User) -> None:
    """An officer has looked: an unclear delivery did go out; or has posted by hand what lay ready."""
    _by_hand(delivery_id, State.DONE, by, "marked-sent", done_at=Now(), words=_("Marked as sent by an officer."))


def _by_hand(delivery_id: int, state: str, by: User, action: str, **change: Any) -> None:
    if not (may(by, "alerts.write_draft") or may(by, "alerts.approve_draft")):
        raise NotAllowed(_("Your role does not allow changing deliveries."))
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
        if (
            state not in MOVES[delivery.state]
            or delivery.state == State.SENDING
            or (delivery.site and state == State.LEFT_OUT)
        ):
            raise Refused(_("That is not possible for this delivery now. Load the page anew."))
        if state == State.WAITING:
            if not delivery.site and not may_go_on(delivery.message_id):
                raise Refused(
                    _("A newer message of this alert is out, or the system is held: this one does not go again.")
                )
            Batch.objects.filter(delivery=delivery_id, state__in=[State.FAILED, State.LEFT_OUT]).update(
                state=State.WAITING, due_at=Now(), rung_at=None, tries=0
            )
        Delivery.objects.filter(pk=delivery_id, state=delivery.state).update(state=state, **change)
        audit.record(by, action, f"delivery {delivery_id}", channel=delivery.channel, message=delivery.message_id)


def unplanned(older: dt.timedelta) -> list[int]:
    """Messages released at least ``older`` ago that no delivery exists for yet."""
    rows = Message.objects.filter(deliveries__isnull=True, sent__lte=Now() - older)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:100])


def unrung() -> list[Delivery]:
    """Deliveries that may be claimed and that nobody was told of lately."""
    lately = Q(rung_at__gt=Now() - RING_AGAIN)
    return list(claimable().exclude(lately).order_by("pk")[:500])


def forgotten(patience: dt.timedelta) -> list[Delivery]:
    """City deliveries that no worker took for ``patience``, site first: upkeep carries them out itself."""
    return list(claimable().filter(city=True, due_at__lte=Now() - patience).order_by("-site", "pk")[:100])


def lost() -> list[Delivery]:
    """Deliveries whose worker let its lease run out."""
    return list(Delivery.objects.filter(state=State.SENDING, lease_until__lte=Now()).order_by("pk")[:500])


def end_expired() -> int:
    """Leave out what still waits for a message that no longer holds; page and feeds apart."""
    over = Exists(Message.objects.filter(pk=OuterRef("message_id"), expires__lte=Now()))
    words = _("The message expired before it could go out.")
    return _end_waiting(Delivery.objects.filter(over, site=False), State.LEFT_OUT, words)


def _end_waiting(rows: QuerySet[Delivery], state: str, words: str) -> int:
    """End what waits among these deliveries, and what waits in their batches; what is being sent ends by itself."""
    ended = rows.filter(state__in=[State.WAITING, State.BY_HAND]).update(state=state, words=words)
    with transaction.atomic():
        # Locked as in batches.settle: of two that end at once, the second sees the first
        mine = rows.filter(state=State.SENDING, lease=BY_BATCHES).select_for_update(of=("self",)).order_by("pk")
        carried = [row.pk for row in mine]
        Batch.objects.filter(delivery__in=carried, state=State.WAITING).update(state=state, words=words)
        working = Batch.objects.filter(delivery__in=carried, state=State.SENDING).values("delivery")
        over = Delivery.objects.filter(pk__in=carried, lease=BY_BATCHES).exclude(pk__in=working)
        ended += over.update(state=state, words=words, lease="")
    return ended


def rung(delivery_ids: list[int]) -> None:
    Delivery.objects.filter(pk__in=delivery_ids).update(rung_at=Now())


def beat(name: str) -> None:
    """A supervised process is alive."""
    if not Heartbeat.objects.filter(name=name).update(at=Now()):
        Heartbeat.objects.get_or_create(name=name, defaults={"at": Now()})


def _append(delivery_id: int, result: Result) -> None:
    Attempt.objects.create(
        delivery_id=delivery_id,
        language=result.language,
        result=result.result,
        words=result.words,
        milliseconds=result.milliseconds,
    )


def _later(seconds: float) -> Any:
    return Now() + dt.timedelta(seconds=seconds)
