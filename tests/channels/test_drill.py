"""``manage.py drill`` tells channel by channel what became of the exercise, and fails where one did not carry it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from alerts import approval
from alerts.models import AuditEntry, Draft, Message, ReleasePlan
from alerts.terms import Status
from channels import jobs
from channels.base import Permanent
from channels.management.commands import drill
from tests import city
from tests.channels import fakes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "quiet")]


class Clock:
    """Time that passes only while the drill waits; the workers do their work in the first pause."""

    def __init__(self, *, workers: bool = True) -> None:
        self.now = 0.0
        self.workers = workers

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _seconds: float) -> None:
        self.now += 0.25
        if self.workers:
            self.workers = False
            jobs.fan_out(Message.objects.get().pk)


@pytest.fixture
def ready(districts: None, quiet: None, author: User, approver: User) -> Draft:
    """An exercise approved in advance."""
    draft = city.submitted(
        author, status=Status.EXERCISE, plan=ReleasePlan.DRILL, facts_at=None, valid_for=60, next_in=None
    )
    assert approval.approve(draft.pk, draft.digest, approver) is None
    return draft


def rows(said: str) -> dict[str, list[str]]:
    """The table, by channel."""
    lines = said.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("channel"))
    return {line.split()[0]: line.split()[1:] for line in lines[start + 1 :]}


def test_a_drill_that_every_channel_carried_ends_well(
    ready: Draft, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drill, "time", Clock())
    call_command("drill")
    said = rows(capsys.readouterr().out)
    assert set(said) == {"page", "feed"}
    assert {row[1] for row in said.values()} == {"250"}
    assert len(fakes.sent["page"]) == 2
    assert AuditEntry.objects.filter(action="drill", subject__startswith=f"draft {ready.pk} ").exists()


@pytest.mark.usefixtures("ready")
def test_a_channel_that_fails_fails_the_drill_and_the_table_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.script["feed"] = [Permanent("Der Server kennt uns nicht mehr.")]
    monkeypatch.setattr(drill, "time", Clock())
    with pytest.raises(CommandError, match="Not every channel carried the exercise") as told:
        call_command("drill", seconds=2)
    assert told.value.returncode == 1
    said = rows(capsys.readouterr().out)
    assert set(said) == {"page", "feed"}
    assert "kennt uns nicht mehr" in " ".join(said["feed"])
    assert "kennt uns nicht mehr" not in " ".join(said["page"])


@pytest.mark.usefixtures("ready")
def test_a_drill_without_any_worker_ends_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(workers=False)
    monkeypatch.setattr(drill, "time", clock)
    with pytest.raises(CommandError, match="Not every channel"):
        call_command("drill", seconds=2)
    assert clock.now == 2
    assert rows(capsys.readouterr().out) == {}


def test_without_an_exercise_the_drill_says_how_to_make_one() -> None:
    with pytest.raises(CommandError, match="Write one at the desk"):
        call_command("drill")
    assert not Message.objects.exists()


def test_a_real_alert_is_never_a_drill(author: User, approver: User) -> None:
    city.submitted(author)
    with pytest.raises(CommandError, match="No exercise"):
        call_command("drill")
