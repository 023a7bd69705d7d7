"""A real browser at the desk: what it complains about is an error of the test that drives it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
AXE = Path(__file__).resolve().parents[1] / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

RUNNING: list[Browser] = []

# Playwright's loop runs in the thread of the test, where the test also asks the database
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; where the module keeps one (``kept``), that one: windows share nothing but its process."""
    if RUNNING:
        yield RUNNING[-1]
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def kept() -> Iterator[None]:
    """One browser for all that follows: starting one takes longer than most tests."""
    with chromium() as browser:
        RUNNING.append(browser)
        try:
            yield
        finally:
            RUNNING.remove(browser)


@contextmanager
def window(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page whose errors (script, CSP, missing files) fail the test when it is closed."""
    context = browser.new_context(locale="de-DE", timezone_id="Europe/Berlin", **options)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
    page.set_default_timeout(20_000)
    yield page
    context.close()
    # a refusal (403, 409, 422) is an answer, and a request that its page has left behind no fault
    found = [line for line in complaints if "status of 4" not in line and "net::ERR_ABORTED" not in line]
    assert not found, found


def log_in(page: Page, address: str, name: str, password: str, code: str = "") -> None:
    page.goto(f"{address}/desk/")
    page.get_by_label("Benutzername").fill(name)
    page.get_by_label("Passwort").fill(password)
    if code:
        page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Anmelden", exact=True).click()
    page.get_by_role("heading", name="Übersicht").wait_for()


def axe(page: Page) -> list[str]:
    """What axe finds wrong with the page, in words. Its window needs ``bypass_csp``: axe is a stranger's script."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run({runOnly: rules, resultTypes: ['violations']})", RULES)
    return [f"{rule['id']}: {rule['help']}: {node['target']}" for rule in found["violations"] for node in rule["nodes"]]


def sideways(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width
