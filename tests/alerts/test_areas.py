"""Districts are found where an alert holds, to the metre; what is wrong with an area is told in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shapely
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import areas, audit
from alerts.areas import cap_rings, faults_of_area, rings_of, touched, union_rings
from alerts.content import Circle, Content, District, Polygon
from alerts.coordinates import parse_point, parse_radius
from alerts.importing import import_file
from alerts.models import Area
from alerts.notice import area_text
from tests.city import LAT, LON, square

pytestmark = pytest.mark.django_db
with_districts = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

DIMITROFF = Circle(51.3348, 12.3727, 0.6)
SQUARE = ((LAT, LON), (LAT, LON + 0.01), (LAT + 0.01, LON + 0.01), (LAT + 0.01, LON), (LAT, LON))


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def leipzig(real_data: Path) -> None:
    folder = real_data / "areas"
    import_file(folder / "leipzig-ortsteile.geojson", tree=folder / "leipzig-stadtbezirke.json")


def codes(content: Content) -> list[str]:
    return [district.code for district in touched(content)]


def ring(*points: tuple[float, float]) -> Polygon:
    return Polygon((*points, points[0]))


def told(content: Content) -> list[tuple[str, str, bool]]:
    return [(fault.field, fault.code, fault.hard) for fault in faults_of_area(content)]


def geodesic(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres on WGS 84 by Vincenty's inverse formula, an independent measure."""
    a, f = 6378137.0, 1 / 298.257223563
    b = (1 - f) * a
    u1, u2 = (math.atan((1 - f) * math.tan(math.radians(lat))) for lat in (one[0], other[0]))
    difference = lam = math.radians(other[1] - one[1])
    sin_s = cos_s = sigma = cos2_alpha = cos_2m = 0.0
    for _round in range(50):
        sin_s = math.hypot(
            math.cos(u2) * math.sin(lam),
            math.cos(u1) * math.sin(u2) - math.sin(u1) * math.cos(u2) * math.cos(lam),
        )
        cos_s = math.sin(u1) * math.sin(u2) + math.cos(u1) * math.cos(u2) * math.cos(lam)
        sigma = math.atan2(sin_s, cos_s)
        sin_alpha = math.cos(u1) * math.cos(u2) * math.sin(lam) / sin_s
        cos2_alpha = 1 - sin_alpha**2
        cos_2m = cos_s - 2 * math.sin(u1) * math.sin(u2) / cos2_alpha
        c = f / 16 * cos2_alpha * (4 + f * (4 - 3 * cos2_alpha))
        inner = cos_2m + c * cos_s * (-1 + 2 * cos_2m**2)
        lam = difference + (1 - c) * f * sin_alpha * (sigma + c * sin_s * inner)
    u = cos2_alpha * (a**2 - b**2) / b**2
    big_a = 1 + u / 16384 * (4096 + u * (-768 + u * (320 - 175 * u)))
    big_b = u / 1024 * (256 + u * (-128 + u * (74 - 47 * u)))
    inner = cos_s * (-1 + 2 * cos_2m**2) - big_b / 6 * cos_2m * (-3 + 4 * sin_s**2) * (-3 + 4 * cos_2m**2)
    return b * big_a * (sigma - big_b * sin_s * (cos_2m + big_b / 4 * inner))


# What an area touches


def test_the_600_metre_circle_finds_its_four_districts_the_largest_part_first(leipzig: None) -> None:
    assert codes(Content(circles=(DIMITROFF,))) == ["Zentrum-Süd", "Zentrum", "Zentrum-West", "Zentrum-Südost"]


def test_a_few_metres_more_touch_the_next_district(leipzig: None) -> None:
    near = set(codes(Content(circles=(Circle(51.3348, 12.3727, 0.9),))))
    assert near > {"Zentrum-Süd", "Zentrum", "Zentrum-West", "Zentrum-Südost"}


@with_districts
@given(
    north=st.floats(-0.3, 0.3).filter(lambda value: abs(value) > 0.001),
    east=st.floats(-0.4, 0.4).filter(lambda value: abs(value) > 0.001),
)
def test_a_circle_measures_true_metres(db: None, north: float, east: float) -> None:
    Area.objects.get_or_create(code="x", defaults={"name": "X", "boundary": square(LAT, LON, 1e-7)})
    centre = LAT + north, LON + east
    metres = geodesic(centre, (LAT, LON))
    assert codes(Content(circles=(Circle(*centre, metres / 1000 * 1.0005),))) == ["x"]
    assert codes(Content(circles=(Circle(*centre, metres / 1000 * 0.9995),))) == []


