"""The plain lists of the admin: officers and districts to change, the rest to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from ..models import Alarm, Alert, Area, AuditEntry, Draft, Message, Part, Rendering, Template, TemplateVersion
from ..people import may
from . import people

if TYPE_CHECKING:  # the stubs are generic, Django's classes are not
    AnyAdmin = admin.ModelAdmin[Any]
    AnyUserAdmin = UserAdmin[User]
else:
    AnyAdmin, AnyUserAdmin = admin.ModelAdmin, UserAdmin


class ReadOnly(AnyAdmin):
    """Rows that officers may read and nobody may touch here."""

    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Kept(AnyAdmin):
    """Rows that may change but are never deleted: messages refer to them."""

    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class AreaAdmin(Kept):
    """Districts come from ``import_areas``; here they are named, ordered and put out of use."""

    list_display = ["name", "code", "parent", "active"]
    list_filter = ["active"]
    search_fields = ["name", "code"]
    fields = ["name", "code", "parent", "order", "active"]
    readonly_fields = ["code"]
    list_select_related = ["parent"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class OfficerAdmin(ReadOnly, AnyUserAdmin):
    """Accounts, for administrators to read. They are changed on the officers' pages (``officers/``) alone."""

    list_display = ["username", "first_name", "last_name", "email", "is_active", "roles"]
    list_filter = ["is_active", "groups"]
    fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email")}),
        (_("Roles"), {"fields": ("is_active", "groups")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )

    @admin.display(description=_("Roles"))
    def roles(self, officer: User) -> str:
        return ", ".join(group.name for group in officer.groups.all())

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) and may(people.officer(request), "auth.view_user")


class RoleAdmin(ReadOnly, GroupAdmin):
    """Roles are made by migrations."""


class AuditAdmin(ReadOnly):
    list_display = ["number", "at", "actor", "action", "subject"]
    list_filter = ["action"]
    search_fields = ["subject", "actor"]


class MessageAdmin(ReadOnly):
    list_display = ["identifier", "kind", "status", "severity", "sent", "expires"]
    list_filter = ["status", "kind"]


class DraftAdmin(ReadOnly):
    list_display = ["__str__", "kind", "state", "changed_at"]
    list_filter = ["state", "kind"]


class AlarmAdmin(ReadOnly):
    list_display = ["key", "raised_at", "ended_at"]


def join() -> None:
    """Put all of it on the desk."""
    site = admin.site
    # Second factors are no rows to be filled in: their officer enters them himself (alerts.desk.factors)
    for model in (User, Group, TOTPDevice, StaticDevice):
        if site.is_registered(model):
            site.unregister(model)
    site.register(User, OfficerAdmin)
    site.register(Group, RoleAdmin)
    site.register(Area, AreaAdmin)
    site.register(AuditEntry, AuditAdmin)
    site.register(Message, MessageAdmin)
    site.register(Draft, DraftAdmin)
    site.register(Alarm, AlarmAdmin)
    site.register([Alert, Part, Rendering, Template, TemplateVersion], ReadOnly)
