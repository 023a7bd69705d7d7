"""The form of a draft."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.conf import settings
from django.forms.utils import ErrorList
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..content import Content, District, Text
from ..drafting import LIMITS
from ..models import Area, ReleasePlan
from ..terms import Category, Certainty, ResponseType, Severity, Urgency, direction, language_name
from . import gaps, typed
from .differences import duration

MOST = 40_000
"""Characters in one field that are read at all; the domain's own limits, which are smaller, are told as faults."""

MOST_GAPS = 40
DURATIONS = (15, 30, 60, 90, 120, 180, 240, 360, 480, 720, 1440, 2880, 4320, 10080)
LINE_BREAKS = {ord(letter): "\n" for letter in "\v\f\x85\u2028\u2029"}

TEXT_LABELS = {
    "event": gettext_lazy("Event, in a few words"),
    "headline": gettext_lazy("Headline"),
    "instruction": gettext_lazy("What to do, one step a line"),
    "description": gettext_lazy("What happened"),
    "short": gettext_lazy("Short text, for channels with little room"),
}
COUNTED = {"headline", "short"}
ROWS = {"event": 1, "headline": 3, "instruction": 7, "description": 6, "short": 3}


class Words(forms.CharField):
    """Text as pasted: other line breaks become line feeds; nothing else is changed, and what is too long is kept.

    The browser is given no ``maxlength``: it would cut pasted text off without a word.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, strip=False, max_length=MOST, **options)
        self.error_messages["max_length"] = _("Too long: {count} characters at most. Nothing was cut off.").format(
            count=MOST
        )

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        attrs = super().widget_attrs(widget)
        attrs.pop("maxlength", None)
        return attrs

    def to_python(self, value: Any) -> str:
        text = super().to_python(value)
        return str(text).replace("\r\n", "\n").replace("\r", "\n").translate(LINE_BREAKS)


class Moment(forms.DateTimeField):
    """A time in the city's zone, to the minute."""

    widget = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})

    def __init__(self, **options: Any) -> None:
        formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y, %H:%M"]
        super().__init__(required=False, input_formats=formats, **options)


@dataclass(frozen=True, slots=True)
class Tongue:
    """One language's column of the form."""

    language: str
    name: str
    dir: str
    required: bool
    fields: list[forms.BoundField]
    missing: list[str]


@dataclass(frozen=True, slots=True)
class Node:
    """A district in the tree of check boxes; ``open`` where something below it is checked."""

    code: str
    name: str
    checked: bool
    open: bool
    children: list[Node]


