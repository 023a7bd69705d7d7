"""Maps show where an alert holds, within their frame, in few bytes and in words as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation
from django.utils.safestring import SafeString
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from alerts import public
from alerts.areas import touched
from alerts.content import Circle, Content, Polygon
from alerts.importing import import_file
from alerts.maplabels import BIG, NOTE, SMALL, lines_of
from alerts.maps import Mark, alert_map, city_map
from alerts.public import PublicArea
from tests.city import LAT, LON, square

SVG = "{http://www.w3.org/2000/svg}"
PLACE = "Dimitroffstraße"
DIMITROFF = Circle(LAT, LON, 0.6)
DRAWN = Polygon(((LAT, LON), (LAT, LON + 0.01), (LAT + 0.01, LON + 0.01), (LAT + 0.01, LON), (LAT, LON)))


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def leipzig(db: None, real_data: Path) -> list[PublicArea]:
    folder = real_data / "areas"
    import_file(folder / "leipzig-ortsteile.geojson", tree=folder / "leipzig-stadtbezirke.json")
    return public.areas()


def area(code: str, parent: str, lat: float, lon: float) -> PublicArea:
    return PublicArea(code, f"{code.title()}-Stadt", parent, square(lat, lon))


AREAS = [
    PublicArea("city", "Leipzig", "", square(LAT, LON, 0.3)),
    PublicArea("mitte", "Mitte", "city", square(LAT, LON, 0.02)),
    area("nw", "mitte", LAT + 0.01, LON - 0.01),
    area("no", "mitte", LAT + 0.01, LON + 0.01),
    area("sw", "mitte", LAT - 0.01, LON - 0.01),
    area("so", "mitte", LAT - 0.01, LON + 0.01),
    area("fern", "city", LAT + 0.08, LON),
]


def draw(
    circles: list[Circle] | None = None,
    polygons: list[Polygon] | None = None,
    hit: set[str] | None = None,
    *,
    place: str = PLACE,
    level: str = "extreme",
    **options: bool,
) -> SafeString:
    return alert_map(
        AREAS, circles or [], polygons or [], hit or set(), place=place, level=level, prefix="m", **options
    )


def parsed(markup: str) -> etree._Element:
    """The SVG as a browser's parser would have it; fails on anything that is not well-formed."""
    return etree.fromstring(markup.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).encode())


def of_class(markup: str, name: str) -> list[etree._Element]:
    return [element for element in parsed(markup).iter() if name in (element.get("class") or "").split()]


def described(markup: str) -> str:
    return str(parsed(markup).findtext(f"{SVG}desc"))


def written(markup: str) -> list[str]:
    return ["".join(text.itertext()) for text in parsed(markup).iter(f"{SVG}text")]


# The map of an alert


def test_the_map_shows_ring_pin_radius_and_place(leipzig: list[PublicArea]) -> None:
    hit = {district.code for district in touched(Content(circles=(DIMITROFF,)))}
    found = alert_map(leipzig, [DIMITROFF], [], hit, place=PLACE, level="extreme", prefix="m")
    ring = of_class(found, "map-ring")[0]
    assert (ring.get("cx"), ring.get("cy"), ring.get("r")) == ("240", "206", "137")
    assert of_class(found, "map-pin")
    assert of_class(found, "map-radius")[0].get("d") == "M240 206h-137"
    assert {"600 m", PLACE, "Zentrum", "Zentrum-Süd", "Zentrum-West", "Zentrum-Südost"} <= set(written(found))


def test_the_picture_is_told_in_words_too(leipzig: list[PublicArea]) -> None:
    hit = {district.code for district in touched(Content(circles=(DIMITROFF,)))}
    words = described(alert_map(leipzig, [DIMITROFF], [], hit, place=PLACE, level="extreme", prefix="m"))
    assert "Dimitroffstraße" in words
    assert "600 metres" in words
    assert all(name in words for name in hit)


def test_real_maps_stay_under_12_kilobytes(leipzig: list[PublicArea]) -> None:
    whole = {row.code for row in leipzig}
    maps = [
        city_map(leipzig, {}, prefix="c"),
        city_map(leipzig, dict.fromkeys(whole, "minor"), prefix="c"),
        alert_map(leipzig, [], [], whole, place="Leipzig", level="minor", prefix="m"),
        alert_map(leipzig, [Circle(LAT, LON, 30)], [], whole, place="Leipzig", level="minor", prefix="m"),
        *(
            alert_map(leipzig, [], [], {row.code}, place=row.name, level="severe", prefix="m")
            for row in leipzig
            if row.parent == "Leipzig"
        ),
    ]
    assert all(len(markup.encode()) < 12_000 for markup in maps)
    assert all(parsed(markup) is not None for markup in maps)


def test_the_maps_need_no_style_script_or_address() -> None:
    for markup in (draw([DIMITROFF], [DRAWN], {"nw"}), city_map(AREAS, {"nw": "extreme"}, prefix="c")):
        assert not re.search(r"style=|<style|<script|href|url\(|http|on\w+=", markup)


