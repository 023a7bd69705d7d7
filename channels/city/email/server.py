"""The mail server of EMAIL_URL: what its address says, and a connection to it that is encrypted and logged in."""

from __future__ import annotations

import ipaddress
import smtplib
import socket
import ssl
import time
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext as _

from channels.base import ChannelError, Permanent, Temporary

SCHEMES = {"smtp": ("", 25), "smtp+tls": ("starttls", 587), "smtps": ("tls", 465)}
"""scheme -> (how it is encrypted, its port where none is named)."""
CONNECT_SECONDS = 10.0
"""For all of it together, from the first packet to the log-in."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail goes: ``tls`` is empty, starttls or tls; ``hello`` is how we call ourselves."""

    host: str
    port: int
    tls: str
    hello: str
    user: str = ""
    password: str = field(default="", repr=False)


def parse(url: str, password: str, hello: str) -> Server:
    """The server of ``smtp://``, ``smtp+tls://`` (STARTTLS) or ``smtps://user@host:port``. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError("the mail server is written smtp://HOST:PORT, smtp+tls://USER@HOST:PORT or smtps://…")
    tls, port = SCHEMES[parts.scheme]
    secret = password or unquote(parts.password or "")
    if not secret.isascii():
        raise ValueError("the mail server's password (EMAIL_PASSWORD) may hold ASCII characters alone")
    return Server(parts.hostname, parts.port or port, tls, hello, unquote(parts.username or ""), secret)


def hello(address: str) -> str:
    """How we call ourselves: the host of the city's address, a number in brackets (RFC 5321 §4.1.3)."""
    host = urlsplit(address).hostname or "localhost"
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[{host}]" if number.version == 4 else f"[IPv6:{host}]"


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection ready for mail."""

    socket: socket.socket
    pipelining: bool


def connect(server: Server, *, seconds: float, context: ssl.SSLContext | None = None) -> Connected:
    """Connect, greet, encrypt and log in within ``seconds``. ``context`` for a certificate authority of one's own.

    Raises Temporary where it may work later, Permanent where a setting must be mended first.
    """
    context = context or ssl.create_default_context()
    until = time.monotonic() + min(seconds, CONNECT_SECONDS)
    try:
        smtp = _greeted(server, until, context)
    except (OSError, ValueError) as error:
        raise _words(error) from error
    try:
        if server.user:
            _hurry(smtp, until)
            smtp.login(server.user, server.password)
        sock = smtp.sock
        if sock is None:
            raise smtplib.SMTPServerDisconnected
    except OSError as error:
        smtp.close()
        raise _login_words(error) from error
    if smtp.file is not None:
        smtp.file.close()
    smtp.sock = None  # the connection is ours from here on
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a short command waits for the last one's ACK
    return Connected(sock, smtp.has_extn("pipelining"))


def _greeted(server: Server, until: float, context: ssl.SSLContext) -> smtplib.SMTP:
    timeout = _left(until)
    if server.tls == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=server.hello, timeout=timeout, context=context)
    else:
        smtp = smtplib.SMTP(local_hostname=server.hello, timeout=timeout)
    # the name that the certificate must prove; connect() does not set it
    smtp._host = server.host  # type: ignore[attr-defined]
    try:
        code, _words_of_server = smtp.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, "")
        _hurry(smtp, until)
        smtp.ehlo_or_helo_if_needed()
        if server.tls == "starttls":
            _hurry(smtp, until)
            smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
    except BaseException:
        smtp.close()
        raise
    return smtp


def _hurry(smtp: smtplib.SMTP, until: float) -> None:
    """A server that takes its time over each step must not take all of it."""
    if smtp.sock is not None:
        smtp.sock.settimeout(_left(until))


def _left(until: float) -> float:
    """Seconds that are left, never none: a socket would take that for "do not wait at all"."""
    return max(until - time.monotonic(), 0.01)


def _words(error: Exception) -> ChannelError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Permanent(_("The mail server's certificate is not valid for its name. Check EMAIL_URL."))
    if isinstance(error, ssl.SSLError):
        return Temporary(_("No encrypted connection to the mail server came about."))
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Permanent(_("The mail server offers no encryption (STARTTLS). Check EMAIL_URL."))
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        return Temporary(_("The mail server turned us away ({code}).").format(code=error.smtp_code))
    if isinstance(error, TimeoutError):
        return Temporary(_("The mail server did not answer in time."))
    if isinstance(error, socket.gaierror):
        return Temporary(_("The mail server's name was not found."))
    return Temporary(_("The mail server can't be reached."))


def _login_words(error: Exception) -> ChannelError:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        if 400 <= error.smtp_code < 500:
            return Temporary(_("The mail server can't check our log-in now ({code}).").format(code=error.smtp_code))
        return Permanent(
            _("The mail server refuses user name or password ({code}). Check EMAIL_URL and EMAIL_PASSWORD.").format(
                code=error.smtp_code
            )
        )
    if isinstance(error, smtplib.SMTPServerDisconnected | TimeoutError | ssl.SSLError):
        return Temporary(_("The mail server broke off the log-in."))
    if isinstance(error, smtplib.SMTPException):
        return Permanent(_("The mail server offers no log-in that we know. Check EMAIL_URL."))
    return Temporary(_("The mail server can't be reached."))
