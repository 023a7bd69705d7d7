"""Behind ``deploy/run``: from a bare clone to the running city. Standard library only, since ``.venv`` may not exist.

It checks what can be checked in one sentence, makes the environment, prepares the data folder,
starts everything under one parent, waits for the page and says where everything is.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import http.client
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from . import environment, redis, supervise
from .environment import HOUSE, Refused, say

PAGE_MAY_TAKE = 60.0  # seconds
YES = {"1", "true", "t", "yes", "y", "on"}
MAIL_BY = {"BELFRY_INTAKE_LISTEN", "BELFRY_INTAKE_IMAP"}
OURS = "# Written by deploy/run at each start. Your own lines, outside of this part, win."
OURS_END = "# End of what deploy/run writes."


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="deploy/run", description="Start Belfry on this machine: everything in one go, from a bare clone."
    )
    parser.add_argument("--port", type=int, default=8000, help="port of the web page on this machine (8000)")
    parser.add_argument("--data", type=Path, help="folder for everything that Belfry keeps (BELFRY_DATA, else var/)")
    given = parser.parse_args(arguments)
    data = (given.data or Path(os.environ.get("BELFRY_DATA") or HOUSE / "var")).expanduser().absolute()
    try:
        make_folder(data)
        with held(data, given.port):
            check_port(given.port)
            environment.make()
            return run(data, given.port)
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped before it was up. Start again at any time: nothing is lost.\n")
        return 130


def make_folder(data: Path) -> None:
    """Make the data folder, for this user alone. Raises Refused where nothing can be written there."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / "run").mkdir(mode=0o700, exist_ok=True)
        probe = data / "run" / "can-be-written"
        probe.write_text("yes")
        probe.unlink()
    except OSError as error:
        raise Refused(
            f"The data folder {data} can't be written ({error.strerror}). Make it writable or choose another "
            "with --data DIR."
        ) from error


