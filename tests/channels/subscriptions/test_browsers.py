"""Push: a browser hands in its subscription, changes it, and nobody else's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from channels.base import Outcome, Permanent, Temporary
from channels.models import Prepared, Subscription
from channels.subscriptions import sealing, wishes
from tests.channels.subscriptions import fakes
from tests.channels.subscriptions.conftest import browser, last, own_word, path, push_wishes

pytestmark = pytest.mark.django_db


def post(client: Client, body: Any, where: str = "/s/push/") -> Any:
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post(where, text, content_type="application/json")


def kept(row: Subscription) -> str:
    return sealing.unseal("push", bytes(row.address))


def as_kept(subscription: dict[str, Any]) -> str:
    return " ".join((subscription["endpoint"], subscription["keys"]["p256dh"], subscription["keys"]["auth"]))


def test_a_browser_is_subscribed_and_welcomed(resident: Client) -> None:
    mine = browser()
    answer = post(resident, push_wishes(mine))
    row = Subscription.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {"manage": f"/s/manage/{own_word(row)}/"}
    assert kept(row) == as_kept(mine)
    assert wishes.of_subscription(row) == wishes.Wishes(("nw",), "Severe", 1, "de", tests=True)
    assert (fakes.told["push"][0][0], last("push").name) == (as_kept(mine), "welcome")
    page = resident.get(answer.json()["manage"]).content.decode()
    assert mine["endpoint"] not in page


def test_the_same_browser_again_changes_its_choice(resident: Client) -> None:
    mine = browser()
    post(resident, push_wishes(mine))
    assert post(resident, push_wishes(mine, area=["fern"])).status_code == 201
    assert wishes.of_subscription(Subscription.objects.get()).areas == ("fern",)


def test_whoever_knows_an_endpoint_alone_takes_nothing_over(resident: Client) -> None:
    mine, other = browser(), browser()
    other["keys"]["auth"] = browser(9)["keys"]["auth"]
    post(resident, push_wishes(mine))
    answer = post(resident, push_wishes(other, area=["fern"]))
    assert answer.status_code == 409
    assert "other keys" in answer.json()["error"]
    row = Subscription.objects.get()
    assert kept(row) == as_kept(mine)
    assert wishes.of_subscription(row).areas == ("nw",)


def test_an_endpoint_that_its_service_does_not_know_is_not_kept(resident: Client) -> None:
    fakes.outcomes["push"].append(Outcome(0, "permanent", "410", gone=True))
    answer = post(resident, push_wishes())
    assert answer.status_code == 410
    assert answer.json()["error"]
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("trouble", [Temporary("503"), Permanent("401"), Outcome(0, "permanent", "400")])
def test_a_welcome_that_fails_for_our_reasons_keeps_the_subscription(resident: Client, trouble: Any) -> None:
    fakes.outcomes["push"].append(trouble)
    assert post(resident, push_wishes()).status_code == 201
    assert Subscription.objects.exists()


def test_an_endpoint_off_the_list_is_refused_before_anything_goes_there(resident: Client) -> None:
    mine = browser()
    fakes.refused.add(mine["endpoint"])
    answer = post(resident, push_wishes(mine))
    assert answer.status_code == 422
    assert "no push service that we know" in answer.json()["error"]
    assert not Subscription.objects.exists()
    assert not fakes.told["push"]


@pytest.mark.parametrize(
    "change",
    [
        # no point of the curve
        {"subscription": {**browser(), "keys": {"p256dh": "B" + "A" * 86, "auth": "A" * 22}}},
        {"subscription": None},
        {"subscription": "x"},
        {"subscription": []},
        {"subscription": {"endpoint": "https://push.example.org/1"}},
        {"subscription": {"endpoint": 1, "keys": {"p256dh": "x", "auth": "y"}}},
        {"subscription": {"endpoint": "http://push.example.org/1", "keys": browser()["keys"]}},
        {"subscription": {"endpoint": "https://user@push.example.org/1", "keys": browser()["keys"]}},
        {"subscription": {"endpoint": "https://push.example.org/1 2", "keys": browser()["keys"]}},
        {"subscription": {"endpoint": "https://push.example.org/\n1", "keys": browser()["keys"]}},
        {"subscription": {"endpoint": "https://", "keys": browser()["keys"]}},
        {"subscription": {"endpoint": "https://push.example.org/" + "x" * 2000, "keys": browser()["keys"]}},
        {"subscription": {"endpoint": "https://push.example.org/1", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}},
        {"area": []},
        {"area": "nw"},
        {"area": [["nw"]]},
        {"area": ["atlantis"]},
        {"topic": []},
        {"topic": {"weather": 1}},
        {"topic": ["gossip"]},
        {"least": None},
        {"least": ["Severe"]},
        {"lang": "tlh"},
        {"lang": 7},
    ],
)  # fmt: skip
def test_what_does_not_fit_gets_plain_words(resident: Client, change: dict[str, Any]) -> None:
    answer = post(resident, push_wishes() | change)
    assert answer.status_code == 422
    words = answer.json()["error"]
    assert words.endswith(".")
    assert "push.example.org" not in words
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("body", ["x", "[]", "null", "1", "[" * 50_000, '{"a":' * 9_000, b"\xff\xfe", "{}"])
def test_what_is_no_json_gets_plain_words(resident: Client, body: Any) -> None:
    answer = post(resident, body)
    assert answer.status_code == 422
    assert answer.json()["error"]


def test_the_words_are_in_the_language_of_the_page(resident: Client) -> None:
    answer = post(resident, push_wishes(area=[], page="de"))
    assert answer["Content-Language"] == "de"


def test_a_form_of_another_kind_is_refused(resident: Client) -> None:
    """Only JSON: a browser asks before it sends that to another site."""
    answer = resident.post("/s/push/", json.dumps(push_wishes()), content_type="text/plain")
    assert answer.status_code == 415
    assert not Subscription.objects.exists()


def test_push_where_no_channel_serves_it(resident: Client, settings: Any) -> None:
    settings.CHANNELS = {name: entry for name, entry in settings.CHANNELS.items() if name != "browsers"}
    assert post(resident, push_wishes()).status_code == 503


def test_a_changed_endpoint_moves_the_subscription_with_its_choice(resident: Client) -> None:
    old, new = browser(1), browser(2)
    post(resident, push_wishes(old))
    row = Subscription.objects.get()
    Prepared.objects.create(pk=row.pk, secret=b"for the old keys")
    answer = post(resident, {"old": old, "new": new}, "/s/push/changed/")
    assert answer.status_code == 200
    assert path(answer.json()["manage"]).startswith("/s/manage/")
    row = Subscription.objects.get()
    assert kept(row) == as_kept(new)
    assert wishes.of_subscription(row).areas == ("nw",)
    assert not Prepared.objects.exists()


def test_the_same_endpoint_may_get_other_keys(resident: Client) -> None:
    old, new = browser(1), browser(2)
    new["endpoint"] = old["endpoint"]
    post(resident, push_wishes(old))
    assert post(resident, {"old": old, "new": new}, "/s/push/changed/").status_code == 200
    assert kept(Subscription.objects.get()) == as_kept(new)


def test_moving_to_an_endpoint_that_is_subscribed_too_leaves_one(resident: Client) -> None:
    old, new = browser(1), browser(2)
    post(resident, push_wishes(old))
    post(resident, push_wishes(new, area=["fern"]))
    assert post(resident, {"old": old, "new": new}, "/s/push/changed/").status_code == 200
    row = Subscription.objects.get()
    assert (kept(row), wishes.of_subscription(row).areas) == (as_kept(new), ("nw",))


def test_only_the_old_secret_moves_a_subscription(resident: Client) -> None:
    old, new = browser(1), browser(2)
    post(resident, push_wishes(old))
    forged = {**old, "keys": {**old["keys"], "auth": browser(9)["keys"]["auth"]}}
    unknown = browser(7)
    answers = [post(resident, {"old": given, "new": new}, "/s/push/changed/") for given in (forged, unknown)]
    assert answers[0].status_code == answers[1].status_code == 409
    assert answers[0].content == answers[1].content
    assert kept(Subscription.objects.get()) == as_kept(old)


def test_a_move_must_not_take_over_somebody_elses_endpoint(resident: Client) -> None:
    mine, theirs = browser(1), browser(2)
    post(resident, push_wishes(mine))
    post(resident, push_wishes(theirs))
    wrong = {**browser(3), "endpoint": theirs["endpoint"]}
    assert post(resident, {"old": mine, "new": wrong}, "/s/push/changed/").status_code == 409
    assert sorted(map(kept, Subscription.objects.all())) == sorted(map(as_kept, (mine, theirs)))


def test_a_move_off_the_list_is_refused(resident: Client) -> None:
    old, new = browser(1), browser(2)
    post(resident, push_wishes(old))
    fakes.refused.add(new["endpoint"])
    assert post(resident, {"old": old, "new": new}, "/s/push/changed/").status_code == 422
    assert kept(Subscription.objects.get()) == as_kept(old)


@pytest.mark.parametrize("body", [{}, {"old": browser()}, {"new": browser()}, {"old": {}, "new": browser()}])
def test_half_a_move_gets_plain_words(resident: Client, body: Any) -> None:
    answer = post(resident, body, "/s/push/changed/")
    assert answer.status_code == 422
    assert answer.json()["error"]
