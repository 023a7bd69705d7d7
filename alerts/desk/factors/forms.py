"""The forms of second factors: a code or a passkey; a new authenticator; a new passkey."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import people
from . import passkeys
from .passkeys import Purpose


def name_field(example: Any) -> forms.CharField:
    attrs = {"autocomplete": "off"}
    return forms.CharField(
        label=gettext_lazy("Name, for you to know it by"),
        max_length=40,
        help_text=example,
        widget=forms.TextInput(attrs=attrs),
    )


class StepUpForm(forms.Form):
    """It is still this officer: by code or by passkey. ``device`` is what proved it."""

    def __init__(self, *args: Any, request: HttpRequest, **options: Any) -> None:
        super().__init__(*args, **options)
        self.request = request
        self.device: Any = None
        self.fields |= people.proof_fields(request)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            me = people.officer(self.request)
            self.device = people.proved_device(self.request, me, cleaned, Purpose.STEP_UP)
            if self.device is None:
                words = _("This does not confirm that it is you. A code works once: wait for the next one.")
                self.add_error("token", words)
        return cleaned


class AuthenticatorForm(forms.Form):
    """The first code of a new authenticator, and its name."""

    name = name_field(gettext_lazy("Such as “Duty phone”."))
    token = forms.CharField(
        label=gettext_lazy("Code that the app shows now"),
        max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}),
    )


class PasskeyForm(forms.Form):
    """A new passkey's name, and what the browser says of it."""

    name = name_field(gettext_lazy("Such as “Laptop” or “Security key”."))
    passkey = people.passkey_field()

    def add(self, request: HttpRequest, officer: User) -> Any:
        """The new passkey. Raises Refused."""
        return passkeys.add(request, officer, self.cleaned_data["name"], self.cleaned_data["passkey"])
