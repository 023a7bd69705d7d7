"""The record is chained, also when several write at once, and ``verify_audit`` says whether it is whole."""

from __future__ import annotations

import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from alerts import alarms, audit
from alerts.models import Alarm, AuditEntry


@pytest.mark.django_db(transaction=True)
def test_four_writers_at_once_make_one_chain() -> None:
    def write(name: str) -> None:
        for number in range(10):
            audit.record(None, "test", f"{name} {number}")
        connection.close()

    audit.record(None, "test", "first")
    threads = [threading.Thread(target=write, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AuditEntry.objects.count() == 41
    assert not list(audit.faults())


@pytest.mark.django_db
def test_verify_audit_prints_the_end_and_finds_an_earlier_one(capsys: pytest.CaptureFixture[str]) -> None:
    audit.record(None, "test", "one")
    number, value = audit.head()
    audit.record(None, "test", "two")
    call_command("verify_audit", head=f"{number}:{value}")
    assert "2 lines" in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("verify_audit", head=f"1:{'f' * 64}")


@pytest.mark.django_db
@pytest.mark.parametrize("head", ["5", "5:", ":" + "0" * 64, "five:" + "0" * 64, "1:" + "0" * 63, f"1:{'g' * 64}"])
def test_a_head_that_is_none_is_told_as_a_slip_of_the_pen(head: str) -> None:
    with pytest.raises(CommandError, match="is not the end of a record") as told:
        call_command("verify_audit", head=head)
    assert "tampered" not in str(told.value)


@pytest.mark.django_db
def test_the_end_of_an_empty_record_is_in_every_record(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_audit")
    head = capsys.readouterr().out.split()[-1]
    assert head == f"0:{'0' * 64}"
    call_command("verify_audit", head=head)
    audit.record(None, "test", "one")
    call_command("verify_audit", head=head)


@pytest.mark.django_db
def test_one_cause_has_one_open_alarm() -> None:
    alarms.sound("redis", "Redis antwortet nicht.")
    alarms.sound("redis", "Redis antwortet nicht.")
    assert Alarm.objects.count() == 1
    alarms.end("redis")
    alarms.sound("redis", "Redis antwortet nicht.")
    assert Alarm.objects.filter(ended_at__isnull=True).count() == 1
    assert Alarm.objects.count() == 2


@pytest.mark.django_db
def test_an_alarm_is_mailed_once_and_stays_owed_when_the_mail_fails(
    settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def fail(subject: str, body: str, **_options: object) -> None:
        raise ConnectionRefusedError

    alarms.sound("disk", "Die Platte ist voll.")
    monkeypatch.setattr("alerts.ports.notify", fail)
    alarms.tell()
    monkeypatch.setattr("alerts.ports.notify", lambda subject, body, **_options: told.append(subject))
    alarms.tell()
    alarms.tell()
    assert len(told) == 1
    assert "Die Platte ist voll." in told[0]
