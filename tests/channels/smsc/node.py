"""The SMSC of npm's ``smpp``, and Prism with Twilio's own description of its API: peers that run under Node."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from channels.city.sms import Sms
from tests.house import PATIENT, free_port

from . import wire

TESTS = Path(__file__).resolve().parents[2]
PRISM = TESTS / "prism"
SPEC = PRISM / "node_modules/@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json"


class Smsc:
    """What the SMSC told, in order."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.told: list[dict[str, Any]] = []
        self._process = process
        self._asked = 0
        self._more = threading.Condition()
        self.reader = threading.Thread(target=self._listen, daemon=True)
        self.reader.start()
        self.port = int(self.until("listening")[0]["port"])

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self.told.append(json.loads(line))
                self._more.notify_all()

    def of(self, event: str) -> list[dict[str, Any]]:
        """All of an event up to now: it is asked for, or what it told might still be in the pipe."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._asked += 1
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            self.until("so far", self._asked)
        return self._of(event)

    def until(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """All of an event, once there are so many."""
        with self._more:
            if not self._more.wait_for(lambda: len(self._of(event)) >= count, PATIENT):
                raise AssertionError(f"{event}: {len(self._of(event))} instead of {count}: {self.told}")
        return self._of(event)

    def _of(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.told if one["event"] == event]

    @property
    def texts(self) -> dict[str, str]:
        """What was taken whole, by number."""
        return {f"+{one['to']}": one["text"] for one in self.of("whole")}

    @property
    def submitted(self) -> list[dict[str, Any]]:
        return self.of("submit")


@contextmanager
def smsc(**script: Any) -> Iterator[Smsc]:
    """An SMSC of the test's own; ``script`` as in smsc.js, numbers without the plus."""
    command = [node("node"), str(Path(__file__).with_name("smsc.js")), json.dumps(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        server = Smsc(process)
        try:
            yield server
        finally:
            process.kill()
            server.reader.join()


def bound(server: Smsc, **options: Any) -> dict[str, Any]:
    """A gateway of ``channels.toml`` that leads there."""
    usual = {"kind": "smpp", "host": "127.0.0.1", "port": server.port, "system_id": "belfry", "password": "geheim-4"}
    return {**usual, "sender": "Leipzig", "timeout": wire.PATIENT, **options}


@contextmanager
def over_smpp(*, gateway: dict[str, Any] | None = None, **script: Any) -> Iterator[tuple[Sms, Smsc]]:
    """The channel, its only gateway SMPP, and the SMSC at the other end."""
    with smsc(**script) as server:
        channel = Sms("sms", gateways=[bound(server, **(gateway or {}))])
        try:
            yield channel, server
        finally:
            channel.close()


@contextmanager
def prism() -> Iterator[str]:
    """The address of a server that takes what Twilio's own description allows, and answers 422 to anything else."""
    put_there()
    port = free_port()
    command = [node("node"), str(PRISM / "node_modules/@stoplight/prism-cli/dist/index.js"), "mock"]
    options = ["-h", "127.0.0.1", "-p", str(port), str(SPEC)]
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _wait(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + PATIENT
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
        except urllib.error.HTTPError:
            return  # it answers, if only that there is no such page
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)


def put_there() -> None:
    """Have Prism and the description in ``tests/prism/node_modules``: npm fetches them once (10 s, 90 MB)."""
    lock = PRISM / "package-lock.json"
    done = PRISM / "node_modules/.belfry"
    with (PRISM / "package.json").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several test processes want it at once
        if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
            return
        options = ["--prefix", str(PRISM), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        result = subprocess.run([node("npm"), "ci", *options], capture_output=True, text=True, check=False)
        if result.returncode:
            raise AssertionError(f"npm could not put Prism into tests/prism: {result.stderr[-500:]}")
        done.touch()


def node(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise AssertionError(f"{name} is missing: apt install npm")
    return found
