"""``/healthz`` names what is stale, and nothing else."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.test import Client
from redis.exceptions import ConnectionError as RedisGone

from channels import health
from channels.models import Heartbeat

pytestmark = pytest.mark.django_db


class Workers:
    """Stands for what RQ reads from Redis: the queues of the workers that are alive."""

    def __init__(self, *queues: str) -> None:
        self.queues = queues

    def all(self, _connection: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(queue_names=lambda queue=queue: [queue]) for queue in self.queues]


@pytest.fixture(autouse=True)
def well(monkeypatch: pytest.MonkeyPatch) -> None:
    """All parts are there; each test takes one away."""
    Heartbeat.objects.update_or_create(name="upkeep", defaults={"at": Now()})
    monkeypatch.setattr(health, "Worker", Workers(*health.QUEUES))
    disks(monkeypatch)


def disks(monkeypatch: pytest.MonkeyPatch, full: Path | None = None) -> None:
    def usage(folder: Path) -> SimpleNamespace:
        return SimpleNamespace(free=health.ROOM if folder == full else health.ROOM + 1)

    monkeypatch.setattr(health, "shutil", SimpleNamespace(disk_usage=usage))


def asked() -> tuple[int, dict[str, Any]]:
    answer = Client().get("/healthz")
    return answer.status_code, answer.json()


def stale(*names: str) -> tuple[int, dict[str, Any]]:
    return 503, {"ok": False, "stale": list(names)}


def test_all_is_well() -> None:
    assert asked() == (200, {"ok": True, "stale": []})


def test_upkeep_that_fell_silent_is_named() -> None:
    Heartbeat.objects.update(at=Now() - health.STALE - dt.timedelta(seconds=1))
    assert asked() == stale("upkeep")


def test_upkeep_that_never_was_is_named() -> None:
    Heartbeat.objects.all().delete()
    assert asked() == stale("upkeep")


@pytest.mark.parametrize("missing", health.QUEUES)
def test_a_queue_without_a_worker_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(health, "Worker", Workers(*(name for name in health.QUEUES if name != missing)))
    assert asked() == stale(f"worker {missing}")


def test_redis_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_connection: object) -> list[object]:
        raise RedisGone("redis://:geheim@10.0.0.5 refused")

    monkeypatch.setattr(health, "Worker", SimpleNamespace(all=gone))
    assert asked() == stale("redis")


def test_a_database_that_is_gone_is_named_and_the_rest_is_still_looked_at(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def gone(_rows: object) -> bool:
        raise OperationalError("no connection to 10.0.0.6 as belfry")

    monkeypatch.setattr(QuerySet, "exists", gone)
    # a test's own connection stays open, since its transaction is rolled back at the end
    monkeypatch.setattr(health, "connection", SimpleNamespace(close=lambda: None))
    disks(monkeypatch, full=settings.PUBLIC_DIR)
    assert asked() == stale("database", "disk public")


@pytest.mark.parametrize(("setting", "name"), [("DATA", "disk data"), ("PUBLIC_DIR", "disk public")])
def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch, settings: Any, setting: str, name: str) -> None:
    disks(monkeypatch, full=getattr(settings, setting))
    assert asked() == stale(name)


def test_a_folder_that_is_gone_counts_as_full(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    settings.PUBLIC_DIR = tmp_path / "unmounted"
    monkeypatch.setattr(health, "shutil", shutil)
    monkeypatch.setattr(health, "ROOM", -1)  # however full this machine is
    assert asked() == stale("disk public")
