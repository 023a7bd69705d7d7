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
    form = {"username": user.username, "email": user.email, "is_active": "on", "is_staff": "on"}
    form["groups"] = [group.pk for group in user.groups.all()]
    return {name: value for name, value in (form | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "what", "words"),
    [
        ({"email": "elsewhere@stadt.example"}, "email", "neue Mailadresse"),
        ({"username": "robert"}, "username", "neuer Anmeldename"),
        ({"is_active": None}, "inactive", "Konto außer Betrieb genommen"),
        ({"is_staff": None}, "desk-closed", "Zutritt zum Dienstpult entzogen"),
    ],
)
def test_a_changed_account_is_recorded_and_told(
    admin: Client, bert: User, changes: dict[str, Any], what: str, words: str
) -> None:
    admin.post(f"/desk/auth/user/{bert.pk}/change/", details(bert, **changes))
    assert recorded() == [what]
    assert told() == [words]
    assert "elsewhere" not in str(list(AuditEntry.objects.values_list("data", flat=True)))


def test_an_account_put_into_use_again_is_told(admin: Client, bert: User) -> None:
    User.objects.filter(pk=bert.pk).update(is_active=False)
    admin.post(f"/desk/auth/user/{bert.pk}/change/", details(bert))
    assert recorded() == ["active"]
    assert told() == ["Konto in Betrieb genommen"]


def test_a_new_family_name_is_no_alarm(admin: Client, bert: User) -> None:
    admin.post(f"/desk/auth/user/{bert.pk}/change/", details(bert, last_name="Neu"))
    bert.refresh_from_db()
    assert bert.last_name == "Neu"
    assert recorded() == told() == []


def test_a_password_set_for_another_is_recorded_and_told(admin: Client, bert: User) -> None:
    page = f"/desk/auth/user/{bert.pk}/password/"
    assert admin.get(page).status_code == 200
    admin.post(page, {"password1": NEW, "password2": "a slip", "usable_password": "true"})
    assert recorded() == told() == []
    admin.post(page, {"password1": NEW, "password2": NEW, "usable_password": "true", "set-password": "1"})
    bert.refresh_from_db()
    assert bert.check_password(NEW)
    assert recorded() == ["password"]
    assert told() == ["neues Passwort"]
    assert NEW not in str(list(AuditEntry.objects.values()))


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
    admin.post(
        "/desk/auth/user/add/", {"username": "neu", "password1": NEW, "password2": NEW, "usable_password": "true"}
    )
    assert AuditEntry.objects.filter(action="officer-made", actor="carla", subject="officer neu").exists()
