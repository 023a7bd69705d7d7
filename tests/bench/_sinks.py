"""What the benchmarks send to: servers on loopback that take all and count, and the whole house that sends."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.channels.pushservice import HOST, LOOPBACK, certificate
from tests.house import SITE, House, free_port, wait_for

HEAD = """
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 2048; }}
http {{
  access_log {log}; keepalive_requests 10000000; client_max_body_size 8k;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
"""
PUSH = """
  http2_max_concurrent_streams 1000;
  server {{
    listen 127.0.0.1:{port} ssl http2; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{ return 201; }}
  }}
  server {{ listen 127.0.0.1:{status}; access_log off; location / {{ stub_status; }} }}
}}
"""


@dataclass
class PushSink:
    """nginx as a push service."""

    folder: Path
    port: int
    status: int
    asked: int = 0

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.port}/"

    @property
    def options(self) -> Mapping[str, object]:
        named = f"{HOST}:{self.port}"
        return {
            "private_hosts": {named: LOOPBACK},
            "resolve": {named: "127.0.0.1"},
            "ca_file": str(self.folder / "ca.pem"),
        }

    @property
    def toml(self) -> str:
        """The channel that pushes here, as a table of channels.toml."""
        lines = [f"{name} = {_toml(value)}" for name, value in self.options.items()]
        return "\n".join(['[webpush]\nadapter = "channels.city.webpush.WebPush"\nrehearsal = false', *lines, ""])

    def count(self) -> int:
        """POSTs taken so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status}/") as answer:
            words = answer.read().decode()
        found = re.search(r"requests\n\s*\d+\s+\d+\s+(\d+)", words)
        assert found
        # this question is one itself, and each before it was
        self.asked += 1
        return int(found[1]) - self.asked


@contextmanager
def push_sink(folder: Path) -> Iterator[PushSink]:
    folder.mkdir(parents=True)
    certificate(folder, HOST)
    sink = PushSink(folder, free_port(), free_port())
    conf = folder / "nginx.conf"
    conf.write_text(
        (HEAD + PUSH).format(
            user="user root;" if os.getuid() == 0 else "",
            folder=folder,
            port=sink.port,
            status=sink.status,
            log="off",
        )
    )
    nginx = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(conf)])
    try:
        wait_for(lambda: answers(sink), "nginx")
        yield sink
    finally:
        nginx.terminate()
        nginx.wait()


def answers(sink: PushSink) -> bool:
    try:
        return sink.count() >= 0
    except OSError:
        return False


@dataclass
class Sink:
    """A server that takes all; ``toml`` is the channel that sends to it."""

    toml: str


@contextmanager
def mail_sink() -> Iterator[Sink]:
    """Postfix's smtp-sink."""
    port = free_port()
    program = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
    as_user = ["-u", "nobody"] if os.getuid() == 0 else []
    sink = subprocess.Popen([program, *as_user, f"127.0.0.1:{port}", "200"])
    try:
        wait_for(lambda: listens(port), "smtp-sink")
        yield Sink(
            f'[email]\nadapter = "channels.city.email.Email"\nrehearsal = false\nurl = "smtp://127.0.0.1:{port}"\n'
        )
    finally:
        sink.terminate()
        sink.wait()


@contextmanager
def sms_sink(folder: Path) -> Iterator[Sink]:
    """nginx as a provider's HTTP interface."""
    folder.mkdir(parents=True)
    port = free_port()
    server = 'location / {{ default_type application/json; return 200 \'{{"id":"one"}}\'; }}'
    conf = folder / "nginx.conf"
    conf.write_text(
        (HEAD + "  server {{ listen 127.0.0.1:{port}; " + server + " }}\n}}\n").format(
            user="user root;" if os.getuid() == 0 else "", folder=folder, port=port, log="off"
        )
    )
    nginx = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(conf)])
    try:
        wait_for(lambda: listens(port), "nginx")
        yield Sink(
            '[sms]\nadapter = "channels.city.sms.Sms"\nrehearsal = false\n'
            f'[[sms.gateways]]\nkind = "http"\nname = "gateway"\nurl = "http://127.0.0.1:{port}/"\nid = "id"\n'
            'json = {{ to = "{to}", text = "{text}" }}\n'.replace("{{", "{").replace("}}", "}")
        )
    finally:
        nginx.terminate()
        nginx.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


WORKERS = (["site"], ["city-urgent"], ["city-urgent", "city"], ["commercial"])
"""The workers of the Procfile, but for the one that makes pushes ahead."""


@contextmanager
def running(folder: Path, channels: str) -> Iterator[House]:
    """The whole house with its processes, at rest."""
    made = House(folder, SITE + channels, BELFRY_SWEEP_SECONDS="1", BELFRY_REDIS_PATIENCE_SECONDS="5")
    try:
        made.redis_start()
        made.web()
        for queues in WORKERS:
            made.worker(*queues)
        made.upkeep()
        wait_for(lambda: made.get("/healthz")[0] == 200, "health")
        yield made
    finally:
        made.close()


def peak(made: House) -> float:
    """Megabytes: the most that any worker has had in memory so far."""
    most = 0
    for process in made.processes:
        if process.poll() is not None:
            continue
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        if b"work" in words:
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            most = max(most, int(found[1]) if found else 0)
    return most / 1024


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)
