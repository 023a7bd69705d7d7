"""What the benchmarks send to: servers on loopback that take all and count, and the whole house that sends."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.channels.pushservice import HOST, LOOPBACK, certificate
from tests.house import SITE, House, free_port, wait_for

NGINX = """
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 2048; }}
http {{
  access_log {log}; keepalive_requests 10000000; client_max_body_size 8k;
  http2_max_concurrent_streams 1000;
  log_format moments '$msec';
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl http2; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{ return 201; }}
  }}
  server {{ listen 127.0.0.1:{status}; access_log off; location / {{ stub_status; }} }}
}}
"""


@dataclass
class PushSink:
    """nginx as a push service; ``moments`` has the time of each request, where it was asked to keep them."""

    folder: Path
    port: int
    status: int

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
        self.asked = getattr(self, "asked", 0) + 1
        return int(found[1]) - self.asked

    def moments(self) -> list[float]:
        """Seconds since the epoch, one for each POST."""
        return sorted(float(line) for line in (self.folder / "moments.log").read_text().split())


@contextmanager
def push_sink(folder: Path, *, moments: bool = False) -> Iterator[PushSink]:
    folder.mkdir(parents=True)
    certificate(folder, HOST)
    sink = PushSink(folder, free_port(), free_port())
    conf = folder / "nginx.conf"
    conf.write_text(
        NGINX.format(
            user="user root;" if os.getuid() == 0 else "",
            folder=folder,
            port=sink.port,
            status=sink.status,
            log=f"{folder}/moments.log moments buffer=1m flush=1s" if moments else "off",
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
