"""The map of the compose page in a real browser: by mouse, by touch, by keyboard; the form stays the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, expect

from alerts.models import Draft
from tests import city
from tests.desk.browsing import axe, chromium, sideways, window
from tests.desk.conftest import make_roles, with_roles

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def address(live_server: Any, settings: Any, quiet: None) -> str:
    settings.ADDRESS = live_server.url
    settings.CHANNELS = {
        "website": {"adapter": "channels.city.website.Website"},
        "crowd": {"adapter": "tests.channels.fakes.Crowd", "rehearsal": False},
    }
    make_roles()
    city.districts()
    city.subscribe("push", "one", "two", "three", areas=["no"])
    with_roles("anna", "author")
    return str(live_server.url)


def opened(page: Page, address: str, **changes: Any) -> Draft:
    """A draft of the four districts in the middle, open on its page, its map ready."""
    anna = User.objects.get(username="anna")
    draft = city.drafted(anna, **({"circles": ()} | changes))
    client = Client()
    client.force_login(anna)
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])
    page.goto(f"{address}/desk/drafts/{draft.pk}/")
    expect(page.locator("#area-map[data-ready]")).to_be_attached()
    page.evaluate("document.querySelectorAll('[aria-labelledby=where] details').forEach(part => { part.open = true })")
    return draft


def middle_of(page: Page) -> None:
    """Bring the four districts onto the map: what is chosen fills it."""
    box = page.locator("input[value=mitte]")
    box.check()
    page.locator("[data-act=fit]").click()
    box.uncheck()


def click(page: Page, x: float, y: float) -> None:
    """Click the map at shares of its width and height."""
    live = page.locator(".area-live")
    size = live.bounding_box()
    assert size is not None
    live.click(position={"x": size["width"] * x, "y": size["height"] * y})


def said(page: Page) -> Locator:
    return page.locator("#area-said")


def chosen(page: Page) -> list[str]:
    found: list[str] = page.evaluate("[...document.querySelectorAll('[name=districts]:checked')].map(box => box.value)")
    return found


def saved(page: Page) -> None:
    page.get_by_role("button", name="Entwurf speichern").last.click()
    expect(page.get_by_text("Gespeichert.", exact=True)).to_be_visible()


def test_a_click_chooses_a_district_and_the_next_one_drops_it(browser: Browser, address: str) -> None:
    with window(browser) as page:
        draft = opened(page, address)
        # the list is as good: what is checked there shows on the map
        middle_of(page)
        click(page, 0.6, 0.4)
        expect(said(page)).to_contain_text("Nordost gewählt.")
        assert chosen(page) == ["no"]
        expect(page.locator("[data-code=no].is-chosen")).to_have_count(1)
        # the draft saves itself, and what the server counted is said with it
        expect(said(page)).to_have_text("Nordost gewählt. 1 Ortsteil, 3 Abos.")
        expect(page.locator("#reach")).to_contain_text("Erreicht 3 Abos: Push 3")
        click(page, 0.6, 0.4)
        expect(said(page)).to_contain_text("Nordost abgewählt.")
        assert chosen(page) == []
        page.get_by_role("button", name="Rückgängig machen").click()
        assert chosen(page) == ["no"]
        # of a part of the city that is chosen as a whole, the other parts stay
        page.locator("input[value=mitte]").check()
        expect(page.locator(".area-district.is-chosen")).to_have_count(4)
        page.locator("input[value=no]").uncheck()
        click(page, 0.6, 0.4)
        assert sorted(chosen(page)) == ["nw", "so", "sw"]
        saved(page)
    assert {district.code for district in Draft.objects.get(pk=draft.pk).content.districts} == {"nw", "so", "sw"}


def test_an_area_is_drawn_moved_and_deleted(browser: Browser, address: str) -> None:
    with window(browser) as page:
        draft = opened(page, address)
        middle_of(page)
        page.get_by_role("button", name="Fläche zeichnen").click()
        for x, y in ((0.3, 0.3), (0.7, 0.3), (0.6, 0.6), (0.9, 0.9)):
            click(page, x, y)
        expect(said(page)).to_have_text("4 Ecken gesetzt.")
        page.get_by_role("button", name="Rückgängig machen").click()
        page.get_by_role("button", name="Erste Ecke. Hier die Fläche schließen.").click()
        expect(said(page)).to_contain_text("Fläche mit 3 Ecken gezeichnet.")
        corners = page.locator("#id_polygons")
        before = corners.input_value()
        assert len(before.splitlines()) == 3
        page.locator("[data-key=area-0]").click()
        corner = page.locator("[data-key=corner-0-2]")
        corner.focus()
        page.keyboard.press("ArrowDown")
        assert corners.input_value().splitlines()[:2] == before.splitlines()[:2]
        assert corners.input_value() != before
        expect(corner).to_be_focused()
        saved(page)
        [polygon] = Draft.objects.get(pk=draft.pk).content.polygons
        assert len(polygon.points) == 4
        expect(page.locator("#area-map[data-ready]")).to_be_attached()
        page.locator("[data-key=area-0]").click()
        page.get_by_role("button", name="Form löschen").click()
        assert corners.input_value() == ""


def test_a_circle_is_set_dragged_and_typed(browser: Browser, address: str) -> None:
    with window(browser) as page:
        opened(page, address)
        middle_of(page)
        centre, metres = page.locator("#id_circle-0-centre"), page.locator("#id_circle-0-metres")
        page.get_by_role("button", name="Kreis setzen").click()
        click(page, 0.5, 0.5)
        expect(said(page)).to_contain_text("Kreis gesetzt, Radius 500 m.")
        lat, lon = (float(part) for part in centre.input_value().split(", "))
        assert abs(lat - city.LAT) < 0.002
        assert abs(lon - city.LON) < 0.002
        assert metres.input_value() == "500"
        edge = page.locator("[data-key=edge-0]")
        start = edge.bounding_box()
        assert start is not None
        page.mouse.move(start["x"] + 18, start["y"] + 18)
        page.mouse.down()
        page.mouse.move(start["x"] + 58, start["y"] + 18, steps=4)
        page.mouse.up()
        assert float(metres.input_value()) > 600
        # what is typed moves it
        before = page.locator(".map-ring").get_attribute("d")
        centre.fill("51,34; 12,38")
        metres.fill("250")
        after = page.locator(".map-ring").get_attribute("d")
        assert before != after
        # a second circle gets fields of its own, with no page loaded anew
        page.get_by_role("button", name="Noch ein Kreis").click()
        expect(page.locator("#id_circle-1-centre")).to_be_focused()
        page.locator("#id_circle-1-centre").fill(f"{city.LAT}, {city.LON}")
        page.locator("#id_circle-1-metres").fill("300")
        expect(page.locator(".area-live .map-ring")).to_have_count(2)
        saved(page)
    assert [circle.km for circle in Draft.objects.get().content.circles] == [0.25, 0.3]


def test_everything_is_done_by_keyboard_alone(browser: Browser, address: str) -> None:
    with window(browser) as page:
        opened(page, address)
        middle_of(page)
        press = page.keyboard.press
        live = page.locator(".area-live")
        page.locator("button[data-tool=choose]").focus()
        for _number in range(12):
            press("Tab")
            if live.evaluate("box => box === document.activeElement"):
                break
        expect(live).to_be_focused()
        expect(page.locator(".area-cross")).to_be_visible()
        press("ArrowRight")
        press("ArrowUp")
        expect(said(page)).to_have_text("Unter dem Kreuz: Nordost.")
        press("Enter")
        assert chosen(page) == ["no"]
        page.locator("button[data-tool=circle]").focus()
        press("Enter")
        live.focus()
        press("Enter")
        expect(page.locator("#id_circle-0-metres")).to_have_value("500")
        page.locator("button[data-tool=draw]").focus()
        press("Enter")
        live.focus()
        for way in ("ArrowLeft", "ArrowDown", "ArrowRight"):
            press("Enter")
            press(way)
        page.locator("[data-act=close]").focus()
        press("Enter")
        expect(said(page)).to_contain_text("Fläche mit 3 Ecken gezeichnet.")
        page.locator("[data-key=middle-0]").focus()
        before = page.locator("#id_circle-0-centre").input_value()
        press("ArrowLeft")
        assert page.locator("#id_circle-0-centre").input_value() != before
        press("Delete")
        expect(page.locator("#id_circle-0-centre")).to_have_value("")
        saved(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_it(browser: Browser, address: str, scheme: Any) -> None:
    with window(browser, bypass_csp=True, color_scheme=scheme) as page:
        around = {"polygons": city.content().polygons, "circles": city.content().circles}
        opened(page, address, **around)
        page.locator("[data-key=middle-0]").click()
        assert axe(page) == []


def test_on_a_phone_one_finger_scrolls_the_page_and_a_tap_chooses(browser: Browser, address: str) -> None:
    with window(browser, **PHONE) as page:
        opened(page, address)
        middle_of(page)
        live = page.locator(".area-live")
        assert live.evaluate("box => getComputedStyle(box).touchAction") == "pan-x pan-y"
        live.scroll_into_view_if_needed()
        size = live.bounding_box()
        assert size is not None
        page.touchscreen.tap(size["x"] + size["width"] * 0.6, size["y"] + size["height"] * 0.4)
        expect(said(page)).to_contain_text("Nordost gewählt.")
        assert sideways(page) == 0
        saved(page)


def test_nothing_moves_when_the_map_comes(browser: Browser, address: str) -> None:
    with window(browser) as page:
        held: list[Any] = []
        page.route("**/desk/districts/**", lambda route: held.extend([route]))
        anna = User.objects.get(username="anna")
        draft = city.drafted(anna)
        client = Client()
        client.force_login(anna)
        page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])
        with page.expect_request("**/desk/districts/**"):
            page.goto(f"{address}/desk/drafts/{draft.pk}/")
        expect(page.locator("#area-map svg.map")).to_be_visible()
        before = page.locator("#reach").bounding_box()
        held[0].continue_()
        expect(page.locator("#area-map[data-ready]")).to_be_attached()
        expect(page.locator("#area-map svg.map")).to_be_hidden()
        assert page.locator("#reach").bounding_box() == before
