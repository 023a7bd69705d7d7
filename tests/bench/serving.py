"""Requests a second of the alert page: the application without nginx against nginx with the same file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.bench import RATIOS, Tables

SECONDS, CONNECTIONS = 8, 64
NGINX = """
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 2;
events {{ worker_connections 1024; }}
http {{
  access_log off; types {{ text/html html; }} sendfile on; gzip_static on;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {public}; index index.html; }}
}}
"""


def run() -> Tables:
    import django

    django.setup()
    from tests.house import free_port, house, wait_for

    folder = Path(os.environ["BELFRY_DATA"])
    folder.chmod(0o755)
    with house(folder / "house") as belfry:
        belfry.start(
            "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--bind", f"127.0.0.1:{belfry.port}", "deploy.wsgi"
        )
        wait_for(lambda: belfry.answers("/healthz"), "the application")
        belfry.act("release")
        belfry.manage("upkeep", "--once")
        slug = wait_for(lambda: carried(belfry.data), "the page")
        port = free_port()
        # as root, nginx would read as a user that the temporary folder is closed to
        user = "user root;" if os.getuid() == 0 else ""
        conf = folder / "nginx.conf"
        conf.write_text(NGINX.format(user=user, folder=folder, port=port, public=belfry.data / "public"))
        nginx = subprocess.Popen(
            [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(conf)], stderr=subprocess.DEVNULL
        )
        try:
            path = f"/alerts/{slug}/"
            wait_for(lambda: load(port, path, seconds=1), "nginx")
            application, file = load(belfry.port, path), load(port, path)
        finally:
            nginx.terminate()
            nginx.wait()
        size = (belfry.data / "public" / "alerts" / slug / "index.html").stat().st_size
    return {
        RATIOS: {"application / nginx": application / file},
        f"requests a second, {CONNECTIONS} connections, page of {size:,} bytes": {
            "application (gunicorn 2x4)": application,
            "nginx": file,
        },
    }


def carried(data: Path) -> str:
    pages = list((data / "public" / "alerts").glob("*/index.html"))
    return pages[0].parent.name if pages else ""


def load(port: int, path: str, seconds: int = SECONDS) -> float:
    """Requests a second by wrk (Debian); 0 where nothing answers."""
    done = subprocess.run(
        ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", f"http://127.0.0.1:{port}{path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    return float(found[1]) if found and "Non-2xx" not in done.stdout else 0.0
