"""Officers and their roles: the first one, and what an administrator may and may not do."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from alerts import roles
from alerts.desk.people import DEMO_DOMAIN
from alerts.models import Area, AuditEntry, Message
from tests import city
from tests.desk.conftest import with_roles

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]


def first(*options: str) -> str:
    said = io.StringIO()
    call_command("first_officer", "erika", "--email", "erika@stadt.example", "--generate", *options, stdout=said)
    return said.getvalue()


class TestFirstOfficer:
    def test_what_is_printed_lets_in(self, desk: None, client: Client, settings: Any) -> None:
        settings.SECOND_FACTOR = True
        said = first()
        password = said.split("Passwort: ")[1].split()[0]
        device = TOTPDevice.objects.get(user__username="erika")
        assert device.config_url in said
        assert "█" in said or "▄" in said, "the QR code"
        code = f"{totp(device.bin_key):06d}"
        client.post("/desk/login/", {"username": "erika", "password": password, "token": code})
        assert client.get("/desk/").status_code == 200

    def test_the_role_is_administrator_and_no_superuser(self, desk: None) -> None:
        first("--role", "author")
        erika = User.objects.get(username="erika")
        assert {group.name for group in erika.groups.all()} == {"administrator", "author"}
        assert not erika.is_superuser
        assert AuditEntry.objects.filter(action="first-officer").exists()

    def test_backup_codes_let_in_too(self, desk: None, client: Client, settings: Any) -> None:
        settings.SECOND_FACTOR = True
        said = first()
        password = said.split("Passwort: ")[1].split()[0]
        code = said.splitlines()[-1].split()[0]
        client.post("/desk/login/", {"username": "erika", "password": password, "token": code})
        assert client.get("/desk/").status_code == 200

    def test_there_is_a_second_one_and_no_third(self, desk: None) -> None:
        first()
        call_command("first_officer", "max", "--email", "max@stadt.example", "--generate", stdout=io.StringIO())
        assert list(roles.administrators().order_by("username").values_list("username", flat=True)) == ["erika", "max"]
        with pytest.raises(CommandError):
            call_command("first_officer", "lea", "--email", "lea@stadt.example", "--generate")
        assert not User.objects.filter(username="lea").exists()

    def test_one_out_of_use_is_not_counted(self, desk: None) -> None:
        for name in ("max", "lea"):
            with_roles(name, "administrator")
        User.objects.filter(username="lea").update(is_active=False)
        assert "erika" in first()

    def test_nobody_is_both(self, desk: None) -> None:
        first()
        with pytest.raises(CommandError):
            call_command("first_officer", "max", "--email", "Erika@stadt.example", "--generate")

    def test_the_demos_officers_are_not_counted(self, desk: None, carla: User) -> None:
        User.objects.filter(pk=carla.pk).update(email=f"carla{DEMO_DOMAIN}")
        with_roles("dora", "administrator")
        assert "erika" in first()

    @pytest.mark.parametrize(
        ("name", "email"),
        [("with space", "a@stadt.example"), ("erika", "no-address"), ("erika", f"erika{DEMO_DOMAIN}")],
    )
    def test_a_bad_name_or_address_is_refused_in_words(self, desk: None, name: str, email: str) -> None:
        with pytest.raises(CommandError):
            call_command("first_officer", name, "--email", email, "--generate")
        assert not User.objects.filter(username=name).exists()


class TestRows:
    def test_what_was_said_can_be_read_and_not_changed(
        self, page_of: Browser, anna: User, bert: User, carla: User
    ) -> None:
        message = city.released(anna, bert)
        rendering = message.draft.renderings.all()[0]
        line = AuditEntry.objects.all()[0]
        client = page_of(carla)
        for model, pk in (("message", message.pk), ("rendering", rendering.pk), ("auditentry", line.pk)):
            assert client.get(f"/desk/alerts/{model}/").status_code == 200
            assert client.get(f"/desk/alerts/{model}/{pk}/change/").status_code == 200
            assert client.get(f"/desk/alerts/{model}/add/").status_code == 403
            assert client.post(f"/desk/alerts/{model}/{pk}/change/", {"kind": "update"}).status_code == 403
            assert client.post(f"/desk/alerts/{model}/{pk}/delete/", {"post": "yes"}).status_code == 403
        assert Message.objects.get(pk=message.pk).kind == message.kind

    def test_districts_are_put_out_of_use_but_never_deleted(self, page_of: Browser, carla: User) -> None:
        area = Area.objects.get(code="fern")
        client = page_of(carla)
        assert client.post(f"/desk/alerts/area/{area.pk}/delete/", {"post": "yes"}).status_code == 403
        client.post(f"/desk/alerts/area/{area.pk}/change/", {"name": "Fern", "parent": area.parent_id, "order": "0"})
        area.refresh_from_db()
        assert not area.active


def test_the_roles_hold_what_they_should(desk: None) -> None:
    def held(role: str) -> set[str]:
        return set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))

    assert held("author") == {"write_draft"}
    assert held("approver") == {"approve_draft", "break_glass", "open_gate"}
    assert not held("administrator") & {"write_draft", "approve_draft", "break_glass", "open_gate"}
