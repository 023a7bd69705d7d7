"""Signing up by SMS and e-mail: form, code, link, and nothing before the holder's yes."""

from __future__ import annotations

import datetime as dt
import re
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from channels.base import Outcome, Temporary, Uncertain
from channels.models import SignUp, Subscription
from channels.subscriptions import addresses, sealing, signing_up, telling, tokens, wishes
from tests.channels.subscriptions import fakes
from tests.channels.subscriptions.conftest import (
    MAIL,
    NUMBER,
    by_mail,
    code,
    last,
    path,
    sign_up,
    subscribed,
)
from tests.channels.subscriptions.conftest import wishes as form

pytestmark = pytest.mark.django_db


def test_a_number_is_subscribed_once_its_code_came_back(resident: Client) -> None:
    answer = resident.post("/s/start/", form(tests="1"))
    assert answer.status_code == 303
    assert not Subscription.objects.exists()
    assert fakes.told["sms"][0][0] == NUMBER

    page = resident.get(answer["Location"]).content.decode()
    assert "+49 … 678" in page
    assert NUMBER not in page

    answer = resident.post(answer["Location"], {"code": code()})
    row = Subscription.objects.get()
    assert wishes.of_subscription(row) == wishes.Wishes(("nw", "so"), "Moderate", 3, "en", tests=True)
    assert sealing.unseal("sms", bytes(row.address)) == NUMBER
    assert not SignUp.objects.exists()
    assert answer.status_code == 303
    page = resident.get(answer["Location"]).content.decode()
    assert "Done: from now on you get warnings." in page
    assert "Send me a test" in page


def test_a_mailbox_is_subscribed_once_the_button_behind_its_link_is_pressed(resident: Client) -> None:
    answer = resident.post("/s/start/", by_mail())
    assert answer.status_code == 303
    assert "Look into your mailbox" in resident.get(answer["Location"]).content.decode()
    address, service, _recipient = fakes.told["email"][0]
    assert address == MAIL
    assert "Nordwest, Südost" in service.body

    page = resident.get(path(service.url))
    assert page.status_code == 200
    assert "Nordwest, Südost" in page.content.decode()
    assert not Subscription.objects.exists(), "a scanner opens every link"

    answer = resident.post(path(service.url))
    assert answer.status_code == 303
    assert answer["Location"].startswith("/s/manage/")
    assert sealing.unseal("email", bytes(Subscription.objects.get().address)) == MAIL
    assert resident.get(path(service.url)).status_code == 404, "used"


def test_one_address_has_one_subscription_and_the_newest_wish_holds(resident: Client) -> None:
    first = subscribed(resident)
    again = subscribed(resident, area=["fern"], topic=["supply"], least="Extreme")
    assert again.pk == first.pk
    assert wishes.of_subscription(again) == wishes.Wishes(("fern",), "Extreme", 16, "en", tests=False)


def test_confirming_forgets_every_sign_up_of_the_address_and_no_other(resident: Client) -> None:
    resident.post("/s/start/", form(area=["fern"]))
    resident.post("/s/start/", form(tel="0151 23456789"))
    subscribed(resident)
    assert [signing_up.address_of(left) for left in SignUp.objects.all()] == ["+4915123456789"]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"way": ""}, "ways", "Choose how we are to reach you."),
        ({"way": "fax"}, "ways", "Choose how we are to reach you."),
        ({"way": "push"}, "ways", "Push is switched on by the button"),
        ({"tel": ""}, "tel", "Enter your mobile number."),
        ({"tel": "12"}, "tel", "This is not a complete mobile number."),
        ({"tel": "+43 664 1234567"}, "tel", "numbers that begin with +49 alone"),
        ({"area": []}, "areas", "Choose at least one district, or the whole city."),
        ({"area": ["nw", "atlantis"]}, "areas", "One of the districts is not in the city"),
        ({"topic": []}, "topics", "Choose at least one topic."),
        ({"topic": ["gossip"]}, "topics", "One of the topics does not exist."),
        ({"least": "Nice"}, "content", "Choose from which level on"),
        ({"lang": "tlh"}, "content", "Choose one of the languages."),
        ({"website": "https://spam.example"}, "website", "Leave this field empty"),
    ],
)
def test_a_fault_names_its_field_and_the_mend(resident: Client, change: Any, field: str, words: str) -> None:
    answer = resident.post("/s/start/", form(**change))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert re.search(rf'<a href="#{field}">[^<]*{re.escape(words)}', page)
    assert f'id="{field}"' in page
    assert not SignUp.objects.exists()
    assert not fakes.told["sms"]