@with_districts
@given(lat=st.floats(LAT + 0.0001, LAT + 0.0199), lon=st.floats(LON + 0.0001, LON + 0.0199), size=st.floats(0.001, 0.1))
def test_a_polygon_around_a_place_touches_the_district_of_that_place(
    districts: None, lat: float, lon: float, size: float
) -> None:
    drawn = ring((lat - size, lon - size), (lat - size, lon + size), (lat + size, lon))
    assert "no" in codes(Content(polygons=(drawn,)))


@with_districts
@given(st.floats(0.0001, 0.05), st.floats(0.0001, 0.05))
def test_a_polygon_beyond_the_border_touches_nothing(districts: None, away: float, size: float) -> None:
    south = LAT - 0.02 - away
    drawn = ring((south, LON), (south - size, LON + size), (south - size, LON - size))
    assert codes(Content(polygons=(drawn,))) == []


def test_a_polygon_drawn_along_borders_does_not_touch_the_neighbours(districts: None) -> None:
    drawn = ring((LAT, LON), (LAT + 0.02, LON), (LAT + 0.02, LON - 0.02), (LAT, LON - 0.02))
    assert codes(Content(polygons=(drawn,))) == ["nw"]


def test_several_shapes_count_together_and_each_district_once(districts: None) -> None:
    content = Content(
        circles=(Circle(LAT + 0.01, LON + 0.01, 0.1), Circle(LAT + 0.2, LON, 0.5)),
        polygons=(ring((LAT + 0.005, LON + 0.005), (LAT + 0.005, LON + 0.006), (LAT + 0.006, LON + 0.006)),),
    )
    assert codes(content) == ["fern", "no"]


def test_a_chosen_part_of_the_city_stands_for_its_districts(districts: None) -> None:
    content = Content(districts=(District("mitte", "Mitte"),), circles=(Circle(LAT + 0.2, LON, 0.1),))
    assert sorted(codes(content)[:-1]) == ["no", "nw", "so", "sw"]
    assert codes(content)[-1] == "fern"


def test_a_chosen_part_of_the_city_is_told_by_its_own_name(districts: None) -> None:
    content = Content(districts=(District("mitte", "Mitte"),))
    assert area_text(replace(content, touched=touched(content))) == "Mitte"


def test_a_chosen_district_keeps_the_name_it_was_chosen_by(districts: None) -> None:
    Area.objects.filter(code="nw").update(name="Nordwest (neu)")
    content = Content(districts=(District("nw", "Nordwest"),), circles=(Circle(LAT + 0.01, LON - 0.01, 0.1),))
    assert touched(content) == (District("nw", "Nordwest"),)


def test_a_district_out_of_use_is_not_touched(districts: None) -> None:
    Area.objects.filter(code="nw").update(active=False)
    assert "nw" not in codes(Content(circles=(Circle(LAT, LON, 0.6),)))


number = st.floats() | st.floats(-200, 200)


@with_districts
@given(
    st.lists(st.builds(Circle, lat=number, lon=number, km=number), max_size=4),
    st.lists(
        st.builds(Polygon, points=st.lists(st.tuples(number, number), max_size=8).map(tuple)),
        max_size=4,
    ),
)
def test_no_area_whatever_it_holds_breaks_the_desk(
    districts: None, circles: list[Circle], polygons: list[Polygon]
) -> None:
    content = Content(circles=tuple(circles), polygons=tuple(polygons))
    assert set(codes(content)) <= {"nw", "no", "sw", "so", "fern"}
    assert all(fault.words for fault in faults_of_area(content))


def test_a_changed_boundary_is_seen_at_once(districts: None) -> None:
    content = Content(circles=(Circle(LAT + 0.2, LON, 0.1),))
    assert codes(content) == ["fern"]
    moved = square(LAT + 0.25, LON)
    Area.objects.filter(code="fern").update(boundary=moved, outline=moved)
    assert codes(content) == []


def test_an_import_is_seen_even_where_no_outline_changed(districts: None) -> None:
    content = Content(circles=(Circle(LAT + 0.2, LON, 0.1),))
    assert codes(content) == ["fern"]
    Area.objects.filter(code="fern").update(boundary=square(LAT + 0.25, LON))
    audit.record(None, "areas-imported", areas.SUBJECT)
    assert codes(content) == []


def test_boundaries_are_read_once_and_not_for_every_preview(districts: None, django_assert_num_queries: Any) -> None:
    content = Content(circles=(Circle(LAT, LON, 0.6),))
    touched(content)
    with django_assert_num_queries(2) as asked:
        touched(content)
    assert not any('"parent"' in query["sql"] for query in asked.captured_queries)


# What is wrong with an area


CROSSING = ring((LAT, LON), (LAT + 0.01, LON + 0.01), (LAT + 0.01, LON), (LAT, LON + 0.01))


