"""Upkeep minds the clocks, goes on whatever fails, and sends the end of the record away once a day."""

from __future__ import annotations

import datetime as dt
import json
import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from alerts import alarms, approval, audit, schedule, watch
from alerts.models import Alarm, AuditEntry, Draft, DraftState
from alerts.people import Refused
from channels import fanout, jobs, upkeep
from channels.models import Delivery, State
from tests import city

pytestmark = pytest.mark.django_db


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr("alerts.ports.notify", lambda subject, body, **_options: sent.append((subject, body)))
    return sent


def later(monkeypatch: pytest.MonkeyPatch, delta: dt.timedelta) -> None:
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + delta)


def test_clocks_that_differ_are_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    upkeep.look_at_clock()
    assert not Alarm.objects.exists()
    with pytest.MonkeyPatch.context() as patch:
        later(patch, dt.timedelta(seconds=90))
        upkeep.look_at_clock()
        assert "90" in Alarm.objects.get(key="clock").text
    upkeep.look_at_clock()
    assert Alarm.objects.get(key="clock").ended_at is not None


def test_the_end_of_the_record_is_mailed_once_a_day(
    mails: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    audit.record(None, "test", "line")
    upkeep.tell_the_head()
    upkeep.tell_the_head()
    assert len(mails) == 1
    assert "{}:{}".format(*audit.head()) in mails[0][1]
    later(monkeypatch, dt.timedelta(days=1))
    upkeep.tell_the_head()
    assert len(mails) == 2


def test_a_role_given_is_recorded_and_told_to_all() -> None:
    officer = city.officer("neu")
    officer.groups.add(Group.objects.create(name="Prüfende"))
    assert AuditEntry.objects.filter(action="role-given", subject="officer neu").exists()
    watch.tell_role(officer, ["Prüfende"], city.officer("chefin"))
    assert "chefin" in Alarm.objects.get(key="role neu Prüfende").text


def test_a_log_in_is_recorded() -> None:
    Client().force_login(city.officer("anna", "write_draft"))
    assert AuditEntry.objects.filter(action="logged-in", actor="anna").exists()


@pytest.mark.usefixtures("districts", "quiet")
def test_who_released_alone_cannot_end_the_alarm_of_it() -> None:
    chief, other = city.officer("chief", "write_draft", "break_glass"), city.officer("other", "approve_draft")
    draft = city.drafted(chief)
    approval.break_glass(draft.pk, draft.version, "Alle anderen sind im Einsatz.", chief)
    alarm = Alarm.objects.get(key__startswith="break-glass")
    with pytest.raises(Refused):
        alarms.put_aside(alarm.pk, chief)
    alarms.put_aside(alarm.pk, other)
    alarm.refresh_from_db()
    assert alarm.ended_by == other


def test_a_job_in_redis_is_json_and_holds_an_id_alone(settings: Any) -> None:
    from rq.job import Job
    from rq.serializers import JSONSerializer

    from channels import jobs

    assert all(queue["SERIALIZER"] == "json" for queue in settings.RQ_QUEUES.values())
    job = Job.create(jobs.deliver, args=(7,), connection=object(), serializer=JSONSerializer)
    assert json.loads(job.data) == ["channels.jobs.deliver", None, [7], {}]


def test_two_accounts_that_look_like_one_person_are_an_alarm() -> None:
    from django_otp.plugins.otp_totp.models import TOTPDevice

    anna, berta = city.officer("anna", "write_draft"), city.officer("berta", "approve_draft")
    watch.look_for_twins()
    assert not Alarm.objects.exists()
    for officer in (anna, berta):
        TOTPDevice.objects.create(user=officer, name="phone", key="ab" * 20)
    watch.look_for_twins()
    assert "anna, berta" in Alarm.objects.get(key="twins anna, berta").text
    assert "ab" * 20 not in str(Alarm.objects.values())
    TOTPDevice.objects.filter(user=berta).update(key="cd" * 20)
    watch.look_for_twins()
    assert Alarm.objects.get().ended_at is not None
    User.objects.filter(pk=berta.pk).update(email=anna.email.upper())
    watch.look_for_twins()
    assert Alarm.objects.filter(key="twins anna, berta", ended_at__isnull=True).exists()


@pytest.mark.usefixtures("districts", "quiet")
def test_one_bad_draft_stops_no_other(author: User, approver: User, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"valid_for": None, "expires": timezone.now() + dt.timedelta(minutes=30), "next_in": None}
    bad, good = city.submitted(author, **times), city.submitted(author, **times)
    Draft.objects.filter(pk=bad.pk).update(content_json={"nonsense": 1})
    later(monkeypatch, dt.timedelta(hours=1))
    assert schedule.lapse_overdue() == 1
    good.refresh_from_db()
    assert good.state == DraftState.LAPSED


@pytest.mark.usefixtures("districts", "quiet")
def test_one_step_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch, mails: list[tuple[str, str]]) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("alerts.schedule.lapse_overdue", broken)
    monkeypatch.setattr("channels.hold.look", broken)
    monkeypatch.setattr("channels.upkeep.Upkeep.send_mails", lambda _upkeep: alarms.tell())
    alarms.sound("disk", "Die Platte ist voll.")
    upkeep.Upkeep(minute=float("inf")).second()
    assert any("Die Platte ist voll." in subject for subject, _body in mails)


