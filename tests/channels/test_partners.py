"""Calls to partners: only where they may go, pinned to what was checked, and bounded whatever the partner does."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels import partners
from channels.base import ChannelError, Permanent, Temporary
from channels.partners import Partner
from tests.channels.mailservers import certificate
from tests.channels.platforms import BROKEN, DROPPED, ENDLESS_BODY, HTML, RUBBISH, SILENT, SLOW, Answer, platform

HERE = ["127.0.0.0/8"]


def refused(partner: Partner) -> ChannelError:
    with pytest.raises(ChannelError) as found:
        partner.post(b"{}", {})
    return found.value


def resolve(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Have names lead to these addresses, one answer after the other; returns the names that were asked for."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def found(host: str, *rest: Any, **more: Any) -> list[Any]:
        if host[0].isdigit():  # no name: connecting asks in this way too
            return really(host, *rest, **more)
        now = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in now]

    monkeypatch.setattr(partners.socket, "getaddrinfo", found)
    return asked


@pytest.mark.parametrize(
    "url",
    [
        "",
        "partner.example/hook",
        "http://partner.example/hook",
        "http://10.1.0.7/hook",
        "ftp://partner.example/",
        "file:///etc/passwd",
        "https://user:password@partner.example/",
        "https://partner.example/#part",
        "https:///hook",
    ],
)
def test_an_address_that_is_not_plain_https_is_refused_at_start(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Partner("display", url, allow=["10.0.0.0/8"])


def test_plain_http_stays_on_this_machine_and_must_be_named() -> None:
    with pytest.raises(ValueError, match="https"):
        Partner("display", "http://127.0.0.1:1/")
    assert Partner("display", "http://127.0.0.1:1/", allow=HERE)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.0.7", "192.168.0.1", "172.16.0.1", "127.0.0.1", "169.254.169.254", "240.0.0.1", "100.64.0.1", "224.0.0.1",
        "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:1::1",
    ],
)  # fmt: skip
def test_nothing_goes_to_an_address_inside_unless_it_is_named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolve(monkeypatch, [address])
    error = refused(Partner("display", "https://partner.example/hook"))
    assert isinstance(error, Permanent)
    assert "partner.example" not in str(error)
    assert address not in str(error)


def test_a_network_that_is_named_is_allowed_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, ["10.1.0.7", "10.2.0.7", "93.184.215.14"])
    partner = Partner("display", "https://partner.example/hook", allow=["10.1.0.0/16"])
    assert partner.addresses() == ["10.1.0.7", "93.184.215.14"]


def test_a_name_is_resolved_once_and_the_address_that_was_checked_is_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context, authority = certificate(tmp_path, "partner.example")
    with platform(context) as there:
        there.on("POST", "/hook", Answer(204, b""))
        asked = resolve(monkeypatch, ["127.0.0.1"], ["10.9.9.9"])
        port = httpx.URL(there.url).port
        partner = Partner("display", f"https://partner.example:{port}/hook", allow=HERE, authority=str(authority))
        partner.post(b"{}", {})
        assert asked == ["partner.example"]
        assert there.asked[0].headers["host"] == f"partner.example:{port}"


def test_a_certificate_for_another_name_is_no_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    context, authority = certificate(tmp_path, "another.example")
    with platform(context) as there:
        resolve(monkeypatch, ["127.0.0.1"])
        url = f"https://partner.example:{httpx.URL(there.url).port}/hook"
        partner = Partner("display", url, allow=HERE, authority=str(authority))
        assert isinstance(refused(partner), Temporary)
        with pytest.raises(Permanent, match=r"certificate|Zertifikat"):
            partner.probe()
        assert not there.asked


def test_a_client_s_certificate_opens_the_door_that_stays_shut_without(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    certificate(ours, "belfry.example")
    context, authority = certificate(theirs, "127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ours / "cert.pem")
    with platform(context) as there:
        there.on("POST", "/hook", Answer(202))
        common: dict[str, Any] = {"allow": HERE, "authority": str(authority), "seconds": 2}
        assert isinstance(refused(Partner("mowas", f"{there.url}/hook", **common)), Temporary)
        assert not there.asked
        keys = {"certificate": str(ours / "cert.pem"), "certificate_key": str(ours / "key.pem")}
        partner = Partner("mowas", f"{there.url}/hook", **keys, **common)
        partner.post(b"{}", {})
        assert len(there.asked) == 1
        assert partner.probe()


def test_a_certificate_that_can_not_be_read_speaks_at_start(tmp_path: Path) -> None:
    (tmp_path / "broken.pem").write_text("nothing")
    for options in ({"certificate": str(tmp_path / "broken.pem")}, {"authority": str(tmp_path / "missing.pem")}):
        with pytest.raises(ValueError, match="can't be read"):
            Partner("mowas", "https://partner.example/", **options)


def test_a_redirect_is_not_followed() -> None:
    with platform() as elsewhere, platform() as there:
        elsewhere.on("POST", "/.*", Answer(200))
        for status in (301, 302, 303, 307, 308):
            there.on("POST", "/hook", Answer(status, b"", {"Location": f"{elsewhere.url}/inside"}))
            error = refused(Partner("display", f"{there.url}/hook", allow=HERE))
            assert isinstance(error, Permanent)
            assert str(status) in str(error)
            assert elsewhere.url not in str(error)
        assert not elsewhere.asked


@pytest.mark.parametrize("answer", [HTML, RUBBISH, ENDLESS_BODY, BROKEN, SLOW, Answer(204, b""), Answer(299)])
def test_of_a_yes_nothing_but_the_status_is_read(answer: Answer) -> None:
    with platform() as there:
        there.on("POST", "/hook", answer)
        Partner("display", f"{there.url}/hook", allow=HERE, seconds=1).post(b"{}", {})
        assert len(there.asked) == 1


def test_gone_says_so_in_words() -> None:
    with platform() as there:
        there.on("POST", "/hook", Answer(410))
        error = refused(Partner("display", f"{there.url}/hook", allow=HERE))
        assert isinstance(error, Permanent)
        assert "410" in str(error)


@pytest.mark.parametrize("status", [304, 400, 404, 413])
def test_any_other_answer_is_no_yes(status: int) -> None:
    with platform() as there:
        there.on("POST", "/hook", Answer(status, b""))
        assert isinstance(refused(Partner("display", f"{there.url}/hook", allow=HERE)), Permanent)


@pytest.mark.parametrize("answer", [SILENT, DROPPED, Answer(500), Answer(503), Answer(408)])
def test_no_answer_and_a_server_in_trouble_are_temporary(answer: Answer) -> None:
    with platform() as there:
        there.on("POST", "/hook", answer)
        assert isinstance(refused(Partner("display", f"{there.url}/hook", allow=HERE, seconds=0.3)), Temporary)


def test_a_server_that_drips_its_answer_is_left_alone_in_the_end() -> None:
    with dripping() as url:
        partner = Partner("display", url, allow=HERE, seconds=0.2)
        assert isinstance(refused(partner), Temporary)


@contextmanager
def dripping() -> Iterator[str]:
    """A server whose headers come byte by byte and never end."""
    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        with suppress(OSError):
            line, _address = listening.accept()
            with line:
                line.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not over.wait(0.05):
                    line.sendall(b"x")

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
    finally:
        over.set()
        listening.close()
        thread.join()


def test_a_name_that_does_not_resolve_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_asked: Any, **_more: Any) -> list[Any]:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(partners.socket, "getaddrinfo", nobody)
    partner = Partner("display", "https://partner.example/hook")
    assert isinstance(refused(partner), Temporary)
    with pytest.raises(Temporary):
        partner.probe()


def test_probing_asks_nothing() -> None:
    with platform() as there:
        assert Partner("display", f"{there.url}/hook", allow=HERE).probe()
        assert not there.asked


def test_the_next_address_is_tried_where_one_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    with platform() as there:
        there.on("POST", "/hook", Answer(200))
        partner = Partner("display", f"{there.url.replace('127.0.0.1', 'localhost')}/hook", allow=HERE)
        resolve(monkeypatch, ["127.0.0.9", "127.0.0.1"])
        partner.post(b"{}", {})
        assert len(there.asked) == 1
