"""A form as a draft's content, with the city's districts and templates."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from ..content import Content, Text
from ..models import Area
from ..terms import Category, Status, language_name
from . import ready, times, values, vocabulary
from .letters import fold

if TYPE_CHECKING:
    from .form import Form

LONGEST = 20_000
_NONE = {fold(word) for word in ("keine", "keine weitere", "none", "no", "nein", "-", "entfällt")} | {""}
_YES = {fold(word) for word in ("ja", "yes", "true", "x", "Übung", "exercise", "test")}
_NO = {fold(word) for word in ("nein", "no", "false", "keine", "none")}
LONGEST_HEADLINE = 160


def content(form: Form, *, base: Content | None = None) -> tuple[Content, list[str]]:
    """The content of a draft, and what was not understood or guessed, in plain words.

    ``base`` is what the draft says already: what the form leaves out stays. Without it a draft begins as
    the desk's do, with the usual times. Where ``status`` is an exercise, the draft has to begin as one.
    """
    return _Filling(form, base).filled()


class _Filling:
    def __init__(self, form: Form, base: Content | None) -> None:
        self.form = form
        self.base = base
        self.now = timezone.localtime()
        self.content = base or Content(valid_for=240, next_in=60, facts_at=self.now.replace(second=0, microsecond=0))
        self.problems: list[str] = []
        self.from_template = False

    def filled(self) -> tuple[Content, list[str]]:
        self._template()
        self._status()
        self._words()
        self._times()
        self._area()
        fields = self.form.fields
        self.content = replace(
            self.content,
            contact=fields.get("contact") or self.content.contact,
            web=fields.get("web") or self.content.web,
        )
        gaps = ready.gaps(self.content, self.form, self._place())
        self._texts([gap.line for gap in gaps.used])
        self.content = ready.fill(self.content, gaps.values)
        self.problems += ready.left(self.content)
        self._category()
        for line in self.form.leftovers:
            self.problems.append(_("“{words}” stands twice. The first one counts.").format(words=line[:80]))
        return self.content, self.problems

    def _template(self) -> None:
        if self.form.template:
            row, words = ready.find(self.form.template, all_clear=self.content.all_clear)
            self.problems += words
            if row is not None:
                self.content = ready.begin(row, self.content, keep_times=bool(self.content.texts))
                self.from_template = True

    def _status(self) -> None:
        value = self.form.fields.get("status", "")
        if not value or fold(value) in _NO:
            return
        note = "" if fold(value) in _YES else value
        self.content = replace(self.content, status=Status.EXERCISE, note=note or self.content.note)
        if self.base is not None and not self.base.exercise:
            self.content = replace(self.content, status=self.base.status, note=self.base.note)
            self.problems.append(_("This draft is real. An exercise begins as a draft of its own."))

    def _words(self) -> None:
        understood: dict[str, Any] = {}
        for name in ("severity", "urgency", "certainty"):
            value = self.form.fields.get(name)
            if value is None:
                continue
            word, guessed = values.word(name, value)
            if not word:
                self._unknown(name, value)
                continue
            if guessed:
                self._guessed(value, guessed)
            understood[name] = word
        self.content = replace(self.content, **understood)
        if value := self.form.fields.get("category"):
            pieces = [piece for piece in value.split(";") if fold(piece)]
            if len(pieces) == 1 and not values.word("category", value)[0]:
                pieces = [piece for piece in re.split(r"[,/]|\s(?:und|and)\s", value) if fold(piece)]
            found = [values.word("category", piece)[0] for piece in pieces]
            if all(found):
                self.content = replace(self.content, category=tuple(dict.fromkeys(found)))
            else:
                self._unknown("category", value)

    def _unknown(self, name: str, value: str) -> None:
        example = {
            "severity": _("extreme, great, medium or low"),
            "urgency": _("act now, within the hour, or later"),
            "certainty": _("seen, likely or possible"),
            "category": _("fire, weather, health, traffic"),
        }[name]
        words = _("“{words}” was not understood. Write for example: {example}.")
        self.problems.append(words.format(words=value[:80], example=example))

    def _guessed(self, typed: str, taken: str) -> None:
        self.problems.append(_("“{words}” was read as {name}. Check it.").format(words=typed[:80], name=taken))

    def _times(self) -> None:
        if value := self.form.fields.get("valid"):
            length, until = self._length_or_time(value)
            if length or until:
                self.content = replace(self.content, valid_for=length, expires=until)
            else:
                self._no_time(value)
        if value := self.form.fields.get("next"):
            length, until = self._length_or_time(value)
            if length or until or fold(value) in _NONE:
                self.content = replace(self.content, next_in=length, next_by=until)
            else:
                self._no_time(value)
        for name in ("facts", "onset"):
            if value := self.form.fields.get(name):
                stated = times.moment(value, self.now)
                if stated is None:
                    self._no_time(value)
                elif name == "onset":
                    self.content = replace(self.content, onset=stated)
                else:
                    self.content = replace(self.content, facts_at=self._behind(stated))

    def _behind(self, stated: dt.datetime) -> dt.datetime:
        """A time alone is the next one of its kind, but facts lie behind us."""
        day = dt.timedelta(days=1)
        return stated - day if self.now < stated <= self.now + day else stated

    def _length_or_time(self, value: str) -> tuple[int | None, dt.datetime | None]:
        if re.match(r"\s*(?:bis|until|till?)\b", value, re.IGNORECASE) and (until := times.moment(value, self.now)):
            return None, until
        value = re.sub(r"^\s*(?:bis|until|till?)\s+", "", value, flags=re.IGNORECASE)
        length = times.duration(value)
        return length, None if length else times.moment(value, self.now)

    def _no_time(self, value: str) -> None:
        words = _("“{words}” was not understood as a time. Write for example: 4 hours, or until 6 pm.")
        self.problems.append(words.format(words=value[:80]))

    def _area(self) -> None:
        if place := self.form.fields.get("place"):
            self.content = replace(self.content, place=place)
        if value := self.form.fields.get("area"):
            found = values.place(value, names())
            self.problems += found.problems
            if found.districts or found.circles:
                self.content = replace(
                    self.content,
                    districts=tuple(found.districts),
                    circles=tuple(found.circles),
                    polygons=(),
                    touched=(),
                )
            if not self.content.place and found.districts and not found.circles:
                self.content = replace(self.content, place=self._place())

    def _place(self) -> str:
        return self.content.place or ", ".join(district.name for district in self.content.districts)[:120]

    def _texts(self, taken: list[str]) -> None:
        """The form's words over those of draft and template; lines that filled a gap are no words."""
        texts = dict(self.content.texts)
        changed = set()
        for language in dict.fromkeys([*self.form.texts, *self.form.free]):
            if language not in settings.CONTENT_LANGUAGES:
                words = _("{language} is none of the city's languages. Its words were left out.")
                self.problems.append(words.format(language=language_name(language)))
                continue
            given = {
                name: self._bounded(_less(value, taken))
                for name, value in asdict(self.form.texts.get(language, Text())).items()
                if value
            }
            free = self._bounded(_less(self.form.free.get(language, ""), taken))
            if free:
                given |= self._free(free, texts.get(language, Text()), given)
            if given:
                changed.add(language)
                texts[language] = replace(texts.get(language, Text()), **given)
        if changed and not self.from_template and self.base is not None:
            for language in (language for language in texts if language not in changed):
                words = _("{language} still says what it said before. Write what is new under “{sign}:”.")
                sign = vocabulary.SIGNS.get(language, language.upper())
                self.problems.append(words.format(language=language_name(language), sign=sign))
        self.content = replace(self.content, texts=texts)

    def _free(self, free: str, before: Text, given: dict[str, str]) -> dict[str, str]:
        """Words under no name: the first line is the headline, the rest says what happened."""
        first, _break, rest = free.partition("\n")
        first, rest = first.strip(), rest.strip()
        if self.from_template or given.get("description"):
            words = _("Not taken over, because there is a text already: “{words}”. Write “Text:” before it.")
            self.problems.append(words.format(words=free[:200]))
            return {}
        if given.get("headline") or (before.headline and not rest) or len(first) > LONGEST_HEADLINE:
            return {"description": free}
        return {"headline": first, "description": rest} if rest else {"headline": first}

    def _bounded(self, text: str) -> str:
        if len(text) > LONGEST:
            words = _("A text has {count} characters. Only the first {most} were read.")
            self.problems.append(words.format(count=len(text), most=LONGEST))
        return text[:LONGEST]

    def _category(self) -> None:
        """The kind of danger, where the event's words tell it: who subscribed to some kinds only depends on it."""
        if self.content.category:
            return
        said = " ".join(f"{text.event} {text.headline}" for text in self.content.texts.values()).lower()
        for pattern, categories in vocabulary.TELLING:
            if re.search(pattern, said):
                self.content = replace(self.content, category=tuple(categories))
                names_ = ", ".join(str(Category(category).label) for category in categories)
                self.problems.append(_("The kind of danger was guessed: {names}. Check it.").format(names=names_))
                return


def _less(text: str, lines: list[str]) -> str:
    return "\n".join(line for line in text.split("\n") if line.strip() not in lines).strip() if lines else text


def names() -> list[values.Name]:
    """The districts in use, as they may be typed."""
    rows = Area.objects.filter(active=True).values_list("code", "name", "parent__name")
    return [values.Name(code, name, inside or "") for code, name, inside in rows]