def test_nothing_typed_is_lost_over_a_fault(resident: Client) -> None:
    given = form(tel="0151 / 1234", area=["so"], least="Extreme", topic=["health"], lang="de-simple", tests="1")
    page = resident.post("/s/start/", given).content.decode()
    assert 'value="0151 / 1234"' in page
    checked = re.findall(r'<input type="(?:checkbox|radio)" name="(\w+)" value="([\w-]+)"[^>]*checked', page)
    assert checked == [
        ("way", "sms"), ("area", "so"), ("least", "Extreme"), ("topic", "health"), ("lang", "de-simple"),
        ("tests", "1"),
    ]  # fmt: skip


def test_all_faults_are_told_at_once(resident: Client) -> None:
    page = resident.post("/s/start/", form(tel="x", area=[], topic=[])).content.decode()
    assert page.count('<li><a href="#') >= 3


def test_an_ancestor_chosen_with_its_part_stays_as_it_is(resident: Client) -> None:
    row = subscribed(resident, area=["nw", "city", "nw"])
    assert wishes.of_subscription(row).areas == ("city", "nw")


def test_no_area_never_means_everywhere(resident: Client) -> None:
    from alerts.models import Area

    answer = resident.post("/s/start/", form(area=["fern"]))
    Area.objects.filter(code="fern").update(active=False)
    answer = resident.post(answer["Location"], {"code": code()})
    assert answer.status_code == 422
    assert "Choose at least one district" in answer.content.decode()
    assert not Subscription.objects.exists()


def test_a_district_given_up_meanwhile_is_left_out(resident: Client) -> None:
    from alerts.models import Area

    answer = resident.post("/s/start/", form(area=["fern", "so"]))
    Area.objects.filter(code="fern").update(active=False)
    resident.post(answer["Location"], {"code": code()})
    assert wishes.of_subscription(Subscription.objects.get()).areas == ("so",)


def test_five_wrong_codes_and_the_right_one_opens_nothing_any_more(resident: Client) -> None:
    where = resident.post("/s/start/", form())["Location"]
    right = code()
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    for _try in range(4):
        page = resident.post(where, {"code": wrong})
        assert page.status_code == 422
        assert "another code" in page.content.decode()
    assert "does not hold any more" in resident.post(where, {"code": wrong}).content.decode()
    assert resident.post(where, {"code": right}).status_code == 422
    assert not Subscription.objects.exists()


def test_a_code_may_be_typed_with_blanks_and_in_other_digits(resident: Client) -> None:
    where = resident.post("/s/start/", form())["Location"]
    typed = "".join(chr(0xFF10 + int(digit)) for digit in code())
    assert resident.post(where, {"code": f" {typed[:3]} {typed[3:]} "}).status_code == 303


def test_an_empty_code_costs_no_try(resident: Client) -> None:
    where = resident.post("/s/start/", form())["Location"]
    assert "Type in the six digits" in resident.post(where, {"code": " "}).content.decode()
    assert sign_up().tries == 0


def test_a_code_holds_for_fifteen_minutes(resident: Client) -> None:
    where = resident.post("/s/start/", form())["Location"]
    old = code()
    SignUp.objects.update(created_at=timezone.now() - dt.timedelta(minutes=15, seconds=1))
    assert "does not hold any more" in resident.get(where).content.decode()
    assert resident.post(where, {"code": old}).status_code == 422
    assert not Subscription.objects.exists()

    answer = resident.post(where, {"again": "1"})
    assert answer.status_code == 303
    assert not answer["Location"].startswith(where), "a new sign-up with a new code"
    assert resident.post(answer["Location"], {"code": code()}).status_code == 303
    assert Subscription.objects.get().language == "en"


