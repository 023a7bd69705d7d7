"""Who a mail is from: the officer's enrolled address, a signature of its domain, a one-time code, each on its own."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

import dkim  # type: ignore[import-untyped]
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from ..checks import DEMO_DOMAIN, on_loopback
from ..desk.factors import codes

WINDOW = dt.timedelta(minutes=10)
"""So old a code of the authenticator may be when the mail reaches us."""
AHEAD = 1
"""Steps by which an authenticator's clock may be ahead."""
MOST_SIGNATURES = 5
LONGEST_SIGNATURE = 8_000
SMALLEST_KEY = 1024
ALGORITHMS = {b"rsa-sha256", b"ed25519-sha256"}
ONCE = ("from", "subject", "date", "message-id", "content-type", "content-transfer-encoding", "mime-version")
"""Headers of which a second one could say something else than the one that was signed."""

Dns = Callable[..., bytes | None]

_silent = logging.getLogger(f"{__name__}.dkim")  # dkimpy logs what it reads, addresses among it
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class LookAgain(Exception):
    """The name server does not answer: whether the signature holds is not known yet."""


def resolve(name: bytes, timeout: int = 5) -> bytes | None:
    """A TXT record; the system's name servers, unless a test puts its own in here."""
    found: bytes | None = dkim.get_txt(name, timeout)
    return found


def officer(address: str) -> User | None:
    """The one officer whose enrolled address this is; nobody where two share it."""
    if not address:
        return None
    if address.endswith(DEMO_DOMAIN) and not (settings.DEMO and on_loopback()):
        return None
    found = User.objects.filter(email__iexact=address, is_active=True, is_staff=True, is_superuser=False)[:2]
    return found[0] if len(found) == 1 else None


def unsigned(raw: bytes, address: str, dns: Dns | None = None) -> str:
    """Why nothing proves that the domain of ``address`` sent this; empty where a signature does. Raises LookAgain."""
    try:
        headers, _body = dkim.rfc822_parse(raw)
    except dkim.DKIMException:
        return _("Its headers are damaged.")
    names = [name.strip().lower().decode("latin-1") for name, _value in headers]
    if any(names.count(name) > 1 for name in ONCE):
        return _("One of its headers stands there twice.")
    domain = address.rpartition("@")[2]
    if settings.INTAKE_RELAY:
        said = next((value for name, value in headers if name.strip().lower() == b"authentication-results"), b"")
        if relayed(said.decode("latin-1"), domain):
            return ""
    return _unsigned(raw, headers, domain, dns or resolve)


def aligned(signer: str, domain: str) -> bool:
    """Whether a signature of ``signer`` speaks for ``domain``: the same, or kin that a setting names.

    Kinship alone would let ``co.uk`` sign for everybody below it.
    """
    signer, domain = signer.lower().rstrip("."), domain.lower()
    if not signer or not domain:
        return False
    kin = domain.endswith(f".{signer}") or signer.endswith(f".{domain}")
    return signer == domain or (kin and signer in {name.lower() for name in settings.INTAKE_DOMAINS})


def relayed(header: str, domain: str) -> bool:
    """Whether our trusted relay says in its Authentication-Results (RFC 8601) that an aligned signature passed."""
    plain = re.sub(r"\([^()]*\)", " ", header)
    if '"' in plain or "(" in plain or ")" in plain:
        return False  # quoted or nested: nothing that our relay writes, and two readers could read it in two ways
    server, *results = [part.strip() for part in re.sub(r"\s+", " ", plain).split(";")]
    if server.split(" ")[0].lower() != settings.INTAKE_RELAY.lower():
        return False
    for result in results:
        method, *properties = result.split(" ")
        if re.fullmatch(r"dkim(?:/1)?=pass", method.lower()) is None:
            continue
        told = dict(part.lower().partition("=")[::2] for part in properties)
        signer = told.get("header.d") or told.get("header.i", "").rpartition("@")[2]
        if aligned(signer, domain):
            return True
    return False