def test_a_mail_server_that_hangs_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, started = threading.Event(), []
    monkeypatch.setattr("channels.upkeep.send_mails", lambda: (started.append(1), hangs.wait(30)))
    monkeypatch.setattr("channels.hold.look", lambda: None)
    process = upkeep.Upkeep(minute=float("inf"))
    process.second()
    process.second()
    assert started == [1], "the second round went by while the first mail still hung"
    hangs.set()
    assert process.mails is not None
    process.mails.join()


@pytest.mark.usefixtures("districts", "quiet")
def test_a_channel_that_left_the_settings_ends_its_deliveries_and_stops_nothing(
    settings: Any, author: User, approver: User
) -> None:
    fake = {"adapter": "tests.channels.fakes.Own", "rehearsal": False}
    settings.CHANNELS = settings.CHANNELS | {"own": fake, "gone": fake}
    message = city.released(author, approver)
    fanout.plan(message.pk)
    claimed = Delivery.objects.get(channel="gone")
    assert fanout.claim(claimed.pk)
    Delivery.objects.filter(pk=claimed.pk).update(lease_until=Now() - dt.timedelta(seconds=1))
    Delivery.objects.update(due_at=Now() - dt.timedelta(minutes=1))
    settings.CHANNELS = {name: entry for name, entry in settings.CHANNELS.items() if name != "gone"}
    jobs.sweep(patience=5)
    states = dict(Delivery.objects.values_list("channel", "state"))
    assert states == {"page": State.DONE, "feed": State.DONE, "own": State.DONE, "gone": State.UNCLEAR}
    Delivery.objects.filter(channel="gone").update(state=State.WAITING, due_at=Now() - dt.timedelta(minutes=1))
    jobs.sweep(patience=5)
    assert Delivery.objects.get(channel="gone").state == State.FAILED


@pytest.mark.usefixtures("districts", "quiet")
def test_break_glass_is_mailed_to_every_approver_even_when_put_aside_at_once(
    settings: Any, mailoutbox: list[Any], author: User
) -> None:
    settings.ROSTER = ["lagezentrum@city.example"]
    chief, other = city.officer("chief", "write_draft", "break_glass"), city.officer("other", "approve_draft")
    draft = city.drafted(chief)
    approval.break_glass(draft.pk, draft.version, "Alle anderen sind im Einsatz.", chief)
    alarms.put_aside(Alarm.objects.get(key__startswith="break-glass").pk, other)
    alarms.tell()
    alarms.tell()
    assert [sorted(mail.bcc) for mail in mailoutbox] == [["lagezentrum@city.example", "other@city.example"]]
    assert "im Einsatz" in mailoutbox[0].body


def test_an_address_that_is_none_silences_no_alarm(settings: Any, mailoutbox: list[Any]) -> None:
    settings.ROSTER = ["lage@city.example;zwei@city.example", "lage@city.example"]
    alarms.sound("disk", "Die Platte ist voll.")
    alarms.tell()
    assert [mail.bcc for mail in mailoutbox] == [["lage@city.example"]]


def test_a_role_given_is_mailed_even_when_its_alarm_was_put_aside_at_once(settings: Any, mailoutbox: list[Any]) -> None:
    settings.ROSTER = ["lagezentrum@city.example"]
    chief = city.officer("chefin")
    watch.tell_role(city.officer("neu"), ["Prüfende"], chief)
    alarms.put_aside(Alarm.objects.get(key__startswith="role").pk, chief)
    alarms.tell()
    assert ["Prüfende" in mail.body for mail in mailoutbox] == [True]
