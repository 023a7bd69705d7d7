"""A resident's own page: look, change, test, leave, a fresh link; with words altered, old, replayed."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client

from channels.base import Outcome, Temporary
from channels.models import Prepared, SignUp, Subscription, SubscriptionArea
from channels.subscriptions import limits, tokens, wishes
from tests.channels.subscriptions import fakes
from tests.channels.subscriptions.conftest import MAIL, NUMBER, by_mail, last, own_word, path, subscribed
from tests.channels.subscriptions.conftest import wishes as form

pytestmark = pytest.mark.django_db


def days_ago(row: Subscription, days: int) -> str:
    return tokens.make("own", row.pk, now=time.time() - days * tokens.DAY)


def test_the_own_page_shows_what_is_chosen_and_not_the_address(resident: Client) -> None:
    row = subscribed(resident)
    page = resident.get(f"/s/manage/{own_word(row)}/").content.decode()
    assert 'value="nw" data-name="Nordwest" data-in="mitte" checked' in page
    assert 'value="fern" data-name="Fern" data-in="rand">' in page
    assert NUMBER not in page
    assert "+49 … 678" in page


def test_changes_are_saved(resident: Client) -> None:
    row = subscribed(resident)
    given = form(area=["city"], least="Extreme", topic=["supply", "other"], lang="de-simple", tests="1")
    answer = resident.post(f"/s/manage/{own_word(row)}/", given)
    assert answer.status_code == 303
    assert "Your changes are saved" in resident.get(answer["Location"]).content.decode()
    row.refresh_from_db()
    assert wishes.of_subscription(row) == wishes.Wishes(("city",), "Extreme", 80, "de-simple", tests=True)


def test_a_change_with_a_fault_saves_nothing_and_keeps_what_was_ticked(resident: Client) -> None:
    row = subscribed(resident)
    answer = resident.post(f"/s/manage/{own_word(row)}/", form(area=[], topic=["traffic"]))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert '<a href="#areas">Choose at least one district' in page
    assert 'name="topic" value="traffic" checked' in page
    assert wishes.of_subscription(Subscription.objects.get()).areas == ("nw", "so")


def test_changing_takes_the_same_number_of_queries_for_one_district_as_for_all(
    resident: Client, django_assert_max_num_queries: Any
) -> None:
    row = subscribed(resident)
    for areas in (["nw"], ["city", "mitte", "nw", "no", "sw", "so", "rand", "fern"]):
        with django_assert_max_num_queries(11):
            resident.post(f"/s/manage/{own_word(row)}/", form(area=areas))
    assert SubscriptionArea.objects.count() == 8


def test_the_test_goes_to_this_subscription_alone(resident: Client) -> None:
    row = subscribed(resident)
    answer = resident.post(f"/s/test/{own_word(row)}/")
    assert answer.status_code == 303
    assert "The test is on its way." in resident.get(answer["Location"]).content.decode()
    address, service, recipient = fakes.told["sms"][-1]
    assert (address, service.name, recipient.id) == (NUMBER, "test", row.pk)
    assert "TEST" in service.body
    assert path(service.url).startswith("/s/manage/")


def test_the_test_is_limited(resident: Client) -> None:
    row = subscribed(resident)
    answers = [resident.post(f"/s/test/{own_word(row)}/").status_code for _try in range(5)]
    assert answers == [303, 303, 303, 429, 429]


def test_a_test_that_is_refused_for_good_says_so_and_an_address_that_is_none_is_forgotten(resident: Client) -> None:
    row = subscribed(resident)
    fakes.outcomes["sms"].append(Outcome(row.pk, "permanent", "no such number", gone=True))
    answer = resident.post(f"/s/test/{own_word(row)}/")
    assert answer.status_code == 409
    assert "Subscribe anew, or by another way" in answer.content.decode()
    assert not Subscription.objects.exists()


def test_a_test_while_the_channel_is_down_says_so(resident: Client) -> None:
    row = subscribed(resident)
    fakes.outcomes["sms"].append(Temporary("phones answered 503"))
    answer = resident.post(f"/s/test/{own_word(row)}/")
    assert answer.status_code == 503
    assert "At the moment we can&#x27;t send any SMS" in answer.content.decode()


def test_leaving_takes_a_button_and_then_nothing_is_left(resident: Client) -> None:
    row = subscribed(resident)
    resident.post("/s/start/", form())
    Prepared.objects.create(pk=row.pk, secret=b"x")
    where = f"/s/leave/{own_word(row)}/"
    page = resident.get(where)
    assert page.status_code == 200
    assert Subscription.objects.exists(), "opening a link leaves nothing: scanners open them all"

    answer = resident.post(where)
    assert "Your data is deleted." in answer.content.decode()
    for model in (Subscription, SubscriptionArea, SignUp, Prepared):
        assert not model.objects.exists(), model
    assert resident.post(where).status_code == 200, "once more is no error"
    assert "has ended" in resident.get(f"{where}?page=en").content.decode()
    assert resident.get(f"/s/manage/{own_word(row)}/").status_code == 404


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_one_click_leaves(resident: Client, content_type: str) -> None:
    """RFC 8058 §3.2: a POST of the mail provider, in either encoding, with no cookie and from nowhere in particular."""
    row = subscribed(resident)
    body = {
        "application/x-www-form-urlencoded": "List-Unsubscribe=One-Click",
        "multipart/form-data; boundary=x": (
            '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
        ),
    }[content_type]
    where = f"/s/leave/{own_word(row)}/"
    elsewhere = {"Origin": "https://mail.example.net", "Sec-Fetch-Site": "cross-site"}
    for _again in range(2):
        answer = resident.post(where, body, content_type=content_type, headers=elsewhere)
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain")
        assert len(answer.content) < 200
    assert not Subscription.objects.exists()


def test_one_click_with_a_word_that_holds_no_more_says_so(resident: Client) -> None:
    answer = resident.post("/s/leave/x/", {"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer["Content-Type"][:10]) == (404, "text/plain")


def test_an_old_word_leaves_but_neither_shows_nor_changes(resident: Client) -> None:
    row = subscribed(resident)
    old = days_ago(row, tokens.LEAVE_ONLY + 2)
    page = resident.get(f"/s/manage/{old}/").content.decode()
    assert "This link is old" in page
    assert "+49 … 678" not in page
    assert 'name="area"' not in page
    resident.post(f"/s/manage/{old}/", form(area=["fern"]))
    assert wishes.of_subscription(row).areas == ("nw", "so")
    assert resident.post(f"/s/test/{old}/").status_code == 404
    page = resident.get(f"/s/leave/{old}/").content.decode()
    assert "Rather change" not in page
    assert resident.post(f"/s/leave/{old}/").status_code == 200
    assert not Subscription.objects.exists()


def test_an_old_word_gets_a_fresh_one_sent_to_the_address(resident: Client) -> None:
    row = subscribed(resident)
    answer = resident.post(f"/s/manage/{days_ago(row, tokens.LEAVE_ONLY + 2)}/")
    assert answer.status_code == 303
    assert "A fresh link is on its way" in resident.get(answer["Location"]).content.decode()
    assert fakes.told["sms"][-1][0] == NUMBER
    assert resident.get(path(last().url)).status_code == 200
    assert own_word(row) not in answer["Location"], "the word goes to the address, not to who asks"


def test_a_word_of_more_than_a_year_ago_opens_nothing(resident: Client) -> None:
    row = subscribed(resident)
    assert resident.post(f"/s/leave/{days_ago(row, 402)}/").status_code == 404
    assert Subscription.objects.exists()


def test_a_fresh_link_comes_to_who_has_subscribed(resident: Client) -> None:
    row = subscribed(resident)
    for where in ("/s/link/", "/s/leave/"):
        assert resident.get(where).status_code == 200
    answer = resident.post("/s/link/", {"address": "+49 151 / 123 456 78", "page": "en"})
    assert answer.status_code == 303
    assert "A text with the link is on its way." in resident.get(answer["Location"]).content.decode()
    assert f"/s/manage/{own_word(row)}/" in last().url


def test_capitals_in_a_mail_address_find_the_same_subscription(resident: Client) -> None:
    resident.post("/s/start/", by_mail(mail="Anna.Muster@Example.ORG"))
    resident.post(path(last("email").url))
    resident.post("/s/link/", {"address": "anna.muster@example.org"})
    assert fakes.told["email"][-1][0] == "Anna.Muster@example.org"
    assert "/s/manage/" in last("email").url


def test_known_and_unknown_addresses_get_the_same_answer_and_the_same_work(
    resident: Client, django_assert_num_queries: Any
) -> None:
    """Enumeration: neither the bytes, nor the texts sent, nor the queries tell who has subscribed."""
    subscribed(resident)
    resident.post("/s/start/", by_mail())
    resident.post(path(last("email").url))
    for known, unknown in ((NUMBER, "+4915123456789"), (MAIL, "bert@example.org")):
        answers, sent, queries = [], [], []
        for address in (known, unknown):
            before = sum(map(len, fakes.told.values()))
            with django_assert_num_queries(1) as asked:
                answers.append(resident.post("/s/link/", {"address": address, "page": "en"}))
            sent.append(sum(map(len, fakes.told.values())) - before)
            queries.append(len(asked))
        first, second = answers
        assert first.status_code == second.status_code == 303
        assert first.serialize() == second.serialize()
        assert sent == [1, 1]
        assert queries[0] == queries[1]


def test_signing_up_answers_known_and_unknown_addresses_alike(resident: Client) -> None:
    subscribed(resident)
    limits.forget()
    seen = []
    for number in (NUMBER, "+4915123456789"):
        answer = resident.post("/s/start/", form(tel=number))
        page = resident.get(answer["Location"])
        word = answer["Location"].split("/")[3]
        seen.append(
            (
                answer.status_code,
                answer.serialize().replace(word.encode(), b"WORD"),
                page.content.replace(word.encode(), b"WORD").replace(f"{number[-3:]}".encode(), b"789"),
                last().name,
            )
        )
    assert seen[0] == seen[1]


@pytest.mark.parametrize("typed", ["", "   ", "x@", "12", "anna@localhost", "a" * 5000, "\x00", "root@[127.0.0.1]"])
def test_what_is_no_address_gets_words(resident: Client, typed: str) -> None:
    answer = resident.post("/s/link/", {"address": typed, "page": "en"})
    assert answer.status_code == 422
    assert 'id="address-fault"' in answer.content.decode()


def test_a_link_while_the_channel_is_down_says_so(resident: Client) -> None:
    fakes.outcomes["sms"].append(Temporary("down"))
    assert resident.post("/s/link/", {"address": NUMBER}).status_code == 503


def test_a_link_that_lost_its_slash_still_leads_there(resident: Client) -> None:
    row = subscribed(resident)
    where = f"/s/leave/{own_word(row)}"
    assert resident.get(where)["Location"] == f"{where}/"
    answer = resident.post(where, {"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer["Location"]) == (308, f"{where}/"), "the method stays, so that one click leaves"
    assert resident.get("/s/nothing/here/").status_code == 404
