"""Who may work at the desk."""

from django.contrib.auth.backends import ModelBackend


class OfficerBackend(ModelBackend):
    """Officers by name and password."""