@contextmanager
def held(data: Path, port: int) -> Iterator[None]:
    """Hold the data folder's lock. Raises Refused where another Belfry has it."""
    with (data / "run" / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise Refused(
                f"Belfry already runs on the data folder {data} ({lock.read().strip() or 'it is just starting'}). "
                "Stop it with Ctrl-C there, or choose another folder with --data DIR."
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, http://127.0.0.1:{port}/")
        lock.flush()
        yield


def check_port(port: int) -> None:
    """Raise Refused where the web server could not listen on this port."""
    if not 0 < port < 65536:
        raise Refused(f"{port} is no port. Choose one from 1024 to 65535 with --port N.")
    try:
        with socket.socket() as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            wire.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused(
                f"Port {port} is in use by another program. Choose another, for example "
                f"deploy/run --port {redis.free_port() if port > 64000 else port + 1}"
            ) from error
        raise Refused(f"Port {port} can't be used ({error.strerror}). Choose one above 1023 with --port N.") from error


def own_lines(data: Path) -> list[str]:
    """The administrator's lines of ``belfry.env``: all that ``deploy/run`` did not write."""
    path = data / "belfry.env"
    lines, ours = [], False
    for line in path.read_text().splitlines() if path.is_file() else []:
        ours = ours or line == OURS
        if not ours:
            lines.append(line)
        ours = ours and line != OURS_END
    return lines


def values(lines: list[str]) -> dict[str, str]:
    """The settings that these lines of an env file make, by name (``NAME_FILE`` counts as ``NAME``)."""
    made = (line.strip().removeprefix("export ").partition("=") for line in lines if not line.strip().startswith("#"))
    return {name.strip().removesuffix("_FILE"): value.strip(" \"'") for name, equals, value in made if equals}


def write_settings(data: Path, ours: Mapping[str, str]) -> None:
    """Put our settings into ``belfry.env``, so that ``manage.py`` sees the same; the administrator's lines stay."""
    lines = [*own_lines(data), OURS, *(f"{name}={value}" for name, value in ours.items()), OURS_END]
    fresh = data / "belfry.env.new"
    fresh.touch(mode=0o600)
    fresh.write_text("\n".join(lines) + "\n")
    fresh.replace(data / "belfry.env")


def run(data: Path, port: int) -> int:
    """Prepare, start and supervise, until told to stop. Raises Refused."""
    given = values(own_lines(data)) | {name.removesuffix("_FILE"): value for name, value in os.environ.items()}
    settings = {"BELFRY_DEMO": "1", "BELFRY_ADDRESS": f"http://127.0.0.1:{port}"}
    server = None if {"REDIS_URL", "REDIS_SENTINELS"} & set(given) else redis.configure(data)
    if server and server.password:
        settings["REDIS_URL"] = server.url
    write_settings(data, {name: value for name, value in settings.items() if name not in given})

    variables = {
        **os.environ,
        "BELFRY_DATA": str(data),
        "BELFRY_BIND": f"127.0.0.1:{port}",
        "PATH": f"{environment.VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
    }
    supervisor = supervise.Supervisor(variables)
    try:
        if server:
            start_redis(supervisor, server)
        say("Preparing database, keys and pages …")
        if supervisor.once("prepare", [str(environment.PYTHON), "-m", "deploy.prepare"]):
            if supervisor.stopping:
                raise KeyboardInterrupt
            raise Refused("Belfry did not start: the reason stands above.")
        for name, command in supervise.procfile(variables).items():
            if name == "mail" and not MAIL_BY & set(given):
                continue  # no way in for mails is configured
            supervisor.start(name, command)
        wait_for_page(supervisor, port)
        say(greeting(data, port, demo=given.get("BELFRY_DEMO", "1").lower() in YES))
        supervisor.watch()
        say("Stopping …")
    finally:
        supervisor.end()
    say("Stopped. Everything is kept; deploy/run goes on from here.")
    return 0


def start_redis(supervisor: supervise.Supervisor, server: redis.Redis) -> None:
    """Start the Redis-compatible server and wait until it answers. Raises Refused."""
    process = supervisor.start("redis", server.command, server=True)
    for second_chance in (True, False):
        until = time.monotonic() + 10
        while time.monotonic() < until and process.falls == 0:
            if server.answers():
                return
            if supervisor.stopping:
                raise KeyboardInterrupt
            supervisor.step(0.02)
        if second_chance and process.falls:
            aside = server.set_aside()
            say(f"Redis can't read what it kept (now in {aside}); the database knows what is owed.")
            process.falls = 0
    raise Refused(f"{server.command[0]} does not start: the reason is in {server.folder.parent / 'run' / redis.LOG}.")


def wait_for_page(supervisor: supervise.Supervisor, port: int) -> None:
    until = time.monotonic() + PAGE_MAY_TAKE
    while not answers(port):
        if supervisor.stopping:
            raise KeyboardInterrupt
        if time.monotonic() > until:
            raise Refused(f"The page did not answer within {PAGE_MAY_TAKE:g} seconds: the reason stands above.")
        supervisor.step(0.05)


def answers(port: int) -> bool:
    """Whether the front page is there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def greeting(data: Path, port: int, *, demo: bool) -> str:
    """What a person wants to know once everything runs."""
    command = ".venv/bin/python manage.py"
    if data != HOUSE / "var":
        command = f"BELFRY_DATA={shlex.quote(str(data))} {command}"
    address = f"http://127.0.0.1:{port}"
    lines = ["", "Belfry is running.", f"  Public page  {address}/", f"  Desk         {address}/desk/"]
    log_ins = data / "demo_logins.txt"
    if demo and log_ins.is_file():
        lines += ["  Demo officers (this machine only):"]
        lines += [f"    {line}" for line in log_ins.read_text().splitlines() if line.strip()]
    elif not demo:
        lines += [f"  Log-ins      {command} first_officer makes the first one"]
    return "\n".join([*lines, f"  Data         {data}", f"  Commands     {command} help", "  Stop         Ctrl-C", ""])
