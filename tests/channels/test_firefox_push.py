"""One real Firefox, end to end: it subscribes on the page, the channel encrypts, our worker shows it, a click opens."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from marionette_driver import By
from marionette_driver.marionette import Marionette

from alerts.notice import Rendering
from channels import vapid
from channels.base import Recipient
from channels.city import app
from channels.city.webpush import WebPush
from channels.city.website import Website
from tests import story
from tests.channels import publicsite
from tests.channels.firefoxpush import FirefoxPush, firefox
from tests.channels.publicsite import HEAD, Public
from tests.city import districts
from tests.house import PATIENT
from tests.story import put_out

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

SHOWN = """
const [done] = arguments;
navigator.serviceWorker.ready
  .then((ready) => ready.getNotifications())
  .then((found) => done(found.map((one) => ({
    title: one.title, body: one.body, tag: one.tag, lang: one.lang, stays: one.requireInteraction, data: one.data,
  }))));
"""
# The alert that Firefox draws by itself, clicked as a reader does
CLICK = """
const alert = Services.wm.getMostRecentWindow("alert:alert");
if (!alert || !alert.document.getElementById("alertBox")) { return false; }
alert.document.getElementById("alertBox").click();
return true;
"""


def until(look: Callable[[], Any], so: Callable[[Any], bool] = bool) -> Any:
    end = time.monotonic() + PATIENT
    while time.monotonic() < end:
        found = look()
        if so(found):
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def script(browser: Marionette, code: str) -> Any:
    return browser.execute_async_script(code, sandbox=None)


def subscribed(browser: Marionette, served: Public) -> Recipient:
    """What a resident does on the page, and what the city then knows of the browser."""
    served.application.answers["/s/push/"] = (201, {"manage": "/s/manage/word/"})
    browser.navigate(f"{served.address}/en/subscribe/")
    until(lambda: browser.find_element(By.ID, "way-push").is_enabled())
    browser.find_element(By.ID, "way-push").click()
    browser.find_element(By.CSS_SELECTOR, "input[name=area][value=city]").click()
    browser.find_element(By.ID, "go").click()
    until(browser.get_url, lambda url: url == f"{served.address}/s/manage/word/")
    (asked,) = [one for one in served.application.asked if one.path == "/s/push/"]
    assert asked.json["area"] == ["city"]
    assert "Cookie" not in asked.headers
    given = asked.json["subscription"]
    return Recipient(7, f"{given['endpoint']} {given['keys']['p256dh']} {given['keys']['auth']}")


def rendering(channel: WebPush, message: Any, language: str = "de") -> Rendering:
    from alerts import public

    said = public.message(message.identifier)
    assert said
    expires = (timezone.now() + dt.timedelta(hours=4)).isoformat()
    slots = {"identifier": said.identifier, "sent": said.sent.isoformat(), "slug": said.slug, "expires": expires}
    return replace(channel.compose(said.notice(language)), slots=slots)


def test_firefox_subscribes_is_warned_and_leads_to_the_page(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "SPREAD", 0)
    districts()
    with publicsite.public(tmp_path / "public") as served, FirefoxPush(tmp_path) as service:
        settings.ADDRESS = served.address
        key = vapid.public_key(str(tmp_path / "keys"))
        site = Website(
            "website",
            folder=str(served.folder),
            address=served.address,
            languages=["de", "de-simple", "en"],
            ways=["push", "email"],
            vapid_key=key,
        )
        now = dt.datetime.now(story.BERLIN)
        first, second = story.steps(now - dt.timedelta(hours=3))[:2]
        warning = put_out(first)
        update = put_out(second, warning.alert)
        site.rebuild()
        channel = WebPush("webpush", keys_dir=str(tmp_path / "keys"), city=site._pages("de").city, **service.options)
        page = f"{served.address}/alerts/{warning.alert.slug}/"
        renderings = [rendering(channel, message) for message in (warning, update)]

        with firefox(service) as browser:
            recipient = subscribed(browser, served)
            assert service.registered == [key]

            # with keys made for this send
            (outcome,) = channel.send(renderings[0], [recipient], key="k")
            assert (outcome.recipient, outcome.state) == (7, "accepted")
            browser.navigate(f"{served.address}/en/about/")
            (shown,) = until(lambda: script(browser, SHOWN))
            said = renderings[0].fields["payload"]["notification"]
            assert shown["title"] == said["title"]
            assert shown["body"] == said["body"]
            assert shown["data"] == {"address": page}
            assert shown["lang"] == "de"
            until(lambda: service.acked, lambda codes: codes == [100])

            # with keys prepared ahead; the update takes the place of the warning
            prepared = recipient._replace(prepared=channel.prepare(recipient.address))
            (outcome,) = channel.send(renderings[1], [prepared], key="k")
            assert outcome.state == "accepted"
            said = renderings[1].fields["payload"]["notification"]
            (shown,) = until(lambda: script(browser, SHOWN), lambda found: found[0]["title"] == said["title"])
            assert shown["tag"] == warning.alert.slug

            # what was pushed is there without a network
            stored = "caches.match(arguments[0]).then((found) => arguments[1](Boolean(found)));"
            until(lambda: browser.execute_async_script(stored, script_args=[page], sandbox=None))
            served.down()
            browser.navigate(page)
            assert browser.find_element(By.CSS_SELECTOR, "[data-stored]").is_displayed()
            served.up()

            # a click on it opens the page of the alert
            browser.navigate(f"{served.address}/en/about/")
            with browser.using_context("chrome"):
                until(lambda: browser.execute_script(CLICK))
            until(lambda: len(browser.window_handles), lambda count: count == 2)
            browser.switch_to_window(
                next(one for one in browser.window_handles if one != browser.current_window_handle)
            )
            until(browser.get_url, lambda url: url == page)

            # who leaves is gone from the push service too
            left = f'{HEAD}<script src="{app.Look.now().subscribe}" defer></script><p data-push-left>Gone.</p></html>'
            served.application.answers["/s/leave/word/"] = (200, left)
            browser.navigate(f"{served.address}/s/leave/word/")
            until(lambda: service.left)
