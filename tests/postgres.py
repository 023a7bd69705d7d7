"""A PostgreSQL server of the tests' own: in a temporary folder, over a unix socket, gone afterwards.

``python -m tests.postgres COMMAND…`` runs a command with its address in ``DATABASE_URL``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psycopg

from deploy.supervise import die_with

# Nothing here must outlive a power cut, so nothing waits for the disk
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


def programs() -> Path:
    """The folder of ``initdb`` and ``postgres``; Debian keeps them off the path."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not folders:
        raise SystemExit("There is no PostgreSQL on this machine (Debian and Ubuntu: apt install postgresql).")
    return folders[-1].parent


def account() -> str | None:
    """Whom PostgreSQL runs as: it refuses root."""
    if os.getuid():
        return None
    return "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"


def make_database(folder: Path) -> bool:
    """Make the database ``belfry``; False while the server does not answer."""
    try:
        with psycopg.connect(host=str(folder), user="belfry", dbname="postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE belfry")
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def server() -> Iterator[str]:
    """Run a server; yields the DATABASE_URL of an empty database."""
    # A unix socket's path may have 107 bytes: /tmp, whatever TMPDIR says
    with tempfile.TemporaryDirectory(prefix="belfry-pg-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder, user, bin_folder = Path(name), account(), programs()
        if user:
            shutil.chown(folder, user)
        options = ["--auth=trust", "--username=belfry", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(
            [bin_folder / "initdb", *options, folder / "data"],
            check=True,
            cwd=folder,
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        settings = [f"unix_socket_directories={folder}", "listen_addresses=", *QUICK]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [bin_folder / "postgres", "-D", folder / "data", *(word for item in settings for word in ("-c", item))],
                cwd=folder,
                user=user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(die_with, os.getpid(), signal.SIGINT),  # noqa: PLW1509 (no threads here)
            )
        try:
            until = time.monotonic() + 30
            while not make_database(folder):
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit("PostgreSQL does not start:\n" + (folder / "log").read_text())
                time.sleep(0.05)
            yield f"postgres://belfry@{quote(name, safe='')}/belfry"
        finally:
            process.send_signal(signal.SIGINT)  # its word for: end now, wait for nobody
            process.wait(30)


if __name__ == "__main__":
    with server() as url:
        sys.exit(subprocess.run(sys.argv[1:], check=False, env={**os.environ, "DATABASE_URL": url}).returncode)
