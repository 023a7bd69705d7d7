"""Who may do what: refusals in plain words and the one test of a permission."""

from __future__ import annotations

from django.contrib.auth.models import User


class Refused(Exception):
    """A step that was not taken; ``str()`` tells the officer why and what to do. Nothing has changed."""


class NotAllowed(Refused):
    """The officer's role does not allow it."""


def may(officer: User, permission: str) -> bool:
    """Whether an officer holds a permission by role. A superuser holds none of them by that alone."""
    return officer.is_active and not officer.is_superuser and officer.has_perm(permission)
