"""What an officer can do about a delivery in trouble: what of it is safe, and what a platform says when it is asked.

Nothing that may have gone out is sent a second time unless somebody has looked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts import alarms, audit
from alerts.notice import Rendering
from alerts.people import NotAllowed, Refused, may
from alerts.terms import language_name

from . import fanout, posts, registry
from .base import Broadcaster, ChannelError, Publisher, Uncertain
from .base import Post as Out
from .models import Attempt, Delivery, Post, State

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that an officer waits for a platform's answer."""
Found = Mapping[str, Out | ChannelError | None]
"""Language -> its post, None where it surely does not stand there, or why nobody can tell."""


@dataclass(frozen=True, slots=True)
class Remedies:
    """What may be done: ``again`` as it is; ``sooner`` than it would go by itself; ``looked``: again, once an officer
    says that he has looked and found nothing there. ``why`` says why it does not go again."""

    again: bool = False
    sooner: bool = False
    looked: bool = False
    look_up: bool = False
    sent: bool = False
    leave_out: bool = False
    pause: bool = False
    why: str = ""


def of(name: str, state: str, *, site: bool, rehearsal: bool, waits: bool = False) -> Remedies:
    """What may be done about a delivery over this channel. ``waits``: it is tried again later by itself."""
    channel = registry.channel(name) if registry.configured(name) else None
    out = not site and state in {State.FAILED, State.UNCLEAR, State.WAITING}
    pause = isinstance(channel, Publisher) and not site and state in {State.FAILED, State.UNCLEAR, State.WAITING}
    if channel is None:
        return Remedies(leave_out=out, sent=state == State.UNCLEAR, why=str(fanout.REMOVED))
    if state == State.WAITING:
        return Remedies(sooner=waits, leave_out=out and waits, pause=pause)
    if state == State.FAILED:
        why = _("It goes to those alone who surely got nothing.") if isinstance(channel, Broadcaster) else ""
        return Remedies(again=True, leave_out=out, pause=pause, why=why)
    if state != State.UNCLEAR:
        return Remedies()
    if channel.idempotent:  # a second one takes the place of the first
        return Remedies(again=True, sent=True, leave_out=out, pause=pause)
    if isinstance(channel, Broadcaster):
        why = _("It may have reached many already, and nobody gets it twice: it does not go again. Write an update.")
        return Remedies(sent=True, leave_out=out, why=why)
    asks = fanout.looks_up(channel) and not rehearsal
    why = "" if asks else _("The platform can't be asked. Look there yourself before it goes again.")
    return Remedies(looked=True, look_up=asks, sent=True, leave_out=out, pause=pause, why=why)


def of_delivery(row: Delivery) -> Remedies:
    return of(row.channel, row.state, site=row.site, rehearsal=row.rehearsal, waits=row.tries > 0)


def again(delivery_id: int, by: User, *, looked: bool = False) -> None:
    """Send a delivery again, or sooner than by itself, where that is safe. ``looked``: the officer has looked there.

    Raises NotAllowed, Refused.
    """
    _may(by)
    does = of_delivery(Delivery.objects.get(pk=delivery_id))
    if does.sooner:
        _sooner(delivery_id, by)
    elif does.again or (does.looked and looked):
        fanout.try_again(delivery_id, by)
    elif does.looked:
        raise Refused(_("It may stand there already. Look there first, and say that you have."))
    else:
        raise Refused(does.why or _not_now())


def _sooner(delivery_id: int, by: User) -> None:
    with transaction.atomic():
        waiting = Delivery.objects.filter(pk=delivery_id, state=State.WAITING)
        if not waiting.update(due_at=Now(), rung_at=None):
            raise Refused(_not_now())
        row = Delivery.objects.get(pk=delivery_id)
        audit.record(by, "try-again", f"delivery {delivery_id}", channel=row.channel, message=row.message_id)


