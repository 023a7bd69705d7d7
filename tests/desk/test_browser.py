"""The desk in a real browser: two officers play the story; keyboard, phone, axe, CSP, no script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from alerts import alarms, approval, drafting
from alerts.content import to_json
from alerts.desk.factors.codes import make_backup
from alerts.models import Draft, Message, ReleasePlan, Template
from alerts.terms import Kind, Status
from channels import jobs
from tests import city, story
from tests.desk.browsing import axe, chromium, log_in, sideways, window
from tests.desk.conftest import PASSWORD, make_roles, with_roles
from tests.desk.factoring import authenticator, code

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WORD = "LEIPZIG WARNEN"
OUTPUT = Path(__file__).resolve().parents[1] / "output"
"""Where each page is kept as a picture, to be looked at; no part of the repository."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def address(live_server: Any, settings: Any, quiet: None) -> str:
    """The desk, with a city, its roles and a template with gaps."""
    settings.ADDRESS = live_server.url
    settings.CHANNELS = {
        "website": {"adapter": "channels.city.website.Website"},
        "feed": {"adapter": "tests.channels.fakes.Page", "label": "Feeds"},
    }
    make_roles()
    city.districts()
    with_roles("anna", "author")
    with_roles("bert", "approver")
    texts = {
        language: replace(text, headline=text.headline.replace(story.PLACE, "{place}"))
        for language, text in story.WARNING.items()
    }
    ready = city.content(texts=texts, place="", circles=(), severity="Severe", facts_at=None)
    Template.objects.create(key="bombe", names={"de": "Bombenfund", "en": "Bomb"}, content_json=to_json(ready))
    alarms.Alarm.objects.update(ended_at="2026-01-01T00:00:00Z")
    return str(live_server.url)


def officer(name: str) -> User:
    return User.objects.get(username=name)


def as_officer(page: Page, address: str, name: str) -> Page:
    """Log in without the form; that has a test of its own."""
    client = Client()
    client.force_login(officer(name))
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])
    page.goto(f"{address}/desk/")
    return page


def write_from_template(page: Page) -> None:
    """From the first screen to "submitted": counted, since at three in the morning each step counts."""
    steps = 0
    for do in (
        lambda: page.get_by_role("link", name="Neue Warnung").click(),
        lambda: page.get_by_role("button", name="Bombenfund").click(),
        lambda: page.get_by_label("Ort", exact=True).fill(story.PLACE),
        lambda: page.get_by_label("Mitte: Breite, Länge").fill(f"{city.LAT}, {city.LON}"),
        lambda: page.get_by_label("Radius in Metern").fill("600"),
        lambda: page.get_by_role("button", name="Zur Freigabe einreichen").click(),
    ):
        do()
        steps += 1
    assert steps <= 8
    expect(page.get_by_text("Eingereicht. Jetzt kann")).to_be_visible()


def approve(page: Page, button: str, word: str = WORD, code: str = "") -> None:
    page.get_by_label("Tippen Sie").fill(word)
    if code:
        page.get_by_label("Code").fill(code)
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("heading", name="Kanäle der Stadt")).to_be_visible()


def deliver(message: Message) -> None:
    """What the workers do: here without fetching anything."""
    from channels import fanout
    from channels.models import Delivery

    for delivery in fanout.plan(message.pk):
        if delivery.channel == "website":
            Delivery.objects.filter(pk=delivery.pk).update(state="done")
        else:
            jobs.deliver(delivery.pk)
    fanout.open_if_live(message.pk)


def submit(page: Page) -> None:
    page.get_by_role("button", name="Zur Freigabe einreichen").click()
    expect(page.get_by_text("Eingereicht. Jetzt kann")).to_be_visible()


def check(page: Page, address: str) -> None:
    """From the approver's first screen to the draft that waits for him."""
    page.goto(f"{address}/desk/")
    page.get_by_role("link", name="Prüfen").click()


def refused(page: Page, code: str, words: str) -> None:
    """An approval that is not one: nothing goes out, and why is said."""
    page.get_by_label("Tippen Sie").fill(WORD)
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Warnung jetzt aussenden").click()
    expect(page.get_by_text(words)).to_be_visible()
    assert not Message.objects.exists()


