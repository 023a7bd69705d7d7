"""Every address of the project asks for log-in or stands in the list of public ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

pytestmark = pytest.mark.django_db

PUBLIC = {"healthz", "i18n/setlang/", "desk/login/", "desk/login/passkey/"}
PUBLIC |= {f"s/{name}/" for name in ("start", "link", "leave", "push", "push/changed")}
PUBLIC |= {f"s/{name}/x/" for name in ("confirm", "yes", "leave", "manage", "test", "hooks")} | {"s/1"}
PUBLIC |= {"s/reached/bcdfg/"}
PUBLIC |= {"desk/invitation/", "desk/invitation/1/x/"}
PUBLIC |= {"intake/cap", "intake/openapi.json"}
FILLED = {
    "int": "1",
    "slug": "bcdfg",
    "str": "x",
    "path": "1",
}


def addresses(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield route
        else:
            yield from addresses(entry, route)


def filled(route: str) -> str:
    """An address of this route: each gap with a value of its kind; what is a regular expression, by hand."""
    if route.startswith("desk/^(?P<app_label>"):
        return "desk/alerts/"
    if route.startswith("desk/(?P<url>"):
        return "desk/nothing-is-here"
    while "<" in route:
        start, end = route.index("<"), route.index(">")
        kind = route[start + 1 : end].split(":", maxsplit=1)[0] if ":" in route[start:end] else "str"
        route = route[:start] + FILLED[kind] + route[end + 1 :]
    return route


ROUTES = sorted(set(addresses(get_resolver())))


@pytest.mark.parametrize("route", ROUTES)
def test_a_stranger_is_asked_to_log_in_or_the_address_is_listed_as_public(route: str, client: Client) -> None:
    address = filled(route)
    if address in PUBLIC:
        return
    for method in (client.get, client.post):
        answer = method(f"/{address}")
        if answer.status_code == 403:
            assert "/desk/login/" in answer.content.decode(), "the log-in page that keeps what was posted"
        else:
            assert answer.status_code == 302, f"{address} answers a stranger with {answer.status_code}"
            assert answer["Location"].startswith("/desk/login/") or address == "desk/logout/"


def test_the_public_ones_exist() -> None:
    assert {filled(route) for route in ROUTES} >= PUBLIC


def test_a_log_in_without_the_second_factor_opens_nothing(client: Client, settings: Any, anna: User) -> None:
    settings.SECOND_FACTOR = True
    client.force_login(anna)
    for route in ROUTES:
        address = filled(route)
        if address in PUBLIC:
            continue
        assert client.get(f"/{address}").status_code == 302, address
