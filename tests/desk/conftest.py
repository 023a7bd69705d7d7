"""Officers with their roles, logged in, in a demo without second factor unless a test asks for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client

from tests import city

PASSWORD = "a-long-password-for-tests"


def make_roles() -> None:
    """The groups of the migrations; a test that emptied the tables has emptied them too."""
    if Group.objects.filter(name="drill leader", permissions__codename="lead_drill").exists():
        return
    for name in ("0003_roles", "0008_roles_and_guards"):
        importlib.import_module(f"alerts.migrations.{name}").make_roles(apps, None)


def with_roles(name: str, *roles: str) -> User:
    user = city.officer(name)
    user.groups.set(Group.objects.filter(name__in=roles))
    return User.objects.get(pk=user.pk)


@pytest.fixture(autouse=True)
def desk_settings(settings: Any) -> None:
    settings.SECOND_FACTOR = False
    settings.AXES_ENABLED = False
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def desk(db: None, districts: None, quiet: None) -> None:
    """A city with districts and roles, two channels that only remember."""
    make_roles()


@pytest.fixture
def anna(desk: None) -> User:
    """An author."""
    return with_roles("anna", "author")


@pytest.fixture
def bert(desk: None) -> User:
    """An approver."""
    return with_roles("bert", "approver")


@pytest.fixture
def carla(desk: None) -> User:
    """An administrator."""
    return with_roles("carla", "administrator")


@pytest.fixture
def page_of() -> Callable[[User], Client]:
    """A browser in which this officer is logged in; it checks CSRF tokens, as real ones are."""

    def logged_in(user: User) -> Client:
        client = Client(headers={"accept-language": "de"})
        client.force_login(user)
        return client

    return logged_in
