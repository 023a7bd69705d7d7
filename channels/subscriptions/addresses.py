"""Addresses of residents as they are kept: a mobile number, a mail address, a browser's push endpoint with its keys."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from urllib.parse import urlsplit

import idna
import phonenumbers
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from ..models import Way
from . import sealing

REGION = "DE"
"""Where a number without a country's prefix belongs."""
LONGEST_TYPED = 320
"""Characters of what somebody typed that are looked at."""
LONGEST_ENDPOINT = 1000
MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)

# RFC 5322 §3.2.3, without quoted strings: nobody has one, and they may hold line breaks
_local_part = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.IGNORECASE)
# no exception for "localhost": a mail to root on this machine is nobody's subscription
_valid_mail = EmailValidator(allowlist=[])


class BadAddress(ValueError):
    """Not an address that a subscription can be for. ``str()`` says so in the active language, without the address."""


def normalised(way: str, typed: str) -> str:
    """An address as it is kept; for push ``typed`` is endpoint, p256dh and auth with a space between each.

    Raises BadAddress.
    """
    if way == Way.SMS:
        return phone(typed)
    if way == Way.EMAIL:
        return mail(typed)
    parts = typed.split(" ")
    if way != Way.PUSH or len(parts) != 3:
        raise BadAddress(_("The push address is incomplete."))
    return push(*parts)


def phone(typed: str) -> str:
    """A mobile number of ``settings.SMS_COUNTRIES`` in E.164. Raises BadAddress."""
    typed = typed.strip()
    if not typed:
        raise BadAddress(_("Enter your mobile number."))
    wrong = BadAddress(_("This is not a complete mobile number. Write it as in 0151 23456789."))
    # letters would be taken for the digits on their keys
    if len(typed) > 40 or any(letter.isalpha() or unicodedata.category(letter).startswith("C") for letter in typed):
        raise wrong
    try:
        number = phonenumbers.parse(typed, REGION)
    except phonenumbers.NumberParseException as error:
        raise wrong from error
    if not phonenumbers.is_valid_number(number) or number.extension:
        raise wrong
    if phonenumbers.region_code_for_number(number) not in settings.SMS_COUNTRIES:
        countries = ", ".join(f"+{code}" for code in dict.fromkeys(map(_calling_code, settings.SMS_COUNTRIES)))
        raise BadAddress(
            _("SMS goes to numbers that begin with {countries} alone. Choose e-mail instead.").format(
                countries=countries
            )
        )
    if phonenumbers.number_type(number) not in MOBILE:
        raise BadAddress(_("This is not a mobile number. Enter a mobile number, or choose e-mail."))
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def mail(typed: str) -> str:
    """A mail address, its domain in lower case and ASCII, at most 254 characters. Raises BadAddress."""
    typed = typed.strip()
    if not typed:
        raise BadAddress(_("Enter your e-mail address."))
    wrong = BadAddress(_("This is not a complete e-mail address. Write it as in name@example.org."))
    local, at, domain = typed.rpartition("@")
    if len(typed) > LONGEST_TYPED or not at or len(local) > 64 or not _local_part.fullmatch(local):
        raise wrong
    try:
        domain = domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode()
        _valid_mail(f"{local}@{domain}")
    except (UnicodeError, ValidationError) as error:
        raise wrong from error
    # an address of a machine in brackets leads into networks, not to residents
    if "[" in domain or len(local) + 1 + len(domain) > 254:
        raise wrong
    return f"{local}@{domain}"


def push(endpoint: str, p256dh: str, auth: str) -> str:
    """Endpoint and keys (base64url, no padding) with a space between each. Raises BadAddress.

    Says nothing of where the endpoint leads: that is the channel's to check.
    """
    wrong = BadAddress(_("The push address of this browser can't be used."))
    if len(endpoint) > LONGEST_ENDPOINT or not re.fullmatch(r"https://[\x21-\x7e]+", endpoint):
        raise wrong
    try:
        if not urlsplit(endpoint).hostname or "@" in urlsplit(endpoint).netloc:
            raise wrong
        point, secret = _bytes(p256dh), _bytes(auth)
        # RFC 8291 §2: an uncompressed point of P-256 and 16 bytes
        if len(point) != 65 or len(secret) != 16:
            raise wrong
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    except (ValueError, binascii.Error) as error:
        raise wrong from error
    return f"{endpoint} {_text(point)} {_text(secret)}"


def lookup(way: str, address: str) -> str:
    """The keyed hash that a subscription is found by.

    For push it is the endpoint's alone: whoever knows no more than that must not get a second row for it.
    Capitals in a mail address make no difference.
    """
    if way == Way.PUSH:
        return sealing.lookup(way, address.partition(" ")[0])
    return sealing.lookup(way, address.lower())


def mailbox(address: str) -> str:
    """What is one mailbox to most mail servers, for counting: no capitals, no dots, no +suffix."""
    local, _at, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{domain}"


def hint(way: str, address: str) -> SafeString:
    """As much of an address as reminds its holder, and tells a stranger who sees the page little; on one line."""
    if way == Way.SMS:
        shown = f"{address[:3]} … {address[-3:]}"
    elif way == Way.EMAIL:
        local, _at, domain = address.rpartition("@")
        shown = f"{local[0]}…@{domain}"
    else:
        return SafeString("")
    return format_html('<span class="nowrap">{}</span>', shown)


def _calling_code(region: str) -> int:
    return phonenumbers.country_code_for_region(region)


def _bytes(text: str) -> bytes:
    text = text.rstrip("=").replace("+", "-").replace("/", "_")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
