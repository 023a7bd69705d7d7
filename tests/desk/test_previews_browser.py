"""Previews and the live page in a real browser: tabs without script, nothing jumps or is lost while the page asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page

from channels import fanout, jobs
from channels.base import Permanent, Uncertain
from channels.models import Delivery, State
from tests import city, story
from tests.channels import fakes
from tests.desk.browsing import axe, chromium, sideways, window
from tests.desk.conftest import make_roles, with_roles
from tests.desk.test_previews import ALL

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def address(live_server: Any, settings: Any, quiet: None, tmp_path: Path) -> str:
    settings.ADDRESS, settings.PUBLIC_DIR = live_server.url, tmp_path / "public"
    make_roles()
    city.districts()
    with_roles("anna", "author")
    with_roles("bert", "approver")
    return str(live_server.url)


def officer(name: str) -> User:
    return User.objects.get(username=name)


def at(page: Page, address: str, name: str, path: str) -> Page:
    client = Client()
    client.force_login(officer(name))
    value = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": value, "url": address}])
    page.goto(address + path)
    return page


def test_one_language_at_a_time_by_keyboard_alone_and_without_script(
    browser: Browser, address: str, settings: Any
) -> None:
    settings.CHANNELS = {name: ALL[name] for name in ("website", "feeds", "webpush", "sms", "x")}
    draft = city.drafted(officer("anna"), texts=story.STEPS[1].content.texts)
    with window(browser, java_script_enabled=False, viewport={"width": 1280, "height": 900}) as shown:
        at(shown, address, "anna", f"/desk/drafts/{draft.pk}/")
        tabs = shown.locator(".pv-tabs summary")
        assert tabs.all_inner_texts() == ["Deutsch", "Leichte Sprache", "English"]
        place = tabs.nth(2).bounding_box()
        tabs.nth(2).focus()
        shown.keyboard.press("Enter")
        assert [tab.get_attribute("open") is not None for tab in shown.locator(".pv-tabs details").all()] == [
            False,
            False,
            True,
        ]
        assert tabs.nth(2).bounding_box() == place, "the tab stays under the finger"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (320, "dark")])
def test_the_previews_are_for_everybody(browser: Browser, address: str, settings: Any, width: int, scheme: Any) -> None:
    settings.CHANNELS = ALL
    draft = city.drafted(officer("anna"), texts=story.STEPS[1].content.texts)
    size = {"width": width, "height": 900}
    with window(browser, bypass_csp=True, color_scheme=scheme, viewport=size) as shown:  # type: ignore[arg-type]
        at(shown, address, "anna", f"/desk/drafts/{draft.pk}/")
        card = shown.locator("details[open] img.pv-card").first
        before = card.bounding_box()
        card.scroll_into_view_if_needed()
        shown.wait_for_function("document.querySelector('details[open] img.pv-card').complete")
        after = card.bounding_box()
        assert before is not None
        assert after is not None
        assert (before["width"], before["height"]) == (after["width"], after["height"])
        assert sideways(shown) <= 0
        assert axe(shown) == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (320, "light")])
def test_while_the_live_page_asks_nothing_jumps_and_nothing_is_lost(
    browser: Browser, address: str, settings: Any, width: int, scheme: Any
) -> None:
    settings.CHANNELS = {
        **settings.CHANNELS,
        "own": {"adapter": "tests.channels.fakes.Own", "label": "Mastodon", "rehearsal": False},
        "once": {"adapter": "tests.channels.fakes.Once", "label": "Telegram", "rehearsal": False},
    }
    fakes.script["own"].append(Permanent("Schlüssel abgelaufen"))
    fakes.script["once"].append(Uncertain("keine Antwort innerhalb von 8 Sekunden"))
    message = city.released(officer("anna"), officer("bert"))
    for delivery in fanout.plan(message.pk):
        jobs.deliver(delivery.pk)
    feed = Delivery.objects.filter(channel="feed")
    feed.update(state=State.WAITING, done_at=None)
    unclear = Delivery.objects.get(channel="once").pk
    size = {"width": width, "height": 900}
    with window(browser, bypass_csp=True, color_scheme=scheme, viewport=size) as shown:  # type: ignore[arg-type]
        at(shown, address, "bert", f"/desk/alert/{message.alert.slug}/")
        shown.get_by_text("Es steht dort nicht").click()
        shown.locator(f"#looked-{unclear}").check()
        places = "rows => rows.map(row => [row.offsetTop, row.offsetHeight])"
        before = shown.locator(".rows-way > li").evaluate_all(places)
        assert shown.locator("#told").inner_text() == "1 von 4 Kanälen fertig, 1 wartet, 1 gescheitert, 1 unklar."
        feed.update(state=State.SENDING, lease="x")
        shown.get_by_text("1 läuft, 1 gescheitert").wait_for()
        assert shown.locator(f"#looked-{unclear}").is_checked()
        assert shown.evaluate("document.activeElement.id") == f"looked-{unclear}"
        assert shown.locator(".rows-way > li").evaluate_all(places) == before
        assert sideways(shown) <= 0
        assert axe(shown) == []
        shown.locator(f"#again-{unclear}").click()
        shown.get_by_text("Telegram wird").wait_for()
    assert Delivery.objects.get(pk=unclear).state == State.WAITING
