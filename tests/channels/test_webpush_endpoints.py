"""Endpoints are what residents sent in: none leads a push to where none may go, whatever its name resolves to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from channels.base import Recipient
from channels.city.webpush import wire
from channels.city.webpush.endpoints import Rules, check_endpoint
from tests.channels.broadcasting import SERVICE
from tests.channels.pushing import made, send
from tests.channels.pushservice import PushService, browser

FORBIDDEN = (
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 (the opposite)
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::1",
    "2001:0:53aa:64c::1",
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PushService]:
    (tmp_path / "service").mkdir()
    with PushService(tmp_path / "service") as running:
        yield running


@pytest.fixture
def other(tmp_path: Path) -> Iterator[PushService]:
    (tmp_path / "other").mkdir()
    with PushService(tmp_path / "other", host="other.test.example") as running:
        yield running


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
        "https://web.push.apple.com/QGvB",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYA%2bx",
        "https://fcm.googleapis.com:443/x",
    ],
)
def test_the_browsers_services_are_allowed(endpoint: str) -> None:
    check_endpoint(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "http://fcm.googleapis.com/x",
        "ftp://fcm.googleapis.com/x",
        "file:///etc/passwd",
        "https://fcm.googleapis.com",
        "https://fcm.googleapis.comx",
        "https://fcm.googleapis.com?/x",
        "https://fcm.googleapis.com#/x",
        "https://fcm.googleapis.com./x",
        "https://FCM.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com:0443x/",
        "https://fcm.googleapis.com@127.0.0.1/x",
        "https://user:word@fcm.googleapis.com/x",
        "https://fcm.googleapis.com\\@127.0.0.1/x",
        "https://fcm.googleapis.com%2f@127.0.0.1/x",
        "https://fcm.googleapis.com.elsewhere.example/x",
        "https://elsewhere.example/fcm.googleapis.com/",
        "https://evilpush.apple.com/x",
        "https://push.apple.com/x",
        "https://.push.apple.com/x",
        "https://fcm.google\u0430pis.com/x",
        "https://xn--fcm-googleapis.com/x",
        "https://fcm\u3002googleapis.com/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0x7f.0x0.0x0.0x1/x",
        "https://0177.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/x",
        "https://localhost.localdomain/x",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/x\r\nHost: elsewhere.example",
        "https://fcm.googleapis.com/\u0000",
        "https://fcm.googleapis.com/" + "x" * 2000,
    ],
)
def test_anything_else_is_refused_at_sign_up_and_again_when_sending(tmp_path: Path, endpoint: str) -> None:
    channel = made(tmp_path / "channel")
    one = browser(endpoint)
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        check_endpoint(endpoint)
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        channel.check(one.address)
    (outcome,) = send(channel, one)
    assert (outcome.state, outcome.gone) == ("permanent", False)
    assert outcome.words


def test_keys_are_checked_at_sign_up(tmp_path: Path) -> None:
    channel = made(tmp_path / "channel")
    good = browser("https://fcm.googleapis.com/fcm/send/abc")
    channel.check(good.address)
    for address in (
        good.endpoint,
        f"{good.endpoint} {good.p256dh}",
        f"{good.endpoint} {good.auth} {good.p256dh}",
        f"{good.endpoint} {good.p256dh} {good.auth} more",
    ):
        with pytest.raises(ValueError, match=r"\w+ \w+"):
            channel.check(address)


def test_a_service_of_the_city_s_own_is_named_with_its_port(tmp_path: Path) -> None:
    channel = made(tmp_path / "channel", hosts=["push.stadt.example", "up.stadt.example:8443", "*.werke.example"])
    for endpoint in ("https://push.stadt.example/x", "https://up.stadt.example:8443/x", "https://a.b.werke.example/x"):
        channel.check(browser(endpoint).address)
    for endpoint in (
        "https://push.stadt.example:8443/x",
        "https://up.stadt.example/x",
        "https://werke.example/x",
        "https://stadt.example/x",
        "https://x.push.stadt.example/x",
    ):
        with pytest.raises(ValueError, match=r"\w+ \w+"):
            channel.check(browser(endpoint).address)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_public_name_leads_inside(address: str) -> None:
    place = Rules(hosts=["push.stadt.example"]).place("https://push.stadt.example/x")
    assert not place.allows(address)
    assert place.allows("93.184.215.14")
    assert place.allows("2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    assert place.allows("64:ff9b::5db8:d70e")


def test_a_network_inside_is_open_to_the_host_it_is_named_with_alone() -> None:
    rules = Rules(hosts=["push.werke.example"], private_hosts={"push.stadt.example": "10.1.0.0/16"})
    own, theirs = rules.place("https://push.stadt.example/x"), rules.place("https://push.werke.example/x")
    assert own.allows("10.1.2.3")
    assert own.allows("::ffff:10.1.2.3")
    assert not own.allows("10.2.2.3")
    assert not own.allows("127.0.0.1")
    assert not theirs.allows("10.1.2.3")


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Every socket that would have been opened: none ever is."""
    opened: list[tuple[int, ...]] = []

    def refuse(*what: int) -> int:
        opened.append(what)
        return -1

    replaced = SimpleNamespace(AF_INET=socket.AF_INET, AF_INET6=socket.AF_INET6, socket=refuse)
    monkeypatch.setattr(wire, "socket", replaced)
    return opened


