"""The compose page in a real browser: it saves by itself, and never against its officer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, Route, expect

from alerts.models import Draft
from tests import city
from tests.desk.browsing import axe, chromium, sideways, window
from tests.desk.conftest import PASSWORD, make_roles, with_roles

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def address(live_server: Any, settings: Any, quiet: None) -> str:
    settings.ADDRESS = live_server.url
    make_roles()
    city.districts()
    with_roles("anna", "author")
    with_roles("otto", "author")
    return str(live_server.url)


@pytest.fixture
def draft(address: str) -> Draft:
    return city.drafted(User.objects.get(username="anna"))


def open_draft(page: Page, address: str, draft: Draft, name: str = "anna") -> None:
    client = Client()
    client.force_login(User.objects.get(username=name))
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])
    page.goto(f"{address}/desk/drafts/{draft.pk}/")


def place(page: Page) -> Any:
    return page.get_by_label("Ort", exact=True)


def test_what_is_typed_is_saved_and_seen_at_once_and_what_is_open_stays_open(
    browser: Browser, address: str, draft: Draft
) -> None:
    with window(browser, bypass_csp=True) as page:
        open_draft(page, address, draft)
        page.locator("#spoken summary", has_text="English").click()
        page.locator("#id_text-en-headline").fill("Fire at the station: stay away")
        expect(page.locator("#spoken")).to_contain_text("Fire at the station: stay away")
        expect(page.locator("#saved")).to_contain_text("Gespeichert um")
        expect(page.locator("#spoken details", has_text="English")).to_have_attribute("open", "")
        assert axe(page) == []
        assert sideways(page) == 0
    assert Draft.objects.get(pk=draft.pk).content.texts["en"].headline == "Fire at the station: stay away"


def test_a_button_pressed_while_the_page_saves_waits_for_the_answer(
    browser: Browser, address: str, draft: Draft
) -> None:
    held: list[Route] = []
    with window(browser) as page:
        open_draft(page, address, draft)
        page.route("**/keep/", lambda route: held.append(route))  # noqa: PLW0108 (Playwright wants a function)
        with page.expect_request("**/keep/"):
            place(page).fill("Augustusplatz")
        page.get_by_role("button", name="Zur Freigabe einreichen").click()
        expect(page.locator("#saved")).to_have_text("wird gespeichert")
        held[0].continue_()
        expect(page.get_by_text("Eingereicht. Jetzt kann")).to_be_visible()
    after = Draft.objects.get(pk=draft.pk)
    assert (after.state, after.content.place) == ("submitted", "Augustusplatz")


def test_whoever_was_overtaken_keeps_his_text_and_decides(browser: Browser, address: str, draft: Draft) -> None:
    with window(browser) as mine, window(browser) as other:
        open_draft(mine, address, draft)
        open_draft(other, address, draft, "otto")
        expect(other.get_by_text("anna hat diesen Entwurf auch offen")).to_be_visible()
        place(other).fill("Ring")
        expect(other.locator("#saved")).to_contain_text("Gespeichert um")
        place(mine).fill("Markt")
        expect(mine.get_by_text("otto hat diesen Entwurf inzwischen gespeichert")).to_be_visible()
        place(mine).fill("Marktplatz")
        expect(place(mine)).to_have_value("Marktplatz")
        assert Draft.objects.get(pk=draft.pk).content.place == "Ring"
        mine.get_by_role("button", name="Beide Texte vergleichen").click()
        expect(mine.get_by_text("Gestrichen: steht jetzt da")).to_be_visible()
        mine.get_by_role("button", name="Entwurf speichern").last.click()
        expect(mine.get_by_text("Gespeichert.", exact=True)).to_be_visible()
    assert Draft.objects.get(pk=draft.pk).content.place == "Marktplatz"


def test_a_desk_that_does_not_answer_loses_nothing(browser: Browser, address: str, draft: Draft) -> None:
    page = browser.new_context(locale="de-DE").new_page()  # its console may complain here
    open_draft(page, address, draft)
    page.route("**/keep/", lambda route: route.abort())
    place(page).fill("Markt")
    expect(page.locator("#saved")).to_contain_text("Das Dienstpult antwortet nicht")
    page.unroute("**/keep/")
    expect(page.locator("#saved")).to_contain_text("Gespeichert um", timeout=15_000)
    page.context.close()
    assert Draft.objects.get(pk=draft.pk).content.place == "Markt"


def test_a_session_that_is_over_is_said_and_the_text_comes_through(
    browser: Browser, address: str, draft: Draft
) -> None:
    with window(browser) as page:
        open_draft(page, address, draft)
        page.context.clear_cookies(name="sessionid")
        place(page).fill("Augustusplatz")
        expect(page.locator("#saved")).to_contain_text("Ihre Sitzung ist zu Ende")
        page.get_by_role("button", name="Entwurf speichern").last.click()
        page.get_by_label("Benutzername").fill("anna")
        page.get_by_label("Passwort").fill(PASSWORD)
        page.get_by_role("button", name="Anmelden", exact=True).click()
        expect(place(page)).to_have_value("Augustusplatz")
