"""Image cards show what was approved, never more; nothing runs out of its place, and an exercise is unmistakable."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from alerts import cards, public
from alerts.cards import SHAPES, Card, drawing, drawn
from alerts.cards.colours import BAR, LOOKS, MAP_AREA, MAP_GROUND, Colour, area_of, pairs
from alerts.cards.fonts import drawable, font, width
from alerts.cards.icons import icon
from alerts.cards.layout import card
from alerts.cards.map import ground_of
from alerts.cards.words import MOST_ALT, Words, look_of, words_of
from alerts.cards.wrapping import fitted
from alerts.content import Circle, Content, District, Polygon, Text
from alerts.coordinates import MOST_KM
from alerts.importing import import_file
from alerts.notice import City, Notice, Picture, notice
from alerts.public import PublicArea
from alerts.terms import Kind, MsgType, Status
from tests.city import LAT, LON, square

CITY = City("Stadt Leipzig", "Leipzig", "Branddirektion", "115", "https://warnung.leipzig.example")
ORDER = "Verlassen Sie sofort das Gebiet"
DRAWN = Polygon(((LAT, LON), (LAT, LON + 0.01), (LAT + 0.01, LON + 0.01), (LAT + 0.01, LON), (LAT, LON)))
CONTENT = Content(
    severity="Extreme",
    texts={
        "de": Text("Bombenfund", "Bombenfund Dimitroffstraße", "Deshalb.", f"{ORDER}.\nHelfen Sie."),
        "en": Text("Bomb found", "Bomb found at Dimitroffstraße", "Therefore.", "Leave the area now.\nHelp others."),
    },
    place="Dimitroffstraße",
    circles=(Circle(LAT, LON, 0.6),),
    touched=(District("nw", "Nordwest"),),
    facts_at=dt.datetime(2026, 9, 13, 17, 35, tzinfo=dt.UTC),
)
AREAS = [
    PublicArea("city", "Leipzig", "", square(LAT, LON, 0.3)),
    PublicArea("mitte", "Mitte", "city", square(LAT, LON, 0.02)),
    PublicArea("nw", "Nordwest", "mitte", square(LAT + 0.01, LON - 0.01)),
    PublicArea("no", "Nordost", "mitte", square(LAT + 0.01, LON + 0.01)),
    PublicArea("fern", "Fern", "city", square(LAT + 0.08, LON)),
]
LONG = (
    "Trinkwasserverunreinigung durch Chemikalienaustritt im Bereich der Kampfmittelbeseitigungsdienststelle: Bitte "
    "kochen Sie das Leitungswasser ab und verwenden Sie es nicht zum Trinken, Zähneputzen oder Kochen, bis die Stadt "
    "die Entwarnung gibt; betroffen sind auch alle umliegenden Gemeinden im Landkreis Leipzig und Nordsachsen"
)
HEADLINES = {
    "one word": "Brand",
    "300 characters": LONG,
    "one endless word": "Kampfmittelbeseitigungsdienst" * 12,
    "no letter that fits": "W" * 300,
    "emoji and words": "🔥🔥 Brand in Grünau ⚠️",
    "only emoji": "🔥🚨👩‍👩‍👧‍👦",
    "right to left": "اخرجوا من المنطقة فورا",
    "mixed directions": "Bombe \u202eגבעה 600 m",
    "combining": "Zu\u0308rich e\u0301\u0301\u0301\u0301\u0323\u0338\u0338 Stra\u00dfe",
    "control characters": "Brand\u0000\n\n in\tder\u200b Stra\u00adße",
}
WHERE: dict[str, dict[str, Any]] = {
    "circle": {},
    "point": {"circles": (Circle(LAT, LON, 0.01),)},
    "huge circle": {"circles": (Circle(LAT, LON, 30),)},
    "two circles": {"circles": (Circle(LAT, LON, 0.6), Circle(LAT + 0.05, LON, 0.3))},
    "polygon": {"circles": (), "polygons": (DRAWN,)},
    "one district": {"circles": (), "place": "", "districts": (District("nw", "Nordwest"),)},
    "no outline": {"circles": (), "touched": (District("gone", "Alt-Ort"),)},
    "nothing said": {"circles": (), "touched": (), "place": "", "facts_at": None},
}


def said(language: str = "en", kind: Kind = Kind.WARNING, **changes: Any) -> Notice:
    msg_type = MsgType.CANCEL if kind in {Kind.ALL_CLEAR, Kind.FALSE_ALARM} else MsgType.ALERT
    return notice(
        replace(CONTENT, **changes),
        slug="k7f3x",
        kind=kind,
        msg_type=msg_type,
        language=language,
        fallback="de",
        city=CITY,
    )


def headed(headline: str, **changes: Any) -> Notice:
    return said(texts={"en": Text("Bomb found", headline, "", "Leave the area now."), "de": Text()}, **changes)


def all_clear() -> Notice:
    return said(kind=Kind.ALL_CLEAR, response=("AllClear",))


def false_alarm() -> Notice:
    return said(kind=Kind.FALSE_ALARM, response=("AllClear",))


def one(notice: Notice, shape: str = "square-png", areas: list[PublicArea] | None = None) -> Card:
    return drawn(notice, [shape], AREAS if areas is None else areas)[0]


def picture(notice: Notice, shape: str = "square", areas: list[PublicArea] | None = None) -> Image.Image:
    """The card before it is encoded."""
    areas = AREAS if areas is None else areas
    size = SHAPES[shape].width, SHAPES[shape].height
    return card(words_of(notice, areas), ground_of(notice, areas), look_of(notice), size).image


def has_colour(image: Image.Image, colour: Colour) -> bool:
    return any(found == colour for _count, found in image.getcolors(2_000_000) or [])


@dataclass(frozen=True)
class Written:
    """A text on a card: its box in pixels, its colour and those that it was written on."""

    words: str
    box: tuple[float, float, float, float]
    colour: Colour
    ground: dict[Colour, float]
    size: int


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Written]:
    """Fills with what is written from now on."""
    found: list[Written] = []
    text = drawing.Sheet.text

    def record(
        sheet: drawing.Sheet,
        words: str,
        weight: Any,
        size: int,
        place: tuple[float, float],
        colour: Colour,
        anchor: str = "ls",
    ) -> None:
        at = round(place[0]), round(place[1])
        box = sheet.pen.textbbox(at, words, font=font(weight, size), anchor=anchor)
        under = sheet.image.crop(box)
        area = max(1, under.width * under.height)
        seen: list[tuple[int, Any]] = under.getcolors(area) or []
        ground = {one: count / area for count, one in seen}
        found.append(Written(words, box, colour, ground, size))
        text(sheet, words, weight, size, place, colour, anchor)

    monkeypatch.setattr(drawing.Sheet, "text", record)
    return found


@pytest.fixture
def leipzig(db: None, real_data: Path) -> list[PublicArea]:
    folder = real_data / "areas"
    import_file(folder / "leipzig-ortsteile.geojson", tree=folder / "leipzig-stadtbezirke.json")
    return public.areas()


# Files


@pytest.mark.parametrize("shape", SHAPES)
def test_a_card_has_the_size_and_format_that_its_picture_tells(shape: str) -> None:
    card = one(said(), shape)
    image = Image.open(io.BytesIO(card.body))
    told = SHAPES[shape]
    assert image.size == (told.width, told.height) == (card.picture.width, card.picture.height)
    assert Image.MIME[str(image.format)] == told.mime == card.picture.mime
    digest = hashlib.sha256(card.body).hexdigest()
    ending = "png" if told.mime == "image/png" else "jpg"
    assert card.picture == Picture(
        shape,
        told.mime,
        told.width,
        told.height,
        digest,
        card.picture.alt,
        f"{CITY.address}/cards/{digest[:32]}.{ending}",
    )


def test_the_same_notice_gives_the_same_bytes() -> None:
    first, second = (drawn(said(), SHAPES, AREAS) for _time in range(2))
    assert [card.body for card in first] == [card.body for card in second]
    assert first == second
    assert one(headed("Other")).body != one(said()).body


def test_only_the_shapes_asked_for_are_drawn_in_a_fixed_order() -> None:
    assert drawn(said(), [], AREAS) == []
    assert [card.picture.shape for card in drawn(said(), ["tall", "square", "tall"], AREAS)] == ["square", "tall"]
    with pytest.raises(KeyError):
        drawn(said(), ["round"], AREAS)


def test_a_jpeg_keeps_full_colour_and_holds_nothing_but_the_picture() -> None:
    image = Image.open(io.BytesIO(one(said(), "square").body))
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not Image.open(io.BytesIO(one(said()).body)).info


@pytest.mark.parametrize(
    "words", [said(), said(status=Status.EXERCISE), headed(LONG)], ids=["real", "exercise", "long"]
)
def test_no_card_outweighs_200_kilobytes(words: Notice) -> None:
    assert all(len(card.body) <= 200_000 for card in drawn(words, SHAPES, AREAS))


def test_a_card_that_is_too_heavy_is_compressed_more(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(one(said(), "square").body)
    monkeypatch.setattr(cards, "MOST_BYTES", whole - 1)
    assert len(one(said(), "square").body) < whole
    monkeypatch.setattr(cards, "MOST_BYTES", 1)
    assert one(said(), "square").body


# Level and colour


@pytest.mark.parametrize(
    ("severity", "name"),
    [
        ("Extreme", "extreme"),
        ("Severe", "severe"),
        ("Moderate", "moderate"),
        ("Minor", "minor"),
        ("Unknown", "severe"),
    ],
)
@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
def test_the_band_has_the_colour_of_its_level(severity: str, name: str, shape: str) -> None:
    assert picture(said(severity=severity), shape).getpixel((6, 6)) == LOOKS[name].fill


@pytest.mark.parametrize("ended", [all_clear(), false_alarm()], ids=["all-clear", "false alarm"])
def test_what_is_over_is_green_with_a_tick_and_its_own_word(ended: Notice, written: list[Written]) -> None:
    image = picture(ended)
    assert image.getpixel((6, 6)) == LOOKS["clear"].fill
    assert not has_colour(image, LOOKS["extreme"].fill)
    assert written[0].words == ended.level_word
    assert sign_of(image) == "clear"


def sign_of(image: Image.Image) -> str:
    """Which level's sign stands at the head of a square card."""
    size, left, top = 88, 72, 61
    near = image.crop((left, top, left + size, top + size)).convert("L")
    dark = image.getpixel((6, 6))
    assert isinstance(dark, tuple)
    fill = Image.new("RGB", (1, 1), dark).convert("L").getpixel((0, 0))
    seen = bytes(255 if value != fill else 0 for value in near.tobytes())

    def unlike(name: str) -> int:
        return sum((a > 0) != (b > 0) for a, b in zip(icon(name, size).tobytes(), seen, strict=False))

    return min((name for name in LOOKS), key=unlike)


