"""What is made ahead in idle time for one later push to each subscription, taken when it is used, never twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from ..models import Prepared, Subscription, Way
from . import matching

log = logging.getLogger(__name__)

CHUNK = 500


def take(subscriptions: Iterable[int]) -> dict[int, bytes]:
    """The sets of these subscriptions, deleted in the caller's transaction: whoever takes one has it alone.

    Of two at the same time, the second finds none and makes a fresh key.
    """
    with transaction.atomic():
        mine = Prepared.objects.select_for_update(skip_locked=True).filter(pk__in=list(subscriptions))
        found = {pk: bytes(secret) for pk, secret in mine.values_list("pk", "secret")}
        Prepared.objects.filter(pk__in=list(found)).delete()
    return found


def make(prepare: Callable[[str], bytes], after: int = 0) -> int:
    """Make the sets missing for the next subscriptions behind ``after``; returns the last one's id, 0 at the end."""
    there = Exists(Prepared.objects.filter(pk=OuterRef("pk")))
    lacking = Subscription.objects.filter(~there, way=Way.PUSH, pk__gt=after).order_by("pk")
    ids = list(lacking.values_list("pk", flat=True)[:CHUNK])
    if not ids:
        return 0
    made = []
    for pk, address in matching.addresses(Way.PUSH, ids).items():
        try:
            made.append(Prepared(subscription_id=pk, secret=prepare(address)))
        except ValueError:
            log.warning("subscription %s: no push can be prepared", pk)
    try:
        Prepared.objects.bulk_create(made, ignore_conflicts=True)
    except IntegrityError:
        log.info("a resident left meanwhile; these sets are made in the next round")
    return ids[-1]


def lacking() -> bool:
    """Whether any push subscription has no set ready."""
    there = Exists(Prepared.objects.filter(pk=OuterRef("pk")))
    return Subscription.objects.filter(~there, way=Way.PUSH).exists()


def forget(subscription: int) -> None:
    """Drop the set of a subscription whose keys have changed."""
    Prepared.objects.filter(pk=subscription).delete()


def wipe() -> None:
    """Drop all: a database that comes out of a backup may hold sets that were used since."""
    Prepared.objects.all().delete()
