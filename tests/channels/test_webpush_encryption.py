"""Encryption by the standards, read back by another implementation; keys that could not be a browser's."""

from __future__ import annotations

import base64
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.city.webpush import encryption
from tests.channels.pushservice import browser, text

ONE = browser("https://push.test.example/anna")


def data(word: str) -> bytes:
    return base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))


def test_the_standard_s_own_example_comes_out_to_the_byte() -> None:
    """RFC 8291, section 5 and appendix A."""
    number = int.from_bytes(data("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big")
    point, secret = encryption.subscriber_keys(
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
    )
    prepared = encryption.prepare(point, secret, key=ec.derive_private_key(number, ec.SECP256R1()))
    assert text(prepared[65:]) == "S4lYMb_L0FxCeq0WhDx813KgSYqU26kOyzWUdsXYyrg"
    record = encryption.padded(b"When I grow up, I want to be a watermelon")
    body = encryption.encrypt(record, prepared, data("DGv6ra1nlYgDCS1FRnbzlw"))
    assert text(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
        "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=encryption.LIMIT))
def test_what_was_encrypted_is_read_by_another_implementation(plain: bytes) -> None:
    prepared = encryption.prepare(ONE.point, ONE.secret)
    (salt,) = encryption.salts(1)
    body = encryption.encrypt(encryption.padded(plain), prepared, salt)
    assert ONE.read(body) == plain
    assert len(body) <= 4096


@given(st.binary(max_size=64), st.binary(max_size=300))
def test_the_hmac_is_the_standard_s(key: bytes, message: bytes) -> None:
    assert encryption._hmac(encryption._keyed(key), message) == hmac.digest(key, message, "sha256")


def test_a_prepared_set_holds_a_public_key_and_ikm_and_no_private_key() -> None:
    first, second = (encryption.prepare(ONE.point, ONE.secret) for _ in range(2))
    assert len(first) == len(second) == encryption.PREPARED == 97
    assert first[0] == 4
    assert first[:65] != second[:65]
    assert first[65:] != second[65:]


def test_no_two_salts_are_the_same() -> None:
    drawn = [*encryption.salts(5000), *encryption.salts(5000)]
    assert len(set(drawn)) == 10_000
    assert {len(salt) for salt in drawn} == {16}


def test_a_message_above_the_limit_is_not_encrypted() -> None:
    encryption.padded(b"x" * encryption.LIMIT)
    with pytest.raises(ValueError, match="3993"):
        encryption.padded(b"x" * (encryption.LIMIT + 1))


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        ("", ""),
        (ONE.p256dh, ""),
        (ONE.p256dh, ONE.auth[:-2]),
        (ONE.p256dh[:-3], ONE.auth),
        (ONE.p256dh + "AAAA", ONE.auth),
        (text(b"\x02" + ONE.point[1:33]), ONE.auth),
        (text(b"\x04" + bytes(64)), ONE.auth),
        (text(b"\x04" + b"\xff" * 64), ONE.auth),
        ("ä" * 87, ONE.auth),
        ("+/" * 43, ONE.auth),
    ],
    ids=range(10),  # the keys are others each time
)
def test_keys_that_could_not_be_a_browser_s_are_refused(p256dh: str, auth: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        encryption.prepare(*encryption.subscriber_keys(p256dh, auth))
    assert ONE.auth not in str(refusal.value)
