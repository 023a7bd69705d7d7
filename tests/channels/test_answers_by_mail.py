"""Answers to officers over a real mail server, and bounces of the e-mail channel that come by the mail gateway."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from channels import officers, receipts, returned
from channels.base import Receipt
from channels.city.email import verp
from tests.channels.mailservers import parsed, real, smtp_sink
from tests.channels.test_email_bounces import holiday, postfix


def over(settings: Any, port: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.INTAKE_ADDRESS = "alarm@city.example"


def test_an_answer_has_an_empty_return_path_and_says_that_a_machine_wrote_it(settings: Any) -> None:
    with real() as (handler, port):
        over(settings, port)
        officers.answer(
            "anna@city.example", "Entwurf 17", "Größe: 1\n", key="intake-1-ab", answers="<one@mail.example>"
        )
    (taken,) = handler.taken
    said = parsed(taken.raw)
    assert (taken.sender.strip("<>"), taken.recipient) == ("", "anna@city.example")
    assert said["Auto-Submitted"] == "auto-replied"
    assert (said["Message-ID"], said["In-Reply-To"]) == ("<intake-1-ab@city.example>", "<one@mail.example>")
    assert said.get_content().strip() == "Größe: 1"


def test_postfix_takes_it_too(settings: Any) -> None:
    with smtp_sink() as (port, taken):
        over(settings, port)
        officers.answer("anna@city.example", "Entwurf 17", "Text", key="intake-2-ab")
        assert [(one.sender, one.recipient) for one in taken()] == [("", "anna@city.example")]


def test_a_server_that_refuses_it_is_told_as_an_error_so_that_it_stays_owed(settings: Any) -> None:
    with real({"anna@city.example": "later"}) as (_handler, port):
        over(settings, port)
        with pytest.raises(OSError, match="450"):
            officers.answer("anna@city.example", "x", "x", key="intake-3-ab")


@pytest.mark.django_db
def test_a_bounce_reaches_the_channel_that_it_belongs_to(
    settings: Any, monkeypatch: pytest.MonkeyPatch, author: User
) -> None:
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "mail": {"adapter": "channels.city.email.Email", "bounce_address": "bounces@city.example", "rehearsal": False},
    }
    told: list[tuple[str, Receipt]] = []
    monkeypatch.setattr(receipts, "take", lambda name, found: told.extend((name, one) for one in found))
    address = verp.sender("bounces@city.example", 4711, settings.SECRET_KEY)
    assert returned.take(postfix(to=address))
    assert [(name, one.recipient, one.state) for name, one in told] == [("mail", 4711, "failed")]
    assert not returned.take(postfix(to=verp.sender("bounces@city.example", 4711, "another")))
    assert not returned.take(holiday())
    assert len(told) == 1
