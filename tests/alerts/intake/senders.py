"""Mails as officers and forgers send them: signed for real, with a DNS of the test's own."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import cache
from typing import Any

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import User
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from alerts.intake import email, store
from alerts.models import Intake

GATEWAY = "alarm@city.example"
FORM = """\
Stufe: extrem
Dringlichkeit: sofort
Gewissheit: beobachtet
Art: Feuer
Ort: Dimitroffstraße
Gebiet: 51.3348, 12.3727 600 m
Gültig: 4 Stunden

DE:
Ereignis: Bombenfund
Überschrift: Bombenfund: Verlassen Sie das Gebiet
Text: Eine Bombe liegt dort.
Was tun: Gehen Sie.

EN:
Event: Bomb found
Headline: Bomb found: leave the area
Text: There is a bomb.
What to do: Leave.
"""


@cache
def key(domain: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505  (quick to make)


def dns(name: bytes, timeout: int = 5) -> bytes | None:
    """Every domain has a key under the selector ``s``, but those that a test has made silent."""
    selector, _middle, domain = name.decode().rstrip(".").partition("._domainkey.")
    if selector != "s":
        return None
    if domain == "silent.example":
        raise dkim.DnsTimeoutError("no answer")
    public = key(domain).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = public.public_bytes(serialization.Encoding.DER, form)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def sign(raw: bytes, domain: str, **options: Any) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key(domain).private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    given = {"include_headers": [b"from", b"to", b"subject", b"date", b"message-id"]} | options
    header: bytes = dkim.sign(raw, b"s", domain.encode(), pem, canonicalize=(b"relaxed", b"relaxed"), **given)
    return header + raw


def written(
    sender: str,
    text: str,
    subject: str = "Warnung",
    *,
    date: dt.datetime | None = None,
    attach: tuple[str, str, bytes] | None = None,
    **headers: str,
) -> bytes:
    """A mail as a mail program makes it, unsigned."""
    mail = EmailMessage()
    mail["From"] = f"Beamtin <{sender}>"
    mail["To"] = GATEWAY
    mail["Subject"] = subject
    mail["Date"] = format_datetime(date or timezone.now())
    mail["Message-ID"] = make_msgid(domain="mail.example")
    for name, value in headers.items():
        del mail[name.replace("_", "-")]
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    if attach:
        name, mime, body = attach
        main, _slash, sub = mime.partition("/")
        mail.add_attachment(body, maintype=main, subtype=sub, filename=name)
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@dataclass
class Officer:
    """An officer with a mail account, an authenticator and printed codes."""

    user: User

    def __post_init__(self) -> None:
        self.device = TOTPDevice.objects.create(user=self.user, name="app", confirmed=True)
        self.printed = StaticDevice.objects.create(user=self.user, name="backup codes", confirmed=True)
        self.steps = 0

    def code(self, at: dt.datetime | None = None) -> str:
        """What the authenticator shows; without ``at`` a fresh one, however quick a test asks for the next."""
        device = self.device
        totp = TOTP(device.bin_key, device.step, device.t0, device.digits, 0)
        totp.time = (at or timezone.now()).timestamp()
        if at is None:
            totp.drift = self.steps - 15
            self.steps += 1
        return f"{totp.token():06d}"

    def backup(self, code: str = "abcd-efgh-jkmn") -> str:
        self.printed.token_set.create(token=code)
        return code

    def mail(self, text: str, subject: str = "Warnung", *, code: str | None = None, **options: Any) -> bytes:
        """Signed by the officer's own domain, with a fresh code unless told."""
        shown = self.code() if code is None else code
        lines = text if not shown else f"{text}\n\nCode: {shown}"
        return sign(written(self.user.email, lines, subject, **options), self.user.email.rpartition("@")[2])


def come(raw: bytes, at: dt.datetime | None = None) -> Intake:
    """A mail arrives and is taken."""
    intake = store.keep(raw, at or timezone.now())
    email.take(intake.pk)
    intake.refresh_from_db()
    return intake