def test_the_code_comes_again_once_a_minute_and_is_the_same(resident: Client) -> None:
    where = resident.post("/s/start/", form())["Location"]
    first = code()
    answer = resident.post(where, {"again": "1"})
    assert answer.status_code == 303
    assert "We have sent an SMS once more." in resident.get(answer["Location"]).content.decode()
    assert (len(fakes.told["sms"]), code()) == (2, first)
    answer = resident.post(where, {"again": "1"})
    assert answer.status_code == 429
    assert "Try again in 1 minute." in answer.content.decode()
    assert answer["Retry-After"] == "60"
    assert len(fakes.told["sms"]) == 2


def test_the_link_of_a_mail_comes_again_too(resident: Client) -> None:
    where = resident.post("/s/start/", by_mail())["Location"]
    assert resident.post(where, {"again": "1"}).status_code == 303
    assert len(fakes.told["email"]) == 2
    assert resident.post(where, {"code": "123456"}).status_code == 200, "a mail has no code"


def test_codes_differ_and_are_not_kept(resident: Client) -> None:
    said = set()
    for number in range(20):
        row = signing_up.begin("sms", f"+49151000000{number:02}", wishes.of_everything("de"), page="de")
        row.refresh_from_db()
        digits = signing_up.code_of(row)
        said.add(digits)
        assert digits not in row.code
        assert row.lookup == addresses.lookup("sms", f"+49151000000{number:02}")
    assert len(said) > 15


def test_a_link_holds_for_a_day(resident: Client) -> None:
    resident.post("/s/start/", by_mail())
    SignUp.objects.update(created_at=timezone.now() - dt.timedelta(days=1, seconds=1))
    assert resident.post(path(last("email").url)).status_code == 404
    assert not Subscription.objects.exists()


def test_subscribing_somebody_else_needs_their_yes(resident: Client) -> None:
    """A stranger may type any address; only what reached its holder opens anything."""
    where = resident.post("/s/start/", by_mail())["Location"]
    word = where.split("/")[3]
    for address in (f"/s/yes/{word}/", f"/s/manage/{word}/", f"/s/leave/{word}/"):
        assert resident.post(address).status_code == 404, address
    assert not Subscription.objects.exists()


def test_the_wish_of_a_stranger_changes_nothing_of_who_has_subscribed(resident: Client) -> None:
    row = subscribed(resident)
    resident.post("/s/start/", form(area=["fern"], least="Extreme"))
    assert wishes.of_subscription(row).areas == ("nw", "so")


@pytest.mark.parametrize(
    "trouble", [Temporary("phones answered 503"), fakes.Outcome(0, "temporary", "busy")], ids=["channel", "recipient"]
)
def test_a_channel_that_is_down_says_so_and_loses_nothing(resident: Client, trouble: Any) -> None:
    fakes.outcomes["sms"].append(trouble)
    answer = resident.post("/s/start/", form())
    assert answer.status_code == 503
    assert "At the moment we can&#x27;t send any SMS" in answer.content.decode()
    assert 'value="0151 12345678"' in answer.content.decode()
    assert not SignUp.objects.exists()


@pytest.mark.parametrize("trouble", [Uncertain("no answer in time"), Outcome(0, "permanent", "opted out", gone=True)])
def test_what_may_have_gone_out_and_what_this_number_refuses_look_alike(resident: Client, trouble: Any) -> None:
    fakes.outcomes["sms"].append(trouble)
    assert resident.post("/s/start/", form()).status_code == 303


def test_the_way_that_nothing_serves_is_not_offered(resident: Client, settings: Any) -> None:
    settings.CHANNELS = {name: entry for name, entry in settings.CHANNELS.items() if name != "phones"}
    page = resident.get("/s/start/").content.decode()
    assert 'name="tel"' not in page
    assert resident.post("/s/start/", form()).status_code == 422


def test_pages_speak_the_language_they_were_read_in(resident: Client) -> None:
    for tag in ("de", "de-simple", "en"):
        answer = resident.post("/s/start/", form(page=tag, tel=f"0151 2345678{len(tag)}", lang="en"))
        page = resident.get(answer["Location"])
        assert f'<html lang="{tag}"' in page.content.decode()
        assert page["Content-Language"] == tag
    other = resident.get(answer["Location"] + "?page=de")
    assert '<html lang="de"' in other.content.decode()


