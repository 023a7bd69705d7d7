"""Median server time of each page of the desk with 2,000 alerts and 100,000 subscriptions; baseline: 20 and 200."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

from tests.bench import RATIOS, Tables, ready

FEW, MANY = (20, 200), (2_000, 100_000)
TIMES = int(os.environ.get("BELFRY_BENCH_TIMES") or 15)


def run() -> Tables:
    ready()
    from django.conf import settings

    settings.SECOND_FACTOR = False
    settings.ALLOWED_HOSTS = ["*"]
    from tests import acts, city
    from tests.bench import _residents

    _residents.districts()
    city.officer("author", "write_draft")
    city.officer("approver", "approve_draft", "open_gate")
    small = _grown(acts.past, FEW)
    large = _grown(acts.past, MANY)
    return {
        RATIOS: {f"{name}: 2,000 alerts / 20": large[name][0] / small[name][0] for name in large},
        "milliseconds, median, 2,000 alerts and 100,000 subscriptions": {n: 1000 * one[0] for n, one in large.items()},
        "milliseconds, median, 20 alerts and 200 subscriptions": {n: 1000 * one[0] for n, one in small.items()},
        "queries with 2,000 alerts": {name: one[1] for name, one in large.items()},
    }


def _grown(past: Callable[[str], object], size: tuple[int, int]) -> dict[str, tuple[float, int]]:
    """Let the city grow to so many alerts and subscriptions, then measure every page: seconds and queries."""
    from alerts.models import Message
    from channels.models import Subscription
    from tests.bench import _residents

    alerts, residents = size
    past(str(alerts - Message.objects.count()))
    per_way = (residents - Subscription.objects.count()) // 2
    for way in ("sms", "email"):
        _residents.subscribe(way, per_way, _residents.address_of(way, []))
    return {name: _measured(ask) for name, ask in _pages().items()}


def _pages() -> dict[str, Callable[[], object]]:
    """Every page of the desk, as an officer's browser asks for it."""
    from django.contrib.auth.models import Group, User
    from django.test import Client
    from django.test.utils import setup_test_environment, teardown_test_environment

    from alerts import approval, drafting
    from channels import fanout
    from tests import city
    from tests.desk.posting import posted

    author, approver = User.objects.get(username="author"), User.objects.get(username="approver")
    one = User.objects.filter(username="all").first() or city.officer("all")
    one.groups.set(Group.objects.all())
    client = Client(headers={"accept-language": "de"})
    client.force_login(one)
    message = city.released(author, approver)
    fanout.plan(message.pk)
    written = city.drafted(author)
    update = drafting.derive(message, "update", author)
    approval.submit(update.pk, update.version, author)
    slug = message.alert.slug
    pages = {
        "first screen": "",
        "alerts": "alert/",
        "new alert": "new/",
        "compose": f"drafts/{written.pk}/",
        "who reads": f"drafts/{written.pk}/readers/",
        "approve": f"drafts/{update.pk}/",
        "break-glass": f"drafts/{written.pk}/break-glass/",
        "live": f"alert/{slug}/",
        "progress": f"alert/{slug}/progress/1/",
        "report": f"alert/{slug}/report/",
        "deliveries": "deliveries/",
        "channels": "channels/",
        "reach": "reach/",
        "outbox": "outbox/posts/",
        "record": "record/",
        "office": "office/",
        "officers": "officers/",
        "templates": "templates/",
        "help": "help/",
    }
    asked: dict[str, Callable[[], object]] = {}
    for name, path in pages.items():
        answer = client.get(f"/desk/{path}")
        if answer.status_code != 200:
            raise SystemExit(f"{name}: {answer.status_code} at {path}")
        asked[name] = lambda path=path: client.get(f"/desk/{path}")  # type: ignore[misc]
    setup_test_environment()  # so that an answer tells its form
    form = posted(client, written)
    teardown_test_environment()
    count = iter(range(10**9))

    def keep() -> object:
        written.refresh_from_db()
        form["version"], form["place"] = written.version, f"Platz {next(count)}"
        return client.post(f"/desk/drafts/{written.pk}/keep/", form)

    asked["keep (saves, previews)"] = keep
    return asked


def _measured(ask: Callable[[], object]) -> tuple[float, int]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        ask()
    count = len(queries)  # before the next request empties the log
    spent = []
    for _time in range(TIMES):
        started = time.perf_counter()
        ask()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent), count
