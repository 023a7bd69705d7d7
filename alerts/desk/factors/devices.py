"""What an officer holds to prove himself: listed, entered, taken away; always recorded and told."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _
from django_otp import devices_for_user
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential

from ... import watch
from ...people import Refused
from . import codes

MAIN = (TOTPDevice, WebAuthnCredential)
MOST = 10


def confirmed(officer: User) -> list[Device]:
    """All that prove an officer, backup codes among them."""
    return [device for device in devices_for_user(officer) if not codes.too_old(device)]


def main(officer: User) -> list[Device]:
    """Authenticators and passkeys: what an officer can go on proving himself with."""
    return [device for device in devices_for_user(officer) if isinstance(device, MAIN)]


def has_passkey(officer: User) -> bool:
    return bool(WebAuthnCredential.objects.filter(user=officer, confirmed=True).exists())


def room(officer: User) -> None:
    """Raises Refused where an officer has so many factors that nobody knows them all."""
    if len(main(officer)) >= MOST:
        raise Refused(_("You have {count} second factors. Remove one before you add another.").format(count=MOST))


def entered(officer: User, device: Device) -> None:
    """A new authenticator or passkey counts: told to all, and a one-time code has done its work."""
    with transaction.atomic():
        StaticDevice.objects.filter(user=officer, name=codes.ONE_TIME).delete()
        watch.tell_access(officer.get_username(), ["factor-added"], officer)


def remove(officer: User, chosen: str, proof: str) -> None:
    """Take away an authenticator or passkey, named by its ``persistent_id``; ``proof`` is that of this session.

    Raises Refused for the last one, and for the one that the officer has just proved himself with: so
    another one is known to work.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=officer.pk)  # two removals at once would leave none
        held = {device.persistent_id: device for device in main(officer)}
        if chosen not in held:
            raise Refused(_("This factor is not among yours, or no longer."))
        if len(held) == 1:
            raise Refused(_("This is your last second factor. Add another one first."))
        if chosen == proof:
            raise Refused(_("You have confirmed with this factor. Confirm with another one first, then remove it."))
        held[chosen].delete()
        watch.tell_access(officer.get_username(), ["factor-deleted"], officer)


def clear(officer: User) -> int:
    """All factors of an officer go, those not yet confirmed too. How many that were."""
    doomed = list(devices_for_user(officer, confirmed=None))
    for device in doomed:
        device.delete()
    return len(doomed)


@dataclass(frozen=True, slots=True)
class Factor:
    """A line of the list: ``here`` where this session was proved by it."""

    device: Device
    name: str
    kind: str
    here: bool


def listed(officer: User, proof: str) -> list[Factor]:
    found = []
    for device in main(officer):
        kind = _("Passkey") if isinstance(device, WebAuthnCredential) else _("Authenticator app")
        name = "" if device.name == "authenticator" else device.name
        found.append(Factor(device, name or kind, kind, device.persistent_id == proof))
    return found