def read_while_it_changes(author: Page, approver: Page, address: str, code: str) -> None:
    """He approves what he read, or nothing: the author takes it back meanwhile and says more."""
    check(approver, address)
    expect(approver.get_by_text("seit der Entwurf zuletzt eingereicht war")).to_be_visible()
    author.get_by_role("button", name="Zurückholen und weiterschreiben").click()
    author.locator("#id_text-de-description").fill("Eine Bombe liegt dort. Die Polizei sperrt ab.")
    submit(author)
    refused(approver, code, "hat sich geändert, seit Sie")


def test_the_story_is_played_by_two_officers_with_their_second_factors(
    browser: Browser, address: str, settings: Any
) -> None:
    settings.SECOND_FACTOR = True
    codes = iter(make_backup(officer("bert")))
    factors = {name: authenticator(officer(name)) for name in ("anna", "bert")}
    phone = {"width": 390, "height": 844}
    with window(browser) as author, window(browser, viewport=phone) as approver:
        log_in(author, address, "anna", PASSWORD, code(factors["anna"]))
        spent = code(factors["bert"])
        log_in(approver, address, "bert", PASSWORD, spent)

        write_from_template(author)

        approver.reload()
        approver.get_by_role("link", name="Prüfen").click()
        expect(approver.get_by_text("Bombenfund in der Dimitroffstraße: Meiden Sie das Gebiet").first).to_be_visible()
        approver.get_by_role("link", name="Mit Begründung zurückgeben").click()
        approver.get_by_label("Begründung").fill("Der Kontakt fehlt.")
        approver.get_by_role("button", name="Entwurf zurückgeben").click()

        author.goto(f"{address}/desk/")
        expect(author.get_by_text("Der Kontakt fehlt.")).to_be_visible()
        author.get_by_role("link", name="Weiterschreiben").click()
        author.get_by_label("Kontakt").fill("Bürgertelefon 115")
        submit(author)

        read_while_it_changes(author, approver, address, next(codes))
        # the code of his log-in is used up, another one counts
        refused(approver, spent, "Dieser Code gilt nicht")
        approve(approver, "Warnung jetzt aussenden", code=next(codes))
        expect(approver.get_by_text("Zustellungen werden gerade angelegt")).to_be_visible()
        deliver(Message.objects.get())
        # htmx brings what the workers did, with no hand on the page
        expect(approver.get_by_text("Sperre offen")).to_be_visible()
        expect(approver.locator(".rows-way .state").first).to_have_text("fertig")

        author.goto(f"{address}/desk/")
        author.get_by_role("button", name="Aktualisieren").click()
        author.get_by_label("Stufe").select_option("Extreme")
        author.locator("#id_text-de-headline").fill("Bombenfund: Verlassen Sie das Gebiet")
        submit(author)
        check(approver, address)
        expect(approver.locator("ins").first).to_be_visible()
        approve(approver, "Update jetzt aussenden", code=next(codes))
        deliver(Message.objects.get(number=2))

        author.goto(f"{address}/desk/")
        author.get_by_role("button", name="Entwarnung geben").click()
        submit(author)
        check(approver, address)
        approve(approver, "Entwarnung jetzt aussenden", code=next(codes))
        deliver(Message.objects.get(number=3))
        author.goto(f"{address}/desk/")
        expect(author.get_by_text("Zurzeit gilt in Leipzig keine Warnung.")).to_be_visible()
    assert [message.kind for message in Message.objects.order_by("number")] == ["warning", "update", "all-clear"]


def test_a_false_alarm_and_an_exercise_each_on_pages_of_their_own(browser: Browser, address: str) -> None:
    wrong = city.released(officer("anna"), officer("bert"))
    with window(browser) as author, window(browser) as approver:
        as_officer(author, address, "anna")
        as_officer(approver, address, "bert")
        # false alarm: one step away, its text prepared
        author.get_by_role("button", name="Fehlalarm melden").click()
        submit(author)
        check(approver, address)
        expect(approver.get_by_text("Fehlalarm: Bombenfund").first).to_be_visible()
        approve(approver, "Fehlalarm jetzt melden")
        # exercise: frame, word and button cannot be confused with the real thing
        author.goto(f"{address}/desk/")
        author.get_by_role("link", name="Neue Übung").click()
        author.get_by_role("button", name="Bombenfund").click()
        author.get_by_label("Ort", exact=True).fill(story.PLACE)
        author.get_by_label("Mitte: Breite, Länge").fill(f"{city.LAT}, {city.LON}")
        author.get_by_label("Radius in Metern").fill("600")
        submit(author)
        check(approver, address)
        assert approver.evaluate("getComputedStyle(document.body).borderTopWidth") != "0px"
        approver.get_by_label("Tippen Sie").fill(WORD)
        approver.get_by_role("button", name="Übung jetzt starten").click()
        expect(approver.get_by_text("Das ist nicht das Wort.")).to_be_visible()
        approve(approver, "Übung jetzt starten", word="ÜBUNG")
    assert [message.kind for message in Message.objects.filter(alert=wrong.alert).order_by("number")] == [
        "warning",
        "false-alarm",
    ]
    assert Message.objects.filter(status=Status.EXERCISE).count() == 1


