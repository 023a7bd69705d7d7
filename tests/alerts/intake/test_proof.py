"""Each of the three checks on its own: address, signature, one-time code."""

from __future__ import annotations

import datetime as dt
from typing import Any

import dkim
import pytest
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from alerts.intake import proof
from tests import city

from . import senders as mails
from .senders import Officer

pytestmark = pytest.mark.django_db
SENDER = "anna@city.example"


def mail(**headers: Any) -> bytes:
    return mails.written(SENDER, "Hallo", **headers)


def why(raw: bytes, sender: str = SENDER) -> str:
    return proof.unsigned(raw, sender, mails.dns)


# the signature


def test_a_signature_of_the_senders_domain_proves_it() -> None:
    assert why(mails.sign(mail(), "city.example")) == ""


def test_without_a_signature_nothing_is_proved() -> None:
    assert "DKIM" in why(mail())


@pytest.mark.parametrize("domain", ["evil.example", "example", "notcity.example", "mail.city.example"])
def test_a_good_signature_of_another_domain_proves_nothing(domain: str) -> None:
    assert why(mails.sign(mail(), domain)) != ""


def test_a_parent_domain_speaks_only_where_a_setting_names_it(settings: Any) -> None:
    raw = mails.sign(mails.written("anna@fire.city.example", "Hallo"), "city.example")
    assert why(raw, "anna@fire.city.example") != ""
    settings.INTAKE_DOMAINS = ["city.example"]
    assert why(raw, "anna@fire.city.example") == ""
    assert why(raw, "anna@fire.othercity.example") != ""


def test_a_public_suffix_signs_for_nobody_below_it() -> None:
    assert not proof.aligned("co.uk", "city.co.uk")
    assert not proof.aligned("", "city.example")


@pytest.mark.parametrize("part", [b"Hallo", b"Subject: Warnung", b"From: Beamtin", b"Date: "])
def test_a_changed_mail_is_not_what_was_signed(part: bytes) -> None:
    signed = mails.sign(mail(), "city.example")
    assert why(signed.replace(part, part + b"!")) != ""


def test_a_signature_that_leaves_the_end_of_the_body_open_is_refused() -> None:
    raw = mails.sign(mail(), "city.example", length=True)
    assert dkim.verify(raw, dnsfunc=mails.dns)
    assert why(raw) != ""
    assert why(raw + b"FREIGABE 17-9F3A61C0\r\n") != ""


def test_a_signature_that_does_not_cover_the_subject_is_refused() -> None:
    raw = mails.sign(mail(), "city.example", include_headers=[b"from", b"date"])
    assert dkim.verify(raw, dnsfunc=mails.dns)
    assert why(raw) != ""


@pytest.mark.parametrize("header", [b"Subject: FREIGABE 17", b"From: x@evil.example", b"Content-Type: text/html"])
def test_a_second_header_above_the_signed_one_is_refused(header: bytes) -> None:
    assert why(header + b"\r\n" + mails.sign(mail(), "city.example")) != ""


def test_one_good_signature_among_strangers_is_enough() -> None:
    raw = mails.sign(mails.sign(mail(), "city.example"), "relay.example")
    assert why(raw) == ""


def test_more_signatures_than_anybody_needs_are_not_tried() -> None:
    raw = mail()
    for _number in range(proof.MOST_SIGNATURES + 1):
        raw = mails.sign(raw, "city.example")
    assert why(raw) != ""


def test_strangers_have_no_name_looked_up() -> None:
    def never(name: bytes, timeout: int = 5) -> bytes | None:
        raise AssertionError(name)

    assert proof.unsigned(mails.sign(mail(), "evil.example"), SENDER, never) != ""


def test_a_silent_name_server_is_no_answer() -> None:
    raw = mails.sign(mails.written("anna@silent.example", "Hallo"), "silent.example")
    with pytest.raises(proof.LookAgain):
        why(raw, "anna@silent.example")


@pytest.mark.parametrize("tags", [b"v=1", b"", b"v=1; a=rsa-sha256; d=city.example; s=s; h=from; bh=x; b=y", b";;=;"])
def test_broken_signatures_prove_nothing(tags: bytes) -> None:
    assert why(b"DKIM-Signature: " + tags + b"\r\n" + mail()) != ""


@pytest.mark.parametrize("record", [b"", b"v=DKIM1; p=", b"v=DKIM1; k=rsa; p=AAAA", b"p=\xff\xfe", b"nonsense"])
def test_broken_keys_prove_nothing(record: bytes) -> None:
    raw = mails.sign(mail(), "city.example")
    assert proof.unsigned(raw, SENDER, lambda _name, timeout=5: record) != ""


# the word of a trusted relay

PASS = b"Authentication-Results: mx.city.example; dkim=pass header.d=city.example; spf=fail\r\n"


def test_the_word_of_the_named_relay_stands_for_the_signature(settings: Any) -> None:
    assert why(PASS + mail()) != ""
    settings.INTAKE_RELAY = "mx.city.example"
    assert why(PASS + mail()) == ""


