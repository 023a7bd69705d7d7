"""Matching 100,000 subscriptions against 5 of 63 districts and freezing the recipients: milliseconds and queries."""

from __future__ import annotations

import statistics
import time

from tests.bench import RATIOS, Tables, ready

FEW, MANY, TIMES = 10_000, 100_000, 5


def run() -> Tables:
    ready()
    from django.conf import settings

    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "crowd": {"adapter": "tests.channels.fakes.Crowd", "rehearsal": False},
    }
    settings.ALERTS_RING = "tests.conftest.no_doorbell"
    from tests import city
    from tests.bench import _residents

    _residents.districts()
    author, approver = city.officer("author", "write_draft"), city.officer("approver", "approve_draft")
    _residents.subscribe("push", FEW, lambda number: f"https://push.example/{number} k a")
    few = [freeze(author, approver) for _time in range(TIMES)]
    _residents.subscribe("sms", MANY - FEW, lambda number: f"+49{number:010}")  # the table grows by others too
    other = [freeze(author, approver) for _time in range(TIMES)]
    from channels.models import Subscription

    Subscription.objects.filter(way="sms").update(way="push")
    many = [freeze(author, approver) for _time in range(TIMES)]
    one, all_of_them = (statistics.median(spent for spent, _q, _n in rows) for rows in (few, many))
    return {
        RATIOS: {
            f"{MANY:,} subscriptions / {FEW:,}": all_of_them / one,
            "a recipient among 100,000 / among 10,000": (all_of_them / many[-1][2]) / (one / few[-1][2]),
        },
        "milliseconds to match and freeze, 5 of 63 districts": {
            f"{FEW:,} of push": 1000 * one,
            f"{FEW:,} of push among {MANY:,}": 1000 * statistics.median(spent for spent, _q, _n in other),
            f"{MANY:,} of push": 1000 * all_of_them,
        },
        "of them reached": {f"{FEW:,}": few[-1][2], f"{MANY:,}": many[-1][2]},
        "queries": {f"{FEW:,}": few[-1][1], f"{MANY:,}": many[-1][1]},
    }


def freeze(author: object, approver: object) -> tuple[float, int, int]:
    """Seconds, queries and recipients of one message's freezing."""
    from django.db import connection, transaction
    from django.test.utils import CaptureQueriesContext

    from alerts.content import District
    from channels import fanout
    from channels.models import Delivery
    from channels.subscriptions import matching
    from tests import city

    five = tuple(District(f"d{number}", f"Ortsteil {number}") for number in range(5))
    message = city.released(author, approver, circles=(), districts=five)  # type: ignore[arg-type]
    fanout.plan(message.pk)
    delivery = Delivery.objects.select_related("message").get(message=message, channel="crowd")
    with CaptureQueriesContext(connection) as queries:
        started = time.perf_counter()
        with transaction.atomic():
            count = matching.freeze(delivery, "push", ["de", "en"], 0, MANY)
        spent = time.perf_counter() - started
    return spent, len(queries), count
