"""Mail to the officers on the roster, sent here and now, without RQ."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage


def notify(subject: str, body: str) -> None:
    """Mail an alarm (``alerts.ports.Notify``): to BELFRY_ROSTER, else to every active officer with an address.

    Raises OSError (smtplib's errors are such) where the mail server does not take it.
    """
    roster = settings.ROSTER or list(
        get_user_model().objects.filter(is_active=True, is_staff=True).exclude(email="").values_list("email", flat=True)
    )
    if roster:
        EmailMessage(subject, body, to=[settings.DEFAULT_FROM_EMAIL], bcc=roster).send()
