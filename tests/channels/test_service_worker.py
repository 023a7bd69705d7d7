"""The service worker in Chromium: what is pushed is shown, what was read stays readable, and it renews itself."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from channels.city import app
from channels.city.website import Website
from tests import story
from tests.channels import publicsite
from tests.channels.publicsite import VAPID, Public
from tests.city import districts
from tests.desk.browsing import chromium, kept
from tests.story import put_out

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

# A notification as a click on it reports it. Opening and focusing need a real click, so they are only written down
CLICK = """
async (title) => {
  self.seen = [];
  self.clients.openWindow = async (address) => { self.seen.push(["opened", address]); return null; };
  WindowClient.prototype.focus = async function () { self.seen.push(["focused", this.url]); return this; };
  const found = (await self.registration.getNotifications()).find((one) => one.title === title);
  const click = new NotificationEvent("notificationclick", { notification: found });
  const waited = [];
  click.waitUntil = (promise) => waited.push(promise);
  self.dispatchEvent(click);
  await Promise.all(waited);
  return self.seen;
}
"""
SHOWN = """
async () => {
  const ready = await navigator.serviceWorker.ready;
  return (await ready.getNotifications()).map((one) => ({
    title: one.title, body: one.body, tag: one.tag, lang: one.lang, dir: one.dir, silent: one.silent,
    stays: one.requireInteraction, icon: one.icon, badge: one.badge, renotify: one.renotify, data: one.data,
  }));
}
"""
# Chromium drops a notification when it is asked for those shown while it is only just showing it: nobody asks before
COUNT = """
() => {
  const show = self.registration.showNotification.bind(self.registration);
  self.shown = 0;
  self.registration.showNotification = async (...said) => {
    await show(...said);
    self.shown += 1;
  };
}
"""
STORED = """
async () => {
  const found = {};
  for (const name of await caches.keys()) {
    found[name] = (await (await caches.open(name)).keys()).map((one) => new URL(one.url).pathname);
  }
  return found;
}
"""


def pages_of(stored: dict[str, list[str]]) -> list[str]:
    return stored.get("belfry-pages", [])


@dataclass
class Device:
    """A phone with the worker installed: its page, and the push service's end of it."""

    served: Public
    page: Page
    pushes: CDPSession
    registration: str
    count: int = 0

    def push(self, data: str) -> None:
        """Returns when the worker has shown something."""
        self.count += 1
        self.pushes.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": self.served.address, "registrationId": self.registration, "data": data},
        )
        self.until(lambda: worker(self.page.context).evaluate("self.shown"), lambda shown: shown == self.count)

    def say(self, **notification: Any) -> None:
        self.push(json.dumps({"web_push": 8030, "notification": notification}))

    def shown(self, so: Callable[[list[dict[str, Any]]], bool] = bool) -> list[dict[str, Any]]:
        """The notifications, once it is so."""
        found: list[dict[str, Any]] = self.until(lambda: self.page.evaluate(SHOWN), so)
        return found

    def stored(self, so: Callable[[dict[str, list[str]]], bool]) -> dict[str, list[str]]:
        """The paths in each cache, once it is so."""
        found: dict[str, list[str]] = self.until(lambda: self.page.evaluate(STORED), so)
        return found

    def until(self, look: Callable[[], Any], so: Callable[[Any], bool] = bool) -> Any:
        for _try in range(300):
            found = look()
            if so(found):
                return found
            self.page.wait_for_timeout(50)
        raise AssertionError(found)

    def open(self, path: str) -> None:
        self.page.goto(self.served.address + path)

    def click(self, title: str) -> list[list[str]]:
        seen: list[list[str]] = worker(self.page.context).evaluate(CLICK, title)
        return seen


def worker(context: BrowserContext) -> Any:
    return context.service_workers[-1]


@pytest.fixture(scope="module", autouse=True)
def one_browser() -> Iterator[None]:
    with kept():
        yield


