"""The forgiving form: what it understands, what it says about the rest, and that its own example reads the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import drafting
from alerts.content import Circle, Content, District, Text, to_json
from alerts.intake import times, values
from alerts.intake.form import content, parse
from alerts.intake.mail import read
from alerts.intake.orders import order
from alerts.intake.shown import show
from alerts.models import Template
from alerts.terms import Kind
from tests import city
from tests.alerts.intake.mails import sample

NOW = dt.datetime(2026, 3, 12, 14, 5, tzinfo=ZoneInfo("Europe/Berlin"))

GERMAN = """\
Ereignis: Bombenfund
Ort: Dimitroffstraße
Gebiet: Nordwest, Nordost
Stufe: Extrem
Gültig: 4 Stunden
Nächste Meldung: 60 Minuten
Überschrift: Verlassen Sie das Gebiet
Text: In der Straße liegt eine Bombe.
Was tun:
- Gehen Sie.
- Helfen Sie.

EN:
Event: Bomb found
Headline: Leave the area
Text: There is a bomb.
What to do: Leave.
"""


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with override("en"):
        yield


def fields(text: str) -> dict[str, str]:
    return dict(parse(text).fields)


# Reading, without a database


def test_a_whole_form_is_read() -> None:
    form = parse(GERMAN)
    assert form.fields == {
        "place": "Dimitroffstraße", "area": "Nordwest, Nordost", "severity": "Extrem", "valid": "4 Stunden",
        "next": "60 Minuten",
    }  # fmt: skip
    assert form.texts == {
        "de": Text(
            "Bombenfund", "Verlassen Sie das Gebiet", "In der Straße liegt eine Bombe.", "Gehen Sie.\nHelfen Sie."
        ),
        "en": Text("Bomb found", "Leave the area", "There is a bomb.", "Leave."),
    }
    assert not form.free
    assert not form.leftovers


@pytest.mark.parametrize(
    "line",
    [
        "Gültig: 4 Stunden", "GÜLTIG: 4 Stunden", "gueltig : 4 Stunden", "Gultig: 4 Stunden", "• Gültig: 4 Stunden",
        "- Gültig:4 Stunden", "**Gültig:** 4 Stunden", "Gültig:\u00a04\u00a0Stunden", "„Gültig“: „4 Stunden“",
        "Gültig für: 4 Stunden", "Gütlig: 4 Stunden", "Gültig = 4 Stunden", "Valid: 4 Stunden", "> Gültig: 4 Stunden",
    ],
)  # fmt: skip
def test_a_name_is_known_however_it_is_typed(line: str) -> None:
    assert fields(f"Ereignis: Brand\n{line}")["valid"] == "4 Stunden"


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("Stufe extrem", "severity", "extrem"),
        ("Gültig bis 18 Uhr", "valid", "18 Uhr"),
        ("Valid until 6 pm", "valid", "6 pm"),
        ("Gebiet Mitte", "area", "Mitte"),
        ("Vorlage Bombenfund", "template", "Bombenfund"),
    ],
)
def test_a_name_without_a_colon_is_known_in_a_form(line: str, name: str, value: str) -> None:
    assert fields(f"Ereignis: Brand\n{line}")[name] == value
    assert fields(f"{line}\nEs brennt.") == {}


def test_a_name_may_stand_above_its_value() -> None:
    assert fields("Gebiet:\n- Mitte\n- Fern\n\nStufe:\nExtrem") == {"area": "Mitte\nFern", "severity": "Extrem"}
    assert fields("Stufe: Extrem\nGebiet: Mitte,\nFern\nund Rand") == {
        "severity": "Extrem",
        "area": "Mitte,\nFern\nRand",
    }


def test_free_text_has_no_names() -> None:
    text = "Brand in der Halle\nEs brennt in einer Halle: Lagerhaus 3.\nBleiben Sie im Haus."
    assert parse(text).free == {"de": text}
    assert parse("Fire in the hall\nStay in the house.").free.keys() == {"en"}


def test_english_names_make_an_english_text() -> None:
    assert parse("Event: Fire\nArea: Mitte\nText: Smoke.").texts == {"en": Text("Fire", description="Smoke.")}
    both = parse("Ereignis: Brand\nEvent: Fire\nÜberschrift: Rauch\nHeadline: Smoke").texts
    assert both == {"de": Text("Brand", "Rauch"), "en": Text("Fire", "Smoke")}
    assert parse("Überschrift (EN): Smoke\nHeadline DE: Rauch").texts == {
        "en": Text("", "Smoke"),
        "de": Text("", "Rauch"),
    }


@pytest.mark.parametrize("sign", ["EN:", "En:", "[EN]", "Englisch:", "English:", "== EN =="])
def test_a_language_begins_a_block(sign: str) -> None:
    assert parse(f"Ereignis: Brand\n{sign}\nFire\nStay inside.").free == {"en": "Fire\nStay inside."}
    assert parse("LS: Es brennt.\nGehen Sie weg.").free == {"de-simple": "Es brennt.\nGehen Sie weg."}


def test_a_rule_ends_a_text() -> None:
    form = parse("Was tun: Fenster schließen.\n-----\nDanke an alle")
    assert form.texts["de"].instruction == "Fenster schließen."
    assert form.free == {"de": "Danke an alle"}


def test_what_stands_twice_is_told() -> None:
    form = parse("Stufe: Extrem\nStufe: Gering\nGebiet: Mitte\nGebiet: Fern")
    assert form.fields == {"severity": "Extrem", "area": "Mitte\nFern"}
    assert form.leftovers == ("Stufe: Gering",)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("4 Stunden", 240), ("4h", 240), ("4 Std.", 240), ("2h30", 150), ("2h30m", 150), ("2:30 h", 150),
        ("90 Minuten", 90), ("90 min", 90), ("1,5 Stunden", 90), ("1.5 hours", 90), ("eine halbe Stunde", 30),
        ("half an hour", 30), ("anderthalb Stunden", 90), ("2 Stunden und 30 Minuten", 150), ("for 4 hours", 240),
        ("3 Tage", 4320), ("a day", 1440), ("eine Woche", 10080), ("in 60 Minuten", 60), ("zwei Stunden", 120),
        ("12", None), ("bald", None), ("0 Stunden", None), ("9999 Tage", None), ("2 Stunden Brand", None),
    ],
)  # fmt: skip
def test_durations(text: str, minutes: int | None) -> None:
    assert times.duration(text) == minutes


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("bis 18 Uhr", "2026-03-12 18:00"), ("18:30", "2026-03-12 18:30"), ("18.30 Uhr", "2026-03-12 18:30"),
        ("bis 18", "2026-03-12 18:00"), ("until 6 pm", "2026-03-12 18:00"), ("6:30 p.m.", "2026-03-12 18:30"),
        ("bis 6 Uhr", "2026-03-13 06:00"), ("morgen 8 Uhr", "2026-03-13 08:00"), ("tomorrow 8 am", "2026-03-13 08:00"),
        ("bis morgen früh 6 Uhr", "2026-03-13 06:00"), ("24 Uhr", "2026-03-13 00:00"), ("noon", "2026-03-13 12:00"),
        ("Mitternacht", "2026-03-13 00:00"), ("24.12. 18 Uhr", "2026-12-24 18:00"),
        ("01.02. 8 Uhr", "2027-02-01 08:00"),
        ("24.12.2026 18:00", "2026-12-24 18:00"), ("24. Dezember, 18 Uhr", "2026-12-24 18:00"),
        ("Freitag 12 Uhr", "2026-03-13 12:00"), ("heute", "2026-03-12 23:59"), ("2026-12-24 18:00", "2026-12-24 18:00"),
        ("31.2. 5 Uhr", ""), ("25 Uhr", ""), ("18", ""), ("13 pm", ""), ("bald", ""), ("4 Stunden", ""),
    ],
)  # fmt: skip
def test_moments(text: str, moment: str) -> None:
    found = times.moment(text, NOW)
    assert (f"{found:%Y-%m-%d %H:%M}" if found else "") == moment


def test_a_moment_keeps_the_clock_when_it_is_changed() -> None:
    evening = dt.datetime(2026, 3, 28, 23, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    found = times.moment("bis 6 Uhr", evening)
    assert found is not None
    assert found.isoformat() == "2026-03-29T06:00:00+02:00"


@pytest.mark.parametrize(
    ("name", "typed", "word"),
    [
        ("severity", "EXTREM", "Extreme"), ("severity", "extreme Gefahr", "Extreme"), ("severity", "groß", "Severe"),
        ("severity", "Grosse Gefahr", "Severe"), ("severity", "schwer", "Severe"), ("severity", "Severe", "Severe"),
        ("severity", "hoch", "Severe"), ("severity", "sehr hoch", "Extreme"), ("severity", "mittel", "Moderate"),
        ("severity", "mäßig", "Moderate"), ("severity", "geringe Gefahr", "Minor"), ("severity", "low", "Minor"),
        ("severity", "Gefahrendurchsage", "Extreme"), ("severity", "Extrm", "Extreme"), ("severity", "3", ""),
        ("severity", "keine Ahnung", ""), ("urgency", "sofort", "Immediate"), ("certainty", "wahrscheinlich", "Likely"),
        ("category", "Feuer", "Fire"), ("category", "Öffentliche Sicherheit", "Safety"), ("category", "CBRNE", "CBRNE"),
    ],
)  # fmt: skip
def test_levels_in_officers_words(name: str, typed: str, word: str) -> None:
    assert values.word(name, typed)[0] == word


NAMES = [
    values.Name("city", "Leipzig", ""),
    *(
        values.Name(name, name, "Leipzig")
        for name in ("Mitte", "Nordost", "Südost", "Südwest", "Gohlis-Süd", "Gohlis-Mitte", "Südvorstadt", "Connewitz",
                     "Neustadt-Neuschönefeld", "Wald und Wiese")
    ),
    values.Name("Grün-1", "Grün", "Nord"),
    values.Name("Grün-2", "Grün", "Süd"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ("Mitte", ["Mitte"]), ("mitte und SUEDWEST", ["Mitte", "Südwest"]), ("Sudvorstadt", ["Südvorstadt"]),
        ("Mitte, Nordost; Südost", ["Mitte", "Nordost", "Südost"]),
        ("Mitte/Nordost & Südost", ["Mitte", "Nordost", "Südost"]),
        ("Stadtteil Neustadt Neuschönefeld", ["Neustadt-Neuschönefeld"]), ("Leipzig-Connewitz", ["Connewitz"]),
        ("Wald und Wiese", ["Wald und Wiese"]), ("ganze Stadt", ["city"]), ("Leipzig", ["city"]),
        ("Mitte, mitte", ["Mitte"]),
    ],
)  # fmt: skip
def test_districts_by_name(typed: str, codes: list[str]) -> None:
    found = values.place(typed, NAMES)
    assert ([district.code for district in found.districts], found.problems) == (codes, [])


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        ("Conewitz", "Connewitz", "was read as Connewitz"),
        ("Südwst", "Südwest", "was read as Südwest"),
        ("Gohlis", "", "Gohlis-Süd or Gohlis-Mitte"),
        ("Grün", "", "Grün (Nord) or Grün (Süd)"),
        ("04103 Leipzig", "", "postcodes are not known"),
        ("Xanadu", "", "none of the city's districts"),
        ("51.33, 12.37", "", "no radius"),
        ("98.1, 12.37 600m", "", "no such place"),
        ("51.33, 12.37 600 km", "", "at most 100 kilometres"),
    ],
)
def test_what_is_unclear_of_an_area_is_told(typed: str, code: str, words: str) -> None:
    found = values.place(typed, NAMES)
    assert [district.code for district in found.districts] == ([code] if code else [])
    assert not found.circles
    assert len(found.problems) == 1
    assert words in found.problems[0]


def test_a_postcode_that_the_city_has_as_a_district_is_known() -> None:
    names = [*NAMES, values.Name("p", "04103", "Leipzig")]
    assert [district.code for district in values.place("04103", names).districts] == ["p"]


@pytest.mark.parametrize(
    "typed",
    [
        "51.33,12.37 600m", "51.33, 12.37 600 m", "51,33 12,37 0,6 km", "51,33; 12,37; 600 Meter", "51,33,12,37 600m",
        "51.33° N, 12.37° E, Umkreis 600 m", "51.33, 12.37 im Umkreis von 600 Metern", "600 m um 51.33, 12.37",
        "(51.33, 12.37) 600 metres",
    ],
)  # fmt: skip
def test_circles_with_points_or_commas(typed: str) -> None:
    found = values.place(f"{typed}, Mitte", NAMES)
    assert found.circles == [Circle(51.33, 12.37, 0.6)]
    assert [district.code for district in found.districts] == ["Mitte"]
    assert not found.problems


@given(st.text(max_size=400))
@settings(deadline=None)
def test_no_text_breaks_it(text: str) -> None:
    parse(text)
    values.place(text, NAMES)
    times.duration(text)
    times.moment(text, NOW)


# With the city's districts and templates


@pytest.fixture
def ready(db: None) -> None:
    """Two templates, as a city names them."""
    for order_, (kind, names, texts) in enumerate(
        (
            (Kind.WARNING, {"de": "Bombenfund: Warnung", "en": "Bomb found: warning"}, "Bombenfund {place}"),
            (Kind.WARNING, {"de": "Bombenfund: Räumung läuft", "en": "Bomb found: evacuation"}, "Bombe {place}"),
            (Kind.ALL_CLEAR, {"de": "Bombenfund: vorbei", "en": "Bomb found: over"}, "Vorbei"),
        )
    ):
        Template.objects.create(
            key=f"bombe-{names['de'][12:15].lower()}",
            kind=kind,
            order=order_,
            names=names,
            content_json=to_json(
                Content(
                    category=("Safety",),
                    severity="Severe",
                    valid_for=720,
                    next_in=120,
                    contact="115",
                    texts={
                        "de": Text("Bombenfund", texts, "Um {time} Uhr gefunden, {weight} Kilogramm.", "Gehen Sie."),
                        "en": Text("Bomb found", f"{texts} (en)", "Found at {time}, {weight} kilograms.", "Leave."),
                    },
                )
            ),
        )


@pytest.mark.usefixtures("districts")
def test_the_short_form_makes_a_draft_that_can_be_submitted() -> None:
    made, problems = content(parse(GERMAN))
    assert made.districts == (District("nw", "Nordwest"), District("no", "Nordost"))
    assert (made.severity, made.valid_for, made.next_in, made.place) == ("Extreme", 240, 60, "Dimitroffstraße")
    assert made.category == ("Safety",)
    assert problems == ["The kind of danger was guessed: Public safety. Check it."]
    assert not [one for one in drafting.faults(made, kind=Kind.WARNING, now=timezone.now()) if one.hard]


@pytest.mark.usefixtures("districts")
def test_a_mail_from_a_phone_becomes_a_draft() -> None:
    made, problems = content(parse(order(read(sample("iphone-de"))).words))
    assert [district.name for district in made.districts] == ["Mitte", "Nordost"]
    assert made.texts["de"].headline == "Bombenfund: Verlassen Sie das Gebiet"
    assert made.texts["de"].instruction == "Gehen Sie aus dem Gebiet.\nHelfen Sie Nachbarn."
    assert (made.severity, made.valid_for, made.place) == ("Extreme", 240, "Mitte, Nordost")
    assert len(problems) == 1


@pytest.mark.usefixtures("districts")
def test_free_text_becomes_headline_and_description() -> None:
    made, _problems = content(parse("Brand in der Halle\nEs brennt.\nBleiben Sie im Haus."))
    assert made.texts == {"de": Text("", "Brand in der Halle", "Es brennt.\nBleiben Sie im Haus.")}
    assert not made.has_area


@pytest.mark.usefixtures("districts")
def test_an_unknown_word_leaves_the_field_as_it_was_and_is_told() -> None:
    made, problems = content(
        parse("Stufe: rosa\nGültig: irgendwann\nNächste Meldung: bald\nArt: Quark\nGebiet: Xanadu")
    )
    assert (made.severity, made.valid_for, made.next_in, made.category, made.has_area) == (
        "Unknown",
        240,
        60,
        (),
        False,
    )
    words = ("rosa", "irgendwann", "bald", "Quark", "Xanadu")
    assert [sum(f"“{word}”" in problem for problem in problems) for word in words] == [1] * len(words)


@pytest.mark.usefixtures("districts")
def test_times_take_the_place_of_durations() -> None:
    until = timezone.localtime() + dt.timedelta(hours=5)
    made, _problems = content(parse(f"Gültig bis: {until:%d.%m.%Y %H:%M}\nNächste Meldung: keine"))
    assert made.valid_for is None
    assert made.expires == until.replace(second=0, microsecond=0)
    assert (made.next_in, made.next_by) == (None, None)
    assert content(parse("Gültig: bis 18h\nStufe: gering"))[0].expires is not None


@pytest.mark.usefixtures("districts")
def test_an_exercise_is_called_one() -> None:
    made, _problems = content(parse("Übung: Herbstprobe\nEreignis: Brand"))
    assert (made.status, made.note) == ("Exercise", "Herbstprobe")
    assert content(parse("Exercise: yes\nEvent: Fire"))[0].status == "Exercise"
    real, problems = content(parse("Übung: ja\nEreignis: Brand"), base=city.content())
    assert real.status == "Actual"
    assert any("draft is real" in problem for problem in problems)


@pytest.mark.usefixtures("districts")
def test_an_update_changes_what_it_says_and_tells_what_it_leaves() -> None:
    made, problems = content(parse("Text: Es brennt noch.\nGebiet: Südost"), base=city.content())
    assert made.texts["de"] == Text(
        "Bombenfund", "Bombenfund: Verlassen Sie das Gebiet", "Es brennt noch.", "Gehen Sie.\nHelfen Sie."
    )
    assert made.districts == (District("so", "Südost"),)
    assert not made.circles
    assert problems == ["English still says what it said before. Write what is new under “EN:”."]


@pytest.mark.usefixtures("districts")
def test_a_language_that_the_city_lacks_is_told() -> None:
    made, problems = content(parse("Ereignis: Brand\nFR:\nAu feu"))
    assert "fr" not in made.texts
    assert any("none of the city's languages" in problem for problem in problems)


@pytest.mark.usefixtures("districts", "ready")
@pytest.mark.parametrize(
    "name",
    ["Bombenfund: Warnung", "bombenfund warnung", "Bomb found: warning", "Warnung", "bombe-war", "Bombenfund Warnug"],
)
def test_a_template_by_any_of_its_names(name: str) -> None:
    made, problems = content(
        parse(f"Vorlage: {name}\nOrt: Hafenstraße\nUhrzeit: 14:30 Uhr\nGewicht: 100 kg\nGebiet: Mitte")
    )
    assert made.texts["de"].headline == "Bombenfund Hafenstraße"
    assert made.texts["de"].description == "Um 14:30 Uhr gefunden, 100 Kilogramm."
    assert made.texts["en"].description == "Found at 14:30, 100 kilograms."
    assert (made.severity, made.valid_for, made.next_in, made.contact) == ("Severe", 720, 120, "115")
    assert problems == (["“Bombenfund Warnug” was read as Bombenfund: Warnung. Check it."] if "Warnug" in name else [])


@pytest.mark.usefixtures("districts", "ready")
def test_a_template_that_may_be_two_is_none() -> None:
    made, problems = content(parse("Vorlage: Bombenfund\nGebiet: Mitte"))
    assert made.texts == {}
    assert problems == [
        "Several templates may be meant by “Bombenfund”: Bombenfund: Warnung; Bombenfund: Räumung läuft."
    ]
    _made, problems = content(parse("Vorlage: Sturmflut\nGebiet: Mitte"))
    assert "There is no template" in problems[0]


@pytest.mark.usefixtures("districts", "ready")
def test_gaps_that_stay_open_are_told_with_what_to_write() -> None:
    _made, problems = content(parse("Vorlage: Warnung\nOrt: Hafenstraße\nGewicht: 100"))
    assert problems == ["The template still asks for: Time. Write “Time: …”."]


@pytest.mark.usefixtures("districts", "ready")
def test_the_form_goes_over_the_template_and_loose_words_do_not() -> None:
    made, problems = content(parse("Vorlage: Warnung\nStufe: Extrem\nÜberschrift: Neu\n\nBitte schnell freigeben"))
    assert (made.severity, made.texts["de"].headline) == ("Extreme", "Neu")
    assert "Bitte schnell freigeben" not in str(made.texts)
    assert any("Bitte schnell freigeben" in problem for problem in problems)


# What is printed reads the same

WORDS = st.lists(
    st.text(st.characters(categories=["Ll", "Lu"], max_codepoint=0x17F), min_size=1, max_size=9).filter(str.isalpha),
    min_size=2,
    max_size=8,
).map(lambda words: "Die " + " ".join(words) + ".")
LINES = st.lists(WORDS, min_size=1, max_size=3).map("\n".join)
TEXTS = st.builds(Text, event=WORDS, headline=WORDS, description=LINES, instruction=LINES, short=WORDS)
CONTENTS = st.builds(
    Content,
    severity=st.sampled_from(["Extreme", "Severe", "Moderate", "Minor", "Unknown"]),
    urgency=st.sampled_from(["Immediate", "Expected", "Future", "Past", "Unknown"]),
    certainty=st.sampled_from(["Observed", "Likely", "Possible", "Unlikely", "Unknown"]),
    category=st.lists(
        st.sampled_from(["Geo", "Met", "Safety", "Security", "Fire", "Infra", "CBRNE", "Other"]),
        min_size=1,
        unique=True,
    ).map(tuple),
    place=WORDS,
    districts=st.lists(
        st.sampled_from([District("nw", "Nordwest"), District("so", "Südost"), District("fern", "Fern")]), unique=True
    ).map(tuple),
    circles=st.lists(
        st.builds(
            Circle,
            lat=st.integers(-89_999_999, 89_999_999).map(lambda degrees: degrees / 1e6),
            lon=st.integers(-179_999_999, 179_999_999).map(lambda degrees: degrees / 1e6),
            km=st.integers(1, 100_000).map(lambda metres: metres / 1000),
        ),
        max_size=2,
    ).map(tuple),
    valid_for=st.integers(1, 60 * 24 * 7),
    next_in=st.integers(1, 600),
    contact=st.just("Bürgertelefon 115"),
    texts=st.fixed_dictionaries({"de": TEXTS, "en": TEXTS}, optional={"de-simple": TEXTS}),
)


@pytest.mark.usefixtures("districts")
@given(CONTENTS, st.sampled_from(["de", "en"]))
@settings(max_examples=30, deadline=None)
def test_what_is_printed_as_an_example_reads_the_same(printed: Content, language: str) -> None:
    again, problems = content(parse(show(printed, language)), base=Content())
    assert again == printed
    assert problems == []