@pytest.mark.parametrize("severity", ["Extreme", "Severe", "Moderate", "Minor"])
def test_each_level_has_a_shape_and_a_word_beside_its_colour(severity: str, written: list[Written]) -> None:
    warning = said(severity=severity)
    assert sign_of(picture(warning)) == severity.lower()
    assert written[0].words == warning.level_word


def test_an_update_and_a_correction_say_so(written: list[Written]) -> None:
    for kind in (Kind.UPDATE, Kind.CORRECTION, Kind.WARNING):
        picture(said(kind=kind))
    assert {"Update", "Correction"} <= {text.words for text in written}
    assert "Warning" not in {text.words for text in written}


def test_colours_are_those_of_the_pages() -> None:
    css = Path("static/tokens.css").read_text().partition("prefers-color-scheme")[0]
    tokens = dict(re.findall(r"--([a-z0-9-]+):\s*(#[0-9a-f]{6})", css))
    for name, look in LOOKS.items():
        named = [tokens[f"{name}{part}"] for part in ("", "-on", "-soft", "-ink")]
        assert [f"#{bytes(colour).hex()}" for colour in (look.fill, look.on, look.soft, look.ink)] == named
    assert f"#{bytes(BAR).hex()}" == tokens["bar"]
    assert f"#{bytes(MAP_AREA).hex()}" == tokens["map-area"]


