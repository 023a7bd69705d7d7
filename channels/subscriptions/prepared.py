"""What is made ahead in idle time for one later push to each subscription, taken when it is used, never twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from ..models import Prepared, Subscription, Way
from . import sealing

log = logging.getLogger(__name__)

CHUNK = 500


def take(subscriptions: Iterable[int]) -> dict[int, bytes]:
    """The sets of these subscriptions, deleted in the caller's transaction: whoever takes one has it alone.

    Of two at the same time, the second finds none and makes a fresh key.
    """
    wanted = list(subscriptions)
    if not wanted:
        return {}
    quote = connection.ops.quote_name
    table, key, secret = (quote(name) for name in (Prepared._meta.db_table, "subscription_id", "secret"))
    with connection.cursor() as cursor:
        # no ORM word for RETURNING: reading, locking and deleting one after another takes twice as long
        marks = ", ".join(["%s"] * len(wanted))
        cursor.execute(f"DELETE FROM {table} WHERE {key} IN ({marks}) RETURNING {key}, {secret}", wanted)  # noqa: S608
        return {pk: bytes(made) for pk, made in cursor.fetchall()}


def make(prepare: Callable[[str], bytes], after: int = 0) -> int:
    """Make the sets missing for the next subscriptions behind ``after``; returns the last one's id, 0 at the end."""
    there = Exists(Prepared.objects.filter(pk=OuterRef("pk")))
    lacking = Subscription.objects.filter(~there, way=Way.PUSH, pk__gt=after).order_by("pk")
    read = {pk: bytes(sealed) for pk, sealed in lacking.values_list("pk", "address")[:CHUNK]}
    if not read:
        return 0
    made = {}
    for pk, address in zip(read, sealing.unseal_all(Way.PUSH, read.values()), strict=True):
        try:
            made[pk] = prepare(address)
        except ValueError:
            log.warning("subscription %s: no push can be prepared", pk)
    with transaction.atomic():
        # only for those that are still there with the same keys; each sealing of an address differs
        now = Subscription.objects.select_for_update().filter(pk__in=list(made)).values_list("pk", "address")
        same = [pk for pk, sealed in now if bytes(sealed) == read[pk]]
        Prepared.objects.bulk_create(
            [Prepared(subscription_id=pk, secret=made[pk]) for pk in same], ignore_conflicts=True
        )
    return max(read)


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
