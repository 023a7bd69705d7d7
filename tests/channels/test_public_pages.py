"""The public pages in a real browser: for eyes, for screen readers, on a small phone, without scripts, alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from alerts import public
from alerts.content import District
from alerts.terms import Kind
from channels.city.website import Website
from tests import story
from tests.channels import publicsite
from tests.city import districts
from tests.desk.browsing import axe, chromium, kept, sideways, window
from tests.story import Step, put_out

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@dataclass
class City:
    """A city whose pages stand at ``address``; ``pages`` by what they show."""

    address: str
    pages: dict[str, str]


@pytest.fixture
def city(tmp_path: Path, settings: Any) -> Iterator[City]:
    """Every kind of page at once: live, to come, over, wrong, an exercise."""
    with publicsite.public(tmp_path / "public") as served:
        settings.ADDRESS = served.address
        yield City(served.address, every_page(served))
        assert served.application.asked == []


def every_page(served: publicsite.Public) -> dict[str, str]:
    """Makes the pages; the path of each by what it shows."""
    districts()
    now = dt.datetime.now(story.BERLIN)
    past, live = story.steps(now - dt.timedelta(days=3)), story.steps(now - dt.timedelta(hours=3))
    wrong = replace(past[3], kind=Kind.FALSE_ALARM, content=replace(past[3].content, texts={"de": story.DELAY["de"]}))
    many = tuple(District(f"d{number}", f"Ortsteil {number}") for number in range(9))
    later = replace(live[0].content, onset=now + dt.timedelta(hours=2), severity="Severe", touched=many, circles=())
    pages = {
        "live": told(*live[:2]),
        "to come": told(replace(live[0], content=later)),
        "all-clear": told(*past),
        "false alarm": told(past[0], wrong),
        "expired": told(past[0]),
        "exercise": told(story.as_exercise(live[1])),
    }
    site = Website(
        "website",
        folder=str(served.folder),
        address=served.address,
        languages=["de", "de-simple", "en"],
        ways=["push", "sms", "email"],
        vapid_key=publicsite.VAPID,
    )
    site.rebuild()
    pages |= {"English": f"/en{pages['live']}", "Leichte Sprache": f"/de-simple{pages['live']}"}
    pages |= {"fallback": f"/en{pages['false alarm']}"}
    pages |= {"index": "/", "archive": "/archive/", "about": "/about/", "missing": "/en/nowhere"}
    pages |= {"subscribe": "/subscribe/", "subscribe, English": "/en/subscribe/", "offline": "/offline/"}
    return pages | {"subscribe, Leichte Sprache": "/de-simple/subscribe/"}


def told(*steps: Step) -> str:
    """The path of the alert that these messages make."""
    alert = None
    for step in steps:
        alert = put_out(step, alert).alert
    assert alert
    assert public.alert(alert.slug)
    return f"/alerts/{alert.slug}/"


@pytest.fixture(scope="module", autouse=True)
def one_browser() -> Iterator[None]:
    with kept():
        yield


@contextmanager
def opened(**options: Any) -> Iterator[Page]:
    """A window of a browser; what it complains about fails the test."""
    with chromium() as browser, window(browser, **options) as page:
        yield page


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 390), ("light", 320), ("dark", 1280)])
def test_no_page_puts_anything_in_the_way_of_anybody(city: City, scheme: Any, width: int) -> None:
    with opened(bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
        found = {}
        for name, path in city.pages.items():
            page.goto(city.address + path)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            found[name] = axe(page)
        assert found == {name: [] for name in city.pages}


def test_a_page_asks_nobody_else_and_its_policy_refuses_nothing_of_it(city: City) -> None:
    with opened() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for path in city.pages.values():
            page.goto(city.address + path, wait_until="networkidle")  # the icon too: it comes last
        assert asked
        assert all(url.startswith(f"{city.address}/") for url in asked)
        assert page.context.cookies() == []
        sheets = page.evaluate("[...document.styleSheets].map(sheet => sheet.cssRules.length)")
        assert sheets
        assert all(sheets)


def test_nothing_scrolls_sideways_on_the_smallest_phone(city: City) -> None:
    with opened(viewport={"width": 320, "height": 600}) as page:
        wide = {}
        for name, path in city.pages.items():
            page.goto(city.address + path)
            wide[name] = sideways(page)
        assert wide == dict.fromkeys(city.pages, 0)


def test_the_first_screen_of_a_phone_says_how_bad_what_where_and_as_of_when(city: City) -> None:
    with opened(viewport={"width": 390, "height": 844}, java_script_enabled=False) as page:
        page.goto(city.address + city.pages["live"])
        for words in ("Extreme Gefahr", "Verlassen Sie sofort das Gebiet", "Betroffen:", "Stand:", "Tun Sie jetzt das"):
            box = page.get_by_text(words).first.bounding_box()
            assert box, words
            assert box["y"] + box["height"] < 844, words
        assert page.get_by_text("abgelaufen").first.is_hidden()


def test_what_expires_while_the_page_is_open_is_marked(city: City) -> None:
    with opened() as page:
        page.clock.install()
        page.goto(city.address + city.pages["live"])
        assert page.get_by_text("Gilt jetzt").is_visible()
        assert page.locator(".note").first.is_hidden()
        page.clock.fast_forward("12:00:00")
        page.clock.run_for(31_000)
        assert page.get_by_text("war bis").is_visible()  # the promised message has not come
        assert page.get_by_text("Gilt jetzt").is_visible()
        page.clock.fast_forward("12:00:00")
        page.clock.run_for(31_000)
        assert page.get_by_text("Nach der Uhr Ihres Geräts ist diese Warnung abgelaufen.").is_visible()
        assert page.get_by_text("Gilt jetzt").is_hidden()
        assert page.get_by_text("war bis").is_hidden()
        assert "sev-ended" in (page.locator(".band").get_attribute("class") or "")
        page.goto(city.address)
        assert page.locator(".alert-card.sev-ended").count() == 2
        assert page.get_by_text("Diese Seite ist älter als eine Stunde.").is_visible()


def test_an_old_calm_page_says_that_it_is_old(city: City) -> None:
    with opened() as page:
        page.goto(f"{city.address}/")
        assert page.get_by_text("Diese Seite ist älter als eine Stunde.").is_hidden()
        page.clock.install()
        page.clock.fast_forward("02:00:00")
        page.goto(f"{city.address}/")
        assert page.get_by_text("Diese Seite ist älter als eine Stunde.").is_visible()


def test_the_exercise_can_not_be_scrolled_out_of_its_frame(city: City) -> None:
    with opened(viewport={"width": 390, "height": 800}) as page:
        page.goto(city.address + city.pages["exercise"])
        page.evaluate("window.scrollTo(0, document.body.scrollHeight / 2)")
        box = page.locator(".exercise-line").bounding_box()
        assert box
        assert 0 <= box["y"] < 40
        assert page.locator("body").evaluate("body => getComputedStyle(body).borderTopWidth") == "12px"
        assert "Verlassen Sie" not in page.locator("body").inner_text()


def test_on_paper_stand_the_steps_the_map_and_the_address(city: City) -> None:
    with opened(viewport={"width": 794, "height": 1123}) as page:
        page.goto(city.address + city.pages["live"])
        page.emulate_media(media="print")
        for selector in ("ol.do", "svg.map", ".url", "dl.facts"):
            assert page.locator(selector).first.is_visible(), selector
        for selector in ("nav.langs", ".bar-act", ".foot nav", ".button"):
            assert page.locator(selector).first.is_hidden(), selector
        assert page.locator(".band").evaluate("band => getComputedStyle(band).backgroundColor") == "rgba(0, 0, 0, 0)"


def test_in_forced_colours_the_band_and_the_icons_keep_their_shape(city: City) -> None:
    with opened(forced_colors="active") as page:
        page.goto(city.address + city.pages["live"])
        band = page.locator(".band")
        assert band.evaluate("band => getComputedStyle(band).borderTopWidth") == "2px"
        icon = page.locator(".level .icon")
        fill, ground = icon.evaluate("icon => [getComputedStyle(icon).fill, getComputedStyle(document.body).color]")
        assert fill == ground


def test_the_keyboard_leads_past_the_bar_to_the_content(city: City) -> None:
    with opened() as page:
        page.goto(city.address + city.pages["live"])
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "Zum Inhalt"
        assert page.locator(":focus").bounding_box()
        page.keyboard.press("Enter")
        assert page.url.endswith("#content")


def test_the_language_switch_stays_on_the_page(city: City) -> None:
    with opened() as page:
        page.goto(city.address + city.pages["live"])
        page.get_by_role("link", name="English").click()
        assert page.url == f"{city.address}/en{city.pages['live']}"
        assert page.get_by_role("heading", level=1).inner_text() == "Bomb in Dimitroffstraße: leave the area now"
        assert page.locator("html").get_attribute("lang") == "en"


def test_from_right_to_left_the_steps_begin_on_the_right(city: City) -> None:
    with opened(viewport={"width": 800, "height": 800}) as page:
        page.goto(city.address + city.pages["live"])
        page.evaluate("document.documentElement.dir = 'rtl'")
        step = page.locator("ol.do > li").first
        item, words = step.bounding_box(), step.locator("b").bounding_box()
        assert item
        assert words
        assert words["x"] + words["width"] < item["x"] + item["width"] - 40
        assert sideways(page) == 0
