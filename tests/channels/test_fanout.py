"""Rows are the queue: claimed once, leased, settled, swept, superseded; the gate before everything commercial."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models.functions import Now

from alerts.models import Alarm, Message
from alerts.people import NotAllowed, Refused
from alerts.terms import Kind
from channels import fanout, jobs, tally
from channels.base import Permanent, Temporary, Uncertain
from channels.models import Attempt, Delivery, Post, State
from channels.upkeep import Upkeep
from tests import city
from tests.channels import fakes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "wired")]

FAKES = "tests.channels.fakes."


@pytest.fixture
def wired(settings: Any, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHANNELS = {
        "page": {"adapter": FAKES + "Page"},
        "feed": {"adapter": FAKES + "Page"},
        "own": {"adapter": FAKES + "Own", "rehearsal": False},
        "once": {"adapter": FAKES + "Once", "rehearsal": False},
        "loud": {"adapter": FAKES + "Commercial", "rehearsal": False},
    }
    monkeypatch.setattr(jobs, "ring_for", _told.extend)
    _told.clear()


_told: list[Delivery] = []


@pytest.fixture
def message(author: User, approver: User, wired: None) -> Message:
    return city.released(author, approver)


def delivery(message: Message, channel: str) -> Delivery:
    return Delivery.objects.get(message=message, channel=channel)


def due(**rows: Any) -> None:
    Delivery.objects.filter(**rows).update(due_at=Now() - dt.timedelta(seconds=60))


def test_planning_twice_makes_one_delivery_for_each_channel(message: Message) -> None:
    fanout.plan(message.pk)
    fanout.plan(message.pk)
    assert sorted(Delivery.objects.values_list("channel", "queue")) == [
        ("feed", "site"),
        ("loud", "commercial"),
        ("once", "city-urgent"),
        ("own", "city-urgent"),
        ("page", "site"),
    ]


def test_the_database_refuses_a_second_delivery_by_one_channel(message: Message) -> None:
    fanout.plan(message.pk)
    row = delivery(message, "own")
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_what_was_approved_is_what_is_sent(message: Message) -> None:
    jobs.fan_out(message.pk)
    assert [text for _key, text in fakes.sent["page"]] == [
        "Bombenfund: Verlassen Sie das Gebiet",
        "Bomb found: leave the area",
    ]
    keys = [key for key, _text in fakes.sent["page"]]
    assert keys == [f"{message.identifier}:page:de", f"{message.identifier}:page:en"]


def test_no_commercial_channel_is_claimed_before_the_gate(message: Message) -> None:
    fanout.plan(message.pk)
    assert fanout.claim(delivery(message, "loud").pk) is None
    jobs.deliver(delivery(message, "page").pk)
    message.refresh_from_db()
    assert message.live_at is None
    assert fanout.claim(delivery(message, "loud").pk) is None
    jobs.deliver(delivery(message, "feed").pk)
    message.refresh_from_db()
    assert message.live_at is not None
    assert [row.channel for row in _told] == ["loud"]
    jobs.deliver(delivery(message, "loud").pk)
    assert len(fakes.sent["loud"]) == 2


def test_the_gate_is_set_once(message: Message) -> None:
    jobs.fan_out(message.pk)
    message.refresh_from_db()
    first = message.live_at
    assert not fanout.open_if_live(message.pk)
    with pytest.raises(DatabaseError, match="rows never change"), transaction.atomic():
        Message.objects.filter(pk=message.pk).update(live_at=None)
    message.refresh_from_db()
    assert message.live_at == first


def test_a_page_that_fails_alarms_at_once_and_an_officer_may_open_the_gate(
    message: Message, approver: User, author: User
) -> None:
    fakes.script["page"] = [Temporary("public folder can't be written")]
    jobs.fan_out(message.pk)
    assert "public folder" in Alarm.objects.get().text
    assert fanout.claim(delivery(message, "loud").pk) is None
    with pytest.raises(NotAllowed):
        fanout.open_gate(message.pk, "Der Server steht, wir müssen warnen.", author)
    with pytest.raises(Refused):
        fanout.open_gate(message.pk, "eilt", approver)
    fanout.open_gate(message.pk, "Der Server steht, wir müssen warnen.", approver)
    assert fanout.claim(delivery(message, "loud").pk)
    due(channel="page")
    jobs.deliver(delivery(message, "page").pk)
    assert Alarm.objects.get().ended_at is not None


def test_city_channels_do_not_wait_for_the_page(message: Message) -> None:
    fakes.script["page"] = [Temporary("kaputt")] * 3
    jobs.fan_out(message.pk)
    jobs.deliver(delivery(message, "own").pk)
    assert delivery(message, "own").state == State.DONE


def test_an_error_says_what_happens_next(message: Message) -> None:
    fanout.plan(message.pk)
    fakes.script["own"] = [Temporary("antwortet 503", after=120)]
    jobs.deliver(delivery(message, "own").pk)
    row = delivery(message, "own")
    assert (row.state, row.words) == (State.WAITING, "antwortet 503")
    assert Delivery.objects.filter(pk=row.pk, due_at__gt=Now() + dt.timedelta(seconds=100)).exists()
    due(pk=row.pk)
    fakes.script["own"] = [Permanent("antwortet 403")]
    jobs.deliver(row.pk)
    assert delivery(message, "own").state == State.FAILED
    fakes.script["once"] = [Uncertain("keine Antwort")]
    jobs.deliver(delivery(message, "once").pk)
    assert delivery(message, "once").state == State.UNCLEAR
    assert list(Attempt.objects.order_by("pk").values_list("result", flat=True)) == [
        "temporary",
        "permanent",
        "uncertain",
    ]


def test_an_uncertain_outcome_is_tried_again_where_that_is_harmless(message: Message) -> None:
    fanout.plan(message.pk)
    fakes.script["own"] = [Uncertain("keine Antwort")]
    jobs.deliver(delivery(message, "own").pk)
    assert delivery(message, "own").state == State.WAITING


def test_a_fault_of_ours_leaves_no_row_behind_as_if_somebody_worked_on_it(message: Message) -> None:
    fanout.plan(message.pk)
    fakes.script["own"] = [ZeroDivisionError()]
    fakes.script["once"] = [ZeroDivisionError()]
    jobs.deliver(delivery(message, "own").pk)
    jobs.deliver(delivery(message, "once").pk)
    assert delivery(message, "own").state == State.WAITING
    assert delivery(message, "once").state == State.UNCLEAR
    assert "ZeroDivisionError" in delivery(message, "once").words


def test_what_went_out_in_one_language_is_not_sent_again_with_the_other(message: Message) -> None:
    fanout.plan(message.pk)
    row = delivery(message, "own")
    fakes.script["own"] = [lambda: None, Temporary("später")]
    jobs.deliver(row.pk)
    due(pk=row.pk)
    jobs.deliver(row.pk)
    assert [key.rsplit(":", 1)[1] for key, _ in fakes.sent["own"]] == ["de", "en"]
    assert Post.objects.filter(delivery=row).count() == 2


def test_a_worker_that_outlives_its_lease_stops_and_writes_nothing(message: Message) -> None:
    fanout.plan(message.pk)
    row = delivery(message, "own")

    def lease_runs_out() -> None:
        Delivery.objects.filter(pk=row.pk).update(lease_until=Now() - dt.timedelta(seconds=1))

    fakes.script["own"] = [lease_runs_out]
    jobs.deliver(row.pk)
    assert len(fakes.sent["own"]) == 1, "it stopped after the language it was in"
    assert not Post.objects.filter(delivery=row).exists()
    assert delivery(message, "own").state == State.SENDING
    jobs.sweep(patience=60)
    assert delivery(message, "own").state == State.WAITING
    assert Attempt.objects.get(delivery=row).result == "lost"


def test_a_worker_lost_in_a_channel_that_cannot_be_tried_twice_is_unclear(message: Message) -> None:
    fanout.plan(message.pk)
    row = delivery(message, "once")
    assert fanout.claim(row.pk)
    Delivery.objects.filter(pk=row.pk).update(lease_until=Now() - dt.timedelta(seconds=1))
    jobs.sweep(patience=60)
    assert delivery(message, "once").state == State.UNCLEAR
    assert Alarm.objects.filter(key=f"delivery {row.pk}").exists()
    assert not fakes.sent["once"]


def test_settling_without_the_lease_changes_nothing(message: Message) -> None:
    fanout.plan(message.pk)
    row = delivery(message, "own")
    token = fanout.claim(row.pk)
    assert token
    done = fanout.Result(Attempt.Result.ACCEPTED)
    assert not fanout.settle(row.pk, "f" * 32, done, idempotent=True, site=False)
    assert delivery(message, "own").state == State.SENDING
    assert fanout.settle(row.pk, token, done, idempotent=True, site=False)
    assert not fanout.settle(row.pk, token, done, idempotent=True, site=False)


def test_a_superseded_message_still_waiting_is_never_sent_after_its_successor(
    message: Message, author: User, approver: User
) -> None:
    fanout.plan(message.pk)
    following = city.followed(message, Kind.UPDATE, author, approver)
    assert fanout.claim(delivery(message, "own").pk) is None, "even before the successor is planned"
    fanout.plan(following.pk)
    assert delivery(message, "own").state == State.SUPERSEDED
    assert delivery(message, "page").state == State.WAITING, "pages are history and are always made"
    jobs.deliver(delivery(following, "own").pk)
    assert all(key.startswith(following.identifier) for key, _ in fakes.sent["own"])


def test_what_expired_before_it_could_go_out_is_left_out(message: Message, author: User, approver: User) -> None:
    fanout.plan(message.pk)
    with connection.cursor() as cursor:  # a message never changes: the guard is lifted for this one row
        guard(cursor, on=False)
        Message.objects.filter(pk=message.pk).update(
            sent=Now() - dt.timedelta(hours=2), expires=Now() - dt.timedelta(hours=1)
        )
        guard(cursor, on=True)
    jobs.sweep(patience=60)
    assert delivery(message, "own").state == State.LEFT_OUT
    assert delivery(message, "page").state == State.WAITING


def guard(cursor: Any, *, on: bool) -> None:
    from alerts import guards

    if on:
        guards.install(connection, [Message])
    else:
        where = " ON alerts_message" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER alerts_message_frozen{where}")


def test_a_channel_removed_after_submission_is_recorded_as_left_out(settings: Any, message: Message) -> None:
    settings.CHANNELS = {name: entry for name, entry in settings.CHANNELS.items() if name != "own"}
    fanout.plan(message.pk)
    assert delivery(message, "own").state == State.LEFT_OUT


def test_a_channel_added_after_submission_is_not_sent_to(settings: Any, message: Message) -> None:
    settings.CHANNELS = settings.CHANNELS | {"new": {"adapter": FAKES + "Own"}}
    fanout.plan(message.pk)
    assert not Delivery.objects.filter(channel="new").exists()


def test_a_channel_in_rehearsal_records_what_it_would_send(settings: Any, author: User, approver: User) -> None:
    settings.CHANNELS = settings.CHANNELS | {"own": {"adapter": FAKES + "Own", "rehearsal": True}}
    message = city.released(author, approver)
    fanout.plan(message.pk)
    jobs.deliver(delivery(message, "own").pk)
    assert not fakes.sent["own"]
    assert Post.objects.filter(delivery__channel="own").first().data["would_send"]["link"]  # type: ignore[union-attr]


def test_an_exercise_reaches_channels_in_rehearsal_only_and_never_prints_the_order(
    author: User, approver: User
) -> None:
    message = city.released(author, approver, status="Exercise")
    fanout.plan(message.pk)
    for row in Delivery.objects.filter(channel__in=["own", "once"]):
        jobs.deliver(row.pk)
    assert not fakes.sent["own"]
    said = str(list(Post.objects.values_list("data", flat=True)))
    assert "ÜBUNG" in said or "EXERCISE" in said
    assert "Verlassen" not in said
    assert "leave the area" not in said


def test_the_queue_follows_the_highest_severity_the_alert_ever_had(author: User, approver: User) -> None:
    minor = city.released(author, approver, severity="Minor")
    fanout.plan(minor.pk)
    assert delivery(minor, "own").queue == "city"
    clear = city.followed(minor, Kind.ALL_CLEAR, author, approver)
    fanout.plan(clear.pk)
    assert delivery(clear, "own").queue == "city-urgent"
    extreme = city.released(author, approver)
    milder = city.followed(extreme, Kind.UPDATE, author, approver)
    fanout.plan(milder.pk)
    assert delivery(milder, "own").queue == "city-urgent"


def test_the_sweep_plans_what_nobody_was_told_of(message: Message) -> None:
    assert not Delivery.objects.exists()
    with connection.cursor() as cursor:
        guard(cursor, on=False)
        Message.objects.filter(pk=message.pk).update(sent=Now() - dt.timedelta(seconds=30))
        guard(cursor, on=True)
    jobs.sweep(patience=60)
    assert {row.channel for row in _told} == {"page", "feed", "own", "once"}


def test_upkeep_carries_out_itself_what_no_worker_took(message: Message) -> None:
    fanout.plan(message.pk)
    due(message=message)
    assert jobs.sweep(patience=5) == 4
    message.refresh_from_db()
    assert message.live_at is not None
    assert delivery(message, "loud").state == State.WAITING, "commercial channels wait for their workers"


def test_upkeep_sounds_an_alarm_when_redis_is_gone_and_ends_it(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.exceptions import ConnectionError as Gone

    settings.REDIS_PATIENCE_SECONDS = 0

    class Dead:
        def ping(self) -> None:
            raise Gone

    monkeypatch.setattr("channels.upkeep.django_rq.get_connection", lambda _name: Dead())
    upkeep = Upkeep()
    upkeep.look_at_redis()
    assert Alarm.objects.get(key="redis").ended_at is None
    monkeypatch.setattr(
        "channels.upkeep.django_rq.get_connection", lambda _name: type("Up", (), {"ping": lambda _: True})()
    )
    upkeep.look_at_redis()
    assert Alarm.objects.get(key="redis").ended_at is not None


def test_an_officer_sends_again_leaves_out_and_marks_as_sent(message: Message, author: User) -> None:
    fanout.plan(message.pk)
    fakes.script["own"] = [Permanent("abgelehnt")]
    fakes.script["once"] = [Uncertain("keine Antwort")]
    jobs.deliver(delivery(message, "own").pk)
    jobs.deliver(delivery(message, "once").pk)
    fanout.try_again(delivery(message, "own").pk, author)
    assert delivery(message, "own").state == State.WAITING
    fanout.mark_sent(delivery(message, "once").pk, author)
    assert delivery(message, "once").state == State.DONE
    with pytest.raises(Refused):
        fanout.leave_out(delivery(message, "once").pk, author)
    with pytest.raises(NotAllowed):
        fanout.try_again(delivery(message, "own").pk, city.officer("nobody"))


@pytest.mark.django_db(transaction=True)
def test_two_workers_claiming_one_delivery_one_gets_it(message: Message) -> None:
    fanout.plan(message.pk)
    for row in Delivery.objects.filter(city=True):
        barrier = threading.Barrier(4)
        tokens: list[str | None] = []

        def claim(pk: int = row.pk, barrier: threading.Barrier = barrier, tokens: list[str | None] = tokens) -> None:
            barrier.wait()
            tokens.append(fanout.claim(pk))
            connection.close()

        threads = [threading.Thread(target=claim) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([token for token in tokens if token]) == 1


def test_a_pause_doubles_with_jitter_and_is_short_for_the_citys_own_page() -> None:
    assert 0.25 <= fanout.pause(0) <= 0.75
    assert 4 <= fanout.pause(4) <= 12
    assert fanout.pause(30) <= 450
    assert fanout.pause(30, site=True) <= 7.5


def test_progress_counts_from_the_approval(message: Message) -> None:
    jobs.fan_out(message.pk)
    rows = tally.progress(message.pk)
    assert [row["channel"] for row in rows[:2]] == ["page", "feed"]
    assert all(row["seconds"] is not None and 0 <= row["seconds"] < 60 for row in rows[:2])
    assert message.approval is not None
    done = Delivery.objects.get(message=message, channel="page").done_at
    assert done is not None
    assert rows[0]["seconds"] == (done - message.approval.at).total_seconds()


def test_an_all_clear_between_two_languages_stops_the_old_order(message: Message, author: User, approver: User) -> None:
    fanout.plan(message.pk)

    def all_clear() -> None:
        city.followed(message, Kind.ALL_CLEAR, author, approver)

    fakes.script["own"] = [all_clear]
    jobs.deliver(delivery(message, "own").pk)
    assert len(fakes.sent["own"]) == 1, "what was in flight can't be helped; the next language can"
    assert delivery(message, "own").state == State.SUPERSEDED


def test_a_language_that_fails_does_not_keep_the_others_off_the_page(message: Message) -> None:
    fanout.plan(message.pk)
    fakes.script["page"] = [Temporary("nicht gefunden", after=3600)]
    jobs.deliver(delivery(message, "page").pk)
    assert [key.rsplit(":", 1)[1] for key, _ in fakes.sent["page"]] == ["en"]
    row = delivery(message, "page")
    assert row.state == State.WAITING
    assert Delivery.objects.filter(pk=row.pk, due_at__lt=Now() + dt.timedelta(seconds=10)).exists(), (
        "whatever a proxy asks for, the city's page is tried again within seconds"
    )


def test_a_channel_that_cannot_be_made_keeps_a_message_from_no_other(settings: Any, message: Message) -> None:
    settings.CHANNELS = settings.CHANNELS | {"own": {"adapter": FAKES + "Own", "nonsense": 1}}
    jobs.fan_out(message.pk)
    assert delivery(message, "own").state == State.LEFT_OUT
    assert delivery(message, "page").state == State.DONE


def test_an_overtaken_message_is_not_sent_again_by_hand(message: Message, author: User, approver: User) -> None:
    fanout.plan(message.pk)
    fakes.script["own"] = [Permanent("abgelehnt")]
    jobs.deliver(delivery(message, "own").pk)
    city.followed(message, Kind.UPDATE, author, approver)
    with pytest.raises(Refused):
        fanout.try_again(delivery(message, "own").pk, author)
