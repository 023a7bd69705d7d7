"""Numbers, mail and push addresses: what is taken, how it is kept, what is refused in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.subscriptions import addresses
from channels.subscriptions.addresses import BadAddress
from tests.channels.contract import HOSTILE
from tests.channels.subscriptions.conftest import browser


@pytest.mark.parametrize(
    "typed",
    [
        "0151 12345678", "+49 151 12345678", "+49 (0)151 12345678", "0049 151 12345678", "0151/12345678",
        "0151-123 456 78", " +4915112345678 ", "０１５１１２３４５６７８",
    ],
)  # fmt: skip
def test_a_number_is_kept_in_one_form_however_it_is_typed(typed: str) -> None:
    assert addresses.phone(typed) == "+4915112345678"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Enter your mobile number"),
        ("151", "not a complete"),
        ("110", "not a complete"),
        ("0151 1234567890123", "not a complete"),
        ("0151-FLOWERS", "not a complete"),
        ("tel:+4915112345678", "not a complete"),
        ("+4915112345678;ext=9", "not a complete"),
        ("0151\x0012345678", "not a complete"),
        ("0151\u200b12345678", "not a complete"),
        ("0151 12345678\r\nBcc: x", "not a complete"),
        ("1" * 5000, "not a complete"),
        ("0341 1234567", "not a mobile number"),
        ("0900 1234567", "not a mobile number"),
        ("0137 7123456", "not a mobile number"),
        ("0180 5 123456", "not a mobile number"),
        ("0700 12345678", "not a mobile number"),
        ("+43 664 1234567", "begin with +49 alone"),
        ("+1 415 555 2671", "begin with +49 alone"),
        ("+881 612345678", "begin with +49 alone"),
        ("+979 123456789", "begin with +49 alone"),
    ],
)
def test_other_numbers_are_refused_in_words(typed: str, words: str, en: None) -> None:
    with pytest.raises(BadAddress, match=words.replace("+", r"\+")):
        addresses.phone(typed)


def test_the_city_says_which_countries_it_texts_to(settings: Any) -> None:
    settings.SMS_COUNTRIES = ["DE", "AT"]
    assert addresses.phone("+43 664 1234567") == "+436641234567"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("anna@example.org", "anna@example.org"),
        (" Anna.Muster@Example.ORG ", "Anna.Muster@example.org"),
        ("anna+warnung@mail.example.org", "anna+warnung@mail.example.org"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@straße.example", "anna@xn--strae-oqa.example"),
        ("o'neill@example.org", "o'neill@example.org"),
    ],
)
def test_a_mail_address_is_kept_with_its_domain_in_one_form(typed: str, kept: str) -> None:
    assert addresses.mail(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "anna", "@example.org", "anna@", "anna@example", "anna@@example.org", "anna@localhost", "root@[127.0.0.1]",
        "root@[IPv6:::1]", "root@127.0.0.1",
        '"a b"@example.org', '"a\r\nBcc: x"@example.org', "a@example.org\r\nBcc: x",
        "a\x00@example.org", "a b@example.org", "a@exam ple.org", "a@example..org", "a@-example.org", ".a@example.org",
        "a@example.org.", "a,b@example.org", "<a@example.org>", "a" * 65 + "@example.org", "a@" + "b" * 250 + ".org",
        "a@" + ".".join(["b" * 60] * 5) + ".org", "ä@example.org", "a@example.org" * 2000, "a@\u202eexample.org",
        "a@xn--\xe4.org",
        *HOSTILE,
    ],
)  # fmt: skip
def test_other_mail_addresses_are_refused_in_words(typed: str, en: None) -> None:
    with pytest.raises(BadAddress) as refusal:
        addresses.mail(typed)
    assert str(refusal.value) == "This is not a complete e-mail address. Write it as in name@example.org."


@given(st.text(max_size=120))
def test_whatever_is_taken_is_short_plain_and_on_one_line(typed: str) -> None:
    for read in (addresses.phone, addresses.mail):
        try:
            kept = read(typed)
        except BadAddress:
            continue
        assert kept.isascii()
        assert kept.isprintable()
        assert " " not in kept
        assert len(kept) <= 254
        assert read(kept) == kept


def test_a_push_address_is_kept_without_padding_in_one_alphabet() -> None:
    one = browser()
    p256dh, auth = one["keys"]["p256dh"], one["keys"]["auth"]
    plain = addresses.push(one["endpoint"], p256dh, auth)
    assert plain == f"{one['endpoint']} {p256dh} {auth}"
    other = addresses.push(one["endpoint"], p256dh.replace("-", "+").replace("_", "/") + "=", auth + "==")
    assert other == plain
    assert addresses.normalised("push", plain) == plain


def test_a_subscription_is_found_by_what_does_not_change() -> None:
    one = browser()
    address = addresses.push(one["endpoint"], one["keys"]["p256dh"], one["keys"]["auth"])
    assert addresses.lookup("push", address) == addresses.lookup("push", one["endpoint"])
    assert addresses.lookup("email", "Anna@example.org") == addresses.lookup("email", "anna@example.org")
    assert addresses.lookup("email", "anna@example.org") != addresses.lookup("sms", "anna@example.org")


def test_one_mailbox_is_counted_as_one() -> None:
    written = {"Anna.Muster@Example.org", "annamuster+x@example.org", "a.n.n.a.muster@example.org"}
    assert len(set(map(addresses.mailbox, written))) == 1


def test_a_hint_reminds_its_holder_and_tells_nobody_else() -> None:
    assert ">+49 … 678<" in addresses.hint("sms", "+4915112345678")
    assert ">a…@example.org<" in addresses.hint("email", "anna@example.org")
    assert "<b>" not in addresses.hint("email", "a@<b>.example")
    assert addresses.hint("push", "https://push.example.org/1 x y") == ""


@pytest.mark.parametrize("way", ["fax", ""])
def test_there_is_no_other_way(way: str) -> None:
    with pytest.raises(BadAddress):
        addresses.normalised(way, "a b c")
