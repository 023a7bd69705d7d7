"""A city of 63 districts in 10 boroughs, and residents by the hundred thousand, for the benchmarks."""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection

from alerts.models import Area
from alerts.terms import Severity
from channels.models import Subscription, SubscriptionArea
from channels.subscriptions import sealing, topics
from tests.city import LAT, LON, square

CHUNK = 5000
ROOT = "city"
STEP = 0.02


def districts() -> None:
    """City › 10 boroughs › 63 districts: squares in rows around the centre of the story."""
    city = Area.objects.create(code="city", name="Stadt", boundary=square(LAT, LON, 0.3))
    boroughs = [Area.objects.create(code=f"b{number}", name=f"Bezirk {number}", parent=city) for number in range(10)]
    for number in range(63):
        shape = square(LAT + STEP * (number // 8 - 4), LON + STEP * (number % 8 - 4), STEP / 2)
        Area.objects.create(
            code=f"d{number}", name=f"Ortsteil {number}", parent=boroughs[number % 10], boundary=shape, outline=shape
        )


def address_of(way: str, sinks: Sequence[str]) -> Callable[[int], str]:
    """Addresses to send to: for push at these endpoints in turn, with keys of which a hundred differ."""
    if way == "sms":
        return lambda number: f"+49151{number:08}"
    if way == "email":
        return lambda number: f"resident{number}@mail.test.example"
    keys = [_push_keys() for _one in range(100)]
    return lambda number: f"{sinks[number % len(sinks)]}{number:07} {keys[number % len(keys)]}"


def _push_keys() -> str:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return " ".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (point, os.urandom(16)))


def subscribe(way: str, count: int, address: Callable[[int], str], *, whole_city: bool = False) -> None:
    """``count`` subscriptions of one way; each for one to three districts, or all for the whole city."""
    draw = random.Random(way)
    codes = dict(Area.objects.values_list("code", "pk"))
    leaves = [pk for code, pk in codes.items() if code.startswith("d")]
    there = Subscription.objects.filter(way=way).count()
    for start in range(there, there + count, CHUNK):
        made = Subscription.objects.bulk_create(
            Subscription(
                way=way,
                address=sealing.seal(way, address(number)),
                lookup=sealing.lookup(way, str(number)),
                language=draw.choices(["de", "en"], [9, 1])[0],
                least=Severity.MINOR if whole_city else draw.choice([Severity.MODERATE, Severity.SEVERE]),
                topics=topics.ALL,
            )
            for number in range(start, min(start + CHUNK, there + count))
        )
        SubscriptionArea.objects.bulk_create(
            SubscriptionArea(subscription=one, area_id=pk)
            for one in made
            for pk in ([codes[ROOT]] if whole_city else draw.sample(leaves, draw.choice([1, 1, 2, 3])))
        )
    with connection.cursor() as cursor:
        # what autovacuum does within a minute on PostgreSQL: the planner knows how many there are
        cursor.execute("ANALYZE")
