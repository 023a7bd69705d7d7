"""The fixed texts: GSM alphabet and short for SMS, link there, nothing that anybody typed; and what is forgotten."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from channels.base import Service
from channels.city.sms.text import GSM7, encoding
from channels.models import SignUp
from channels.subscriptions import retention, service_texts, signing_up, tokens
from channels.subscriptions.wishes import Wishes
from tests.channels.subscriptions.conftest import ADDRESS, MAIL

pytestmark = pytest.mark.django_db
LANGUAGES = ("de", "de-simple", "en")


def by_sms(language: str) -> list[Service]:
    return [
        service_texts.code(language, "012345"),
        service_texts.code_to_reply(language, "012345"),
        service_texts.welcome(language, "sms", 7),
        service_texts.self_test(language, 7),
        service_texts.fresh_link(language, 7),
        service_texts.no_subscription(language),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_sms_is_one_segment_of_the_gsm_alphabet(language: str, town: None, settings: Any) -> None:
    settings.ADDRESS, settings.CITY_SHORT = "https://warnung.leipzig.example", "Leipzig"
    for service in by_sms(language):
        text = f"{service.body} {service.url}".strip()
        assert encoding(text) == GSM7, text
        assert len(text) <= 160, text
        assert service.language == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_link_leads_to_the_own_page_of_this_row(language: str, town: None) -> None:
    for service in (
        service_texts.welcome(language, "push", 7),
        service_texts.welcome(language, "sms", 7),
        service_texts.self_test(language, 7),
        service_texts.fresh_link(language, 7),
    ):
        start, _own, word = service.url.rstrip("/").rpartition("/")
        assert start == f"{ADDRESS}/s/manage"
        assert tokens.row("own", word) == 7
        assert service.subject


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mail_says_for_what_and_what_to_do_if_it_was_a_stranger(language: str, town: None) -> None:
    wanted = Wishes(("nw", "so"), "Severe", 3, "en", tests=True)
    service = service_texts.confirmation(language, 7, wanted, ["Nordwest", "Südost"])
    assert "Nordwest, Südost" in service.body
    assert tokens.row("confirm", service.url.rstrip("/").rpartition("/")[2]) == 7
    many = service_texts.confirmation(language, 7, wanted, [f"D{number}" for number in range(63)])
    assert "63" in many.body
    assert "D62" not in many.body


def test_a_self_test_can_t_be_taken_for_a_warning(town: None) -> None:
    for language in LANGUAGES:
        assert service_texts.self_test(language, 7).body.startswith("TEST")


def test_sign_ups_nobody_confirmed_are_forgotten_after_a_day(town: None) -> None:
    wanted = Wishes(("nw",), "Severe", 3, "en", tests=False)
    old, young = (signing_up.begin("email", MAIL, wanted, page="en") for _number in range(2))
    SignUp.objects.filter(pk=old.pk).update(created_at=timezone.now() - dt.timedelta(days=1, seconds=5))
    SignUp.objects.filter(pk=young.pk).update(created_at=timezone.now() - dt.timedelta(hours=23))
    assert retention.forget_unconfirmed() == 1
    assert list(SignUp.objects.all()) == [young]
    assert retention.forget_unconfirmed() == 0
