"""The Redis-compatible server of deploy/run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis as client

from deploy import redis
from deploy.environment import Refused


@contextmanager
def running(server: redis.Redis) -> Iterator[None]:
    process = subprocess.Popen(server.command, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while not server.answers():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("d"))


def folder(path: Path) -> Path:
    (path / "run").mkdir(parents=True)
    return path


def test_it_keeps_what_it_was_told_and_answers_over_the_socket_alone(data: Path) -> None:
    server = redis.configure(data)
    with running(server):
        assert server.url == f"unix://{data}/run/redis.sock"
        assert (data / "run" / "redis.sock").stat().st_mode & 0o777 == 0o700
        wire = client.Redis.from_url(server.url)
        wire.set("rung", "yes")
        assert wire.config_get("port") == {"port": "0"}
        wire.close()
    with running(redis.configure(data)):
        wire = client.Redis.from_url(server.url)
        assert wire.get("rung") == b"yes"
        wire.close()


def test_too_long_a_path_for_a_socket_means_loopback_with_a_password(data: Path) -> None:
    deep = folder(data / ("deep" * 30))
    server = redis.configure(deep)
    with running(server):
        assert server.url.startswith("redis://:")
        wire = client.Redis.from_url(server.url)
        assert wire.config_get("bind") == {"bind": "127.0.0.1"}
        wire.close()
        stranger = client.Redis.from_url(server.url.replace(server.password, ""))
        with pytest.raises(client.AuthenticationError):
            stranger.ping()
        stranger.close()
    assert (deep / "run" / "redis.conf").stat().st_mode & 0o077 == 0


def test_what_it_can_not_read_is_set_aside(data: Path) -> None:
    server = redis.configure(data)
    (server.folder / "kept").write_text("x")
    aside = server.set_aside()
    assert (aside / "kept").read_text() == "x"
    assert list(server.folder.iterdir()) == []


def test_a_machine_without_any_server_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(redis, "VENV", tmp_path)
    with pytest.raises(Refused, match="apt install redis-server"):
        redis.server()
