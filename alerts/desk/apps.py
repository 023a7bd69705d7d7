"""The admin app, with our site as its default."""

from django.contrib.admin.apps import AdminConfig


class DeskConfig(AdminConfig):
    default_site = "alerts.desk.site.Desk"
