"""The forms of the officers' pages."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import phonenumbers
from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from ... import audit, officers, roles
from .. import people

if TYPE_CHECKING:  # the stubs are generic, Django's class is not
    AnyPasswordForm = SetPasswordForm[User]
else:
    AnyPasswordForm = SetPasswordForm

REGION = "DE"
"""Where a number without a country's prefix belongs."""
TEXTS = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.UNKNOWN)
"""Kinds of numbers that may take an SMS."""


class Name(forms.CharField):
    """A name as it is read in lists and mails: letters, no control character and none that turns the line round."""

    def clean(self, value: Any) -> Any:
        text = " ".join(str(super().clean(value)).split())
        if any(unicodedata.category(letter).startswith("C") for letter in text):
            raise forms.ValidationError(_("This holds invisible characters. Type it anew."))
        return text


class Phone(forms.CharField):
    """A mobile number, kept in E.164; Germany's where no country is given."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=40, widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}), **options)

    def clean(self, value: Any) -> Any:
        typed = str(super().clean(value))
        if not typed:
            return ""
        wrong = forms.ValidationError(_("This is no complete mobile number. Write it like 0151 23456789."))
        # letters would be taken for the digits on their keys
        if any(letter.isalpha() or unicodedata.category(letter).startswith("C") for letter in typed):
            raise wrong
        try:
            number = phonenumbers.parse(typed, REGION)
        except phonenumbers.NumberParseException as error:
            raise wrong from error
        if not phonenumbers.is_valid_number(number) or number.extension:
            raise wrong
        if phonenumbers.number_type(number) not in TEXTS:
            raise forms.ValidationError(_("This number takes no SMS. Give a mobile number, or leave it empty."))
        return phonenumbers.format_number(number, PhoneNumberFormat.E164)


class DetailsForm(forms.Form):
    """How an officer is called and reached."""

    first_name = Name(label=gettext_lazy("First name"), max_length=150)
    last_name = Name(label=gettext_lazy("Last name"), max_length=150)
    email = forms.EmailField(
        label=gettext_lazy("Mail address"), help_text=gettext_lazy("Alarms and drafts that wait are mailed here.")
    )
    phone = Phone(
        label=gettext_lazy("Mobile phone (optional)"),
        required=False,
        help_text=gettext_lazy("For SMS. Like 0151 23456789."),
    )

    def __init__(self, *args: Any, officer: User | None = None, **options: Any) -> None:
        if officer is not None:
            options.setdefault("initial", {})
            options["initial"] |= {name: getattr(officer, name) for name in ("first_name", "last_name", "email")}
            options["initial"] |= {"phone": officers.phone_of(officer)}
        super().__init__(*args, **options)
        self.officer = officer

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if people.is_demo(User(email=email)) and not people.demo_allowed():
            raise forms.ValidationError(_("That address belongs to the demo's officers. Give the officer's own."))
        if self._others().filter(email__iexact=email).exists():
            raise forms.ValidationError(_("Another officer has this mail address. Each needs one of his own."))
        return email

    def clean_phone(self) -> str:
        phone: str = self.cleaned_data["phone"]
        if phone and self._others().filter(profile__phone=phone).exists():
            raise forms.ValidationError(_("Another officer has this number. Each needs one of his own."))
        return phone

    def _others(self) -> Any:
        others = User.objects.filter(is_active=True)
        return others.exclude(pk=self.officer.pk) if self.officer else others

    def details(self) -> officers.Details:
        return officers.Details(
            **{name: self.cleaned_data[name] for name in ("first_name", "last_name", "email", "phone")}
        )


def _choices(without: list[str]) -> list[tuple[str, str]]:
    return [
        (name, _("{role}: {may}").format(role=label, may=roles.MAY[name]))
        for name, label in roles.NAMES.items()
        if name not in without
    ]


def reason_field(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=1000,
        required=False,
        help_text=gettext_lazy("The second administrator reads it. It stays in the record."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class NewForm(DetailsForm):
    """A new officer, and the roles that are asked for him."""

    username = forms.CharField(
        label=gettext_lazy("Log-in name"),
        max_length=150,
        validators=[UnicodeUsernameValidator()],
        help_text=gettext_lazy(
            "Letters, digits and . _ - are allowed, no spaces. It stays for ever: the record names it."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    roles = forms.MultipleChoiceField(label=gettext_lazy("Roles"), required=False, widget=forms.CheckboxSelectMultiple)
    reason = reason_field(gettext_lazy("Why these roles?"))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["roles"].choices = _choices([])  # type: ignore[attr-defined]

    def clean_username(self) -> str:
        name: str = User.normalize_username(self.cleaned_data["username"])
        if name.casefold() == audit.SYSTEM or User.objects.filter(username__iexact=name).exists():
            raise forms.ValidationError(_("This log-in name is taken. Choose another one."))
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("roles") and not cleaned.get("reason", "").strip():
            self.add_error("reason", _("Say why. The second administrator reads it and decides."))
        return cleaned


class AskForm(forms.Form):
    """A role for an officer, and why."""

    role = forms.ChoiceField(label=gettext_lazy("Role"))
    reason = reason_field(gettext_lazy("Why this role?"))

    def __init__(self, *args: Any, without: list[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["role"].choices = _choices(without)  # type: ignore[attr-defined]


class PasswordForm(AnyPasswordForm):
    """The officer's own password, typed twice."""

    error_messages = {"password_mismatch": gettext_lazy("The two are not the same. Type both anew.")}

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(user, *args, **options)
        first, second = self.fields["new_password1"], self.fields["new_password2"]
        first.label, second.label = _("New password"), _("Once more")
        first.help_text = _("12 characters at least. Three or four words that nobody guesses are good.")
        second.help_text = ""