def contrast(one: Colour, other: Colour) -> float:
    """As WCAG 2.2 reckons it, from 1 to 21."""

    def light(colour: Colour) -> float:
        parts = [value / 255 for value in colour]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", LOOKS)
def test_every_pair_of_colours_can_be_read(name: str) -> None:
    assert all(contrast(*pair) >= 4.5 for pair in pairs(LOOKS[name]))


# An exercise


@pytest.mark.parametrize("status", [Status.EXERCISE, Status.TEST])
@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
def test_what_is_no_danger_has_a_hatched_frame(status: str, shape: str) -> None:
    image = picture(said(status=status), shape)
    edges = [
        image.crop((0, 8, image.width, 9)),
        image.crop((0, image.height - 9, image.width, image.height - 8)),
        image.crop((8, 0, 9, image.height)),
        image.crop((image.width - 9, 0, image.width - 8, image.height)),
    ]
    for edge in edges:
        near = Counter(
            "white" if min(pixel) > 225 else "violet" if is_near(pixel, LOOKS["exercise"].fill) else "between"
            for pixel in zip(*[iter(edge.tobytes())] * 3, strict=True)
        )
        assert near["white"] > 0.3 * near.total()
        assert near["violet"] > 0.45 * near.total()


def is_near(seen: Any, wanted: Colour) -> bool:
    return all(abs(a - b) <= 30 for a, b in zip(seen, wanted, strict=True))


