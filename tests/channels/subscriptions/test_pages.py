"""The pages below /s/ in a real browser: the whole way with and without scripts, axe, phone, zoom, CSP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

import pytest
from django.core.wsgi import get_wsgi_application
from playwright.sync_api import Browser, Page, expect

from channels import registry
from channels.models import Subscription
from channels.serving import Serve
from channels.subscriptions import limits, signing_up, tokens, wishes
from tests import city
from tests.channels.publicsite import Silent, Threaded
from tests.channels.subscriptions import fakes
from tests.channels.subscriptions.conftest import code, last
from tests.desk.browsing import axe, chromium, sideways, window
from tests.house import free_port

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def site(settings: Any, tmp_path: Path) -> Iterator[str]:
    """Public folder and application behind one address, as in production; its number of queries is nobody's here."""
    port = free_port()
    settings.ADDRESS = f"http://127.0.0.1:{port}"
    settings.PUBLIC_DIR = tmp_path / "public"
    settings.SUBSCRIBE_LIMITS = {"client": "1000/hour", "asks": "1000/hour", "sms address": "100/hour"}
    settings.CHANNELS = {
        "website": {"adapter": "channels.city.website.Website", "vapid_key": "B" * 87},
        "phones": {"adapter": "tests.channels.subscriptions.fakes.Phones", "rehearsal": False},
        "mailboxes": {"adapter": "tests.channels.subscriptions.fakes.Mailboxes", "rehearsal": False},
        "browsers": {"adapter": "tests.channels.subscriptions.fakes.Browsers", "rehearsal": False},
    }
    city.districts()
    fakes.forget()
    limits.forget()
    registry.channel("website").refresh()  # type: ignore[attr-defined]
    application = Serve(
        get_wsgi_application(),
        public=settings.PUBLIC_DIR,
        static=tmp_path / "static",
        application_prefixes=["/s/"],
        address=settings.ADDRESS,
    )
    server = make_server("127.0.0.1", port, application, server_class=Threaded, handler_class=Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield settings.ADDRESS
    server.shutdown()
    server.server_close()
    thread.join(10)
    fakes.forget()
    limits.forget()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def headed(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(words)


def by_sms(page: Page, site: str) -> None:
    """From the city's page to the first test, by what a resident sees."""
    page.goto(f"{site}/en/subscribe/")
    page.get_by_role("radio", name="SMS").check()
    page.get_by_label("Mobile number").fill("0151 12345678")
    page.get_by_role("checkbox", name="All of Leipzig").check()
    press(page, "Subscribe to warnings")
    headed(page, "Type in the code")
    page.get_by_label("Code from the SMS").fill("1")
    press(page, "Confirm the subscription")
    expect(page.locator("#code-fault")).to_contain_text("another code")
    page.get_by_label("Code from the SMS").fill(code())
    press(page, "Confirm the subscription")
    headed(page, "My subscription")
    expect(page.get_by_text("Done: from now on you get warnings.")).to_be_visible()
    press(page, "Send me a test")
    expect(page.get_by_text("The test is on its way.")).to_be_visible()
    assert last().name == "test"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_resident_subscribes_changes_and_leaves(browser: Browser, site: str, scripts: bool) -> None:
    with window(browser, java_script_enabled=scripts) as page:
        by_sms(page, site)
        row = Subscription.objects.get()
        assert wishes.of_subscription(row).areas == ("city",)

        page.get_by_role("checkbox", name="All of Leipzig").uncheck()
        page.get_by_role("checkbox", name="Fern", exact=True).check()
        page.get_by_role("radio", name="Extreme danger").check()
        press(page, "Save the changes")
        expect(page.get_by_text("Your changes are saved")).to_be_visible()
        expect(page.get_by_role("checkbox", name="Fern", exact=True)).to_be_checked()
        row.refresh_from_db()
        assert (row.least, wishes.of_subscription(row).areas[-1]) == ("Extreme", "rand" if scripts else "fern")

        page.get_by_role("link", name="End the subscription").click()
        press(page, "End the subscription")
        headed(page, "The subscription has ended")
        assert not page.context.cookies()
    assert not Subscription.objects.exists()


def test_a_fault_is_seen_said_and_led_to(browser: Browser, site: str) -> None:
    with window(browser, java_script_enabled=False) as page:
        page.goto(f"{site}/s/start/?page=en")
        page.get_by_role("radio", name="SMS").check()
        page.get_by_label("Mobile number").fill("0341 1234567")
        press(page, "Subscribe to warnings")
        expect(page.get_by_role("alert")).to_contain_text("This is not a mobile number.")
        field = page.get_by_label("Mobile number")
        expect(field).to_have_value("0341 1234567")
        assert "tel-fault" in (field.get_attribute("aria-describedby") or "")
        page.get_by_role("link", name="This is not a mobile number.").click()
        expect(page.locator("#tel:focus")).to_be_visible()


def test_by_mail_through_the_link(browser: Browser, site: str) -> None:
    with window(browser) as page:
        page.goto(f"{site}/en/subscribe/")
        page.get_by_role("radio", name="E-mail").check()
        page.get_by_label("E-mail address").fill("anna@example.org")
        page.get_by_role("checkbox", name="Fern", exact=True).check()
        press(page, "Subscribe to warnings")
        headed(page, "Look into your mailbox")
        page.goto(last("email").url)
        headed(page, "Confirm the subscription")
        press(page, "Yes, send me warnings")
        headed(page, "My subscription")
    assert Subscription.objects.get().way == "email"


def pages(site: str) -> dict[str, str]:
    """Every page with something on it, by name."""
    wanted = wishes.of_everything("de")
    row = wishes.save("sms", "+4915112345678", wanted)
    mail = signing_up.begin("email", "anna@example.org", wanted, page="de")
    phone = signing_up.begin("sms", "+4915123456789", wanted, page="de")
    own, old = tokens.make("own", row.pk), tokens.make("own", row.pk, now=time.time() - 40 * tokens.DAY)
    return {
        "start": "start/?",
        "code": f"confirm/{tokens.make('code', phone.pk)}/?",
        "mailbox": f"confirm/{tokens.make('code', mail.pk)}/?",
        "yes": f"yes/{tokens.make('confirm', mail.pk)}/?",
        "manage": f"manage/{own}/?done=confirmed&",
        "old": f"manage/{old}/?done=link&",
        "leave": f"leave/{own}/?",
        "left": f"leave/{tokens.make('own', 10**6)}/?",
        "link": "link/?done=sent&",
        "gone": "manage/x/?",
    }


@pytest.mark.parametrize(
    ("scheme", "language", "width"),
    # 320 is a small phone, and 640 at 200 % zoom
    [("light", "de", 1280), ("dark", "en", 320), ("light", "de-simple", 640)],
)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    browser: Browser, site: str, scheme: Any, language: str, width: int
) -> None:
    viewport: Any = {"width": width, "height": 800}
    with window(browser, viewport=viewport, color_scheme=scheme, bypass_csp=True) as page:
        for name, where in pages(site).items():
            page.goto(f"{site}/s/{where}page={language}")
            assert axe(page) == [], name
            assert sideways(page) == 0, name
            assert page.locator("html").get_attribute("lang") == language
        for field, words in (("tel", "1"), ("mail", "x")):
            page.goto(f"{site}/s/start/?page={language}")
            page.locator(f".choice-card:has(#{field}) input[type=radio]").check()
            page.locator(f"#{field}").fill(words)
            # the page's own script would find the fault before it is sent
            page.evaluate("document.querySelector('form').submit()")
            page.locator("#faults").wait_for()
            assert axe(page) == [], field
            assert sideways(page) == 0, field


def test_every_page_keeps_to_the_policy_and_asks_nobody_else(browser: Browser, site: str) -> None:
    with window(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for where in pages(site).values():
            page.goto(f"{site}/s/{where}page=en")
            page.get_by_role("heading", level=1).wait_for()
        assert asked
        assert all(url.startswith((site, "data:")) for url in asked)
        assert not page.context.cookies()


def test_the_code_is_reached_and_sent_by_keyboard_alone(browser: Browser, site: str) -> None:
    with window(browser) as page:
        row = signing_up.begin("sms", "+4915123456789", wishes.of_everything("en"), page="en")
        page.goto(f"{site}/s/confirm/{tokens.make('code', row.pk)}/")
        for _press in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "code":
                break
        page.keyboard.type(signing_up.code_of(row))
        page.keyboard.press("Enter")
        headed(page, "My subscription")
