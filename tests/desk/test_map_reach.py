"""Who a draft reaches is counted before it goes out, and it is those who get it then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alerts import approval, drafting, ports
from alerts.content import District
from alerts.models import Draft, Message
from alerts.terms import Kind, Severity, Status
from channels import fanout, jobs
from channels.models import Batch, Delivery, Recipient
from channels.subscriptions import topics
from tests import city
from tests.desk.conftest import with_roles

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
NORTHWEST = {"circles": (), "districts": (District("nw", "Nordwest"),)}


@pytest.fixture(autouse=True)
def wired(settings: Any, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "crowd": {"adapter": "tests.channels.fakes.Crowd", "rehearsal": False},
        "texts": {"adapter": "tests.channels.fakes.CrowdOnce", "rehearsal": False},
    }
    monkeypatch.setattr(jobs, "ring_for", lambda _deliveries: None)
    monkeypatch.setattr(jobs, "ring_batches", lambda _batches: None)


@pytest.fixture
def residents(desk: None) -> None:
    """Residents of every kind that matching knows."""
    city.subscribe("push", "whole", areas=["city"])
    city.subscribe("push", "here", areas=["nw"], tests=True)
    city.subscribe("push", "beside", areas=["no"])
    city.subscribe("push", "both", areas=["nw", "no", "mitte"])
    city.subscribe("push", "loud", areas=["nw"], least=Severity.EXTREME)
    city.subscribe("push", "weather", areas=["nw"], topics=topics.mask(["weather"]))
    city.subscribe("sms", "+491", "+492", areas=["nw"])
    city.subscribe("sms", "+493", areas=["fern"], tests=True)
    city.subscribe("email", "nobody@serves.example", areas=["nw"])


def deliver(message: Message) -> dict[str, int]:
    """Carry it out; how many recipients each way had."""
    fanout.plan(message.pk)
    for delivery in Delivery.objects.filter(message=message):
        jobs.deliver(delivery.pk)
        for batch in Batch.objects.filter(delivery=delivery):
            jobs.send_batch(batch.pk)
    frozen = Recipient.objects.filter(delivery__message=message)
    return {
        way: frozen.filter(delivery__channel=channel).count() for way, channel in (("push", "crowd"), ("sms", "texts"))
    }


def counted(draft: Draft) -> dict[str, int]:
    return ports.reached(draft.content, draft.alert_id)


@pytest.mark.parametrize("severity", ["Extreme", "Moderate", "Minor"])
@pytest.mark.parametrize("status", [Status.ACTUAL, Status.EXERCISE])
def test_as_many_get_it_as_were_counted(residents: None, anna: User, bert: User, severity: str, status: Status) -> None:
    draft = city.submitted(anna, severity=severity, status=status, **NORTHWEST)
    before = counted(draft)
    assert before["push"] > 0
    message = approval.approve(draft.pk, draft.digest, bert)
    assert message is not None
    assert deliver(message) == before


def test_an_exercise_counts_those_who_asked_for_tests(residents: None, anna: User) -> None:
    assert counted(city.drafted(anna, status=Status.EXERCISE, **NORTHWEST)) == {"push": 1, "sms": 0}
    assert counted(city.drafted(anna, **NORTHWEST)) == {"push": 5, "sms": 2}


def test_an_update_counts_whoever_got_an_earlier_message(residents: None, anna: User, bert: User) -> None:
    first = city.released(anna, bert, **NORTHWEST)
    deliver(first)
    update = drafting.derive(first, Kind.UPDATE, anna)
    elsewhere = replace(update.content, districts=(District("fern", "Fern"),))
    update = drafting.save(update.pk, update.version, elsewhere, anna)
    found = counted(update)
    assert found == {"push": 5, "sms": 3}, "those of before, and one elsewhere"
    update = approval.submit(update.pk, update.version, anna)
    message = approval.approve(update.pk, update.digest, bert)
    assert message is not None
    assert deliver(message) == found


def test_a_way_that_no_channel_serves_or_that_rehearses_is_not_counted(
    residents: None, anna: User, settings: Any
) -> None:
    draft = city.drafted(anna, **NORTHWEST)
    assert "email" not in counted(draft)
    settings.CHANNELS = {**settings.CHANNELS, "texts": {**settings.CHANNELS["texts"], "rehearsal": True}}
    assert set(counted(draft)) == {"push"}


def test_a_way_whose_channel_wants_more_danger_is_not_counted(residents: None, anna: User, settings: Any) -> None:
    settings.CHANNELS = {**settings.CHANNELS, "texts": {**settings.CHANNELS["texts"], "least": "Extreme"}}
    assert set(counted(city.drafted(anna, severity="Severe", **NORTHWEST))) == {"push"}
    assert set(counted(city.drafted(anna, severity="Extreme", **NORTHWEST))) == {"push", "sms"}


def test_it_takes_as_many_queries_for_a_hundred_as_for_none(desk: None, anna: User) -> None:
    draft = city.drafted(anna, **NORTHWEST)
    with CaptureQueriesContext(connection) as few:
        counted(draft)
    city.subscribe("push", *(f"p{number}" for number in range(100)), areas=["nw", "mitte"])
    with CaptureQueriesContext(connection) as many:
        assert counted(draft)["push"] == 100
    assert len(many) == len(few) <= 6


def test_writer_approver_and_who_breaks_the_glass_read_it(
    residents: None, anna: User, bert: User, page_of: Browser
) -> None:
    draft = city.drafted(anna, **NORTHWEST)
    words = "Erreicht 7 Abos</b>: Push 5, SMS 2"
    address = f"/desk/drafts/{draft.pk}/"
    both = with_roles("olga", "author", "approver")
    both.user_permissions.add(*city.officer("x", "break_glass").user_permissions.all())
    assert words in said(page_of(anna), address)
    assert words in said(page_of(User.objects.get(pk=both.pk)), f"{address}break-glass/")
    approval.submit(draft.pk, draft.version, anna)
    body = said(page_of(bert), address)
    assert words in body
    assert "Dazu alle, die die Seite, die Feeds oder die Plattformen lesen." in body


def test_an_exercise_says_that_only_tests_are_meant(residents: None, anna: User, page_of: Browser) -> None:
    exercise = city.drafted(anna, status=Status.EXERCISE, **NORTHWEST)
    body = said(page_of(anna), f"/desk/drafts/{exercise.pk}/")
    assert "Erreicht 1 Abo, das Tests möchte</b>: Push 1, SMS 0" in body
    assert "Dazu alle" not in body


def test_a_page_that_saves_by_itself_hears_whom_it_reaches_now(residents: None, anna: User, page_of: Browser) -> None:
    from tests.desk.posting import posted

    client = page_of(anna)
    draft = city.drafted(anna, **NORTHWEST)
    data = posted(client, draft) | {"districts": ["fern"]}
    answer = client.post(f"/desk/drafts/{draft.pk}/keep/", data, headers={"hx-request": "true"})
    body = " ".join(answer.content.decode().split())
    assert 'id="reach" hx-swap-oob="true"' in body
    assert "Trifft <b>Fern</b>" in body
    assert "Push 1, SMS 1" in body


def said(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())
