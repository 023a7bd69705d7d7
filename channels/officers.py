"""Mail to the officers on the roster, sent here and now, without RQ."""

import logging

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.core.validators import validate_email

log = logging.getLogger(__name__)


def notify(subject: str, body: str, *, approvers: bool = False) -> None:
    """Mail an alarm (``alerts.ports.Notify``): to BELFRY_ROSTER, else to every active officer with an address.

    With ``approvers``, to all who may approve as well. Raises OSError (smtplib's errors are such)
    where the mail server does not take it.
    """
    officers = User.objects.filter(is_active=True, is_staff=True).exclude(email="")
    told = set(settings.ROSTER or officers.values_list("email", flat=True))
    if approvers:
        holders = User.objects.with_perm(
            "alerts.approve_draft", include_superusers=False, backend="alerts.desk.people.OfficerBackend"
        )
        told |= set(holders.exclude(email="").values_list("email", flat=True))
    good = [address for address in told if _is_address(address)]
    if len(good) < len(told):
        log.error("%d addresses of officers or of BELFRY_ROSTER are none; the others are told", len(told) - len(good))
    told = set(good)
    if told:
        EmailMessage(subject, body, to=[settings.DEFAULT_FROM_EMAIL], bcc=sorted(told)).send()


def answer(to: str, subject: str, body: str, *, key: str, answers: str = "") -> None:
    """Mail an answer to what an officer wrote to the gateway (``alerts.ports.Mail``).

    It says that a machine wrote it and, over SMTP, has an empty return path: two machines that answer each
    other would never stop (RFC 3834).
    """
    if not _is_address(to):
        log.error("an officer's address is none: he gets no answer")
        return
    host = settings.INTAKE_ADDRESS.rpartition("@")[2]
    headers = {
        "Message-ID": f"<{key}@{host}>",
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
    }
    if answers:
        headers |= {"In-Reply-To": answers, "References": answers}
    mail = EmailMessage(subject, body, from_email=settings.INTAKE_ADDRESS, to=[to], headers=headers)
    connection = get_connection()
    if not isinstance(connection, EmailBackend):
        connection.send_messages([mail])
        return
    connection.open()
    try:
        if connection.connection is not None:
            raw = mail.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
            connection.connection.sendmail("", [to], raw)
    finally:
        connection.close()


def _is_address(address: str) -> bool:
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True
