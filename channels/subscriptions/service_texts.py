"""The fixed texts to one resident: code, confirmation, self-test, welcome, link. Templates, no Messages.

For SMS they hold nothing outside the GSM alphabet, which would double their price; a test counts them.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override, pgettext

from alerts.terms import Severity, language_name, ui_language

from ..base import Service
from ..models import Way
from . import tokens, topics
from .wishes import Wishes

MINUTES = 15
"""How long a code holds."""
MANY = 12
"""From here on, districts are counted instead of named."""


def code(language: str, number: str) -> Service:
    """The code that confirms a phone number, to be typed into the page."""
    with override(ui_language(language)):
        words = _(
            "{code} is your code for warnings from {city}. It holds for {minutes} minutes. "
            "You did not ask for it? Do nothing."
        )
        return Service("code", language, "", words.format(code=number, minutes=MINUTES, city=settings.CITY_SHORT))


def code_to_reply(language: str, number: str) -> Service:
    """The code for whoever sent START: it comes back as the answer."""
    with override(ui_language(language)):
        words = _(
            "Warnings for all of {city} by SMS: answer with {code}. It holds for {minutes} minutes. "
            "You did not ask for it? Do nothing."
        )
        return Service("code", language, "", words.format(code=number, minutes=MINUTES, city=settings.CITY_SHORT))


def confirmation(language: str, sign_up: int, wishes: Wishes, districts: Sequence[str]) -> Service:
    """The mail with the link that confirms a mail address and says for what."""
    with override(ui_language(language)):
        city = settings.CITY_SHORT
        lines = [f"{name}: {value}" for name, value in summary(wishes, districts)]
        body = "\n\n".join(
            (
                _(
                    "Somebody, probably you, wants to get warnings from {city} at this address. "
                    "Open the link and confirm it there. The link holds for one day."
                ).format(city=city),
                "\n".join(lines),
                _("You did not ask for it? Do nothing. Then nothing more comes, and we forget the address in a day."),
            )
        )
        subject = _("Please confirm: warnings from {city}").format(city=city)
        url = f"{settings.ADDRESS}/s/yes/{tokens.make('confirm', sign_up)}/"
        return Service("confirm", language, subject, body, url)


def welcome(language: str, way: str, subscription: int) -> Service:
    """Says that it works: the first push to a browser, the answer to a code that came by SMS."""
    with override(ui_language(language)):
        subject = _("Warnings from {city}").format(city=settings.CITY_SHORT)
        if way == Way.PUSH:
            body = _("From now on warnings come to this device. Tap here to change districts and level.")
        else:
            body = _("From now on you get warnings from {city}. Change or leave:").format(city=settings.CITY_SHORT)
        return Service("welcome", language, subject, body, own_page(subscription))


def self_test(language: str, subscription: int) -> Service:
    """What "test this subscription" sends."""
    with override(ui_language(language)):
        subject = _("Test: warnings from {city}").format(city=settings.CITY_SHORT)
        body = _("TEST, no danger. You asked for this test. Warnings from {city} reach you here.").format(
            city=settings.CITY_SHORT
        )
        return Service("test", language, subject, body, own_page(subscription))


def fresh_link(language: str, subscription: int) -> Service:
    """The link to a subscription's own page."""
    with override(ui_language(language)):
        subject = _("Your link: warnings from {city}").format(city=settings.CITY_SHORT)
        body = _("Change or leave your warnings from {city}:").format(city=settings.CITY_SHORT)
        return Service("link", language, subject, body, own_page(subscription))


def no_subscription(language: str) -> Service:
    """The answer to an address that no subscription is for; only its holder reads it."""
    with override(ui_language(language)):
        subject = _("Your link: warnings from {city}").format(city=settings.CITY_SHORT)
        body = _("You get no warnings from {city} here. Subscribe:").format(city=settings.CITY_SHORT)
        return Service("link", language, subject, body, f"{settings.ADDRESS}/s/start/")


def own_page(subscription: int) -> str:
    """The full address of a subscription's own page."""
    return f"{settings.ADDRESS}{own_path(subscription)}"


def own_path(subscription: int) -> str:
    """The path of a subscription's own page."""
    return f"/s/manage/{tokens.make('own', subscription)}/"


def summary(wishes: Wishes, districts: Sequence[str]) -> list[tuple[str, str]]:
    """What a subscription is for, as names and values; ``districts`` are the names. Active language."""
    if len(districts) < MANY:
        where = ", ".join(districts)
    else:
        where = ngettext("%(count)d district", "%(count)d districts", len(districts)) % {"count": len(districts)}
    named = [str(topics.TOPICS[name][1]) for name in topics.names(wishes.topics)]
    return [
        (_("Districts"), where),
        (_("From level"), str(Severity(wishes.least).label)),
        (_("Topics"), pgettext("topics", "all") if wishes.topics == topics.ALL else ", ".join(named)),
        (_("Language of the warnings"), language_name(wishes.language)),
        (_("Exercises"), _("yes") if wishes.tests else _("no")),
    ]
