"""The pages of incoming warnings in a real browser: axe, a narrow window, the way to a draft by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from alerts.content import to_json
from alerts.models import Draft, Incoming, Source, SourceKind
from tests import city
from tests.desk.browsing import axe, chromium, sideways, window
from tests.desk.conftest import make_roles, with_roles

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def desk(live_server: Any, settings: Any, quiet: None) -> str:
    """A source with a warning that nobody has acknowledged; an officer who may write and keep sources."""
    settings.ADDRESS = live_server.url
    make_roles()
    city.districts()
    with_roles("olga", "author", "administrator")
    source = Source.objects.create(
        name="Lagezentrum", kind=SourceKind.ATOM, url="https://feeds.example/feed", failures=3
    )
    now = timezone.now()
    for number in range(2):
        Incoming.objects.create(
            source=source, identifier=f"lst.{number}", event="lst", sent=now, expires=now + timedelta(hours=2),
            msg_type="Alert", severity="Extreme", headline="Gefahrstoffaustritt im Güterbahnhof: Fenster schließen",
            area="Zentrum-Südwest, Grünau-Siedlung", signature="bad", content_json=to_json(city.content()),
        )  # fmt: skip
    return f"{live_server.url}/desk"


def olga(page: Page, desk: str) -> Page:
    client = Client()
    client.force_login(User.objects.get(username="olga"))
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": desk}])
    return page


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (1280, "light")])
def test_the_pages_are_sound(browser: Browser, desk: str, width: int, scheme: Any) -> None:
    size = {"width": width, "height": 800}
    with window(browser, viewport=size, color_scheme=scheme, bypass_csp=True) as page:
        olga(page, desk)
        newest, source = Incoming.objects.order_by("-pk")[0], Source.objects.get()
        for path in ("/incoming/", f"/incoming/{newest.pk}/", "/sources/", "/sources/new/", f"/sources/{source.pk}/"):
            page.goto(desk + path)
            assert (axe(page), sideways(page)) == ([], 0), path


def test_from_the_warning_to_the_draft_by_keyboard(browser: Browser, desk: str) -> None:
    with window(browser) as page:
        olga(page, desk).goto(f"{desk}/incoming/")
        page.get_by_role("button", name="Als Entwurf übernehmen").or_(
            page.get_by_role("button", name="Take over as a draft")
        ).focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/drafts/*/")
        expect(page.locator("main .notices")).not_to_be_empty()
    assert Draft.objects.get().incoming.count() == 1
