"""One parent for all processes: starts them, brings back what dies, passes on what they say, and ends them cleanly.

The list is ``deploy/Procfile``, and nothing else. ``python -m deploy.supervise NAME`` becomes the one process of
that name: so systemd and containers, which supervise by themselves, read the same list. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from string import Template
from types import FrameType

HOUSE = Path(__file__).resolve().parent.parent
PROCFILE = HOUSE / "deploy" / "Procfile"
DEFAULTS = {"BELFRY_BIND": "127.0.0.1:8000"}

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

FIRST_PAUSE, LONGEST_PAUSE, STEADY = 0.5, 30.0, 20.0  # seconds until a restart; alive so long, it counts as well
WORKERS_MAY_TAKE, SERVERS_MAY_TAKE = 7.0, 2.0  # seconds to end by themselves, before they are killed


def procfile(variables: Mapping[str, str]) -> dict[str, list[str]]:
    """Every process of ``deploy/Procfile``, by name, with its ``$NAME`` filled in."""
    lines = (line.partition(":") for line in PROCFILE.read_text().splitlines() if line.strip())
    return {
        name.strip(): shlex.split(Template(line).substitute({**DEFAULTS, **variables})) for name, _colon, line in lines
    }


def die_with(parent: int, number: int = signal.SIGTERM) -> None:
    """In a new process: have the kernel send us this signal when ``parent`` dies, even by -9 (Linux)."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def adopt() -> None:
    """Have what a killed child leaves behind become our child, so that we can end it (Linux)."""
    if LIBC:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_adopted(own: set[int]) -> list[str]:
    """Kill every child of this process whose id is not among ``own``; returns what they ran."""
    ended = []
    for listing in Path("/proc/self/task").glob("*/children"):
        for pid in {int(word) for word in listing.read_text().split()} - own:
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
            ended += [command] if command else []  # an empty one was dead already
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return ended


@dataclass
class Process:
    """One supervised process; ``server`` ones are ended after all that use them."""

    name: str
    command: list[str]
    server: bool = False
    popen: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    falls: int = 0
    rest: bytes = field(default=b"", repr=False)

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None


class Supervisor:
    """The parent. ``asked`` counts SIGTERM, SIGINT and SIGHUP; whoever waits looks at it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.processes: list[Process] = []
        self.own: set[int] = set()  # ids of the processes that we started; other children are adopted
        self.asked = 0
        self.deaf = False
        self.selector = selectors.DefaultSelector()
        self.pid = os.getpid()
        adopt()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.asked += 1

    @property
    def stopping(self) -> bool:
        return self.asked > 0

    def start(self, name: str, command: list[str], *, server: bool = False) -> Process:
        process = Process(name, command, server)
        self.processes.append(process)
        self._launch(process)
        return process

    def once(self, name: str, command: list[str]) -> int:
        """Run a command to its end beside the others; its exit code (negative where a signal ended it)."""
        process = Process(name, command)
        self._launch(process)
        assert process.popen  # noqa: S101
        while process.alive and not self.stopping:
            self.step()
        if process.alive:
            self._signal([process], signal.SIGTERM)
        code = process.popen.wait()
        self._read(process)
        return code

    def step(self, seconds: float = 0.1) -> None:
        """Pass on what was said within ``seconds``, and start again what is down and due."""
        for key, _events in self.selector.select(seconds):
            self._read(key.data)
        self._bury()
        now = time.monotonic()
        for process in self.processes:
            if process.alive or self.stopping:
                continue
            if process.popen is not None:
                self._fell(process, now)
            elif now >= process.due:
                self._launch(process)

    def watch(self) -> None:
        """Supervise until told to stop."""
        while not self.stopping:
            self.step(0.5)

    def end(self) -> None:
        """End all: what works first, then what it worked with; a second Ctrl-C or too long a wait kills the rest."""
        self.asked = max(self.asked, 1)
        before = self.asked
        for server, patience in ((False, WORKERS_MAY_TAKE), (True, SERVERS_MAY_TAKE)):
            group = [process for process in self.processes if process.server == server]
            self._signal(group, signal.SIGTERM)
            until = time.monotonic() + patience
            while any(process.alive for process in group) and time.monotonic() < until and self.asked == before:
                for key, _events in self.selector.select(0.05):
                    self._read(key.data)
            self._signal(group, signal.SIGKILL)
            for process in group:
                self._read(process)
            if not server:
                end_adopted(self.own)

    def _launch(self, process: Process) -> None:
        process.started = time.monotonic()
        process.popen = subprocess.Popen(
            process.command,
            cwd=HOUSE,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal reaches us alone; we end the children in order
            preexec_fn=partial(die_with, self.pid),  # noqa: PLW1509 (no threads here)
        )
        self.own.add(process.popen.pid)
        assert process.popen.stdout  # noqa: S101
        os.set_blocking(process.popen.stdout.fileno(), False)
        self.selector.register(process.popen.stdout, selectors.EVENT_READ, process)

    def _fell(self, process: Process, now: float) -> None:
        """Note that a process ended by itself, and when it is due again."""
        assert process.popen  # noqa: S101
        self._read(process)
        process.falls = 0 if now - process.started > STEADY else process.falls + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** max(0, process.falls - 1))
        self._print(process.name, f"ended ({_words(process.popen.returncode)}); starts again in {pause:g} s")
        self.own.discard(process.popen.pid)
        # What it left behind works on as if nothing had happened: an old web process would take a resident's
        # request and drop it, an old worker hold a lease that nobody minds
        end_adopted(self.own)
        process.popen, process.due = None, now + pause

    def _read(self, process: Process) -> None:
        """Print whole lines of what a process has said; at its end, the rest of the last line too."""
        stdout = process.popen.stdout if process.popen else None
        if stdout is None or stdout.closed:
            return
        while (said := _read_some(stdout.fileno())) is not None:
            if not said:
                self.selector.unregister(stdout)
                stdout.close()
                said = b"\n" if process.rest else b""
            *lines, process.rest = (process.rest + said).split(b"\n")
            for line in lines:
                self._print(process.name, line.decode(errors="replace"))
            if stdout.closed:
                return

    def _print(self, name: str, line: str) -> None:
        if self.deaf:
            return
        try:
            sys.stdout.write(f"{name:>10} | {line}\n")
            sys.stdout.flush()
        except OSError:  # the terminal is gone: nobody to tell, everything to end
            self.deaf = True
            self.asked = max(self.asked, 1)

    def _signal(self, group: list[Process], number: int) -> None:
        """Send a signal: SIGTERM to the process, SIGKILL to all that it started within its session."""
        for process in group:
            if process.popen is None or not process.alive:
                continue
            if number == signal.SIGKILL:
                os.killpg(process.popen.pid, number)
                process.popen.wait()
            else:
                process.popen.send_signal(number)

    def _bury(self) -> None:
        """Take note of the death of adopted processes, or they would stay in the process table."""
        try:
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in self.own:
                    return  # ours: its Popen asks
                os.waitpid(ended.si_pid, 0)
        except ChildProcessError:
            return  # no child at all


def _read_some(descriptor: int) -> bytes | None:
    """What a pipe holds; empty at its end, None where there is nothing to read yet."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return None


def _words(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


if __name__ == "__main__":
    os.chdir(HOUSE)
    bin_folder = str(Path(sys.executable).parent)
    commands = procfile(os.environ)
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"Name one process of {PROCFILE.name}: {', '.join(commands)}.")
    os.environ["PATH"] = bin_folder + os.pathsep + os.environ.get("PATH", os.defpath)
    command = commands[sys.argv[1]]
    os.execvp(command[0], command)  # noqa: S606