@pytest.mark.parametrize(
    ("polygon", "code"),
    [
        (CROSSING, "crossing"),
        (Polygon(SQUARE[:-1]), "open"),
        (Polygon(SQUARE[:2] + SQUARE[:1]), "few"),
        (Polygon(()), "few"),
        (ring((LAT, LON), (LAT + 0.01, LON), (LAT + 0.02, LON)), "crossing"),
        (ring((LAT, LON), (91.0, LON), (LAT, LON + 1)), "range"),
        (ring((LAT, LON), (math.nan, LON), (LAT, LON + 1)), "range"),
        (ring((LAT, LON), (LAT, math.inf), (LAT + 1, LON + 1)), "range"),
    ],
)
def test_a_malformed_polygon_is_refused_and_touches_nothing(districts: None, polygon: Polygon, code: str) -> None:
    content = Content(polygons=(polygon,))
    assert told(content) == [("polygons", code, True)]
    assert codes(content) == []


def test_a_crossing_polygon_is_told_with_the_spot(districts: None) -> None:
    assert f"{LAT + 0.005:.4f}, {LON + 0.005:.4f}" in faults_of_area(Content(polygons=(CROSSING,)))[0].words


@pytest.mark.parametrize("km", [0.0, -0.6, 100.1, math.nan, math.inf])
def test_a_radius_that_can_not_be_meant_is_refused(districts: None, km: float) -> None:
    content = Content(circles=(Circle(LAT, LON, km),))
    assert told(content) == [("circles", "radius", True)]
    assert codes(content) == []


def test_a_place_outside_the_city_is_a_warning_only(districts: None) -> None:
    assert told(Content(circles=(Circle(52.5, 13.4, 1),))) == [("circles", "outside", False)]


def test_without_any_districts_nothing_is_called_outside(db: None) -> None:
    assert told(Content(circles=(Circle(52.5, 13.4, 1),))) == []


def test_swapped_latitude_and_longitude_are_refused_by_their_name(districts: None) -> None:
    swapped = Polygon(tuple((lon, lat) for lat, lon in SQUARE))
    content = Content(circles=(Circle(LON, LAT, 0.6),), polygons=(swapped,))
    assert told(content) == [("circles", "swapped", True), ("polygons", "swapped", True)]


def test_each_fault_names_its_shape(districts: None) -> None:
    content = Content(circles=(DIMITROFF, Circle(LAT, LON, 0)))
    assert [fault.words.split(":")[0] for fault in faults_of_area(content)] == ["Circle 2"]


def test_a_million_points_are_refused_before_one_is_read(districts: None) -> None:
    class Million(tuple):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return 1_000_000

        def __iter__(self) -> Iterator[Any]:
            raise AssertionError("read")

    content = Content(polygons=(Polygon(Million()),))
    assert told(content) == [("polygons", "too-many", True)]
    assert codes(content) == []


def test_too_many_shapes_are_refused(districts: None) -> None:
    assert told(Content(circles=(DIMITROFF,) * 51)) == [("circles", "too-many", True)]


def test_an_unknown_district_is_refused_and_a_retired_one_is_a_warning(districts: None) -> None:
    Area.objects.filter(code="nw").update(active=False)
    content = Content(districts=(District("nw", "Nordwest"), District("nowhere", "Nirgends")))
    assert told(content) == [("districts", "retired", False), ("districts", "unknown", True)]


def test_a_sound_area_has_no_faults(districts: None) -> None:
    content = Content(
        districts=(District("fern", "Fern"),), circles=(Circle(LAT, LON, 0.6),), polygons=(Polygon(SQUARE),)
    )
    assert told(content) == []


# The tree


def test_the_tree_is_known_upwards_and_downwards(districts: None) -> None:
    assert areas.ancestors("nw") == ("mitte", "city")
    assert areas.ancestors("city") == areas.ancestors("nowhere") == ()
    assert set(areas.leaves("city")) == {"nw", "no", "sw", "so", "fern"}
    assert areas.leaves("rand") == ("fern",)
    assert areas.leaves("fern") == ("fern",)
    assert areas.leaves("nowhere") == ()


def test_districts_in_a_circle_do_not_hang_the_tree(districts: None) -> None:
    middle, city = Area.objects.get(code="mitte"), Area.objects.get(code="city")
    Area.objects.filter(pk=city.pk).update(parent=middle)
    assert areas.ancestors("nw") == ("mitte", "city")
    assert "nw" in areas.leaves("city")


# Outlines for CAP


def assert_cap_ring(found: areas.Ring) -> None:
    assert found[0] == found[-1]
    assert len(found) >= 4
    assert shapely.Polygon(found).is_valid
    assert all(value == round(value, 6) for point in found for value in point)


