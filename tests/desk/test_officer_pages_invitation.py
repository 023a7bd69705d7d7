"""A new officer's link: it holds for three days, works once, and whatever is wrong with it is answered alike."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from alerts.desk.officers import enrol, invitations
from alerts.models import Alarm, AuditEntry, RoleRequest
from channels.desk import outbox
from tests.desk.conftest import PASSWORD, with_roles

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
NEW = "vier ganz eigene Wörter"
FORM = {
    "first_name": "Nora",
    "last_name": "Neu",
    "email": "nora@stadt.example",
    "phone": "0151 23456789",
    "username": "nora",
    "roles": ["author", "observer"],
    "reason": "Verstärkung",
}


@pytest.fixture
def admin(page_of: Browser, carla: User) -> Client:
    return page_of(carla)


@pytest.fixture
def nora(desk: None) -> User:
    """An officer who is entered and was never in."""
    user = User.objects.create_user("nora", "nora@stadt.example", is_staff=True)
    user.set_unusable_password()
    user.save()
    return user


@pytest.fixture
def address(nora: User, carla: User) -> str:
    """Where the link leads, below Belfry's address."""
    return path(invitations.invite(nora, carla))


def path(link: str) -> str:
    return "/" + link.split("/", 3)[3]


def stranger() -> Client:
    return Client(headers={"accept-language": "de"})


def take(client: Client, address: str, password: str = NEW) -> Any:
    """Follow the link and set the password."""
    client.get(address)
    return client.post("/desk/invitation/", {"new_password1": password, "new_password2": password})


def password_of(user: User) -> str:
    return User.objects.values_list("password", flat=True).get(pk=user.pk)


def dead(client: Client, address: str) -> bytes:
    """The answer to a link that does not hold, without what differs in every page."""
    answer = client.get(address, follow=True)
    assert answer.redirect_chain == [("/desk/invitation/", 302)]
    assert answer.status_code == 404
    assert "invitation" not in client.session
    return re.sub(rb'name="csrfmiddlewaretoken" value="[^"]*"|value="/desk/[^"]*"', b"", answer.content)


