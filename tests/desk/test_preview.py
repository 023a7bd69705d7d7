"""The public page of a draft, seen at the desk: the website's own page, and nothing of it in public."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts import approval, drafting
from alerts.terms import Kind, Status
from tests import city

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]


@pytest.fixture(autouse=True)
def website(desk: None, settings: Any, tmp_path: Path) -> Path:
    settings.PUBLIC_DIR = tmp_path / "public"
    settings.CHANNELS = {"website": {"adapter": "channels.city.website.Website"}}
    return tmp_path / "public"


def page(client: Client, draft: Any, language: str = "de") -> Any:
    return client.get(f"/desk/drafts/{draft.pk}/page/{language}/")


def test_it_is_the_page_that_residents_will_see(page_of: Browser, anna: User, website: Path) -> None:
    body = page(page_of(anna), city.submitted(anna)).content.decode()
    assert "Bombenfund: Verlassen Sie das Gebiet" in body
    assert "Extreme Gefahr" in body
    assert "Diese Seite ist nicht öffentlich." in body
    assert not website.exists() or not list(website.rglob("*.html"))


def test_in_each_language_of_the_city(page_of: Browser, anna: User) -> None:
    client, draft = page_of(anna), city.submitted(anna)
    assert 'lang="en"' in page(client, draft, "en").content.decode()
    assert "leave the area" in page(client, draft, "en").content.decode()
    assert page(client, draft, "fr").status_code == 404


def test_before_it_is_submitted_and_while_much_is_missing(page_of: Browser, anna: User) -> None:
    client = page_of(anna)
    assert "Verlassen Sie das Gebiet" in page(client, city.drafted(anna)).content.decode()
    answer = page(client, drafting.new(anna))
    assert answer.status_code == 409
    assert "sobald Gebiet und Überschrift da sind" in answer.content.decode()


def test_a_later_message_stands_above_the_history(page_of: Browser, anna: User, bert: User) -> None:
    message = city.released(anna, bert)
    draft = drafting.derive(message, Kind.ALL_CLEAR, anna)
    draft = approval.submit(draft.pk, draft.version, anna)
    body = page(page_of(bert), draft).content.decode()
    assert body.index("Entwarnung") < body.index("Bombenfund: Verlassen Sie das Gebiet")


def test_an_exercise_is_one_here_too(page_of: Browser, anna: User) -> None:
    body = page(page_of(anna), city.submitted(anna, status=Status.EXERCISE)).content.decode()
    assert "Verlassen Sie" not in body
    assert "ÜBUNG" in body


def test_strangers_see_nothing_of_it(client: Client, anna: User) -> None:
    answer = page(client, city.submitted(anna))
    assert answer.status_code == 302
    assert b"Bombenfund" not in answer.content
