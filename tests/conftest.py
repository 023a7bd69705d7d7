"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils import translation

from channels import batches, jobs
from tests import city
from tests.channels import fakes

DATABASE = {"db", "transactional_db", "live_server", "django_db_reset_sequences"}
"""Fixtures that bring the database along without a mark."""


@pytest.fixture(autouse=True)
def in_german() -> None:
    """A page that a test before asked for in English leaves that language behind in its thread."""
    translation.deactivate()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real alert data; where it is missing, the test counts as not run."""
    path = Path(os.environ.get("BELFRY_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not (path / "cap").is_dir():
        pytest.skip("real data missing: set BELFRY_TEST_DATA")
    return path


@pytest.fixture
def author(db: None) -> User:
    return city.officer("author", "write_draft")


@pytest.fixture
def approver(db: None) -> User:
    return city.officer("approver", "approve_draft", "open_gate")


@pytest.fixture
def districts(db: None) -> None:
    city.districts()


@pytest.fixture
def quiet(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two channels that only remember, no doorbell, nobody to wait for: for tests of the domain and the engine."""
    monkeypatch.setattr(jobs, "HEAD_START", 0.0)
    monkeypatch.setattr(batches, "BEGINNING", 0.0)
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "feed": {"adapter": "tests.channels.fakes.Page"},
    }
    settings.ALERTS_RING = "tests.conftest.no_doorbell"
    fakes.forget()
    yield
    fakes.forget()


def no_doorbell(_message_id: int) -> None:
    """Stands for a Redis that is not there."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Mark what uses the database; and modules that start whole processes or a browser go first, so that nobody
    waits for one of them at the end."""
    for item in items:
        if item.get_closest_marker("django_db") or DATABASE & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")
    yield
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_configure() -> None:
    """Officers of tests have no secrets: a quick hash for their passwords."""
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Let Django empty the tables between tests on SQLite, where it does so by DELETE.

    Only the triggers against deleting are dropped; ``test_guards`` brings them back to try them.
    """
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%_kept'")
                for (name,) in cursor.fetchall():
                    cursor.execute(f'DROP TRIGGER "{name}"')