class DraftForm(forms.Form):
    """A draft as one form. ``areas`` are the districts in use; ``circles`` how many circles may be typed."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    circle_count = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=20)
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
    place = Words(label=gettext_lazy("Place"), widget=forms.TextInput(attrs={"autocomplete": "off"}))
    districts = forms.MultipleChoiceField(required=False, label=gettext_lazy("Districts"))
    polygons = Words(
        label=gettext_lazy("Area by corners, one latitude and longitude a line"),
        widget=forms.Textarea(attrs={"rows": 5, "autocomplete": "off", "spellcheck": "false"}),
    )
    facts_at = Moment(label=gettext_lazy("Facts as of"))
    onset = Moment(label=gettext_lazy("Begins or began"))
    effective = Moment(label=gettext_lazy("Takes effect"))
    expires_how = forms.ChoiceField(
        choices=[("for", gettext_lazy("for")), ("at", gettext_lazy("until"))], widget=forms.RadioSelect
    )
    valid_for = forms.TypedChoiceField(coerce=int, required=False, empty_value=None)
    expires = Moment(label=gettext_lazy("Holds until"))
    next_how = forms.ChoiceField(
        choices=[("in", gettext_lazy("in")), ("at", gettext_lazy("at")), ("none", gettext_lazy("none"))],
        widget=forms.RadioSelect,
    )
    next_in = forms.TypedChoiceField(coerce=int, required=False, empty_value=None)
    next_by = Moment(label=gettext_lazy("Next message at the latest"))
    contact = Words(label=gettext_lazy("Contact"), widget=forms.TextInput)
    web = Words(label=gettext_lazy("Link to further information"), widget=forms.TextInput(attrs={"inputmode": "url"}))
    note = Words(label=gettext_lazy("Note, for an exercise its name"), widget=forms.TextInput)
    plan = forms.ChoiceField(label=gettext_lazy("Release"), choices=ReleasePlan.choices, widget=forms.RadioSelect)
    release_at = Moment(label=gettext_lazy("Release time"))

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        content: Content,
        areas: Sequence[Area],
        version: int,
        plan: str = ReleasePlan.NOW,
        release_at: dt.datetime | None = None,
        error_class: type[ErrorList] = ErrorList,
    ) -> None:
        self.base = content
        self.areas = areas
        # the place has its field already: what is typed there fills its gap too; a page that saves by itself still
        # shows gaps which the saved text has no more
        posted = [name.removeprefix("gap-") for name in data or () if name.startswith("gap-")][:MOST_GAPS]
        known_gaps = [*gaps.find(content), *(name for name in posted if gaps.GAP.fullmatch(f"{{{name}}}"))]
        self.gaps = [name for name in dict.fromkeys(known_gaps) if name != "place"]
        count = _number(data.get("circle_count") if data is not None else None, max(1, len(content.circles)))
        super().__init__(
            data, initial=_initial(content, version, plan, release_at, count), error_class=error_class, prefix=None
        )
        self.languages = list(dict.fromkeys([*settings.CONTENT_LANGUAGES, *content.texts]))
        for language in self.languages:
            for name, label in TEXT_LABELS.items():
                attrs = {"rows": ROWS[name], "lang": language, "dir": direction(language)}
                hint = _("{count} characters at most").format(count=LIMITS[name]) if name in COUNTED else ""
                self.fields[f"text-{language}-{name}"] = Words(
                    label=label, help_text=hint, widget=forms.Textarea(attrs=attrs)
                )
        for number in range(count):
            centre, radius = forms.TextInput(attrs={"autocomplete": "off"}), forms.NumberInput()
            self.fields[f"circle-{number}-centre"] = Words(label=_("Centre: latitude, longitude"), widget=centre)
            self.fields[f"circle-{number}-metres"] = forms.FloatField(
                label=_("Radius in metres"), required=False, min_value=1, max_value=500_000, widget=radius
            )
        for name in self.gaps:
            box = forms.TextInput(attrs=gaps.attrs(name))
            self.fields[f"gap-{name}"] = Words(label=gaps.label(name), help_text=gaps.hint(name), widget=box)
        known = {area.code: area.name for area in areas} | {old.code: old.name for old in content.districts}
        self.names = known
        self.fields["districts"].choices = list(known.items())  # type: ignore[attr-defined]
        self.fields["valid_for"].choices = _durations(content.valid_for)  # type: ignore[attr-defined]
        self.fields["next_in"].choices = _durations(content.next_in)  # type: ignore[attr-defined]
        if not content.exercise:
            plans = [(value, label) for value, label in ReleasePlan.choices if value != ReleasePlan.DRILL]
            self.fields["plan"].choices = plans  # type: ignore[attr-defined]

    # What the template asks for

    def tongues(self) -> list[Tongue]:
        """The languages side by side, each with what is missing in it."""
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

    def gap_fields(self) -> list[forms.BoundField]:
        return [self[f"gap-{name}"] for name in self.gaps]

    def circles(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        numbers = range(sum(name.endswith("-centre") for name in self.fields))
        return [(self[f"circle-{number}-centre"], self[f"circle-{number}-metres"]) for number in numbers]

    def tree(self) -> list[Node]:
        """The districts as the city's tree."""
        chosen = set(self["districts"].value() or [])
        below: dict[int | None, list[Area]] = {}
        known = {area.pk for area in self.areas}
        for area in self.areas:
            below.setdefault(area.parent_id if area.parent_id in known else None, []).append(area)

        def node(area: Area) -> Node:
            children = [node(child) for child in below.get(area.pk, [])]
            inside = any(child.checked or child.open for child in children)
            return Node(area.code, area.name, area.code in chosen, inside, children)

        return [node(area) for area in below.get(None, [])]

    # What the draft becomes

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for number in range(len(self.circles())):
            self._clean_circle(number, cleaned)
        try:
            cleaned["polygons"] = typed.polygons(cleaned.get("polygons", ""))
        except ValueError as error:
            self.add_error("polygons", str(error))
        if cleaned.get("plan") == ReleasePlan.AT and not cleaned.get("release_at") and "release_at" not in self.errors:
            self.add_error("release_at", _("Say when it is released."))
        return cleaned

    def _clean_circle(self, number: int, cleaned: dict[str, Any]) -> None:
        centre, metres = f"circle-{number}-centre", f"circle-{number}-metres"
        if not cleaned.get(centre, "").strip():
            if cleaned.get(metres):
                self.add_error(centre, _("The radius has no centre. Type latitude and longitude."))
            return
        if cleaned.get(metres) is None:
            if metres not in self.errors:
                self.add_error(metres, _("The centre has no radius."))
            return
        try:
            cleaned[f"circle-{number}"] = typed.circle(cleaned[centre], cleaned[metres])
        except ValueError as error:
            self.add_error(centre, str(error))

    def content(self) -> Content:
        """The draft as typed, gaps filled; only of a valid form."""
        data = self.cleaned_data
        content = replace(
            self.base,
            category=tuple(data["category"]),
            urgency=data["urgency"],
            severity=data["severity"],
            certainty=data["certainty"],
            response=tuple(data["response"]),
            texts=dict(self._texts()),
            place=data["place"].strip(),
            districts=tuple(District(code, self.names[code]) for code in data["districts"]),
            circles=tuple(circle for circle in (data.get(f"circle-{n}") for n in range(len(self.circles()))) if circle),
            polygons=data["polygons"],
            touched=(),
            effective=data["effective"],
            onset=data["onset"],
            facts_at=data["facts_at"],
            contact=data["contact"].strip(),
            web=data["web"].strip(),
            note=data["note"].strip(),
            valid_for=data["valid_for"] if data["expires_how"] == "for" else None,
            expires=data["expires"] if data["expires_how"] == "at" else None,
            next_in=data["next_in"] if data["next_how"] == "in" else None,
            next_by=data["next_by"] if data["next_how"] == "at" else None,
        )
        values = {name: data[f"gap-{name}"].strip() for name in self.gaps}
        return gaps.fill(content, {**values, "place": content.place})

    def _texts(self) -> Iterator[tuple[str, Text]]:
        for language in self.languages:
            values = {name: self.cleaned_data[f"text-{language}-{name}"].strip() for name in TEXT_LABELS}
            if any(values.values()):
                yield language, Text(**values)

    def release(self) -> dict[str, Any]:
        """``plan`` and ``release_at`` for ``drafting.save``."""
        plan = self.cleaned_data["plan"]
        return {"plan": plan, "release_at": self.cleaned_data["release_at"] if plan == ReleasePlan.AT else None}


