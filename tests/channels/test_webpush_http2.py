"""Push over HTTP/2, which the browsers' services speak: nginx stands before the push service of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.city.webpush import wire
from tests.channels.pushing import made, send
from tests.channels.pushservice import HOST, LOOPBACK, Browser, PushService, browser, certificate
from tests.house import free_port, wait_for

NGINX = """
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  log_format connections '$connection $server_protocol $status'; access_log {folder}/access.log connections;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl http2; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    http2_max_concurrent_streams {streams};
    location / {{ proxy_pass {behind}; proxy_http_version 1.1; }}
  }}
}}
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PushService]:
    (tmp_path / "service").mkdir()
    with PushService(tmp_path / "service") as running:
        yield running


@pytest.fixture
def streams() -> int:
    """Requests that nginx takes at once on one connection."""
    return 100


@pytest.fixture
def front(tmp_path: Path, service: PushService, streams: int) -> Iterator[int]:
    """The port of nginx."""
    folder, port = tmp_path / "nginx", free_port()
    folder.mkdir()
    certificate(folder, HOST)
    user = "user root;" if os.getuid() == 0 else ""
    conf = folder / "nginx.conf"
    behind = service.origin.replace(HOST, "127.0.0.1")
    conf.write_text(NGINX.format(user=user, folder=folder, port=port, behind=behind, streams=streams))
    nginx = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        wait_for((folder / "nginx.pid").exists, "nginx")
        yield port
    finally:
        nginx.terminate()
        nginx.wait()


def browsers(port: int, count: int) -> list[Browser]:
    return [browser(f"https://{HOST}:{port}/push/{number}") for number in range(count)]


def options(port: int) -> dict[str, dict[str, str]]:
    named = f"{HOST}:{port}"
    return {"private_hosts": {named: LOOPBACK}, "resolve": {named: "127.0.0.1"}}


def test_many_pushes_share_a_few_connections(tmp_path: Path, service: PushService, front: int) -> None:
    channel = made(tmp_path / "channel", service, **options(front))
    some = browsers(front, 300)
    for _again in range(2):
        assert {(outcome.state, outcome.words) for outcome in send(channel, *some)} == {("accepted", "")}
    assert len(service.taken) == 600
    by_path = {one.path: one for one in some}
    assert {by_path[push.path].notification(push.body)["tag"] for push in service.taken} == {"k7f3x"}
    lines = (tmp_path / "nginx" / "access.log").read_text().split("\n")[:-1]
    assert {line.split()[1] for line in lines} == {"HTTP/2.0"}
    assert len({line.split()[0] for line in lines}) <= 300 // wire.STREAMS + wire.FIRST


@pytest.mark.parametrize("streams", [8])
def test_a_service_that_takes_few_at_once_gets_the_others_later(
    tmp_path: Path, service: PushService, front: int
) -> None:
    channel = made(tmp_path / "channel", service, **options(front))
    left = browsers(front, 200)
    for _pass in range(6):
        outcomes = send(channel, *left)
        assert {outcome.state for outcome in outcomes} <= {"accepted", "temporary"}
        left = [one for one, outcome in zip(left, outcomes, strict=True) if outcome.state == "temporary"]
        if not left:
            break
    assert not left
    assert len({push.path for push in service.taken}) == 200


def test_one_that_hangs_holds_up_none_of_those_that_share_its_connection(
    tmp_path: Path, service: PushService, front: int
) -> None:
    channel = made(tmp_path / "channel", service, timeout=3.0, **options(front))
    some = browsers(front, 60)
    service.script[some[0].path] = ["hangs"] * 3
    service.script[some[1].path] = ["410"]
    outcomes = send(channel, *some)
    assert [outcome.state for outcome in outcomes] == ["temporary", "permanent"] + ["accepted"] * 58
    assert outcomes[1].gone
