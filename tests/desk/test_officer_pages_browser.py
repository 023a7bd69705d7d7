"""Officers' pages in a real browser: from the first screen of two administrators to an officer who is in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from alerts import approval, roles
from alerts.models import Message, ReleasePlan, RoleRequest
from alerts.terms import Status
from tests import city
from tests.desk.browsing import axe, chromium, sideways, window
from tests.desk.conftest import make_roles, with_roles

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "vier ganz eigene Wörter"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def address(live_server: Any, settings: Any, quiet: None) -> str:
    settings.ADDRESS = live_server.url
    make_roles()
    city.districts()
    for name in ("carla", "dora"):
        with_roles(name, "administrator")
    return str(live_server.url)


def sits(page: Page, address: str, name: str) -> Page:
    """An officer at the desk, in English: these texts are the code's own."""
    client = Client()
    client.force_login(User.objects.get(username=name))
    cookies = {"sessionid": client.cookies["sessionid"].value, "django_language": "en"}
    page.context.add_cookies([{"name": key, "value": value, "url": address} for key, value in cookies.items()])
    page.goto(f"{address}/desk/")
    return page


def test_an_officer_is_entered_gets_a_role_and_gets_in(browser: Browser, address: str) -> None:
    with (
        window(browser) as first,
        window(browser) as second,
        window(browser, viewport={"width": 390, "height": 800}) as new,
    ):
        sits(first, address, "carla")
        first.goto(f"{address}/desk/office/")
        first.get_by_role("link", name="Add an officer").click()
        for label, typed in (
            ("First name", "Nora"),
            ("Last name", "Neu"),
            ("Mail address", "nora@stadt.example"),
            ("Log-in name", "nora"),
            ("Why these roles?", "Night shift"),
        ):
            first.get_by_label(label, exact=True).fill(typed)
        first.get_by_label("Author: writes").check()
        first.get_by_role("button", name="Add the officer and send the link").click()
        link = first.locator(".link-once").inner_text()

        sits(second, address, "dora")
        second.get_by_role("link", name="Check the request").click()
        second.get_by_role("button", name="Give the role").click()
        expect(second.get_by_text("The role is given.")).to_be_visible()
        assert roles.held(User.objects.get(username="nora")) == ["author"]

        new.context.add_cookies([{"name": "django_language", "value": "en", "url": address}])
        new.goto(link)
        assert new.url == f"{address}/desk/invitation/"
        assert sideways(new) == 0
        new.get_by_label("New password").fill(PASSWORD)
        new.get_by_label("Once more").fill(PASSWORD)
        new.keyboard.press("Enter")
        new.wait_for_url(lambda url: "/desk/invitation/" not in url)
        assert User.objects.get(username="nora").check_password(PASSWORD)


def test_a_drill_is_led_by_the_keyboard_alone(browser: Browser, address: str) -> None:
    author, approver = with_roles("anna", "author"), with_roles("bert", "approver")
    with_roles("udo", "drill leader")
    drill = {"plan": ReleasePlan.DRILL, "facts_at": None, "valid_for": 60, "next_in": None}
    draft = city.submitted(author, status=Status.EXERCISE, **drill)
    approval.approve(draft.pk, draft.digest, approver)
    with window(browser) as page:
        sits(page, address, "udo")
        page.get_by_role("link", name="Lead a drill").press("Enter")
        page.get_by_role("link", name="Prepare the drill").press("Enter")
        page.get_by_label("Every channel works").press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.type("Übung")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{address}/desk/reach/**")
        assert Message.objects.get().status == Status.EXERCISE


def test_axe_finds_nothing_and_nothing_is_wider_than_the_smallest_phone(browser: Browser, address: str) -> None:
    anna = with_roles("anna", "author", "drill leader")
    roles.ask(anna, "approver", User.objects.get(username="carla"), "Night shift")
    carla = User.objects.get(username="carla")
    asked = RoleRequest.objects.get()
    assert asked.officer == anna
    author, approver = city.officer("writes", "write_draft"), city.officer("agrees", "approve_draft")
    drill = {"plan": ReleasePlan.DRILL, "facts_at": None, "valid_for": 60, "next_in": None}
    draft = city.submitted(author, status=Status.EXERCISE, **drill)
    approval.approve(draft.pk, draft.digest, approver)
    with_roles("udo", "drill leader", "administrator")
    pages = [
        "officers/",
        f"officers/{anna.pk}/",
        f"auth/user/{anna.pk}/change/",
        f"officers/{carla.pk}/",
        "officers/new/",
        "office/",
    ]
    pages += ["drill/", f"drill/{draft.pk}/", "", "invitation/1/x/"]
    found: dict[str, Any] = {}
    for scheme in ("light", "dark"):
        with window(browser, bypass_csp=True, color_scheme=scheme, viewport={"width": 320, "height": 800}) as page:
            sits(page, address, "udo")
            for name in pages if scheme == "light" else pages[1:3]:
                page.goto(f"{address}/desk/{name}")
                if wrong := [*axe(page), *(["scrolls sideways"] if sideways(page) else [])]:
                    found[f"{scheme} {name}"] = wrong
    assert found == {}
