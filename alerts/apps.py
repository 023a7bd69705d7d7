"""The domain as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AlertsConfig(AppConfig):
    name = "alerts"
    verbose_name = _("Alerts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, watch  # noqa: F401, PLC0415  (registers the system checks)
        from .desk import sittings  # noqa: PLC0415

        watch.connect()
        sittings.connect()
