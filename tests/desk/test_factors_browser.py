"""Passkeys and the session's end in a real browser, with a virtual authenticator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Browser, Page, expect

from alerts.models import Message
from tests import city
from tests.desk.browsing import axe, chromium, log_in, sideways, window
from tests.desk.conftest import PASSWORD, make_roles, with_roles
from tests.desk.factoring import authenticator, code, forget_use

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def address(live_server: Any, settings: Any, quiet: None) -> str:
    """The desk at http://localhost, with two factors."""
    settings.SECOND_FACTOR = True
    settings.ADDRESS = live_server.url
    settings.OTP_WEBAUTHN_RP_ID = "localhost"
    settings.OTP_WEBAUTHN_ALLOWED_ORIGINS = [live_server.url]
    make_roles()
    city.districts()
    with_roles("anna", "author")
    with_roles("bert", "approver")
    return str(live_server.url)


def plug_in(page: Page) -> None:
    """A security key in this browser, whose owner touches it at once."""
    wire = page.context.new_cdp_session(page)
    wire.send("WebAuthn.enable")
    key = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    wire.send("WebAuthn.addVirtualAuthenticator", {"options": {**key, "isUserVerified": True}})


def come_in(page: Page, address: str, name: str) -> TOTPDevice:
    device = authenticator(User.objects.get(username=name))
    log_in(page, address, name, PASSWORD, code(device))
    return device


def add_passkey(page: Page, address: str) -> None:
    page.goto(f"{address}/desk/access/")
    page.get_by_label("Name, an dem Sie ihn erkennen").fill("Laptop der Wache")
    page.get_by_role("button", name="Passkey anlegen").click()
    expect(page.get_by_text("Hinzugefügt. Alle erfahren davon")).to_be_visible()


def log_in_with_passkey(page: Page, name: str) -> None:
    page.get_by_label("Benutzername").fill(name)
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Mit Passkey anmelden").click()


def test_a_passkey_is_added_logs_in_and_approves(browser: Browser, address: str, settings: Any) -> None:
    draft = city.submitted(User.objects.get(username="anna"))
    with window(browser) as page:
        plug_in(page)
        come_in(page, address, "bert")
        add_passkey(page, address)
        page.get_by_role("button", name="Abmelden").click()

        page.goto(f"{address}/desk/login/?next=/desk/drafts/{draft.pk}/")
        settings.OTP_WEBAUTHN_ALLOWED_ORIGINS = ["http://localhost:1"]
        log_in_with_passkey(page, "bert")
        expect(page.get_by_text("Damit kommen Sie nicht hinein")).to_be_visible()
        settings.OTP_WEBAUTHN_ALLOWED_ORIGINS = [address]
        log_in_with_passkey(page, "bert")
        expect(page.get_by_label("Tippen Sie")).to_be_visible()
        page.get_by_label("Tippen Sie").fill("LEIPZIG WARNEN")
        page.get_by_role("button", name="Mit Passkey bestätigen").click()
        expect(page.get_by_text("Mit Passkey bestätigt.")).to_be_visible()
        page.get_by_role("button", name="Warnung jetzt aussenden").click()
        expect(page.get_by_role("heading", name="Kanäle der Stadt")).to_be_visible()
    assert Message.objects.count() == 1


def test_without_a_passkey_the_browser_says_so_and_the_code_still_works(browser: Browser, address: str) -> None:
    with window(browser) as page:
        plug_in(page)
        device = authenticator(User.objects.get(username="anna"))
        page.goto(f"{address}/desk/login/")
        page.get_by_role("button", name="Mit Passkey anmelden").click()
        expect(page.get_by_label("Benutzername")).to_be_focused()
        page.get_by_label("Benutzername").fill("anna")
        page.get_by_label("Passwort").fill(PASSWORD)
        page.get_by_role("button", name="Mit Passkey anmelden").click()
        expect(page.get_by_text("Kein Passkey ist bestätigt.")).to_be_visible()
        page.get_by_label("Code").fill(code(device))
        page.get_by_role("button", name="Anmelden", exact=True).click()
        expect(page.get_by_role("heading", name="Übersicht")).to_be_visible()


def test_the_end_of_the_session_is_told_and_put_off_and_loses_nothing(
    browser: Browser, address: str, settings: Any
) -> None:
    anna = User.objects.get(username="anna")
    draft = city.drafted(anna)
    with window(browser) as page:
        device = come_in(page, address, "anna")
        settings.SESSION_COOKIE_AGE = 200
        page.clock.install()
        page.goto(f"{address}/desk/drafts/{draft.pk}/")
        page.get_by_label("Ort", exact=True).fill("Augustusplatz")
        expect(page.get_by_text("Ihre Sitzung endet bald")).to_be_visible()
        settings.SESSION_COOKIE_AGE = 7200
        page.get_by_role("button", name="Sitzung verlängern").click()
        expect(page.get_by_text("Ihre Sitzung endet bald")).to_be_hidden()
        assert re.search(r"\d\d:\d\d Uhr", page.locator("#session-until").inner_text())
        expect(page.get_by_label("Ort", exact=True)).to_have_value("Augustusplatz")

        page.context.clear_cookies(name="sessionid")
        page.clock.fast_forward(7300_000)
        expect(page.get_by_text("Ihre Sitzung ist beendet.")).to_be_visible()
        second = page.context.new_page()
        forget_use(device)
        log_in(second, address, "anna", PASSWORD, code(device))
        second.close()
        page.evaluate("window.dispatchEvent(new Event('focus'))")
        expect(page.get_by_text("Ihre Sitzung ist beendet.")).to_be_hidden()
        page.get_by_role("button", name="Entwurf speichern").click()
        expect(page.get_by_text("Gespeichert.", exact=True)).to_be_visible()
    draft.refresh_from_db()
    assert draft.content.place == "Augustusplatz"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (320, "dark")])
def test_pages_hold_for_everybody(browser: Browser, address: str, width: int, scheme: Any) -> None:
    size: Any = {"width": width, "height": 800}
    with window(browser, bypass_csp=True, viewport=size, color_scheme=scheme) as page:
        page.goto(f"{address}/desk/login/")
        found = {"log-in": axe(page)}
        come_in(page, address, "anna")
        for name in ("access", "step-up"):
            page.goto(f"{address}/desk/{name}/")
            found[name] = axe(page)
            assert sideways(page) == 0, name
        page.goto(f"{address}/desk/access/")
        page.get_by_role("button", name="Authenticator-App hinzufügen").click()
        expect(page.locator(".qr")).to_be_visible()
        found["authenticator"] = axe(page)
        assert sideways(page) == 0, "authenticator"
        page.goto(f"{address}/desk/access/")
        page.get_by_role("button", name="Zehn neue Ersatzcodes erzeugen").click()
        found["codes"] = axe(page)
        assert sideways(page) == 0, "codes"
    assert {name: faults for name, faults in found.items() if faults} == {}
