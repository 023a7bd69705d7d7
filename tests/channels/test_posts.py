"""A publisher's posts: begun before they go out, looked up where uncertain, by hand, left out, never twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from alerts.models import Alarm, Message
from alerts.notice import Rendering
from alerts.terms import Kind
from channels import fanout, jobs, pauses
from channels.base import ByHand, Permanent, Post, Temporary, Uncertain
from channels.models import Attempt, Delivery, State
from tests import city
from tests.channels import fakes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "wired")]

HERE = "tests.channels.test_posts."


class Platform(fakes.Fake):
    """A platform that makes a container first, and can be asked what it has."""

    city = False
    has: ClassVar[dict[str, str]] = {}
    """What stands there: remote id -> key."""
    containers: ClassVar[list[str]] = []
    looked: ClassVar[list[str]] = []
    silent: ClassVar[list[Exception]] = []
    """What looking up comes to, where it fails."""

    def begin(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Mapping[str, Any]:
        if rendering.begun:
            return rendering.begun
        self.containers.append(key)
        return {"container": f"c{len(self.containers)}"}

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        container = str(rendering.begun["container"])
        if fakes.script[self.name]:
            step = fakes.script[self.name].pop(0)
            if step is LOST_ANSWER:
                self.has[container] = key
                raise Uncertain("no answer in time")
            assert isinstance(step, Exception)
            raise step
        self.has[container] = key
        return Post(container, data={"reply_to": reply_to.remote_id if reply_to else ""})

    def look_up(
        self, rendering: Rendering, *, key: str, since: dt.datetime, reply_to: Post | None = None
    ) -> Post | None:
        self.looked.append(key)
        if self.silent:
            raise self.silent.pop(0)
        return next((Post(remote) for remote, of in self.has.items() if of == key), None)


LOST_ANSWER = Uncertain("it went out, and the answer was lost")


class Hands(fakes.Commercial):
    """One that an officer has to post by hand."""

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        raise ByHand("Alles liegt bereit.")


@pytest.fixture
def wired(settings: Any, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "platform": {"adapter": HERE + "Platform", "rehearsal": False},
        "hands": {"adapter": HERE + "Hands", "rehearsal": False},
        "loud": {"adapter": "tests.channels.fakes.Commercial", "rehearsal": False, "least": "Severe"},
    }
    monkeypatch.setattr(jobs, "ring_for", list)
    for kept in (Platform.has, Platform.containers, Platform.looked, Platform.silent):
        kept.clear()


@pytest.fixture
def message(author: User, approver: User, wired: None) -> Message:
    message = city.released(author, approver)
    jobs.fan_out(message.pk)
    return message


def carried(message: Message, channel: str = "platform") -> Delivery:
    """The delivery after one more try; what it waits for is over."""
    Delivery.objects.filter(message=message, channel=channel, state=State.WAITING).update(
        due_at=Now() - dt.timedelta(seconds=1)
    )
    row = Delivery.objects.get(message=message, channel=channel)
    jobs.deliver(row.pk)
    row.refresh_from_db()
    return row


def test_what_was_begun_is_kept_before_anything_goes_out(message: Message) -> None:
    fakes.script["platform"] = [Temporary("noch nicht fertig")]
    assert carried(message).state == State.WAITING
    assert carried(message).state == State.DONE
    assert Platform.containers == [f"{message.identifier}:platform:{language}" for language in ("de", "en")]


def test_a_lost_answer_is_looked_up_and_never_posted_twice(message: Message) -> None:
    fakes.script["platform"] = [LOST_ANSWER]
    row = carried(message)
    assert (row.state, row.unsure) == (State.WAITING, True)
    row = carried(message)
    assert (row.state, row.unsure) == (State.DONE, False)
    assert Platform.looked == [f"{message.identifier}:platform:de"]
    assert list(Platform.has) == ["c1", "c2"]
    assert [post.remote_id for post in row.posts.order_by("pk")] == ["c1", "c2"]


def test_what_looking_up_needs_is_kept_with_an_uncertain_outcome(message: Message) -> None:
    fakes.script["platform"] = [Uncertain("wird noch verarbeitet", begun={"container": "c1", "number": "v7"})]
    row = carried(message)
    assert row.begun == {"de": {"container": "c1", "number": "v7"}}


def test_what_surely_did_not_go_out_goes_again(message: Message) -> None:
    fakes.script["platform"] = [Uncertain("abgebrochen")]
    carried(message)
    assert carried(message).state == State.DONE
    assert list(Platform.has) == ["c1", "c2"]


def test_what_nobody_can_tell_is_unclear_and_alarmed(message: Message) -> None:
    fakes.script["platform"] = [LOST_ANSWER]
    Platform.silent.append(Uncertain("nicht zu erfahren"))
    carried(message)
    assert not Alarm.objects.filter(key__startswith="delivery").exists()
    assert carried(message).state == State.UNCLEAR
    assert Alarm.objects.filter(key__startswith="delivery").count() == 1
    assert len(Platform.has) == 1


def test_a_look_up_that_fails_is_tried_again(message: Message) -> None:
    fakes.script["platform"] = [LOST_ANSWER]
    Platform.silent.append(Temporary("antwortet nicht"))
    carried(message)
    row = carried(message)
    assert (row.state, row.unsure) == (State.WAITING, True)
    assert carried(message).state == State.DONE
    assert len(Platform.has) == 2


def test_a_lost_worker_s_post_is_looked_up(message: Message) -> None:
    row = Delivery.objects.get(message=message, channel="platform")
    assert fanout.claim(row.pk)
    Platform.has["c9"] = f"{message.identifier}:platform:de"
    Delivery.objects.filter(pk=row.pk).update(lease_until=Now() - dt.timedelta(seconds=1))
    jobs.sweep(patience=60)
    row.refresh_from_db()
    assert (row.state, row.unsure) == (State.WAITING, True)
    row = carried(message)
    assert row.state == State.DONE
    assert row.posts.order_by("pk")[0].remote_id == "c9"


def test_by_hand_waits_for_an_officer_and_alarms_nobody(message: Message, author: User) -> None:
    row = carried(message, "hands")
    assert (row.state, row.words) == (State.BY_HAND, "Alles liegt bereit.")
    assert row.attempts.get().result == Attempt.Result.BY_HAND
    assert not Alarm.objects.exists()
    fanout.mark_sent(row.pk, author)
    row.refresh_from_db()
    assert row.state == State.DONE


def test_what_lies_ready_by_hand_is_superseded(message: Message, author: User, approver: User) -> None:
    row = carried(message, "hands")
    newer = city.followed(message, Kind.UPDATE, author, approver)
    fanout.plan(newer.pk)
    row.refresh_from_db()
    assert row.state == State.SUPERSEDED


@pytest.mark.parametrize(("severity", "state"), [("Minor", State.LEFT_OUT), ("Severe", State.WAITING)])
def test_a_channel_may_ask_for_a_least_severity(author: User, approver: User, severity: str, state: str) -> None:
    message = city.released(author, approver, severity=severity)
    fanout.plan(message.pk)
    assert Delivery.objects.get(message=message, channel="loud").state == state


def test_a_correction_reaches_every_channel_that_carried_the_error(settings: Any, author: User, approver: User) -> None:
    settings.CHANNELS["loud"]["least"] = "Minor"
    message = city.released(author, approver, severity="Minor")
    jobs.fan_out(message.pk)
    assert carried(message, "loud").state == State.DONE
    settings.CHANNELS["loud"]["least"] = "Extreme"
    other = city.released(author, approver, severity="Minor")
    fanout.plan(other.pk)
    assert Delivery.objects.get(message=other, channel="loud").state == State.LEFT_OUT
    for kind in (Kind.CORRECTION, Kind.ALL_CLEAR):
        message = city.followed(message, kind, author, approver)
        jobs.fan_out(message.pk)
        assert carried(message, "loud").state == State.DONE


def test_a_follow_up_stays_away_from_a_channel_that_carried_nothing(author: User, approver: User) -> None:
    message = city.released(author, approver, severity="Minor")
    fanout.plan(message.pk)
    over = city.followed(message, Kind.ALL_CLEAR, author, approver)
    fanout.plan(over.pk)
    assert Delivery.objects.get(message=over, channel="loud").state == State.LEFT_OUT


def test_a_pause_holds_a_channel_until_it_ends(message: Message, author: User) -> None:
    pauses.pause("platform", author)
    assert carried(message).state == State.WAITING
    assert not Platform.has
    pauses.resume("platform", author)
    assert carried(message).state == State.DONE


@pytest.mark.parametrize("trouble", [Temporary("wartet", after=3600), LOST_ANSWER, Permanent("gesperrt")])
def test_a_platform_in_trouble_keeps_no_other_channel_from_work(message: Message, trouble: Exception) -> None:
    fakes.script["platform"] = [trouble]
    row = carried(message)
    assert row.state in {State.WAITING, State.FAILED}
    assert carried(message, "loud").state == State.DONE
    if isinstance(trouble, Temporary):
        assert Delivery.objects.filter(pk=row.pk, due_at__gt=Now() + dt.timedelta(minutes=59)).exists()


def test_an_update_is_a_reply_to_the_first_post(message: Message, author: User, approver: User) -> None:
    carried(message)
    newer = city.followed(message, Kind.UPDATE, author, approver)
    jobs.fan_out(newer.pk)
    row = carried(newer)
    assert [post.data["reply_to"] for post in row.posts.order_by("pk")] == ["c1", "c2"]


def test_a_refusal_fails_and_alarms(message: Message) -> None:
    fakes.script["platform"] = [Permanent("Zugang abgelaufen")]
    assert carried(message).state == State.FAILED
    assert "Zugang abgelaufen" in Alarm.objects.get().text
