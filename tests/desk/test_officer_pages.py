"""The officers' pages: who is there, roles by two administrators, and no other way to a role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from alerts import roles
from alerts.models import Alarm, AuditEntry, Decision, Profile, RoleRequest
from tests import city
from tests.desk.conftest import with_roles

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
WHY = "Vertretung im Lagezentrum"


@pytest.fixture
def dora(desk: None) -> User:
    """A second administrator."""
    return with_roles("dora", "administrator")


def held(officer: User) -> list[str]:
    return sorted(officer.groups.values_list("name", flat=True))


def details(officer: User, **changes: Any) -> dict[str, Any]:
    form = {"first_name": "Anna", "last_name": "Autorin", "email": officer.email, "phone": ""}
    return form | changes


def new(**changes: Any) -> dict[str, Any]:
    form = {"first_name": "Nora", "last_name": "Neu", "email": "nora@stadt.example", "phone": "", "username": "nora"}
    return form | {"roles": ["author"], "reason": WHY} | changes


def state() -> tuple[Any, ...]:
    """Everything that a forged post must not change."""
    users = User.objects.order_by("pk")
    return (
        list(
            users.values("pk", "username", "first_name", "email", "is_active", "is_staff", "is_superuser", "password")
        ),
        list(users.values_list("pk", "groups", "user_permissions")),
        list(RoleRequest.objects.order_by("pk").values()),
        list(Profile.objects.order_by("pk").values("officer", "phone")),
        AuditEntry.objects.exclude(action="logged-in").count(),
        Alarm.objects.count(),
    )


ACTS: dict[str, Callable[[User, RoleRequest], tuple[str, dict[str, Any]]]] = {
    "enter": lambda _bert, _request: ("officers/new/", new()),
    "change": lambda bert, _request: (f"officers/{bert.pk}/", details(bert, email="elsewhere@stadt.example")),
    "invite": lambda bert, _request: (f"officers/{bert.pk}/invite/", {}),
    "put out of use": lambda bert, _request: (f"officers/{bert.pk}/in-use/", {"in_use": "no"}),
    "ask": lambda bert, _request: (f"officers/{bert.pk}/ask/", {"role": "author", "reason": WHY}),
    "take": lambda bert, _request: (f"officers/{bert.pk}/take/", {"role": "approver"}),
    "give": lambda _bert, request: (f"roles/{request.pk}/give/", {}),
    "refuse": lambda _bert, request: (f"roles/{request.pk}/refuse/", {}),
    "take back": lambda _bert, request: (f"roles/{request.pk}/take-back/", {}),
}


@pytest.fixture
def request_row(bert: User, carla: User) -> RoleRequest:
    return roles.ask(bert, "observer", carla, WHY)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("role", ["author", "approver", "observer", "drill leader", ""])
def test_a_forged_post_by_any_other_role_changes_nothing(
    page_of: Browser, bert: User, request_row: RoleRequest, act: str, role: str
) -> None:
    address, form = ACTS[act](bert, request_row)
    other = page_of(with_roles("other", *([role] if role else [])))
    before = state()
    assert other.post(f"/desk/{address}", form).status_code == 403
    assert state() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_post_without_the_token_of_its_page_changes_nothing(
    dora: User, bert: User, request_row: RoleRequest, act: str
) -> None:
    address, form = ACTS[act](bert, request_row)
    client = Client(enforce_csrf_checks=True)
    client.force_login(dora)
    before = state()
    assert client.post(f"/desk/{address}", form).status_code == 403
    assert state() == before


@pytest.mark.parametrize("act", set(ACTS) - {"enter", "change"})
def test_a_get_changes_nothing(page_of: Browser, dora: User, bert: User, request_row: RoleRequest, act: str) -> None:
    before = state()
    assert page_of(dora).get(f"/desk/{ACTS[act](bert, request_row)[0]}").status_code == 302
    assert state() == before


class TestNoOtherWay:
    """Django's own forms show accounts and change none."""

    FORGED = {
        "username": "bert",
        "email": "elsewhere@stadt.example",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "user_permissions": ["1", "2"],
        "password1": "ein-ganz-neues-Passwort-7",
        "password2": "ein-ganz-neues-Passwort-7",
        "usable_password": "true",
        "set-password": "1",
    }

    @pytest.mark.parametrize("role", ["author", "approver", "administrator", "observer", "drill leader"])
    def test_to_a_role_a_permission_or_another_ones_password(self, page_of: Browser, bert: User, role: str) -> None:
        me = with_roles("me", role)
        client = page_of(me)
        group = Group.objects.get(name="approver")
        forged = self.FORGED | {"groups": [row.pk for row in Group.objects.all()]}
        before = state()
        for address in (
            f"auth/user/{bert.pk}/change/",
            f"auth/user/{me.pk}/change/",
            "auth/user/add/",
            f"auth/user/{bert.pk}/password/",
            f"auth/user/{bert.pk}/delete/",
            f"auth/group/{group.pk}/change/",
            "auth/group/add/",
            "alerts/profile/add/",
            "alerts/rolerequest/add/",
        ):
            answer = client.post(f"/desk/{address}", forged)
            assert answer.status_code in {403, 404}, address
        client.post("/desk/auth/user/", {"action": "delete_selected", "_selected_action": [bert.pk], "post": "yes"})
        assert state() == before
        assert list(group.permissions.values_list("codename", flat=True).order_by("codename")) == [
            "approve_draft",
            "break_glass",
            "open_gate",
        ]

    def test_and_more_fields_in_our_own_forms_are_ignored(self, page_of: Browser, carla: User, bert: User) -> None:
        extra = {"groups": ["1"], "is_superuser": "on", "is_staff": "", "is_active": "", "username": "eve"}
        page_of(carla).post(f"/desk/officers/{bert.pk}/", details(bert, **extra))
        bert.refresh_from_db()
        assert (bert.username, bert.is_active, bert.is_staff, bert.is_superuser) == ("bert", True, True, False)
        assert held(bert) == ["approver"]

    def test_accounts_are_shown_to_administrators_alone_and_without_their_password(
        self, page_of: Browser, carla: User, bert: User
    ) -> None:
        page = page_of(carla).get(f"/desk/auth/user/{bert.pk}/change/")
        assert page.status_code == 200
        assert bert.password not in page.content.decode()
        assert page_of(bert).get("/desk/auth/user/").status_code == 403


