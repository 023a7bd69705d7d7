"""Sittings: short, seen by their officer, ended from anywhere; and the key of a session is new at each log-in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from alerts.desk import sittings
from alerts.models import AuditEntry, Sitting
from tests import city
from tests.desk.conftest import PASSWORD
from tests.desk.posting import posted

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def enter(client: Client, name: str = "anna", **more: str) -> Any:
    return client.post("/desk/login/", {"username": name, "password": PASSWORD, "next": "/desk/", **more})


def inside(client: Client) -> bool:
    return client.get("/desk/").status_code == 200


def later(client: Client, *, seen: float = 0, began: float = 0) -> None:
    """As if this client's sitting had been seen, or had begun, so many seconds earlier."""
    session = client.session
    here = session[sittings.HERE]
    session[sittings.HERE] = {**here, "seen": here["seen"] - seen, "began": here["began"] - began}
    session.save()
    sitting = Sitting.objects.get(pk=here["id"])
    Sitting.objects.filter(pk=sitting.pk).update(
        seen_at=sitting.seen_at - dt.timedelta(seconds=seen), began_at=sitting.began_at - dt.timedelta(seconds=began)
    )


class TestBeginning:
    def test_a_log_in_is_listed_without_its_key(self, anna: User) -> None:
        client = Client(headers={"user-agent": FIREFOX})
        enter(client)
        sitting = Sitting.objects.get()
        assert (sitting.officer, sitting.agent, sitting.ended_at) == (anna, "Firefox, Linux", None)
        assert client.cookies["sessionid"].value not in str(Sitting.objects.values())

    @pytest.mark.parametrize("agent", ["", "<script>alert(1)</script>", "x" * 5000, "\x00"])
    def test_a_browser_that_says_nonsense_is_unknown(self, anna: User, agent: str) -> None:
        client = Client(headers={"user-agent": agent, "accept-language": "de"})
        enter(client)
        page = client.get("/desk/access/").content.decode()
        assert "Unbekannter Browser" in page
        assert "alert(1)" not in page

    def test_a_key_known_from_before_is_not_taken_over(self, anna: User) -> None:
        client = Client()
        client.cookies["sessionid"] = "planted0planted0planted0planted0"
        enter(client)
        assert client.cookies["sessionid"].value != "planted0planted0planted0planted0"
        assert inside(client)

    def test_the_key_is_new_also_when_the_same_officer_logs_in_again(self, anna: User) -> None:
        client = Client()
        enter(client)
        before = client.cookies["sessionid"].value
        enter(client)
        assert client.cookies["sessionid"].value != before
        old = Client()
        old.cookies["sessionid"] = before
        assert not inside(old)
        assert Sitting.objects.filter(ended_at=None).count() == 1

    def test_another_officer_in_the_same_browser_ends_the_first_ones_sitting(self, anna: User, bert: User) -> None:
        client = Client()
        enter(client)
        enter(client, "bert")
        assert [row.officer for row in Sitting.objects.filter(ended_at=None)] == [bert]


class TestLasting:
    def test_two_hours_without_a_sign_of_life_end_it(self, page_of: Browser, anna: User, settings: Any) -> None:
        client = page_of(anna)
        later(client, seen=settings.SESSION_COOKIE_AGE - 5)
        assert inside(client)
        later(client, seen=settings.SESSION_COOKIE_AGE + 5)
        assert not inside(client)
        assert not sittings.opened(anna).exists()

    def test_twelve_hours_end_it_whatever_the_officer_does(self, page_of: Browser, anna: User, settings: Any) -> None:
        client = page_of(anna)
        later(client, began=settings.SITTING_SECONDS - 60)
        client.post("/desk/session/")
        assert client.post("/desk/session/").json()["last"]
        later(client, began=61)
        answer = client.post("/desk/session/")
        assert answer["Location"].startswith("/desk/login/")
        assert not Session.objects.filter(pk=client.cookies["sessionid"].value).exists()

    def test_what_was_typed_outlives_it(self, page_of: Browser, anna: User, settings: Any) -> None:
        draft = city.drafted(anna)
        client = page_of(anna)
        data = posted(client, draft) | {"place": "Augustusplatz"}
        later(client, seen=settings.SESSION_COOKIE_AGE + 5)
        answer = client.post(f"/desk/drafts/{draft.pk}/", data)
        assert "Nichts ist verloren" in answer.content.decode()
        again = enter(client, next=answer.context["next"], kept=answer.context["kept"])
        assert "Augustusplatz" in client.get(again["Location"]).content.decode()

    def test_it_is_renewed_at_most_once_a_minute(self, page_of: Browser, anna: User) -> None:
        client = page_of(anna)
        first = Sitting.objects.get().seen_at
        client.get("/desk/")
        assert Sitting.objects.get().seen_at == first
        later(client, seen=sittings.EVERY)
        client.get("/desk/")
        assert Sitting.objects.get().seen_at >= first

    def test_a_page_that_asks_by_itself_keeps_nobody_logged_in(self, page_of: Browser, anna: User, bert: User) -> None:
        message = city.released(anna, bert)
        client = page_of(anna)
        later(client, seen=600)
        before = Sitting.objects.filter(officer=anna).get().seen_at
        address = f"/desk/alert/{message.alert.slug}/progress/1/"
        assert client.get(address, headers={"HX-Request": "true"}).status_code == 200
        assert Sitting.objects.filter(officer=anna).get().seen_at == before

    def test_the_bar_says_until_when_and_a_request_renews_it(self, page_of: Browser, anna: User, settings: Any) -> None:
        client = page_of(anna)
        later(client, seen=3600)
        told = client.get("/desk/session/").json()
        assert told["left"] >= settings.SESSION_COOKIE_AGE - 2, "asking is a sign of life too"
        page = client.get("/desk/").content.decode()
        until = timezone.localtime(timezone.now() + dt.timedelta(seconds=told["left"]))
        assert "Sitzung bis" in page
        assert f"{until:%H}:" in page
        assert told["officer"] == anna.pk

    def test_ended_ones_and_their_sessions_are_swept_away_in_time(self, page_of: Browser, anna: User) -> None:
        page_of(anna)
        Sitting.objects.update(began_at=timezone.now() - dt.timedelta(days=91))
        Session.objects.update(expire_date=timezone.now() - dt.timedelta(days=1))
        page_of(anna)
        assert Sitting.objects.count() == Session.objects.count() == 1


