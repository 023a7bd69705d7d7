"""Subscribing in a real browser: with scripts and without, by mouse, map and keyboard; what goes wrong is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from alerts.models import Area
from channels.city import app
from channels.city.website import Website
from channels.subscriptions.topics import TOPICS
from tests.channels import publicsite
from tests.channels.publicsite import HEAD, VAPID, Public
from tests.city import LAT, LON, districts, square
from tests.desk.browsing import chromium, kept, sideways, window

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

MIDDLE = {"no", "nw", "so", "sw"}
KEYS = {"endpoint": "https://push.example/1", "keys": {"p256dh": "BA", "auth": "AA"}}
# What Chromium can't do without its maker's service: give an address. All else of it is real
ADDRESS_GIVEN = """
let subscription = null;
PushManager.prototype.getSubscription = async () => subscription;
PushManager.prototype.subscribe = async (options) => {
  if (!(await navigator.serviceWorker.ready).active) { throw new Error("no worker"); }
  window.askedFor = [options.userVisibleOnly, [...options.applicationServerKey].length];
  subscription = { options: {}, toJSON: () => (KEYS), unsubscribe: async () => { subscription = null; return true; } };
  return subscription;
};
""".replace("KEYS", str(KEYS))
UNASKED = "Object.defineProperty(Notification, 'permission', { get: () => 'default' });"
NO_PUSH = "delete window.PushManager;"


@pytest.fixture
def served(tmp_path: Path, settings: Any) -> Iterator[Public]:
    with publicsite.public(tmp_path / "public") as found:
        settings.ADDRESS = found.address
        yield found


def make(served: Public, ways: Sequence[str] = ("push", "sms", "email")) -> None:
    Website(
        "website",
        folder=str(served.folder),
        address=served.address,
        languages=["de", "de-simple", "en"],
        ways=ways,
        vapid_key=VAPID,
    ).rebuild()


@pytest.fixture
def city(served: Public) -> Public:
    districts()
    make(served)
    return served


@pytest.fixture(scope="module", autouse=True)
def one_browser() -> Iterator[None]:
    with kept():
        yield


@contextmanager
def opened(
    served: Public, *scripts: str, path: str = "/en/subscribe/", push: bool = True, **options: Any
) -> Iterator[Page]:
    with (
        chromium() as browser,
        window(browser, **options, permissions=["notifications"] if push else []) as page,
    ):
        for script in scripts:
            page.add_init_script(script)
        page.goto(served.address + path)
        yield page


def area(page: Page, code: str) -> Any:
    return page.locator(f"input[name=area][value={code}]")


def shape(page: Page, code: str) -> Any:
    return page.locator(f"g[data-area={code}]")


def send(page: Page) -> None:
    page.get_by_role("button", name="Subscribe to warnings").click()


def posted(served: Public) -> dict[str, list[str]]:
    """The one form that came."""
    (asked,) = [one for one in served.application.asked if one.method == "POST"]
    assert asked.path == "/s/start/"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Cookie" not in asked.headers
    return asked.form


# without scripts


def test_without_scripts_sms_and_mail_can_be_subscribed_to(city: Public) -> None:
    with opened(city, java_script_enabled=False) as page:
        assert page.locator("input[value=push]").is_disabled()
        assert page.get_by_text("Push needs a browser of today").is_visible()
        page.get_by_label("SMS").check()
        page.get_by_label("Mobile number").fill("0151 12345678")
        area(page, "no").check()
        area(page, "fern").check()
        page.get_by_label("Great danger").check()
        page.get_by_label("Traffic").uncheck()
        page.get_by_label("Send me exercises too").check()
        assert page.get_by_label("Leave this empty").count() == 1  # a trap for programs …
        assert page.get_by_role("textbox", name="Leave this empty").count() == 0  # … that nobody is told of
        send(page)
        assert page.get_by_role("heading", name="The application").is_visible()
        assert page.context.cookies() == []
    assert posted(city) == {
        "page": ["en"],
        "way": ["sms"],
        "tel": ["0151 12345678"],
        "mail": [""],
        "area": ["no", "fern"],
        "least": ["Severe"],
        "topic": [name for name in TOPICS if name != "traffic"],
        "lang": ["en"],
        "tests": ["1"],
        "website": [""],
    }


def test_without_scripts_nothing_is_shown_that_needs_them(city: Public) -> None:
    with opened(city, java_script_enabled=False) as page:
        for selector in ("#area-search", "svg.map-pick", "#problems", "[data-install]", "#already"):
            assert page.locator(selector).is_hidden(), selector
        assert page.get_by_role("link", name="Atom").first.is_visible()
        assert page.get_by_label("E-mail address").is_hidden()  # until e-mail is chosen
        page.get_by_label("E-mail", exact=False).first.check()
        assert page.get_by_label("E-mail address").is_visible()


# districts


def test_a_district_that_stands_for_its_parts_is_sent_alone(city: Public) -> None:
    with opened(city) as page:
        page.get_by_label("All of Mitte").check()
        for code in MIDDLE:
            assert area(page, code).is_checked()
        assert area(page, "city").evaluate("box => box.indeterminate")
        expect(page.get_by_text("Chosen: Mitte")).to_be_visible()
        page.get_by_label("SMS").check()
        page.get_by_label("Mobile number").fill("0151 12345678")
        send(page)
        page.get_by_role("heading", name="The application").wait_for()
    assert posted(city)["area"] == ["mitte"]


def test_who_lets_one_part_go_keeps_the_others(city: Public) -> None:
    with opened(city) as page:
        page.get_by_label("All of Leipzig").check()
        expect(page.get_by_text("Chosen: All of Leipzig")).to_be_visible()
        area(page, "no").uncheck()
        assert not area(page, "city").is_checked()
        assert not area(page, "mitte").is_checked()
        for code in ("nw", "so", "sw", "rand", "fern"):
            assert area(page, code).is_checked()
        sent = page.evaluate("new FormData(document.getElementById('subscribe')).getAll('area')")
        assert sorted(sent) == ["nw", "rand", "so", "sw"]
        area(page, "no").check()
        assert page.evaluate("new FormData(document.getElementById('subscribe')).getAll('area')") == ["city"]


def test_where_no_district_is_the_whole_city_all_on_top_are_sent(served: Public) -> None:
    for code in ("left", "right"):
        Area.objects.create(code=code, name=code.title(), boundary=square(LAT, LON), outline=square(LAT, LON))
    make(served)
    with opened(served) as page:
        page.get_by_label("All of Leipzig").check()
        assert area(page, "left").is_checked()
        sent = page.evaluate("new FormData(document.getElementById('subscribe')).getAll('area')")
        assert sent == ["left", "right"]


def test_a_click_on_the_map_chooses_and_lets_go(city: Public) -> None:
    with opened(city) as page:
        shape(page, "fern").click()
        assert area(page, "fern").is_checked()
        assert "is-chosen" in (shape(page, "fern").get_attribute("class") or "")
        expect(page.get_by_role("status").filter(has_text="Chosen: ")).to_have_text("Chosen: Rand")  # its only part
        shape(page, "fern").click()
        assert not area(page, "fern").is_checked()
        expect(page.get_by_text("No district is chosen yet.")).to_be_visible()
        area(page, "city").check()
        shape(page, "no").click()
        assert area(page, "so").is_checked()
        assert "is-chosen" not in (shape(page, "no").get_attribute("class") or "")


def test_the_search_finds_names_as_people_type_them(city: Public, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.city.subscribing.FEW", 0)
    make(city)
    with opened(city) as page:
        search = page.get_by_label("Find a district")
        assert area(page, "so").is_hidden()
        for typed in ("südost", "SUEDOST", "sudost", " Südo"):
            search.fill(typed)
            expect(page.get_by_text("Found: 1")).to_be_visible()
            assert area(page, "so").is_visible()
            assert area(page, "nw").is_hidden()
            assert area(page, "fern").is_hidden()
        search.press("Enter")
        assert page.locator(":focus").get_attribute("value") == "so"
        assert city.application.asked == []
        search.fill("mitte")
        expect(page.get_by_text("Found: 4")).to_be_visible()
        search.fill("Atlantis")
        expect(page.get_by_text("No district is called so.")).to_be_visible()
        search.press("Escape")
        assert search.input_value() == ""
        assert page.get_by_text("Mitte", exact=False).first.is_visible()
        assert area(page, "so").is_hidden()  # closed again, as it was


def test_what_was_chosen_is_still_chosen_when_somebody_comes_back(city: Public) -> None:
    with opened(city) as page:
        area(page, "no").check()
        page.get_by_label("E-mail", exact=False).first.check()
        page.goto(f"{city.address}/en/about/")
        page.go_back()
        assert area(page, "no").is_checked()
        expect(page.get_by_text("Chosen: Nordost")).to_be_visible()


# what is missing


def test_what_is_missing_is_said_with_a_way_to_it(city: Public) -> None:
    with opened(city) as page:
        for box in page.locator("input[name=topic]").all():
            box.uncheck()
        send(page)
        problems = page.get_by_role("group", name="Something is still missing:")
        assert problems.evaluate("group => group === document.activeElement")
        assert problems.get_by_role("link").all_inner_texts() == [
            "Choose how we are to reach you.",
            "Choose at least one district: without it we don't know what to warn you of.",
            "Choose at least one topic.",
        ]
        page.get_by_label("E-mail", exact=False).first.check()
        page.get_by_label("E-mail address").fill("nobody")
        send(page)
        problems.get_by_role("link", name="Type your e-mail address with its @").click()
        assert page.locator(":focus").get_attribute("id") == "mail"
        assert page.locator("#mail").get_attribute("aria-invalid") == "true"
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("nobody@city.example")
        area(page, "fern").check()
        page.locator("input[name=topic][value=fire]").check()
        assert problems.is_hidden()
        assert city.application.asked == []
        send(page)
        page.get_by_role("heading", name="The application").wait_for()
    assert posted(city)["mail"] == ["nobody@city.example"]


def test_by_keyboard_alone_one_can_subscribe(city: Public) -> None:
    def tab_to(selector: str) -> None:
        for _step in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"no way to {selector}")

    with opened(city) as page:
        tab_to("input[name=way]")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        assert page.locator("input[name=way]:checked").get_attribute("value") == "email"
        tab_to("#mail")
        page.keyboard.type("nobody@city.example")
        tab_to("#area-search")
        page.keyboard.type("nordw")
        page.keyboard.press("Enter")
        page.keyboard.press("Space")
        tab_to("input[name=least]")
        page.keyboard.press("ArrowUp")
        tab_to("button[type=submit]")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="The application").wait_for()
    form = posted(city)
    assert form["way"] == ["email"]
    assert form["area"] == ["nw"]
    assert form["least"] == ["Minor"]


# push


def subscribe(page: Page) -> None:
    page.get_by_label("Push to this device").check()
    area(page, "mitte").check()
    send(page)


def test_push_is_asked_of_the_browser_then_told_to_the_city(city: Public) -> None:
    city.application.answers["/s/push/"] = (201, {"manage": "/s/manage/word/"})
    with opened(city, ADDRESS_GIVEN) as page:
        page.get_by_label("Send me exercises too").check()
        assert page.evaluate("navigator.serviceWorker.getRegistrations().then(found => found.length)") == 0
        subscribe(page)
        page.wait_for_url(f"{city.address}/s/manage/word/")
        assert page.context.cookies() == []
    asked = next(one for one in city.application.asked if one.path == "/s/push/")
    assert asked.method == "POST"
    assert asked.headers["Content-Type"] == "application/json"
    assert "Cookie" not in asked.headers
    assert asked.json == {
        "subscription": KEYS,
        "area": ["mitte"],
        "least": "Moderate",
        "topic": list(TOPICS),
        "lang": "en",
        "tests": True,
        "page": "en",
    }


def test_a_browser_that_gets_warnings_already_is_led_to_its_own_page(city: Public) -> None:
    city.application.answers["/s/push/"] = (201, {"manage": "/s/manage/word/"})
    known = ADDRESS_GIVEN + "subscription = { toJSON: () => ({}), unsubscribe: async () => { subscription = null; } };"
    with opened(city, ADDRESS_GIVEN) as page:
        assert page.get_by_text("This browser already gets warnings.").is_hidden()
        subscribe(page)
        page.wait_for_url(f"{city.address}/s/manage/word/")
        page.add_init_script(known)
        page.goto(f"{city.address}/en/subscribe/")
        page.get_by_text("This browser already gets warnings.").wait_for()
        assert page.get_by_role("link", name="Change or end it").get_attribute("href") == "/s/manage/word/"
        page.evaluate("caches.delete('belfry-own')")
        page.reload()
        page.get_by_text("This browser already gets warnings.").wait_for()
        assert page.get_by_role("link", name="Change or end it").is_hidden()
        assert page.get_by_text("the new choice replaces the old one").is_visible()


def test_the_page_that_ends_a_subscription_ends_the_browsers_part_too(city: Public) -> None:
    city.application.answers["/s/push/"] = (201, {"manage": "/s/manage/word/"})
    script = app.Look.now().subscribe
    left = f'{HEAD}<script src="{script}" defer></script><p data-push-left>Gone.</p></html>'
    city.application.answers["/s/leave/word/"] = (200, left)
    given = (
        ADDRESS_GIVEN
        + "subscription = { unsubscribe: async () => { document.documentElement.dataset.ended = 'yes'; } };"
    )
    with opened(city, ADDRESS_GIVEN) as page:
        subscribe(page)
        page.wait_for_url(f"{city.address}/s/manage/word/")
        page.add_init_script(given)
        page.goto(f"{city.address}/s/leave/word/")
        expect(page.locator("html[data-ended]")).to_be_attached()
        while page.evaluate("caches.has('belfry-own')"):  # the page's script deletes it a moment later
            page.wait_for_timeout(20)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((422, {"error": "Choose <b>at least</b> one district."}), "Choose <b>at least</b> one district."),
        ((429, {"error": "Too many at once. Try again in an hour."}), "Try again in an hour."),
        ((404, HEAD), "the city's server did not answer"),
        ((201, {"manage": "https://elsewhere.example/"}), "the city's server did not answer"),
        ((201, {"manage": "//elsewhere.example/s/manage/x/"}), "the city's server did not answer"),
        ((201, [1]), "the city's server did not answer"),
    ],
)
def test_what_the_citys_server_refuses_is_said_in_its_words(city: Public, answer: tuple[int, Any], words: str) -> None:
    city.application.answers["/s/push/"] = answer
    with opened(city, ADDRESS_GIVEN) as page:
        subscribe(page)
        expect(page.locator("#said")).to_contain_text("Nothing was subscribed")
        expect(page.locator("#said")).to_contain_text(words)
        assert page.url == f"{city.address}/en/subscribe/"
        assert page.get_by_role("button", name="Subscribe to warnings").is_enabled()
        assert page.evaluate("caches.has('belfry-own')") is False


def test_a_network_that_fails_is_said_and_the_choice_stays(city: Public) -> None:
    with opened(city, ADDRESS_GIVEN) as page:
        page.route("**/s/push/", lambda route: route.abort("aborted"))
        subscribe(page)
        expect(page.locator("#said")).to_contain_text("the city's server did not answer")
        assert area(page, "mitte").is_checked()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("Notification.requestPermission = async () => 'denied';", "notifications are not allowed"),
        ("Notification.requestPermission = async () => 'default';", "the question was left open"),
        (
            "navigator.serviceWorker.register = async () => { throw new DOMException('no', 'SecurityError'); };",
            "this window can't keep a subscription",
        ),
        (
            "PushManager.prototype.subscribe = async () => { throw new DOMException('no', 'AbortError'); };",
            "the browser got no push address from its maker",
        ),
        (
            "PushManager.prototype.subscribe = async () => { throw new DOMException('no', 'NotAllowedError'); };",
            "notifications are not allowed",
        ),
    ],
)
def test_what_the_browser_refuses_is_said_in_plain_words(city: Public, script: str, words: str) -> None:
    with opened(city, ADDRESS_GIVEN, UNASKED, script) as page:
        subscribe(page)
        expect(page.locator("#said")).to_contain_text(words)
        assert page.get_by_role("button", name="Subscribe to warnings").is_enabled()
    assert city.application.asked == []


def test_a_subscription_made_for_another_key_is_made_anew(city: Public) -> None:
    city.application.answers["/s/push/"] = (201, {"manage": "/s/manage/word/"})
    old = "subscription = { options: { applicationServerKey: new Uint8Array(65).buffer }, unsubscribe: async () => {"
    old += " sessionStorage.ended = 'yes'; subscription = null; } };"
    with opened(city, ADDRESS_GIVEN + old) as page:
        subscribe(page)
        page.wait_for_url(f"{city.address}/s/manage/word/")
        assert page.evaluate("sessionStorage.ended") == "yes"


def test_refused_before_is_said_before_anything_is_chosen(city: Public) -> None:
    with opened(city, push=False) as page:  # headless Chromium refuses what was not granted
        expect(page.locator("#push-words")).to_contain_text("they were refused before")
        assert page.locator("input[value=push]").is_disabled()
        assert page.locator("input[value=sms]").is_enabled()


def test_a_browser_without_push_says_so_and_a_phone_of_apple_how_to_get_it(city: Public) -> None:
    with opened(city, NO_PUSH) as page:
        expect(page.locator("#push-words")).to_contain_text("This browser can't receive push messages.")
        assert not page.locator("#ios").evaluate("details => details.open")
    phone = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1"
    )
    with opened(city, NO_PUSH, user_agent=phone, viewport={"width": 390, "height": 844}) as page:
        expect(page.locator("#push-words")).to_contain_text("once this page lies on the home screen")
        assert page.get_by_text("the square with the arrow that points up").is_visible()
        assert sideways(page) == 0


def test_where_push_is_the_only_way_the_button_waits_for_a_browser_that_can(served: Public) -> None:
    districts()
    make(served, ways=("push",))
    with opened(served, NO_PUSH) as page:
        assert page.locator("#go").is_hidden()
    with opened(served, path="/en/subscribe/", java_script_enabled=False) as page:
        assert page.locator("#go").is_hidden()
    with opened(served, ADDRESS_GIVEN) as page:
        assert page.locator("#go").is_visible()
        assert page.locator("input[value=push]").is_checked()


# the app


def test_the_app_is_offered_where_the_browser_can_install_it(city: Public) -> None:
    with opened(city) as page:
        assert page.get_by_role("button", name="Install the app").is_hidden()
        page.evaluate(
            """() => {
                const offer = new Event("beforeinstallprompt", { cancelable: true });
                offer.prompt = () => { window.prompted = true; };
                window.dispatchEvent(offer);
            }"""
        )
        page.get_by_role("button", name="Install the app").click()
        assert page.evaluate("window.prompted")
        assert page.get_by_role("button", name="Install the app").is_hidden()


def test_who_only_reads_gets_nothing_stored_and_the_installed_app_its_worker(city: Public) -> None:
    count = "navigator.serviceWorker.getRegistrations().then(found => found.length)"
    with opened(city, path="/en/") as page:
        page.goto(f"{city.address}/en/about/", wait_until="networkidle")
        assert page.evaluate(count) == 0
        assert page.evaluate("caches.keys()") == []
    with opened(city, "navigator.standalone = true;", path="/en/") as page:
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        assert page.evaluate(count) == 1
