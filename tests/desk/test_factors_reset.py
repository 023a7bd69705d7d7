"""A second factor lost at night: an administrator and a second officer let the third one in again."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_otp import devices_for_user
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from alerts.desk.factors import resetting, stepup
from alerts.models import Alarm, AuditEntry
from tests.desk.conftest import with_roles
from tests.desk.factoring import authenticator, code, enter, inside, logged_in

pytestmark = pytest.mark.django_db

WHY = {"reason": "Telefon im Einsatz verloren, Stimme am Dienstapparat erkannt."}


@pytest.fixture(autouse=True)
def two_factors(settings: Any) -> None:
    settings.SECOND_FACTOR = True


@pytest.fixture
def dora(desk: None) -> User:
    """An approver who has lost her phone."""
    user = with_roles("dora", "approver")
    authenticator(user)
    return user


def ask(client: Client, officer: User) -> int:
    client.post(f"/desk/officers/{officer.pk}/reset-factors/", WHY)
    line = AuditEntry.objects.filter(action="reset-asked").order_by("-number").first()
    return line.number if line else 0


def confirm(client: Client, number: int, answer: str = "confirm") -> str:
    page = client.post(f"/desk/factors-reset/{number}/", {"answer": answer})
    return str(page.context["code"]) if page.context and "code" in page.context else ""


def untouched(officer: User) -> bool:
    return TOTPDevice.objects.filter(user=officer).exists() and not StaticDevice.objects.filter(user=officer).exists()


def test_two_officers_let_a_third_in_who_then_sets_up_a_new_factor(bert: User, carla: User, dora: User) -> None:
    thief = logged_in(dora)
    second = logged_in(bert)
    number = ask(logged_in(carla), dora)
    assert untouched(dora), "asking alone changes nothing"
    first_screen = second.get("/desk/").content.decode()
    assert "Zurücksetzen prüfen" in first_screen
    assert f"/desk/factors-reset/{number}/" in first_screen
    assert Alarm.objects.filter(key="access reset-asked dora", ended_at=None).exists()

    once = confirm(second, number)
    assert [device.name for device in devices_for_user(dora)] == ["one-time code"]
    assert not inside(thief), "whoever sat there with the lost phone"
    assert not Alarm.objects.filter(key="access reset-asked dora", ended_at=None).exists()
    assert Alarm.objects.filter(key="access factors-reset dora bert").exists()
    assert once not in str(list(AuditEntry.objects.values()) + list(Alarm.objects.values()))

    client = Client(headers={"accept-language": "de"})
    assert "access" in enter(client, dora, token=once)["Location"]
    assert client.get("/desk/")["Location"] == "/desk/access/", "nothing else until she has a factor"
    client.post("/desk/access/authenticator/", {"action": "begin"})
    new = TOTPDevice.objects.get(user=dora)
    client.post("/desk/access/authenticator/", {"name": "Neues Telefon", "token": code(new)})
    assert client.get("/desk/").status_code == 200
    assert [device.name for device in devices_for_user(dora)] == ["Neues Telefon"]


def test_the_code_works_once_within_the_hour_and_with_the_password(bert: User, carla: User, dora: User) -> None:
    once = confirm(logged_in(bert), ask(logged_in(carla), dora))
    enter(client := Client(), dora, password="wrong", token=once)
    assert not inside(client)
    made = StaticDevice.objects.get(user=dora)
    StaticDevice.objects.update(created_at=timezone.now() - dt.timedelta(minutes=61))
    enter(client, dora, token=once)
    assert not inside(client)
    StaticDevice.objects.update(created_at=made.created_at)
    enter(client, dora, token=once)
    assert inside(client)
    enter(second := Client(), dora, token=once)
    assert not inside(second)


def test_who_asked_does_not_confirm_not_even_under_another_name(carla: User, dora: User) -> None:
    client = logged_in(carla)
    number = ask(client, dora)
    assert "Zurücksetzen prüfen" not in client.get("/desk/").content.decode()
    assert confirm(client, number) == ""
    User.objects.filter(pk=carla.pk).update(username="carola")
    assert confirm(client, number) == ""
    assert untouched(dora)


def test_whom_it_is_about_neither_asks_nor_confirms(carla: User, dora: User) -> None:
    theirs = logged_in(dora)
    number = ask(logged_in(carla), dora)
    assert confirm(theirs, number) == ""
    other = with_roles("eva", "administrator")
    ask(logged_in(other), other)
    assert not AuditEntry.objects.filter(action="reset-asked", subject="officer eva").exists()
    assert untouched(dora)


@pytest.mark.parametrize("role", ["author", "approver", "observer", "drill leader"])
def test_only_an_administrator_asks(dora: User, role: str) -> None:
    other = logged_in(with_roles("other", role))
    assert other.post(f"/desk/officers/{dora.pk}/reset-factors/", WHY).status_code == 403
    assert not AuditEntry.objects.filter(action="reset-asked").exists()


@pytest.mark.parametrize("role", ["author", "observer", "drill leader"])
def test_only_an_approver_or_an_administrator_confirms(carla: User, dora: User, role: str) -> None:
    number = ask(logged_in(carla), dora)
    other = logged_in(with_roles("other", role))
    assert other.post(f"/desk/factors-reset/{number}/", {"answer": "confirm"}).status_code == 403
    assert untouched(dora)


def test_a_request_ends_after_a_quarter_of_an_hour(
    bert: User, carla: User, dora: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = ask(logged_in(carla), dora)
    monkeypatch.setattr(resetting, "HOLDS", dt.timedelta(0))
    assert confirm(logged_in(bert), number) == ""
    assert untouched(dora)


def test_it_is_decided_once(bert: User, carla: User, dora: User) -> None:
    number = ask(logged_in(carla), dora)
    second = logged_in(bert)
    confirm(second, number, "refuse")
    assert confirm(second, number) == ""
    assert untouched(dora)
    number = ask(logged_in(carla, TOTPDevice.objects.create(user=carla)), dora)
    assert confirm(second, number)
    held = set(StaticDevice.objects.values_list("token_set__token", flat=True))
    assert confirm(second, number) == ""
    assert set(StaticDevice.objects.values_list("token_set__token", flat=True)) == held


def test_looking_at_it_decides_nothing(bert: User, carla: User, dora: User) -> None:
    number = ask(logged_in(carla), dora)
    assert logged_in(bert).get(f"/desk/factors-reset/{number}/").status_code == 200
    assert untouched(dora)


def test_both_steps_want_a_fresh_proof_and_a_token(bert: User, carla: User, dora: User) -> None:
    first, second = logged_in(carla), logged_in(bert)
    number = ask(first, dora)
    for client in (first, second):
        session = client.session
        session[stepup.PROVED] = 0.0
        session.save()
    for client, address, data in (
        (first, f"/desk/officers/{bert.pk}/reset-factors/", WHY),
        (second, f"/desk/factors-reset/{number}/", {"answer": "confirm"}),
    ):
        assert client.post(address, data)["Location"].startswith("/desk/step-up/")
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = client.cookies
        assert strict.post(address, data).status_code == 403
    assert AuditEntry.objects.filter(action="reset-asked").count() == 1
    assert untouched(dora)


def test_a_reset_needs_a_reason(carla: User, dora: User) -> None:
    client = logged_in(carla)
    assert client.post(f"/desk/officers/{dora.pk}/reset-factors/", {"reason": "  "}).status_code == 422
    assert not AuditEntry.objects.filter(action="reset-asked").exists()
