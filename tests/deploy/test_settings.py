"""Settings: documented, taken from files too, and wrong ones speak at start."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as ours

from .processes import HOUSE, python

SOURCE = (HOUSE / "deploy" / "settings.py").read_text()
NAMES = sorted({*re.findall(r"\benv\.\w+\(\s*\"([A-Z_]+)\"", SOURCE), "BELFRY_DATA"})


def settings(data: Path, *names: str, **environment: str) -> dict[str, Any]:
    """The values of these settings in a process of its own."""
    code = (
        "import json, django; from django.conf import settings; "
        f"print(json.dumps({{name: getattr(settings, name) for name in {names!r}}}, default=str))"
    )
    done = python("-c", code, env={"BELFRY_DATA": str(data), **environment})
    assert done.returncode == 0, done.stdout
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def check(data: Path, **environment: str) -> str:
    """What ``manage.py check`` says; the empty string where all is well."""
    done = python("manage.py", "check", env={"BELFRY_DATA": str(data), **environment})
    return done.stdout if done.returncode else ""


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_documented(name: str) -> None:
    readme = (HOUSE / "README.md").read_text()
    rows = [line for line in readme.splitlines() if line.startswith("|") and f"`{name}`" in line]
    assert rows, f"README.md has no row for {name}"


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        str(path.relative_to(HOUSE))
        for folder in ("alerts", "channels")
        for path in (HOUSE / folder).rglob("*.py")
        if re.search(r"\bos\.environ(\[|\.get\b|\.pop\b)|\bgetenv\b", path.read_text())
    ]
    assert readers == []


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("redis://:geheim@127.0.0.1:6390/0\n")
    assert settings(tmp_path, "REDIS_URL", REDIS_URL_FILE=str(secret)) == {
        "REDIS_URL": "redis://:geheim@127.0.0.1:6390/0"
    }


def test_the_data_folders_settings_hold_and_the_environment_overrides_them(tmp_path: Path) -> None:
    (tmp_path / "belfry.env").write_text('BELFRY_CITY="Stadt Halle"\nBELFRY_HOTLINE=0345\n')
    assert settings(tmp_path, "CITY", "HOTLINE", BELFRY_HOTLINE="116117") == {
        "CITY": "Stadt Halle",
        "HOTLINE": "116117",
    }


def test_the_secret_key_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    first = settings(tmp_path, "SECRET_KEY")
    assert first == settings(tmp_path, "SECRET_KEY")
    assert len(first["SECRET_KEY"]) >= 50
    assert (tmp_path / "keys" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_the_sample_of_channels_is_what_holds_without_it(tmp_path: Path) -> None:
    sample = tomllib.loads((HOUSE / "deploy" / "channels.toml").read_text())
    assert sample == settings(tmp_path, "CHANNELS")["CHANNELS"]
    (tmp_path / "channels.toml").write_text((HOUSE / "deploy" / "channels.toml").read_text())
    assert check(tmp_path) == ""


def test_a_broken_channels_file_is_told_at_start(tmp_path: Path) -> None:
    (tmp_path / "channels.toml").write_text("[website\nadapter = ")
    said = check(tmp_path)
    assert "channels.toml" in said
    assert "line 1" in said
    assert "Traceback" not in said


def test_a_city_without_its_own_page_is_told_at_start(tmp_path: Path) -> None:
    (tmp_path / "channels.toml").write_text('[feeds]\nadapter = "channels.city.feeds.Feeds"\n')
    assert "website" in check(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BELFRY_DEMO", "perhaps"),
        ("BELFRY_LEASE_SECONDS", "a minute"),
        ("BELFRY_SWEEP_SECONDS", "soon"),
        ("SECRET_KEY_FILE", "/nowhere/secret"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_in_a_sentence(tmp_path: Path, name: str, value: str) -> None:
    done = python("-m", "deploy.prepare", env={"BELFRY_DATA": str(tmp_path), name: value})
    assert done.returncode == 1
    assert done.stdout.startswith("A setting is wrong: ")
    assert name in done.stdout
    assert "Traceback" not in done.stdout


def test_a_database_that_does_not_answer_is_told_in_a_sentence(tmp_path: Path) -> None:
    address = "postgres://belfry@127.0.0.1:9/belfry"
    done = python("-m", "deploy.prepare", env={"BELFRY_DATA": str(tmp_path), "DATABASE_URL": address})
    assert done.returncode == 1
    assert "The database can't be used: " in done.stdout
    assert "Traceback" not in done.stdout


def test_nginx_and_the_application_agree_on_strict_transport() -> None:
    assert "max-age=31536000" in (HOUSE / "deploy" / "nginx" / "belfry.conf").read_text()
    assert ours.SECURE_HSTS_SECONDS in {0, 31_536_000}


def test_services_and_the_administrators_commands_read_the_same_settings() -> None:
    readme = (HOUSE / "README.md").read_text()
    real = readme[readme.index("## Run it for real") : readme.index("## Configure a channel")]
    (told,) = set(re.findall(r"`(/\S*)/belfry\.env`", readme))
    commands = [line for line in real.splitlines() if "manage.py" in line and line.startswith("sudo")]
    assert {word for line in commands for word in ("first_officer", "import_areas", "check") if word in line} == {
        "first_officer",
        "import_areas",
        "check",
    }
    assert all(f" BELFRY_DATA={told} " in line for line in commands)
    for unit in (HOUSE / "deploy" / "systemd").glob("*.service"):
        text = unit.read_text()
        assert re.findall(r"BELFRY_DATA=(\S+)", text) == [told], unit.name
        assert "EnvironmentFile=" not in text, f"{unit.name} reads settings that manage.py does not"
    compose = (HOUSE / "deploy" / "compose.yaml").read_text()
    image = re.findall(r"BELFRY_DATA=(\S+)", (HOUSE / "deploy" / "Dockerfile").read_text())
    assert f'volumes: ["{told}:{image[0]}"]' in compose
    assert "env_file:" not in compose


def test_no_file_names_another_place_for_settings() -> None:
    for path in (HOUSE / "deploy").rglob("*"):
        if path.is_file() and path.suffix in {".service", ".target", ".yaml", ".conf"}:
            assert "/etc/belfry" not in path.read_text(), path.name