class TestRoles:
    def test_one_asks_a_second_one_gives(self, page_of: Browser, anna: User, carla: User, dora: User) -> None:
        asking = page_of(carla)
        asking.post(f"/desk/officers/{anna.pk}/ask/", {"role": "approver", "reason": WHY})
        request = RoleRequest.objects.get()
        assert asking.post(f"/desk/roles/{request.pk}/give/").status_code == 302
        assert held(anna) == ["author"], "not by who asked"
        first_screen = page_of(dora).get("/desk/").content.decode()
        assert f"/desk/officers/{anna.pk}/" in first_screen
        page_of(dora).post(f"/desk/roles/{request.pk}/give/")
        assert held(anna) == ["approver", "author"]
        assert Alarm.objects.filter(text__contains="dora", ended_at=None).exists()

    def test_the_request_stands_at_the_desk_of_those_who_can_decide_it(
        self, page_of: Browser, anna: User, carla: User, dora: User
    ) -> None:
        roles.ask(anna, "approver", carla, WHY)
        give = "/give/"
        for officer, sees, decides in ((carla, True, False), (dora, True, True)):
            page = page_of(officer).get("/desk/officers/").content.decode()
            assert (WHY in page) is sees
            assert (give in page) is decides
        assert page_of(carla).get("/desk/").content.decode().count("roles-waiting") == 0
        assert "roles-waiting" in page_of(dora).get("/desk/").content.decode()
        assert "/desk/officers/" in page_of(dora).get("/desk/office/").content.decode()
        assert "/desk/officers/" not in page_of(anna).get("/desk/office/").content.decode(), "no link that is refused"

    def test_one_about_oneself_is_not_decided_by_oneself(self, page_of: Browser, carla: User, dora: User) -> None:
        request = roles.ask(dora, "approver", carla, WHY)
        client = page_of(dora)
        assert "/give/" not in client.get(f"/desk/officers/{dora.pk}/").content.decode()
        client.post(f"/desk/roles/{request.pk}/give/")
        assert held(dora) == ["administrator"]

    def test_ones_own_roles_and_account_have_no_buttons_and_no_forged_post_changes_them(
        self, page_of: Browser, carla: User
    ) -> None:
        client = page_of(carla)
        page = client.get(f"/desk/officers/{carla.pk}/").content.decode()
        for act, form in (
            ("ask", {"role": "approver", "reason": WHY}),
            ("take", {"role": "administrator"}),
            ("in-use", {"in_use": "no"}),
            ("invite", {}),
        ):
            assert f"/desk/officers/{carla.pk}/{act}/" not in page
            client.post(f"/desk/officers/{carla.pk}/{act}/", form)
        carla.refresh_from_db()
        assert held(carla) == ["administrator"]
        assert carla.is_active
        assert carla.has_usable_password()
        assert not RoleRequest.objects.exists()

    def test_decided_twice_the_second_one_is_told_so(
        self, page_of: Browser, anna: User, carla: User, dora: User
    ) -> None:
        request = roles.ask(anna, "approver", carla, WHY)
        page_of(dora).post(f"/desk/roles/{request.pk}/refuse/")
        answer = page_of(with_roles("erna", "administrator")).post(f"/desk/roles/{request.pk}/give/", follow=True)
        assert "note-bad" in answer.content.decode()
        assert held(anna) == ["author"]
        assert RoleRequest.objects.get().decision == Decision.REFUSED

    def test_a_role_is_taken_by_one_and_gone_with_the_next_page(
        self, page_of: Browser, anna: User, carla: User
    ) -> None:
        author = page_of(anna)
        assert author.get("/desk/new/").status_code == 200
        page_of(carla).post(f"/desk/officers/{anna.pk}/take/", {"role": "author"})
        assert author.get("/desk/new/").status_code == 403

    @pytest.mark.parametrize("form", [{"role": "king", "reason": WHY}, {"role": "approver", "reason": " "}, {}])
    def test_a_request_that_is_not_whole_is_refused_in_its_place(
        self, page_of: Browser, anna: User, carla: User, form: dict[str, str]
    ) -> None:
        answer = page_of(carla).post(f"/desk/officers/{anna.pk}/ask/", form)
        assert answer.status_code == 422
        assert answer.context["asking"].errors
        assert not RoleRequest.objects.exists()

    def test_with_one_administrator_the_page_says_what_to_run(self, page_of: Browser, carla: User, anna: User) -> None:
        client = page_of(carla)
        assert "manage.py first_officer" in client.get("/desk/officers/").content.decode()
        with_roles("dora", "administrator")
        assert "manage.py first_officer" not in client.get("/desk/officers/").content.decode()

    def test_an_unknown_request_or_officer_is_no_fault_of_ours(self, page_of: Browser, carla: User) -> None:
        client = page_of(carla)
        for number in ("0", "99999", "9" * 40):
            assert client.post(f"/desk/roles/{number}/give/").status_code == 302
            assert client.get(f"/desk/officers/{number}/").status_code == 404
            assert client.post(f"/desk/officers/{number}/take/", {"role": "author"}).status_code == 404


