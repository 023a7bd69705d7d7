"""Nobody takes over another officer's account unseen: whatever changes how somebody gets in is recorded and told.

Second factors have tests of their own (``test_factors``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts.models import Alarm, AuditEntry
from tests.desk.conftest import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "ein-ganz-neues-Passwort-7"
Browser = Callable[[User], Client]


@pytest.fixture
def admin(page_of: Browser, carla: User) -> Client:
    return page_of(carla)


def recorded(name: str = "bert", by: str = "carla") -> list[str]:
    """What the record says was changed in that officer's access, by whom."""
    lines = AuditEntry.objects.filter(action="access-changed", actor=by, subject=f"officer {name}").order_by("number")
    return [what for line in lines for what in line.data["what"]]


def told(name: str = "bert", by: str = "carla") -> list[str]:
    start = f"{by} hat den Zugang von {name} geändert: "
    texts = Alarm.objects.filter(text__startswith=start, ended_at__isnull=True).values_list("text", flat=True)
    return [text.removeprefix(start).partition(".")[0] for text in texts]


def details(user: User, **changes: Any) -> dict[str, Any]:
    return {"first_name": "Bert", "last_name": "Prüfer", "email": user.email, "phone": ""} | changes


def test_a_changed_mail_address_is_recorded_and_told(admin: Client, bert: User) -> None:
    admin.post(f"/desk/officers/{bert.pk}/", details(bert, email="elsewhere@stadt.example"))
    assert recorded() == ["email"]
    assert told() == ["neue Mailadresse"]
    assert "elsewhere" not in str(list(AuditEntry.objects.values_list("data", flat=True)))


def test_an_account_put_out_of_use_and_into_use_again_is_recorded_and_told(admin: Client, bert: User) -> None:
    admin.post(f"/desk/officers/{bert.pk}/in-use/", {"in_use": "no"})
    admin.post(f"/desk/officers/{bert.pk}/in-use/", {"in_use": "yes"})
    assert recorded() == ["inactive", "active"]
    assert set(told()) == {"Konto außer Betrieb genommen", "Konto in Betrieb genommen"}


def test_a_new_family_name_is_no_alarm(admin: Client, bert: User) -> None:
    admin.post(f"/desk/officers/{bert.pk}/", details(bert, last_name="Neu"))
    bert.refresh_from_db()
    assert bert.last_name == "Neu"
    assert recorded() == told() == []


def test_nobody_sets_the_password_of_another(admin: Client, bert: User) -> None:
    page = f"/desk/auth/user/{bert.pk}/password/"
    form = {"password1": NEW, "password2": NEW, "usable_password": "true", "set-password": "1"}
    assert admin.get(page).status_code == 403
    assert admin.post(page, form).status_code == 403
    bert.refresh_from_db()
    assert bert.check_password(PASSWORD)


def test_ones_own_password_is_recorded_but_no_alarm(page_of: Browser, bert: User) -> None:
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    client = page_of(bert)
    client.post("/desk/password_change/", form | {"old_password": "wrong"})
    assert recorded(by="bert") == []
    client.post("/desk/password_change/", form)
    bert.refresh_from_db()
    assert bert.check_password(NEW)
    assert recorded(by="bert") == ["password"]
    assert not Alarm.objects.exists()


def test_a_new_account_is_recorded(admin: Client) -> None:
    form = {"first_name": "Nora", "last_name": "Neu", "email": "nora@stadt.example", "username": "neu"}
    admin.post("/desk/officers/new/", form)
    assert AuditEntry.objects.filter(action="officer-made", actor="carla", subject="officer neu").exists()