@pytest.fixture
def served(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Public]:
    monkeypatch.setattr(app, "SPREAD", 0)
    monkeypatch.setattr(app, "PATIENCE", 1)
    with publicsite.public(tmp_path / "public") as found:
        settings.ADDRESS = found.address
        districts()
        yield found


def site(served: Public) -> Website:
    return Website(
        "website",
        folder=str(served.folder),
        address=served.address,
        languages=["de", "de-simple", "en"],
        ways=["push"],
        vapid_key=VAPID,
    )


@pytest.fixture
def slugs(served: Public) -> list[str]:
    """One alert that holds and one that is over, their pages made."""
    now = dt.datetime.now(story.BERLIN)
    past, live = story.steps(now - dt.timedelta(days=3)), story.steps(now - dt.timedelta(hours=3))
    over = put_out(past[3], put_out(past[0]).alert).alert
    holds = put_out(live[1], put_out(live[0]).alert).alert
    site(served).rebuild()
    return [holds.slug, over.slug]


@pytest.fixture
def device(served: Public, slugs: list[str]) -> Iterator[Device]:
    with phone(served, "en-GB") as found:
        yield found


@contextmanager
def phone(served: Public, locale: str) -> Iterator[Device]:
    """A browser in this language that has been shown the subscribe page and has installed the worker."""
    with chromium() as browser:
        context = browser.new_context(locale=locale, permissions=["notifications"], timezone_id="Europe/Berlin")
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(f"{served.address}/en/subscribe/")
        pushes = context.new_cdp_session(page)
        known: list[str] = []
        pushes.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda event: known.extend(one["registrationId"] for one in event["registrations"]),
        )
        pushes.send("ServiceWorker.enable")
        page.evaluate("navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)")
        device = Device(served, page, pushes, "")
        # it takes over while it is still being activated, and DevTools drop a push until that is done
        device.until(
            lambda: page.evaluate("(navigator.serviceWorker.controller || {}).state"),
            lambda state: state == "activated",
        )
        device.until(lambda: known)
        worker(context).evaluate(COUNT)
        device.registration = known[0]
        yield device
        context.close()


# push


def test_a_push_is_shown_as_it_came(device: Device, slugs: list[str]) -> None:
    address = f"{device.served.address}/alerts/{slugs[0]}/"
    device.say(title="Extreme Gefahr", body="Verlassen Sie das Gebiet.", lang="de", dir="ltr", navigate=address)
    (shown,) = device.shown()
    look = app.Look.now().addresses
    assert shown == {
        "title": "Extreme Gefahr",
        "body": "Verlassen Sie das Gebiet.",
        "tag": address,
        "lang": "de",
        "dir": "ltr",
        "silent": False,
        "stays": False,
        "renotify": True,
        "icon": f"{device.served.address}{look['icon-192.png']}",
        "badge": f"{device.served.address}{look['icon-badge.png']}",
        "data": {"address": address},
    }


def test_an_update_takes_the_place_of_what_it_updates(device: Device) -> None:
    device.say(title="Warnung", body="erste", tag="k7f3")
    device.shown()
    device.say(title="Warnung", body="zweite", tag="k7f3")
    device.shown(lambda found: [one["body"] for one in found] == ["zweite"])
    device.say(title="Andere", body="eigene", tag="k9x2")
    assert {one["body"] for one in device.shown(lambda found: len(found) == 2)} == {"zweite", "eigene"}