@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
def test_a_real_warning_has_no_frame(shape: str, written: list[Written]) -> None:
    image = picture(said(), shape)
    assert len(image.crop((0, 0, image.width // 2, 20)).getcolors(9999) or []) <= 2
    assert not has_colour(image, LOOKS["exercise"].fill)
    assert not any("EXERCISE" in text.words or "TEST" in text.words for text in written)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("status", [Status.EXERCISE, Status.TEST])
@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
def test_no_order_stands_on_an_exercise_or_a_test(
    language: str, status: str, shape: str, written: list[Written]
) -> None:
    card = one(said(language, status=status), shape)
    words = " ".join(text.words for text in written)
    for text in (words, card.picture.alt):
        assert not re.search(r"verlassen|leave|helfen|help", text, re.IGNORECASE)
    assert card.picture.alt.startswith(words[:4])


@pytest.mark.parametrize(("status", "word"), [(Status.EXERCISE, "EXERCISE"), (Status.TEST, "TEST")])
@pytest.mark.parametrize("where", ["circle", "no outline"])
def test_an_exercise_says_so_at_its_head_in_its_headline_and_from_edge_to_edge(
    status: str, word: str, where: str, written: list[Written]
) -> None:
    words = words_of(said(status=status, **WHERE[where]), AREAS)
    assert words.level == f"{word} – no danger"
    assert words.headline.startswith(f"{word}: ")
    picture(said(status=status, **WHERE[where]))
    assert sum(text.words == word for text in written) >= 3


def test_an_exercise_that_ends_is_still_an_exercise() -> None:
    ended = said(kind=Kind.ALL_CLEAR, response=("AllClear",), status=Status.EXERCISE)
    assert not has_colour(picture(ended), LOOKS["clear"].fill)
    assert words_of(ended, AREAS).level == "EXERCISE – no danger"


# Words


def test_the_card_says_level_headline_step_place_time_city_and_link(written: list[Written]) -> None:
    picture(said())
    texts = [text.words for text in written]
    assert texts == [
        "Extreme danger",
        "Bomb found at",
        "Dimitroffstraße",
        "Leave the area now.",
        "600 metres around Dimitroffstraße",
        "600 metres",
        *(text for text in texts if text in {"Nordwest", "Nordost"}),
        "As of 13 September 2026, 19:35",
        "Stadt Leipzig",
        "All details:",
        "warnung.leipzig.example/en/alerts/k7f3x",
    ]


def test_words_are_those_of_the_notices_language() -> None:
    words = words_of(said("de"), AREAS)
    assert (words.level, words.where) == ("Extreme Gefahr", "600 Meter um Dimitroffstraße")
    assert words.as_of == "Stand 13. September 2026, 19:35 Uhr"
    assert words.step == f"{ORDER}."


def test_a_language_that_was_not_written_borrows_the_words_and_keeps_its_name() -> None:
    card = one(said("de-simple"))
    assert card.language == "de-simple"
    assert "Extreme Gefahr" in card.picture.alt


def test_a_step_that_the_headline_says_is_not_said_twice() -> None:
    assert words_of(headed("Fire: leave the area now"), AREAS).step == ""
    assert words_of(headed("Fire"), AREAS).step == "Leave the area now."


def test_without_a_time_of_facts_its_line_is_left_out(written: list[Written]) -> None:
    card = one(said(facts_at=None))
    assert not any("As of" in text.words for text in written)
    assert "As of" not in card.picture.alt


def test_the_alt_text_says_what_the_card_says() -> None:
    assert one(said()).picture.alt == (
        "Extreme danger. Bomb found at Dimitroffstraße. Leave the area now. 600 metres around Dimitroffstraße. "
        "As of 13 September 2026, 19:35. Stadt Leipzig."
    )
    assert one(headed("Extreme danger: fire!")).picture.alt.startswith("Extreme danger: fire! Leave")


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=500), st.text(max_size=300), st.lists(st.text(min_size=1, max_size=40), max_size=70))
@example("x" * 500, "y" * 300, ["z" * 40] * 70)
@example("", "", [])
def test_the_alt_text_fits_and_keeps_time_and_city(headline: str, step: str, names: list[str]) -> None:
    districts = tuple(District(str(number), name) for number, name in enumerate(names))
    content: dict[str, Any] = {"circles": (), "place": "", "touched": districts, "districts": districts}
    alt = words_of(said(texts={"en": Text("Event", headline, "", step)}, **content), []).alt
    assert len(alt) <= MOST_ALT
    assert alt.endswith("As of 13 September 2026, 19:35. Stadt Leipzig.")


def test_many_districts_are_counted_and_the_whole_city_is_called_so() -> None:
    many = tuple(District(str(number), f"Ortsteil {number}") for number in range(40))
    words = words_of(said(circles=(), place="", districts=many, touched=many), AREAS)
    assert words.where.startswith("40 districts: Ortsteil 0, Ortsteil 1")
    for whole in ((District("city", "Leipzig"),), tuple(District(code, code) for code in ("nw", "no", "fern"))):
        assert words_of(said(circles=(), place="", districts=whole, touched=whole), AREAS).where == "All of Leipzig"
    part = (District("mitte", "Mitte"),)
    assert words_of(said(circles=(), place="", districts=part, touched=part), AREAS).where == "Mitte"


def test_a_headline_without_a_drawable_letter_gives_way_to_the_place_then_the_city() -> None:
    assert words_of(headed(HEADLINES["right to left"]), AREAS).headline == "Dimitroffstraße"
    assert words_of(headed(HEADLINES["only emoji"], place="שלום"), AREAS).headline == "Stadt Leipzig"
    assert words_of(headed(HEADLINES["right to left"]), AREAS).level == "Extreme danger"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (HEADLINES["emoji and words"], "Brand in Grünau"),
        (HEADLINES["control characters"], "Brand in der Straße"),
        ("Zu\u0308rich", "Zürich"),
        ("e\u0323\u0301\u0301\u0301", "ẹ\u0301"),
        ("Бомба, πυρκαγιά", "Бомба, πυρκαγιά"),
        ("Bombe גבעה", ""),
        ("危険", ""),
        ("… 🔥 –", ""),
        ("\u0301\u0301", ""),
    ],
)
def test_only_what_the_font_has_is_drawn(text: str, seen: str) -> None:
    assert drawable(text) == seen