def _initial(content: Content, version: int, plan: str, release_at: dt.datetime | None, circles: int) -> dict[str, Any]:
    initial: dict[str, Any] = {
        "version": version,
        "circle_count": circles,
        "severity": content.severity,
        "urgency": content.urgency,
        "certainty": content.certainty,
        "category": list(content.category),
        "response": list(content.response),
        "place": content.place,
        "districts": [district.code for district in content.districts],
        "polygons": typed.show_polygons(content.polygons),
        "facts_at": content.facts_at,
        "onset": content.onset,
        "effective": content.effective,
        "expires_how": "at" if content.expires else "for",
        "valid_for": content.valid_for or 240,
        "expires": content.expires,
        "next_how": "at" if content.next_by else "in" if content.next_in else "none",
        "next_in": content.next_in or 60,
        "next_by": content.next_by,
        "contact": content.contact,
        "web": content.web,
        "note": content.note,
        "plan": plan,
        "release_at": release_at,
    }
    for number, circle in enumerate(content.circles):
        initial[f"circle-{number}-centre"] = typed.show_point(circle.lat, circle.lon)
        initial[f"circle-{number}-metres"] = f"{circle.km * 1000:g}"
    for language, text in content.texts.items():
        for name in TEXT_LABELS:
            initial[f"text-{language}-{name}"] = getattr(text, name)
    return initial


def _durations(current: int | None) -> Iterable[tuple[int, str]]:
    minutes = sorted({*DURATIONS, *([current] if current else [])})
    return [(count, duration(count)) for count in minutes]


def _number(value: Any, otherwise: int) -> int:
    try:
        return min(max(int(value), 1), 20)
    except (TypeError, ValueError):
        return otherwise
