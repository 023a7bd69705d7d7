"""The city's push key: made once, kept for its owner alone, and tokens that push services accept."""

from __future__ import annotations

import multiprocessing
import stat
import time
from pathlib import Path

import pytest
from py_vapid import Vapid02
from py_vapid.jwt import decode

from channels import vapid

CONTACT = "https://warnung.leipzig.example"


def claims(authorization: str) -> dict[str, str | int]:
    """The claims of a token whose signature holds."""
    assert Vapid02.verify(authorization)
    parts = dict(part.split("=", 1) for part in authorization.removeprefix("vapid ").split(","))
    found: dict[str, str | int] = decode(parts["t"], parts["k"])
    return found


def test_the_key_is_made_on_first_use_for_its_owner_alone(tmp_path: Path) -> None:
    public = vapid.public_key(str(tmp_path / "keys"))
    assert len(public) == 87
    assert vapid.public_key(str(tmp_path / "keys")) == public
    assert vapid.Vapid(str(tmp_path / "keys"), CONTACT).public_key == public
    file = tmp_path / "keys" / vapid.FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in (tmp_path / "keys").iterdir()] == [vapid.FILE]


def test_several_processes_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(vapid.public_key, [str(tmp_path / "keys")] * 12))) == 1


def test_a_token_names_its_service_its_end_and_whom_to_turn_to(tmp_path: Path) -> None:
    key = vapid.Vapid(str(tmp_path), CONTACT)
    said = claims(key.authorization("https://fcm.googleapis.com", now=1000.0))
    assert said == {"aud": "https://fcm.googleapis.com", "exp": 1000 + 12 * 3600, "sub": CONTACT}


def test_each_service_has_a_token_of_its_own(tmp_path: Path) -> None:
    key = vapid.Vapid(str(tmp_path), CONTACT)
    origins = ["https://fcm.googleapis.com", "https://web.push.apple.com", "https://push.test.example:8443"]
    for _again in range(2):
        assert [claims(key.authorization(origin))["aud"] for origin in origins] == origins


def test_a_token_is_kept_until_an_hour_before_its_end(tmp_path: Path) -> None:
    key = vapid.Vapid(str(tmp_path), CONTACT)
    start = time.time()
    first = key.authorization("https://fcm.googleapis.com", now=start)
    assert key.authorization("https://fcm.googleapis.com", now=start + 10.9 * 3600) == first
    assert key.authorization("https://fcm.googleapis.com", now=start + 11.1 * 3600) != first


def test_many_origins_do_not_fill_the_memory(tmp_path: Path) -> None:
    key = vapid.Vapid(str(tmp_path), CONTACT)
    for number in range(vapid.MOST + 5):
        key.authorization(f"https://{number}.notify.windows.com")
    assert len(key._kept) <= vapid.MOST


def test_a_key_that_cannot_be_read_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / vapid.FILE).write_text("half of a key")
    with pytest.raises(vapid.KeyUnreadable, match=vapid.FILE):
        vapid.public_key(str(tmp_path))
    assert (tmp_path / vapid.FILE).read_text() == "half of a key"


@pytest.mark.parametrize(
    ("address", "mail_from", "expected"),
    [
        ("https://warnung.leipzig.example", "", "https://warnung.leipzig.example"),
        ("https://warnung.leipzig.example:8443", "", "https://warnung.leipzig.example"),
        ("https://warnung.münchen.example", "", "https://warnung.xn--mnchen-3ya.example"),
        ("http://127.0.0.1:8000", "Belfry <warnung@leipzig.example>", "mailto:warnung@leipzig.example"),
        ("http://127.0.0.1:8000", "", "mailto:belfry@localhost"),
    ],
)
def test_services_are_told_whom_to_turn_to(tmp_path: Path, address: str, mail_from: str, expected: str) -> None:
    found = vapid.contact(address, mail_from)
    assert found == expected
    assert claims(vapid.Vapid(str(tmp_path), found).authorization("https://fcm.googleapis.com"))["sub"] == expected


@pytest.mark.parametrize("contact", ["", "warnung@leipzig.example", "http://leipzig.example", "https://a.example/x"])
def test_a_contact_that_services_would_refuse_is_refused_at_start(tmp_path: Path, contact: str) -> None:
    with pytest.raises(ValueError, match="contact"):
        vapid.Vapid(str(tmp_path), contact)
