"""Hints about texts: each is found where it should be, says what to write instead, and never stops anybody."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from alerts import drafting, wording
from alerts.content import Content, District, Text
from alerts.faults import Fault, of_words
from alerts.terms import Kind
from channels.city.sms import text as sms
from tests import story

FOUR = dt.datetime(2026, 3, 4, 16, 0, tzinfo=ZoneInfo("Europe/Berlin"))
LONG = (
    "Wir bitten alle Menschen, die hier in der Nähe wohnen, Fenster und Türen zu schließen und zu warten, bis es hell"
)
CALM = Text(
    "Bombenfund", "Bombenfund am Markt: Meiden Sie das Gebiet", "Um 10:38 Uhr gefunden.", "Meiden Sie das Gebiet."
)


def about(field: str, value: str, *, language: str = "de", kind: str = Kind.WARNING, place: str = "") -> list[Fault]:
    """The hints about one field, in English."""
    words = {"headline": "Heute"} | {field: value}
    content = Content(texts={language: Text(**words)}, place=place)
    with override("en"):
        found = wording.hints(content, kind, now=FOUR)
    return [hint for hint in found if hint.field == f"text-{language}-{field}"]


def codes(field: str, value: str, **options: str) -> list[str]:
    return [hint.code for hint in about(field, value, **options)]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("headline", "Feuer: „Fenster zu“", "typographic"),
        ("short", "Markt – Ring", "typographic"),
        ("instruction", "30 ☀ heute", "left-out"),
        ("short", "Уходите", "dear"),
        ("description", "Kampfmittelfund im Hof.", "jargon"),
        ("description", "Der LZ ist da.", "jargon"),
        ("instruction", "Es kann ggf. dauern.", "jargon"),
        ("instruction", "Es kann z. B. dauern.", "jargon"),
        ("description", LONG + " wieder geht.", "long-sentence"),
        ("instruction", "Gehen Sie weg!", "exclamation"),
        ("instruction", "NICHT hingehen.", "capitals"),
        ("headline", "ACHTUNG Feuer", "capitals"),
        ("description", "Der ZKD kommt.", "abbreviation"),
        ("description", "Mehr auf www.stadt.example/x", "link-in-text"),
        ("instruction", "Rufen Sie 0341/123456 an.", "phone"),
        ("instruction", "Rufen Sie (0341) 12 34 56 an.", "phone"),
        ("instruction", "Rufen Sie +49 (0) 341 123456 an.", "phone"),
        ("description", "Ab 14 Uhr ist gesperrt.", "past-time"),
        ("headline", "x" * 81, "long-headline"),
    ],
)
def test_it_is_found(field: str, value: str, code: str) -> None:
    found = about(field, value)
    assert code in [hint.code for hint in found]
    assert not any(hint.hard for hint in found), "a hint stops nobody"
    assert all(hint.words.startswith("Deutsch, ") for hint in found), "and says where to look"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("headline", "Großbrand in Böhlitz: Fenster schließen, 5 € für 2 Liter"),
        ("description", "„Kein Grund zur Sorge“ – sagt die Feuerwehr."),
        ("instruction", "Rufen Sie 115 oder 0341 123456 an. Warten Sie am Zug ICE 12."),
        ("description", "Am 01.02.2026 um 08:30 Uhr, Hausnummer 12/14."),
        ("description", "Ab 14 Uhr war gesperrt."),
        ("description", "Morgen ab 14 Uhr ist gesperrt."),
        ("description", "Am Freitag ab 14 Uhr ist gesperrt."),
        ("description", "Am 5. März ab 14 Uhr ist gesperrt."),
        ("description", "Ab 18 Uhr ist gesperrt."),
        ("description", "Ab 6 Uhr ist gesperrt."),
        ("description", "Ab {time} Uhr ist gesperrt. Das dauert bis {until}."),
        ("description", "Gesperrt ab 99 Uhr."),
        ("headline", "x" * 80),
        ("instruction", "Kommen Sie: " + "Schule am Park; " * 12),
    ],
)
def test_what_is_well_said_is_left_alone(field: str, value: str) -> None:
    assert codes(field, value) == []


def test_jargon_comes_with_plain_words() -> None:
    (hint,) = about("description", "Havarie! Bitte unverzüglich evakuieren".replace("!", "."))
    for plain in ("“Havarie” → “Schaden”", "“unverzüglich” → “sofort”", "“evakuieren” → “das Gebiet verlassen”"):
        assert plain in hint.words


def test_each_language_has_its_own_words() -> None:
    assert codes("description", "Commence at once.", language="en") == ["jargon"]
    assert codes("description", "Commence at once.") == []


def test_plain_language_has_shorter_sentences() -> None:
    thirteen = "Wir sagen allen Menschen am Markt heute Abend, dass sie dort weggehen müssen."
    assert codes("description", thirteen, language="de-simple") == ["long-sentence"]
    assert codes("description", thirteen) == []


def test_a_name_of_the_place_is_no_abbreviation() -> None:
    assert codes("description", "Im MDV Haus brennt es.", place="MDV Haus") == []
    assert codes("description", "Im MDV Haus brennt es.") == ["abbreviation"]


class TestHeadline:
    def hints(self, headline: str, **changes: object) -> list[str]:
        content = Content(texts={"de": Text(headline=headline)}, **changes)  # type: ignore[arg-type]
        return [hint.code for hint in wording.hints(content, str(changes.pop("kind", Kind.WARNING)))]

    def test_it_names_the_place_or_a_district(self) -> None:
        near = (District("mitte", "Zentrum-Süd"),)
        assert self.hints("Bombe: Gehen Sie weg", place="Dimitroffstraße") == ["no-place-in-headline"]
        assert self.hints("Bombe Dimitroffstraße: Gehen Sie weg", place="Dimitroffstraße 7") == []
        assert self.hints("Bombe im Zentrum: Gehen Sie weg", districts=near) == []
        assert self.hints("Bombe: Gehen Sie weg", districts=near) == ["no-place-in-headline"]

    def test_a_gap_will_be_the_place(self) -> None:
        assert self.hints("Bombe {place}: Gehen Sie weg", place="Markt") == []

    def test_nothing_is_asked_before_a_place_is_known(self) -> None:
        assert self.hints("Bombe: Gehen Sie weg") == []


class TestUpdates:
    def test_an_update_says_a_time(self) -> None:
        assert codes("description", "Die Bombe liegt noch dort.", kind=Kind.UPDATE) == ["no-time"]
        for said in ("Um 14:30 Uhr liegt sie noch dort.", "Seit 14 Uhr.", "As of 2 pm.", "Stand {time}."):
            assert "no-time" not in codes("description", said, kind=Kind.UPDATE), said
        assert codes("description", "Die Bombe liegt dort.") == []

    def test_a_language_left_behind_is_named(self) -> None:
        before = Content(texts={"de": CALM, "en": Text("Bomb", "Bomb found", "At 10:38.", "Leave.")})
        after = Content(texts={**before.texts, "de": Text("Bombenfund", "Entschärft", "Um 18:00 Uhr.", "Warten Sie.")})
        with override("en"):
            (hint,) = (one for one in wording.hints(after, Kind.UPDATE, before=before) if one.code == "left-behind")
            assert (hint.field, "Deutsch" in hint.words) == ("text-en-headline", True)
            gone = Content(texts={"de": after.texts["de"]})
            (hint,) = (one for one in wording.hints(gone, Kind.UPDATE, before=before) if one.code == "left-behind")
            assert "empty now" in hint.words
        assert not [one for one in wording.hints(before, Kind.UPDATE, before=before) if one.code == "left-behind"]


def test_a_draft_is_told_its_hints_beside_its_faults() -> None:
    content = Content(texts={"de": Text("Feuer", "Feuer!", "", "Fenster zu.")}, category=("Fire",))
    found = drafting.faults(content, kind=Kind.WARNING, now=FOUR)
    assert [fault.hard for fault in found if fault.code == "exclamation"] == [False]


def test_the_story_is_well_worded() -> None:
    for step in story.STEPS:
        found = wording.hints(step.content, step.kind, now=step.sent)
        assert {hint.code for hint in found} <= {"long-headline", "no-time"}, found


ANY = st.text(max_size=400)
NASTY = st.text(st.sampled_from("aA0 .:/-(!{}\n„–é€\u0301\u202eß漢☀+@"), max_size=400)


@given(st.builds(Text, *[ANY | NASTY] * 5), st.sampled_from(list(Kind)), ANY)
def test_no_text_whatever_makes_it_stumble(text: Text, kind: Kind, place: str) -> None:
    content = Content(texts={"de": text, "de-simple": text, "ar": text}, place=place)
    found = wording.hints(content, kind, now=FOUR, before=Content(texts={"de": text, "en": text}))
    assert all(not hint.hard and hint.words for hint in found)
    assert len({(hint.field, hint.code) for hint in found}) == len(found), "each hint once a field"


@pytest.mark.parametrize("piece", ["a", "A", "a.", "0", "0341/", "ab 1 Uhr ", "(0", "{", "www.", "\n", "-", "„", "1.1"])
def test_a_hundred_kilobytes_are_read_like_a_few(piece: str) -> None:
    long = piece * (100_000 // len(piece))
    content = Content(texts={"de": Text(long, long, long, long, long)}, place=long)
    assert len(wording.hints(content, Kind.UPDATE, now=FOUR)) < 50
    assert any(fault.code == "too-long" for fault in of_words(content))


@given(st.text(max_size=60) | st.text(st.sampled_from("aä½°²№„–…łµç漢☀\ufe0f\u0301é"), max_size=20))
def test_the_price_is_told_as_the_channel_counts_it(text: str) -> None:
    _typographic, _left_out, dear = wording.sms_characters(text)
    assert bool(dear) is (sms.encoding(sms.plain(f"a {text}")) == sms.UCS2)


@pytest.mark.parametrize("letter", sorted(wording.HARMLESS))
def test_what_is_called_harmless_is_replaced_by_the_channel(letter: str) -> None:
    assert sms.plain(f"a{letter}b") == f"a{wording.HARMLESS[letter]}b"


def test_the_alphabet_is_the_one_that_networks_use() -> None:
    assert sms.encoding("".join(wording.GSM7 - {"\f"})) == sms.GSM7
