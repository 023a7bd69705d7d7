"""Reach in a real browser: the desk's pages, and the form that asks people, without scripts and by axe."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, expect

from alerts import alarms, approval
from alerts.models import Draft, Message, ReleasePlan
from alerts.terms import Status
from channels import jobs, switchoff
from channels.city.website import Website
from channels.models import Audience, Delivery, Reached
from channels.subscriptions import limits
from tests import city
from tests.channels import publicsite
from tests.channels.publicsite import Public
from tests.desk.browsing import axe, chromium, sideways, window
from tests.desk.conftest import make_roles, with_roles

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("BELFRY_SHOTS", "")
SCREENS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def exercise(quiet: None, settings: Any, tmp_path: Path) -> Message:
    """A switch-off drill that was carried out, with figures of a year."""
    settings.PUBLIC_DIR = tmp_path / "public"
    settings.CHANNELS = {
        "pages": {"adapter": "tests.channels.fakes.Page", "label": "Website"},
        "webpush": {"adapter": "tests.channels.test_switch_off.Push", "rehearsal": False},
        "sms": {"adapter": "tests.channels.test_switch_off.Mail", "rehearsal": False},
        "mastodon": {"adapter": "tests.channels.fakes.Own", "rehearsal": False},
        "facebook": {"adapter": "tests.channels.test_switch_off.Network", "rehearsal": False},
    }
    make_roles()
    city.districts()
    author, approver = with_roles("anna", "author"), with_roles("bert", "approver")
    city.subscribe("sms", "+4915112345678", tests=True)
    for month in range(1, 11):
        Audience.objects.create(channel="x", on=dt.date(2026, month, 1), count=90_000 - 900 * month, source="typed")
        Audience.objects.create(channel="facebook", on=dt.date(2026, month, 2), count=30_000, source="asked")
        Audience.objects.create(channel="mastodon", on=dt.date(2026, month, 3), count=month**2 * 40, source="asked")
        Audience.objects.create(channel="sms", on=dt.date(2026, month, 4), count=month * 900, source="counted")
    draft = city.submitted(
        author, status=Status.EXERCISE, plan=ReleasePlan.DRILL, facts_at=None, valid_for=60, next_in=None
    )
    approval.approve(draft.pk, draft.digest, approver)
    message = switchoff.release(Draft.objects.get(pk=draft.pk), commercial=True, foreign_too=True)
    jobs.fan_out(message.pk)
    for delivery in Delivery.objects.filter(message=message, state="waiting"):
        jobs.deliver(delivery.pk)
        for batch in delivery.batches.all():
            jobs.send_batch(batch.pk)
    for way, district, count in (("sms", "no", 12), ("siren", "no", 40), ("not", "fern", 7), ("mastodon", "", 3)):
        Reached.objects.create(message=message, way=way, district=district, count=count)
    alarms.Alarm.objects.update(ended_at="2026-01-01T00:00:00Z")
    return message


@pytest.fixture
def address(live_server: Any, settings: Any, exercise: Message) -> str:
    settings.ADDRESS = live_server.url
    settings.SECOND_FACTOR = False
    settings.AXES_ENABLED = False
    return str(live_server.url)


@pytest.fixture
def served(exercise: Message, settings: Any) -> Iterator[Public]:
    """The public folder with the real application behind it."""
    settings.CHANNELS = {**settings.CHANNELS, "website": {"adapter": "channels.city.website.Website"}}
    with publicsite.public(Path(settings.PUBLIC_DIR)) as found:
        found.serve.application = without_traces(get_wsgi_application())
        settings.ADDRESS = found.address
        settings.ALLOWED_HOSTS = ["127.0.0.1"]
        limits.forget()
        Website("website", folder=str(found.folder), address=found.address, languages=["de", "en"]).rebuild()
        yield found
    limits.forget()


def without_traces(application: Any) -> Any:
    """The application in a thread that ends with its answer: its connections to the database end with it."""

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            return list(application(environ, start_response))
        finally:
            connections.close_all()

    return answer


def cookie(address: str) -> dict[str, str]:
    client = Client()
    client.force_login(User.objects.get(username="anna"))
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}


def shot(page: Any, name: str) -> None:
    """A picture for whoever wants to look: BELFRY_SHOTS names a folder."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def test_the_desk_s_pages_fit_and_axe_finds_nothing(browser: Browser, address: str, exercise: Message) -> None:
    pages = {"reach": "/desk/reach/", "drill": f"/desk/reach/{exercise.alert.slug}/"}
    for width, scheme in SCREENS:
        size = {"width": width, "height": 900}
        with window(browser, viewport=size, color_scheme=scheme, bypass_csp=True) as page:
            page.context.add_cookies([cookie(address)])  # type: ignore[list-item]
            for name, path in pages.items():
                page.goto(address + path)
                expect(page.locator("table.figures").last).to_be_visible()
                assert sideways(page) == 0, (name, width)
                shot(page, f"{name}-{width}-{scheme}")
                assert axe(page) == [], (name, width, scheme)


def test_a_figure_is_typed_in_without_scripts(browser: Browser, address: str) -> None:
    with window(browser, java_script_enabled=False) as page:
        page.context.add_cookies([cookie(address)])  # type: ignore[list-item]
        page.goto(f"{address}/desk/reach/")
        assert page.locator("svg.chart").is_visible()
        page.locator("select[name=channel]").select_option("instagram")
        page.locator("input[name=count]").fill("90000")
        page.locator("form[action$='/typed/'] button").click()
        expect(page.get_by_text("90.000")).to_be_visible()
    assert Audience.objects.get(channel="instagram").count == 90_000


def test_without_scripts_and_cookies_a_resident_answers_on_the_exercise_s_page(
    browser: Browser, served: Public, exercise: Message
) -> None:
    with window(browser, java_script_enabled=False) as page:
        page.goto(f"{served.address}/en/alerts/{exercise.alert.slug}/")
        page.get_by_label("By which way did it reach you first?").select_option("siren")
        page.get_by_label("In which district were you?").select_option("so")
        page.get_by_role("button", name="Send my answer").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        page.reload()
        page.get_by_role("link", name="Back to the exercise").click()
        expect(page.get_by_role("button", name="Send my answer")).to_be_visible()
        assert page.context.cookies() == []
    assert Reached.objects.get(way="siren", district="so").count == 1


def test_the_exercise_s_page_and_the_form_s_answers_fit_and_axe_finds_nothing(
    browser: Browser, served: Public, exercise: Message
) -> None:
    form = f"/s/reached/{exercise.alert.slug}/"
    pages = {"exercise": f"/en/alerts/{exercise.alert.slug}/", "form": f"{form}?page=en", "done": f"{form}?done=1"}
    for width, scheme in SCREENS:
        size = {"width": width, "height": 900}
        with window(browser, viewport=size, color_scheme=scheme, bypass_csp=True) as page:
            for name, path in pages.items():
                page.goto(served.address + path)
                assert sideways(page) == 0, (name, width)
                shot(page, f"{name}-{width}-{scheme}")
                assert axe(page) == [], (name, width, scheme)
            page.goto(served.address + form)
            page.locator("form").evaluate("form => { form.noValidate = true; form.requestSubmit(); }")
            expect(page.get_by_role("alert")).to_be_visible()
            shot(page, f"fault-{width}-{scheme}")
            assert axe(page) == [], ("fault", width, scheme)
