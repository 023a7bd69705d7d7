"""Partners that hand in CAP documents: their tokens made, changed and ended, and what each may hand in."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from .. import areas, audit
from ..content import Content
from ..models import Area, Partner, PartnerToken
from ..people import NotAllowed, Refused, may
from ..terms import Category, Status

PREFIX = "belfry_"
"""How every token begins, so that a leaked one is found by whoever searches for it."""
SEEN_EVERY = dt.timedelta(minutes=1)
"""How exactly the last use of a token is known; a flood must not write one row again and again."""
MOST_TOKENS = 2
"""How many may hold at once: the old one and the new one, while a partner changes over."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is taken of a partner; no ``areas`` (keys of districts) or ``categories`` means any."""

    statuses: Sequence[str] = (Status.ACTUAL,)
    areas: Sequence[str] = ()
    categories: Sequence[str] = ()


def subject(partner: Partner) -> str:
    """How the record names a partner."""
    return f"partner {partner.pk}"


def enter(name: str, scope: Scope, by: User | None) -> Partner:
    """A new partner, without a token. ``by`` None is the command line. Raises NotAllowed, Refused."""
    _administrator(by)
    partner = Partner(name=_named(name))
    _put(partner, scope)
    try:
        with transaction.atomic():
            partner.save(force_insert=True)
            audit.record(by, "partner-changed", subject(partner), new=True, **_data(partner))
    except IntegrityError as error:
        raise Refused(_("There is a partner of this name.")) from error
    return partner


def change(partner: Partner, name: str, scope: Scope, by: User | None, *, active: bool) -> None:
    """Another name, other bounds; a partner out of use is refused with every token. Raises NotAllowed, Refused."""
    _administrator(by)
    partner.name, partner.active = _named(name), active
    _put(partner, scope)
    try:
        with transaction.atomic():
            partner.save()
            audit.record(by, "partner-changed", subject(partner), **_data(partner))
    except IntegrityError as error:
        raise Refused(_("There is a partner of this name.")) from error


def give_token(partner: Partner, by: User | None) -> str:
    """A new token, in clear this once. The one before it holds until it is ended. Raises NotAllowed, Refused."""
    _administrator(by)
    secret = secrets.token_urlsafe(32)
    token = PREFIX + secret
    with transaction.atomic():
        Partner.objects.select_for_update().get(pk=partner.pk)
        if PartnerToken.objects.filter(partner=partner, ended_at__isnull=True).count() >= MOST_TOKENS:
            raise Refused(_("Two tokens hold already. End one of them first."))
        PartnerToken.objects.create(partner=partner, digest=digest(token), head=secret[:8])
        audit.record(by, "partner-token", subject(partner), partner=partner.name, token=secret[:8])
    return token


def end_token(token: PartnerToken, by: User | None) -> bool:
    """Refuse this token from now on; whether it held until now. Raises NotAllowed."""
    _administrator(by)
    with transaction.atomic():
        held = PartnerToken.objects.filter(pk=token.pk, ended_at__isnull=True).update(ended_at=timezone.now()) == 1
        if held:
            partner = token.partner
            audit.record(by, "partner-token-ended", subject(partner), partner=partner.name, token=token.head)
    return held


def digest(token: str) -> str:
    """As what a token is kept: 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def of_token(token: str) -> Partner | None:
    """The partner in use whose token this is; None for any that does not hold, for whatever reason."""
    if not token.startswith(PREFIX) or len(token) > 100 or not token.isascii():
        return None
    wanted = digest(token)
    row = PartnerToken.objects.select_related("partner").filter(digest=wanted).first()
    # the look-up is by digest, which tells a clock nothing; compared again, so that no collation decides
    if row is None or not hmac.compare_digest(row.digest, wanted) or row.ended_at or not row.partner.active:
        return None
    now = timezone.now()
    if row.used_at is None or now - row.used_at >= SEEN_EVERY:
        PartnerToken.objects.filter(pk=row.pk).update(used_at=now)
    return row.partner


def breaks(partner: Partner, content: Content) -> list[str]:
    """How a content goes beyond what is taken of this partner, in plain words; ``touched`` must be set."""
    found = []
    if content.status not in partner.statuses:
        words = _("Of you, no documents of status “{status}” are taken.")
        found.append(words.format(status=content.status))
    strange = sorted(set(content.category) - set(partner.categories)) if partner.categories else []
    if strange or (partner.categories and not content.category):
        words = _("Of you, no documents of category “{category}” are taken.")
        found.append(words.format(category=", ".join(strange) or "-"))
    if partner.areas:
        allowed = set(partner.areas)
        outside = [one.name for one in content.touched if not allowed & {one.code, *areas.ancestors(one.code)}]
        if outside:
            words = _("The area touches districts that you may not warn: {names}.")
            found.append(words.format(names=", ".join(outside)))
        elif not content.touched:
            found.append(_("The area touches none of the districts that you may warn."))
    return found


def _administrator(by: User | None) -> None:
    if by is not None and not may(by, "auth.change_user"):
        raise NotAllowed(_("Your role does not allow changing partners."))


def _named(name: str) -> str:
    clean = " ".join(name.split())
    if not clean or len(clean) > 80 or not clean.isprintable():
        raise Refused(_("Give the partner a name of up to 80 letters."))
    return clean


def _put(partner: Partner, scope: Scope) -> None:
    if not scope.statuses or set(scope.statuses) - set(Status.values):
        raise Refused(_("Choose at least one status that is taken."))
    if set(scope.categories) - set(Category.values):
        raise Refused(_("Choose the kinds of danger out of the list."))
    known = set(Area.objects.filter(code__in=scope.areas).values_list("code", flat=True))
    if strange := sorted(set(scope.areas) - known):
        raise Refused(_("The city has no district “{name}”.").format(name=", ".join(strange)))
    partner.statuses, partner.areas = sorted(scope.statuses), sorted(scope.areas)
    partner.categories = sorted(scope.categories)


def _data(partner: Partner) -> dict[str, Any]:
    return {
        "partner": partner.name,
        "on": partner.active,
        "statuses": partner.statuses,
        "areas": partner.areas,
        "categories": partner.categories,
    }
