"""A message goes to whose districts it touches, whose least severity it meets, whose topics fit; to nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.content import District
from alerts.models import Message
from alerts.terms import Kind, Severity
from channels import batches, fanout, handfuls, jobs
from channels.models import Batch, Delivery, Recipient, Subscription, Way
from channels.subscriptions import matching, sealing, topics
from tests import city
from tests.channels import fakes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "wired")]

NORTHWEST = {"circles": (), "districts": (District("nw", "Nordwest"),)}


@pytest.fixture
def wired(settings: Any, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "crowd": {"adapter": "tests.channels.fakes.Crowd", "rehearsal": False},
    }
    monkeypatch.setattr(jobs, "ring_for", lambda _deliveries: None)
    monkeypatch.setattr(jobs, "ring_batches", lambda _batches: None)


def deliver(message: Message) -> Delivery:
    fanout.plan(message.pk)
    delivery = Delivery.objects.get(message=message, channel="crowd")
    jobs.deliver(delivery.pk)
    for batch in Batch.objects.filter(delivery=delivery):
        jobs.send_batch(batch.pk)
    return delivery


def reached(message: Message) -> set[str]:
    """The addresses that a message goes to, once each."""
    delivery = deliver(message)
    rows = list(Recipient.objects.filter(delivery=delivery).values_list("subscription", flat=True))
    assert len(rows) == len(set(rows)), "one message, not two"
    return set(matching.addresses(Way.PUSH, rows).values())


def test_a_district_matches_itself_its_ancestors_and_its_descendants_never_its_siblings(
    author: User, approver: User
) -> None:
    for area in ("city", "mitte", "nw", "no", "rand", "fern"):
        city.subscribe("push", area, areas=[area])
    assert reached(city.released(author, approver, **NORTHWEST)) == {"city", "mitte", "nw"}
    middle = {"circles": (), "districts": (District("mitte", "Mitte"),)}
    assert reached(city.released(author, approver, **middle)) == {"city", "mitte", "nw", "no"}


def test_a_district_and_its_parent_subscribed_at_once_get_one_message(author: User, approver: User) -> None:
    city.subscribe("push", "both", areas=["nw", "mitte", "city"])
    assert reached(city.released(author, approver, **NORTHWEST)) == {"both"}


@pytest.mark.parametrize(
    ("severity", "wanted"),
    [
        ("Minor", {"Minor"}),
        ("Moderate", {"Minor", "Moderate"}),
        ("Severe", {"Minor", "Moderate", "Severe", "Unknown"}),
        ("Unknown", {"Minor", "Moderate", "Severe", "Unknown"}),
        ("Extreme", {"Minor", "Moderate", "Severe", "Unknown", "Extreme"}),
    ],
)
def test_the_least_severity_is_met_and_unknown_counts_as_severe(
    author: User, approver: User, severity: str, wanted: set[str]
) -> None:
    for least in Severity.values:
        city.subscribe("push", least, least=least)
    assert reached(city.released(author, approver, severity=severity)) == wanted


@pytest.mark.parametrize(
    ("severity", "wanted"),
    [
        ("Minor", {"safety", "all"}),
        ("Moderate", {"safety", "all"}),
        ("Severe", {"safety", "all", "weather"}),
        ("Extreme", {"safety", "all", "weather"}),
        ("Unknown", {"safety", "all", "weather"}),
    ],
)
def test_extreme_and_severe_pass_every_topic(author: User, approver: User, severity: str, wanted: set[str]) -> None:
    city.subscribe("push", "safety", topics=topics.mask(["safety", "traffic"]))
    city.subscribe("push", "weather", topics=topics.mask(["weather"]))
    city.subscribe("push", "all")
    assert reached(city.released(author, approver, severity=severity, category=("Safety",))) == wanted


def test_everybody_reads_their_own_language_else_the_first(author: User, approver: User) -> None:
    for language in ("de", "en", "de-simple", "fr"):
        city.subscribe("push", language, language=language)
    deliver(city.released(author, approver))
    assert {address: text[:4] for address, text in fakes.sent["crowd"]} == {
        "de": "Bomb", "en": "Bomb", "de-simple": "Bomb", "fr": "Bomb",
    }  # fmt: skip
    spoken = dict(Recipient.objects.values_list("subscription", "language"))
    known = dict(Subscription.objects.values_list("pk", "language"))
    assert {known[pk]: language for pk, language in spoken.items()} == {
        "de": "de", "en": "en", "de-simple": "de", "fr": "de",
    }, "this message was written in German and English alone"  # fmt: skip


def test_who_got_any_message_of_the_alert_gets_its_updates_and_its_all_clear(author: User, approver: User) -> None:
    city.subscribe("push", "no", areas=["no"])
    city.subscribe("push", "nw", areas=["nw"])
    first = city.released(author, approver)
    assert reached(first) == {"no", "nw"}
    city.subscribe("push", "late", areas=["no"])
    smaller = city.followed(first, Kind.UPDATE, author, approver, **NORTHWEST)
    assert reached(smaller) == {"no", "nw"}, "the area shrank; who was warned hears of it, who came later does not"
    assert reached(city.followed(smaller, Kind.ALL_CLEAR, author, approver)) == {"no", "nw"}


def test_who_was_never_reached_gets_no_all_clear_for_it(author: User, approver: User) -> None:
    fakes.answers["gone"] = ["permanent"] * 3
    city.subscribe("push", "no", "gone", areas=["no"])
    first = city.released(author, approver)
    deliver(first)
    smaller = city.followed(first, Kind.UPDATE, author, approver, **NORTHWEST)
    assert reached(smaller) == {"no"}


def test_who_waited_when_it_was_superseded_has_not_got_it(author: User, approver: User) -> None:
    city.subscribe("push", *[f"no-{number:02}" for number in range(15)], areas=["no"])
    first = city.released(author, approver)
    fanout.plan(first.pk)
    delivery = Delivery.objects.get(message=first, channel="crowd")
    jobs.deliver(delivery.pk)
    batch = Batch.objects.get(delivery=delivery)
    token = batches.claim(batch.pk)
    assert token
    handful = handfuls.hand(batch, token, 10)
    assert handful
    assert handfuls.checkpoint(batch, token, [])
    smaller = city.followed(first, Kind.UPDATE, author, approver, **NORTHWEST)
    assert reached(smaller) == {f"no-{number:02}" for number in range(10)}


def test_exercises_reach_only_who_asked_for_them(author: User, approver: User) -> None:
    city.subscribe("push", "real")
    city.subscribe("push", "curious", tests=True)
    exercise = city.released(author, approver, status="Exercise", note="Übung")
    assert reached(exercise) == {"curious"}
    assert {address for address, _text in fakes.sent["crowd"]} == {"curious"}
    assert all("ÜBUNG" in text for _address, text in fakes.sent["crowd"])


def test_another_way_is_another_channels(author: User, approver: User) -> None:
    city.subscribe("push", "push")
    city.subscribe("sms", "sms")
    assert reached(city.released(author, approver)) == {"push"}


def test_freezing_takes_a_constant_number_of_queries(author: User, approver: User) -> None:
    counts = []
    for size in (10, 200):
        city.subscribe("push", *[f"{size}-{number}" for number in range(size)], areas=["nw", "mitte"])
        message = city.released(author, approver)
        fanout.plan(message.pk)
        delivery = Delivery.objects.select_related("message").get(message=message, channel="crowd")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            frozen = matching.freeze(delivery, "push", ["de", "en"], 0, 1000)
        counts.append(len(queries))
        assert frozen == Subscription.objects.count()
    assert counts[0] == counts[1]


def test_an_address_is_found_by_its_hash_and_lies_sealed(author: User) -> None:
    [one] = city.subscribe("email", "anna@haus.example")
    assert b"anna" not in one.address
    assert sealing.unseal("email", one.address) == "anna@haus.example"
    assert sealing.seal("email", "anna@haus.example") != one.address
    assert Subscription.objects.get(lookup=sealing.lookup("email", "anna@haus.example")) == one
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal("sms", one.address)


def test_how_many_would_be_reached_is_told_without_a_message(author: User) -> None:
    city.subscribe("push", "a", "b", areas=["nw"])
    city.subscribe("push", "c", areas=["fern"])
    content = city.content(touched=(District("nw", "Nordwest"),))
    assert matching.would_reach(content, "push") == 2
