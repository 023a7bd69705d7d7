"""What breaks in a crisis, broken for real: workers killed, Redis emptied, gone, never there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.house import ROOT, House, house, kill, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

FAKE = 'adapter = "tests.channels.fakes.{name}"\nrehearsal = false\n'
SITE = "[website]\n" + FAKE.format(name="Page") + "[feeds]\n" + FAKE.format(name="Page")


def slow(folder: Path, name: str = "Slow") -> str:
    return f'{SITE}[slow]\n{FAKE.format(name=name)}sink = "{folder / "sink"}"\npause = 1.5\n'


def lines(folder: Path, word: str) -> list[str]:
    sink = folder / "sink"
    return [line for line in sink.read_text().splitlines() if line.startswith(word)] if sink.exists() else []


def settled(belfry: House, channel: str, state: str) -> Any:
    def looked() -> Any:
        now = belfry.act("state")
        return now if [channel, state] in now["deliveries"] else None

    return wait_for(looked, f"{channel} {state}")


def test_a_worker_killed_in_the_middle_of_a_delivery_loses_nothing(tmp_path: Path) -> None:
    with house(tmp_path, slow(tmp_path), BELFRY_LEASE_SECONDS="4") as belfry:
        belfry.redis_start()
        worker = belfry.worker("city-urgent")
        belfry.worker("site")
        belfry.upkeep()
        belfry.act("release")
        wait_for(lambda: lines(tmp_path, "begins"), "the delivery to begin")
        kill(worker)
        belfry.worker("city-urgent")
        now = settled(belfry, "slow", "done")
        assert ["slow", "lost"] in now["attempts"]
        assert {line.rsplit(":", 1)[1] for line in lines(tmp_path, "sent")} == {"de", "en"}


def test_a_worker_killed_where_trying_twice_would_send_twice_leaves_it_unclear(tmp_path: Path) -> None:
    with house(tmp_path, slow(tmp_path, "SlowOnce"), BELFRY_LEASE_SECONDS="4") as belfry:
        belfry.redis_start()
        worker = belfry.worker("city-urgent")
        belfry.worker("site")
        belfry.act("release")
        wait_for(lambda: lines(tmp_path, "begins"), "the delivery to begin")
        kill(worker)
        belfry.upkeep()
        belfry.worker("city-urgent")
        now = settled(belfry, "slow", "unclear")
        assert any(key.startswith("delivery ") for key in now["alarms"])
        assert len(lines(tmp_path, "begins")) == 1


def test_an_emptied_redis_loses_nothing(tmp_path: Path) -> None:
    with house(tmp_path, slow(tmp_path), BELFRY_LEASE_SECONDS="4") as belfry:
        belfry.redis_start()
        belfry.act("release")
        redis.Redis(port=belfry.redis_port).flushall()
        belfry.worker("site")
        belfry.worker("city-urgent")
        belfry.upkeep()
        now = settled(belfry, "slow", "done")
        assert now["live"] == 1
        assert len(lines(tmp_path, "sent")) == 2


def test_redis_gone_at_the_moment_of_approval_and_back_later(tmp_path: Path) -> None:
    with house(tmp_path, slow(tmp_path), BELFRY_LEASE_SECONDS="4") as belfry:
        told = belfry.act("release")
        assert told["identifier"], "approving did not wait for Redis"
        belfry.redis_start()
        belfry.worker("site")
        belfry.worker("city-urgent")
        belfry.upkeep()
        assert settled(belfry, "slow", "done")["live"] == 1


def test_redis_off_throughout_the_page_is_live_all_the_same(tmp_path: Path) -> None:
    with house(tmp_path) as belfry:
        belfry.web()
        belfry.upkeep()
        told = belfry.act("release")
        wait_for(lambda: belfry.act("state")["live"] == 1, "the gate")
        status, page = belfry.get(f"/alerts/{told['slug']}/")
        assert status == 200
        assert told["identifier"] in page
        assert belfry.get(f"/cap/{told['identifier']}.xml")[0] == 200
        assert "redis" in belfry.act("state")["alarms"]
        status, health = belfry.get("/healthz")
        assert status == 503
        assert "redis" in health


def test_workers_carry_an_alert_to_page_and_feeds_and_the_drill_measures_it(tmp_path: Path) -> None:
    with house(tmp_path) as belfry:
        belfry.redis_start()
        belfry.web()
        for queues in (["site"], ["city-urgent"], ["city-urgent", "city"], ["commercial", "upkeep"]):
            belfry.worker(*queues)
        belfry.upkeep()
        told = belfry.act("release")
        wait_for(lambda: belfry.act("state")["live"] == 1, "the gate")
        assert told["identifier"] in belfry.get(f"/alerts/{told['slug']}/")[1]
        assert told["identifier"] in belfry.get("/feeds/alerts.atom")[1]
        wait_for(lambda: belfry.get("/healthz")[0] == 200, "health")
        refused = belfry.manage("drill", check=False)
        assert refused.returncode == 1
        assert "approved in advance" in refused.stderr
        belfry.act("ready")
        drill = belfry.manage("drill")
        assert "website" in drill.stdout
        assert "feeds" in drill.stdout
        assert belfry.get("/feeds/alerts.atom")[1].count("ÜBUNG") == 0
        assert "ÜBUNG" in belfry.get("/feeds/exercises.atom")[1]


def test_four_processes_writing_at_once_never_find_the_database_locked(tmp_path: Path) -> None:
    with house(tmp_path, SITE) as belfry:
        writers = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.acts", "release", "15"],
                cwd=ROOT,
                env=belfry.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for _ in range(4)
        ]
        for writer in writers:
            _out, errors = writer.communicate()
            assert writer.returncode == 0, errors.decode()
        now = belfry.act("state")
        assert now["messages"] == 60
        assert not now["record"]
