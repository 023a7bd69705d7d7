"""Push subscriptions as browsers make them: JSON from our own scripts; an endpoint's keys prove whose it is."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.terms import ui_language

from ..base import Permanent, Temporary
from ..models import Subscription, Way
from . import addresses, answers, limits, managing, prepared, sealing, service_texts, ways, wishes
from .addresses import BadAddress
from .doors import client_of, door
from .telling import NotSent, tell
from .wishes import Unfit


@runtime_checkable
class Checks(Protocol):
    """A push channel that says whether an endpoint may be sent to at all (no private hosts, no strangers)."""

    def check(self, address: str) -> None:
        """Raises ValueError or Permanent where it may not, Temporary where that can't be told now."""


class NotOurs(Exception):
    """The keys given are not those that the endpoint was subscribed with."""


@door("POST", refuse=answers.refused_json, kind="application/json")
def subscribe(request: HttpRequest) -> HttpResponse:
    """Keep a browser's subscription, unless its push service knows it no more: 201 with the address of its own page."""
    given = _json(request)
    language = answers.tongue(given.get("page"))
    with override(ui_language(language)):
        try:
            address = _address(given.get("subscription"))
            limits.send(Way.PUSH, address, client=client_of(request))
            wanted = wishes.of_json(given, page=language)
            _check(address)
            with transaction.atomic():
                _known(address)
                row = wishes.save(Way.PUSH, address, wanted)
        except (BadAddress, Unfit, NotOurs, NotSent, limits.TooMany) as error:
            return _refused(request, error, language)
        if not _welcome(row, address):
            managing.leave(row)
            words = _("Your browser's push service does not know this address any more. Load the page and try again.")
            return answers.refused_json(request, 410, words, language)
        return _kept(row, 201)


@door("POST", refuse=answers.refused_json, kind="application/json")
def changed(request: HttpRequest) -> HttpResponse:
    """A browser got another endpoint or other keys; who knows the old secret may bring the new address."""
    given = _json(request)
    language = answers.tongue(given.get("page"))
    with override(ui_language(language)):
        try:
            old = _parts(given.get("old"))
            address = _address(given.get("new"))
            limits.send(Way.PUSH, address, client=client_of(request))
            _check(address)
            row = _move(old["endpoint"], old["auth"], address)
        except (BadAddress, NotOurs, NotSent, limits.TooMany) as error:
            return _refused(request, error, language)
        return _kept(row, 200)


def _move(endpoint: str, secret: str, address: str) -> Subscription:
    """Give the subscription of an endpoint its new address. Raises NotOurs for a wrong secret as for an unknown one."""
    with transaction.atomic():
        rows = Subscription.objects.select_for_update().filter(way=Way.PUSH)
        row = rows.filter(lookup=addresses.lookup(Way.PUSH, endpoint)).first()
        stored = managing.address_of(row).rpartition(" ")[2] if row else ""
        if not hmac.compare_digest(stored.encode(), secret.encode()) or row is None:
            raise NotOurs
        lookup = addresses.lookup(Way.PUSH, address)
        if lookup != row.lookup:
            _known(address)
            rows.filter(lookup=lookup).delete()
        row.address, row.lookup = sealing.seal(Way.PUSH, address), lookup
        row.save(update_fields=["address", "lookup", "changed_at"])
        # made for the old keys: a push of it could not be read
        prepared.forget(row.pk)
    return row


def _known(address: str) -> None:
    """Whoever brings an endpoint that is subscribed brings its keys too. Raises NotOurs."""
    lookup = addresses.lookup(Way.PUSH, address)
    row = Subscription.objects.select_for_update().filter(way=Way.PUSH, lookup=lookup).first()
    if row is not None and not hmac.compare_digest(managing.address_of(row).encode(), address.encode()):
        raise NotOurs


def _welcome(row: Subscription, address: str) -> bool:
    """Send the welcome; False where the push service says that there is no such address."""
    service = service_texts.welcome(row.language, Way.PUSH, row.pk)
    try:
        return not tell(Way.PUSH, service, address, subscription=row.pk).gone
    except NotSent:
        return True  # the trouble is ours, of this moment: the subscription stands


def _check(address: str) -> None:
    """Raises BadAddress, or NotSent where it can't be told now."""
    found = ways.broadcaster(Way.PUSH)
    if found is None:
        raise NotSent(Way.PUSH)
    channel = found[1]
    try:
        if isinstance(channel, Checks):
            channel.check(address)
    except Temporary as error:
        raise NotSent(Way.PUSH) from error
    except (ValueError, Permanent) as error:
        raise BadAddress(_("The push address of this browser leads to no push service that we know.")) from error


def _json(request: HttpRequest) -> Mapping[str, Any]:
    """The object that was posted; empty where it is none."""
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _parts(given: Any) -> dict[str, str]:
    """Endpoint and keys of a PushSubscription's JSON. Raises BadAddress."""
    keys = given.get("keys") if isinstance(given, dict) else None
    named = {"endpoint": given.get("endpoint"), **keys} if isinstance(keys, dict) else {}
    found = {name: named.get(name) for name in ("endpoint", "p256dh", "auth")}
    words = {name: value for name, value in found.items() if isinstance(value, str)}
    if not words.get("endpoint") or not words.get("auth"):
        raise BadAddress(_("The push address of this browser is incomplete. Load the page and try again."))
    return {"p256dh": "", **words}


def _address(given: Any) -> str:
    parts = _parts(given)
    return addresses.push(parts["endpoint"], parts["p256dh"], parts["auth"])


def _refused(request: HttpRequest, error: Exception, language: str) -> HttpResponse:
    if isinstance(error, limits.TooMany):
        return answers.too_many(answers.refused_json(request, 429, answers.wait(error), language), error)
    if isinstance(error, Unfit):
        words, status = " ".join(fault.words for fault in error.faults), 422
    elif isinstance(error, NotOurs):
        words = _("This push address was subscribed with other keys. Forbid notifications, allow them, and try again.")
        status = 409
    elif isinstance(error, NotSent):
        words, status = answers.not_sent(Way.PUSH), 503
    else:
        words, status = str(error), 422
    return answers.refused_json(request, status, words, language)


def _kept(row: Subscription, status: int) -> HttpResponse:
    return JsonResponse({"manage": service_texts.own_path(row.pk)}, status=status)