@pytest.mark.parametrize("address", FORBIDDEN)
def test_a_name_that_resolves_to_the_inside_is_not_called(
    tmp_path: Path, sockets: list[tuple[int, ...]], address: str
) -> None:
    """Resolver and socket are the test's own: were the guard broken, still nothing would leave."""
    channel = made(tmp_path / "channel", resolve={"fcm.googleapis.com:443": address})
    one = browser("https://fcm.googleapis.com/fcm/send/abc")
    channel.check(one.address)
    (outcome,) = send(channel, one)
    assert (outcome.state, outcome.gone) == ("permanent", False)
    assert channel.tell(SERVICE, Recipient(1, one.address)).state == "permanent"
    assert sockets == []


def test_a_name_that_resolves_to_the_outside_is_called(tmp_path: Path, sockets: list[tuple[int, ...]]) -> None:
    channel = made(tmp_path / "channel", resolve={"fcm.googleapis.com:443": "93.184.215.14"})
    (outcome,) = send(channel, browser("https://fcm.googleapis.com/fcm/send/abc"))
    assert outcome.state == "temporary"
    assert sockets


def test_a_name_that_resolves_elsewhere_after_it_was_checked_gains_nothing(
    tmp_path: Path, service: PushService
) -> None:
    """Rebinding: the address that is really connected to is the one that is asked about."""
    named = f"{service.host}:{service.port}"
    channel = made(tmp_path / "channel", service, private_hosts={named: "10.0.0.0/8"})
    (outcome,) = send(channel, service.browser("anna"))
    assert outcome.state == "permanent"
    assert not service.asked


def test_a_redirect_to_the_inside_is_not_followed(tmp_path: Path, service: PushService, other: PushService) -> None:
    service.elsewhere = f"{other.origin}/inside"
    channel = made(tmp_path / "channel", service, other)
    one = service.browser("anna")
    service.script[one.path] = ["redirects"] * 2
    (outcome,) = send(channel, one)
    assert outcome.state == "permanent"
    assert channel.tell(SERVICE, Recipient(1, one.address)).state == "permanent"
    assert not other.asked


def test_a_proxy_that_the_environment_names_is_not_used(
    tmp_path: Path, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.1)
        for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
        channel, one = made(tmp_path / "channel", service), service.browser("anna")
        assert send(channel, one)[0].state == "accepted"
        assert channel.tell(SERVICE, Recipient(1, one.address)).state == "accepted"
        with pytest.raises(TimeoutError):
            proxy.accept()
