"""The desk: Django's admin site with our pages."""

from django.contrib.admin import AdminSite


class Desk(AdminSite):
    """Officers' pages."""
