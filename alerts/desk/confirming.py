"""What an officer types to confirm a step: a reason, and the words that release."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from . import people
from .forms import Words


class ReasonForm(forms.Form):
    """A reason that others will read."""

    reason = Words(widget=forms.Textarea(attrs={"rows": 4}))

    def __init__(self, *args: Any, label: str, hint: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reason"].label = label
        self.fields["reason"].help_text = hint
        self.fields["reason"].required = True

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"].strip()
        if not reason:
            raise forms.ValidationError(self.fields["reason"].error_messages["required"], code="required")
        return reason


class WordForm(forms.Form):
    """The typed word that releases, and outside the demo the second factor once more.

    ``digest`` (or ``version``, for break-glass) says what was on the page when the word was typed.
    """

    digest = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    word = forms.CharField(
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, expected: str, request: HttpRequest, **options: Any) -> None:
        super().__init__(*args, **options)
        self.expected = expected
        self.request = request
        self.fields["word"].error_messages["required"] = _("Type the word to release.")
        if settings.SECOND_FACTOR:
            self.fields |= people.proof_fields(request)

    def clean_word(self) -> str:
        word = " ".join(self.cleaned_data["word"].split())
        if word.upper() != self.expected.upper():
            raise forms.ValidationError(_("That is not the word. Type: {word}").format(word=self.expected))
        return word

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        # the code is asked last, so that a slip in the word doesn't use it up
        fault = people.release_fault(self.request, cleaned) if settings.SECOND_FACTOR and not self.errors else ""
        if fault:
            self.add_error("token", fault)
        return cleaned


def word_for(exercise: bool) -> str:
    """The word that an officer types to release."""
    return str(settings.EXERCISE_WORD if exercise else settings.WARNING_WORD)