@given(st.text(max_size=60))
def test_no_text_is_drawn_as_boxes(text: str) -> None:
    box = bytes(font("bold", 24).getmask("\uffff"))
    assert all(bytes(font("bold", 24).getmask(letter)) != box for letter in drawable(text))


# Place


def places(written: list[Written], size: tuple[int, int], margin: int) -> None:
    """Every text lies within the margins, none on another, each readable on what it stands on."""
    for number, text in enumerate(written):
        left, top, right, bottom = text.box
        assert left >= margin, text.words
        assert top >= margin, text.words
        assert right <= size[0] - margin, text.words
        assert bottom <= size[1] - margin, text.words
        for ground, share in text.ground.items():
            if share > 0.08:
                assert contrast(text.colour, ground) >= 4.5, (text.words, ground)
        for other in written[number + 1 :]:
            apart = left >= other.box[2] or other.box[0] >= right or top >= other.box[3] or other.box[1] >= bottom
            assert apart, (text.words, other.words)


@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
@pytest.mark.parametrize("headline", HEADLINES)
def test_no_headline_runs_out_of_its_place(headline: str, shape: str, written: list[Written]) -> None:
    picture(headed(HEADLINES[headline]), shape)
    places(written, (SHAPES[shape].width, SHAPES[shape].height), 14)
    band = [text for text in written if text.size >= 48]
    margin = 48 if shape == "wide" else 72
    assert all(text.box[0] >= margin - 6 and text.box[2] <= SHAPES[shape].width - margin for text in band)


