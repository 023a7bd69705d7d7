"""The plain lists of the admin: officers and districts to change, the rest to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from .. import audit, watch
from ..models import Alarm, Alert, Area, AuditEntry, Draft, Message, Part, Rendering, Template, TemplateVersion
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


class OfficerAdmin(AnyUserAdmin):
    """Officers by role. Nobody changes his own roles, and no one is made superuser: a role is what counts."""

    list_display = ["username", "first_name", "last_name", "email", "is_active", "roles"]
    list_filter = ["is_active", "groups"]
    actions = None
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Roles"), {"fields": ("is_active", "is_staff", "groups")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "usable_password", "password1", "password2")}),
    )
    readonly_fields = ("last_login", "date_joined")

    @admin.display(description=_("Roles"))
    def roles(self, officer: User) -> str:
        return ", ".join(group.name for group in officer.groups.all())

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        if obj is not None and obj.pk == request.user.pk:
            return (*fixed, "is_active", "is_staff", "groups")
        return fixed

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.is_staff = True  # whoever is entered here is an officer
        super().save_model(request, obj, form, change)
        by = people.officer(request)
        if not change:
            audit.record(by, "officer-made", f"officer {obj.get_username()}")
        elif what := _changes(obj, form.changed_data):
            watch.tell_access(form.initial.get("username", obj.get_username()), what, by)

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        if request.method != "POST":
            return super().user_change_password(request, id, form_url)
        with transaction.atomic():
            officers = User.objects.filter(pk=id) if id.isdecimal() else User.objects.none()
            before = officers.values_list("password", flat=True).first()
            response = super().user_change_password(request, id, form_url)
            after = officers.first()
            if after is not None and after.password != before:
                watch.tell_access(after.get_username(), ["password"], people.officer(request))
        return response

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A role given here is told to everybody: one account must not make itself a second officer unseen."""
        before = {group.name for group in form.instance.groups.all()}
        super().save_related(request, form, formsets, change)
        given = sorted({group.name for group in form.instance.groups.all()} - before)
        if given:
            watch.tell_role(form.instance, given, people.officer(request))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # their parts stay in the history; put them out of use instead


def _changes(officer: User, fields: list[str]) -> list[str]:
    """Which of the changed fields of an officer's form concern how he gets in, in the words of ``watch.ACCESS``."""
    what: list[str] = [field for field in ("username", "email") if field in fields]
    if "is_active" in fields:
        what.append("active" if officer.is_active else "inactive")
    if "is_staff" in fields:
        what.append("desk-opened" if officer.is_staff else "desk-closed")
    return what


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
