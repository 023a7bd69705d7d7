"""The pages of templates in a real browser: axe, narrow windows, the keyboard, the search with and without script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from alerts import templating
from alerts.content import Content
from alerts.models import Draft, Template
from alerts.templating import Wording
from alerts.terms import Kind
from tests import city, story
from tests.desk.browsing import axe, chromium, sideways, window
from tests.desk.conftest import make_roles, with_roles

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def desk(live_server: Any, settings: Any, quiet: None) -> str:
    """Three templates, one of them with three versions, and an officer who may write and keep them."""
    settings.ADDRESS = live_server.url
    make_roles()
    city.districts()
    olga = with_roles("olga", "author", "administrator")
    texts = {
        language: replace(text, headline=text.headline.replace(story.PLACE, "{place}"), short="")
        for language, text in story.WARNING.items()
    }
    bomb = Content(category=("Safety",), severity="Severe", response=("Avoid",), texts=texts, valid_for=240, next_in=60)
    said = Wording(Kind.WARNING, {"de": "Bombenfund", "en": "Bomb"}, bomb)
    templating.make(olga, "bombe", said, "Eigene Worte")
    worse = {**texts, "de": replace(texts["de"], headline="Kampfmittel {place}: Verlassen Sie unverzüglich das Gebiet")}
    templating.change(olga, "bombe", 1, replace(said, content=replace(bomb, texts=worse)), "Deutlicher")
    templating.restore(olga, "bombe", 2, 1)
    storm = {language: replace(text, event="Sturm") for language, text in texts.items()}
    windy = replace(said, names={"de": "Sturm"}, content=replace(bomb, category=("Met",), texts=storm))
    templating.make(olga, "sturm", windy, "")
    templating.make(olga, "feuer", replace(said, names={"de": "Großbrand mit Rauch"}), "")
    templating.put(olga, "feuer", active=False)
    return f"{live_server.url}/desk"


PAGES = ("/templates/", "/templates/bombe/", "/templates/new/", "/new/", "/new/?q=sturm&status=Exercise", "/office/")


def olga(page: Page, desk: str) -> Page:
    client = Client()
    client.force_login(User.objects.get(username="olga"))
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": desk}])
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser: Browser, desk: str, scheme: Any) -> None:
    found: dict[str, Any] = {}
    with window(browser, bypass_csp=True, color_scheme=scheme) as page:
        olga(page, desk)
        for address in PAGES:
            page.goto(f"{desk}{address}")
            for folded in page.locator("main details").all():
                folded.evaluate("folded => folded.open = true")
            found[address] = axe(page)
            for width in (1280, 320):
                page.set_viewport_size({"width": width, "height": 800})
                found[f"{address} {width}"] = sideways(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_by_keyboard_from_typing_what_happened_to_the_draft(browser: Browser, desk: str) -> None:
    with window(browser, viewport={"width": 390, "height": 800}) as page:
        olga(page, desk).goto(f"{desk}/new/")
        expect(page.get_by_role("button", name="Sturm")).to_be_visible()
        page.get_by_label("Vorlage suchen").press_sequentially("bomb")
        expect(page.get_by_role("button", name="Sturm")).to_be_hidden()
        page.keyboard.press("Tab")  # the button that asks the server, for those without script
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/drafts/**")
    assert Draft.objects.get().content.texts["de"].event == "Bombenfund"


def test_an_administrator_changes_a_template_and_takes_it_back(browser: Browser, desk: str) -> None:
    with window(browser, java_script_enabled=False) as page:
        olga(page, desk).goto(f"{desk}/templates/bombe/")
        page.locator("#id_text-de-headline").fill("Bombe {place}: Gehen Sie weg")
        page.get_by_label("Was ist neu, und warum").fill("Kürzer")
        page.get_by_role("button", name="Als neue Fassung speichern").click()
        expect(page.get_by_text("Als Fassung 4 gespeichert.")).to_be_visible()
        page.locator("summary", has_text="Fassung 3").click()
        page.get_by_role("button", name="Fassung 3 wiederherstellen").click()
        expect(page.get_by_text("Als Fassung 5 wiederhergestellt.")).to_be_visible()
    said = templating.wording(Template.objects.get(key="bombe"))
    assert said is not None
    assert said.content.texts["de"].headline.startswith("Bombenfund in der {place}")