@pytest.mark.parametrize(
    ("shape", "status"),
    [("square", Status.ACTUAL), ("square", Status.EXERCISE), ("wide", Status.EXERCISE), ("tall", Status.ACTUAL)],
)
@pytest.mark.parametrize("where", WHERE)
def test_no_area_breaks_the_layout(where: str, shape: str, status: str, written: list[Written]) -> None:
    picture(said(status=status, **WHERE[where]), shape)
    places(written, (SHAPES[shape].width, SHAPES[shape].height), 14 if status == Status.ACTUAL else 27)


@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
def test_long_steps_places_and_names_stay_within_too(shape: str, written: list[Written]) -> None:
    far = replace(CITY, name="Landeshauptstadt " * 9, address=f"https://{'warnung.' * 12}example")
    crowded = replace(headed(LONG), steps=(LONG,), place=LONG, city=far, url=f"{far.address}/en/alerts/k7f3x/")
    picture(crowded, shape)
    places(written, (SHAPES[shape].width, SHAPES[shape].height), 14)
    assert any(text.words.startswith("warnung.") for text in written)


@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
def test_beside_the_text_the_band_is_plain(shape: str) -> None:
    image = picture(headed(LONG), shape)
    left = image.crop((0, 0, 40, image.height // 3))
    assert [colour for _count, colour in colours(left)] == [LOOKS["extreme"].fill]


def test_the_link_is_never_cut() -> None:
    address = f"https://{'w' * 40}.example"
    link = replace(said(), url=f"{address}/alerts/k7f3x/")
    assert words_of(link, AREAS).link == f"{address[8:]}/alerts/k7f3x"


@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
def test_an_order_stands_there_whole_or_not_at_all(shape: str, written: list[Written]) -> None:
    order = "Benutzen Sie Aufzüge und Rolltreppen in keinem der Gebäude rund um den Augustusplatz, auch später nicht."
    one(replace(headed("Brand"), steps=(order,)), shape)
    assert "nicht." in " ".join(text.words for text in written)
    written.clear()
    card = one(replace(headed(LONG), steps=(order * 4,)), shape)
    assert not any("Benutzen" in text.words for text in written)
    assert "Benutzen" not in card.picture.alt


def test_a_headline_gets_smaller_before_it_is_parted_or_cut() -> None:
    steps = ((88, 2), (64, 3), (48, 4))
    assert fitted("Brand", "bold", steps, 900, 500).size == 88
    shorter = fitted("Kampfmittelbeseitigung Nord", "bold", steps, 600, 500)
    assert (shorter.size, shorter.lines) == (48, ("Kampfmittelbeseitigung", "Nord"))
    assert not shorter.cut
    cut = fitted(LONG, "bold", steps, 600, 500)
    assert cut.cut
    assert cut.lines[-1] == "im Bereich der…"
    assert fitted(LONG, "bold", steps, 700, 500).lines[-1].endswith("…")
    endless = fitted(HEADLINES["one endless word"], "bold", steps, 600, 500)
    assert endless.cut
    assert len(endless.lines) == 4


def test_a_long_compound_is_parted_between_its_words() -> None:
    found = fitted("Trinkwasserverunreinigung", "bold", ((88, 3),), 800, 500)
    assert found.lines == ("Trinkwasser-", "verunreinigung")


@given(st.text(min_size=1, max_size=200), st.integers(120, 900), st.integers(60, 600))
def test_whatever_is_fitted_fits(text: str, wide: int, high: int) -> None:
    found = fitted(drawable(text), "bold", ((88, 2), (64, 3), (48, 6)), wide, high)
    assert found.height <= high
    assert all(width(line, "bold", found.size) <= wide for line in found.lines)


# The map


def map_part(image: Image.Image) -> Image.Image:
    """The lower half of a square card, above its foot."""
    return image.crop((0, 600, 1080, 920))


def test_the_area_is_coloured_on_the_map() -> None:
    for words in (said(), said(**WHERE["polygon"]), said(**WHERE["one district"])):
        image = map_part(picture(words))
        assert any(is_near(colour, area_of(LOOKS["extreme"])) and count > 5000 for count, colour in colours(image))
        assert has_colour(image, LOOKS["extreme"].ink)


def colours(image: Image.Image) -> list[tuple[int, Any]]:
    return image.getcolors(2_000_000) or []


def test_only_the_chosen_district_is_coloured() -> None:
    image = map_part(picture(said(**WHERE["one district"])))
    by_colour = {colour: count for count, colour in colours(image)}
    assert by_colour[area_of(LOOKS["extreme"])] > 10_000
    assert by_colour[MAP_AREA] > 10_000


@pytest.mark.parametrize("areas", [AREAS, []], ids=["districts", "no districts"])
def test_without_an_outline_the_map_is_left_out_and_the_band_takes_its_room(areas: list[PublicArea]) -> None:
    for shape in ("square", "wide", "tall"):
        image = picture(said(circles=(), touched=(District("gone", "Alt-Ort"),)), shape, areas)
        assert not any(colour in {MAP_AREA, MAP_GROUND} and count > 1000 for count, colour in colours(image))
    assert words_of(said(circles=(), touched=(District("gone", "Alt-Ort"),), place=""), areas).where == "Alt-Ort"


def test_a_circle_is_drawn_where_the_city_has_no_districts_yet() -> None:
    assert any(colour == LOOKS["extreme"].ink for _count, colour in colours(map_part(picture(said(), areas=[]))))


LATITUDES, LONGITUDES = st.floats(-88, 88), st.floats(-180, 180)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.builds(Circle, lat=LATITUDES, lon=LONGITUDES, km=st.floats(0.001, MOST_KM)), max_size=2),
    st.lists(st.builds(Polygon, points=st.lists(st.tuples(LATITUDES, LONGITUDES), max_size=5).map(tuple)), max_size=2),
    st.text(max_size=80),
)
@example([Circle(LAT, LON, MOST_KM), Circle(LAT, LON, 0.001)], [], "")
@example([], [Polygon(((0.0, 0.0), (0.0, 2.0), (0.0, 1.0), (1.0, 0.0)))], "")
@example([], [Polygon(((0.0, 0.0), (0.0, 2.0), (0.0, 1.0), (0.0, 0.0)))], "x")
def test_any_area_can_be_drawn(circles: list[Circle], polygons: list[Polygon], place: str) -> None:
    words = replace(said(), circles=tuple(circles), polygons=tuple(polygons), place=place, area=place)
    assert has_colour(picture(words, "wide"), BAR)


