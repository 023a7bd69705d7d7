"""The desk's page of mails: what came in, as text alone, without codes, and read once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts.desk.intakes import MASK, shown
from alerts.intake import store
from alerts.models import AuditEntry, Intake, IntakeState

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
RAW = (
    b"From: anna@city.example\r\nSubject: =?utf-8?q?Warnung_123456?=\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
    b"<script>alert(1)</script>\r\nGebiet: 04109\r\nCode: 654 321\r\nabcd-efgh-jkmn\r\n"
)


def stored(**values: Any) -> Intake:
    intake = store.keep(RAW, timezone.now(), sender="anna@city.example")
    fields = {"state": IntakeState.IGNORED, "words": "Niemand", "done_at": timezone.now()} | values
    Intake.objects.filter(pk=intake.pk).update(**fields)
    intake.refresh_from_db()
    return intake


def body(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_what_came_in_is_listed_with_what_became_of_it(page_of: Browser, anna: User) -> None:
    first = stored()
    second = stored(state=IntakeState.TAKEN, words="Entwurf 3", officer=anna)
    listed = body(page_of(anna).get("/desk/intakes/"))
    assert "Niemand" in listed
    assert "Entwurf 3" in listed
    only = body(page_of(anna).get("/desk/intakes/?state=taken"))
    assert f"/desk/intakes/{second.pk}/" in only
    assert f"/desk/intakes/{first.pk}/" not in only


def test_a_mail_is_shown_as_text_alone_and_no_code_of_it(page_of: Browser, anna: User) -> None:
    page = body(page_of(anna).get(f"/desk/intakes/{stored().pk}/"))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "04109" in page
    assert MASK in page
    for code in ("123456", "654 321", "654321", "abcd-efgh-jkmn"):
        assert code not in page


@pytest.mark.parametrize("raw", [b"", b"\x00\xff", b"x" * 300_000, b"Content-Type: multipart/mixed\r\n\r\n--\r\n"])
def test_nothing_that_a_stranger_sends_breaks_the_page(raw: bytes) -> None:
    assert "\0" not in shown(raw).text


def test_a_mail_that_was_not_carried_out_is_read_once_more(page_of: Browser, anna: User) -> None:
    intake = stored()
    answer = page_of(anna).post(f"/desk/intakes/{intake.pk}/again/")
    intake.refresh_from_db()
    assert answer.status_code == 302
    assert (intake.state, intake.done_at) == (IntakeState.WAITING, None)
    assert AuditEntry.objects.filter(action="intake-again", actor="anna").count() == 1


def test_asked_by_get_nothing_is_read_again(page_of: Browser, anna: User) -> None:
    intake = stored()
    page_of(anna).get(f"/desk/intakes/{intake.pk}/again/")
    intake.refresh_from_db()
    assert intake.state == IntakeState.IGNORED


def test_who_may_not_write_has_nothing_read_again(page_of: Browser, bert: User) -> None:
    intake = stored()
    assert page_of(bert).post(f"/desk/intakes/{intake.pk}/again/").status_code == 403
    intake.refresh_from_db()
    assert intake.state == IntakeState.IGNORED


def test_what_was_carried_out_offers_no_second_reading(page_of: Browser, anna: User) -> None:
    intake = stored(state=IntakeState.TAKEN, officer=anna)
    client = page_of(anna)
    assert "/again/" not in body(client.get(f"/desk/intakes/{intake.pk}/"))
    client.post(f"/desk/intakes/{intake.pk}/again/")
    intake.refresh_from_db()
    assert intake.state == IntakeState.TAKEN