def test_every_real_district_has_cap_rings(leipzig: None) -> None:
    every = [area.code for area in Area.objects.all()]
    found = cap_rings(every)
    assert set(found) == set(every)
    for rings in found.values():
        assert sum(map(len, rings)) <= 200
        for points in rings:
            assert_cap_ring(points)
            assert all(51 < lat < 52 and 12 < lon < 13 for lat, lon in points)


def test_a_simplified_district_still_covers_its_own_ground(leipzig: None) -> None:
    rings = cap_rings(["Zentrum-Süd"])["Zentrum-Süd"]
    simple = shapely.union_all([shapely.Polygon([(lon, lat) for lat, lon in points]) for points in rings])
    exact = shapely.geometry.shape(Area.objects.get(code="Zentrum-Süd").boundary)
    assert simple.intersection(exact).area > 0.99 * exact.area
    assert simple.area < 1.01 * exact.area


def test_neighbouring_districts_share_one_ring(districts: None) -> None:
    found = union_rings(["nw", "no", "sw", "so"])
    assert len(found) == 1
    assert_cap_ring(found[0])
    assert len(union_rings(["nw", "fern"])) == 2


def test_unknown_districts_have_no_rings_and_retired_ones_keep_theirs(districts: None) -> None:
    Area.objects.filter(code="nw").update(active=False)
    assert list(cap_rings(["nw", "nowhere"])) == ["nw"]
    assert union_rings([]) == []


@given(st.lists(st.floats(0.001, 0.3), min_size=3, max_size=900))
def test_rings_of_any_shape_are_few_closed_and_sound(radii: list[float]) -> None:
    turn = 2 * math.pi / len(radii)
    star = shapely.Polygon([(12 + r * math.cos(i * turn), 51 + r * math.sin(i * turn)) for i, r in enumerate(radii)])
    found = rings_of(star)
    assert 0 < sum(map(len, found)) <= 200
    for points in found:
        assert_cap_ring(points)


# What officers type


@pytest.mark.parametrize(
    "text",
    [
        "51.3348, 12.3727",
        "51.3348,12.3727",
        "51.3348 12.3727",
        "51,3348 12,3727",
        "51,3348; 12,3727",
        "51,3348, 12,3727",
        "51,3348,12,3727",
        " (51.3348, 12.3727) ",
        "51.3348 N 12.3727 E",
        "51.3348° N, 12.3727° O",
    ],
)
def test_a_place_is_read_as_people_write_it(text: str) -> None:
    assert parse_point(text) == (51.3348, 12.3727)


def test_south_and_west_are_negative() -> None:
    assert parse_point("33.87 S 70.5 W") == (-33.87, -70.5)


@pytest.mark.parametrize(
    "text", ["", "51.3348", "51,33", "Dimitroffstraße", "51.3 12.4 13.5", "x" * 100_000, "1" * 9999]
)
def test_what_is_no_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="like 51"):
        parse_point(text)


def test_a_place_off_the_globe_is_refused() -> None:
    with pytest.raises(ValueError, match="no such place"):
        parse_point("91.5 12.4")


@pytest.mark.parametrize(
    ("text", "km"),
    [
        ("600 m", 0.6),
        ("600m", 0.6),
        ("0,6 km", 0.6),
        ("0.6km", 0.6),
        ("1.500 m", 1.5),
        ("1 500 Meter", 1.5),
        ("1,500 metres", 1.5),
        ("1.500 km", 1.5),
        ("12 Kilometer", 12),
        ("2,5 m", 0.0025),
    ],
)
def test_a_radius_is_read_with_its_unit(text: str, km: float) -> None:
    assert parse_radius(text) == km


@pytest.mark.parametrize("text", ["600", "m", "-600 m", "600 ft", "six m", "1.2.3 km"])
def test_a_radius_without_a_clear_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="with its unit"):
        parse_radius(text)


@pytest.mark.parametrize("text", ["0 m", "0,00000001 km", "101 km", "1.000.000 km"])
def test_a_radius_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most 100"):
        parse_radius(text)


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_every_place_is_read_with_points_and_with_commas(lat: float, lon: float) -> None:
    text = f"{lat:.6f} {lon:.6f}"
    assert parse_point(text) == parse_point(text.replace(".", ",")) == (round(lat, 6), round(lon, 6))


@given(st.text(max_size=200))
def test_no_text_gives_anything_but_a_place_or_a_refusal(text: str) -> None:
    try:
        lat, lon = parse_point(text)
    except ValueError:
        return
    assert -90 <= lat <= 90
    assert -180 <= lon <= 180


@given(st.text(max_size=200))
def test_no_text_gives_anything_but_a_radius_or_a_refusal(text: str) -> None:
    try:
        km = parse_radius(text)
    except ValueError:
        return
    assert 0 < km <= 100
