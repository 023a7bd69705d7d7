"""Officers are reminded of promises, of facts that grow old and of drafts that wait; each reminder rings once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from alerts import alarms, approval, calls, callwords
from alerts.models import Alarm, Call
from alerts.people import Refused
from alerts.terms import Kind
from channels import reminders
from tests import city

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "quiet")]


def later(monkeypatch: pytest.MonkeyPatch, **delta: float) -> None:
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + dt.timedelta(**delta))


def rings() -> list[str]:
    """What kinds of alarms are open, after a look."""
    reminders.look()
    return sorted(alarm.key.partition(" ")[0] for alarm in alarms.open_alarms())


def test_a_promise_not_kept_is_an_alarm_until_the_message_comes(
    author: User, approver: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.FACTS_MINUTES = 0
    message = city.released(author, approver)
    assert rings() == []
    with pytest.MonkeyPatch.context() as patch:
        later(patch, minutes=52)
        assert rings() == ["due"]
        assert message.identifier in Alarm.objects.get().key
    later(monkeypatch, minutes=61)
    assert rings() == rings() == ["overdue"]
    alarm = Alarm.objects.get(ended_at__isnull=True)
    assert alarm.text.startswith("Bombenfund Dimitroffstraße: ")
    assert alarm.link.endswith(f"/desk/alert/{message.alert.slug}/")
    city.followed(message, Kind.UPDATE, author, approver)
    assert rings() == []


@pytest.mark.parametrize(("severity", "minutes"), [("Extreme", 60), ("Severe", 120), ("Minor", 120)])
def test_old_facts_are_an_alarm_sooner_where_the_danger_is_extreme(
    author: User, approver: User, monkeypatch: pytest.MonkeyPatch, severity: str, minutes: int
) -> None:
    now = timezone.now()
    message = city.released(author, approver, severity=severity, facts_at=now, next_in=None)
    with pytest.MonkeyPatch.context() as patch:
        later(patch, minutes=minutes - 1)
        assert rings() == []
    later(monkeypatch, minutes=minutes + 1)
    assert rings() == ["facts-old"]
    assert Alarm.objects.get().key == f"facts-old {message.identifier}"


def test_old_facts_ring_once_and_end_with_a_newer_message_or_the_alert(
    author: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = city.released(author, approver, next_in=None)
    later(monkeypatch, minutes=61)
    assert rings() == ["facts-old"]
    alarms.put_aside(Alarm.objects.get().pk, author)
    assert rings() == [], "who has put it aside is not told again"
    follow = city.followed(message, Kind.UPDATE, author, approver, next_in=None)
    later(monkeypatch, minutes=61)
    assert rings() == ["facts-old"], "the facts of the newer message have grown old in their turn"
    city.followed(follow, Kind.ALL_CLEAR, author, approver)
    assert rings() == []


def test_an_alert_that_has_ended_and_an_exercise_remind_nobody(
    author: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.released(author, approver, status="Exercise")
    city.released(author, approver, valid_for=70)
    later(monkeypatch, minutes=71)
    assert rings() == []


def test_a_draft_that_waits_too_long_is_told_once_more_and_alarms_the_desk(
    author: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[list[int], str]] = []

    def answer(_way: str, officers: list[int], words: Any) -> Iterator[tuple[int, str]]:
        said.append((officers, words.subject))
        for pk in officers:
            yield pk, "told"

    monkeypatch.setattr("alerts.ports.call", answer)
    draft = city.submitted(author)
    calls.send("sms")
    assert rings() == []
    later(monkeypatch, minutes=6)
    assert rings() == rings() == ["unapproved"]
    calls.send("sms")
    calls.send("sms")
    subjects = [subject.partition(":")[0] for _officers, subject in said]
    assert subjects == ["Freigabe nötig", "Freigabe weiter nötig"]
    assert said[1][0] == [approver.pk]
    told = calls.told(draft)
    assert told is not None
    assert told.name == "approver"
    approval.approve(draft.pk, draft.digest, approver)
    assert rings() == []


def test_an_exercise_that_waits_alarms_nobody_but_is_told_again(
    author: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.submitted(author, status="Exercise")
    later(monkeypatch, minutes=6)
    assert rings() == []
    assert Call.objects.filter(kind=callwords.AGAIN).count() == 1


def test_each_reminder_can_be_switched_off(
    author: User, approver: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.FACTS_MINUTES = settings.APPROVAL_MINUTES = 0
    city.released(author, approver, next_in=None)
    city.submitted(author, next_in=None)
    later(monkeypatch, minutes=150)
    assert rings() == []


def test_a_release_alone_stays_listed_until_another_officer_has_looked_at_it(
    author: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    chief = city.officer("chief", "write_draft", "break_glass")
    draft = city.drafted(author, next_in=None)
    message = approval.break_glass(draft.pk, draft.version, "Alle anderen sind im Einsatz.", chief)
    assert rings() == ["break-glass"]
    city.followed(message, Kind.ALL_CLEAR, author, approver)
    later(monkeypatch, days=3)
    calls.look()
    assert rings() == ["break-glass"], "neither time nor the all-clear ends it"
    alarm = Alarm.objects.get(key__startswith="break-glass")
    with pytest.raises(Refused):
        alarms.put_aside(alarm.pk, chief)
    assert rings() == ["break-glass"]
    alarms.put_aside(alarm.pk, approver)
    assert rings() == []
