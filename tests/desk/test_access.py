"""Nobody takes over another officer's account unseen: whatever changes how somebody gets in is recorded and told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from alerts.models import Alarm, AuditEntry
from tests.desk.conftest import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "ein-ganz-neues-Passwort-7"
KEY = "ab" * 20
Browser = Callable[[User], Client]


@pytest.fixture
def admin(page_of: Browser, carla: User) -> Client:
    return page_of(carla)


@pytest.fixture
def secrets_shown(settings: Any) -> None:
    """Where an administrator may look at the secrets of devices that are there already."""
    settings.OTP_ADMIN_HIDE_SENSITIVE_DATA = False


@pytest.fixture
def secrets_hidden(settings: Any) -> None:
    settings.OTP_ADMIN_HIDE_SENSITIVE_DATA = True


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


def device_form(user: User, **changes: Any) -> dict[str, Any]:
    form = {"user": user.pk, "name": "phone", "confirmed": "on", "key": KEY, "step": 30, "t0": 0, "digits": 6}
    return form | {"tolerance": 1, "drift": 0, "throttling_failure_count": 0} | changes


def codes_form(user: User, **changes: Any) -> dict[str, Any]:
    rows = {"token_set-TOTAL_FORMS": 0, "token_set-INITIAL_FORMS": 0}
    return {"user": user.pk, "name": "backup codes", "confirmed": "on"} | rows | changes


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


@pytest.mark.usefixtures("secrets_shown")
class TestAuthenticator:
    ROWS = "/desk/otp_totp/totpdevice/"

    def test_a_second_one_is_recorded_and_told(self, admin: Client, bert: User) -> None:
        admin.post(f"{self.ROWS}add/", device_form(bert))
        assert TOTPDevice.objects.filter(user=bert).exists()
        assert recorded() == ["factor-added"]
        assert told() == ["zweiter Faktor hinzugefügt"]
        assert KEY not in str(list(AuditEntry.objects.values()) + list(Alarm.objects.values()))

    def test_one_given_to_another_officer_is_told_of_both(self, admin: Client, anna: User, bert: User) -> None:
        device = TOTPDevice.objects.create(user=bert, name="phone", key=KEY)
        admin.post(f"{self.ROWS}{device.pk}/change/", device_form(anna))
        device.refresh_from_db()
        assert device.user == anna
        assert recorded("bert") == recorded("anna") == ["factor-changed"]
        assert told("bert") == told("anna") == ["zweiter Faktor geändert"]

    def test_a_deleted_one_is_recorded_and_told(self, admin: Client, bert: User) -> None:
        device = TOTPDevice.objects.create(user=bert, name="phone")
        admin.post(f"{self.ROWS}{device.pk}/delete/", {"post": "yes"})
        assert not TOTPDevice.objects.exists()
        assert recorded() == ["factor-deleted"]
        assert told() == ["zweiter Faktor gelöscht"]

    def test_many_are_not_deleted_at_once(self, admin: Client, bert: User) -> None:
        device = TOTPDevice.objects.create(user=bert, name="phone")
        admin.post(self.ROWS, {"action": "delete_selected", "_selected_action": [device.pk], "post": "yes"})
        assert TOTPDevice.objects.exists()

    @pytest.mark.parametrize("page", ["change", "config", "qrcode"])
    def test_whoever_looks_at_the_secret_is_seen(self, admin: Client, bert: User, page: str) -> None:
        device = TOTPDevice.objects.create(user=bert, name="phone")
        assert admin.get(f"{self.ROWS}{device.pk}/{page}/").status_code == 200
        assert recorded() == ["factor-shown"]
        assert told() == ["Geheimnis des zweiten Faktors angesehen"]

    def test_also_by_a_form_that_is_refused(self, admin: Client, bert: User) -> None:
        device = TOTPDevice.objects.create(user=bert, name="phone")
        assert admin.post(f"{self.ROWS}{device.pk}/change/", {}).status_code == 200
        assert recorded() == ["factor-shown"]

    def test_nobody_changes_his_own_unseen(self, admin: Client, carla: User) -> None:
        device = TOTPDevice.objects.create(user=carla, name="phone")
        admin.post(f"{self.ROWS}{device.pk}/delete/", {"post": "yes"})
        assert recorded("carla") == ["factor-deleted"]
        assert told("carla") == ["zweiter Faktor gelöscht"]


@pytest.mark.usefixtures("secrets_hidden")
def test_a_page_that_shows_no_secret_is_no_alarm(admin: Client, bert: User) -> None:
    device = TOTPDevice.objects.create(user=bert, name="phone", key=KEY)
    assert KEY not in admin.get(f"/desk/otp_totp/totpdevice/{device.pk}/change/").content.decode()
    assert recorded() == told() == []


@pytest.mark.usefixtures("secrets_shown")
class TestBackupCodes:
    ROWS = "/desk/otp_static/staticdevice/"

    def test_new_ones_are_recorded_and_told(self, admin: Client, bert: User) -> None:
        admin.post(f"{self.ROWS}add/", codes_form(bert))
        assert recorded() == ["factor-added"]

    def test_one_more_code_is_recorded_and_told(self, admin: Client, bert: User) -> None:
        device = StaticDevice.objects.create(user=bert, name="backup codes")
        row = {"token_set-TOTAL_FORMS": 1, "token_set-0-device": device.pk, "token_set-0-token": "ab12-cd34"}
        admin.post(f"{self.ROWS}{device.pk}/change/", codes_form(bert, **row))
        assert device.token_set.count() == 1
        assert recorded() == ["factor-changed"]
        assert told() == ["zweiter Faktor geändert"]
        assert "ab12" not in str(list(AuditEntry.objects.values()) + list(Alarm.objects.values()))

    def test_deleted_ones_are_recorded_and_told(self, admin: Client, bert: User) -> None:
        device = StaticDevice.objects.create(user=bert, name="backup codes")
        admin.post(f"{self.ROWS}{device.pk}/delete/", {"post": "yes"})
        assert recorded() == ["factor-deleted"]

    def test_whoever_looks_at_them_is_seen(self, admin: Client, bert: User) -> None:
        device = StaticDevice.objects.create(user=bert, name="backup codes")
        admin.get(f"{self.ROWS}{device.pk}/change/")
        assert recorded() == ["factor-shown"]
