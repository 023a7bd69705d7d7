"""nginx in front: its configuration is valid, and it answers as Belfry's own server does."""

from __future__ import annotations

import datetime as dt
import gzip
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from channels.publicfiles import GZIPPED
from channels.serving import Serve
from deploy.redis import free_port

HOUSE = Path(__file__).resolve().parents[2]
PAGES = {
    "public/index.html": "<h1>Leipzig</h1>" * 50,
    "public/404.html": "<h1>Nicht gefunden</h1>",
    "public/en/404.html": "<h1>Not found</h1>",
    "public/alerts/k7m2p/index.html": "<h1>Bombe</h1>",
    "public/feeds/alerts.atom": "<feed/>",
    "public/feeds/alerts.rss": "<rss/>",
    "public/cap/abc.xml": "<alert/>",
    "public/alerts.json": "[]",
    "public/alerts.geojson": "{}",
    "public/assets/belfry-1a2b.css": "a{}",
    "public/assets/icon.svg": "<svg/>",
    "public/assets/icon-192.0123.png": "PNG",
    "public/cards/0123.jpg": "JPEG",
    "public/cards/0123.png": "PNG",
    "public/sw.js": "self.skipWaiting()" * 50,
    "public/en/manifest.webmanifest": "{}",
    "public/subscribe/index.html": "<h1>Abonnieren</h1>",
    "public/sitemap.xml": "<urlset/>",
    "public/.live": "{}",
    "static/admin/base.css": "b{}",
}
COMPARED = (
    "Content-Type",
    "Cache-Control",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Referrer-Policy",
    "Permissions-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Strict-Transport-Security",
    "Location",
    "Vary",
)


def program() -> str:
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found, "nginx is missing; deploy/test installs it (Debian and Ubuntu: apt install nginx-light)"
    return found


def write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "warnung.example.org")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


class Desk(BaseHTTPRequestHandler):
    """Stands for the application: says which address and scheme it was told."""

    def do_GET(self) -> None:
        said = f"{self.headers['X-Forwarded-For']} {self.headers['X-Forwarded-Proto']} {self.headers['Host']}"
        self.send_response(200)
        self.send_header("Content-Security-Policy", "the desk's own")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_args: Any) -> None:
        pass