def test_paths_have_whole_numbers_and_relative_steps() -> None:
    found = parsed(draw([DIMITROFF], [DRAWN], {"nw"}))
    paths = [path.get("d") for path in found.iter(f"{SVG}path")]
    assert paths
    assert all(re.fullmatch(r"(M-?\d+ -?\d+(l-?[\d -]+z|h-?\d+))+", path) for path in paths)


def test_ids_begin_with_the_prefix_and_name_the_picture() -> None:
    found = parsed(alert_map(AREAS, [DIMITROFF], [], set(), place=PLACE, level="severe", prefix="karte7"))
    ids = [element.get("id") for element in found.iter() if element.get("id")]
    assert ids == ["karte7-t", "karte7-d"]
    assert found.get("aria-labelledby") == "karte7-t karte7-d"
    assert found.get("role") == "img"


def test_only_districts_without_parts_are_drawn() -> None:
    found = draw(hit={"mitte"})
    assert len(of_class(found, "map-hit")) == 4
    assert "Mitte" not in written(found)


def test_chosen_districts_are_coloured_as_a_whole() -> None:
    found = draw(hit={"nw"}, place="")
    assert len(of_class(found, "map-hit")) == 1
    assert not of_class(found, "map-ring")
    assert "It touches these districts: Nw-Stadt." in described(found)


def test_a_touched_district_is_not_coloured_beside_the_circle_that_touches_it() -> None:
    assert not of_class(draw([DIMITROFF], hit={"nw", "no", "sw", "so"}), "map-hit")


def test_a_chosen_district_apart_from_the_circle_is_coloured_and_in_the_frame() -> None:
    found = draw([DIMITROFF], hit={"nw", "no", "sw", "so", "fern"})
    assert len(of_class(found, "map-hit")) == 1
    assert of_class(found, "map-ring")


def test_a_chosen_district_that_the_circle_touches_is_coloured_where_the_page_says_so() -> None:
    found = alert_map(AREAS, [DIMITROFF], [], {"nw", "no"}, place=PLACE, level="severe", prefix="m", chosen={"nw"})
    assert len(of_class(found, "map-hit")) == 1


def test_a_drawn_area_is_a_ring_of_its_own() -> None:
    found = draw(polygons=[DRAWN], hit={"no"})
    assert len(of_class(found, "map-ring")) == 1
    assert "1 area is drawn." in described(found)


def test_several_circles_are_all_drawn() -> None:
    found = draw([DIMITROFF, Circle(LAT + 0.05, LON, 0.3)])
    assert len(of_class(found, "map-ring")) == len(of_class(found, "map-pin")) == 2


def test_a_circle_too_small_to_be_seen_has_a_wide_soft_ring() -> None:
    assert of_class(draw([Circle(LAT, LON, 0.05), Circle(LAT + 0.2, LON, 0.05)]), "map-ring-soft")


def test_an_exercise_bears_the_word_and_its_own_colour() -> None:
    for ended in (False, True):
        found = draw([DIMITROFF], level="exercise", exercise=True, ended=ended)
        assert "EXERCISE" in written(found)
        assert "This is an exercise. There is no danger." in described(found)
        assert "sev-exercise" in str(parsed(found).get("class"))


def test_a_real_alert_never_bears_the_word_exercise() -> None:
    assert "EXERCISE" not in draw([DIMITROFF]).upper()


def test_an_ended_alert_shows_its_area_as_free() -> None:
    found = draw([DIMITROFF], level="clear", ended=True)
    assert str(parsed(found).get("class")).split()[:2] == ["map", "map-clear"]
    assert "free again" in described(found)


def test_without_districts_the_circle_stands_alone() -> None:
    found = alert_map([], [DIMITROFF], [], {"nw"}, place=PLACE, level="severe", prefix="m")
    assert of_class(found, "map-ring")
    assert not of_class(found, "map-area")


def test_without_anything_to_draw_there_is_no_map() -> None:
    assert alert_map([], [], [], {"nw"}, place=PLACE, level="severe", prefix="m") == ""
    assert city_map([], {}, prefix="c") == ""
    assert city_map([PublicArea("a", "A", "", None)], {}, prefix="c") == ""


def test_every_text_is_escaped() -> None:
    evil = '<script>"&'
    areas = [PublicArea(evil, evil, "", square(LAT, LON))]
    maps = [
        alert_map(areas, [DIMITROFF], [], {evil}, place=evil, level=evil, prefix=evil),
        alert_map(areas, [], [], {evil}, place=evil, level=evil, prefix=evil),
        city_map(areas, {evil: evil}, prefix=evil, marks=[Mark(DIMITROFF, evil, evil)]),
    ]
    for markup in maps:
        assert "<script" not in markup
        assert parsed(markup) is not None
        assert "&lt;script&gt;" in markup


def test_words_come_in_the_active_language() -> None:
    with translation.override("de"):
        assert "1,5 km" in written(draw([Circle(LAT, LON, 1.5)]))
    assert "1.5 km" in written(draw([Circle(LAT, LON, 1.5)]))


def test_an_unknown_level_brings_no_class() -> None:
    assert "sev-" not in draw([DIMITROFF], level='x" onload="y')


