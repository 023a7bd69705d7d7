"""Codes: an authenticator app and its confirmation, backup codes, and the one-time code after a reset."""

from __future__ import annotations

import datetime as dt
import io
import secrets

import segno
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.safestring import SafeString, mark_safe
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

COUNT = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters that can't be taken for each other when read aloud or from paper."""
BACKUP = "backup codes"
ONE_TIME = "one-time code"
"""The name of the device that holds the single code given after a reset."""
ONE_TIME_HOLDS = dt.timedelta(hours=1)
SEALED = "#"
PENDING_HOLDS = dt.timedelta(minutes=30)


# Authenticator


def begin_authenticator(officer: User) -> TOTPDevice:
    """A new secret that counts only once ``confirm_authenticator`` has seen a code of it."""
    TOTPDevice.objects.filter(user=officer, confirmed=False).delete()
    return TOTPDevice.objects.create(user=officer, confirmed=False)


def pending_authenticator(officer: User) -> TOTPDevice | None:
    fresh = timezone.now() - PENDING_HOLDS
    return TOTPDevice.objects.filter(user=officer, confirmed=False, created_at__gt=fresh).order_by("-pk").first()


def confirm_authenticator(officer: User, token: str, name: str) -> TOTPDevice | None:
    """The authenticator, now in use, or None where the code is wrong. Wrong codes are slowed down."""
    with transaction.atomic():
        pending = pending_authenticator(officer)
        if pending is None:
            return None
        device = TOTPDevice.objects.select_for_update().get(pk=pending.pk)
        if not device.verify_token("".join(token.split())):
            return None
        device.name, device.confirmed = name, True
        device.save(update_fields=["name", "confirmed"])
    return device


def picture(device: TOTPDevice) -> SafeString:
    """The QR code of an authenticator's secret as SVG: black on white at night too, else no camera reads it."""
    drawn = io.BytesIO()
    segno.make(device.config_url, error="m").save(
        drawn, kind="svg", xmldecl=False, svgclass="qr", lineclass=None, omitsize=True, dark="#000", light="#fff"
    )
    return mark_safe(drawn.getvalue().decode().replace("<svg ", '<svg aria-hidden="true" ', 1))  # noqa: S308  (drawn here)


def spelled(device: TOTPDevice) -> str:
    """The secret to type, in groups of four."""
    secret = device.config_url.partition("secret=")[2].partition("&")[0].replace("%3D", "")
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


# Backup codes


def backup_device(officer: User) -> StaticDevice | None:
    """Where an officer's backup codes are kept, if he has any."""
    return StaticDevice.objects.filter(user=officer, confirmed=True).exclude(name=ONE_TIME).order_by("pk").first()


def make_backup(officer: User) -> list[str]:
    """New backup codes in place of the old ones; to be shown once, only their hashes are kept."""
    made = [_new() for _number in range(COUNT)]
    with transaction.atomic():
        device = backup_device(officer) or StaticDevice.objects.create(user=officer, name=BACKUP)
        device.token_set.all().delete()
        for code in made:
            device.token_set.create(token=sealed(code))
    return made


def make_one_time(officer: User) -> str:
    """One code that lets in once within the hour, for an officer whose factors were reset."""
    code = _new()
    with transaction.atomic():
        StaticDevice.objects.filter(user=officer, name=ONE_TIME).delete()
        StaticDevice.objects.create(user=officer, name=ONE_TIME).token_set.create(token=sealed(code))
    return code


def is_one_time(device: Device | None) -> bool:
    return isinstance(device, StaticDevice) and device.name == ONE_TIME


def too_old(device: Device) -> bool:
    """Whether this is a one-time code whose hour is over."""
    made = device.created_at if is_one_time(device) else None
    return made is not None and made < timezone.now() - ONE_TIME_HOLDS


def _new() -> str:
    """Twelve letters in three groups, 59 bits; never digits alone, which would be taken for an authenticator's."""
    while True:
        groups = ["".join(secrets.choice(LETTERS) for _at in range(4)) for _group in range(3)]
        if not "".join(groups).isdecimal():
            return "-".join(groups)


def sealed(code: str, key: str | None = None) -> str:
    """How a backup code is stored: the start of a keyed hash, since the table leaves room for 16 letters."""
    plain = code.replace("-", "").lower()
    digest = salted_hmac("belfry.backup-code", plain, secret=key, algorithm="sha256").hexdigest()
    return SEALED + digest[:15]


def stored(device: StaticDevice, code: str) -> str:
    """What to look for among a device's codes: the hash, or the code as it is where it is one of before."""
    if code.startswith(SEALED):
        return ""  # who has read the table can't type in what stands there
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    hashes = [sealed(code, key) for key in keys]
    found = device.token_set.filter(token__in=hashes).values_list("token", flat=True).first()
    return str(found or code)
