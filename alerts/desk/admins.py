"""The plain lists of the admin: officers, districts and templates to change, the rest to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cattrs import ClassValidationError, transform_error
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django_otp.conf import settings as otp_settings
from django_otp.plugins.otp_static.admin import StaticDeviceAdmin
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.admin import TOTPDeviceAdmin
from django_otp.plugins.otp_totp.models import TOTPDevice

from .. import watch
from ..content import from_json
from ..models import Alarm, Alert, Area, AuditEntry, Draft, Message, Part, Rendering, Template
from ..people import may
from . import people

if TYPE_CHECKING:  # the stubs are generic, Django's classes are not
    AnyAdmin = admin.ModelAdmin[Any]
    AnyUserAdmin = UserAdmin[User]
    TemplateModelForm = forms.ModelForm[Template]
else:
    AnyAdmin, AnyUserAdmin, TemplateModelForm = admin.ModelAdmin, UserAdmin, forms.ModelForm


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


class TemplateForm(TemplateModelForm):
    """A template is refused unless a draft can be begun from it."""

    class Meta:
        model = Template
        fields = ("key", "kind", "names", "content_json", "order", "active")
        labels = {
            "key": _("Key"),
            "kind": _("What it is for"),
            "names": _("Names, by language"),
            "content_json": _("What a draft starts with"),
            "order": _("Order"),
        }

    def clean_content_json(self) -> dict[str, Any]:
        value: dict[str, Any] = self.cleaned_data["content_json"]
        try:
            from_json(value)
        except (ClassValidationError, TypeError, AttributeError) as error:
            words = "; ".join(transform_error(error)) if isinstance(error, ClassValidationError) else str(error)
            raise forms.ValidationError(_("No draft can be begun from this: {reason}").format(reason=words)) from error
        return value

    def clean_names(self) -> dict[str, str]:
        value: dict[str, str] = self.cleaned_data["names"]
        if not isinstance(value, dict) or not value or not all(isinstance(name, str) for name in value.values()):
            raise forms.ValidationError(_('Give the name in each language, like {"de": "Bombenfund"}.'))
        return value


class TemplateAdmin(Kept):
    form = TemplateForm
    list_display = ["key", "kind", "order", "active"]
    list_filter = ["kind", "active"]


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


class Factor(AnyAdmin):
    """A second factor: whatever is done to it, and whoever looks at its secret, is recorded and told to all."""

    actions = None

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        response = super().changeform_view(request, object_id, form_url, extra_context)
        if object_id and response.status_code == 200:  # also a POST that is refused shows the form again
            self.tell_shown(request, object_id)
        return response

    def tell_shown(self, request: HttpRequest, pk: object) -> None:
        if otp_settings.OTP_ADMIN_HIDE_SENSITIVE_DATA:
            return
        watch.tell_access(self.model.objects.get(pk=pk).user.get_username(), ["factor-shown"], people.officer(request))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not change or form.has_changed() or any(formset.has_changed() for formset in formsets):
            owners = {form.instance.user_id, form.initial.get("user", form.instance.user_id)}
            for owner in User.objects.filter(pk__in=owners).order_by("username"):
                what = ["factor-changed" if change else "factor-added"]
                watch.tell_access(owner.get_username(), what, people.officer(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        watch.tell_access(obj.user.get_username(), ["factor-deleted"], people.officer(request))


class AuthenticatorAdmin(Factor, TOTPDeviceAdmin):  # type: ignore[misc]
    def config_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        response: HttpResponse = super().config_view(request, pk)
        self.tell_shown(request, pk)
        return response

    def qrcode_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        response: HttpResponse = super().qrcode_view(request, pk)
        self.tell_shown(request, pk)
        return response


class BackupCodesAdmin(Factor, StaticDeviceAdmin):  # type: ignore[misc]
    pass


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
    for model in (User, Group, TOTPDevice, StaticDevice):
        if site.is_registered(model):
            site.unregister(model)
    site.register(User, OfficerAdmin)
    site.register(Group, RoleAdmin)
    site.register(TOTPDevice, AuthenticatorAdmin)
    site.register(StaticDevice, BackupCodesAdmin)
    site.register(Area, AreaAdmin)
    site.register(Template, TemplateAdmin)
    site.register(AuditEntry, AuditAdmin)
    site.register(Message, MessageAdmin)
    site.register(Draft, DraftAdmin)
    site.register(Alarm, AlarmAdmin)
    site.register([Alert, Part, Rendering], ReadOnly)
