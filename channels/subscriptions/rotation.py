"""New contact keys: every sealed address is sealed anew, while residents come and go."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction

from ..models import SignUp, Subscription
from . import sealing

CHUNK = 500


def _key_of(sealed: bytes) -> int:
    """The number of the key that a sealed address begins with (``sealing``)."""
    return int.from_bytes(sealed[:2], "big")


def total() -> int:
    """How many sealed addresses there are."""
    return Subscription.objects.count() + SignUp.objects.count()


def reseal(moved: Callable[[int], object] = lambda _rows: None) -> int:
    """Seal with the newest key what another one has sealed; returns how many. Safe to break off and to repeat.

    ``moved(rows)`` after each chunk. Raises CannotOpen where a key is missing, before any key is dropped.
    """
    return sum(_reseal(model, moved) for model in (Subscription, SignUp))


def _reseal(model: type[Subscription] | type[SignUp], moved: Callable[[int], object]) -> int:
    newest, after, done = sealing.newest_key(), 0, 0
    while True:
        rows = list(model.objects.filter(pk__gt=after).order_by("pk").values_list("pk", "way", "address")[:CHUNK])
        if not rows:
            return done
        after = rows[-1][0]
        with transaction.atomic():
            for pk, way, sealed in rows:
                old = bytes(sealed)
                if _key_of(old) == newest:
                    continue
                fresh = sealing.seal(way, sealing.unseal(way, old))
                # only where it is still the same: a browser may have brought another address meanwhile
                done += model.objects.filter(pk=pk, address=old).update(address=fresh)
        moved(len(rows))