def test_the_main_path_by_keyboard_alone(browser: Browser, address: str) -> None:
    with window(browser) as page:
        as_officer(page, address, "anna")

        def tab_to(selector: str) -> None:
            for _number in range(200):
                page.keyboard.press("Tab")
                if page.evaluate("s => document.activeElement.matches(s)", selector):
                    ring = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
                    assert ring != "0px", f"{selector} has no focus ring"
                    return
            raise AssertionError(f"{selector} can't be reached by keyboard")

        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        tab_to(".button-big")
        page.keyboard.press("Enter")
        page.wait_for_url("**/new/")
        tab_to("button[value=bombe]")
        page.keyboard.press("Enter")
        page.wait_for_url("**/drafts/**")
        tab_to("#id_place")
        page.keyboard.type(story.PLACE)
        tab_to("#id_circle-0-centre")
        page.keyboard.type(f"{city.LAT}, {city.LON}")
        tab_to("#id_circle-0-metres")
        page.keyboard.type("600")
        tab_to("button[value=submit]")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Eingereicht. Jetzt kann")).to_be_visible()


def test_enter_in_a_field_saves_and_nothing_else(browser: Browser, address: str) -> None:
    with window(browser) as page:
        draft = city.drafted(officer("anna"))
        as_officer(page, address, "anna").goto(f"{address}/desk/drafts/{draft.pk}/")
        page.get_by_label("Ort", exact=True).fill("Markt")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Gespeichert.", exact=True)).to_be_visible()
    draft.refresh_from_db()
    assert (draft.state, draft.content.place) == ("draft", "Markt")


def test_without_scripts_the_live_page_still_renews_itself(browser: Browser, address: str) -> None:
    message = city.released(officer("anna"), officer("bert"))
    with window(browser, java_script_enabled=False) as page:
        client = Client()
        client.force_login(officer("bert"))
        page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])
        page.goto(f"{address}/desk/alert/{message.alert.slug}/")
        deliver(message)
        expect(page.get_by_text("Sperre offen")).to_be_visible(timeout=15_000)


def test_the_whole_page_is_seen_before_it_is_public(browser: Browser, address: str) -> None:
    draft = city.submitted(officer("anna"))
    with window(browser) as page:
        as_officer(page, address, "bert").goto(f"{address}/desk/drafts/{draft.pk}/")
        page.get_by_role("link", name="Ganze Seite ansehen (Deutsch)").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Bombenfund: Verlassen Sie das Gebiet")
        expect(page.get_by_text("Diese Seite ist nicht öffentlich.")).to_be_visible()


def pages(address: str) -> dict[str, str]:
    """Every page of the desk with something on it, by name."""
    anna, bert = officer("anna"), officer("bert")
    message = city.released(anna, bert, severity="Severe")
    deliver(message)
    update = drafting.derive(message, Kind.UPDATE, anna)
    update = drafting.save(update.pk, update.version, replace(update.content, severity="Extreme"), anna)
    approval.submit(update.pk, update.version, anna)
    exercise = city.submitted(anna, status=Status.EXERCISE)
    drill = city.drafted(anna, status=Status.EXERCISE, plan=ReleasePlan.DRILL, facts_at=None)
    blank = drafting.new(anna)
    written = city.drafted(anna, texts={"de": story.WARNING["de"]}, districts=())
    alarms.sound("probe", "Die Seite der Stadt antwortet seit zwei Minuten nicht.")
    desk = f"{address}/desk/"
    return {
        "home": desk,
        "alerts": f"{desk}alert/",
        "new": f"{desk}new/",
        "new-exercise": f"{desk}new/?status=Exercise",
        "write-blank": f"{desk}drafts/{blank.pk}/",
        "write": f"{desk}drafts/{written.pk}/",
        "write-exercise": f"{desk}drafts/{drill.pk}/",
        "approve": f"{desk}drafts/{update.pk}/",
        "approve-exercise": f"{desk}drafts/{exercise.pk}/",
        "return": f"{desk}drafts/{update.pk}/return/",
        "break-glass": f"{desk}drafts/{written.pk}/break-glass/",
        "live": f"{desk}alert/{message.alert.slug}/",
        "gate": f"{desk}messages/{message.pk}/gate/",
        "deliveries": f"{desk}deliveries/",
        "channels": f"{desk}channels/",
        "record": f"{desk}record/",
        "office": f"{desk}office/",
        "password": f"{desk}password_change/",
        "help": f"{desk}help/",
        "access": f"{desk}access/",
        "partners": f"{desk}partners/",
        "partner": f"{desk}partners/new/",
        "intakes": f"{desk}intakes/",
        "accounts": f"{desk}auth/user/",
        "districts": f"{desk}alerts/area/",
        "messages": f"{desk}alerts/message/",
        "nothing": f"{desk}drafts/{update.pk}/withdraw/",
    }


