"""Pictures for the README: ``python -m tests.screens [FOLDER]`` starts a demo city, plays a story, takes them.

Needs /usr/bin/chromium, as the browser tests do. The pictures are kept small, with few colours.
"""

from __future__ import annotations

import re
import signal
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from deploy.redis import free_port
from tests.deploy.processes import HOUSE, Started
from tests.desk.browsing import chromium

FOLDER = HOUSE / "deploy" / "pictures"
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
COLOURS = 96
GAPS = {"id_gap-people": "7500", "id_gap-weight": "100", "id_gap-time": "10:38"}


class Play:
    """The story in a browser: two officers, a resident, and what each of them sees."""

    def __init__(self, browser: Browser, address: str, logins: dict[str, str], folder: Path) -> None:
        self.browser, self.address, self.logins, self.folder = browser, address, logins, folder

    def window(self, size: dict[str, int], *, dark: bool = False) -> Page:
        context = self.browser.new_context(
            locale="de-DE",
            timezone_id="Europe/Berlin",
            viewport=size,  # type: ignore[arg-type]
            color_scheme="dark" if dark else "light",
        )
        return context.new_page()

    def officer(self, name: str, size: dict[str, int] = WIDE, *, dark: bool = False) -> Page:
        page = self.window(size, dark=dark)
        page.goto(f"{self.address}/desk/")
        page.get_by_label("Benutzername").fill(name)
        page.get_by_label("Passwort").fill(self.logins[name])
        page.get_by_role("button", name="Anmelden", exact=True).click()
        page.get_by_role("heading", name="Übersicht").wait_for()
        return page

    def take(self, page: Page, name: str) -> None:
        path = self.folder / f"{name}.png"
        page.screenshot(path=path)
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
        print(f"{name}: {path.stat().st_size // 1024} KB", flush=True)

    def write(self, page: Page, status: str = "") -> None:
        page.goto(f"{self.address}/desk/new/{status}")
        page.get_by_role("button", name=re.compile("Räumung läuft")).first.click()
        page.get_by_label("Ort", exact=True).fill("Rathausplatz")
        for field in page.locator("input[id^=id_gap-]").all():
            field.fill(
                {"id_gap-people": "7500", "id_gap-weight": "100"}.get(field.get_attribute("id") or "", "Schule 3")
            )
        page.locator("#id_circle-0-centre").fill("51.3400, 12.3750")
        page.locator("#id_circle-0-metres").fill("600")
        page.locator("#id_circle-0-metres").press("Tab")
        page.locator("#spoken article").first.wait_for()

    def submit(self, page: Page) -> str:
        page.get_by_role("button", name="Zur Freigabe einreichen").click()
        page.get_by_text("Eingereicht. Jetzt kann").wait_for()
        return page.url

    def approve(self, page: Page, draft: str, word: str) -> None:
        page.goto(draft)
        page.get_by_label("Tippen Sie").fill(word)
        page.get_by_label("Tippen Sie").press("Enter")
        page.get_by_role("heading", name="Kanäle der Stadt").wait_for()

    def all(self) -> None:
        author, approver = self.officer("anna.autorin"), self.officer("karl.pruefer")
        self.write(author)
        author.evaluate("scrollTo(0, 0)")
        self.take(author, "compose")
        draft = self.submit(author)
        approver.goto(draft)
        self.take(approver, "approve")
        self.approve(approver, draft, "LEIPZIG WARNEN")
        approver.get_by_text("Sperre offen").wait_for(timeout=30_000)
        approver.wait_for_timeout(4000)  # the platforms in rehearsal come after the gate
        self.take(approver, "live")
        author.goto(f"{self.address}/desk/")
        self.take(author, "desk")
        self.take(self.officer("anna.autorin", PHONE, dark=True), "desk-phone")
        public = self.window(PHONE)
        public.goto(f"{self.address}/")
        public.locator("main a:visible").first.click()
        self.take(public, "public-phone")
        public = self.window(WIDE)
        public.goto(f"{self.address}/")
        self.take(public, "public")
        author.goto(f"{self.address}/desk/new/?status=Exercise")
        self.write(author, "?status=Exercise")
        exercise = self.submit(author)
        approver.goto(exercise)
        self.take(approver, "exercise")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="belfry-screens-") as data:
        command = [sys.executable, "deploy/run", "--port", str(port), "--data", data]
        with Started(command) as belfry:
            belfry.wait_for(r"Stop +Ctrl-C", seconds=180)
            lines = (Path(data) / "demo_logins.txt").read_text().splitlines()
            logins = {name: password for name, password, *_role in map(str.split, lines)}
            with chromium() as browser:
                Play(browser, f"http://127.0.0.1:{port}", logins, folder).all()
            belfry.end(signal.SIGINT)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
