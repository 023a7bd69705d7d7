"""The listener over real sockets: SMTP, LMTP, what it refuses, what a bomb comes to."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core import mail as outbox

from alerts.intake import email, listener
from alerts.intake.listener import Listener
from alerts.models import Draft, Intake
from tests.house import free_port

from . import senders as mails
from .senders import FORM, Officer

pytestmark = pytest.mark.django_db(transaction=True)
SMALL = b"From: a@mail.example\r\nSubject: x\r\n\r\nHallo\r\n"


@contextmanager
def listening(scheme: str = "smtp") -> Iterator[int]:
    port = free_port()
    server = Listener(f"{scheme}://127.0.0.1:{port}", lambda: None)
    server.start()
    try:
        yield port
    finally:
        server.stop()


@pytest.fixture
def port(gateway: None) -> Iterator[int]:
    with listening() as found:
        yield found


def send(port: int, raw: bytes = SMALL, sender: str = "a@mail.example", to: str = mails.GATEWAY) -> tuple[int, str]:
    """Hand in one mail; what the server says at last."""
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        try:
            client.sendmail(sender, [to], raw)
        except smtplib.SMTPRecipientsRefused as refused:
            ((code, words),) = refused.recipients.values()
            return code, words.decode()
        except smtplib.SMTPResponseException as refused:
            words = refused.smtp_error
            return refused.smtp_code, words.decode() if isinstance(words, bytes) else words
    return 250, ""


def test_a_mail_goes_the_whole_way_from_the_wire_to_the_answer(anna: Officer, port: int) -> None:
    assert send(port, anna.mail(FORM), anna.user.email)[0] == 250
    assert email.sweep() == 1
    assert Draft.objects.count() == 1
    assert outbox.outbox[0].recipients() == [anna.user.email]


def test_what_was_accepted_is_stored_already(port: int) -> None:
    assert send(port)[0] == 250
    row = Intake.objects.get()
    assert bytes(row.raw or b"").endswith(SMALL)
    assert (row.state, row.sender) == ("waiting", "a@mail.example")


def test_a_database_that_is_gone_is_told_as_try_again(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_args: Any, **_options: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(listener.store, "keep", gone)
    assert send(port)[0] == 451
    assert not Intake.objects.exists()


def test_mail_for_others_is_not_relayed(port: int) -> None:
    for address in ("x@elsewhere.example", "postmaster@city.example", "alarm@city.example.evil.example"):
        assert send(port, to=address)[0] == 550
    assert not Intake.objects.exists()


def test_bounces_of_the_email_channel_are_taken_with_the_address_that_they_came_to(port: int, settings: Any) -> None:
    settings.CHANNELS = {"email": {"adapter": "x", "bounce_address": "bounces@city.example"}}
    assert send(port, sender="", to="bounces+r1a-0123456789abcdef@city.example")[0] == 250
    raw = bytes(Intake.objects.get().raw or b"")
    assert raw.startswith(b"Return-Path: <>\r\nDelivered-To: bounces+r1a-0123456789abcdef@city.example\r\n")


def test_thirty_megabytes_are_refused_for_good(port: int) -> None:
    assert send(port, SMALL + b"x" * 30_000_000)[0] == 552
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo()
        assert client.docmd("MAIL", "FROM:<a@mail.example> SIZE=30000000")[0] == 552
    assert not Intake.objects.exists()


def test_a_mail_bomb_ends_at_the_quota_of_its_sender(port: int, settings: Any) -> None:
    settings.INTAKE_PER_SENDER = 5
    said = []
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo()
        for _number in range(1000):
            client.mail("bomber@mail.example")
            client.rcpt(mails.GATEWAY)
            said.append(client.data(SMALL)[0])
    assert said == [250] * 5 + [452] * 995
    assert Intake.objects.count() == 5


def test_a_bomb_of_many_senders_ends_at_the_quota_in_total_and_officers_still_come_through(
    anna: Officer, port: int, settings: Any
) -> None:
    settings.INTAKE_TOTAL = 20
    letters = []
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo()
        for number in range(200):
            client.mail(f"{number}@mail.example")
            client.rcpt(mails.GATEWAY)
            letters.append(client.data(SMALL)[0])
    assert letters == [250] * 20 + [452] * 180
    assert send(port, anna.mail(FORM), anna.user.email)[0] == 250


def test_a_server_that_is_no_neighbour_is_not_spoken_to(port: int, settings: Any) -> None:
    settings.INTAKE_PEERS = ["192.0.2.0/24"]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        said = wire.makefile("rb").read()
    assert said.startswith(b"554")
    settings.INTAKE_PEERS = ["127.0.0.0/8"]
    assert send(port)[0] == 250


def test_too_many_connections_are_turned_away_and_the_next_one_is_not(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 2)
    held = [socket.create_connection(("127.0.0.1", port), timeout=20) for _number in range(2)]
    for wire in held:
        assert wire.recv(3) == b"220"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as third:
        assert third.makefile("rb").read().startswith(b"421")
    for wire in held:
        wire.sendall(b"QUIT\r\n")
        wire.makefile("rb").read()
        wire.close()
    assert send(port)[0] == 250


def test_lmtp_takes_mail_from_the_citys_own_server(anna: Officer) -> None:
    with listening("lmtp") as port, smtplib.LMTP("127.0.0.1", port) as client:
        client.sendmail(anna.user.email, [mails.GATEWAY], anna.mail(FORM))
    assert email.sweep() == 1
    assert Draft.objects.count() == 1


def test_one_recipient_at_a_time_so_that_each_mail_has_one_answer(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo()
        client.mail("a@mail.example")
        assert client.rcpt(mails.GATEWAY)[0] == 250
        assert client.rcpt(mails.GATEWAY)[0] == 452


def test_nothing_of_an_envelope_begins_a_line_of_its_own() -> None:
    path = listener._path("a@b>\r\nX-Evil: 1", "x\ny", "1.2.3.4", 0.0)
    assert [line.partition(b":")[0] for line in path.split(b"\r\n")[:-1]] == [
        b"Return-Path",
        b"Delivered-To",
        b"Received",
    ]


def test_what_we_write_above_a_mail_breaks_no_signature(anna: Officer, port: int) -> None:
    send(port, anna.mail("STATUS"), anna.user.email)
    email.sweep()
    assert Intake.objects.get().state == "taken"
