"""Counting who a draft would reach among 100,000 subscriptions, as the compose page does: milliseconds and queries."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

from tests.bench import Tables, ready

MANY, TIMES = 100_000, 9
SHARES = {"push": 0.7, "email": 0.2, "sms": 0.1}


def run() -> Tables:
    ready()
    from django.conf import settings

    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "crowd": {"adapter": "tests.channels.fakes.Crowd", "rehearsal": False},
        "sms": {"adapter": "channels.city.sms.Sms", "rehearsal": False, "gateways": [{"kind": "folder"}]},
        "email": {"adapter": "channels.city.email.Email", "rehearsal": False},
    }
    settings.ALERTS_RING = "tests.conftest.no_doorbell"
    from alerts import drafting
    from alerts.content import District
    from alerts.terms import Kind
    from channels import fanout, jobs
    from channels.models import Delivery, Recipient
    from tests import city
    from tests.bench import _residents

    _residents.districts()
    for way, share in SHARES.items():
        _residents.subscribe(way, round(MANY * share), _residents.address_of(way, ["https://push.example/"]))
    author, approver = city.officer("author", "write_draft"), city.officer("approver", "approve_draft")
    five = tuple(District(f"d{number}", f"Ortsteil {number}") for number in range(5))
    everywhere = (District("city", "Stadt"),)
    small = city.drafted(author, circles=(), districts=five)
    large = city.drafted(author, circles=(), districts=everywhere)
    quiet = city.drafted(author, circles=(), districts=five, severity="Moderate")
    message = city.released(author, approver, circles=(), districts=five)
    fanout.plan(message.pk)
    for delivery in Delivery.objects.filter(message=message, channel="crowd"):
        jobs.deliver(delivery.pk)
    Recipient.objects.update(state=Recipient.State.ACCEPTED)
    # the update lies elsewhere: whom the first message reached is counted besides
    update = drafting.derive(message, Kind.UPDATE, author)
    elsewhere = replace(update.content, districts=tuple(District(f"d{n}", f"Ortsteil {n}") for n in range(20, 25)))
    update = drafting.save(update.pk, update.version, elsewhere, author)
    rows = {
        "first message, 5 of 63 districts": small,
        "first message, 5 of 63 districts, by topic": quiet,
        "first message, whole city": large,
        "update, 5 other districts": update,
    }
    figures = {title: count(draft.content, draft.alert_id) for title, draft in rows.items()}
    return {
        f"milliseconds to count among {MANY:,}": {title: 1000 * spent for title, (spent, _q, _n) in figures.items()},
        "of them reached": {title: reached for title, (_spent, _q, reached) in figures.items()},
        "queries": {title: queries for title, (_spent, queries, _n) in figures.items()},
    }


def count(content: object, alert: int) -> tuple[float, int, int]:
    """Median seconds, queries and subscriptions of one count."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from channels.subscriptions import matching

    spent = []
    for _time in range(TIMES):
        with CaptureQueriesContext(connection) as queries:
            started = time.perf_counter()
            found = matching.audience(content, alert)  # type: ignore[arg-type]
            spent.append(time.perf_counter() - started)
    return statistics.median(spent), len(queries), sum(found.values())
