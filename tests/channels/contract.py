"""What every publisher keeps: inherit ``Contract`` in the channel's test and give it the channel."""

from __future__ import annotations

import datetime as dt
import inspect
import json
from dataclasses import replace
from typing import Any

import pytest

from alerts.content import Circle, Content, District, Text
from alerts.notice import City, Notice, notice
from alerts.terms import Kind, MsgType
from channels.base import Publisher

CITY = City("Stadt Leipzig", "Leipzig", "Branddirektion", "115", "https://warnung.leipzig.example")
ORDER = "Verlassen Sie sofort das Gebiet"
SECRET = "geheim-4711-token"
CONTENT = Content(
    category=("Safety",), urgency="Immediate", severity="Extreme", certainty="Observed", response=("Evacuate",),
    texts={
        "de": Text("Bombenfund", f"Bombenfund: {ORDER}", "Eine Bombe liegt dort.", f"{ORDER}.\nHelfen Sie.", ORDER),
        "de-simple": Text("Bombenfund", "Bombe gefunden", "Gehen Sie weg.", "Gehen Sie weg.", ""),
        "en": Text("Bomb found", "Bomb found: leave the area now", "A bomb is defused.", "Leave the area now.", ""),
    },
    place="Dimitroffstraße", circles=(Circle(51.3348, 12.3727, 0.6),), touched=(District("a", "Zentrum-Süd"),),
    expires=dt.datetime(2030, 9, 14, 4, tzinfo=dt.UTC), facts_at=dt.datetime(2030, 9, 13, 17, 35, tzinfo=dt.UTC),
    next_by=dt.datetime(2030, 9, 13, 19, tzinfo=dt.UTC), contact="Bürgertelefon 115",
)  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>", "]]><x>", "\"'><img src=x onerror=alert(1)>", "&lt;b&gt; & <b>", "{{ 7*7 }} {% now %}",
    "@everyone #panik", "a\u0301\u0301\u0301 שלום مرحبا", "🧨" * 30, "x" * 160, "https://boese.example/ zu Leipzig",
)  # fmt: skip


def notices(content: Content = CONTENT, kind: Kind = Kind.WARNING, msg_type: MsgType = MsgType.ALERT) -> list[Notice]:
    return [
        notice(content, slug="k7f3x", kind=kind, msg_type=msg_type, language=language, fallback="de", city=CITY)
        for language in ("de", "de-simple", "en")
    ]


class Contract:
    """Tests that hold for any publisher."""

    limit: int = 1_000_000
    """Characters that one rendering's text may have."""

    def channel(self, **options: Any) -> Publisher:
        """The channel under test; where it takes a secret, ``SECRET``."""
        raise NotImplementedError

    def test_every_language_is_composed(self) -> None:
        for one in notices():
            rendering = self.channel().compose(one)
            assert rendering.language == one.language
            assert not rendering.slots

    def test_composing_is_pure(self) -> None:
        for one in notices():
            assert self.channel().compose(one) == self.channel().compose(one)

    def test_a_rendering_survives_the_database(self) -> None:
        for one in notices():
            fields = dict(self.channel().compose(one).fields)
            assert json.loads(json.dumps(fields)) == fields

    def test_the_address_of_the_page_is_in_it(self) -> None:
        for one in notices():
            said = json.dumps(dict(self.channel().compose(one).fields))
            assert one.slug in said

    def test_an_exercise_is_marked_and_never_prints_the_order(self) -> None:
        for one in notices(replace(CONTENT, status="Exercise", note="Übung")):
            said = json.dumps(dict(self.channel().compose(one).fields), ensure_ascii=False)
            assert "ÜBUNG" in said or "EXERCISE" in said
            assert "Verlassen Sie" not in said
            assert "leave the area" not in said.lower()

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_text_is_composed_or_refused_in_words(self, text: str) -> None:
        words = {language: replace(old, headline=text, description=text) for language, old in CONTENT.texts.items()}
        for one in notices(replace(CONTENT, texts=words, place=text[:80])):
            try:
                said = dict(self.channel().compose(one).fields)
            except ValueError as refusal:
                said = {"refused": str(refusal)}
            assert any(said.values())

    def test_limits_are_kept(self) -> None:
        words = {language: replace(old, description="Satz mit Sinn. " * 300) for language, old in CONTENT.texts.items()}
        for one in notices(replace(CONTENT, texts=words)):
            rendering = self.channel().compose(one)
            assert all(len(value) <= self.limit for value in rendering.fields.values() if isinstance(value, str))

    @pytest.mark.parametrize("text", [*HOSTILE, "Satz mit Sinn. " * 300])
    def test_what_it_measures_is_within_its_limit(self, text: str) -> None:
        channel = self.channel()
        said = {"headline": text[:160], "description": text}
        words = {language: replace(old, **said) for language, old in CONTENT.texts.items()}
        for one in notices(replace(CONTENT, texts=words, place=text[:80])):
            try:
                rendering = channel.compose(one)
            except ValueError:
                continue
            before = json.dumps(dict(rendering.fields))
            measured = channel.measure(rendering)
            assert measured is None or 0 < measured[0] <= measured[1]
            assert channel.measure(rendering) == measured, "measuring is pure"
            assert json.dumps(dict(rendering.fields)) == before

    def test_secrets_are_never_shown(self) -> None:
        channel = self.channel()
        for one in notices():
            assert SECRET not in json.dumps(dict(channel.compose(one).fields))
        assert SECRET not in repr(channel)

    def test_it_says_what_it_is(self) -> None:
        channel = self.channel()
        assert channel.name
        assert inspect.getdoc(type(channel))
        assert channel.seconds > 0