class TestTheWayIn:
    def test_an_officer_is_entered_mailed_and_gets_in(
        self, admin: Client, mailoutbox: list[Any], settings: Any
    ) -> None:
        answer = admin.post("/desk/officers/new/", FORM, follow=True)
        nora = User.objects.get(username="nora")
        assert not nora.has_usable_password()
        assert not nora.groups.exists(), "each role waits for a second administrator"
        assert sorted(RoleRequest.objects.values_list("role__name", flat=True)) == ["author", "observer"]
        assert nora.profile.phone == "+4915123456789"
        (mail,) = [mail for mail in mailoutbox if mail.bcc == ["nora@stadt.example"]]
        link = re.search(r"\S+/desk/invitation/\S+", mail.body)
        assert link is not None
        assert link[0] in answer.content.decode(), "to be handed over by another way"
        client = stranger()
        assert take(client, path(link[0])).status_code == 302
        assert User.objects.get(pk=nora.pk).check_password(NEW)
        assert AuditEntry.objects.filter(action="invitation-used", actor="nora").exists()

    def test_the_page_shows_the_link_once_and_to_who_made_it(
        self, admin: Client, page_of: Browser, mailoutbox: list[Any]
    ) -> None:
        admin.post("/desk/officers/new/", FORM)
        nora = User.objects.get(username="nora")
        other = page_of(with_roles("dora", "administrator"))
        page = f"/desk/officers/{nora.pk}/"
        assert "/desk/invitation/" not in other.get(page).content.decode()
        assert "/desk/invitation/" in admin.get(page).content.decode()
        assert "/desk/invitation/" not in admin.get(page).content.decode()

    def test_where_the_mail_server_is_down_the_link_is_still_there(
        self, admin: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def down(*_args: Any, **_options: Any) -> None:
            raise OSError

        monkeypatch.setattr("alerts.ports.notify", down)
        page = admin.post("/desk/officers/new/", FORM, follow=True).content.decode()
        assert "note-bad" in page
        assert "/desk/invitation/" in page

    def test_the_second_factor_is_begun_with_nothing_of_the_session_before(
        self, address: str, nora: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun: list[User] = []

        def begin(request: Any, officer: User) -> Any:
            begun.append(officer)
            assert "invitation" not in request.session
            return enrol.redirect("admin:login")

        monkeypatch.setattr("alerts.desk.officers.accept.begin_enrolment", begin)
        client = stranger()
        client.get(address)
        before = client.session.session_key
        client.post("/desk/invitation/", {"new_password1": NEW, "new_password2": NEW})
        assert begun == [nora]
        assert client.session.session_key != before

    def test_the_link_alone_lets_nobody_in(self, address: str, settings: Any) -> None:
        settings.SECOND_FACTOR = True
        client = stranger()
        client.get(address)
        assert client.get("/desk/").status_code == 302
        take(client, address)
        assert client.get("/desk/").status_code == 302

    @pytest.mark.parametrize(
        "form",
        [
            {"new_password1": "short", "new_password2": "short"},
            {"new_password1": "nora@stadt.example", "new_password2": "nora@stadt.example"},
            {"new_password1": "password1234", "new_password2": "password1234"},
            {"new_password1": NEW, "new_password2": "a slip of the finger"},
            {},
        ],
    )
    def test_a_bad_password_is_refused_and_the_link_still_holds(
        self, address: str, nora: User, form: dict[str, str]
    ) -> None:
        client = stranger()
        client.get(address)
        before = password_of(nora)
        answer = client.post("/desk/invitation/", form)
        assert answer.status_code == 422
        assert answer.context["form"].errors
        assert password_of(nora) == before
        assert take(client, address).status_code == 302


class TestWhatDoesNotHold:
    def test_used_it_is_over(self, address: str, nora: User) -> None:
        first, second = stranger(), stranger()
        second.get(address)  # opened twice before it was used
        take(first, address)
        kept = password_of(nora)
        assert (
            second.post("/desk/invitation/", {"new_password1": "x" * 20, "new_password2": "x" * 20}).status_code == 404
        )
        dead(stranger(), address)
        assert password_of(nora) == kept

    def test_of_two_at_the_same_moment_one_sets_the_password(self, nora: User, carla: User) -> None:
        invitations.invite(nora, carla)
        one, two = User.objects.get(pk=nora.pk), User.objects.get(pk=nora.pk)
        assert invitations.accept(one, NEW)
        assert not invitations.accept(two, "something else entirely")
        assert User.objects.get(pk=nora.pk).check_password(NEW)

    def test_a_new_one_ends_the_one_before_and_is_told(self, address: str, nora: User, admin: Client) -> None:
        admin.post(f"/desk/officers/{nora.pk}/invite/")
        dead(stranger(), address)
        assert Alarm.objects.filter(key="access invited nora carla").exists()

    def test_after_three_days_it_is_over(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        now = invitations.signed._now()
        monkeypatch.setattr(invitations.signed, "_now", lambda: now + dt.timedelta(hours=71, minutes=59))
        assert stranger().get(address, follow=True).status_code == 200
        monkeypatch.setattr(invitations.signed, "_now", lambda: now + dt.timedelta(hours=72, minutes=1))
        dead(stranger(), address)

    def test_whatever_is_wrong_is_answered_alike(self, address: str, nora: User, bert: User) -> None:
        head, token = address.rstrip("/").rsplit("/", 1)
        others = [
            f"{head}/{token[:-1]}{'0' if token[-1] != '0' else '1'}/",
            f"{head}/x/",
            f"{head}/{token}x/",
            f"/desk/invitation/{bert.pk}/{token}/",  # another officer's
            f"/desk/invitation/0/{token}/",
            f"/desk/invitation/{'9' * 40}/{token}/",  # nobody's
            f"{head}/{default_token_generator.make_token(nora)}/",  # a link of another kind
            f"{head}/{token}%00/",
        ]
        answers = {dead(stranger(), other) for other in others}
        User.objects.filter(pk=nora.pk).update(is_active=False)
        answers.add(dead(stranger(), address))
        assert len(answers) == 1
        assert b"nora" not in answers.pop()

    def test_the_page_without_a_link_shows_nothing(self, nora: User) -> None:
        before = password_of(nora)
        for answer in (stranger().get("/desk/invitation/"), take(stranger(), "/desk/login/")):
            assert answer.status_code == 404
        assert password_of(nora) == before

    def test_who_was_in_and_has_no_second_factor_gets_none(self, admin: Client, bert: User) -> None:
        """The link would be the whole way: one administrator alone would be in another's account."""
        User.objects.filter(pk=bert.pk).update(last_login=dt.datetime.now(dt.UTC))
        before = password_of(bert)
        admin.post(f"/desk/officers/{bert.pk}/invite/")
        assert password_of(bert) == before
        assert not AuditEntry.objects.filter(action="invited").exists()

    def test_who_forgot_his_password_gets_one_that_leaves_the_second_factor_and_is_told(
        self, admin: Client, bert: User, mailoutbox: list[Any], settings: Any
    ) -> None:
        TOTPDevice.objects.create(user=bert, name="authenticator")
        User.objects.filter(pk=bert.pk).update(last_login=dt.datetime.now(dt.UTC))
        page = admin.post(f"/desk/officers/{bert.pk}/invite/", follow=True).content.decode()
        assert Alarm.objects.filter(key="access invited bert carla").exists()
        client = stranger()
        client.post("/desk/login/", {"username": "bert", "password": PASSWORD, "next": "/desk/"})
        assert client.get("/desk/").status_code == 302, "the old password has ended"
        link = re.search(r"/desk/invitation/\S+?(?=<)", page)
        assert link is not None
        assert take(client, link[0])["Location"] == "/desk/login/", "and nobody enrols another factor by it"
        settings.SECOND_FACTOR = True
        client.post("/desk/login/", {"username": "bert", "password": NEW, "token": "000000", "next": "/desk/"})
        assert client.get("/desk/").status_code == 302
        assert TOTPDevice.objects.filter(user=bert).count() == 1


class TestTheOpenDoor:
    def test_who_goes_on_trying_is_stopped_and_his_log_in_with_him(
        self, address: str, settings: Any, anna: User
    ) -> None:
        settings.AXES_ENABLED = True
        client = stranger()
        answers = [client.get(f"/desk/invitation/{number}/guess-{number}/").status_code for number in range(6)]
        assert answers[0] == 302
        assert answers[-1] == 429
        assert client.get(address).status_code == 429, "the right one too, for now"
        kept = str(list(AccessAttempt.objects.values()))
        assert "guess" not in kept, "what was tried is kept nowhere"

    def test_no_trace_of_the_link_in_headers_log_and_browser(
        self, address: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        token = address.rstrip("/").rsplit("/", 1)[1]
        client = stranger()
        with caplog.at_level(logging.DEBUG):
            answers = [client.get(address), client.get("/desk/invitation/"), client.get(address[:-2] + "/")]
        for answer in answers:
            assert "no-store" in answer["Cache-Control"]
        assert answers[0]["Referrer-Policy"] == answers[2]["Referrer-Policy"] == "no-referrer"
        assert answers[1]["Referrer-Policy"] == "same-origin", "without it the form's Origin would be null"
        assert answers[0]["Location"] == "/desk/invitation/", "out of the address at once"
        assert token not in answers[1].content.decode()
        assert token[:-1] not in caplog.text

    def test_it_leads_nowhere_else(self, address: str) -> None:
        client = stranger()
        assert client.get(f"{address}?next=https://evil.example/").headers["Location"] == "/desk/invitation/"
        form = {"new_password1": NEW, "new_password2": NEW, "next": "https://evil.example/"}
        answer = client.post("/desk/invitation/?next=https://evil.example/", form)
        assert answer["Location"].startswith("/desk/")

    def test_a_form_without_its_token_sets_nothing(self, address: str, nora: User) -> None:
        client = Client(enforce_csrf_checks=True)
        client.get(address, follow=True)
        before = password_of(nora)
        assert client.post("/desk/invitation/", {"new_password1": NEW, "new_password2": NEW}).status_code == 403
        assert password_of(nora) == before

    def test_an_officer_who_opens_the_link_of_another_uses_nothing_up(
        self, address: str, admin: Client, nora: User
    ) -> None:
        assert admin.get(address, follow=True).status_code == 403
        assert admin.post("/desk/invitation/", {"new_password1": NEW, "new_password2": NEW}).status_code == 403
        assert admin.get("/desk/").status_code == 200
        assert take(stranger(), address).status_code == 302

    def test_looking_at_the_link_uses_nothing_up(self, address: str) -> None:
        for _time in range(3):
            assert stranger().get(address, follow=True).status_code == 200
        assert stranger().post(address).status_code == 405
        assert take(stranger(), address).status_code == 302

    def test_other_officers_do_not_find_the_link_in_the_outbox(self) -> None:
        said = str(outbox._text("Hier: http://127.0.0.1:8000/desk/invitation/7/abc-def123/ bis morgen"))
        assert "abc-def123" not in said
        assert "bis morgen" in said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "with space"),
        ("username", "ANNA"),
        ("username", "Belfry"),
        ("username", ""),
        ("email", "anna@city.example"),
        ("email", "none"),
        ("phone", "110"),
        ("roles", ["king"]),
        ("reason", ""),
    ],
)
def test_a_new_officer_who_is_not_whole_is_refused_at_the_field(
    admin: Client, anna: User, mailoutbox: list[Any], field: str, value: Any
) -> None:
    answer = admin.post("/desk/officers/new/", FORM | {field: value})
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert answer.context["form"]["last_name"].value() == "Neu"
    assert not User.objects.filter(email=FORM["email"]).exists()
    assert not RoleRequest.objects.exists()
    assert mailoutbox == []


def test_before_the_link_is_used_no_password_lets_in(nora: User, address: str) -> None:
    for password in (PASSWORD, "", "!", password_of(nora)):
        client = stranger()
        client.post("/desk/login/", {"username": "nora", "password": password, "next": "/desk/"})
        assert client.get("/desk/").status_code == 302
