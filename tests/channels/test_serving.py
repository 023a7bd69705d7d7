"""The public folder over WSGI: whole, fresh, inside its folder, and with nothing behind it."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels.publicfiles import PublicFolder
from channels.serving import Serve

HOUSE = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    public = tmp_path / "public"
    with PublicFolder(public).swap() as staged:
        staged.write("index.html", b"<p>calm</p>" * 50)
        staged.write("alerts/k7f3/index.html", "<p>Gefahr für alle</p>".encode())
        staged.write("en/index.html", b"<p>calm, in English</p>")
        staged.write("404.html", b"<p>Diese Seite gibt es nicht</p>")
        staged.write("en/404.html", b"<p>This page does not exist</p>")
        staged.write("feeds/alerts.atom", b"<feed/>")
        staged.write("feeds/alerts.rss", b"<rss/>")
        staged.write("alerts.json", b"{}")
        staged.write("alerts.geojson", b"{}")
        staged.write("cap/leipzig.1.xml", b"<alert/>")
        staged.write("cards/0123.jpg", b"\xff\xd8JPEG")
        staged.write("assets/belfry.0123.css", b"p{}")
        staged.write("assets/icon-192.0123.png", b"\x89PNG")
        staged.write("sw.js", b"self.skipWaiting()")
        staged.write("en/manifest.webmanifest", b"{}")
    (tmp_path / "secret.txt").write_text("nobody reads this")
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "desk.css").write_text("b{}")
    return public


def django(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Django saw " + environ["PATH_INFO"].encode()]


def ask(folder: Path, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    application = Serve(
        django,  # type: ignore[arg-type]
        public=folder,
        static=folder.parent / "static",
        application_prefixes=["/desk/", "/healthz"],
    )
    with httpx.Client(transport=httpx.WSGITransport(app=application), base_url="http://city.example") as client:
        client.headers.clear()
        return client.request(
            method,
            f"http://city.example{path}",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/alerts/k7f3/", "text/html; charset=utf-8"),
        ("/feeds/alerts.atom", "application/atom+xml; charset=utf-8"),
        ("/feeds/alerts.rss", "application/rss+xml; charset=utf-8"),
        ("/alerts.json", "application/json; charset=utf-8"),
        ("/alerts.geojson", "application/geo+json; charset=utf-8"),
        ("/cap/leipzig.1.xml", "application/cap+xml; charset=utf-8"),
        ("/assets/belfry.0123.css", "text/css; charset=utf-8"),
        ("/assets/icon-192.0123.png", "image/png"),
        ("/sw.js", "text/javascript; charset=utf-8"),
        ("/en/manifest.webmanifest", "application/manifest+json; charset=utf-8"),
        ("/static/desk.css", "text/css; charset=utf-8"),
    ],
)
def test_every_kind_of_file_has_its_media_type(folder: Path, path: str, media: str) -> None:
    answer = ask(folder, path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_pages_and_feeds_let_an_update_through_within_a_minute(folder: Path) -> None:
    for path in ("/", "/alerts/k7f3/", "/feeds/alerts.atom", "/alerts.json"):
        kept = ask(folder, path).headers["cache-control"]
        assert "max-age=20" in kept
        assert "stale-if-error=86400" in kept


def test_what_never_changes_may_be_kept_for_ever(folder: Path) -> None:
    for path in ("/assets/belfry.0123.css", "/cap/leipzig.1.xml", "/cards/0123.jpg"):
        assert "immutable" in ask(folder, path).headers["cache-control"]


def test_the_service_worker_is_asked_for_anew_each_time(folder: Path) -> None:
    assert ask(folder, "/sw.js").headers["cache-control"] == "no-cache"
    assert "immutable" in ask(folder, "/assets/icon-192.0123.png").headers["cache-control"]
    assert "max-age=20" in ask(folder, "/en/manifest.webmanifest").headers["cache-control"]


def test_pages_may_ask_their_own_server_and_nobody_else(folder: Path) -> None:
    header = ask(folder, "/").headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in header.split("; "))
    own = ("script-src", "style-src", "img-src", "connect-src", "manifest-src", "worker-src", "form-action")
    assert rules == dict.fromkeys(own, "'self'") | dict.fromkeys(
        ("default-src", "base-uri", "frame-ancestors"), "'none'"
    )
    page = (HOUSE / "templates/public/base.html").read_text()
    # a meta element can't say frame-ancestors
    assert 'content="{}"'.format(header.replace("; frame-ancestors 'none'", "")) in page


def test_data_may_be_read_by_scripts_of_other_sites_and_pages_may_not(folder: Path) -> None:
    for path in ("/feeds/alerts.atom", "/feeds/alerts.rss", "/alerts.json", "/alerts.geojson", "/cap/leipzig.1.xml"):
        assert ask(folder, path).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in ask(folder, "/").headers


def test_a_known_version_is_not_sent_again(folder: Path) -> None:
    first = ask(folder, "/")
    again = ask(folder, "/", If_None_Match=f'"other", W/{first.headers["etag"]}')
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert ask(folder, "/", If_Modified_Since=first.headers["last-modified"]).status_code == 304
    assert ask(folder, "/", If_None_Match='"other"', If_Modified_Since=first.headers["last-modified"]).is_success
    assert ask(folder, "/", If_Modified_Since="yesterday, I think").status_code == 200


def test_an_update_of_the_same_length_in_the_same_second_is_seen(folder: Path) -> None:
    before = ask(folder, "/alerts.json")
    times = (folder / "alerts.json").stat()
    with PublicFolder(folder).swap() as staged:
        staged.write("alerts.json", b"[]")
    os.utime(folder / "alerts.json", ns=(times.st_atime_ns, times.st_mtime_ns))
    after = ask(folder, "/alerts.json", If_None_Match=before.headers["etag"])
    assert after.status_code == 200
    assert after.text == "[]"


def test_a_server_that_runs_on_sees_a_new_file_at_once(folder: Path) -> None:
    application = Serve(django, public=folder, static=folder)  # type: ignore[arg-type]
    with httpx.Client(transport=httpx.WSGITransport(app=application), base_url="http://city.example") as client:
        assert client.get("/alerts/new/").status_code == 404
        for words in (b"<p>first</p>", b"<p>later</p>"):
            with PublicFolder(folder).swap() as staged:
                staged.write("alerts/new/index.html", words)
            assert client.get("/alerts/new/").content == words


def test_the_compressed_twin_is_sent_to_who_can_read_it(folder: Path) -> None:
    plain, packed = ask(folder, "/"), ask(folder, "/", Accept_Encoding="br, gzip;q=0.8")
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.content == plain.content  # httpx has unpacked it
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "content-encoding" not in ask(folder, "/", Accept_Encoding="gzip;q=0").headers


def test_a_twin_older_than_its_page_is_not_used(folder: Path) -> None:
    (folder / "index.html").write_bytes(b"<p>new</p>")
    old = (folder / "index.html").stat().st_mtime - 5
    (folder / "index.html.gz").write_bytes(gzip.compress(b"<p>old</p>"))
    os.utime(folder / "index.html.gz", (old, old))
    assert ask(folder, "/", Accept_Encoding="gzip").content == b"<p>new</p>"


def test_head_tells_the_same_without_the_body(folder: Path) -> None:
    got, head = ask(folder, "/"), ask(folder, "/", "HEAD")
    assert head.content == b""
    assert head.headers == got.headers


def test_a_file_is_only_read(folder: Path) -> None:
    answer = ask(folder, "/", "POST")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_an_address_without_its_slash_leads_to_the_page(folder: Path) -> None:
    answer = ask(folder, "/alerts/k7f3?from=sms")
    assert answer.status_code == 301
    assert answer.headers["location"] == "/alerts/k7f3/?from=sms"
    assert ask(folder, "/alerts/k7f3/index.html").headers["location"] == "/alerts/k7f3/"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/alerts/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/alerts/%2e%2e/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "//city.example/",
        "/alerts//k7f3/",
        "/%00",
        "/.lock",
        "/.staged-x/0",
        "/link.txt",
        "/linked/secret.txt",
        "/alerts",
        "/alerts/",
        "/index.html/",
        "/alerts.json/index.html",
        "/%ff%fe",
        "/" + "a" * 300,
        "/" + "ä/" * 900,
    ],
)
def test_nothing_outside_the_folder_and_nothing_hidden_is_served(folder: Path, path: str) -> None:
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    (folder / "linked").symlink_to(folder.parent)
    answer = ask(folder, path)
    assert answer.status_code == 404
    assert "nobody reads this" not in answer.text


def test_an_unknown_address_gets_the_page_of_its_language(folder: Path) -> None:
    assert ask(folder, "/alerts/gone/").text == "<p>Diese Seite gibt es nicht</p>"
    assert ask(folder, "/en/alerts/gone/").text == "<p>This page does not exist</p>"
    assert ask(folder, "/en/alerts/gone/").status_code == 404


def test_without_any_folder_there_is_still_a_page(tmp_path: Path) -> None:
    answer = ask(tmp_path / "public", "/")
    assert answer.status_code == 404
    assert "Zu den Warnungen" in answer.text
    assert "tel:112" in answer.text


def test_only_the_applications_own_paths_reach_it(folder: Path) -> None:
    assert ask(folder, "/desk/").text == "Django saw /desk/"
    assert ask(folder, "/desk", "POST").text == "Django saw /desk"
    assert ask(folder, "/healthz").text == "Django saw /healthz"
    for path in ("/deskx", "/healthzx", "/other"):
        assert ask(folder, path).status_code == 404


def test_no_address_of_the_application_stands_in_front_of_the_pages(settings: Any) -> None:
    from django.urls import get_resolver

    assert settings.ROOT_URLCONF
    prefixes = {"/" + str(pattern.pattern) for pattern in get_resolver().url_patterns}
    assert not prefixes & {
        "/",
        "/alerts/",
        "/archive/",
        "/feeds/",
        "/cap/",
        "/assets/",
        "/about/",
        "/subscribe/",
        "/offline/",
    }
    assert not any("<" in prefix for prefix in prefixes)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def gunicorn(data: Path, port: int, **variables: str) -> subprocess.Popen[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("BELFRY_", "DATABASE_"))},
        "BELFRY_DATA": str(data),
        "BELFRY_PUBLIC_DIR": str(data / "public"),
        **variables,
    }
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"),
            *("--bind", f"127.0.0.1:{port}", "deploy.wsgi"),
        ],
        cwd=HOUSE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_two_workers_serve_the_pages_with_database_and_redis_down(folder: Path) -> None:
    port = free_port()
    server = gunicorn(
        folder.parent,
        port,
        DATABASE_URL=f"postgres://nobody@127.0.0.1:{free_port()}/nothing",
        REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
        BELFRY_ADDRESS=f"http://127.0.0.1:{port}",
    )
    try:
        until = time.monotonic() + 60
        while True:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/alerts/k7f3/", timeout=5)
                break
            except httpx.TransportError:
                assert server.poll() is None, server.stdout and server.stdout.read()
                assert time.monotonic() < until
                time.sleep(0.1)
        assert answer.text == "<p>Gefahr für alle</p>"
        for _number in range(20):
            assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
        if server.stdout:
            server.stdout.close()


@pytest.mark.slow
def test_a_wrong_setting_ends_the_server_with_its_name_and_the_mend(tmp_path: Path) -> None:
    server = gunicorn(tmp_path, free_port(), BELFRY_ADDRESS="warnung.example")
    said, _nothing = server.communicate(timeout=60)
    assert server.returncode != 0
    assert "alerts.E002" in said
    assert "Set BELFRY_ADDRESS" in said


def test_feeds_name_their_hub_and_themselves_where_a_hub_is_set(folder: Path) -> None:
    application = Serve(
        django,  # type: ignore[arg-type]
        public=folder,
        static=folder.parent / "static",
        address="https://warnung.city.example",
        hub="https://hub.example.org/",
    )
    with httpx.Client(transport=httpx.WSGITransport(app=application), base_url="http://city.example") as client:
        for path in ("/feeds/alerts.atom", "/feeds/alerts.rss"):
            link = client.get(path).headers["Link"]
            assert link == f'<https://hub.example.org/>; rel="hub", <https://warnung.city.example{path}>; rel="self"'
        assert "Link" not in client.get("/").headers
    assert "Link" not in ask(folder, "/feeds/alerts.atom").headers