@pytest.mark.parametrize(
    "header",
    [
        b"Authentication-Results: mx.other.example; dkim=pass header.d=city.example\r\n",
        b"Authentication-Results: mx.city.example; dkim=fail header.d=city.example\r\n",
        b"Authentication-Results: mx.city.example; dkim=pass header.d=evil.example\r\n",
        b"Authentication-Results: mx.city.example; dkim=pass\r\n",
        b"Authentication-Results: mx.city.example; spf=pass smtp.mailfrom=city.example\r\n",
        b"Authentication-Results: mx.city.example; spf=fail (dkim=pass header.d=city.example)\r\n",
        b'Authentication-Results: mx.city.example; spf=fail reason="; dkim=pass header.d=city.example"\r\n',
        b"Authentication-Results: mx.city.example.evil.example; dkim=pass header.d=city.example\r\n",
        b"X-Authentication-Results: mx.city.example; dkim=pass header.d=city.example\r\n",
    ],
)
def test_no_other_word_stands_for_the_signature(settings: Any, header: bytes) -> None:
    settings.INTAKE_RELAY = "mx.city.example"
    assert why(header + mail()) != ""


def test_only_the_topmost_results_count_so_that_a_forged_one_below_is_nothing(settings: Any) -> None:
    settings.INTAKE_RELAY = "mx.city.example"
    ours = PASS.replace(b"pass", b"none")
    assert why(ours + PASS + mail()) != ""


# the address


def test_an_officer_is_found_by_his_enrolled_address_in_any_case() -> None:
    anna = city.officer("anna")
    assert proof.officer("ANNA@city.example") == anna


def test_who_is_no_officer_in_use_is_nobody() -> None:
    for change in ({"is_active": False}, {"is_staff": False}, {"is_superuser": True}, {"email": ""}):
        user = city.officer(f"user-{next(iter(change))}")
        address = user.email
        for name, value in change.items():
            setattr(user, name, value)
        user.save()
        assert proof.officer(address if user.email else "") is None, change


def test_an_address_that_two_accounts_share_is_nobodys() -> None:
    one, other = city.officer("anna"), city.officer("anton")
    other.email = one.email
    other.save()
    assert proof.officer(one.email) is None


def test_the_demos_officers_are_nobody_outside_the_demo(settings: Any) -> None:
    user = city.officer("demo")
    user.email = "anna@demo.belfry.example"
    user.save()
    settings.DEMO = False
    assert proof.officer(user.email) is None


# the code


@pytest.fixture
def anna() -> Officer:
    return Officer(city.officer("anna", "write_draft"))


def test_a_code_of_now_is_good_once(anna: Officer) -> None:
    now = timezone.now()
    shown = anna.code(now)
    assert proof.code(anna.user, shown, now).good
    assert not proof.code(anna.user, shown, now).good


@pytest.mark.parametrize(("minutes", "good"), [(0, True), (9, True), (11, False), (-2, False)])
def test_a_code_holds_for_ten_minutes_before_the_mail_reached_us(anna: Officer, minutes: int, good: bool) -> None:
    came = timezone.now() - dt.timedelta(hours=5)
    shown = anna.code(came - dt.timedelta(minutes=minutes))
    assert proof.code(anna.user, shown, came).good is good


def test_no_code_is_good_that_is_older_than_one_that_was_used(anna: Officer) -> None:
    now = timezone.now()
    older, newer = anna.code(now - dt.timedelta(minutes=3)), anna.code(now - dt.timedelta(minutes=1))
    assert proof.code(anna.user, newer, now).good
    assert not proof.code(anna.user, older, now).good


def test_a_code_used_by_mail_no_longer_opens_the_desk(anna: Officer) -> None:
    now = timezone.now()
    shown = anna.code(now)
    assert proof.code(anna.user, shown, now).good
    device = TOTPDevice.objects.get(user=anna.user)
    assert not device.verify_token(shown)


def test_the_code_of_another_officer_is_none(anna: Officer) -> None:
    other = Officer(city.officer("bert", "approve_draft"))
    now = timezone.now()
    assert not proof.code(anna.user, other.code(now), now).good


def test_wrong_codes_throttle_the_device_and_then_even_a_right_one_waits(anna: Officer, settings: Any) -> None:
    settings.OTP_TOTP_THROTTLE_FACTOR = 3600
    now = timezone.now()
    right = anna.code(now)
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    assert not proof.code(anna.user, wrong, now, again=True).good
    assert TOTPDevice.objects.get(user=anna.user).throttling_failure_count == 0
    proof.code(anna.user, wrong, now)
    assert TOTPDevice.objects.get(user=anna.user).throttling_failure_count > 0
    assert not proof.code(anna.user, right, now).good


def test_a_device_that_was_never_confirmed_proves_nothing(anna: Officer) -> None:
    TOTPDevice.objects.update(confirmed=False)
    now = timezone.now()
    assert not proof.code(anna.user, anna.code(now), now).good


def test_a_printed_code_has_no_window_and_is_used_up(anna: Officer) -> None:
    typed = anna.backup()
    long_ago = timezone.now() - dt.timedelta(days=40)
    found = proof.code(anna.user, typed, long_ago)
    assert found.good
    assert found.printed
    assert not StaticToken.objects.exists()
    assert not proof.code(anna.user, typed, long_ago).good


def test_no_code_is_no_code(anna: Officer) -> None:
    assert not proof.code(anna.user, "", timezone.now()).good


# one person, two accounts


def test_two_accounts_of_one_person_are_known_by_authenticator_and_address(anna: Officer) -> None:
    second = Officer(city.officer("anna2", "approve_draft"))
    assert not proof.same_person(second.user, [anna.user])
    TOTPDevice.objects.filter(user=second.user).update(key=anna.device.key)
    assert proof.same_person(second.user, [anna.user])
    assert not proof.same_person(anna.user, [anna.user])