class Site:
    """The folder, the configuration made to fit a test, and the server where one was started."""

    def __init__(self, folder: Path, application: int) -> None:
        self.folder, self.port = folder, free_port()
        for name, text in PAGES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if not path.name.startswith(".") and path.suffix in GZIPPED:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        write_certificate(folder)
        text = (HOUSE / "deploy" / "nginx" / "belfry.conf").read_text()
        text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
        for old, new in (
            ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{self.port} ssl http2;"),
            ("/etc/letsencrypt/live/warnung.example.org", str(folder)),
            ("/var/lib/belfry", str(folder)),
            ("server 127.0.0.1:8000;", f"server 127.0.0.1:{application};"),
        ):
            assert old in text
            text = text.replace(old, new)
        self.write(text)

    def write(self, text: str) -> None:
        self.text = text
        (self.folder / "belfry.conf").write_text(text)
        lines = ["user root;"] if os.getuid() == 0 else []
        temporary = [f"{kind}_temp_path {self.folder}/tmp-{kind};" for kind in ("client_body", "proxy")]
        lines += [
            "daemon off;",
            f"pid {self.folder}/pid;",
            "error_log stderr;",
            "events {}",
            "http {",
            "access_log off;",
            *temporary,
            f"include {self.folder}/belfry.conf;",
            "}",
        ]
        (self.folder / "nginx.conf").write_text("\n".join(lines))

    def command(self, *more: str) -> list[str]:
        return [program(), "-p", str(self.folder), "-e", "stderr", "-c", str(self.folder / "nginx.conf"), *more]

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, body: bytes) -> int:
        return self.ask("POST", path, body, {})[0]

    def ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        wire = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=10)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            wire.request(method, path, body=body, headers=named)
            answer = wire.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            wire.close()

    def own(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """What Belfry's own server answers for the same folder."""
        serve = Serve(
            lambda _environ, _start: [],
            public=self.folder / "public",
            static=self.folder / "static",
            application_prefixes=["/desk/"],
            hsts_seconds=31_536_000,
        )
        environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        setup_testing_defaults(environ)
        answer: list[Any] = []
        body = b"".join(serve(environ, lambda status, headers: answer.extend([status, headers])))  # type: ignore[arg-type]
        return int(answer[0][:3]), dict(answer[1]), body


@pytest.fixture(scope="module")
def application() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def site(application: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("nginx"), application)
    with running(site):
        yield site


class running:  # noqa: N801 (read as: with running(site))
    """nginx over this site, until the block ends."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def __enter__(self) -> None:
        self.process = subprocess.Popen(self.site.command(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _try in range(200):
            with socket.socket() as wire:
                if wire.connect_ex(("127.0.0.1", self.site.port)) == 0:
                    return
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError(self.process.communicate()[1].decode())

    def __exit__(self, *_error: object) -> None:
        self.process.terminate()
        self.process.communicate()


def test_the_configuration_is_valid(site: Site) -> None:
    checked = subprocess.run(site.command("-t"), check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr, checked.stderr


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/index.html",
        "/alerts/k7m2p/",
        "/alerts/k7m2p",
        "/alerts/k7m2p/index.html",
        "/feeds/alerts.atom",
        "/feeds/alerts.rss",
        "/cap/abc.xml",
        "/cap/nothing.xml",
        "/alerts.json",
        "/alerts.geojson",
        "/assets/belfry-1a2b.css",
        "/assets/icon.svg",
        "/assets/icon-192.0123.png",
        "/sw.js",
        "/en/manifest.webmanifest",
        "/subscribe/",
        "/assets/nothing.css",
        "/sitemap.xml",
        "/static/admin/base.css",
        "/.live",
        "/nothing/here",
        "/en/nothing",
    ],
)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_nginx_answers_as_belfrys_own_server(site: Site, path: str, coding: str) -> None:
    status, headers, body = site.get(path, Accept_Encoding=coding)
    own_status, own_headers, own_body = site.own(path, Accept_Encoding=coding)
    assert status == own_status
    if status == 404:
        body = gzip.decompress(body) if headers.pop("Content-Encoding", "") == "gzip" else body
        headers.pop("Vary", "")
    if status in {200, 404}:
        assert body == own_body
        assert headers.get("Content-Encoding") == own_headers.get("Content-Encoding")
    expected = {name: own_headers.get(name) for name in COMPARED}
    if status == 301:  # nginx gives a redirection a body, and no type of ours
        expected["Content-Type"] = headers.get("Content-Type")
    assert {name: headers.get(name) for name in COMPARED} == expected


def test_an_unchanged_page_is_not_sent_again(site: Site) -> None:
    _status, headers, _body = site.get("/")
    assert site.get("/", If_None_Match=headers["ETag"])[0] == 304
    assert site.get("/", If_None_Match='"another"')[0] == 200


def test_the_desk_is_told_who_asks_and_keeps_its_own_headers(site: Site) -> None:
    status, headers, body = site.get("/desk/", X_Forwarded_For="192.0.2.7", Host="warnung.example.org")
    assert (status, body) == (200, b"127.0.0.1 https warnung.example.org")
    assert headers["Content-Security-Policy"] == "the desk's own"
    assert headers["X-Robots-Tag"] == "noindex"


def test_too_many_log_ins_are_refused_and_public_pages_never(site: Site) -> None:
    assert 429 in {site.get("/desk/login/")[0] for _try in range(30)}
    assert {site.get("/")[0] for _try in range(30)} == {200}


def test_what_residents_do_reaches_the_application_which_sets_its_own_headers(site: Site) -> None:
    status, headers, body = site.get("/s/link/", X_Forwarded_For="192.0.2.7", Host="warnung.example.org")
    assert (status, body) == (200, b"127.0.0.1 https warnung.example.org")
    assert headers["Content-Security-Policy"] == "the desk's own"
    assert headers["X-Robots-Tag"] == "noindex"
    assert site.post("/s/start/", b"way=sms") == 200
    assert site.get("/subscribe/")[0] == 200  # a file


def test_a_form_is_small_and_a_provider_s_call_may_be_larger(site: Site) -> None:
    assert site.post("/s/start/", b"x" * 110_000) == 413
    assert site.post("/s/hooks/sms/", b"x" * 110_000) == 200


def test_many_who_share_an_address_can_subscribe_but_nobody_can_flood(
    site: Site, application: int, tmp_path: Path
) -> None:
    assert {site.get("/s/link/")[0] for _try in range(100)} == {200}
    strict = Site(tmp_path, application)
    text = strict.text
    for old, new in (("rate=20r/s", "rate=1r/m"), ("burst=200", "burst=5")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    strict.write(text)
    with running(strict):
        assert 429 in {strict.get("/s/link/")[0] for _try in range(10)}
        assert {strict.get("/s/hooks/sms/")[0] for _try in range(50)} == {200}  # a provider's receipts
        assert {strict.get("/")[0] for _try in range(50)} == {200}


def test_the_desk_can_be_closed_to_all_but_the_citys_networks(application: int, tmp_path: Path) -> None:
    closed = Site(tmp_path, application)
    assert "default 1;" in closed.text
    closed.write(closed.text.replace("default 1;", "default 0;"))
    with running(closed):
        assert [closed.get(path)[0] for path in ("/desk/", "/desk/login/", "/")] == [403, 403, 200]


def test_pages_are_served_while_the_application_is_down(tmp_path: Path) -> None:
    alone = Site(tmp_path, free_port())
    with running(alone):
        assert alone.get("/")[0] == 200
        assert alone.get("/desk/")[0] == 502
