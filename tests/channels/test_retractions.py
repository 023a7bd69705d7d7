"""A post made in error is taken back: once, tried again, alarmed where it can't be; nothing is forgotten on the way."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from redis.exceptions import ConnectionError as RedisGone

from alerts.models import Alarm, AuditEntry, Message
from alerts.people import NotAllowed, Refused
from alerts.terms import Status
from channels import fanout, jobs, retractions
from channels.base import Permanent, Temporary
from channels.models import Delivery, Post, Retraction, State
from tests import city
from tests.channels import fakes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "wired")]

WHY = "Der Beitrag nennt die falsche Straße."


@pytest.fixture
def wired(settings: Any, quiet: None) -> None:
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "shop": {"adapter": "tests.channels.fakes.Retractable", "rehearsal": False, "label": "Marktplatz"},
        "stone": {"adapter": "tests.channels.fakes.Commercial", "rehearsal": False},
        "trial": {"adapter": "tests.channels.fakes.Retractable", "rehearsal": True},
    }


@pytest.fixture
def message(author: User, approver: User, wired: None) -> Message:
    message = city.released(author, approver)
    for row in fanout.plan(message.pk):
        jobs.deliver(row.pk)
    fanout.open_if_live(message.pk)
    for row in message.deliveries.filter(state=State.WAITING):
        jobs.deliver(row.pk)
    return message


def post(message: Message, channel: str = "shop", language: str = "de") -> Post:
    return Post.objects.get(delivery__message=message, delivery__channel=channel, language=language)


def carried_out(asked: Retraction) -> Retraction:
    """The retraction after one more try; what it waits for is over."""
    Retraction.objects.filter(pk=asked.pk, state=State.WAITING).update(due_at=Now() - dt.timedelta(seconds=1))
    jobs.retract(asked.pk)
    asked.refresh_from_db()
    return asked


def test_a_post_is_taken_back_and_the_other_language_stays(message: Message, author: User) -> None:
    mine = post(message)
    row = carried_out(retractions.ask(mine.pk, WHY, author))
    assert (row.state, row.by, row.reason) == (State.DONE, author, WHY)
    assert fakes.taken_back["shop"] == [mine.remote_id]
    mine.refresh_from_db()
    assert mine.retracted_at is not None
    assert post(message, language="en").retracted_at is None
    told = AuditEntry.objects.filter(action__startswith="retract").order_by("pk")
    assert [entry.action for entry in told] == ["retraction-asked", "retracted"]


def test_what_fails_for_now_is_tried_again(message: Message, author: User) -> None:
    fakes.refusals["shop"] = [Temporary("antwortet nicht", after=90)]
    row = carried_out(retractions.ask(post(message).pk, WHY, author))
    assert (row.state, row.words, row.tries) == (State.WAITING, "antwortet nicht", 1)
    jobs.retract(row.pk)
    row.refresh_from_db()
    assert row.tries == 1, "not before its time"
    assert not Alarm.objects.exists()
    assert carried_out(row).state == State.DONE
    assert len(fakes.taken_back["shop"]) == 1


def test_a_refusal_is_alarmed_and_can_be_asked_again(message: Message, author: User) -> None:
    fakes.refusals["shop"] = [Permanent("Der Zugang darf nicht löschen.")]
    mine = post(message)
    row = carried_out(retractions.ask(mine.pk, WHY, author))
    assert (row.state, row.words) == (State.FAILED, "Der Zugang darf nicht löschen.")
    assert "Marktplatz" in Alarm.objects.get().text
    mine.refresh_from_db()
    assert mine.retracted_at is None
    again = retractions.ask(mine.pk, WHY, author)
    assert (again.pk, again.state, again.tries) == (row.pk, State.WAITING, 0)
    assert carried_out(again).state == State.DONE


def test_after_many_tries_an_officer_is_told(message: Message, author: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retractions, "TRIES", 2)
    fakes.refusals["shop"] = [Temporary("antwortet nicht"), Temporary("antwortet nicht")]
    row = carried_out(retractions.ask(post(message).pk, WHY, author))
    assert (carried_out(row).state, Alarm.objects.count()) == (State.FAILED, 1)


def test_a_fault_of_ours_says_nothing_of_itself(message: Message, author: User) -> None:
    fakes.refusals["shop"] = [ValueError("token=geheim")]
    row = carried_out(retractions.ask(post(message).pk, WHY, author))
    assert row.state == State.FAILED
    assert "geheim" not in row.words + Alarm.objects.get().text


def test_a_channel_that_can_t_says_so(message: Message, author: User) -> None:
    row = carried_out(retractions.ask(post(message, "stone").pk, WHY, author))
    assert row.state == State.FAILED
    assert "von Hand" in row.words or "by hand" in row.words


def test_a_lost_worker_s_retraction_is_taken_again(message: Message, author: User) -> None:
    row = retractions.ask(post(message).pk, WHY, author)
    Retraction.objects.filter(pk=row.pk).update(state=State.SENDING, lease="lost", lease_until=Now())
    assert retractions.owed() == [row.pk]
    assert carried_out(row).state == State.DONE


def test_one_that_somebody_is_at_is_left_to_them(message: Message, author: User) -> None:
    row = retractions.ask(post(message).pk, WHY, author)
    until = Now() + dt.timedelta(seconds=60)
    Retraction.objects.filter(pk=row.pk).update(state=State.SENDING, lease="theirs", lease_until=until)
    jobs.retract(row.pk)
    assert not fakes.taken_back["shop"]


def test_without_redis_the_sweep_rings_for_it(message: Message, author: User, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []

    class Queue:
        gone = True

        def enqueue(self, _job: Any, *ids: int, **_options: Any) -> None:
            if self.gone:
                raise RedisGone("down")
            rung.extend(ids)

    queue = Queue()
    monkeypatch.setattr("channels.jobs.django_rq.get_queue", lambda _name: queue)
    row = retractions.ask(post(message).pk, WHY, author)
    jobs.ring_to_retract([row.pk])
    row.refresh_from_db()
    assert (row.state, row.rung_at) == (State.WAITING, None)
    queue.gone = False
    jobs.sweep(patience=60)
    assert rung == [row.pk]
    jobs.sweep(patience=60)
    assert rung == [row.pk], "once told of, it is left to the worker for a while"
    assert carried_out(row).state == State.DONE


def test_twice_asked_is_refused(message: Message, author: User) -> None:
    mine = post(message)
    row = retractions.ask(mine.pk, WHY, author)
    with pytest.raises(Refused):
        retractions.ask(mine.pk, WHY, author)
    carried_out(row)
    with pytest.raises(Refused):
        retractions.ask(mine.pk, WHY, author)
    jobs.retract(row.pk)
    assert fakes.taken_back["shop"] == [mine.remote_id]


@pytest.mark.parametrize("channel", ["page", "trial"])
def test_the_page_and_a_rehearsal_have_nothing_to_take_back(message: Message, author: User, channel: str) -> None:
    with pytest.raises(Refused):
        retractions.ask(post(message, channel).pk, WHY, author)


def test_not_without_a_reason_and_not_by_anybody(message: Message, author: User) -> None:
    with pytest.raises(Refused):
        retractions.ask(post(message).pk, " falsch  ", author)
    with pytest.raises(NotAllowed):
        retractions.ask(post(message).pk, WHY, city.officer("stranger"))
    assert not Retraction.objects.exists()


def test_an_exercise_stands_nowhere(author: User, approver: User) -> None:
    drill = city.released(author, approver, status=Status.EXERCISE)
    for row in fanout.plan(drill.pk):
        jobs.deliver(row.pk)
    fanout.open_if_live(drill.pk)
    jobs.deliver(Delivery.objects.get(message=drill, channel="shop").pk)
    with pytest.raises(Refused):
        retractions.ask(post(drill).pk, WHY, author)