def _unsigned(raw: bytes, headers: list[tuple[bytes, bytes]], domain: str, dns: Dns) -> str:
    signatures = [value for name, value in headers if name.strip().lower() == b"dkim-signature"]
    if not signatures:
        return _("It has no signature (DKIM).")
    if len(signatures) > MOST_SIGNATURES or any(len(value) > LONGEST_SIGNATURE for value in signatures):
        return _("It has more signatures than we look at.")
    silent = False

    def asked(name: bytes, timeout: int = 5) -> bytes | None:
        nonlocal silent
        try:
            return dns(name, timeout=timeout)
        except (dkim.DnsTimeoutError, OSError):
            silent = True
            return None

    for at in range(len(signatures)):
        try:
            signer = dkim.DKIM(raw, logger=_silent, minkey=SMALLEST_KEY, timeout=5)
            prepared = signer.verify_headerprep(at)
            # the questions that cost nothing first: whoever may not speak here is not even looked up
            if not prepared or not _worth(prepared[0], prepared[1], domain):
                continue
            if signer.verify(at, asked):
                return ""
        # dkimpy means to raise its own; what hostile keys and tags bring it to besides is no proof either
        except (dkim.DKIMException, ValueError, TypeError, KeyError, IndexError, AttributeError):
            continue
    if silent:
        raise LookAgain
    return _("No signature (DKIM) of the sender's domain holds.")


def _worth(tags: dict[bytes, bytes], signed: list[bytes], domain: str) -> bool:
    """Whether a signature, if it held, would cover the sender, what is asked and the whole body, in the domain's name.

    With the Message-ID in it, nobody who has caught a mail can send it again as another one.
    """
    return (
        aligned(tags[b"d"].decode("latin-1"), domain)
        and tags.get(b"a") in ALGORITHMS
        and b"l" not in tags  # whatever stands behind that length is signed by nobody
        and {b"from", b"subject", b"message-id"} <= {name.strip() for name in signed}
    )


@dataclass(frozen=True, slots=True)
class Code:
    """What a one-time code came to. ``printed``: a backup code, which tells nothing of when it was typed."""

    good: bool
    printed: bool = False
    words: str = ""


def code(by: User, typed: str, at: dt.datetime, *, again: bool = False) -> Code:
    """Judge an officer's code as of ``at`` and use it up; in the caller's transaction.

    Wrong ones throttle the device, as at the desk; not in a mail that came before (``again``), else whoever
    has caught one could keep its officer from the desk by sending it for ever.
    """
    if not typed:
        return Code(False, words=_("The one-time code is missing."))
    if not typed.isdecimal():
        if again:
            return Code(False, printed=True, words=_("The backup code is wrong or was used already."))
        good = _printed(by, typed)
        return Code(good, printed=True, words="" if good else _("The backup code is wrong or was used already."))
    with transaction.atomic():
        devices = list(TOTPDevice.objects.select_for_update().filter(user=by, confirmed=True).order_by("pk"))
        allowed = [device for device in devices if device.verify_is_allowed()[0]]
        for device in allowed:
            step = _step(device, int(typed), at)
            if step is not None:
                device.last_t = step
                device.throttle_reset(commit=False)
                device.set_last_used_timestamp(commit=False)
                device.save()
                return Code(True)
        for device in [] if again else allowed:
            device.throttle_increment()
    if devices and not allowed:
        return Code(False, words=_("There were too many wrong codes. Wait a little, then send a new one."))
    return Code(False, words=_("The one-time code is wrong, older than ten minutes, or was used already."))


def _printed(by: User, typed: str) -> bool:
    """Whether this is an officer's backup code, used up now. The code of a reset opens the desk and nothing else."""
    with transaction.atomic():
        rows = StaticDevice.objects.select_for_update().filter(user=by, confirmed=True)
        for device in rows.exclude(name=codes.ONE_TIME).order_by("pk"):
            if device.verify_is_allowed()[0] and device.verify_token(codes.stored(device, typed)):
                return True
    return False


def _step(device: TOTPDevice, typed: int, at: dt.datetime) -> int | None:
    """The time step that this code belongs to, among those of the window that were not used yet."""
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = at.timestamp()
    found = None
    for offset in range(-int(WINDOW.total_seconds() // device.step), AHEAD + 1):
        totp.drift = device.drift + offset
        if totp.t() > device.last_t and totp.token() == typed:
            found = int(totp.t())  # the latest one, so that nothing of before it can be used
    return found


def same_person(one: User, others: list[User]) -> bool:
    """Whether an account looks like the person of another one: same address, telephone or authenticator."""
    ids = [other.pk for other in others if other.pk != one.pk]
    keys = TOTPDevice.objects.filter(user=one).values_list("key", flat=True)
    if TOTPDevice.objects.filter(user__in=ids, key__in=list(keys)).exists():
        return True
    phone = getattr(getattr(one, "profile", None), "phone", "")
    rows = User.objects.filter(pk__in=ids)
    return bool(phone and rows.filter(profile__phone=phone).exists()) or bool(
        one.email and rows.filter(email__iexact=one.email).exists()
    )
