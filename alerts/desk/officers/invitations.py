"""A new officer's way in: a signed link that holds for three days, works once, and dies when a new one is made.

The signature covers the officer's password, which is an unusable one until he sets his own: a new
invitation makes another unusable one, and so ends the link before it.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from ... import audit, ports, roles, watch
from ...models import AuditEntry
from ...notice import moment
from ...people import Refused
from .facts import with_factor


class Signed(PasswordResetTokenGenerator):
    """Its own salt: no other link of Django's is an invitation. Holds for ``settings.PASSWORD_RESET_TIMEOUT``."""

    key_salt = "alerts.desk.officers.invitations"


signed = Signed()


def may_be_invited(officer: User) -> bool:
    """Whether a link may be made: for who was never in, or who has a second factor, which the link does not replace.

    For who was in and has none, the link would be the whole way into somebody else's account: he gets in
    again by the reset of second factors, which needs two pairs of eyes.
    """
    return officer.is_active and (officer.last_login is None or bool(with_factor([officer])))


def invite(officer: User, by: User) -> str:
    """A new link for another officer; his password and every link before end. Raises NotAllowed, Refused."""
    roles.must_administer(by)
    if officer.pk == by.pk:
        raise Refused(_("Nobody makes a link for himself. Change your own password instead."))
    if not may_be_invited(officer):
        raise Refused(_("This officer was at the desk and has no second factor. Have the second factor reset first."))
    again = AuditEntry.objects.filter(action="invited", subject=roles.subject(officer)).exists()
    with transaction.atomic():
        officer.set_unusable_password()
        officer.save(update_fields=["password"])
        audit.record(by, "invited", roles.subject(officer))
        if again or officer.last_login is not None:
            watch.tell_access(officer.get_username(), ["invited"], by)
    return f"{settings.ADDRESS}{reverse('admin:invitation-link', args=[officer.pk, signed.make_token(officer)])}"


def mail(officer: User, link: str) -> bool:
    """Send the link to the officer alone; False where the mail server does not take it."""
    with override("de"):
        subject = _("Belfry: your access to the duty desk of {city}").format(city=settings.CITY_SHORT)
        body = _(
            "{name}, set your password for the duty desk here:\n\n{link}\n\n"
            "The link works once, until {until}. Your log-in name is {username}.\n"
            "If you did not expect this, tell an administrator of the city and do not open the link."
        ).format(
            name=officer.get_full_name() or officer.get_username(),
            link=link,
            until=moment(ends()),
            username=officer.get_username(),
        )
    try:
        ports.notify(subject, body, only=[officer.email])
    except OSError:
        return False
    return True


def ends() -> dt.datetime:
    """Until when a link made now holds."""
    return timezone.now() + dt.timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)


def invited(officer_id: int, token: str) -> User | None:
    """The officer whom this link invites, as long as it holds."""
    officer = User.objects.filter(pk=officer_id, is_active=True, is_staff=True).first()
    # an unknown officer costs as much as a wrong token: neither is told from the other by the clock
    holds = signed.check_token(officer or User(pk=0), token)
    return officer if officer is not None and holds else None


def accept(officer: User, password: str) -> bool:
    """Set the invited officer's password; False where the link was used or replaced meanwhile."""
    before = officer.password
    officer.set_password(password)
    with transaction.atomic():
        if User.objects.filter(pk=officer.pk, password=before, is_active=True).update(password=officer.password) != 1:
            return False
        audit.record(officer, "invitation-used", roles.subject(officer))
    return True
