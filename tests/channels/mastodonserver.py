"""A Mastodon of ``mastodon_mock`` on loopback: it keeps posts, counts their length and plays faults."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.house import PATIENT, free_port

TOKEN = "mock_token"
FAULTS = "/api/v1/_mock/faults"


class Instance:
    """A running instance at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that the instance answers to anybody with the token."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENT) as answer:
            return json.loads(answer.read() or b"null")

    def fault(self, method: str, path: str, count: int = 1, **effect: Any) -> None:
        """Answer the next ``count`` such requests with a fault (``type`` status, ratelimit, malformed, timeout …)."""
        self.ask("POST", FAULTS, {"match": {"methods": [method], "path": path}, "effect": effect, "count": count})

    def mend(self) -> None:
        """No more faults."""
        self.ask("DELETE", FAULTS)

    def posts(self) -> list[dict[str, Any]]:
        """What the account has put out, the newest first."""
        me = self.ask("GET", "/api/v1/accounts/verify_credentials")["id"]
        found: list[dict[str, Any]] = self.ask("GET", f"/api/v1/accounts/{me}/statuses?limit=40")
        return found


@contextmanager
def instance() -> Iterator[Instance]:
    """An instance with nothing on it, gone at the end."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "mastodon_mock",
        "serve",
        "--in-memory",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, "--log-level", "critical"], **quiet) as process:  # type: ignore[call-overload]
        try:
            _wait(process, f"http://127.0.0.1:{port}")
            yield Instance(f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + PATIENT
    while True:
        try:
            urllib.request.urlopen(f"{url}/api/v2/instance", timeout=5).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.05)
