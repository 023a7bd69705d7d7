"""Officers with second factors, as the tests of log-in and access use them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.desk.conftest import PASSWORD
from tests.desk.softkey import SoftKey


def authenticator(user: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=user, name="Diensttelefon")


def code(device: TOTPDevice, later: int = 0) -> str:
    """The code of now, or that many steps later."""
    return f"{totp(device.bin_key, device.step, device.t0, device.digits, later):06d}"


def enter(client: Client, user: User, **more: str) -> Any:
    """Log in with the password (unless another is given) and what is given besides."""
    return client.post(
        "/desk/login/", {"username": user.username, "password": PASSWORD, "next": "/desk/access/", **more}
    )


def inside(client: Client) -> bool:
    return client.get("/desk/access/").status_code == 200


def logged_in(user: User, device: TOTPDevice | None = None) -> Client:
    """A browser in which this officer came in with password and code."""
    client = Client(headers={"accept-language": "de"})
    assert enter(client, user, token=code(device or authenticator(user))).status_code == 302
    return client


def forget_use(device: TOTPDevice) -> None:
    """As if half a minute had gone by since the last code: the current one counts again."""
    TOTPDevice.objects.filter(pk=device.pk).update(last_t=-1, throttling_failure_count=0)


def options(client: Client, purpose: str) -> dict[str, Any]:
    address = {"log-in": "/desk/login/passkey/", "enrol": "/desk/enrol/passkey/"}
    answer = client.post(address.get(purpose, f"/desk/access/passkey/{purpose}/"))
    assert answer.status_code == 200, answer.status_code
    found: dict[str, Any] = answer.json()
    return found


def with_passkey(client: Client, name: str = "Laptop") -> SoftKey:
    """A passkey that the officer of this browser adds."""
    key = SoftKey()
    answer = key.create(options(client, "register"))
    assert client.post("/desk/access/passkey/", {"name": name, "passkey": answer}).status_code == 302
    return key
