"""What a publisher puts out for one delivery, language by language: looked up, begun, published, kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace

from alerts.models import Card
from alerts.models import Rendering as RenderingRow
from alerts.notice import Rendering

from . import fanout
from .base import Post as Out
from .base import Publisher, Temporary, Uncertain
from .models import Delivery, Post

log = logging.getLogger(__name__)


def all_languages(channel: Publisher, delivery: Delivery, token: str) -> bool:
    """Hand over every language that is still owed. False where the delivery is no longer this worker's.

    Raises as ``Publisher.publish``.
    """
    failed: Temporary | None = None
    for rendering in owed(delivery):
        if not channel.site and not fanout.may_go_on(delivery.message_id, delivery.channel):
            fanout.stop(delivery.pk, token)
            return False
        try:
            held = _one(channel, delivery, rendering, token)
        except Temporary as error:
            if not channel.site:
                raise
            failed = failed or error  # one language that fails must not keep the others off the page
            continue
        if not held:
            log.warning("delivery %s: lease lost, stopping", delivery.pk)
            return False
    if failed is not None:
        raise failed
    return True


def renderings(delivery: Delivery) -> list[Rendering]:
    """The approved renderings, with the slots that release has filled."""
    message = delivery.message
    rows = RenderingRow.objects.filter(draft=message.draft_id, round=message.round, channel=delivery.channel)
    slots = {
        "identifier": message.identifier,
        "sent": message.sent.isoformat(),
        "slug": message.alert.slug,
        "digest": message.digest,
        "expires": message.expires.isoformat(),
    }
    return [Rendering(row.channel, row.language, row.fields_json, slots) for row in rows.order_by("pk")]


def owed(delivery: Delivery) -> Iterator[Rendering]:
    """The approved renderings that have no post yet, with the files of their cards."""
    done = set(delivery.posts.values_list("language", flat=True))
    for rendering in renderings(delivery):
        if rendering.language not in done:
            named = [value["sha256"] for value in rendering.fields.values() if _is_picture(value)]
            begun = delivery.begun.get(rendering.language, {})
            yield replace(rendering, pictures=_files(delivery, named), begun=begun)


def key(delivery: Delivery, language: str) -> str:
    """What one language's post is known by at every try."""
    return f"{delivery.message.identifier}:{delivery.channel}:{language}"


def _is_picture(value: object) -> bool:
    return isinstance(value, dict) and {"sha256", "shape"} <= value.keys()


def _files(delivery: Delivery, named: list[str]) -> dict[str, bytes]:
    if not named or delivery.site:
        return {}
    mine = Card.objects.filter(draft=delivery.message.draft_id, round=delivery.message.round, sha256__in=named)
    return {sha256: bytes(body) for sha256, body in mine.values_list("sha256", "body")}


def _one(channel: Publisher, delivery: Delivery, rendering: Rendering, token: str) -> bool:
    """Hand one rendering over and keep its post. False where the lease was lost."""
    if not fanout.renew(delivery.pk, token):
        return False
    started = time.monotonic()
    stable = key(delivery, rendering.language)
    if delivery.rehearsal:
        out = Out(remote_id="rehearsal", data={"would_send": dict(rendering.fields)})
    else:
        before = first(delivery, rendering.language)
        found = _found(channel, delivery, rendering, stable, before)
        if found is None:
            if delivery.unsure and not fanout.sure(delivery, token):
                return False
            made = channel.begin(rendering, key=stable, reply_to=before)
            if made != rendering.begun and not fanout.begun(delivery, token, rendering.language, made):
                return False
            if not fanout.renew(delivery.pk, token):
                return False
            found = _put_out(channel, delivery, replace(rendering, begun=made), token, stable, before)
        out = found
    spent = round(1000 * (time.monotonic() - started))
    post = Post(remote_id=out.remote_id, url=out.url, data=dict(out.data))
    delivery.unsure = False
    return fanout.accepted(delivery.pk, token, rendering, post, spent)


def _put_out(
    channel: Publisher, delivery: Delivery, rendering: Rendering, token: str, key: str, first: Out | None
) -> Out:
    try:
        if first is None:
            return channel.publish(rendering, key=key)
        return channel.update(rendering, first, key=key)
    except Uncertain as error:
        if error.begun is not None:
            fanout.begun(delivery, token, rendering.language, error.begun)
        raise


def _found(channel: Publisher, delivery: Delivery, rendering: Rendering, key: str, first: Out | None) -> Out | None:
    """What an earlier try put out whose outcome was uncertain; None where there was none, or it put out nothing."""
    if not delivery.unsure:
        return None
    return channel.look_up(rendering, key=key, since=delivery.message.sent, reply_to=first)


def first(delivery: Delivery, language: str) -> Out | None:
    """The alert's first post over this channel in this language, if it stands."""
    found = (
        Post.objects.filter(
            delivery__message__alert=delivery.message.alert_id,
            delivery__channel=delivery.channel,
            delivery__message__number__lt=delivery.message.number,
            delivery__rehearsal=False,
            retracted_at__isnull=True,
            language=language,
        )
        .order_by("pk")
        .first()
    )
    return Out(found.remote_id, found.url, found.data) if found else None