@pytest.mark.parametrize("word", ["x", "A" * 36, "ä" * 36, "x" * 5000, "%00", "..%2f..%2fetc", "%E2%80%AE"])
def test_a_word_that_was_never_ours_opens_nothing_and_asks_nothing(
    resident: Client, word: str, django_assert_num_queries: Any
) -> None:
    for place in ("confirm", "yes", "manage", "leave", "test"):
        with django_assert_num_queries(0):
            assert resident.post(f"/s/{place}/{word}/").status_code == 404, place
            assert resident.get(f"/s/{place}/{word}/").status_code == 404, place


def test_a_word_of_another_purpose_opens_nothing(resident: Client) -> None:
    resident.post("/s/start/", by_mail())
    row = sign_up().pk
    for purpose in ("own", "bounce", "code"):
        assert resident.post(f"/s/yes/{tokens.make(purpose, row)}/").status_code == 404
    for purpose in ("own", "bounce", "confirm"):
        assert resident.get(f"/s/confirm/{tokens.make(purpose, row)}/").status_code == 404
    assert not Subscription.objects.exists()


def test_an_altered_word_opens_nothing(resident: Client) -> None:
    resident.post("/s/start/", by_mail())
    good = path(last("email").url).split("/")[3]
    for place in range(len(good)):
        other = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        assert resident.post(f"/s/yes/{other}/").status_code == 404
    assert not Subscription.objects.exists()


def test_a_provider_that_hangs_takes_no_more_than_half_of_the_threads(resident: Client) -> None:
    """Officers work in the same processes: whoever comes while others are being served is told to come again."""
    hung = [telling._room.acquire(blocking=False) for _text in range(telling.AT_ONCE)]
    try:
        assert all(hung)
        answer = resident.post("/s/start/", form())
        assert answer.status_code == 503
        assert 'value="0151 12345678"' in answer.content.decode()
    finally:
        for _text in hung:
            telling._room.release()
    assert resident.post("/s/start/", form()).status_code == 303


def test_an_error_on_the_way_gives_its_place_back(resident: Client) -> None:
    # twice as many as there are places, and fewer than one client may post
    for _text in range(2 * telling.AT_ONCE):
        fakes.outcomes["sms"].append(Temporary("down"))
        assert resident.post("/s/start/", form()).status_code == 503
    answer = resident.post("/s/start/", form())
    assert answer.status_code == 303
    assert len(fakes.told["sms"]) == 1, "what was not sent has not used up the texts of this number"


def test_a_new_code_that_can_t_be_sent_leaves_the_page_as_it_was(resident: Client) -> None:
    where = resident.post("/s/start/", form())["Location"]
    SignUp.objects.update(created_at=timezone.now() - dt.timedelta(minutes=16))
    fakes.outcomes["sms"].append(Temporary("down"))
    assert resident.post(where, {"again": "1"}).status_code == 503
    assert SignUp.objects.count() == 1
    assert resident.get(where).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_confirming_twice_at_the_same_time_makes_one_subscription(town: None) -> None:
    rows = [signing_up.begin("sms", NUMBER, wishes.of_everything("de"), page="de") for _number in range(4)]
    start, came = threading.Barrier(len(rows)), []

    def confirm(row: SignUp) -> None:
        start.wait(10)
        try:
            came.append(signing_up.confirm(row.pk).pk)
        except signing_up.Gone:
            came.append(0)
        finally:
            connection.close()

    threads = [threading.Thread(target=confirm, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(came) == len(rows)
    assert set(came) - {0} == {Subscription.objects.get().pk}
    assert not SignUp.objects.exists()


def test_a_channel_in_rehearsal_serves_nobody(resident: Client, settings: Any) -> None:
    """It would take the number, and no alert would ever come."""
    settings.CHANNELS = settings.CHANNELS | {"phones": {"adapter": "tests.channels.subscriptions.fakes.Phones"}}
    assert 'name="tel"' not in resident.get("/s/start/").content.decode()
    assert resident.post("/s/start/", form()).status_code == 422
    assert not fakes.told["sms"]