number = st.floats() | st.floats(-100, 100)


@settings(deadline=None)
@given(
    st.lists(st.builds(Circle, lat=number, lon=number, km=number), max_size=3),
    st.lists(st.builds(Polygon, points=st.lists(st.tuples(number, number), max_size=6).map(tuple)), max_size=3),
    st.text(max_size=130),
)
@example([], [Polygon(((0.0, 0.0), (0.0, 2.0), (0.0, 1.0), (1.0, 0.0)))], "")
@example([], [Polygon(((0.0, 0.0), (0.0, 2.0), (0.0, 1.0), (0.0, 0.0)))], "")
@example([Circle(0.0, 0.0, 1e300), Circle(0.0, 0.0, 5e-324)], [], "")
def test_a_preview_of_any_draft_can_be_drawn(circles: list[Circle], polygons: list[Polygon], place: str) -> None:
    place = "".join(letter for letter in place if letter.isprintable())
    found = draw(circles, polygons, {"nw"}, place=place)
    assert parsed(found) is not None
    assert len(found.encode()) < 12_000


def right_and_left(text: etree._Element) -> tuple[float, float]:
    kinds = str(text.get("class")).split()
    font = SMALL if "map-small" in kinds else NOTE if "map-note" in kinds else BIG
    lines = [text.text or "", *(span.text or "" for span in text)]
    width = max(font.width(line) for line in lines)
    x = float(str(text.get("x")))
    return (x, x + width) if "map-note" in kinds else (x - width / 2, x + width / 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    lat=st.floats(51.24, 51.44),
    lon=st.floats(12.25, 12.54),
    km=st.floats(0.05, 8),
    place=st.text("abcdefghijklmMW- ", min_size=1, max_size=120),
)
@example(lat=51.3348, lon=12.3727, km=0.6, place=PLACE)
def test_no_name_leaves_the_frame_or_lies_on_another(
    leipzig: list[PublicArea], lat: float, lon: float, km: float, place: str
) -> None:
    circle = Circle(lat, lon, km)
    hit = {district.code for district in touched(Content(circles=(circle,)))}
    found = parsed(alert_map(leipzig, [circle], [], hit, place=place, level="severe", prefix="m"))
    boxes = []
    for text in found.iter(f"{SVG}text"):
        left, right = right_and_left(text)
        base = float(str(text.get("y")))
        low = base + 22 * len(text)
        assert left >= 0
        assert right <= 480
        assert base > 14
        assert low < 411
        boxes.append((left, base - 13, right, low))
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart, "".join(found.itertext())


@given(st.text(min_size=1, max_size=130), st.floats(0, 500))
def test_a_long_name_is_cut_to_two_lines_that_fit(text: str, wide: float) -> None:
    lines = lines_of(text, BIG, wide)
    assert len(lines) <= 2
    assert all(BIG.width(line) <= wide for line in lines)


# The map of the city


def test_the_city_without_a_warning_is_calm() -> None:
    found = city_map(AREAS, {}, prefix="c")
    assert not of_class(found, "map-hit")
    assert described(found) == "No district has a warning."
    assert "Leipzig" in str(parsed(found).findtext(f"{SVG}title"))


def test_districts_with_a_warning_have_the_colour_of_their_level() -> None:
    found = city_map(AREAS, {"nw": "extreme", "fern": "minor"}, prefix="c")
    assert [path.get("class") for path in of_class(found, "map-hit")] == ["map-hit sev-minor", "map-hit sev-extreme"]
    assert described(found) == "Districts with a warning: Nw-Stadt, Fern-Stadt."


def test_a_warning_for_a_part_of_the_city_holds_for_its_districts() -> None:
    found = city_map(AREAS, {"nw": "extreme", "mitte": "minor"}, prefix="c")
    assert len(of_class(found, "sev-minor")) == 3
    assert len(of_class(found, "sev-extreme")) == 1


def test_a_warning_everywhere_is_told_in_three_words() -> None:
    assert described(city_map(AREAS, {"city": "severe"}, prefix="c")) == "All districts have a warning."


def test_a_small_circle_is_found_in_the_city_by_its_mark() -> None:
    found = city_map(AREAS, {"nw": "extreme"}, prefix="c", marks=[Mark(DIMITROFF, PLACE, "extreme")])
    assert of_class(found, "map-ring-soft")
    assert of_class(found, "map-lead")
    assert PLACE in written(found)


def test_the_real_city_fills_its_frame(leipzig: list[PublicArea]) -> None:
    found = parsed(city_map(leipzig, {}, prefix="c"))
    assert re.fullmatch(r"0 0 800 8\d\d", str(found.get("viewBox")))


def test_a_city_of_a_thousand_districts_still_fits() -> None:
    many = [
        PublicArea(str(n), f"Teil {n}", "", square(LAT + n // 32 * 0.01, LON + n % 32 * 0.01, 0.005))
        for n in range(1000)
    ]
    found = city_map(many, {"7": "severe"}, prefix="c")
    assert len(of_class(found, "map-hit")) == 1
    assert len(found.encode()) < 40_000