@pytest.mark.parametrize("name", ["requireInteraction", "require_interaction"])
def test_what_is_severe_stays_until_it_is_seen_and_what_is_silent_is_not_heard(device: Device, name: str) -> None:
    device.say(title="Loud", tag="a", **{name: True})
    device.say(title="Quiet", tag="b", silent=True)
    loud, quiet = sorted(device.shown(lambda found: len(found) == 2), key=lambda one: str(one["title"]))
    assert (loud["stays"], loud["silent"]) == (True, False)
    assert (quiet["stays"], quiet["silent"], quiet["renotify"]) == (False, True, False)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "not JSON {",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"web_push": 8030}',
        '{"web_push": 8030, "notification": null}',
        '{"web_push": 8030, "notification": "text"}',
        '{"web_push": 8030, "notification": {"title": "", "body": "x"}}',
        '{"web_push": 8030, "notification": {"title": 7, "dir": "sideways", "lang": 5, "tag": {}, "navigate": []}}',
        '{"web_push": 8031, "notification": {"title": "of another make"}}',
    ],
)
def test_whatever_comes_something_is_shown(device: Device, data: str) -> None:
    device.push(data)
    (shown,) = device.shown()
    assert shown["title"] == "Warnings of Stadt Leipzig"
    assert shown["body"] == "The city has something to tell you. Open the page to read it."
    assert shown["lang"] == "en"
    assert shown["data"] == {"address": "/en/"}
    assert shown["tag"] == "belfry"


def test_the_words_for_it_are_the_readers_own_where_the_city_has_them(served: Public, slugs: list[str]) -> None:
    for locale, home in (("de-AT", "/"), ("fr-FR", "/")):
        with phone(served, locale) as device:
            device.push("")
            assert device.shown()[0]["data"] == {"address": home}


def test_a_click_opens_the_page_of_the_alert(device: Device, slugs: list[str]) -> None:
    address = f"{device.served.address}/en/alerts/{slugs[0]}/"
    device.say(title="Warning", navigate=address)
    device.shown()
    assert device.click("Warning") == [["opened", address]]
    device.shown(lambda found: not found)


def test_a_click_shows_the_page_that_is_open_and_brings_it_up_to_date(device: Device, slugs: list[str]) -> None:
    path = f"/en/alerts/{slugs[0]}/"
    device.open(path)
    device.page.evaluate("window.old = true")
    device.say(title="Warning", navigate=path)
    device.shown()
    assert device.click("Warning") == [["focused", device.served.address + path]]
    device.until(lambda: device.page.evaluate("!window.old"))


@pytest.mark.parametrize(
    "foreign",
    [
        "https://elsewhere.example/alerts/x/",
        "//elsewhere.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://127.0.0.1:1/",
        "http://[",
        7,
        None,
    ],
)
def test_a_push_can_lead_to_no_other_site(device: Device, foreign: Any) -> None:
    device.say(title="Warning", navigate=foreign, lang="de-simple")
    device.shown()
    assert device.click("Warning") == [["opened", f"{device.served.address}/de-simple/"]]


def test_a_badge_counts_and_goes_with_the_click(device: Device) -> None:
    worker(device.page.context).evaluate(
        """() => {
            self.badges = [];
            self.navigator.setAppBadge = async (count) => { self.badges.push(count); };
            self.navigator.clearAppBadge = async () => { self.badges.push(null); };
        }"""
    )
    device.say(title="Warning", app_badge="2")
    device.say(title="No number", app_badge="many", tag="x")
    device.shown(lambda found: len(found) == 2)
    device.click("Warning")
    assert worker(device.page.context).evaluate("self.badges") == [2, None]


# without a network


def test_a_pushed_alert_can_be_read_without_a_network(device: Device, slugs: list[str]) -> None:
    path = f"/de-simple/alerts/{slugs[0]}/"
    device.say(title="Warnung", navigate=device.served.address + path)
    device.stored(lambda stored: path in pages_of(stored))
    device.served.down()
    device.open(path)
    assert "Dimitroffstraße" in device.page.get_by_role("heading", level=1).inner_text()


