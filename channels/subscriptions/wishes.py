"""Wishes: what a resident wants to hear of, read from a form or JSON, written to a subscription."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import QueryDict
from django.utils.translation import gettext as _

from alerts.models import Area
from alerts.terms import Severity

from ..models import Subscription, SubscriptionArea
from . import addresses, sealing, topics

MOST_AREAS = 2000
"""Districts that are looked at; no city has as many."""
YES = {"1", "on", "yes", "true"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field, and how to mend it, in the active language."""

    field: str
    words: str


class Unfit(Exception):
    """Wishes that can't be met as they stand, each with its ``Fault``."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.words for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Wishes:
    """Districts by code in the city's order, least severity, mask of topics, language, exercises too.

    A district and one that it is part of may both stand in it.
    """

    areas: tuple[str, ...]
    least: str
    topics: int
    language: str
    tests: bool

    def to_json(self) -> dict[str, Any]:
        """As ``of_json`` reads it."""
        return {
            "area": list(self.areas),
            "least": self.least,
            "topic": topics.names(self.topics),
            "lang": self.language,
            "tests": self.tests,
        }


def of_form(form: QueryDict, *, page: str) -> Wishes:
    """The wishes of a posted form; ``page`` is the language it was read in. Raises Unfit."""
    return _read(
        form.getlist("area"),
        form.get("least", Severity.MODERATE.value),
        form.getlist("topic"),
        form.get("lang", page),
        tests=form.get("tests", "").lower() in YES,
    )


def of_json(given: Mapping[str, Any], *, page: str = "", lenient: bool = False) -> Wishes:
    """The wishes of a JSON object with the fields of the form. Raises Unfit.

    ``lenient`` leaves out districts that the city no longer has: what was asked for before stays good.
    """
    tests = given.get("tests", False)
    return _read(
        _words(given.get("area")),
        _word(given.get("least", Severity.MODERATE.value)),
        # something that is no list of words is no topic either
        _words(given.get("topic", list(topics.TOPICS)), [""]),
        _word(given.get("lang", page)),
        tests=tests is True or (isinstance(tests, str) and tests.lower() in YES),
        lenient=lenient,
    )


def of_everything(language: str) -> Wishes:
    """The whole city, from medium danger on, every topic: what a sign-up by a single word gets."""
    tops = tuple(Area.objects.filter(active=True, parent=None).values_list("code", flat=True))
    return Wishes(tops, Severity.MODERATE.value, topics.ALL, language, tests=False)


def of_subscription(row: Subscription) -> Wishes:
    """What a subscription is for now; districts no longer in use are left out."""
    chosen = SubscriptionArea.objects.filter(subscription=row, area__active=True)
    return Wishes(
        tuple(chosen.order_by("area__order", "area__name").values_list("area__code", flat=True)),
        row.least,
        row.topics,
        row.language,
        row.tests,
    )


def save(way: str, address: str, wishes: Wishes) -> Subscription:
    """Write the one subscription of this address, new or as it is from now on. A constant number of queries.

    Raises Unfit where none of its districts is there any more: no district never means everywhere.
    """
    with transaction.atomic():
        row, _new = Subscription.objects.update_or_create(
            way=way,
            lookup=addresses.lookup(way, address),
            defaults={
                "address": sealing.seal(way, address),
                "language": wishes.language,
                "least": wishes.least,
                "topics": wishes.topics,
                "tests": wishes.tests,
            },
        )
        _choose(row, wishes)
    return row


def change(row: Subscription, wishes: Wishes) -> bool:
    """Give a subscription other wishes; False where it has been left meanwhile. Raises Unfit as ``save``."""
    with transaction.atomic():
        held = Subscription.objects.select_for_update().filter(pk=row.pk).first()
        if held is None:
            return False
        held.language, held.least, held.topics, held.tests = (
            wishes.language,
            wishes.least,
            wishes.topics,
            wishes.tests,
        )
        held.save(update_fields=["language", "least", "topics", "tests", "changed_at"])
        _choose(held, wishes)
    return True


def _choose(row: Subscription, wishes: Wishes) -> None:
    wanted = [pk for code, pk in districts().items() if code in set(wishes.areas)]
    if not wanted:
        raise Unfit(_no_area())
    SubscriptionArea.objects.filter(subscription=row).delete()
    SubscriptionArea.objects.bulk_create(SubscriptionArea(subscription=row, area_id=pk) for pk in wanted)


def districts() -> dict[str, int]:
    """The districts in use, code to row, in the city's order."""
    return dict(Area.objects.filter(active=True).values_list("code", "pk"))


def names(wanted: Wishes) -> list[str]:
    """The names of the districts of these wishes."""
    known = dict(Area.objects.values_list("code", "name"))
    return [known[code] for code in wanted.areas]


def _read(
    areas: Sequence[str], least: str, named: Sequence[str], language: str, *, tests: bool, lenient: bool = False
) -> Wishes:
    faults = []
    chosen = set(areas[:MOST_AREAS])
    # asked for whole and compared here: what somebody typed reaches no query
    known = districts()
    found = tuple(code for code in known if code in chosen)
    if not found:
        faults.append(_no_area())
    elif len(found) < len(chosen) and not lenient:
        faults.append(Fault("area", _("One of the districts is not in the city's list. Choose again.")))
    if least not in Severity.values:
        faults.append(Fault("least", _("Choose from which level on you want warnings.")))
    mask = 0
    try:
        mask = topics.mask(named)
    except KeyError:
        faults.append(Fault("topic", _("One of the topics does not exist. Choose again.")))
    else:
        if not mask:
            faults.append(Fault("topic", _("Choose at least one topic.")))
    if language not in settings.CONTENT_LANGUAGES:
        faults.append(Fault("lang", _("Choose one of the languages.")))
    if faults:
        raise Unfit(*faults)
    return Wishes(found, least, mask, language, tests)


def _no_area() -> Fault:
    return Fault("area", _("Choose at least one district, or the whole city."))


def _words(value: Any, otherwise: Sequence[str] = ()) -> Sequence[str]:
    return value if isinstance(value, list) and all(isinstance(word, str) for word in value) else otherwise


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""