@pytest.fixture
def everything(address: str) -> dict[str, str]:
    with_roles("olga", "author", "approver", "administrator")
    return pages(address)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_on_any_page_and_each_fits_its_window(
    browser: Browser, address: str, everything: dict[str, str], scheme: Any, width: int
) -> None:
    found, wide = {}, {}
    with window(browser, bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
        page.goto(f"{address}/desk/")
        found["log-in"] = axe(page)
        as_officer(page, address, "olga")
        for name, url in everything.items():
            page.goto(url)
            found[name] = axe(page)
            wide[name] = sideways(page)
            page.screenshot(path=OUTPUT / f"desk-{name}-{width}-{scheme}.png")
    assert {name: faults for name, faults in found.items() if faults} == {}
    assert {name: by for name, by in wide.items() if by > 0} == {}


def test_on_the_smallest_phone_pages_fit_break_no_policy_and_exercises_wear_their_frame(
    browser: Browser, address: str, everything: dict[str, str]
) -> None:
    wide = {}
    with window(browser, viewport={"width": 320, "height": 800}) as page:
        as_officer(page, address, "olga")
        for name, url in everything.items():
            page.goto(url)
            wide[name] = sideways(page)
            framed = page.evaluate("getComputedStyle(document.body).borderTopWidth") != "0px"
            assert framed is ("exercise" in name), name
    assert {name: by for name, by in wide.items() if by > 0} == {}


def test_a_concurrent_edit_is_shown_to_both(browser: Browser, address: str) -> None:
    draft = city.drafted(officer("anna"))
    with_roles("otto", "author")
    with window(browser) as mine, window(browser) as other:
        for page, name in ((mine, "anna"), (other, "otto")):
            as_officer(page, address, name).goto(f"{address}/desk/drafts/{draft.pk}/")
        other.get_by_label("Ort", exact=True).fill("Ring")
        other.get_by_role("button", name="Entwurf speichern").click()
        expect(other.get_by_text("Gespeichert.", exact=True)).to_be_visible()
        mine.get_by_label("Ort", exact=True).fill("Markt")
        mine.get_by_role("button", name="Entwurf speichern").click()
        expect(mine.get_by_text("otto hat diesen Entwurf inzwischen gespeichert")).to_be_visible()
        expect(mine.get_by_label("Ort", exact=True)).to_have_value("Markt")
        mine.get_by_role("button", name="Entwurf speichern").click()
        expect(mine.get_by_text("Gespeichert.", exact=True)).to_be_visible()
    assert Draft.objects.get(pk=draft.pk).content.place == "Markt"


def test_a_page_left_open_over_the_end_of_the_session_loses_nothing(browser: Browser, address: str) -> None:
    draft = city.drafted(officer("anna"))
    with window(browser) as page:
        as_officer(page, address, "anna").goto(f"{address}/desk/drafts/{draft.pk}/")
        page.get_by_label("Ort", exact=True).fill("Augustusplatz")
        page.context.clear_cookies(name="sessionid")
        page.get_by_role("button", name="Entwurf speichern").click()
        expect(page.get_by_text("Nichts ist verloren")).to_be_visible()
        page.get_by_label("Benutzername").fill("anna")
        page.get_by_label("Passwort").fill(PASSWORD)
        page.get_by_role("button", name="Anmelden").click()
        expect(page.get_by_label("Ort", exact=True)).to_have_value("Augustusplatz")
        page.get_by_role("button", name="Entwurf speichern").click()
        expect(page.get_by_text("Gespeichert.", exact=True)).to_be_visible()
    assert Draft.objects.get(pk=draft.pk).content.place == "Augustusplatz"