class TestEnding:
    def test_logging_out_ends_it(self, page_of: Browser, anna: User) -> None:
        client = page_of(anna)
        client.post("/desk/logout/")
        assert Sitting.objects.get().ended_at is not None

    def test_an_officer_sees_and_ends_his_others(self, page_of: Browser, anna: User) -> None:
        here, there = page_of(anna), page_of(anna)
        page = here.get("/desk/access/").content.decode()
        assert page.count("Diese Anmeldung beenden") == 1
        assert "Dieses Fenster" in page
        here.post("/desk/access/end/", {"sitting": str(there.session[sittings.HERE]["id"])})
        assert not inside(there)
        assert inside(here)
        assert AuditEntry.objects.filter(action="sittings-ended", actor="anna").exists()

    def test_all_others_at_once(self, page_of: Browser, anna: User, bert: User) -> None:
        here, *others = (page_of(anna) for _number in range(3))
        stranger = page_of(bert)
        here.post("/desk/access/end/", {"sitting": "others"})
        assert [inside(one) for one in others] == [False, False]
        assert inside(here)
        assert inside(stranger)

    def test_but_not_another_officers(self, page_of: Browser, anna: User, bert: User) -> None:
        theirs = page_of(bert)
        for chosen in (str(theirs.session[sittings.HERE]["id"]), "x", "-1", "9" * 30):
            page_of(anna).post("/desk/access/end/", {"sitting": chosen})
        assert inside(theirs)

    def test_an_administrator_ends_another_officers(self, page_of: Browser, anna: User, carla: User) -> None:
        theirs = page_of(anna)
        page_of(carla).post(f"/desk/officers/{anna.pk}/end-sittings/")
        assert not inside(theirs)
        line = AuditEntry.objects.get(action="sittings-ended")
        assert (line.actor, line.subject, line.data) == ("carla", "officer anna", {"count": 1})

    def test_others_do_not(self, page_of: Browser, anna: User, bert: User) -> None:
        theirs = page_of(anna)
        assert page_of(bert).post(f"/desk/officers/{anna.pk}/end-sittings/").status_code == 403
        assert inside(theirs)

    def test_it_leads_nowhere_else(self, page_of: Browser, anna: User, carla: User) -> None:
        answer = page_of(carla).post(f"/desk/officers/{anna.pk}/end-sittings/", {"next": "https://evil.example/"})
        assert answer["Location"] == "/desk/access/"

    def test_a_new_password_ends_the_others_and_keeps_this_one(self, page_of: Browser, anna: User) -> None:
        here, there = page_of(anna), page_of(anna)
        new = "ein-ganz-neues-Passwort-7"
        form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        here.post("/desk/password_change/", form)
        assert inside(here)
        assert not inside(there)
        assert [row.pk for row in sittings.opened(anna)] == [here.session[sittings.HERE]["id"]]
        Client().post("/desk/login/", {"username": "anna", "password": new})
        again = Client()
        again.post("/desk/login/", {"username": "anna", "password": new, "next": "/desk/"})
        again.post("/desk/access/end/", {"sitting": "others"})
        assert not inside(here), "it is still found, under its new key"
