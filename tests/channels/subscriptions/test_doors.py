"""What every address below /s/ keeps: methods, sizes, other sites, headers, logs, hostile input."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from channels.models import SignUp, Subscription
from channels.subscriptions import doors, tokens
from tests.channels.contract import HOSTILE
from tests.channels.subscriptions import fakes
from tests.channels.subscriptions.conftest import (
    ADDRESS,
    MAIL,
    NUMBER,
    browser,
    by_mail,
    last,
    own_word,
    path,
    push_wishes,
    subscribed,
    wishes,
)

pytestmark = pytest.mark.django_db
HUGE = "x" * (doors.MOST_BYTES + 1)
NASTY = (
    *HOSTILE, "", " ", "\x00", "\r\nBcc: all@example.org", "\u202egnp.exe", "\u200b", "'; DROP TABLE x;--",
    "../../etc/passwd", "{}", "null", "-1", "9" * 400, "\ud83d", "%0d%0aSet-Cookie:x=1", "${7*7}", "=cmd|'/c calc'!A1",
)  # fmt: skip


def posts() -> dict[str, Any]:
    """Every address that takes a form, with a good one."""
    return {
        "/s/start/": wishes(),
        "/s/confirm/x/": {"code": "1"},
        "/s/yes/x/": {},
        "/s/link/": {"address": NUMBER},
        "/s/leave/": {"address": NUMBER},
        "/s/leave/x/": {},
        "/s/manage/x/": wishes(),
        "/s/test/x/": {},
    }


@pytest.mark.parametrize("where", posts())
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ADDRESS},
        {"Origin": "https://evil.example"},
        {"Origin": "https://warnung.example.org.evil.example"},
    ],
    ids=str,
)
def test_a_form_of_another_site_is_refused(resident: Client, where: str, headers: dict[str, str]) -> None:
    answer = resident.post(where, posts()[where] | {"page": "en"}, headers=headers)
    assert answer.status_code == 403
    assert not SignUp.objects.exists()
    assert not fakes.told


def test_a_script_of_another_site_subscribes_no_browser(resident: Client) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = resident.post("/s/push/", json.dumps(push_wishes()), content_type="application/json", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": ADDRESS},
        {"Origin": "null"},
        {"Origin": "http://testserver"},
    ],
    ids=str,
)
def test_our_own_form_is_taken_from_every_browser(resident: Client, headers: dict[str, str]) -> None:
    """A page that forbids referrers sends "null" as the origin of its forms."""
    assert resident.post("/s/start/", wishes(), headers=headers).status_code == 303


@pytest.mark.parametrize("where", [*posts(), "/s/push/", "/s/push/changed/", "/s/hooks/phones/", "/s/nowhere/"])
@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_other_methods_are_refused(resident: Client, where: str, method: str) -> None:
    assert getattr(resident, method)(where).status_code == 405


@pytest.mark.parametrize("where", ["/s/push/", "/s/push/changed/"])
def test_what_only_acts_answers_no_get(resident: Client, where: str) -> None:
    assert resident.get(where).status_code == resident.head(where).status_code == 405


def test_opening_or_loading_again_the_address_of_a_test_sends_nothing(resident: Client) -> None:
    row = subscribed(resident)
    sent = len(fakes.told["sms"])
    answer = resident.get(f"/s/test/{own_word(row)}/?page=en")
    assert (answer.status_code, answer["Location"]) == (303, f"/s/manage/{own_word(row)}/?page=en")
    assert len(fakes.told["sms"]) == sent


@pytest.mark.parametrize("where", posts())
def test_a_huge_body_is_not_read(resident: Client, where: str) -> None:
    answer = resident.post(where, f"area={HUGE}", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 413
    for length in ("-1", "1e9", "9" * 30, "x"):
        answer = resident.post(where, {"a": "b"}, CONTENT_LENGTH=length)
        assert answer.status_code in {404, 413}, length


def test_a_huge_json_body_is_not_read(resident: Client) -> None:
    answer = resident.post("/s/push/", f'"{HUGE}"', content_type="application/json")
    assert answer.status_code == 413
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("&".join(f"area={number}" for number in range(3000)), "application/x-www-form-urlencoded"),
        ("--x\r\nno header", "multipart/form-data"),
        ("--x\r\nContent-Disposition: form-data\r\n\r\n", "multipart/form-data; boundary=" + "y" * 300),
    ],
)
def test_a_form_that_is_none_gets_words(resident: Client, body: str, content_type: str) -> None:
    answer = resident.post("/s/start/", body, content_type=content_type)
    assert answer.status_code == 400
    assert '<p class="text">' in answer.content.decode()


@pytest.mark.parametrize("field", wishes())
def test_hostile_input_in_any_field_of_the_form_is_escaped_or_refused(
    resident: Client, field: str, settings: Any
) -> None:
    settings.SUBSCRIBE_LIMITS = {"client": "1000/hour", "sms address": "1000/hour"}
    for text in NASTY:
        given = (by_mail() if field == "mail" else wishes()) | {field: text}
        # a form can't hold a lone surrogate; the bytes that would be one are no UTF-8
        body = urlencode(given, doseq=True, errors="surrogatepass")
        answer = resident.post("/s/start/", body, content_type="application/x-www-form-urlencoded")
        page = answer.content.decode()
        taken = field in {"tests", "page"} or (field == "website" and not text)
        assert answer.status_code == (303 if taken else 422), text
        if "<" in text:
            assert text not in page
        if answer.status_code == 422 and field in {"tel", "mail"}:
            assert 'aria-invalid="true"' in page
    assert not fakes.told["email"]


@pytest.mark.parametrize("text", NASTY)
def test_hostile_json_is_refused(resident: Client, text: str, settings: Any) -> None:
    settings.SUBSCRIBE_LIMITS = {"client": "1000/hour"}
    given = [push_wishes() | {field: [text]} for field in ("area", "topic")]
    given += [push_wishes() | {field: text} for field in ("subscription", "area", "topic", "least", "lang")]
    given += [push_wishes({"endpoint": text, "keys": browser()["keys"]})]
    given += [push_wishes(browser() | {"keys": browser()["keys"] | {key: text}}) for key in ("p256dh", "auth")]
    for body in given:
        answer = resident.post("/s/push/", json.dumps(body), content_type="application/json")
        assert answer.status_code == 422, body
    assert not Subscription.objects.exists()


def test_no_answer_sets_a_cookie_is_kept_or_is_found(resident: Client) -> None:
    row = subscribed(resident)
    resident.post("/s/start/", by_mail())
    word = own_word(row)
    waiting = SignUp.objects.get()
    answers = [resident.get(where) for where in ("/s/start/", "/s/link/", f"/s/manage/{word}/", f"/s/leave/{word}/")]
    answers += [resident.get(path(last("email").url)), resident.get(f"/s/confirm/{tokens.make('code', waiting.pk)}/")]
    answers += [resident.get("/s/manage/x/"), resident.get("/s/nowhere/"), resident.post("/s/start/", {})]
    answers += [resident.post(f"/s/test/{word}/"), resident.post(f"/s/leave/{word}/")]
    for answer in answers:
        assert not answer.cookies
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer["X-Robots-Tag"]
        assert answer["X-Frame-Options"] == "DENY"
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        if answer.content:
            page = answer.content.decode()
            assert '<meta name="robots" content="noindex, nofollow">' in page
            assert "style=" not in page
            assert "<script>" not in page
            assert "onclick" not in page
    assert not resident.cookies


def test_no_address_and_no_word_is_in_the_log(resident: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    row = subscribed(resident)
    word = own_word(row)
    resident.post("/s/start/", by_mail())
    resident.post("/s/start/", by_mail(mail=f"{MAIL}@"))
    fakes.outcomes["sms"].append(fakes.Outcome(0, "temporary"))
    resident.post("/s/start/", wishes())
    resident.post(f"/s/manage/{word}/", {})
    for _try in range(5):
        resident.post(f"/s/test/{word}/")
    resident.post(f"/s/leave/{word}/", headers={"Sec-Fetch-Site": "cross-site"})
    resident.put(f"/s/manage/{word}/")
    resident.get(f"/s/manage/{word}/more/")
    resident.post("/s/push/", json.dumps(push_wishes()), content_type="application/json")
    resident.post(f"/s/leave/{word}/")
    ours = "\n".join(
        f"{record.name} {record.getMessage()}" for record in caplog.records if record.name != "django.db.backends"
    )
    for secret in (NUMBER, NUMBER[-8:], MAIL, word, "push.example.org", "12345678"):
        assert secret not in ours


def test_the_admin_site_shows_no_address() -> None:
    from django.contrib import admin

    assert not {Subscription, SignUp} & set(admin.site._registry)