def test_a_stored_page_says_so_and_of_when_it_is(device: Device, slugs: list[str]) -> None:
    device.open(f"/en/alerts/{slugs[0]}/")
    note = device.page.locator("[data-stored]")
    assert note.is_hidden()
    made = device.page.locator("footer time").inner_text()
    device.stored(lambda stored: f"/en/alerts/{slugs[0]}/" in pages_of(stored))
    device.served.down()
    device.page.reload()
    assert note.is_visible()
    assert "You are reading the copy that this device has stored." in note.inner_text()
    assert note.locator("time").inner_text() == made
    sheets = device.page.evaluate("[...document.styleSheets].map(sheet => sheet.cssRules.length)")
    assert all(sheets)
    policy = device.page.evaluate("fetch('https://elsewhere.example/').then(() => 'let through', () => 'refused')")
    assert policy == "refused"
    device.served.up()
    device.page.reload()
    assert note.is_hidden()


def test_the_index_brings_what_it_lists_and_only_what_is_new(device: Device, slugs: list[str]) -> None:
    device.open("/en/")
    stored = device.stored(lambda found: f"/en/alerts/{slugs[0]}/" in pages_of(found))
    assert f"/en/alerts/{slugs[1]}/" not in pages_of(stored)  # over, and never asked for
    device.served.down()
    device.open("/en/")
    device.page.get_by_role("link", name="Bomb in Dimitroffstraße").click()
    device.page.get_by_role("heading", name="Do this now").wait_for()


def test_a_warning_that_was_updated_meanwhile_is_fetched_anew(device: Device, slugs: list[str]) -> None:
    device.open("/")
    path = f"/alerts/{slugs[0]}/"
    device.stored(lambda stored: path in pages_of(stored))
    before = device.page.evaluate("path => caches.match(path).then(found => found.text())", path)
    listed = re.findall(r'data-identifier="([^"]+)"', (device.served.folder / "index.html").read_text())
    for name in ("index.html", f"{path[1:]}index.html"):
        file = device.served.folder / name
        file.write_text(file.read_text().replace(listed[0], "leipzig.updated"))
    device.open("/")
    text = "path => caches.match(path).then(found => found.text())"
    device.until(lambda: device.page.evaluate(text, path), lambda now: now != before)


def test_what_was_never_stored_is_said_in_the_language_of_its_address(device: Device) -> None:
    device.served.down()
    device.open("/de-simple/alerts/unknown/")
    assert device.page.locator("html").get_attribute("lang") == "de-simple"
    device.open("/en/archive/")
    assert device.page.get_by_role("heading", name="No connection").is_visible()
    device.page.get_by_role("link", name="Show the stored warnings").click()
    expect(device.page.locator("[data-stored]")).to_be_visible()
    assert device.page.get_by_text("In Leipzig now: 1 warning").is_visible()


def test_a_slow_network_does_not_keep_the_stored_page_back_and_its_answer_is_offered(
    device: Device, slugs: list[str]
) -> None:
    path = f"/en/alerts/{slugs[0]}/"
    device.open(path)
    device.stored(lambda stored: path in pages_of(stored))
    device.served.hold.clear()
    device.open(path)
    expect(device.page.locator("[data-stored]")).to_be_visible()
    fresh = device.page.get_by_role("link", name="The connection is back")
    assert fresh.is_hidden()
    device.served.hold.set()
    fresh.click()
    expect(device.page.locator("[data-stored]")).to_be_hidden()
    assert device.page.url == device.served.address + path


def test_a_server_that_errs_does_not_hide_the_stored_page(device: Device, slugs: list[str]) -> None:
    path = f"/en/alerts/{slugs[0]}/"
    device.open(path)
    device.stored(lambda stored: path in pages_of(stored))
    device.served.broken = True
    device.open(path)
    expect(device.page.locator("[data-stored]")).to_be_visible()
    answer = device.page.goto(f"{device.served.address}/en/archive/")
    assert answer
    assert answer.status == 503


