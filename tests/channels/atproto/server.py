"""Installs the network once into the user's cache, and starts it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PATIENT = 60.0
"""Seconds until a call is given up; it only ends what hangs."""


def folder() -> Path:
    """Where its packages are kept between runs."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "belfry" / "atproto"


def put_there() -> Path:
    """Have the packages in ``folder``: npm fetches and compiles them once (100 s, 300 MB)."""
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    with (place / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        wanted = {name: (HERE / name).read_bytes() for name in ("package.json", "package-lock.json")}
        done = place / "done"
        if done.exists() and all((place / name).read_bytes() == body for name, body in wanted.items()):
            return place
        done.unlink(missing_ok=True)
        for name, body in wanted.items():
            (place / name).write_bytes(body)
        command = ["nice", "-n", "19", node("npm"), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        result = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        if result.returncode:
            raise AssertionError(f"npm could not put the network into {place}: {result.stderr[-800:]}")
        done.touch()
    return place


class Network:
    """The account server at ``url``, with what any client may ask of it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, body: Mapping[str, Any] | None = None, *, token: str = "", **query: str) -> Any:
        """The JSON that an XRPC method answers: a query where there is no ``body``."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/xrpc/{method}?{asked}", data, headers)
        with urllib.request.urlopen(request, timeout=PATIENT) as answer:
            return json.loads(answer.read() or b"null")

    def account(self, name: str) -> Account:
        handle, password = f"{name}.test", "das eigene Passwort"
        made = self.ask(
            "com.atproto.server.createAccount",
            {"handle": handle, "email": f"{name}@leipzig.example", "password": password},
        )
        given = self.ask("com.atproto.server.createAppPassword", {"name": "belfry"}, token=made["accessJwt"])
        return Account(self, made["did"], handle, given["password"], made["accessJwt"])


class Account:
    """An account there, with an app password."""

    def __init__(self, network: Network, did: str, handle: str, password: str, token: str) -> None:
        self.network, self.did, self.handle, self.password, self.token = network, did, handle, password, token

    def posts(self) -> dict[str, Any]:
        """Its posts by their URI."""
        found = self.network.ask(
            "com.atproto.repo.listRecords", repo=self.did, collection="app.bsky.feed.post", limit="100"
        )
        return {one["uri"]: one["value"] for one in found["records"]}

    def blob(self, cid: str) -> bytes:
        url = f"{self.network.url}/xrpc/com.atproto.sync.getBlob?did={self.did}&cid={cid}"
        with urllib.request.urlopen(url, timeout=PATIENT) as answer:
            return bytes(answer.read())


@contextmanager
def network() -> Iterator[Network]:
    """A network with nobody on it, gone at the end."""
    command = [node("node"), str(HERE / "network.cjs"), str(put_there())]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:  # its servers log there too
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    yield Network(json.loads(line)["url"])
                    break
            else:
                raise AssertionError("the network did not start: run node network.cjs FOLDER to see why")
        finally:
            process.kill()


def node(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise AssertionError(f"{name} is missing: apt install npm")
    return found