def look_up(delivery_id: int, by: User) -> str:
    """Ask the platform whether an unclear delivery stands there; what it said, for the officer. Sends nothing.

    Found in every language it is done; surely missing it has failed and may go again. Raises NotAllowed, Refused.
    """
    _may(by)
    delivery = Delivery.objects.select_related("message__alert").get(pk=delivery_id)
    channel = registry.channel(delivery.channel) if registry.configured(delivery.channel) else None
    if not isinstance(channel, Publisher) or not of_delivery(delivery).look_up:
        raise Refused(_not_now())
    owed = list(posts.owed(delivery))
    first = {words.language: posts.first(delivery, words.language) for words in owed}
    found = _asked(channel, delivery, owed, first)
    with transaction.atomic():
        now = Delivery.objects.select_for_update(of=("self",)).get(pk=delivery_id)
        if now.state != State.UNCLEAR:
            raise Refused(_not_now())
        words = _keep(now, owed, found)
        there = sorted(language for language, one in found.items() if isinstance(one, Out))
        audit.record(
            by, "looked-up", f"delivery {delivery_id}", channel=now.channel, message=now.message_id, found=there
        )
    return words


def _asked(channel: Publisher, delivery: Delivery, owed: Sequence[Rendering], first: Mapping[str, Out | None]) -> Found:
    """What the platform says, language by language, up to the first that it can't tell; no longer than ``PATIENCE``."""
    answers: SimpleQueue[Found] = SimpleQueue()

    def ask() -> None:
        found: dict[str, Out | ChannelError | None] = {}
        with override("de"):  # as all that is stored for officers
            for words in owed:
                try:
                    key = posts.key(delivery, words.language)
                    found[words.language] = channel.look_up(
                        words, key=key, since=delivery.message.sent, reply_to=first[words.language]
                    )
                except ChannelError as error:
                    found[words.language] = error
                    break
                except Exception as error:
                    log.exception("delivery %s: unexpected fault in looking up", delivery.pk)
                    fault = _("Unexpected fault in the channel ({name}). The administrator finds it in the log.")
                    found[words.language] = Uncertain(fault.format(name=type(error).__name__))
                    break
        answers.put(found)

    # Not the request's own thread: a platform that hangs must not keep an officer waiting
    threading.Thread(target=ask, daemon=True, name=f"look-up-{delivery.pk}").start()
    try:
        return answers.get(timeout=PATIENCE)
    except Empty:
        raise Refused(_("The platform does not answer. Nothing was changed; ask again later.")) from None


def _keep(row: Delivery, owed: Sequence[Rendering], found: Found) -> str:
    for language, one in found.items():
        if isinstance(one, Out):
            made = {"remote_id": one.remote_id, "url": one.url, "data": dict(one.data)}
            Post.objects.get_or_create(delivery=row, language=language, defaults=made)
            said = _("Found there when it was looked for.")
            Attempt.objects.create(delivery=row, language=language, result=Attempt.Result.ACCEPTED, words=said)
    name = registry.label(row.channel)
    untold = next((one for one in found.values() if isinstance(one, ChannelError)), None)
    missing = [language for language, one in found.items() if one is None]
    mine = Delivery.objects.filter(pk=row.pk, state=State.UNCLEAR)
    if untold is not None:
        mine.update(words=str(untold))
        return _("{channel} was asked and can't tell: {reason}").format(channel=name, reason=untold)
    if missing:
        names = ", ".join(language_name(language) for language in missing)
        with override("de"):
            kept = _("Looked for and not found there ({languages}). It can go again.").format(languages=names)
        mine.update(state=State.FAILED, words=kept, unsure=False)
        return _("{channel}: it does not stand there ({languages}). It can be sent again.").format(
            channel=name, languages=names
        )
    mine.update(state=State.DONE, done_at=Now(), words="", unsure=False)
    alarms.end(f"delivery {row.pk}")
    return _("{channel}: it stands there. Nothing is to be done.").format(channel=name)


def _may(by: User) -> None:
    if not (may(by, "alerts.write_draft") or may(by, "alerts.approve_draft")):
        raise NotAllowed(_("Your role does not allow changing deliveries."))


def _not_now() -> str:
    return _("That is not possible for this delivery now. Load the page anew.")