def test_a_page_that_is_gone_is_no_longer_stored(device: Device, slugs: list[str]) -> None:
    path = f"/en/alerts/{slugs[1]}/"
    device.open(path)
    device.stored(lambda stored: path in pages_of(stored))
    for name in ("index.html", "index.html.gz"):
        (device.served.folder / path[1:] / name).unlink()
    answer = device.page.goto(device.served.address + path)
    assert answer
    assert answer.status == 404
    device.stored(lambda stored: path not in pages_of(stored))


def test_what_residents_and_officers_do_is_never_stored(device: Device, slugs: list[str]) -> None:
    for path in ("/s/manage/word/", "/desk/", "/en/archive/", "/feeds/alerts.atom", f"/en/alerts/{slugs[0]}/?from=sms"):
        if path.endswith(".atom"):
            device.page.evaluate("path => fetch(path)", path)
        else:
            device.open(path)
    stored = device.stored(lambda found: f"/en/alerts/{slugs[0]}/" in pages_of(found))
    everything = [path for paths in stored.values() for path in paths]
    assert all(path.startswith(("/assets/", "/en/", "/alerts/")) or path.endswith("/offline/") for path in everything)
    assert not any(path.startswith(("/s/", "/desk/", "/feeds/")) or "archive" in path for path in everything)
    device.served.down()
    with pytest.raises(Exception, match="ERR_CONNECTION_REFUSED"):
        device.open("/s/manage/word/")


def test_a_push_that_leads_to_a_resident_s_own_page_asks_for_nothing(device: Device) -> None:
    device.say(title="Test", navigate=f"{device.served.address}/s/manage/word/", tag="service-test")
    worker(device.page.context).evaluate("path => visit(path)", "/s/manage/word/")
    assert device.click("Test") == [["opened", f"{device.served.address}/s/manage/word/"]]
    assert device.served.application.asked == []


def test_only_so_many_pages_are_kept_and_the_first_pages_always(device: Device) -> None:
    device.stored(lambda stored: "/en/" in pages_of(stored))
    page = (device.served.folder / "en/about/index.html").read_text()
    for number in range(45):
        folder = device.served.folder / f"en/alerts/n{number}"
        folder.mkdir(parents=True)
        (folder / "index.html").write_text(page)
    for number in range(45):
        worker(device.page.context).evaluate("path => visit(path)", f"/en/alerts/n{number}/")
    kept = pages_of(device.stored(lambda stored: "/en/alerts/n44/" in pages_of(stored)))
    assert len([path for path in kept if path != "/en/"]) == 40
    assert "/en/" in kept
    assert "/en/alerts/n0/" not in kept


# another push address


def changed(device: Device, event: str) -> None:
    """The browser tells the worker that its address is another."""
    worker(device.page.context).evaluate(
        f"""async () => {{
            const endpoint = (name) => `https://push.example/${{name}}`;
            const sub = (name) => ({{ options: {{}}, toJSON: () => ({{ endpoint: endpoint(name) }}) }});
            PushManager.prototype.subscribe = async (options) => {{
                self.options = options;
                return sub("made");
            }};
            const event = new ExtendableEvent("pushsubscriptionchange");
            Object.assign(event, {event});
            const waited = [];
            event.waitUntil = (promise) => waited.push(promise);
            self.dispatchEvent(event);
            await Promise.allSettled(waited);
        }}"""
    )


def told(device: Device) -> list[Any]:
    return [one.json for one in device.served.application.asked if one.path == "/s/push/changed/"]


def test_a_new_push_address_is_told_to_the_city(device: Device) -> None:
    changed(device, "{ oldSubscription: sub('old'), newSubscription: sub('new') }")
    assert told(device) == [
        {"old": {"endpoint": "https://push.example/old"}, "new": {"endpoint": "https://push.example/new"}}
    ]
    (asked,) = device.served.application.asked
    assert asked.method == "POST"
    assert "Cookie" not in asked.headers


