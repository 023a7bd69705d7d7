"""When each officer drilled last, and the mail that reminds him."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from alerts import approval, audit, drills
from alerts.models import Profile, ReleasePlan
from alerts.terms import Status
from channels import upkeep
from tests import city

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "quiet")]


@contextmanager
def later(**span: float) -> Iterator[None]:
    """The clock of Belfry, that much later."""
    at = timezone.now() + dt.timedelta(**span)
    with mock.patch("django.utils.timezone.now", return_value=at):
        yield


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str]]:
    """To whom reminders went, and what they said."""
    sent: list[tuple[list[str], str]] = []
    monkeypatch.setattr("alerts.ports.notify", lambda _subject, body, only: sent.append((list(only), body)))
    return sent


def test_who_wrote_and_who_approved_a_released_exercise_has_drilled(author: User, approver: User) -> None:
    message = city.released(author, approver, status=Status.EXERCISE)
    assert drills.last([author, approver]) == {author.pk: message.sent, approver.pk: message.sent}


def test_a_real_alert_and_an_exercise_not_yet_released_are_no_drill(author: User, approver: User) -> None:
    city.released(author, approver)
    draft = city.submitted(
        author, status=Status.EXERCISE, plan=ReleasePlan.DRILL, facts_at=None, valid_for=60, next_in=None
    )
    approval.approve(draft.pk, draft.digest, approver)
    assert drills.last([author, approver]) == {}


def test_who_led_a_drill_has_drilled_and_the_newest_counts(author: User, approver: User) -> None:
    city.released(author, approver, status=Status.EXERCISE)
    line = audit.record(approver, "drill", "draft 1 of alert 1")
    assert drills.last([approver]) == {approver.pk: line.at}


def test_an_officer_named_like_belfry_itself_led_no_drill_of_the_command_line(db: None) -> None:
    audit.record(None, "drill", "draft 1 of alert 1")
    assert drills.last([city.officer(audit.SYSTEM)]) == {}


def test_each_is_reminded_alone_and_once_in_so_many_days(
    author: User, approver: User, told: list[tuple[list[str], str]], settings: Any
) -> None:
    settings.DRILL_DAYS = 30
    city.released(author, approver, status=Status.EXERCISE)
    with later(days=29):
        assert drills.remind() == 0
    with later(days=31):
        assert drills.remind() == 2
        assert drills.remind() == 0
    assert sorted(to for to, _body in told) == [[approver.email], [author.email]]
    with later(days=60):
        assert drills.remind() == 0
    with later(days=62):
        assert drills.remind() == 2


def test_who_drilled_meanwhile_is_left_alone(author: User, approver: User, told: list[tuple[list[str], str]]) -> None:
    with later(days=40):
        city.released(author, approver, status=Status.EXERCISE)
        assert drills.remind() == 0
    assert told == []


def test_nobody_is_reminded_of_what_is_not_his(told: list[tuple[list[str], str]]) -> None:
    city.officer("observer")
    city.officer("administrator")
    User.objects.filter(pk=city.officer("gone", "write_draft").pk).update(is_active=False)
    User.objects.filter(pk=city.officer("mute", "write_draft").pk).update(email="")
    with later(days=40):
        assert drills.remind() == 0
    assert told == []


def test_zero_days_remind_nobody(author: User, settings: Any, told: list[tuple[list[str], str]]) -> None:
    settings.DRILL_DAYS = 0
    with later(days=400):
        assert drills.remind() == 0
        assert not drills.is_due(None)


def test_a_mail_that_fails_stays_owed_and_holds_up_no_other(
    author: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def notify(_subject: str, _body: str, *, only: list[str]) -> None:
        if only == [author.email]:
            raise OSError
        sent.extend(only)

    monkeypatch.setattr("alerts.ports.notify", notify)
    with later(days=40):
        assert drills.remind() == 1
    assert sent == [approver.email]
    assert Profile.objects.get(officer=author).drill_reminded_at is None


def test_of_two_processes_one_reminds(author: User, told: list[tuple[list[str], str]]) -> None:
    with later(days=40):
        stale = list(drills._not_reminded(timezone.now() - dt.timedelta(days=30)))
        profile, _made = Profile.objects.get_or_create(officer=author)
        with mock.patch.object(Profile.objects, "get_or_create", return_value=(profile, False)):
            assert drills._remind(stale[0], None)
            assert not drills._remind(stale[0], None)
    assert len(told) == 1


def test_upkeep_looks_once_a_day(author: User, told: list[tuple[list[str], str]]) -> None:
    User.objects.update(date_joined=timezone.now() - dt.timedelta(days=40))
    upkeep.remind_of_drills()
    Profile.objects.update(drill_reminded_at=None)
    upkeep.remind_of_drills()
    assert len(told) == 1


def test_the_mail_goes_to_that_officer_and_not_to_the_roster(
    author: User, approver: User, settings: Any, mailoutbox: list[Any]
) -> None:
    settings.ROSTER = ["roster@stadt.example"]
    Profile.objects.create(officer=approver, drill_reminded_at=timezone.now() + dt.timedelta(days=39))
    with later(days=40):
        drills.remind()
    assert [mail.bcc for mail in mailoutbox] == [[author.email]]