def test_real_districts_are_drawn(leipzig: list[PublicArea], written: list[Written]) -> None:
    leaves = [area for area in leipzig if area.code not in {other.parent for other in leipzig}]
    chosen = {
        "one": leaves[5:6],
        "some": leaves[:6],
        "all": leaves,
    }
    for areas in chosen.values():
        written.clear()
        districts = tuple(District(area.code, area.name) for area in areas)
        words = said(circles=(), place="", districts=districts, touched=districts)
        assert has_colour(picture(words, areas=leipzig), LOOKS["extreme"].ink)
        places(written, (1080, 1080), 14)
    assert len(leaves) == 63
    assert any("All of Leipzig" in text.words for text in written)


def test_a_real_circle_names_what_it_touches(leipzig: list[PublicArea], written: list[Written]) -> None:
    touched = tuple(District(area.code, area.name) for area in leipzig if area.name in {"Zentrum", "Zentrum-Süd"})
    assert all(len(card.body) <= 200_000 for card in drawn(said(touched=touched), SHAPES, leipzig))
    names = {text.words for text in written}
    assert {"600 metres", "Zentrum", "Zentrum-Süd", "Zentrum-West"} <= names


def test_words_hold_nothing_that_cannot_be_drawn() -> None:
    for headline in HEADLINES.values():
        words = words_of(headed(headline), AREAS)
        for name in Words.__slots__:
            if name != "alt":
                assert drawable(getattr(words, name)) == getattr(words, name)
