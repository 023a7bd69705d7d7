"""Mail out of a mailbox: stored as it came, marked only then, never twice, whatever breaks in between."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from alerts.checks import mail_gateway
from alerts.intake import email, mailbox, where
from alerts.models import Draft, Intake
from tests.house import wait_for

from .imapserver import Box, serving
from .senders import FORM, Officer

pytestmark = pytest.mark.django_db(transaction=True)
SMALL = b"Return-Path: <a@mail.example>\r\nFrom: a@mail.example\r\nSubject: x\r\n\r\nHallo\r\n"


@pytest.fixture
def box() -> Iterator[Box]:
    with serving() as found:
        yield found


def mine(box: Box, password: str = "right") -> mailbox.Mailbox:  # noqa: S107
    place = where.parse(f"imap://gateway@127.0.0.1:{box.port}/INBOX")
    return mailbox.Mailbox(place, password, lambda: None)


def fetch(box: Box) -> int:
    reader = mine(box)
    with reader._open() as opened:
        return reader.fetch(opened)


def test_a_mail_is_stored_byte_for_byte_and_then_marked(box: Box, gateway: None) -> None:
    box.deliver(SMALL)
    assert fetch(box) == 1
    row = Intake.objects.get()
    assert (bytes(row.raw or b""), row.sender) == (SMALL, "a@mail.example")
    assert row.received_at == dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    assert box.seen == {1}
    assert fetch(box) == 0


def test_a_signed_mail_out_of_a_mailbox_makes_a_draft(box: Box, anna: Officer) -> None:
    from django.utils import timezone

    box.date = timezone.now().strftime("%d-%b-%Y %H:%M:%S +0000")
    box.deliver(b"Return-Path: <anna@city.example>\r\n" + anna.mail(FORM))
    fetch(box)
    email.sweep()
    assert Draft.objects.count() == 1


def test_a_mail_that_was_stored_but_not_marked_is_not_stored_twice(box: Box, gateway: None) -> None:
    box.deliver(SMALL)
    box.drop = "STORE"
    with pytest.raises(mailbox.TROUBLE):
        fetch(box)
    assert (Intake.objects.count(), box.seen) == (1, set())
    fetch(box)
    assert (Intake.objects.count(), box.seen) == (1, {1})


def test_what_the_quota_keeps_out_stays_in_the_mailbox_and_holds_up_nobody(
    box: Box, anna: Officer, settings: Any
) -> None:
    settings.INTAKE_TOTAL = 1
    for name in ("a", "b", "c"):
        box.deliver(SMALL.replace(b"a@mail", name.encode() + b"@mail"))
    box.deliver(SMALL.replace(b"a@mail.example", b"anna@city.example"))
    assert fetch(box) == 2
    assert box.seen == {1, 4}
    assert not any("UID FETCH 2 (INTERNALDATE" in line for line in box.asked)


def test_a_mail_of_thirty_megabytes_is_not_even_fetched(box: Box, gateway: None) -> None:
    box.deliver(SMALL + b"x" * 30_000_000)
    box.deliver(SMALL)
    assert fetch(box) == 1
    assert box.seen == {1, 2}
    assert not any("UID FETCH 1 (INTERNALDATE" in line for line in box.asked)


@contextmanager
def running(reader: mailbox.Mailbox) -> Iterator[None]:
    def run() -> None:
        try:
            reader.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        reader.over.set()
        thread.join(30)


def test_idle_tells_of_a_new_mail_and_a_broken_connection_is_made_anew(
    box: Box, gateway: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "PAUSES", (0.05, 0.05))
    with running(mine(box)):
        wait_for(lambda: "IDLE" in box.asked, "the reader waits")
        box.drop = "SEARCH"
        box.deliver(SMALL)
        wait_for(lambda: Intake.objects.count() == 1, "the mail")
        box.news.set()
    assert sum(line.startswith("LOGIN") for line in box.asked) == 2


def test_a_wrong_password_is_tried_again_and_tells_nothing_in_the_log(
    box: Box, gateway: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mailbox, "PAUSES", (0.01, 0.01))
    with running(mine(box, "wrong-secret")):
        wait_for(lambda: sum(line.startswith("LOGIN") for line in box.asked) > 1, "a second try")
    assert "mailbox: " in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("url", ["imap://a@mail.example/INBOX", "imaps://mail.example/INBOX", "pop3://a@b/", "x"])
def test_a_wrong_setting_speaks_at_start(settings: Any, url: str) -> None:
    settings.INTAKE_IMAP = url
    assert [found.id for found in mail_gateway(None)] == ["alerts.E010"]


def test_settings_that_would_believe_anybody_are_refused(settings: Any) -> None:
    settings.INTAKE_LISTEN, settings.INTAKE_RELAY = "smtp://0.0.0.0:25", "mx.city.example"
    settings.INTAKE_PEERS = ["0.0.0.0/0"]
    assert [found.id for found in mail_gateway(None)] == ["alerts.E012"]
    settings.INTAKE_LISTEN, settings.INTAKE_PEERS = "smtp://nowhere", ["nonsense"]
    assert [found.id for found in mail_gateway(None)] == ["alerts.E009", "alerts.E011"]


def test_the_folder_is_the_path_and_the_inbox_where_there_is_none() -> None:
    assert where.parse("imaps://a%40b.example@mail.example/Warnung/Neu").folder == "Warnung/Neu"
    assert where.parse("imaps://a%40b.example@mail.example") == where.Where(
        "imaps", "mail.example", 993, "a@b.example", "INBOX"
    )
