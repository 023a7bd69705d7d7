"""Alarms go out by mail and SMS: to whom, each way by itself, few texts an hour, and no contact data in them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from alerts import alarms, approval
from alerts.models import Alarm, AuditEntry, Profile
from channels.base import Temporary
from channels.city.sms.text import segments
from tests import city
from tests.channels.test_officers import Texts

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet")]

DUTY, SECOND = "+4915112000001", "+4915112000002"


@pytest.fixture(autouse=True)
def texts(settings: Any, quiet: None) -> type[Texts]:
    Texts.sent, Texts.script = [], {}
    settings.CHANNELS = settings.CHANNELS | {
        "sms": {"adapter": "tests.channels.test_officers.Texts", "rehearsal": False}
    }
    settings.ROSTER = ["lage@city.example"]
    settings.ROSTER_PHONES = [DUTY]
    return Texts


def with_phone(name: str, phone: str, *permissions: str) -> User:
    made = city.officer(name, *permissions)
    Profile.objects.create(officer=made, phone=phone)
    return made


def rung_again(text: str = "Die Platte ist voll.") -> None:
    """The same cause comes once more after it had gone."""
    alarms.end("disk")
    alarms.sound("disk", text)
    alarms.tell()


def test_the_roster_gets_a_mail_and_a_short_text(texts: type[Texts], mailoutbox: list[Any]) -> None:
    with_phone("anna", SECOND)
    alarms.sound("disk", "Die Platte ist voll. " * 20, link="http://127.0.0.1:8000/desk/channels/")
    alarms.tell()
    alarms.tell()
    assert [mail.bcc for mail in mailoutbox] == [["lage@city.example"]]
    [(to, said)] = texts.sent
    assert to == DUTY
    assert said.startswith("Belfry-Alarm: Die Platte ist voll.")
    assert said.endswith(" http://127.0.0.1:8000/desk/channels/")
    assert segments(said) == 1


def test_without_any_roster_all_officers_at_the_desk_are_told(
    texts: type[Texts], settings: Any, mailoutbox: list[Any]
) -> None:
    settings.ROSTER = settings.ROSTER_PHONES = []
    with_phone("anna", DUTY)
    gone = with_phone("bert", SECOND)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    alarms.sound("disk", "Die Platte ist voll.")
    alarms.tell()
    assert [to for to, _said in texts.sent] == [DUTY]


def test_a_roster_of_mail_addresses_alone_texts_nobody(
    texts: type[Texts], settings: Any, mailoutbox: list[Any]
) -> None:
    settings.ROSTER_PHONES = []
    with_phone("anna", SECOND)
    alarms.sound("disk", "Die Platte ist voll.")
    alarms.tell()
    assert texts.sent == []
    assert len(mailoutbox) == 1


@pytest.mark.usefixtures("districts")
def test_a_release_alone_is_texted_to_every_approver_without_what_somebody_typed_in(
    texts: type[Texts], mailoutbox: list[Any]
) -> None:
    chief = city.officer("chief", "write_draft", "break_glass")
    with_phone("bert", SECOND, "approve_draft")
    draft = city.drafted(chief)
    approval.break_glass(draft.pk, draft.version, "Niemand da, ruft +49 341 1234567 oder a@b.example an.", chief)
    alarms.tell()
    assert sorted(to for to, _said in texts.sent) == [DUTY, SECOND]
    assert not any("1234567" in said or "@" in said for _to, said in texts.sent)
    assert all("Niemand da" in said for _to, said in texts.sent)


def test_a_phone_that_is_none_silences_no_alarm(
    texts: type[Texts], settings: Any, mailoutbox: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    settings.ROSTER_PHONES = ["0341-oben", "0151 12000001", DUTY]
    alarms.sound("disk", "Die Platte ist voll.")
    alarms.tell()
    assert [to for to, _said in texts.sent] == [DUTY], "the same phone twice gets one text"
    assert "BELFRY_ROSTER_PHONES" in caplog.text
    assert "0341" not in caplog.text


def test_a_mail_server_that_is_down_holds_up_no_text_and_doubles_none(
    texts: type[Texts], mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_arguments: Any, **_options: Any) -> None:
        raise ConnectionRefusedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alerts.ports.notify", down)
        alarms.sound("disk", "Die Platte ist voll.")
        alarms.tell()
        alarms.tell()
    assert len(texts.sent) == 1
    assert Alarm.objects.get().told_at is None
    alarms.tell()
    assert len(mailoutbox) == len(texts.sent) == 1
    assert Alarm.objects.get().told_at is not None


def test_gateways_that_are_down_double_no_mail_and_are_tried_for_an_hour(
    texts: type[Texts], mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts.script = {"*": Temporary("gateway away")}
    alarms.sound("disk", "Die Platte ist voll.")
    alarms.sound("redis", "Redis antwortet nicht.")
    alarms.tell()
    alarms.tell()
    assert len(mailoutbox) == 2
    assert texts.sent == []
    texts.script = {}
    alarms.tell()
    assert len(mailoutbox) == len(texts.sent) == 2
    texts.script = {"*": Temporary("gateway away")}
    alarms.sound("clock", "Die Uhren gehen auseinander.")
    alarms.tell()
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + dt.timedelta(minutes=61))
    texts.script = {}
    alarms.tell()
    assert len(texts.sent) == 2, "a text that old is of no use"
    assert not Alarm.objects.filter(told_at__isnull=True).exists()


def test_one_cause_texts_a_few_times_an_hour_and_says_when_it_stops(
    texts: type[Texts], mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _time in range(5):
        rung_again()
    assert len(texts.sent) == 3
    assert ["nur per Mail" in said for _to, said in texts.sent] == [False, False, True]
    assert len(mailoutbox) == 5
    assert ["BELFRY_ALARM_TEXTS" in mail.body for mail in mailoutbox] == [False] * 3 + [True] * 2
    alarms.sound("redis", "Redis antwortet nicht.")
    alarms.tell()
    assert len(texts.sent) == 4, "another cause has a count of its own"
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + dt.timedelta(minutes=61))
    rung_again()
    assert len(texts.sent) == 5


def test_no_texts_at_all_where_the_limit_is_none(texts: type[Texts], settings: Any, mailoutbox: list[Any]) -> None:
    settings.ALARM_TEXTS = 0
    rung_again()
    assert texts.sent == []
    assert "SMS" not in mailoutbox[0].body


def test_the_record_says_by_which_way_an_alarm_was_told(texts: type[Texts], mailoutbox: list[Any]) -> None:
    alarms.sound("disk", "Die Platte ist voll.")
    alarms.tell()
    lines = AuditEntry.objects.filter(action="alarm-told", subject="disk")
    assert [(line.data["way"], line.data["count"]) for line in lines] == [("sms", 1), ("mail", 0)]


def test_a_cause_of_great_length_is_recorded_all_the_same(mailoutbox: list[Any]) -> None:
    """The record's subject is shorter than a cause may be; PostgreSQL refuses what is too long."""
    key = "role " + "x" * 150
    alarms.sound(key, "Jemand hat eine Rolle.")
    alarms.tell()
    alarms.end(key)
    assert {len(line.subject) for line in AuditEntry.objects.all()} == {80}