def test_where_the_browser_does_not_say_the_old_one_the_worker_remembers_it(device: Device) -> None:
    note = '{"subscription": {"endpoint": "https://push.example/mine"}, "manage": "/s/manage/word/"}'
    device.page.evaluate(
        "note => caches.open('belfry-own').then(own => own.put('/own-subscription', new Response(note)))", note
    )
    changed(device, "{}")
    assert told(device) == [
        {"old": {"endpoint": "https://push.example/mine"}, "new": {"endpoint": "https://push.example/made"}}
    ]
    assert worker(device.page.context).evaluate("self.options") == {
        "userVisibleOnly": True,
        "applicationServerKey": VAPID,
    }
    kept = device.page.evaluate("caches.match('/own-subscription').then(found => found.json())")
    assert kept == {"subscription": {"endpoint": "https://push.example/made"}, "manage": "/s/manage/word/"}


def test_a_city_that_was_not_reached_is_told_when_the_page_is_next_opened(device: Device) -> None:
    device.served.down()
    changed(device, "{ oldSubscription: sub('old'), newSubscription: sub('second') }")
    changed(device, "{ oldSubscription: sub('second'), newSubscription: sub('third') }")
    device.served.up()
    device.served.application.answers["/s/push/changed/"] = (503, {})
    device.open("/en/")
    wanted = {"old": {"endpoint": "https://push.example/old"}, "new": {"endpoint": "https://push.example/third"}}
    device.until(lambda: told(device), lambda found: found == [wanted])
    device.served.application.answers.clear()
    device.open("/en/about/")
    device.until(lambda: told(device), lambda found: found == [wanted, wanted])
    device.open("/en/")
    device.stored(lambda stored: "/en/about/" in pages_of(stored))
    assert len(told(device)) == 2


# renewal


def test_a_new_look_brings_a_new_worker_that_takes_over_and_clears_the_old_one_s_store(
    device: Device, slugs: list[str]
) -> None:
    path = f"/en/alerts/{slugs[0]}/"
    device.open(path)
    before = device.stored(lambda stored: path in pages_of(stored))
    (old_look,) = [name for name in before if name.startswith("belfry-look-")]
    known, code = (device.served.folder / "sw.js").read_text().split("\n", 1)
    look = json.loads(known.removeprefix("const BELFRY = ").removesuffix(";"))
    css = next(name for name in look["assets"] if name.endswith(".css"))
    body = (device.served.folder / css[1:]).read_bytes()
    for file in (device.served.folder / "assets").glob("belfry.*.css*"):
        file.unlink()
    (device.served.folder / "assets/belfry.0123456789ab.css").write_bytes(body)
    look |= {
        "look": "another",
        "assets": [name.replace(css, "/assets/belfry.0123456789ab.css") for name in look["assets"]],
    }
    (device.served.folder / "sw.js").write_text(f"const BELFRY = {json.dumps(look)};\n{code}")
    (device.served.folder / "sw.js.gz").unlink()
    device.page.evaluate("navigator.serviceWorker.ready.then(ready => ready.update())")
    stored = device.stored(lambda found: "belfry-look-another" in found and old_look not in found)
    assert path in pages_of(stored)
    device.until(lambda: device.page.evaluate("navigator.serviceWorker.controller.state === 'activated'"))
    # the stored page asks for the style sheet of before; the one of now stands in for it
    device.served.down()
    device.page.reload()
    assert device.page.locator("[data-stored]").is_visible()
    assert device.page.evaluate("[...document.styleSheets].every(sheet => sheet.cssRules.length > 100)")


def test_a_file_that_does_not_come_keeps_no_worker_from_being_there(served: Public, slugs: list[str]) -> None:
    for file in (served.folder / "assets").glob("icon-192*"):
        file.unlink()
    with phone(served, "en-GB") as device:
        device.say(title="Warning", body="all the same")
        assert device.shown()[0]["body"] == "all the same"
