"""A wrong setting speaks at start: it names itself and the mend."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.management import CommandError, call_command

from alerts import signature
from alerts.checks import DEMO_DOMAIN
from tests import city


def found(settings: Any, **changes: Any) -> list[str]:
    for name, value in changes.items():
        setattr(settings, name, value)
    messages = [message for message in checks.run_checks() if not message.is_silenced()]
    assert all(message.hint for message in messages if message.id and message.id.startswith(("alerts.", "channels.")))
    return [str(message.id) for message in messages if not str(message.id).startswith("staticfiles")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ALERTS_RING": "channels.nowhere.ring"}, "alerts.E001"),
        ({"ADDRESS": "warnung.leipzig.example"}, "alerts.E002"),
        ({"ADDRESS": "http://warnung.leipzig.example"}, "alerts.W001"),
        ({"REQUIRED_LANGUAGES": ["de", "fr"]}, "alerts.E003"),
        ({"CAP_SENDER": "Stadt Leipzig"}, "alerts.E004"),
        ({"WARNING_WORD": "übung"}, "alerts.E005"),
        ({"DEMO": True, "ADDRESS": "https://warnung.leipzig.example"}, "alerts.E006"),
        ({"CHANNELS_ERROR": "channels.toml: Zeile 3"}, "channels.E001"),
        ({"CHANNELS": {"website": {"adapter": "channels.city.website.Website"}}}, "channels.E002"),
        ({"CHANNELS": {"website": {}, "feeds": {}}}, "channels.E003"),
        ({"CHANNELS": {"website": {"adapter": "channels.city.nowhere.Website"}}}, "channels.E004"),
        ({"LEASE_SECONDS": 5}, "channels.E006"),
        ({"REDIS_URL": "redis://redis.city.example:6379/0"}, "channels.W001"),
        ({"REDIS_URL": "redis://:secret@10.0.0.5:6379/0"}, "channels.W001"),
        ({"REDIS_URL": "rediss://redis.city.example:6379/0"}, "channels.W001"),
    ],
)
def test_a_wrong_setting_is_named(settings: Any, changes: dict[str, Any], code: str) -> None:
    assert code in found(settings, **changes)


@pytest.mark.django_db
def test_the_settings_of_the_tests_are_right(settings: Any) -> None:
    assert found(settings) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url",
    [
        "unix:///run/redis/redis.sock",
        "redis://127.0.0.1:6379/0",
        "redis://localhost:6379/0",
        "redis://[::1]:6379/0",
        "rediss://:secret@redis.city.example:6379/0",
    ],
)
def test_redis_on_this_machine_or_locked_is_right(settings: Any, url: str) -> None:
    assert found(settings, REDIS_URL=url) == []


@pytest.mark.django_db
def test_the_password_of_redis_is_not_in_the_warning(settings: Any) -> None:
    settings.REDIS_URL = "redis://:geheim@redis.city.example:6379/0"
    (told,) = [message for message in checks.run_checks() if message.id == "channels.W001"]
    assert "without TLS:" in told.msg
    assert "geheim" not in f"{told.msg}{told.hint}"


@pytest.mark.django_db
def test_the_demos_officers_are_refused_anywhere_but_in_the_demo(settings: Any) -> None:
    officer = city.officer("anna.autorin", "write_draft")
    officer.email = f"anna.autorin{DEMO_DOMAIN}"
    officer.save()
    assert found(settings, DEMO=True, ADDRESS="http://127.0.0.1:8000") == []
    assert "alerts.E008" in found(settings, DEMO=False)
    assert "alerts.E008" in found(settings, DEMO=True, ADDRESS="https://warnung.leipzig.example")
    officer.is_active = False
    officer.save()
    assert found(settings, DEMO=False, ADDRESS="http://127.0.0.1:8000") == []


@pytest.mark.django_db
def test_the_demo_city_is_made_nowhere_else(settings: Any) -> None:
    settings.DEMO = True
    settings.ADDRESS = "https://warnung.leipzig.example"
    with pytest.raises(CommandError, match="loopback"):
        call_command("demo_city")


@pytest.mark.django_db
def test_keys_that_others_can_read_are_told(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "cap_key.pem").write_text("key")
    (tmp_path / "cap_key.pem").chmod(0o644)
    assert "alerts.E007" in found(settings, KEYS_DIR=tmp_path)
    (tmp_path / "cap_key.pem").chmod(0o600)
    assert "alerts.E007" not in found(settings)


@pytest.mark.django_db
def test_a_certificate_that_ends_soon_is_told(settings: Any, tmp_path: Path) -> None:
    key = signature.make_key()
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=3645)
    (tmp_path / signature.KEY_FILE).write_bytes(key)
    (tmp_path / signature.KEY_FILE).chmod(0o600)
    (tmp_path / signature.CERTIFICATE_FILE).write_bytes(signature.make_certificate(key, "Leipzig", long_ago))
    assert found(settings, KEYS_DIR=tmp_path) == ["alerts.W002"]
