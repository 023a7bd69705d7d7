"""Second factors: added, used and taken away by their officer alone, each time proved, recorded and told."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential

from alerts.desk.factors import codes, may_enrol, stepup
from alerts.models import Alarm, AuditEntry
from tests import city
from tests.desk.factoring import (
    authenticator,
    code,
    enter,
    forget_use,
    inside,
    logged_in,
    options,
    with_passkey,
)
from tests.desk.softkey import SoftKey

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_localhost(settings: Any) -> None:
    settings.SECOND_FACTOR = True
    settings.OTP_WEBAUTHN_RP_ID = "localhost"
    settings.OTP_WEBAUTHN_ALLOWED_ORIGINS = ["http://localhost"]


def recorded(user: User) -> list[str]:
    lines = AuditEntry.objects.filter(action="access-changed", subject=f"officer {user.username}").order_by("number")
    return [what for line in lines for what in line.data["what"]]


def stale(client: Client) -> None:
    """As if the officer had proved himself long ago."""
    session = client.session
    session[stepup.PROVED] -= stepup.FRESH_SECONDS + 1
    session.save()


class TestAuthenticator:
    def begin(self, client: Client, user: User) -> TOTPDevice:
        assert client.post("/desk/access/authenticator/", {"action": "begin"}).status_code == 302
        return TOTPDevice.objects.get(user=user, confirmed=False)

    def test_counts_only_after_one_code_of_it(self, anna: User) -> None:
        client = logged_in(anna)
        new = self.begin(client, anna)
        page = client.get("/desk/access/authenticator/").content.decode()
        assert '<svg aria-hidden="true"' in page
        assert "style=" not in page
        assert codes.spelled(new) in page
        client.post("/desk/access/authenticator/", {"name": "Zweittelefon", "token": "000000"})
        enter(other := Client(), anna, token=code(new))
        assert not inside(other), "not confirmed yet"
        forget_use(new)
        client.post("/desk/access/authenticator/", {"name": "Zweittelefon", "token": code(new)})
        new.refresh_from_db()
        assert new.confirmed
        assert recorded(anna) == ["factor-added"]
        assert "zweiter Faktor" in Alarm.objects.get(key__startswith="access factor-added anna").text
        enter(other := Client(), anna, token=code(new, later=1))
        assert inside(other)

    def test_the_code_that_confirmed_it_does_not_log_in(self, anna: User) -> None:
        client = logged_in(anna)
        new = self.begin(client, anna)
        used = code(new)
        client.post("/desk/access/authenticator/", {"name": "Neu", "token": used})
        enter(other := Client(), anna, token=used)
        assert not inside(other)

    def test_its_secret_is_never_shown_again(self, anna: User) -> None:
        client = logged_in(anna)
        new = self.begin(client, anna)
        client.post("/desk/access/authenticator/", {"name": "Neu", "token": code(new)})
        for address in ("/desk/access/", "/desk/access/authenticator/"):
            page = client.get(address, follow=True).content.decode()
            assert codes.spelled(new) not in page
            assert new.key not in page
        assert new.key not in str(list(AuditEntry.objects.values()) + list(Alarm.objects.values()))

    def test_one_left_unconfirmed_for_half_an_hour_is_void(self, anna: User) -> None:
        client = logged_in(anna)
        new = self.begin(client, anna)
        TOTPDevice.objects.filter(pk=new.pk).update(created_at=timezone.now() - dt.timedelta(minutes=31))
        client.post("/desk/access/authenticator/", {"name": "Neu", "token": code(new)})
        new.refresh_from_db()
        assert not new.confirmed


class TestRemoving:
    def remove(self, client: Client, device: Any) -> Any:
        return client.post("/desk/access/remove/", {"factor": device.persistent_id}, follow=True)

    def test_never_the_last_one_even_beside_backup_codes(self, anna: User) -> None:
        only = authenticator(anna)
        client = logged_in(anna, only)
        client.post("/desk/access/codes/")
        assert "letzter zweiter Faktor" in self.remove(client, only).content.decode()
        assert TOTPDevice.objects.filter(pk=only.pk).exists()

    def test_not_the_one_just_used_and_others_are_recorded_and_told(self, anna: User) -> None:
        used, lost = authenticator(anna), authenticator(anna)
        client = logged_in(anna, used)
        assert "Bestätigen Sie zuerst mit einem anderen" in self.remove(client, used).content.decode()
        self.remove(client, lost)
        assert list(TOTPDevice.objects.filter(user=anna)) == [used]
        assert recorded(anna) == ["factor-deleted"]
        assert Alarm.objects.filter(key__startswith="access factor-deleted anna").exists()

    def test_not_another_officers(self, anna: User, bert: User) -> None:
        client = logged_in(anna)
        authenticator(anna)
        theirs = authenticator(bert)
        self.remove(client, theirs)
        assert TOTPDevice.objects.filter(pk=theirs.pk).exists()

    def test_a_session_that_was_proved_by_it_is_at_an_end(self, anna: User) -> None:
        lost, kept = authenticator(anna), authenticator(anna)
        thief = logged_in(anna, lost)
        assert inside(thief)
        self.remove(logged_in(anna, kept), lost)
        assert not inside(thief)


class TestBackupCodes:
    def make(self, client: Client) -> list[str]:
        made: list[str] = client.post("/desk/access/codes/").context["codes"]
        return made

    def test_ten_are_shown_once_and_kept_as_hashes(self, anna: User) -> None:
        client = logged_in(anna)
        made = self.make(client)
        assert len(set(made)) == 10
        page = client.get("/desk/access/").content.decode()
        assert "10 Codes sind übrig" in page
        assert not any(code in page for code in made)
        stored = set(StaticToken.objects.values_list("token", flat=True))
        assert not stored & {code for one in made for code in (one, one.replace("-", ""))}
        assert recorded(anna) == ["codes-made"]

    def test_each_works_once_also_without_hyphens(self, anna: User) -> None:
        made = self.make(logged_in(anna))
        enter(first := Client(), anna, token=made[0].replace("-", "").upper())
        enter(second := Client(), anna, token=made[0])
        assert inside(first)
        assert not inside(second)
        assert "9 Codes sind übrig" in first.get("/desk/access/", headers={"accept-language": "de"}).content.decode()

    def test_new_ones_end_the_old_ones(self, anna: User) -> None:
        client = logged_in(anna)
        old = self.make(client)
        self.make(client)
        enter(other := Client(), anna, token=old[0])
        assert not inside(other)

    def test_what_stands_in_the_table_lets_nobody_in(self, anna: User) -> None:
        self.make(logged_in(anna))
        for stored in StaticToken.objects.values_list("token", flat=True)[:1]:
            enter(thief := Client(), anna, token=stored)
            assert not inside(thief)

    def test_they_outlive_a_change_of_the_secret_key(self, anna: User, settings: Any) -> None:
        made = self.make(logged_in(anna))
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another-secret-key-of-the-installation"
        enter(client := Client(), anna, token=made[0])
        assert inside(client)


class TestStepUp:
    ACTS = (
        ("/desk/access/authenticator/", {"action": "begin"}),
        ("/desk/access/passkey/", {"name": "x", "passkey": "{}"}),
        ("/desk/access/remove/", {"factor": "otp_totp.totpdevice/1"}),
        ("/desk/access/codes/", {}),
    )

    @pytest.mark.parametrize(("address", "data"), ACTS)
    def test_nothing_changes_five_minutes_after_the_last_proof(
        self, anna: User, address: str, data: dict[str, str]
    ) -> None:
        device = authenticator(anna)
        client = logged_in(anna, device)
        stale(client)
        answer = client.post(address, data)
        assert answer["Location"].startswith("/desk/step-up/?next=")
        assert list(TOTPDevice.objects.all()) == [device]
        assert not StaticDevice.objects.exists()
        assert recorded(anna) == []

    def test_a_secret_begun_before_is_not_shown_to_a_stolen_session(self, anna: User) -> None:
        client = logged_in(anna)
        client.post("/desk/access/authenticator/", {"action": "begin"})
        stale(client)
        assert client.get("/desk/access/authenticator/").status_code == 302
        assert client.post("/desk/access/passkey/register/").status_code == 403

    def test_a_code_opens_it_for_five_minutes(self, anna: User) -> None:
        device = authenticator(anna)
        client = logged_in(anna, device)
        stale(client)
        assert client.post("/desk/step-up/", {"token": "000000"}).status_code == 422
        assert client.post("/desk/access/codes/").status_code == 302
        forget_use(device)
        answer = client.post("/desk/step-up/", {"token": code(device), "next": "/desk/access/"})
        assert answer["Location"] == "/desk/access/"
        assert client.post("/desk/access/codes/").status_code == 200

    def test_the_code_of_the_log_in_does_not_count_again(self, anna: User) -> None:
        device = authenticator(anna)
        used = code(device)
        client = Client()
        enter(client, anna, token=used)
        assert client.post("/desk/step-up/", {"token": used}).status_code == 422

    @pytest.mark.parametrize(
        "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/s/start/", "javascript:alert(1)"]
    )
    def test_it_leads_nowhere_but_to_the_desk(self, anna: User, target: str) -> None:
        device = authenticator(anna)
        client = logged_in(anna, device)
        forget_use(device)
        assert target not in client.get("/desk/step-up/", {"next": target}).content.decode()
        assert client.post("/desk/step-up/", {"token": code(device), "next": target})["Location"] == "/desk/access/"

    @pytest.mark.parametrize(("address", "data"), [*ACTS, ("/desk/access/end/", {}), ("/desk/step-up/", {})])
    def test_a_post_from_elsewhere_is_refused(self, anna: User, address: str, data: dict[str, str]) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = logged_in(anna).cookies
        assert strict.post(address, data).status_code == 403


class TestPasskeys:
    def test_one_is_added_named_and_logs_in(self, anna: User) -> None:
        client = logged_in(anna)
        key = with_passkey(client, "Laptop der Wache")
        assert recorded(anna) == ["factor-added"]
        assert "Laptop der Wache" in client.get("/desk/access/").content.decode()
        other = Client()
        enter(other, anna, passkey=key.get(options(other, "log-in")))
        assert inside(other)

    def test_the_passkey_without_the_password_does_not_log_in(self, anna: User) -> None:
        key = with_passkey(logged_in(anna))
        other = Client()
        enter(other, anna, password="wrong", passkey=key.get(options(other, "log-in")))
        assert not inside(other)

    def test_an_answer_counts_once(self, anna: User) -> None:
        key = with_passkey(logged_in(anna))
        first, second = Client(), Client()
        answer = key.get(options(first, "log-in"))
        enter(first, anna, passkey=answer)
        enter(second, anna, passkey=answer)
        assert inside(first)
        assert not inside(second)

    def test_a_wrong_answer_uses_the_challenge_up(self, anna: User) -> None:
        key = with_passkey(logged_in(anna))
        client = Client()
        asked = options(client, "log-in")
        enter(client, anna, passkey=SoftKey(ident=key.ident).get(asked))
        enter(client, anna, passkey=key.get(asked))
        assert not inside(client)

    def test_another_officers_passkey_does_not_let_in(self, anna: User, bert: User) -> None:
        authenticator(anna)
        key = with_passkey(logged_in(bert))
        client = Client()
        enter(client, anna, passkey=key.get(options(client, "log-in")))
        assert not inside(client)

    @pytest.mark.parametrize(
        "wrong",
        [{"origin": "http://localhost.evil.example"}, {"origin": "https://localhost"}, {"site": "evil.example"}],
    )
    def test_an_answer_given_to_another_site_does_not_count(self, anna: User, wrong: dict[str, str]) -> None:
        key = with_passkey(logged_in(anna))
        false = SoftKey(ident=key.ident, key=key.key, **wrong)
        client = Client()
        enter(client, anna, passkey=false.get(options(client, "log-in")))
        assert not inside(client)

    def test_a_challenge_made_up_by_the_browser_does_not_count(self, anna: User) -> None:
        key = with_passkey(logged_in(anna))
        client = Client()
        enter(client, anna, passkey=key.get({"challenge": "AAAAAAAAAAAAAAAAAAAAAA"}))
        assert not inside(client)

    def test_a_challenge_too_old_does_not_count(self, anna: User) -> None:
        key = with_passkey(logged_in(anna))
        client = Client()
        answer = key.get(options(client, "log-in"))
        Session.objects.filter(expire_date__lt=timezone.now() + dt.timedelta(minutes=6)).update(
            expire_date=timezone.now() - dt.timedelta(seconds=1)
        )
        enter(client, anna, passkey=answer)
        assert not inside(client)

    @pytest.mark.parametrize(
        "answer", ["", "null", "[]", "{}", "x" * 30_000, '{"id": 1}', "[" * 5000, '{"id":"a","rawId":"b","type":"c"}']
    )
    def test_nonsense_is_refused_in_words(self, anna: User, answer: str) -> None:
        authenticator(anna)
        client = Client()
        assert enter(client, anna, passkey=answer).status_code == 200
        assert not inside(client)

    @pytest.mark.parametrize("field", ["rawId", "type", "response", "signature", "clientDataJSON"])
    @pytest.mark.parametrize("value", [None, 1, [], {}, "", "ü", "AAAA"])
    def test_a_part_that_is_nonsense_is_refused(self, anna: User, field: str, value: Any) -> None:
        key = with_passkey(logged_in(anna))
        client = Client()
        answer = json.loads(key.get(options(client, "log-in")))
        (answer["response"] if field in answer["response"] else answer)[field] = value
        assert enter(client, anna, passkey=json.dumps(answer)).status_code == 200
        assert not inside(client)

    def test_one_already_known_is_not_added_to_a_second_account(self, anna: User, bert: User) -> None:
        key = with_passkey(logged_in(anna))
        client = logged_in(bert)
        client.post("/desk/access/passkey/", {"name": "x", "passkey": key.create(options(client, "register"))})
        assert WebAuthnCredential.objects.get().user == anna

    def test_at_a_bare_number_the_page_says_why_there_are_none(self, anna: User, settings: Any) -> None:
        settings.OTP_WEBAUTHN_RP_ID = "127.0.0.1"
        client = logged_in(anna)
        assert "Nicht an dieser Adresse" in client.get("/desk/access/").content.decode()
        assert client.post("/desk/access/passkey/register/").status_code == 404
        assert "data-passkey" not in Client().get("/desk/login/").content.decode()


class TestApproving:
    """Word and second factor, and the second factor bound to this session, this minute and this purpose."""

    @pytest.fixture
    def waiting(self, anna: User, bert: User) -> dict[str, Any]:
        draft = city.submitted(anna)
        client = logged_in(bert)
        return {"draft": draft, "client": client, "key": with_passkey(client)}

    def approve(self, waiting: dict[str, Any], **proof: str) -> str:
        draft = waiting["draft"]
        form = {"digest": draft.digest, "word": "LEIPZIG WARNEN", **proof}
        waiting["client"].post(f"/desk/drafts/{draft.pk}/approve/", form)
        draft.refresh_from_db()
        return str(draft.state)

    def test_a_passkey_releases_in_place_of_a_code(self, waiting: dict[str, Any]) -> None:
        answer = waiting["key"].get(options(waiting["client"], "release"))
        assert self.approve(waiting, passkey=answer, word="LEIPZIG") == "submitted"
        assert self.approve(waiting, passkey=answer) == "released"

    def test_neither_code_nor_passkey_releases_nothing(self, waiting: dict[str, Any]) -> None:
        assert self.approve(waiting) == "submitted"

    @pytest.mark.parametrize("purpose", ["step-up", "log-in"])
    def test_an_answer_given_for_something_else_does_not_release(self, waiting: dict[str, Any], purpose: str) -> None:
        answer = waiting["key"].get(options(waiting["client"], purpose))
        assert self.approve(waiting, passkey=answer) == "submitted"

    def test_an_answer_given_in_another_session_does_not_release(self, waiting: dict[str, Any], bert: User) -> None:
        other = logged_in(bert)
        assert self.approve(waiting, passkey=waiting["key"].get(options(other, "release"))) == "submitted"

    def test_an_answer_counts_for_one_minute_and_one_release(self, waiting: dict[str, Any], anna: User) -> None:
        answer = waiting["key"].get(options(waiting["client"], "release"))
        row = Session.objects.order_by("expire_date")[0]
        assert row.expire_date <= timezone.now() + dt.timedelta(seconds=60)
        assert self.approve(waiting, passkey=answer) == "released"
        waiting["draft"] = city.submitted(anna)
        assert self.approve(waiting, passkey=answer) == "submitted"


class TestGuessing:
    def test_wrong_codes_lock_the_account_like_wrong_passwords(self, anna: User, settings: Any) -> None:
        settings.AXES_ENABLED = True
        cache.clear()
        device = authenticator(anna)
        for number in range(settings.AXES_FAILURE_LIMIT):
            answer = enter(Client(), anna, token=f"00000{number}")
        assert answer.status_code == 429
        forget_use(device)
        enter(client := Client(), anna, token=code(device))
        assert not inside(client), "locked also for the right code"
        assert "000004" not in AccessAttempt.objects.get().post_data

    def test_at_the_step_up_the_device_slows_them_down(self, anna: User) -> None:
        device = authenticator(anna)
        client = logged_in(anna, device)
        for guess in ("000001", "000002", "000003"):
            client.post("/desk/step-up/", {"token": guess})
        assert client.post("/desk/step-up/", {"token": code(device, later=1)}).status_code == 422


class TestEnrolment:
    def invited(self, user: User) -> Client:
        """A browser in which a good invitation has just been answered."""
        from django.contrib.sessions.backends.db import SessionStore

        from alerts.desk.factors import begin_enrolment

        request = RequestFactory().get("/")
        request.session = SessionStore()
        assert begin_enrolment(request, user)["Location"] == "/desk/enrol/"
        request.session.save()
        client = Client(headers={"accept-language": "de"})
        client.cookies["sessionid"] = request.session.session_key
        return client

    def test_the_password_alone_opens_neither_desk_nor_enrolment(self, anna: User) -> None:
        client = Client(headers={"accept-language": "de"})
        answer = enter(client, anna)
        assert "neue Einladung" in answer.content.decode()
        for address in ("/desk/", "/desk/access/", "/desk/access/authenticator/", "/desk/enrol/"):
            assert client.get(address)["Location"].startswith("/desk/login/")
        client.post("/desk/enrol/", {"name": "x", "token": "123456"})
        client.post("/desk/enrol/passkey/")
        assert not TOTPDevice.objects.exists()

    def test_an_invited_officer_comes_in_by_his_first_authenticator(self, anna: User) -> None:
        client = self.invited(anna)
        assert client.get("/desk/")["Location"].startswith("/desk/login/"), "nowhere else until then"
        assert client.get("/desk/enrol/").status_code == 200
        device = TOTPDevice.objects.get(user=anna)
        before = client.cookies["sessionid"].value
        assert client.post("/desk/enrol/", {"name": "Telefon", "token": "000000"}).status_code == 422
        forget_use(device)
        answer = client.post("/desk/enrol/", {"name": "Telefon", "token": code(device)})
        assert len(answer.context["codes"]) == 10
        assert inside(client)
        assert client.cookies["sessionid"].value != before
        assert recorded(anna) == ["factor-added", "codes-made"]

    def test_or_by_a_passkey(self, anna: User) -> None:
        client = self.invited(anna)
        answer = SoftKey().create(options(client, "enrol"))
        client.post("/desk/enrol/", {"name": "Laptop", "passkey": answer})
        assert inside(client)

    def test_it_ends_with_the_first_factor_a_new_password_and_half_an_hour(self, anna: User) -> None:
        for spoil in (
            lambda client: authenticator(anna),
            lambda client: (anna.set_password("ein-neues-Passwort-9"), anna.save()),
            lambda client: User.objects.filter(pk=anna.pk).update(is_active=False),
        ):
            client = self.invited(anna)
            assert client.get("/desk/enrol/").status_code == 200
            spoil(client)
            assert client.get("/desk/enrol/").status_code == 302
            TOTPDevice.objects.all().delete()
        User.objects.filter(pk=anna.pk).update(is_active=True)
        client = self.invited(User.objects.get(pk=anna.pk))
        session = client.session
        session["enrolling"] = {**session["enrolling"], "until": 0}
        session.save()
        assert client.get("/desk/enrol/").status_code == 302

    def test_nobody_with_a_factor_is_enrolled_again(self, anna: User) -> None:
        from alerts.people import Refused

        assert may_enrol(anna)
        authenticator(anna)
        assert not may_enrol(anna)
        with pytest.raises(Refused):
            self.invited(anna)


def test_no_form_of_the_office_touches_a_second_factor(carla: User, bert: User) -> None:
    """What once were forms for administrators, with which one of them could have become a second officer."""
    device = authenticator(bert)
    client = logged_in(carla)
    for rows in ("otp_totp/totpdevice", "otp_static/staticdevice", "django_otp_webauthn/webauthncredential"):
        for address in (rows, f"{rows}/add", f"{rows}/{device.pk}/change", f"{rows}/{device.pk}/delete"):
            assert client.get(f"/desk/{address}/").status_code == 404
            assert client.post(f"/desk/{address}/", {"post": "yes"}).status_code == 404
    assert client.get(f"/desk/otp_totp/totpdevice/{device.pk}/config/").status_code == 404
    assert TOTPDevice.objects.filter(pk=device.pk, user=bert).exists()


def test_what_was_typed_is_kept_through_a_log_in_with_two_factors(anna: User, bert: User) -> None:
    draft = city.submitted(anna)
    device = authenticator(bert)
    client = Client(headers={"accept-language": "de"})
    page = f"/desk/drafts/{draft.pk}/return/"
    kept = client.post(page, {"reason": "Die Straße fehlt.", "token": "123456"}).context["kept"]
    assert "123456" not in kept
    enter(client, bert, token=code(device), next=page, kept=kept)
    assert "Die Straße fehlt." in client.get(page).content.decode()
