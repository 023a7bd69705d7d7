"""Report, record and outbox in a real browser: nothing wrong by axe, nothing sideways, on paper a head on each page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page

from alerts import approval, drafting
from alerts.models import Message
from alerts.terms import Kind, Status
from channels import fanout, jobs
from channels.models import State
from tests import city
from tests.desk.browsing import axe, chromium, sideways, window
from tests.desk.conftest import make_roles, with_roles

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def address(live_server: Any, settings: Any, quiet: None, monkeypatch: pytest.MonkeyPatch) -> str:
    settings.ADDRESS = live_server.url
    settings.CHANNELS = {
        **settings.CHANNELS,
        "crowd": {"adapter": "tests.channels.fakes.Crowd", "label": "Push", "rehearsal": False},
        "stage": {"adapter": "tests.channels.fakes.Commercial", "label": "Bühne"},
    }
    monkeypatch.setattr(jobs, "ring_batches", lambda _those: None)
    make_roles()
    city.districts()
    with_roles("olaf", "observer")
    return str(live_server.url)


def carried_out(message: Message) -> Message:
    for delivery in fanout.plan(message.pk):
        jobs.deliver(delivery.pk)
    fanout.open_if_live(message.pk)
    for delivery in message.deliveries.filter(state=State.WAITING):
        jobs.deliver(delivery.pk)
    return message


def story(status: str) -> str:
    anna, bert = (User.objects.get(username=name) for name in ("anna", "bert"))
    draft = city.submitted(anna, status=status)
    approval.send_back(draft.pk, bert, "Die Straße ist falsch geschrieben.")
    draft = drafting.Draft.objects.get(pk=draft.pk)
    draft = drafting.save(draft.pk, draft.version, replace(draft.content, place="Ring"), anna)
    draft = approval.submit(draft.pk, draft.version, anna)
    first = approval.approve(draft.pk, draft.digest, bert)
    assert first is not None
    carried_out(first)
    carried_out(city.followed(first, Kind.CORRECTION, anna, bert, place="Markt"))
    return first.alert.slug


@pytest.fixture
def pages(address: str) -> dict[str, str]:
    for name, role in (("anna", "author"), ("bert", "approver")):
        with_roles(name, role)
    real, exercise = story(Status.ACTUAL), story(Status.EXERCISE)
    desk = f"{address}/desk/"
    return {
        "report": f"{desk}alert/{real}/report/",
        "report-exercise": f"{desk}alert/{exercise}/report/",
        "paper": f"{desk}alert/{real}/report/print/",
        "paper-exercise": f"{desk}alert/{exercise}/report/print/",
        "sent": f"{desk}alert/{real}/sent/1/",
        "posts-exercise": f"{desk}outbox/posts/?show=exercises",
        "record": f"{desk}record/",
    }


def enter(page: Page, address: str) -> None:
    client = Client()
    client.force_login(User.objects.get(username="olaf"))
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])


def test_axe_finds_nothing_and_nothing_goes_sideways(browser: Browser, address: str, pages: dict[str, str]) -> None:
    found: dict[str, Any] = {}
    wide = ("report", "paper", "record")
    narrow = ("report-exercise", "paper-exercise", "sent", "posts-exercise", "record")
    for scheme, width, names in (("light", 1280, wide), ("dark", 320, narrow)):
        view: Any = {"width": width, "height": 800}
        with window(browser, bypass_csp=True, color_scheme=scheme, viewport=view) as page:
            enter(page, address)
            for name in names:
                page.goto(pages[name])
                found[f"{name} {scheme}"] = [*axe(page), *([f"sideways {by}"] if (by := sideways(page)) else [])]
                framed = page.evaluate("getComputedStyle(document.body).borderTopWidth") != "0px"
                assert framed is ("exercise" in name), name
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_it_is_printed_on_several_sheets_under_our_policy(
    browser: Browser, address: str, pages: dict[str, str]
) -> None:
    with window(browser) as page:
        enter(page, address)
        page.goto(pages["report"])
        page.get_by_role("link", name="Bericht drucken").click()
        page.get_by_role("button", name="Bericht drucken").wait_for()
        page.emulate_media(media="print")
        assert page.locator("nav").evaluate("node => getComputedStyle(node).display") == "none"
        # what browsers repeat on each sheet
        assert page.locator(".report-sheet > thead").evaluate("node => getComputedStyle(node).display") == (
            "table-header-group"
        )
        printed = page.pdf(prefer_css_page_size=True)
    assert printed.count(b"/Type /Page\n") >= 3
