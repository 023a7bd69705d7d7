"""Mail to the officers on the roster, sent here and now, without RQ."""

import logging
from collections.abc import Sequence

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email

log = logging.getLogger(__name__)


def notify(subject: str, body: str, *, approvers: bool = False, only: Sequence[str] = ()) -> None:
    """Mail an alarm (``alerts.ports.Notify``): to BELFRY_ROSTER, else to every active officer with an address.

    With ``approvers``, to all who may approve as well; with ``only``, to these and nobody else. Raises
    OSError (smtplib's errors are such) where the mail server does not take it.
    """
    officers = User.objects.filter(is_active=True, is_staff=True).exclude(email="")
    told = set(only or settings.ROSTER or officers.values_list("email", flat=True))
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


def _is_address(address: str) -> bool:
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True
