"""A role takes two administrators; the database itself refuses one of them in both parts."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.utils import timezone

from alerts import alarms, officers, roles
from alerts.models import Alarm, AuditEntry, Decision, RoleRequest
from alerts.people import NotAllowed, Refused
from tests import city
from tests.desk.conftest import make_roles, with_roles

pytestmark = pytest.mark.django_db

WHY = "Vertretung im Lagezentrum"


@pytest.fixture
def anna(db: None) -> User:
    make_roles()
    return city.officer("anna")


@pytest.fixture
def carla(anna: User) -> User:
    return with_roles("carla", "administrator")


@pytest.fixture
def dora(anna: User) -> User:
    return with_roles("dora", "administrator")


def held(officer: User) -> list[str]:
    return sorted(officer.groups.values_list("name", flat=True))


def actions(officer: User) -> list[tuple[str, str]]:
    lines = AuditEntry.objects.filter(subject=f"officer {officer.username}").order_by("number")
    return list(lines.values_list("action", "actor"))


def test_what_one_asks_a_second_one_gives(anna: User, carla: User, dora: User) -> None:
    request = roles.ask(anna, "approver", carla, WHY)
    assert held(anna) == []
    roles.give(request.pk, dora)
    assert held(anna) == ["approver"]
    request.refresh_from_db()
    assert (request.decision, request.decided_by) == (Decision.GIVEN, dora)
    assert actions(anna) == [("role-asked", "carla"), ("role-agreed", "dora"), ("role-given", "belfry")]


def test_every_step_is_told_to_all(anna: User, carla: User, dora: User, monkeypatch: pytest.MonkeyPatch) -> None:
    mails: list[str] = []
    monkeypatch.setattr("alerts.ports.notify", lambda subject, _body, **_options: mails.append(subject))
    first = roles.ask(anna, "author", carla, WHY)
    alarms.tell()
    roles.refuse(first.pk, dora)
    alarms.tell()
    second = roles.ask(anna, "author", carla, WHY)
    alarms.tell()
    roles.give(second.pk, dora)
    alarms.tell()
    roles.take_away(anna, "author", dora)
    alarms.tell()
    third = roles.ask(anna, "author", carla, WHY)
    alarms.tell()
    roles.take_back(third.pk, carla)
    alarms.tell()
    assert len([subject for subject in mails if "anna" in subject]) == 7, "each of them, the second asking too"


def test_what_was_told_of_a_role_before_is_over_with_the_next_step(anna: User, carla: User, dora: User) -> None:
    request = roles.ask(anna, "author", carla, WHY)
    assert [alarm.key.split()[:2] for alarm in alarms.open_alarms()] == [["role", "asked"]]
    roles.give(request.pk, dora)
    assert [alarm.key.split()[1] for alarm in alarms.open_alarms()] == ["anna"]


def test_nobody_asks_for_himself(carla: User) -> None:
    with pytest.raises(Refused):
        roles.ask(carla, "approver", carla, WHY)
    assert not RoleRequest.objects.exists()


@pytest.mark.parametrize("decide", [roles.give, roles.refuse])
def test_nobody_decides_what_he_asked_for(anna: User, carla: User, decide: Any) -> None:
    request = roles.ask(anna, "approver", carla, WHY)
    with pytest.raises(Refused):
        decide(request.pk, carla)
    assert RoleRequest.objects.get().decision == Decision.OPEN
    assert held(anna) == []


@pytest.mark.parametrize("decide", [roles.give, roles.refuse])
def test_nobody_decides_about_himself(carla: User, dora: User, decide: Any) -> None:
    request = roles.ask(dora, "approver", carla, WHY)
    with pytest.raises(Refused):
        decide(request.pk, dora)
    assert RoleRequest.objects.get().decision == Decision.OPEN
    assert held(dora) == ["administrator"]


@pytest.mark.parametrize("again", [roles.give, roles.refuse])
@pytest.mark.parametrize("first", [roles.give, roles.refuse])
def test_what_is_decided_is_decided_once(anna: User, carla: User, dora: User, first: Any, again: Any) -> None:
    request = roles.ask(anna, "approver", carla, WHY)
    erna = with_roles("erna", "administrator")
    first(request.pk, dora)
    before = RoleRequest.objects.values().get(), held(anna), AuditEntry.objects.count()
    with pytest.raises(Refused):
        again(request.pk, erna)
    assert (RoleRequest.objects.values().get(), held(anna), AuditEntry.objects.count()) == before


def test_a_request_taken_back_gives_nothing_any_more(anna: User, carla: User, dora: User) -> None:
    request = roles.ask(anna, "approver", carla, WHY)
    with pytest.raises(Refused):
        roles.take_back(request.pk, dora)
    roles.take_back(request.pk, carla)
    with pytest.raises(Refused):
        roles.give(request.pk, dora)
    assert held(anna) == []


@pytest.mark.parametrize("role", ["author", "approver", "observer", "drill leader", None])
def test_only_administrators_ask_decide_and_take_away(anna: User, carla: User, role: str | None) -> None:
    other = with_roles("other", *([role] if role else []))
    request = roles.ask(anna, "author", carla, WHY)
    for act in (
        lambda: roles.ask(anna, "approver", other, WHY),
        lambda: roles.give(request.pk, other),
        lambda: roles.refuse(request.pk, other),
        lambda: roles.take_back(request.pk, other),
        lambda: roles.take_away(carla, "administrator", other),
        lambda: officers.set_in_use(carla, in_use=False, by=other),
        lambda: officers.change(carla, officers.Details("a", "b", "c@stadt.example", ""), other),
        lambda: officers.enter("neu", officers.Details("a", "b", "c@stadt.example", ""), [], other, ""),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert held(carla) == ["administrator"]
    assert RoleRequest.objects.get().decision == Decision.OPEN
    assert not User.objects.filter(username="neu").exists()


def test_a_superuser_is_no_second_administrator(anna: User, carla: User) -> None:
    request = roles.ask(anna, "author", carla, WHY)
    with pytest.raises(NotAllowed):
        roles.give(request.pk, User.objects.create_superuser("root"))


def test_a_request_of_somebody_who_is_no_administrator_any_more_gives_nothing(
    anna: User, carla: User, dora: User
) -> None:
    request = roles.ask(anna, "approver", carla, WHY)
    officers.set_in_use(carla, in_use=False, by=dora)
    with pytest.raises(Refused):
        roles.give(request.pk, dora)
    assert held(anna) == []
    roles.refuse(request.pk, dora)


def test_an_account_out_of_use_is_asked_and_given_nothing(anna: User, carla: User, dora: User) -> None:
    request = roles.ask(anna, "approver", carla, WHY)
    officers.set_in_use(anna, in_use=False, by=carla)
    for act in (lambda: roles.give(request.pk, dora), lambda: roles.ask(anna, "author", carla, WHY)):
        with pytest.raises(Refused):
            act()
    assert held(anna) == []


@pytest.mark.parametrize(("role", "reason"), [("approver", "  "), ("king", WHY), ("", WHY)])
def test_a_request_without_reason_or_role_is_refused(anna: User, carla: User, role: str, reason: str) -> None:
    Group.objects.create(name="king")  # a group that no migration made is no role
    with pytest.raises(Refused):
        roles.ask(anna, role, carla, reason)


def test_a_role_is_asked_for_once_at_a_time_and_not_when_held(anna: User, carla: User, dora: User) -> None:
    request = roles.ask(anna, "author", carla, WHY)
    with pytest.raises(Refused):
        roles.ask(anna, "author", dora, WHY)
    roles.give(request.pk, dora)
    with pytest.raises(Refused):
        roles.ask(anna, "author", carla, WHY)


def test_taking_a_role_away_needs_one_and_holds_at_once(anna: User, carla: User, dora: User) -> None:
    roles.give(roles.ask(anna, "approver", carla, WHY).pk, dora)
    assert User.objects.get(pk=anna.pk).has_perm("alerts.approve_draft")
    roles.take_away(anna, "approver", carla)
    assert not User.objects.get(pk=anna.pk).has_perm("alerts.approve_draft")
    assert ("role-taken", "carla") in actions(anna)
    with pytest.raises(Refused):
        roles.take_away(anna, "approver", carla)


def test_nobody_takes_a_role_from_himself_or_puts_himself_out_of_use(carla: User, dora: User) -> None:
    with pytest.raises(Refused):
        roles.take_away(carla, "administrator", carla)
    with pytest.raises(Refused):
        officers.set_in_use(carla, in_use=False, by=carla)
    carla.refresh_from_db()
    assert held(carla) == ["administrator"]
    assert carla.is_active


def test_two_accounts_with_one_phone_are_told(anna: User, carla: User) -> None:
    from alerts import watch

    for officer, mail in ((anna, "anna@stadt.example"), (carla, "carla@stadt.example")):
        officers.change(
            officer, officers.Details("A", "B", mail, "+4915123456789"), with_roles(f"x{officer.pk}", "administrator")
        )
    watch.look_for_twins()
    assert Alarm.objects.filter(key="twins anna, carla", ended_at=None).exists()


class TestTheDatabaseRefuses:
    """Whatever code writes the row."""

    def refused(self, **row: Any) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            RoleRequest.objects.create(role=Group.objects.get(name="approver"), reason=WHY, **row)

    def test_a_request_for_oneself(self, carla: User) -> None:
        self.refused(officer=carla, asked_by=carla)

    @pytest.mark.parametrize("decision", [Decision.GIVEN, Decision.REFUSED])
    def test_a_decision_by_who_asked_by_whom_it_is_about_or_by_nobody(
        self, anna: User, carla: User, decision: str
    ) -> None:
        at = timezone.now()
        for by in (carla, anna, None):
            self.refused(officer=anna, asked_by=carla, decision=decision, decided_by=by, decided_at=at)

    def test_two_open_requests_for_one_role(self, anna: User, carla: User, dora: User) -> None:
        roles.ask(anna, "approver", carla, WHY)
        self.refused(officer=anna, asked_by=dora)
