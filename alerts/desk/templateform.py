"""A template as one form: its names, its codes, the words of every language side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..content import Content, Text
from ..faults import LIMITS
from ..templating import NOTE, Wording
from ..terms import Category, Certainty, Kind, ResponseType, Severity, Urgency, direction, language_name
from .differences import duration
from .forms import COUNTED, DURATIONS, ROWS, TEXT_LABELS, Tongue, Words

NO_PROMISE = ("", gettext_lazy("none is promised"))


class TemplateForm(forms.Form):
    """What a template says; ``seen`` is the version that was on the page when it was written on."""

    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    kind = forms.ChoiceField(label=gettext_lazy("What it is for"), choices=Kind.choices)
    severity = forms.ChoiceField(label=gettext_lazy("Level"), choices=Severity.choices)
    urgency = forms.ChoiceField(label=gettext_lazy("Urgency"), choices=Urgency.choices)
    certainty = forms.ChoiceField(label=gettext_lazy("Certainty"), choices=Certainty.choices)
    category = forms.MultipleChoiceField(
        label=gettext_lazy("Kind of danger"),
        choices=Category.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    response = forms.MultipleChoiceField(
        label=gettext_lazy("What to do, as a code"),
        choices=ResponseType.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    valid_for = forms.TypedChoiceField(label=gettext_lazy("Holds for"), coerce=int)
    next_in = forms.TypedChoiceField(
        label=gettext_lazy("Next message in"), coerce=int, required=False, empty_value=None
    )
    contact = Words(label=gettext_lazy("Contact"), widget=forms.TextInput)
    note = forms.CharField(
        label=gettext_lazy("What changed, and why"),
        help_text=gettext_lazy("In a few words. It stands beside the new version."),
        max_length=NOTE,
        required=False,
    )

    def __init__(self, data: Mapping[str, Any] | None, *, said: Wording, seen: int) -> None:
        self.base = said.content
        super().__init__(data, initial=_initial(said, seen))
        self.names = list(dict.fromkeys([*(code for code, _name in settings.LANGUAGES), *said.names]))
        for code in self.names:
            label = _("Name ({language})").format(language=language_name(code))
            self.fields[f"name-{code}"] = Words(label=label, widget=forms.TextInput(attrs={"lang": code}))
        self.languages = list(dict.fromkeys([*settings.CONTENT_LANGUAGES, *said.content.texts]))
        for language in self.languages:
            for name, words in TEXT_LABELS.items():
                attrs = {"rows": ROWS[name], "lang": language, "dir": direction(language)}
                hint = _("{count} characters at most").format(count=LIMITS[name]) if name in COUNTED else ""
                box = forms.Textarea(attrs=attrs)
                self.fields[f"text-{language}-{name}"] = Words(label=words, help_text=hint, widget=box)
        self._durations("valid_for", said.content.valid_for)
        self._durations("next_in", said.content.next_in, NO_PROMISE)

    def _durations(self, name: str, current: int | None, *first: tuple[str, Any]) -> None:
        minutes = sorted({*DURATIONS, *([current] if current else [])})
        self.fields[name].choices = [*first, *((count, duration(count)) for count in minutes)]  # type: ignore[attr-defined]

    def tongues(self) -> list[Tongue]:
        """The languages side by side, each with what is missing in it, as on the form of a draft."""
        return [
            Tongue(
                language=language,
                name=language_name(language),
                dir=direction(language),
                required=language in settings.REQUIRED_LANGUAGES,
                fields=[self[f"text-{language}-{name}"] for name in TEXT_LABELS],
                missing=[
                    str(TEXT_LABELS[name])
                    for name in ("event", "headline", "instruction")
                    if not str(self[f"text-{language}-{name}"].value() or "").strip()
                ],
            )
            for language in self.languages
        ]

    def name_fields(self) -> list[forms.BoundField]:
        return [self[f"name-{code}"] for code in self.names]

    def wording(self) -> Wording:
        """What was typed; only of a valid form."""
        data = self.cleaned_data
        content = replace(
            self.base,
            category=tuple(data["category"]),
            urgency=data["urgency"],
            severity=data["severity"],
            certainty=data["certainty"],
            response=tuple(data["response"]),
            texts=dict(self._texts()),
            contact=data["contact"].strip(),
            valid_for=data["valid_for"],
            next_in=data["next_in"],
        )
        names = {code: " ".join(data[f"name-{code}"].split()) for code in self.names}
        return Wording(data["kind"], names, content)

    def _texts(self) -> Iterator[tuple[str, Text]]:
        for language in self.languages:
            values = {name: self.cleaned_data[f"text-{language}-{name}"].strip() for name in TEXT_LABELS}
            if any(values.values()):
                yield language, Text(**values)


class NewTemplateForm(TemplateForm):
    """The first version, and the key that it is known by for good."""

    key = forms.CharField(
        label=gettext_lazy("Key"),
        help_text=gettext_lazy("Small letters, digits and hyphens, like “sturm-warnung”. It never changes."),
        max_length=60,
    )


def _initial(said: Wording, seen: int) -> dict[str, Any]:
    content: Content = said.content
    initial: dict[str, Any] = {
        "seen": seen,
        "kind": said.kind,
        "severity": content.severity,
        "urgency": content.urgency,
        "certainty": content.certainty,
        "category": list(content.category),
        "response": list(content.response),
        "valid_for": content.valid_for or 240,
        "next_in": content.next_in or "",
        "contact": content.contact,
    }
    initial |= {f"name-{code}": name for code, name in said.names.items()}
    for language, text in content.texts.items():
        initial |= {f"text-{language}-{name}": getattr(text, name) for name in TEXT_LABELS}
    return initial
