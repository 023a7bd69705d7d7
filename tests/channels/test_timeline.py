"""The story of an alert put together from rows that no database has seen."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User

from alerts.content import to_json
from alerts.models import Alert, AuditEntry, Draft, Message, Part
from alerts.terms import MSG_TYPE, Kind, Status
from channels.models import Attempt, Delivery, Pause, Post, Retraction, State
from channels.tally import Counts
from channels.timeline import CHANNEL, GATE, WAS_PAUSED, Rows, Story, Tries, put_together
from tests import city

START = dt.datetime(2022, 9, 13, 17, 0, tzinfo=dt.UTC)
NOW = START + dt.timedelta(hours=2)
ALERT = Alert(pk=1, slug="bcdfg", status=Status.ACTUAL)
ANNA, BERT = User(pk=1, username="anna"), User(pk=2, username="bert")


def after(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def span(seconds: float) -> dt.timedelta:
    return dt.timedelta(seconds=seconds)


def draft(number: int = 1) -> Draft:
    return Draft(pk=10 + number, alert=ALERT, created_at=after(-300), plan="now")


def message(number: int = 1, at: float = 0, kind: str = Kind.WARNING, **changes: Any) -> Message:
    """Approved ``at`` seconds after the start; its words promise a next one within an hour."""
    said = city.content(facts_at=START, **changes).settled(after(at))
    return Message(
        pk=20 + number,
        alert=ALERT,
        number=number,
        draft=draft(number),
        identifier=f"leipzig.bcdfg.{number}.aa",
        sent=after(at),
        kind=kind,
        msg_type=MSG_TYPE[Kind(kind)],
        status=Status.ACTUAL,
        severity="Extreme",
        expires=said.expires,
        content_json=to_json(said),
        approval=Part(officer=BERT, part="approved", at=after(at)),
    )


def delivery(of: Message, channel: str = "shop", pk: int = 30, **changes: Any) -> Delivery:
    given: dict[str, Any] = {"state": State.DONE, "city": False, "planned_at": of.sent, **changes}
    return Delivery(pk=pk, message=of, channel=channel, **given)


def attempt(at: float, result: str = Attempt.Result.ACCEPTED, words: str = "") -> Attempt:
    return Attempt(at=after(at), result=result, words=words)


def line(number: int, action: str, subject: str, at: float = 0, actor: str = "anna", **data: Any) -> AuditEntry:
    return AuditEntry(number=number, at=after(at), actor=actor, action=action, subject=subject, data=data)


def told(*messages: Message, now: dt.datetime = NOW, **rows: Any) -> Story:
    return put_together(Rows(ALERT, messages, [one.draft for one in messages] or [draft()], **rows), now)


def actions(story: Story) -> list[str]:
    return [event.action for event in story.events]


def figures(story: Story) -> dict[str, float]:
    return {figure.key: figure.span.total_seconds() for figure in story.figures}


class TestChannels:
    def test_times_count_from_the_approval(self) -> None:
        first = message()
        tries = {30: Tries(attempt(0.5, Attempt.Result.TEMPORARY, "antwortet nicht"), attempt(2.5), 2)}
        story = told(first, deliveries=[delivery(first, done_at=after(2.6))], tries=tries)
        (way,) = story.said[0].ways
        assert (way.first, way.last) == (span(0.5), span(2.6))
        assert "antwortet nicht" in way.failed_first
        assert way.tries is not None
        assert way.tries.count == 2

    def test_a_first_try_that_went_well_is_not_told_of(self) -> None:
        first = message()
        tries = {30: Tries(attempt(0.5), attempt(0.5), 1)}
        (way,) = told(first, deliveries=[delivery(first, done_at=after(1))], tries=tries).said[0].ways
        assert way.failed_first == ""

    def test_clocks_that_differ_by_a_moment_give_no_negative_time(self) -> None:
        first = message()
        (way,) = told(first, deliveries=[delivery(first, started_at=after(-0.1), done_at=after(-0.05))]).said[0].ways
        assert (way.first, way.last) == (span(0), span(0))

    def test_one_that_never_began_has_no_times(self) -> None:
        first = message()
        story = told(first, deliveries=[delivery(first, state=State.SUPERSEDED, words="überholt")])
        (way,) = story.said[0].ways
        assert (way.first, way.last, way.last_at) == (None, None, None)
        assert story.said[0].superseded == 1
        assert [event.words for event in story.events if event.action == CHANNEL] == ["überholt"]

    def test_nobody_subscribed_is_nought_and_no_first_push(self) -> None:
        first = message()
        story = told(
            first,
            deliveries=[delivery(first, "webpush", started_at=after(1), done_at=after(1))],
            ways={"webpush": "push"},
        )
        assert story.said[0].ways[0].people == Counts()
        assert "push" not in figures(story)

    def test_what_channels_did_in_between_is_one_step(self) -> None:
        first = message()
        rows = [delivery(first, f"c{number}", 30 + number, done_at=after(number + 1)) for number in range(3)]
        story = told(first, deliveries=rows, lines=[line(1, "alarm", "redis", 2.5, text="Redis antwortet nicht.")])
        assert [len(step.events) for step in story.steps] == [2, 1, 1]
        assert [step.channels for step in story.steps] == [True, False, True]
        assert story.steps[0].done == 2


class TestPosts:
    def posts(self, *rows: Post, **changes: Any) -> list[Any]:
        first, second = message(), message(2, 60, Kind.UPDATE)
        both = [delivery(first, pk=30, **changes), delivery(second, pk=31, **changes)]
        story = told(first, second, deliveries=both, posts=rows)
        return [one for said in story.said for way in said.ways for one in way.posts]

    def test_the_second_one_is_a_reply_under_the_first(self) -> None:
        found = self.posts(Post(pk=1, delivery_id=30, language="de"), Post(pk=2, delivery_id=31, language="de"))
        assert [one.reply for one in found] == [False, True]

    def test_not_in_another_language_nor_under_one_that_was_taken_back(self) -> None:
        other = self.posts(Post(pk=1, delivery_id=30, language="de"), Post(pk=2, delivery_id=31, language="en"))
        gone = Post(pk=1, delivery_id=30, language="de", retracted_at=after(5))
        after_it = self.posts(gone, Post(pk=2, delivery_id=31, language="de"))
        assert not any(one.reply for one in [*other, *after_it])

    def test_not_in_rehearsal_nor_by_hand(self) -> None:
        both = (Post(pk=1, delivery_id=30, language="de"), Post(pk=2, delivery_id=31, language="de"))
        assert not any(one.reply for one in self.posts(*both, rehearsal=True))
        by_hand = tuple(Post(pk=pk, delivery_id=29 + pk, language="de", remote_id="by-hand") for pk in (1, 2))
        found = self.posts(*by_hand)
        assert [one.by_hand for one in found] == [True, True]
        assert not any(one.reply for one in found)

    @pytest.mark.parametrize("state", [State.WAITING, State.FAILED])
    def test_a_retraction_that_is_not_done_says_so(self, state: str) -> None:
        first = message()
        post = Post(pk=1, delivery_id=30, language="de")
        story = told(
            first, deliveries=[delivery(first)], posts=[post], retractions=[Retraction(post=post, state=state)]
        )
        (one,) = story.said[0].ways[0].posts
        assert one.taken_back
        assert (one.taken_back == "nicht zurückgenommen") is (state == State.FAILED)


class TestRecord:
    @pytest.mark.parametrize(
        ("action", "subject"),
        [
            ("returned", "draft 11 of alert 1"),
            ("gate-opened", "message 21"),
            ("try-again", "delivery 30"),
            ("retraction-asked", "post 40"),
            ("alarm", "retraction 50"),
            ("alarm", "break-glass leipzig.bcdfg.1.aa"),
            ("alarm", "overdue leipzig.bcdfg.1.aa"),
            ("alarm", "site 21 website"),
            ("alarm", "lapsed 11"),
        ],
    )
    def test_a_line_is_put_to_its_message(self, action: str, subject: str) -> None:
        first = message()
        post = Post(pk=40, delivery_id=30, language="de")
        story = told(
            first,
            deliveries=[delivery(first)],
            posts=[post],
            retractions=[Retraction(pk=50, post=post)],
            lines=[line(1, action, subject, 5)],
        )
        (event,) = [event for event in story.events if event.lines]
        assert event.message == 1
        assert event.after == span(5)

    def test_what_concerns_no_message_has_no_number(self) -> None:
        story = told(message(), lines=[line(1, "alarm", "redis", 5, text="Redis antwortet nicht.")])
        (event,) = story.events
        assert (event.message, event.words, event.after) == (0, "Redis antwortet nicht.", None)

    def test_the_end_of_an_alarm_says_which(self) -> None:
        rows = [line(1, "alarm", "redis", 1, text="Redis antwortet nicht."), line(2, "alarm-ended", "redis", 2)]
        assert [event.words for event in told(message(), lines=rows).events] == ["Redis antwortet nicht."] * 2

    def test_saving_by_one_officer_is_one_event_and_by_two_are_two(self) -> None:
        subject = "draft 11 of alert 1"
        rows = [line(1, "draft-saved", subject, -9), line(2, "draft-saved", subject, -8)]
        rows += [line(3, "draft-saved", subject, -7, "otto"), line(4, "submitted", subject, -6)]
        story = told(message(), lines=rows, names={"otto": "Otto Beispiel"})
        assert [(event.action, event.who, event.times) for event in story.events] == [
            ("draft-saved", "anna", 2),
            ("draft-saved", "Otto Beispiel", 1),
            ("submitted", "anna", 1),
        ]
        assert [one.number for event in story.events for one in event.lines] == [1, 2, 3, 4], "no line is lost"

    def test_events_stand_in_their_order(self) -> None:
        first = message()
        first.live_at = after(3)
        rows = [line(1, "approved", "draft 11 of alert 1"), line(2, "released", "draft 11 of alert 1")]
        paused = [Pause(channel="shop", since=after(-900), by=ANNA)]
        story = told(first, lines=rows, paused=paused, deliveries=[delivery(first, done_at=after(9))])
        assert actions(story) == [WAS_PAUSED, "approved", "released", GATE, CHANNEL]

    def test_a_gate_opened_by_hand_is_not_told_twice(self) -> None:
        first = message()
        first.live_at, first.gate_reason = after(3), "Der Webserver steht still."
        rows = [line(1, "gate-opened", "message 21", 3, reason=first.gate_reason)]
        assert actions(told(first, lines=rows)) == ["gate-opened"]


class TestFigures:
    def test_from_the_draft_to_the_last_sms(self) -> None:
        first = message()
        first.live_at = after(2)
        rows = [
            delivery(first, "webpush", 30, started_at=after(1), done_at=after(40)),
            delivery(first, "sms", 31, started_at=after(1), done_at=after(90)),
        ]
        people = {30: Counts(planned=5, accepted=5), 31: Counts(planned=5, accepted=4, failed=1)}
        story = told(first, deliveries=rows, people=people, ways={"webpush": "push", "sms": "sms"})
        assert figures(story) == {"approved": 300, "page": 2, "push": 1, "sms": 90, "overdue": 3600}

    def test_from_the_error_to_its_correction_and_a_promise_that_was_late(self) -> None:
        story = told(message(), message(2, 4000, Kind.CORRECTION), now=after(4001))
        assert figures(story) == {"approved": 300, "corrected": 4000, "late": 400}

    def test_an_all_clear_promises_nothing(self) -> None:
        ended = message(2, 60, Kind.ALL_CLEAR)
        assert set(figures(told(message(), ended))) == {"approved"}

    def test_a_promise_is_overdue_no_longer_than_the_warning_holds(self) -> None:
        story = told(message(), now=START + dt.timedelta(days=9))
        assert figures(story)["overdue"] == 3 * 3600

    def test_an_alert_without_any_message(self) -> None:
        story = told(lines=[line(1, "draft-new", "draft 11 of alert 1", kind="warning")])
        assert (story.said, story.figures, len(story.events)) == ((), (), 1)
