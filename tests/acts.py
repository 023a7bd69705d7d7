"""What somebody does to a running Belfry from outside: ``python -m tests.acts NAME ARGUMENT…`` prints JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import sys
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.db.models import F  # noqa: E402
from django.db.models.functions import Now  # noqa: E402
from django.utils import timezone  # noqa: E402

from alerts import approval, audit, drafting  # noqa: E402
from alerts.models import Alarm, Message, ReleasePlan  # noqa: E402
from alerts.terms import Kind  # noqa: E402
from channels import jobs, tally  # noqa: E402
from channels.models import Attempt, Batch, Delivery, Prepared, Recipient  # noqa: E402
from channels.subscriptions import matching  # noqa: E402
from tests import city  # noqa: E402
from tests.bench import _residents  # noqa: E402
from tests.story import STEPS  # noqa: E402


def found() -> dict[str, Any]:
    """A small city and its two officers."""
    city.districts()
    city.officer("author", "write_draft")
    city.officer("approver", "approve_draft")
    return {}


def officers() -> tuple[User, User]:
    return User.objects.get(username="author"), User.objects.get(username="approver")


def release(count: str = "1") -> dict[str, Any]:
    """Messages that go the whole way; how long each approval took, in seconds."""
    author, approver = officers()
    spent = []
    message = None
    for _number in range(int(count)):
        draft = city.submitted(author)
        started = time.monotonic()
        message = approval.approve(draft.pk, draft.digest, approver)
        spent.append(time.monotonic() - started)
    assert message is not None
    return told(message) | {"spent": spent}


def follow(identifier: str, kind: str) -> dict[str, Any]:
    return told(city.followed(Message.objects.get(identifier=identifier), Kind(kind), *officers()))


def ready() -> dict[str, Any]:
    """An exercise approved in advance."""
    author, approver = officers()
    draft = drafting.new(author, status="Exercise")
    content = city.content(facts_at=None, valid_for=60, next_in=None, note="Übung")
    draft = drafting.save(draft.pk, draft.version, content, author, plan=ReleasePlan.DRILL)
    draft = approval.submit(draft.pk, draft.version, author)
    approval.approve(draft.pk, draft.digest, approver)
    return {"draft": draft.pk}


def approvals(count: str) -> dict[str, Any]:
    """For the benchmark: seconds of each approval, and from its start to the gate (page and feeds fetched)."""
    author, approver = officers()
    spent: dict[str, list[float]] = {"live": [], "approve": []}
    for _number in range(int(count)):
        draft = city.submitted(author, texts=STEPS[1].content.texts)  # all three languages, real length
        started = time.time()
        message = approval.approve(draft.pk, draft.digest, approver)
        assert message is not None
        spent["approve"].append(time.time() - started)
        while message.live_at is None:
            time.sleep(0.01)
            message.refresh_from_db(fields=["live_at"])
        spent["live"].append(message.live_at.timestamp() - started)
        # over before the next one, as in life: a hundred alerts at once would be another measurement
        over = city.followed(message, Kind.ALL_CLEAR, author, approver)
        while over.live_at is None:
            time.sleep(0.01)
            over.refresh_from_db(fields=["live_at"])
    return spent


def past(count: str) -> dict[str, Any]:
    """Alerts that ended long ago, one a day; nothing is carried out."""
    author, approver = officers()
    settings.ALERTS_RING = "tests.conftest.no_doorbell"
    real = timezone.now
    before = Message.objects.count()
    for number in range(int(count)):
        shift = dt.timedelta(days=60 + before + number)
        timezone.now = lambda shift=shift: real() - shift  # type: ignore[misc]
        message = city.released(author, approver)
        for channel in ("website", "feeds"):
            Delivery.objects.create(
                message=message, channel=channel, queue="site", city=True, site=True, state="done", due_at=real()
            )
    timezone.now = real
    return {}


def publishing(count: str) -> dict[str, Any]:
    """For the benchmark: seconds that it takes to carry out one message, in this process."""
    author, approver = officers()
    settings.ALERTS_RING = "tests.conftest.no_doorbell"
    spent = []
    for _number in range(int(count)):
        message = city.released(author, approver)
        started = time.monotonic()
        jobs.fan_out(message.pk)
        spent.append(time.monotonic() - started)
        message.refresh_from_db()
        assert message.live_at is not None
        city.followed(message, Kind.ALL_CLEAR, author, approver)
        jobs.fan_out(Message.objects.get(base=message).pk)
    return {"spent": spent}


def residents(way: str, count: str, sinks: str = "https://push.test.example/") -> dict[str, Any]:
    """So many subscriptions of one way for the whole city; for push with real keys, at these endpoints in turn."""
    _residents.subscribe(way, int(count), _residents.address_of(way, sinks.split(",")), whole_city=True)
    return {}


def prepared(count: str) -> dict[str, Any]:
    """Wait until so many pushes are made ahead by the workers; seconds."""
    started = time.monotonic()
    jobs.ring_to_prepare()
    while Prepared.objects.count() < int(count):
        time.sleep(0.2)
    return {"spent": time.monotonic() - started}


def first(severity: str) -> dict[str, Any]:
    """For the benchmark: seconds from an approval to the first checkpoint of its pushes."""
    author, approver = officers()
    draft = city.submitted(author, severity=severity, texts=STEPS[1].content.texts)
    started = time.monotonic()
    message = approval.approve(draft.pk, draft.digest, approver)
    assert message is not None
    while not Batch.objects.filter(delivery__message=message, reached__gte=F("first")).exists():
        time.sleep(0.003)
    return told(message) | {"spent": time.monotonic() - started}


def settle() -> dict[str, Any]:
    """Wait until nothing is on its way any more."""
    while Delivery.objects.filter(state__in=["waiting", "sending"]).exists():
        time.sleep(0.05)
    return {}


def reach(channels: str, severity: str = "Extreme") -> dict[str, Any]:
    """Approve one message and wait until these channels are done: seconds from the approval, and what was counted."""
    author, approver = officers()
    draft = city.submitted(author, severity=severity, texts=STEPS[1].content.texts)
    started = time.time()
    message = approval.approve(draft.pk, draft.digest, approver)
    assert message is not None
    approved = time.time() - started
    wanted = channels.split(",")
    rows = Delivery.objects.filter(message=message, channel__in=wanted)
    begun: dict[str, float] = {}
    while rows.exclude(state__in=["waiting", "sending"]).count() < len(wanted):
        checked = Batch.objects.filter(delivery__in=rows, reached__gte=F("first"))
        for name in checked.values_list("delivery__channel", flat=True).distinct():
            begun.setdefault(name, time.time() - started)
        time.sleep(0.02)
    message.refresh_from_db()
    done = {row.channel: row for row in rows}
    counts = tally.counts([row.pk for row in done.values()])
    return told(message) | {
        "approved": approved,
        "started": started,
        "first": begun,
        "live": message.live_at.timestamp() - started if message.live_at else None,
        "begun": {name: row.started_at.timestamp() - started for name, row in done.items() if row.started_at},
        "done": {name: row.done_at.timestamp() - started for name, row in done.items() if row.done_at},
        "states": {name: row.state for name, row in done.items()},
        "counts": {name: dataclasses.asdict(counts[row.pk]) for name, row in done.items() if row.pk in counts},
    }


def volley(count: str, channels: str) -> dict[str, Any]:
    """Approve so many messages one after another: seconds until each of these channels was done with each."""
    author, approver = officers()
    spent: dict[str, list[float]] = {name: [] for name in channels.split(",")}
    for _number in range(int(count)):
        draft = city.submitted(author, texts=STEPS[1].content.texts)
        started = time.time()
        message = approval.approve(draft.pk, draft.digest, approver)
        assert message is not None
        rows = Delivery.objects.filter(message=message, channel__in=list(spent))
        while rows.exclude(done_at=None).count() < len(spent):
            time.sleep(0.01)
        for row in rows:
            assert row.done_at is not None
            spent[row.channel].append(row.done_at.timestamp() - started)
        time.sleep(0.2)  # what hangs meanwhile shall have begun to
    return {"spent": spent}


def minute_later() -> dict[str, Any]:
    """What a worker held that is no more, it no longer holds."""
    Batch.objects.filter(state="sending").update(lease_until=Now())
    Delivery.objects.filter(state="sending", lease_until__isnull=False).update(lease_until=Now())
    return {}


def accepted() -> dict[str, Any]:
    """The numbers whose SMS is known to be accepted by now."""
    rows = Recipient.objects.filter(state=Recipient.State.ACCEPTED).values_list("subscription", flat=True)
    return {"numbers": list(matching.addresses("sms", rows).values())}


def told(message: Message) -> dict[str, Any]:
    return {"id": message.pk, "identifier": message.identifier, "slug": message.alert.slug}


def state() -> dict[str, Any]:
    """All that is owed and what came of it."""
    return {
        "messages": Message.objects.count(),
        "live": Message.objects.filter(live_at__isnull=False).count(),
        "deliveries": list(Delivery.objects.order_by("pk").values_list("channel", "state")),
        "attempts": list(Attempt.objects.order_by("pk").values_list("delivery__channel", "result")),
        "alarms": list(Alarm.objects.filter(ended_at__isnull=True).values_list("key", flat=True)),
        "record": list(audit.faults()),
        "now": timezone.now().isoformat(),
    }


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    print(json.dumps(globals()[name](*arguments)))
