"""Log-in: two factors, throttling, the demo's officers, and text that outlives a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from alerts.desk.people import DEMO_DOMAIN
from tests import city
from tests.desk.conftest import PASSWORD
from tests.desk.posting import posted

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_factors(settings: Any) -> None:
    settings.SECOND_FACTOR = True


def device_of(user: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=user, name="authenticator")


def code(device: TOTPDevice, later: int = 0) -> str:
    """The code of now, or that many steps later."""
    return f"{totp(device.bin_key, device.step, device.t0, device.digits, later):06d}"


def enter(client: Client, name: str = "anna", password: str = PASSWORD, **more: str) -> Any:
    return client.post("/desk/login/", {"username": name, "password": password, "next": "/desk/", **more})


def inside(client: Client) -> bool:
    return client.get("/desk/").status_code == 200


def test_in_the_demo_name_and_password_are_enough(client: Client, anna: User) -> None:
    enter(client)
    assert inside(client)


@pytest.mark.usefixtures("two_factors")
class TestSecondFactor:
    def test_the_password_alone_does_not_let_in(self, client: Client, anna: User) -> None:
        device_of(anna)
        answer = enter(client)
        assert answer.status_code == 200
        assert not inside(client)

    def test_password_and_code_let_in(self, client: Client, anna: User) -> None:
        enter(client, token=code(device_of(anna)))
        assert inside(client)

    def test_a_wrong_code_is_answered_like_a_wrong_password(self, client: Client, anna: User) -> None:
        device_of(anna)
        wrong_code = enter(client, token="000000").context["form"].non_field_errors().as_text()
        wrong_password = enter(client, password="wrong", token="000000").context["form"].non_field_errors().as_text()
        assert wrong_code == wrong_password != ""
        assert not inside(client)

    def test_a_code_works_once(self, client: Client, anna: User) -> None:
        device = device_of(anna)
        used = code(device)
        enter(client, token=used)
        other = Client()
        enter(other, token=used)
        assert inside(client)
        assert not inside(other)

    def test_another_officers_code_does_not_let_in(self, client: Client, anna: User, bert: User) -> None:
        device_of(anna)
        enter(client, token=code(device_of(bert)))
        assert not inside(client)

    def test_an_officer_without_a_device_gets_in_with_no_code_at_all(self, client: Client, anna: User) -> None:
        for token in ("", "000000", "none"):
            enter(client, token=token)
            assert not inside(client)

    def test_a_backup_code_lets_in_once(self, client: Client, anna: User) -> None:
        device_of(anna)
        StaticDevice.objects.create(user=anna, name="backup codes").token_set.create(token="ab12-cd34")
        other = Client()
        enter(client, token="ab12-cd34")
        enter(other, token="ab12-cd34")
        assert inside(client)
        assert not inside(other)

    def test_guessing_codes_is_slowed_down(self, client: Client, anna: User) -> None:
        device = device_of(anna)
        for guess in ("000001", "000002", "000003"):
            enter(client, token=guess)
        enter(client, token=code(device))
        assert not inside(client), "the right code, but too soon after wrong ones"

    def test_a_stolen_code_does_not_approve(
        self, client: Client, anna: User, bert: User, page_of: Callable[[User], Client]
    ) -> None:
        draft = city.submitted(anna)
        device = device_of(bert)
        used = code(device)
        enter(client, name="bert", token=used)
        form = {"digest": draft.digest, "word": "LEIPZIG WARNEN"}
        assert client.post(f"/desk/drafts/{draft.pk}/approve/", form).status_code == 422
        assert client.post(f"/desk/drafts/{draft.pk}/approve/", {**form, "token": used}).status_code == 422
        draft.refresh_from_db()
        assert draft.state == "submitted"
        device.refresh_from_db()
        device.throttle_reset()
        answer = client.post(f"/desk/drafts/{draft.pk}/approve/", {**form, "token": code(device, later=1)})
        assert answer.status_code == 302
        draft.refresh_from_db()
        assert draft.state == "released"

    def test_a_slip_in_the_word_does_not_use_up_the_code(self, client: Client, anna: User, bert: User) -> None:
        draft = city.submitted(anna)
        device = device_of(bert)
        enter(client, name="bert", token=code(device))
        new = code(device, later=1)
        page = f"/desk/drafts/{draft.pk}/approve/"
        client.post(page, {"digest": draft.digest, "word": "LEIPZIG", "token": new})
        client.post(page, {"digest": draft.digest, "word": "LEIPZIG WARNEN", "token": new})
        draft.refresh_from_db()
        assert draft.state == "released"


def test_log_ins_are_throttled_with_a_plain_page(client: Client, anna: User, settings: Any) -> None:
    settings.AXES_ENABLED = True
    cache.clear()
    for _number in range(settings.AXES_FAILURE_LIMIT):
        answer = enter(client, password="wrong")
    assert answer.status_code == 429
    assert "Anmeldung gesperrt" in answer.content.decode()
    enter(client)
    assert not inside(client), "locked also for the right password"


class TestAddresses:
    """Bad log-ins are counted by the address they come from, not by that of our own web server."""

    @pytest.fixture(autouse=True)
    def throttled(self, settings: Any) -> None:
        settings.AXES_ENABLED = True
        cache.clear()

    def stranger(self, settings: Any) -> int:
        """Guesses many names from one address; the status of the last answer."""
        client = Client(headers={"x-forwarded-for": "192.0.2.9, 203.0.113.66"})
        for number in range(settings.AXES_FAILURE_LIMIT):
            answer = enter(client, name=f"guess{number}", password="wrong")
        return int(answer.status_code)

    def test_a_stranger_locks_out_nobody_but_himself(self, anna: User, settings: Any) -> None:
        settings.BEHIND_PROXY = True
        assert self.stranger(settings) == 429
        officer = Client(headers={"x-forwarded-for": "198.51.100.7"})
        enter(officer)
        assert inside(officer)

    def test_a_claimed_address_before_the_last_counts_for_nothing(self, anna: User, settings: Any) -> None:
        settings.BEHIND_PROXY = True
        self.stranger(settings)
        again = Client(headers={"x-forwarded-for": "198.51.100.7, 203.0.113.66"})
        assert enter(again).status_code == 429

    def test_without_our_web_server_the_header_counts_for_nothing(self, anna: User, settings: Any) -> None:
        settings.BEHIND_PROXY = False
        assert self.stranger(settings) == 429
        again = Client(headers={"x-forwarded-for": "198.51.100.7"})
        assert enter(again).status_code == 429

    def test_a_header_that_is_no_address_breaks_nothing(self, anna: User, settings: Any) -> None:
        settings.BEHIND_PROXY = True
        client = Client(headers={"x-forwarded-for": "unknown"})
        enter(client, password="wrong")
        enter(client)
        assert inside(client)

    def test_guessing_on_does_not_keep_an_officer_out_for_longer(self, anna: User, settings: Any) -> None:
        for _number in range(settings.AXES_FAILURE_LIMIT):
            enter(Client(), password="wrong")
        last = AccessAttempt.objects.get()
        began = last.attempt_time
        enter(Client(), password="wrong")
        last.refresh_from_db()
        assert last.attempt_time == began


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_log_in_leads_nowhere_else(client: Client, anna: User, target: str) -> None:
    answer = client.post("/desk/login/", {"username": "anna", "password": PASSWORD, "next": target})
    assert "evil.example" not in answer["Location"]


@pytest.mark.parametrize(
    ("demo", "address", "let_in"),
    [
        (True, "http://127.0.0.1:8000", True),
        (True, "http://localhost:8000", True),
        (True, "https://warnung.leipzig.example", False),
        (False, "http://127.0.0.1:8000", False),
    ],
)
def test_demo_officers_work_in_a_demo_on_loopback_alone(
    client: Client, anna: User, settings: Any, demo: bool, address: str, let_in: bool
) -> None:
    User.objects.filter(pk=anna.pk).update(email=f"anna{DEMO_DOMAIN.upper()}")
    settings.DEMO, settings.ADDRESS = demo, address
    enter(client)
    assert inside(client) is let_in


def test_a_demo_session_ends_when_the_demo_does(client: Client, anna: User, settings: Any) -> None:
    User.objects.filter(pk=anna.pk).update(email=f"anna{DEMO_DOMAIN}")
    settings.DEMO, settings.ADDRESS = True, "http://127.0.0.1:8000"
    enter(client)
    assert inside(client)
    settings.DEMO = False
    assert not inside(client)


class TestExpiredSession:
    def test_what_was_typed_is_there_again_after_log_in(
        self, anna: User, page_of: Callable[[User], Client], client: Client
    ) -> None:
        draft = city.drafted(anna)
        data = posted(page_of(anna), draft) | {"text-de-headline": "Mitten in der Nacht geschrieben"}
        page = f"/desk/drafts/{draft.pk}/"
        answer = client.post(page, data)
        assert answer.status_code == 403
        assert "Nichts ist verloren" in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]
        log_in = {"username": "anna", "password": PASSWORD, "next": answer.context["next"]}
        answer = client.post("/desk/login/", log_in | {"kept": answer.context["kept"]}, follow=True)
        assert answer.redirect_chain[-1][0] == page
        assert "Mitten in der Nacht geschrieben" in answer.content.decode()
        assert "noch da, aber nicht gespeichert" in answer.content.decode()
        draft.refresh_from_db()
        assert draft.content.texts["de"].headline != "Mitten in der Nacht geschrieben"

    def test_it_is_kept_through_a_mistyped_password(
        self, anna: User, page_of: Callable[[User], Client], client: Client
    ) -> None:
        draft = city.drafted(anna)
        data = posted(page_of(anna), draft) | {"place": "Augustusplatz"}
        page = f"/desk/drafts/{draft.pk}/"
        kept = client.post(page, data).context["kept"]
        answer = enter(client, password="wrong", kept=kept)
        answer = client.post(
            "/desk/login/",
            {"username": "anna", "password": PASSWORD, "next": page, "kept": answer.context["kept"]},
            follow=True,
        )
        assert "Augustusplatz" in answer.content.decode()

    def test_a_reason_is_kept_too(self, anna: User, bert: User, client: Client) -> None:
        draft = city.submitted(anna)
        page = f"/desk/drafts/{draft.pk}/return/"
        kept = client.post(page, {"reason": "Die Straße fehlt."}).context["kept"]
        log_in = {"username": "bert", "password": PASSWORD, "next": page, "kept": kept}
        assert "Die Straße fehlt." in client.post("/desk/login/", log_in, follow=True).content.decode()
        draft.refresh_from_db()
        assert draft.state == "submitted"

    def test_forged_kept_text_is_dropped(self, anna: User, client: Client) -> None:
        answer = enter(client, kept="forged:1:x")
        assert answer.status_code == 302
        assert "desk-kept" not in client.session

    def test_an_approval_that_comes_too_late_changes_nothing(self, anna: User, client: Client) -> None:
        draft = city.submitted(anna)
        answer = client.post(f"/desk/drafts/{draft.pk}/approve/", {"digest": draft.digest, "word": "LEIPZIG WARNEN"})
        assert answer.status_code == 302
        draft.refresh_from_db()
        assert draft.state == "submitted"

    def test_htmx_is_sent_to_the_log_in_as_a_whole_page(self, anna: User, bert: User, client: Client) -> None:
        message = city.released(anna, bert)
        answer = client.get(f"/desk/alert/{message.alert.slug}/progress/1/", headers={"HX-Request": "true"})
        assert answer["HX-Refresh"] == "true"
        assert b"Bombenfund" not in answer.content


class TestCrossSite:
    def test_a_post_without_token_is_refused(self, anna: User) -> None:
        draft = city.drafted(anna)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(anna)
        answer = strict.post(f"/desk/drafts/{draft.pk}/", {"action": "submit"})
        assert answer.status_code == 403
        draft.refresh_from_db()
        assert draft.state == "draft"

    def test_our_own_page_with_an_old_token_loses_no_text(self, anna: User, page_of: Callable[[User], Client]) -> None:
        draft = city.drafted(anna)
        data = posted(page_of(anna), draft) | {"place": "Augustusplatz", "csrfmiddlewaretoken": "x" * 64}
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(anna)
        strict.get(f"/desk/drafts/{draft.pk}/")
        answer = strict.post(f"/desk/drafts/{draft.pk}/", data, headers={"origin": "http://testserver"}, follow=True)
        assert "Augustusplatz" in answer.content.decode()
        draft.refresh_from_db()
        assert draft.content.place != "Augustusplatz"

    def test_a_strangers_page_fills_no_form_of_ours(self, anna: User) -> None:
        draft = city.drafted(anna)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(anna)
        answer = strict.post(
            f"/desk/drafts/{draft.pk}/", {"place": "Falle"}, headers={"origin": "https://evil.example"}
        )
        assert answer.status_code == 403
        assert "desk-kept" not in strict.session
