"""Posts made in error are taken back: asked for at the desk, owed in a row, carried out by a worker, told of."""

from __future__ import annotations

import datetime as dt
import logging
import secrets

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts import alarms, audit
from alerts.people import NotAllowed, Refused, may

from . import fanout, registry
from .base import ChannelError, Permanent, Publisher, Temporary
from .base import Post as Out
from .models import Post, Retraction, State

log = logging.getLogger(__name__)

TRIES = 10
"""After so many tries an officer has to take the post back by hand."""


def ask(post_id: int, reason: str, by: User) -> Retraction:
    """An officer wants a post taken back. Raises NotAllowed, Refused; rings nobody."""
    if not (may(by, "alerts.write_draft") or may(by, "alerts.approve_draft")):
        raise NotAllowed(_("Your role does not allow taking posts back."))
    if len(reason.strip()) < 10:
        raise Refused(_("Say in a sentence why this post is taken back."))
    post = Post.objects.select_related("delivery").get(pk=post_id)
    if post.retracted_at is not None or post.delivery.rehearsal or post.delivery.site:
        raise Refused(_("This post can't be taken back."))
    try:
        with transaction.atomic():
            asked = Retraction.objects.create(post=post, by=by, reason=reason.strip(), due_at=Now())
            audit.record(by, "retraction-asked", f"post {post_id}", channel=post.delivery.channel, reason=asked.reason)
    except IntegrityError as error:
        return _ask_again(post, reason.strip(), by, error)
    return asked


def _ask_again(post: Post, reason: str, by: User, error: Exception) -> Retraction:
    with transaction.atomic():
        failed = Retraction.objects.filter(post=post, state=State.FAILED)
        change = {"state": State.WAITING, "due_at": Now(), "rung_at": None, "tries": 0, "words": ""}
        if not failed.update(**change, by=by, reason=reason):
            raise Refused(_("This post is being taken back already.")) from error
        audit.record(by, "retraction-asked", f"post {post.pk}", channel=post.delivery.channel, reason=reason)
    return Retraction.objects.get(post=post)


def owed() -> list[int]:
    """Those that wait, or whose worker was lost, and that nobody was told of lately."""
    lately = Q(rung_at__gt=Now() - fanout.RING_AGAIN)
    return list(_claimable().exclude(lately).order_by("pk").values_list("pk", flat=True)[:100])


def rung(ids: list[int]) -> None:
    Retraction.objects.filter(pk__in=ids).update(rung_at=Now())


def carry_out(retraction_id: int) -> None:
    """Take the post back, if nobody else is at it. Taking back twice is harmless."""
    token = secrets.token_hex(16)
    until = Now() + dt.timedelta(seconds=settings.LEASE_SECONDS)
    mine = Retraction.objects.filter(pk=retraction_id, state=State.SENDING, lease=token)
    if not (
        _claimable()
        .filter(pk=retraction_id)
        .update(state=State.SENDING, lease=token, lease_until=until, tries=F("tries") + 1)
    ):
        return
    row = Retraction.objects.select_related("post__delivery").get(pk=retraction_id)
    with override("de"):
        try:
            _take_back(row.post)
        except ChannelError as error:
            again = not isinstance(error, Permanent) and row.tries < TRIES
            after = error.after if isinstance(error, Temporary) and error.after else fanout.pause(row.tries)
            _failed(row, mine, str(error), again=again, after=after)
            return
        except Exception:
            log.exception("retraction %s: unexpected fault", retraction_id)
            words = _("Unexpected fault in the channel. The administrator finds it in the log.")
            _failed(row, mine, words, again=False, after=0)
            return
    with transaction.atomic():
        if mine.update(state=State.DONE, lease="", lease_until=None, words=""):
            Post.objects.filter(pk=row.post_id).update(retracted_at=Now())
            audit.record(row.by, "retracted", f"post {row.post_id}", channel=row.post.delivery.channel)
            alarms.end(f"retraction {row.pk}")


def _claimable() -> QuerySet[Retraction]:
    lost = Q(state=State.SENDING, lease_until__lte=Now())
    return Retraction.objects.filter(Q(state=State.WAITING, due_at__lte=Now()) | lost)


def _take_back(post: Post) -> None:
    name = post.delivery.channel
    channel = registry.channel(name) if registry.configured(name) else None
    if not isinstance(channel, Publisher):
        raise Permanent(str(fanout.REMOVED))
    try:
        channel.retract(Out(post.remote_id, post.url, post.data))
    except NotImplementedError as error:
        raise Permanent(_("This channel can't take a post back: do it there by hand.")) from error


def _failed(row: Retraction, mine: QuerySet[Retraction], words: str, *, again: bool, after: float) -> None:
    change = (
        {"state": State.WAITING, "due_at": Now() + dt.timedelta(seconds=after), "rung_at": None}
        if again
        else {"state": State.FAILED}
    )
    mine.update(lease="", lease_until=None, words=words, **change)
    if not again:
        text = _("{channel} did not take a post back: {reason}").format(
            channel=registry.label(row.post.delivery.channel), reason=words
        )
        alarms.sound(f"retraction {row.pk}", text, link=f"{settings.ADDRESS}/desk/")
