"""Asking a source: what no address, redirect, body or slowness of somebody else's may do."""

from __future__ import annotations

import gzip
import socket
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpcore
import pytest
from django.utils.translation import override

from alerts.intake.sources import http
from tests.alerts.intake.feedserver import Feed, feed, ok


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """The words of refusals as the tests know them."""
    with override("en"):
        yield


@pytest.fixture
def source(settings: Any) -> Iterator[Feed]:
    with feed() as found:
        settings.SOURCES_INSIDE = [found.place]
        yield found


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the resolver says; connecting is noted under "connected", and refused."""
    known: dict[str, list[str]] = {"connected": []}

    def connect(address: str, _port: int, _seconds: float) -> httpcore.NetworkStream:
        known["connected"].append(address)
        raise httpcore.ConnectError

    monkeypatch.setattr(http, "resolve", lambda host, _port: known[host])
    monkeypatch.setattr(http, "connect", connect)
    return known


def refused(url: str, **options: Any) -> str:
    with pytest.raises(http.Unreachable) as caught:
        http.get(url, **options)
    assert url not in str(caught.value)
    return str(caught.value)


def test_a_body_comes_with_what_makes_the_next_request_conditional(source: Feed) -> None:
    source.answers["/feed"] = ok(b"<feed/>", ETag='"7"', Last_Modified="Tue, 24 Nov 2026 10:00:00 GMT")
    answer = http.get(source.url())
    assert (answer.body, answer.etag, answer.modified) == (b"<feed/>", '"7"', "Tue, 24 Nov 2026 10:00:00 GMT")
    source.answers["/feed"] = ok(b"", "304 Not Modified")
    assert http.get(source.url(), etag='"7"', modified=answer.modified).unchanged
    assert 'If-None-Match: "7"' in source.asked[-1]
    assert "If-Modified-Since: Tue, 24 Nov" in source.asked[-1]


def test_a_304_that_nobody_asked_for_is_no_answer(source: Feed) -> None:
    source.answers["/feed"] = ok(b"", "304 Not Modified")
    assert "304" in refused(source.url())


@pytest.mark.parametrize(
    "url",
    [
        "http://feeds.example/a",
        "https://user:secret@feeds.example/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://localhost/",
        "ftp://feeds.example/",
        "file:///etc/passwd",
        "https://feeds.example:99999/",
        "https://feeds.example/a b",
        "https://feeds.example/" + "a" * 2000,
        "//feeds.example/",
        "",
    ],
)
def test_these_are_never_asked(url: str, names: dict[str, list[str]]) -> None:
    names["feeds.example"] = ["93.184.216.34"]
    with pytest.raises(http.Unreachable):
        http.get(url)
    assert names["connected"] == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.9.9", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104
        "::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:1::",
    ],
)  # fmt: skip
def test_a_name_that_leads_into_a_private_network_is_not_connected_to(
    address: str, names: dict[str, list[str]]
) -> None:
    names["feeds.example"] = [address]
    assert "private" in refused("https://feeds.example/a")
    names["feeds.example"] = ["93.184.216.34", address]
    assert "private" in refused("https://feeds.example/a")
    assert names["connected"] == []


def test_the_address_that_was_looked_at_is_the_one_connected_to(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["93.184.216.34"], ["127.0.0.1"]]
    monkeypatch.setattr(http, "resolve", lambda _host, _port: answers.pop(0))
    refused("https://feeds.example/a")
    assert names["connected"] == ["93.184.216.34"]
    assert answers == [["127.0.0.1"]], "no second look-up"


def test_all_addresses_of_a_host_are_tried(names: dict[str, list[str]]) -> None:
    names["feeds.example"] = ["93.184.216.34", "2606:2800:220:1::1"]
    assert "connection" in refused("https://feeds.example/a")
    assert names["connected"] == ["93.184.216.34", "2606:2800:220:1::1"]


def test_a_redirect_is_followed_on_the_same_host(source: Feed) -> None:
    source.answers |= {"/feed": ok(b"", "302 Found", Location="/new"), "/new": ok(b"here")}
    answer = http.get(source.url())
    assert (answer.body, answer.url) == (b"here", source.url("/new"))


@pytest.mark.parametrize("to", ["http://10.0.0.1/", "https://localhost/", "https://169.254.169.254/x", "file:///etc"])
def test_a_redirect_leads_nowhere_private(to: str, source: Feed) -> None:
    source.answers["/feed"] = ok(b"", "302 Found", Location=to)
    refused(source.url())
    assert source.paths() == ["/feed"]


def test_a_source_outside_can_neither_redirect_nor_link_to_a_host_of_our_own_network(source: Feed) -> None:
    source.answers["/secret"] = ok(b"inside")
    assert "https" in refused(source.url("/secret"), home="https://feeds.example/feed")
    assert source.asked == []


def test_another_port_of_the_host_inside_is_not_asked(source: Feed, settings: Any) -> None:
    settings.SOURCES_INSIDE = ["127.0.0.1"]
    source.answers["/feed"] = ok(b"", "302 Found", Location="http://127.0.0.1:1/")
    assert "https" in refused(source.url())


def test_redirects_in_a_circle_end(source: Feed) -> None:
    source.answers |= {"/feed": ok(b"", "301 Moved", Location="/b"), "/b": ok(b"", "301 Moved", Location="/feed")}
    refused(source.url())
    assert len(source.asked) == 4


def test_an_endless_body_is_cut_off(source: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SIZE", 1_000_000)

    def endless(wire: socket.socket) -> None:
        wire.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            wire.sendall(b"x" * 65536)

    source.answers["/feed"] = endless
    assert "larger" in refused(source.url())


def test_a_small_body_that_unpacks_to_a_huge_one_is_cut_off(source: Feed) -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    assert len(bomb) < 250_000
    source.answers["/feed"] = ok(bomb, Content_Encoding="gzip")
    assert "larger" in refused(source.url())


def test_what_is_packed_is_unpacked_and_half_of_it_is_no_answer(source: Feed) -> None:
    packed = gzip.compress(b"<feed/>" * 1000)
    source.answers |= {
        "/feed": ok(packed, Content_Encoding="gzip"),
        "/half": ok(packed[:20], Content_Encoding="gzip"),
        "/no": ok(b"no gzip", Content_Encoding="gzip"),
        "/br": ok(zlib.compress(b"x"), Content_Encoding="br"),
    }
    assert http.get(source.url()).body == b"<feed/>" * 1000
    for path in ("/half", "/no", "/br"):
        refused(source.url(path))


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_a_byte_now_and_then_wins_no_more_time(head: bytes, source: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.4)

    def drip(wire: socket.socket) -> None:
        wire.sendall(head)
        wire.settimeout(0.05)
        while True:
            wire.sendall(b"a")
            with suppress(TimeoutError):
                if not wire.recv(1):
                    return

    source.answers["/feed"] = drip
    assert "time" in refused(source.url())


def test_silence_and_a_broken_connection_are_told_apart(source: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PAUSE", 0.2)
    source.answers["/feed"] = lambda wire: wire.recv(1) and None  # type: ignore[assignment]
    assert "time" in refused(source.url())
    source.answers["/feed"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    assert "broken" in refused(source.url())
    source.answers["/feed"] = b"no http at all\r\n\r\n"
    assert "broken" in refused(source.url())


def test_a_head_without_end_is_refused(source: Feed) -> None:
    source.answers["/feed"] = b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000
    refused(source.url())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("99999999", 3600.0), ("-5", None), ("soon", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)],
)
def test_who_is_asked_too_often_says_when_to_come_again(source: Feed, value: str, seconds: float | None) -> None:
    source.answers["/feed"] = ok(b"", "429 Too Many Requests", Retry_After=value)
    with pytest.raises(http.Unreachable) as caught:
        http.get(source.url())
    assert caught.value.after == seconds


def test_a_validator_with_tricks_is_not_sent_back(source: Feed) -> None:
    source.answers["/feed"] = ok(b"x", ETag='"' + "a" * 300 + '"')
    assert http.get(source.url()).etag == ""
