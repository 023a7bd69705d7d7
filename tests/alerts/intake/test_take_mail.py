"""``take_mail`` at the mail server's pipe, and the gateway's own process."""

from __future__ import annotations

import datetime as dt
import io
import threading
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.management import CommandError, call_command
from django.utils import timezone

from alerts.intake import store
from alerts.management.commands import mail_gateway
from alerts.models import Draft, Intake

from .senders import FORM, Officer

pytestmark = pytest.mark.django_db


def pipe(monkeypatch: pytest.MonkeyPatch, raw: bytes, *options: str) -> str:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    said = io.StringIO()
    call_command("take_mail", *options, stdout=said)
    return said.getvalue()


def test_a_mail_at_the_pipe_is_taken_and_answered(anna: Officer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "taken" in pipe(monkeypatch, anna.mail(FORM))
    assert Draft.objects.count() == 1
    assert len(outbox.outbox) == 1


def test_the_mail_server_may_say_when_it_came(anna: Officer, monkeypatch: pytest.MonkeyPatch) -> None:
    came = timezone.now() - dt.timedelta(minutes=40)
    pipe(monkeypatch, anna.mail(FORM, code=anna.code(came)), "--received", came.isoformat())
    assert Intake.objects.get().received_at == came
    assert Draft.objects.count() == 1


def test_what_does_not_fit_is_told_the_mail_server_by_its_exit_code(
    gateway: None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    with pytest.raises(CommandError) as refused:
        pipe(monkeypatch, b"x" * (store.LARGEST + 10))
    assert refused.value.returncode == 65
    settings.INTAKE_TOTAL = 0
    with pytest.raises(CommandError) as later:
        pipe(monkeypatch, b"From: x@y.example\r\n\r\nx")
    assert later.value.returncode == 75
    assert not Intake.objects.exists()


def test_the_gateway_carries_out_what_waits_until_it_is_told_to_end(
    anna: Officer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.keep(anna.mail(FORM), timezone.now())
    over = threading.Event()

    class News(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            over.set()
            return True

    mail_gateway.work(over, News())
    assert Draft.objects.count() == 1