class TestOfficers:
    def test_the_list_says_who_is_there_and_what_each_lacks(
        self, page_of: Browser, anna: User, bert: User, carla: User
    ) -> None:
        city.released(anna, bert, status="Exercise")
        TOTPDevice.objects.create(user=bert, name="authenticator")
        StaticDevice.objects.create(user=anna, name="backup codes")
        roles.ask(anna, "approver", carla, WHY)
        User.objects.filter(pk=anna.pk).update(is_active=False)
        rows = {row.officer.username: row for row in page_of(carla).get("/desk/officers/").context["rows"]}
        assert list(rows)[-1] == "anna", "who is out of use stands last"
        assert rows["bert"].factor
        assert not rows["anna"].factor, "backup codes alone are no second factor"
        assert rows["anna"].drilled == rows["bert"].drilled is not None
        assert rows["carla"].drilled is None
        assert [request.role.name for request in rows["anna"].asked] == ["approver"]

    def test_the_list_asks_the_database_as_often_for_many_as_for_few(
        self, page_of: Browser, carla: User, django_assert_num_queries: Any
    ) -> None:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        client = page_of(carla)
        with CaptureQueriesContext(connection) as few:
            client.get("/desk/officers/")
        for number in range(12):
            with_roles(f"officer{number}", "author", "approver")
        with django_assert_num_queries(len(few)):
            client.get("/desk/officers/")

    def test_name_address_and_phone_are_kept_and_what_reaches_him_is_told(
        self, page_of: Browser, anna: User, carla: User
    ) -> None:
        form = details(anna, email="neu@stadt.example", phone="0151 23456789")
        page_of(carla).post(f"/desk/officers/{anna.pk}/", form)
        anna.refresh_from_db()
        assert (anna.first_name, anna.email, anna.profile.phone) == ("Anna", "neu@stadt.example", "+4915123456789")
        line = AuditEntry.objects.get(action="access-changed")
        assert line.data == {"what": ["email", "phone"]}
        assert Alarm.objects.filter(key__startswith="access email phone anna").exists()
        kept = str(list(AuditEntry.objects.values_list("data", flat=True))) + str(list(Alarm.objects.values("text")))
        assert "neu@stadt.example" not in kept
        assert "23456789" not in kept

    def test_a_new_name_alone_is_no_alarm(self, page_of: Browser, anna: User, carla: User) -> None:
        page_of(carla).post(f"/desk/officers/{anna.pk}/", details(anna))
        assert AuditEntry.objects.filter(action="officer-changed", actor="carla").exists()
        assert not Alarm.objects.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("phone", "0341 1234567"),  # a landline takes no SMS
            ("phone", "12"),
            ("phone", "0151 CALLME"),
            ("phone", "+49151234567890123456789"),
            ("phone", "0151 23456789\r\nBcc: x"),
            ("email", "no-address"),
            ("email", "a@stadt.example\nBcc: b@stadt.example"),
            ("email", "anna@demo.belfry.example"),
            ("first_name", ""),
            ("first_name", "An\u202ena"),
            ("last_name", "Auto\u200brin"),
            ("last_name", "x" * 151),
        ],
    )
    def test_what_is_no_name_address_or_number_is_refused_at_its_field_and_nothing_is_lost(
        self, page_of: Browser, anna: User, carla: User, field: str, value: str
    ) -> None:
        before = state()
        answer = page_of(carla).post(f"/desk/officers/{anna.pk}/", details(anna, **{field: value}))
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [field]
        assert answer.context["form"]["last_name"].value()
        assert state() == before

    def test_script_in_a_name_is_text(self, page_of: Browser, anna: User, carla: User) -> None:
        client = page_of(carla)
        client.post(f"/desk/officers/{anna.pk}/", details(anna, first_name="<script>alert(1)</script>"))
        for address in ("/desk/officers/", f"/desk/officers/{anna.pk}/"):
            assert "<script>alert" not in client.get(address).content.decode()

    def test_two_officers_share_no_address_and_no_phone(
        self, page_of: Browser, anna: User, bert: User, carla: User
    ) -> None:
        Profile.objects.create(officer=bert, phone="+4915123456789")
        client = page_of(carla)
        for field, value in (("email", bert.email.upper()), ("phone", "+49 151 23456789")):
            answer = client.post(f"/desk/officers/{anna.pk}/", details(anna, **{field: value}))
            assert list(answer.context["form"].errors) == [field]

    def test_out_of_use_an_officer_is_out_at_once_and_back_with_what_he_was(
        self, page_of: Browser, bert: User, carla: User
    ) -> None:
        sits, admin = page_of(bert), page_of(carla)
        admin.post(f"/desk/officers/{bert.pk}/in-use/", {"in_use": "no"})
        assert sits.get("/desk/").status_code == 302
        assert Alarm.objects.filter(key="access inactive bert carla").exists()
        admin.post(f"/desk/officers/{bert.pk}/in-use/", {"in_use": "yes"})
        bert.refresh_from_db()
        assert bert.is_active
        assert held(bert) == ["approver"]
        assert Alarm.objects.filter(key="access active bert carla").exists()

    def test_the_first_screen_says_when_one_drilled_last(self, page_of: Browser, anna: User, bert: User) -> None:
        assert "my-drill" in page_of(anna).get("/desk/").content.decode()
        message = city.released(anna, bert, status="Exercise")
        page = page_of(bert).get("/desk/").content.decode()
        panel = page[page.index('id="my-drill"') :]
        assert message.sent.isoformat() in panel[: panel.index("</section>")]

    def test_and_nothing_to_who_has_no_part_in_exercises(self, page_of: Browser, carla: User) -> None:
        assert "my-drill" not in page_of(carla).get("/desk/").content.decode()
