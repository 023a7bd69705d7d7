"""Processes that a test starts, reads and ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

HOUSE = Path(__file__).resolve().parents[2]


class Started:
    """A process whose output is kept by lines; killed at the end of the block where it still runs."""

    def __init__(self, command: Sequence[str], *, cwd: Path = HOUSE, env: Mapping[str, str] | None = None) -> None:
        self.popen = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.deaf = False  # set: stop reading and close the pipe
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.popen.stdout
        with self.popen.stdout as lines:
            for line in lines:
                self.lines.append(line.rstrip("\n"))
                if self.deaf:
                    return

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, *, times: int = 1, seconds: float = 60) -> re.Match[str]:
        """The last of so many matches in what it has said, once they are there."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = list(re.finditer(pattern, self.said, re.MULTILINE))
            if len(found) >= times:
                return found[-1]
            if not self.reader.is_alive():
                break
            time.sleep(0.02)
        raise AssertionError(f"it never said {pattern!r} ({times} times), but:\n{self.said}")

    def end(self, number: int | None = None, seconds: float = 30) -> int:
        """Send a signal where one is given, and wait for the end; its exit code."""
        if number is not None:
            self.popen.send_signal(number)
        code = self.popen.wait(seconds)
        self.reader.join(5)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        self.reader.join(5)


def python(*words: str, env: Mapping[str, str] | None = None, cwd: Path = HOUSE) -> subprocess.CompletedProcess[str]:
    """Run this Python to its end; output and errors come together in ``stdout``."""
    return subprocess.run(
        [sys.executable, *words],
        check=False,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether it becomes true within that time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def gone(pid: int) -> bool:
    """Whether a process has ended; one that is dead and not yet waited for counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True
