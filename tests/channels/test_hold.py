"""A database out of a backup sends nothing by itself, and a backup brings back all that was approved."""

from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils import timezone

from alerts import approval, audit, schedule
from alerts.models import Alarm
from alerts.terms import Kind
from channels import fanout, hold, jobs
from channels.models import Heartbeat, Hold, State
from tests import city
from tests.channels import fakes
from tests.channels.test_fanout import delivery, wired  # noqa: F401
from tests.house import house

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "wired", "bookmark")]


@pytest.fixture
def bookmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "run" / "bookmark"
    monkeypatch.setattr(hold, "bookmark", lambda: path)
    return path


def test_a_database_that_went_back_is_held_and_sends_nothing_by_itself(
    author: User, approver: User, bookmark: Path
) -> None:
    message = city.released(author, approver)
    fanout.plan(message.pk)
    bookmark.parent.mkdir()
    bookmark.write_text(f"{audit.head()[0] + 5}:{'f' * 64}\n")
    hold.look()
    assert hold.held()
    assert delivery(message, "own").state == State.UNCLEAR
    assert Alarm.objects.filter(key="held", ended_at__isnull=True).exists()
    jobs.sweep(patience=0)
    assert not fakes.sent["own"]
    assert delivery(message, "page").state == State.DONE, "the city's page goes on"


def test_while_held_a_new_message_waits_for_the_administrator(author: User, approver: User) -> None:
    hold.hold("Probe")
    message = city.released(author, approver)
    fanout.plan(message.pk)
    assert fanout.claim(delivery(message, "own").pk) is None
    assert fanout.claim(delivery(message, "page").pk)
    assert hold.resume(None)
    assert fanout.claim(delivery(message, "own").pk)


def test_what_was_unclear_stays_so_after_resuming(author: User, approver: User) -> None:
    message = city.released(author, approver)
    fanout.plan(message.pk)
    hold.hold("Probe")
    hold.resume(None)
    jobs.sweep(patience=0)
    assert delivery(message, "own").state == State.UNCLEAR
    assert not fakes.sent["own"]


def test_a_restore_under_an_upkeep_that_runs_on_is_noticed(author: User, approver: User, bookmark: Path) -> None:
    city.released(author, approver)
    hold.look()
    hold.look()
    assert not hold.held()
    number, _value = audit.head()
    bookmark.write_text(f"{number + 3}:{'f' * 64}\n")
    hold.look()
    assert hold.held()


def test_what_was_approved_for_a_set_time_lapses_with_a_hold(author: User, approver: User) -> None:
    draft = city.submitted(author, plan="at", release_at=timezone.now() + dt.timedelta(hours=1))
    approval.approve(draft.pk, draft.digest, approver)
    hold.hold("Probe")
    hold.resume(None)
    draft.refresh_from_db()
    assert draft.state == "lapsed"
    with pytest.MonkeyPatch.context() as patch:
        real = timezone.now
        patch.setattr(timezone, "now", lambda: real() + dt.timedelta(hours=2))
        assert schedule.release_due() == 0


def test_a_message_released_before_the_restore_and_not_yet_planned_is_unclear(author: User, approver: User) -> None:
    message = city.released(author, approver)
    hold.hold("Probe")
    Hold.objects.update(since=Now() + dt.timedelta(seconds=30))
    fanout.plan(message.pk)
    assert delivery(message, "own").state == State.UNCLEAR
    assert delivery(message, "page").state == State.WAITING


def test_holding_twice_is_one_hold() -> None:
    hold.hold("Probe")
    hold.hold("Probe")
    assert Hold.objects.count() == 1
    assert hold.resume(None)
    assert not hold.resume(None)


def test_a_new_system_is_not_held(author: User, approver: User) -> None:
    city.released(author, approver)
    hold.look()
    assert not hold.held()


def test_a_replica_taken_over_on_a_new_host_is_held_but_a_second_host_is_not(author: User, approver: User) -> None:
    city.released(author, approver)
    fanout.beat("upkeep")
    hold.look()
    assert not hold.held(), "somebody works on it: this is one more host"
    hold.bookmark().unlink()
    Heartbeat.objects.update(at=Now() - dt.timedelta(hours=3))
    hold.look()
    assert hold.held()


def test_the_bookmark_follows_the_record(author: User, approver: User, bookmark: Path) -> None:
    city.released(author, approver)
    hold.note()
    assert bookmark.read_text() == "{}:{}\n".format(*audit.head())
    hold.look()
    assert not hold.held()


@pytest.mark.slow
def test_a_backup_restored_into_an_empty_system_brings_back_all_and_sends_nothing(tmp_path: Path) -> None:
    backup = tmp_path / "backup.tar.gz"
    channels = "".join(
        f'[{name}]\nadapter = "tests.channels.fakes.{kind}"\nrehearsal = false\n'
        for name, kind in (("website", "Page"), ("feeds", "Page"), ("own", "Own"))
    )
    with house(tmp_path / "old", channels) as old:
        told = old.act("release")
        old.manage("upkeep", "--once")
        old.act("follow", told["identifier"], Kind.UPDATE.value)
        old.manage("backup", str(backup))
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
        refused = old.manage("restore", str(backup), check=False)
        assert refused.returncode == 1
        assert "not empty" in refused.stderr
    with house(tmp_path / "new", channels, found="") as new:
        new.manage("restore", str(backup))
        new.manage("upkeep", "--once")
        now = new.act("state")
        assert now["messages"] == 2
        assert not now["record"]
        assert "held" in now["alarms"]
        assert [state for channel, state in now["deliveries"] if channel == "own"].count("done") == 0
        new.manage("resume")
        assert "held" not in new.act("state")["alarms"]
