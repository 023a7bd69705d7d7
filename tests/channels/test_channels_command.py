"""``manage.py channels`` and the reminder: who works, who hangs, whose credentials end; never a secret."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from alerts import alarms
from alerts.models import Alarm
from channels import credentials, pauses
from channels.base import Permanent, Temporary
from channels.upkeep import Upkeep
from tests.channels import fakes

pytestmark = pytest.mark.django_db

HERE = "tests.channels.test_channels_command."
SECRET = "geheim-4711"


class Asked(fakes.Commercial):
    """One whose probe does what the test says, and whose credentials end when it says."""

    says: ClassVar[dict[str, str | Exception]] = {}
    ends: ClassVar[dict[str, dt.datetime]] = {}

    def __init__(self, name: str, *, token: str = SECRET) -> None:
        super().__init__(name)
        self.token = token

    def probe(self) -> str:
        said = self.says.get(self.name, "")
        if isinstance(said, Exception):
            raise said
        return said

    def valid_until(self) -> dt.datetime | None:
        return self.ends.get(self.name)


class Hangs(fakes.Commercial):
    release: ClassVar[threading.Event] = threading.Event()

    def probe(self) -> str:
        self.release.wait(30)
        return "zu spät"


@pytest.fixture(autouse=True)
def wired(settings: Any, quiet: None) -> Iterator[None]:
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page", "label": "Seite"},
        "threads": {"adapter": HERE + "Asked", "rehearsal": False, "token": SECRET},
        "linkedin": {"adapter": HERE + "Asked", "token": SECRET},
    }
    Asked.says.clear()
    Asked.ends.clear()
    Hangs.release.clear()
    yield
    Hangs.release.set()


def told(*arguments: str) -> tuple[str, int]:
    """What the command writes, and how it ends."""
    out = StringIO()
    try:
        call_command("channels", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue() + str(error), error.returncode
    return out.getvalue(), 0


def as_json(*arguments: str) -> dict[str, dict[str, Any]]:
    out = StringIO()
    with suppress(CommandError):
        call_command("channels", "--json", *arguments, stdout=out)
    return {line["channel"]: line for line in json.loads(out.getvalue())["channels"]}


def line_of(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(label))


class TestCommand:
    def test_each_channel_has_a_line(self, author: User) -> None:
        Asked.says["threads"] = "Angemeldet als @leipzig."
        Asked.ends["threads"] = timezone.now() + dt.timedelta(days=9, hours=1)
        pauses.pause("threads", author)
        text, code = told()
        assert code == 0
        assert text.index("Seite") < text.index("Threads"), "the city's own first"
        assert "9 " in line_of(text, "Threads")
        assert "Angemeldet als @leipzig." in text
        found = as_json()
        assert found["threads"] | {"paused": bool(found["threads"]["paused"]), "ends": ""} == {
            "channel": "threads",
            "label": "Threads",
            "owner": "commercial",
            "rehearsal": False,
            "paused": True,
            "works": True,
            "words": "Angemeldet als @leipzig.",
            "ends": "",
            "days": 9,
        }
        assert (found["page"]["owner"], found["linkedin"]["rehearsal"]) == ("city", True)

    @pytest.mark.parametrize("error", [Permanent("Der Zugang wurde entzogen."), Temporary("antwortet nicht")])
    def test_one_that_does_not_work_ends_with_1_and_says_why(self, error: Exception) -> None:
        Asked.says["threads"] = error
        text, code = told()
        assert code == 1
        assert str(error) in text
        assert as_json()["threads"]["works"] is False
        assert as_json()["linkedin"]["works"] is True

    def test_one_that_hangs_is_told_of_and_keeps_nobody(self, settings: Any) -> None:
        settings.CHANNELS["hangs"] = {"adapter": HERE + "Hangs"}
        text, code = told("--seconds", "0.2")
        assert code == 1
        assert "0.2" in text or "0,2" in text
        assert "zu spät" not in text
        assert as_json("--seconds", "0.2")["threads"]["works"] is True

    def test_nobody_is_asked_where_nobody_shall_be(self) -> None:
        Asked.says["threads"] = Permanent("Der Zugang wurde entzogen.")
        text, code = told("--no-probe")
        assert code == 0
        assert "entzogen" not in text
        assert as_json("--no-probe")["threads"]["works"] is None

    def test_a_secret_is_never_shown(self) -> None:
        Asked.says["threads"] = RuntimeError(f"GET /?access_token={SECRET}")
        for text, code in (told(), told("--json")):
            assert code == 1
            assert SECRET not in text
            assert "RuntimeError" in text

    def test_without_the_database_platforms_are_asked_all_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def gone() -> None:
            raise OperationalError("down")

        monkeypatch.setattr(pauses, "paused", gone)
        Asked.says["threads"] = Permanent("Der Zugang wurde entzogen.")
        assert as_json()["threads"]["words"] == "Der Zugang wurde entzogen."

    def test_one_that_can_t_be_made_hides_no_other(self, settings: Any) -> None:
        settings.CHANNELS["wrong"] = {"adapter": HERE + "Asked", "nonsense": SECRET}
        text, code = told()
        assert code == 1
        assert "wrong" in text
        assert "Threads" in text
        assert SECRET not in text


def days(count: float) -> dt.datetime:
    return timezone.now() + dt.timedelta(days=count)


def reminders() -> list[str]:
    return [alarm.key for alarm in alarms.open_alarms() if alarm.key.startswith(credentials.CAUSE)]


class TestReminder:
    @pytest.mark.parametrize(
        ("left", "key"),
        [(14.1, None), (13.9, "14"), (6.5, "7"), (1.5, "2"), (-0.1, "0")],
    )
    def test_it_comes_two_weeks_before_and_again_nearer_the_end(self, left: float, key: str | None) -> None:
        Asked.ends["threads"] = days(left)
        credentials.look()
        assert reminders() == ([f"credentials threads {key}"] if key else [])

    def test_it_names_channel_and_day(self) -> None:
        Asked.ends["threads"] = days(10)
        credentials.look()
        text = Alarm.objects.get().text
        assert "Threads" in text
        assert SECRET not in text

    def test_the_next_step_takes_the_place_of_the_last(self) -> None:
        Asked.ends["threads"] = days(10)
        credentials.look()
        Asked.ends["threads"] = days(5)
        credentials.look()
        assert reminders() == ["credentials threads 7"]

    def test_it_ends_when_they_are_renewed(self) -> None:
        Asked.ends["threads"] = days(3)
        credentials.look()
        assert reminders()
        Asked.ends["threads"] = days(60)
        credentials.look()
        assert not reminders()

    def test_put_aside_it_is_not_heard_again_before_the_next_step(self, author: User) -> None:
        Asked.ends["threads"] = days(10)
        credentials.look()
        alarms.put_aside(Alarm.objects.get().pk, author)
        credentials.look()
        assert not reminders()
        Asked.ends["threads"] = days(1)
        credentials.look()
        assert reminders() == ["credentials threads 2"]

    def test_the_next_credentials_are_reminded_of_too(self, author: User) -> None:
        Asked.ends["threads"] = days(10)
        credentials.look()
        alarms.put_aside(Alarm.objects.get().pk, author)
        Alarm.objects.update(raised_at=days(-50))
        credentials.look()
        assert reminders() == ["credentials threads 14"]

    def test_a_rehearsal_and_a_channel_removed_alarm_nobody(self, settings: Any) -> None:
        Asked.ends["linkedin"] = Asked.ends["threads"] = days(1)
        credentials.look()
        assert reminders() == ["credentials threads 2"]
        settings.CHANNELS = {"page": settings.CHANNELS["page"]}
        credentials.look()
        assert not reminders()

    def test_a_channel_that_fails_to_tell_hides_no_other(self, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
        settings.CHANNELS["first"] = {"adapter": HERE + "Broken", "rehearsal": False}
        Asked.ends["threads"] = days(1)
        credentials.look()
        assert reminders() == ["credentials threads 2"]
        assert "first" in caplog.text
        assert SECRET not in caplog.text

    def test_upkeep_looks_once_a_minute(self) -> None:
        assert ("credentials", credentials.look) in list(Upkeep().steps())


class Broken(fakes.Commercial):
    def valid_until(self) -> dt.datetime | None:
        raise ValueError(SECRET)
