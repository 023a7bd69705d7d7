"""A city's districts come in as one or not at all, and what messages refer to is never lost."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import shapely
from django.core.management import CommandError, call_command
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import areas, importing
from alerts.content import Circle, Content
from alerts.demo import OUTLINES, load_demo_areas
from alerts.models import Area, AuditEntry, MessageArea
from tests import story
from tests.city import square

pytestmark = pytest.mark.django_db
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(value: Any, name: str = "districts.geojson") -> Path:
        path = tmp_path / name
        if isinstance(value, bytes):
            path.write_bytes(value)
        else:
            path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return path

    return write


def feature(name: Any, geometry: Any = None, **properties: Any) -> dict[str, Any]:
    shape = geometry if geometry is not None else square(51.3, 12.3 + len(str(name)) / 10)
    return {"type": "Feature", "properties": {"name": name, **properties}, "geometry": shape}


def collection(*features: Any, **members: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **members}


def polygon(*points: tuple[float, float]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[list(point) for point in points]]}


A, B, C = feature("A", square(51.3, 12.3)), feature("Be", square(51.3, 12.32)), feature("Cee", square(51.32, 12.3))


def in_use() -> dict[str, str]:
    """Key to the parent's key of what is in use."""
    return {row.code: row.parent.code if row.parent else "" for row in Area.objects.filter(active=True)}


# What comes in


def test_the_63_real_districts_come_in_with_their_ten_parts(real_data: Path, capsys: Any) -> None:
    folder = real_data / "areas"
    call_command("import_areas", folder / "leipzig-ortsteile.geojson", tree=folder / "leipzig-stadtbezirke.json")
    assert capsys.readouterr().out.startswith("74 areas are new")
    tree = in_use()
    assert len(tree) == 74
    assert [code for code, parent in tree.items() if not parent] == ["Leipzig"]
    assert len([code for code, parent in tree.items() if parent == "Leipzig"]) == 10
    assert tree["Zentrum-Süd"] == "Mitte"
    assert [row.code for row in Area.objects.all()][:3] == ["Leipzig", "Mitte", "Zentrum"]


def test_the_outlines_of_a_real_city_are_small(real_data: Path) -> None:
    importing.import_file(real_data / "areas" / "leipzig-ortsteile.geojson")
    rows = Area.objects.exclude(parent=None)
    assert sum(len(json.dumps(row.outline)) for row in rows) < 200_000
    for row in rows:
        exact, simple = shapely.geometry.shape(row.boundary), shapely.geometry.shape(row.outline)
        assert simple.is_valid
        assert exact.symmetric_difference(simple).area < 0.06 * exact.area


def test_without_a_tree_the_city_has_the_districts_as_its_parts(write: Write) -> None:
    call_command("import_areas", write(collection(A, B)), city="Markkleeberg")
    assert in_use() == {"Markkleeberg": "", "A": "Markkleeberg", "Be": "Markkleeberg"}


def test_name_key_and_parent_come_from_any_properties(write: Write) -> None:
    features = [
        {"type": "Feature", "properties": {"OT": name, "nr": number, "SBZ": part}, "geometry": A["geometry"]}
        for name, number, part in (("Eins", 1, "Nord"), ("Zwei", 2, "Nord"), ("Drei", 3, "Süd"))
    ]
    call_command("import_areas", write(collection(*features)), name="OT", code="nr", parent="SBZ", city="Stadt")
    assert in_use() == {"Stadt": "", "Nord": "Stadt", "1": "Nord", "2": "Nord", "Süd": "Stadt", "3": "Süd"}
    assert Area.objects.get(code="3").name == "Drei"


def test_a_tree_of_any_depth_finds_districts_by_key_number_or_name(write: Write) -> None:
    tree = {
        "name": "Stadt",
        "code": "S",
        "teile": [
            {"bezirk": "Nord", "children": [{"name": "irgendwie", "nr": "A"}, "Be"]},
            {"name": "Süd", "code": "sued", "children": [{"name": "Innen", "parts": [{"name": "x", "code": "Cee"}]}]},
        ],
    }
    call_command("import_areas", write(collection(A, B, C)), tree=write(tree, "tree.json"))
    assert in_use() == {"S": "", "Nord": "S", "A": "Nord", "Be": "Nord", "sued": "S", "Innen": "sued", "Cee": "Innen"}


def test_parents_have_the_union_of_their_districts_as_boundary(write: Write) -> None:
    call_command("import_areas", write(collection(A, B)), city="Stadt")
    boundary = shapely.geometry.shape(Area.objects.get(code="Stadt").boundary)
    assert boundary.bounds == pytest.approx((12.29, 51.29, 12.33, 51.31))
    assert boundary.geom_type == "Polygon"


def test_collections_of_geometries_give_their_polygons(write: Write) -> None:
    nested = {
        "type": "GeometryCollection",
        "geometries": [
            {"type": "Point", "coordinates": [12.3, 51.3]},
            {"type": "GeometryCollection", "geometries": [square(51.3, 12.3), square(51.4, 12.3)]},
            {"type": "MultiPolygon", "coordinates": [square(51.5, 12.3)["coordinates"]]},
        ],
    }
    call_command("import_areas", write(collection(feature("A", nested))))
    assert len(Area.objects.get(code="A").boundary["coordinates"]) == 3


def test_heights_beside_the_coordinates_are_left_out(write: Write) -> None:
    flat = polygon((12.3, 51.3), (12.4, 51.3), (12.4, 51.4), (12.3, 51.3))
    high = copy.deepcopy(flat)
    high["coordinates"][0] = [[*point, 113.0] for point in high["coordinates"][0]]
    call_command("import_areas", write(collection(feature("A", high))))
    assert shapely.geometry.shape(Area.objects.get(code="A").boundary).equals(shapely.geometry.shape(flat))


def test_neighbouring_outlines_still_meet(write: Write) -> None:
    zigzag = [(12.4 + 0.00005 * (i % 2), 51.3 + 0.0001 * i) for i in range(1000)]
    west = polygon((12.3, 51.3), *zigzag, (12.3, zigzag[-1][1]), (12.3, 51.3))
    east = polygon((12.5, 51.3), (12.5, zigzag[-1][1]), *reversed(zigzag), (12.5, 51.3))
    call_command("import_areas", write(collection(feature("West", west), feature("East", east))))
    outlines = [shapely.geometry.shape(Area.objects.get(code=code).outline) for code in ("West", "East")]
    assert shapely.coverage_is_valid(outlines)
    assert shapely.get_num_coordinates(outlines).sum() < 2 * len(zigzag)


def test_a_self_crossing_district_is_mended_and_told(write: Write, capsys: Any) -> None:
    crossing = polygon((12.3, 51.3), (12.4, 51.4), (12.4, 51.3), (12.3, 51.4), (12.3, 51.3))
    call_command("import_areas", write(collection(feature("Schleife", crossing), B)))
    assert "“Schleife” crosses itself" in capsys.readouterr().err
    assert shapely.geometry.shape(Area.objects.get(code="Schleife").boundary).is_valid


def test_two_levels_in_one_file_are_told(write: Write, capsys: Any) -> None:
    whole = feature("Ganz", square(51.31, 12.31, 0.05))
    call_command("import_areas", write(collection(A, whole)))
    assert "lie upon each other" in capsys.readouterr().err


def test_the_record_tells_of_the_import(write: Write) -> None:
    call_command("import_areas", write(collection(A, B)))
    assert AuditEntry.objects.get(action="areas-imported").data == {"new": 3, "changed": 0, "same": 0, "retired": 0}


# Again


def test_importing_again_changes_nothing(write: Write, capsys: Any) -> None:
    path = write(collection(A, B))
    call_command("import_areas", path)
    before = list(Area.objects.order_by("pk").values())
    capsys.readouterr()
    call_command("import_areas", path)
    assert capsys.readouterr().out.startswith("0 areas are new, 0 changed, 3 unchanged, 0 no longer")
    assert list(Area.objects.order_by("pk").values()) == before


def test_importing_again_updates_by_key_and_keeps_the_rows(write: Write) -> None:
    call_command("import_areas", write(collection(feature("Alt", A["geometry"], id="7"))), code="id")
    row = Area.objects.get(code="7")
    call_command("import_areas", write(collection(feature("Neu", B["geometry"], id="7"))), code="id")
    again = Area.objects.get(code="7")
    assert (again.pk, again.name) == (row.pk, "Neu")
    assert areas.touched(Content(circles=(Circle(51.3, 12.32, 0.1),)))[0].code == "7"


def test_a_vanished_district_stays_for_the_messages_that_name_it(write: Write) -> None:
    message = story.put_out(story.STEPS[0])
    named = set(message.areas.values_list("area_id", flat=True))
    call_command("import_areas", write(collection(A, B)))
    assert set(MessageArea.objects.filter(message=message).values_list("area_id", flat=True)) == named
    assert not Area.objects.filter(pk__in=named, active=True).exists()
    assert set(in_use()) == {"Leipzig", "A", "Be"}


def test_a_district_that_comes_back_is_the_same_row(write: Write) -> None:
    call_command("import_areas", write(collection(A, B)))
    row = Area.objects.get(code="A")
    call_command("import_areas", write(collection(B)))
    assert "A" not in in_use()
    call_command("import_areas", write(collection(A, B)))
    assert Area.objects.get(code="A", active=True).pk == row.pk


def test_a_district_may_become_the_parent_of_its_former_parent(write: Write) -> None:
    call_command("import_areas", write(collection(A)), city="Stadt")
    call_command("import_areas", write(collection(feature("Stadt"))), city="A")
    assert in_use() == {"A": "", "Stadt": "A"}


def test_the_demo_gives_way_to_the_real_city_and_its_parts_stay_the_same_rows(real_data: Path) -> None:
    load_demo_areas()
    middle = Area.objects.get(code="Mitte")
    folder = real_data / "areas"
    importing.import_file(folder / "leipzig-ortsteile.geojson", tree=folder / "leipzig-stadtbezirke.json")
    assert Area.objects.get(code="Mitte").pk == middle.pk
    assert len(in_use()) == 74


# What is refused


def broken(change: Callable[[Any], Any]) -> Any:
    value = copy.deepcopy(collection(A, B))
    return change(value) or value


UTM = polygon((315_000.0, 5_690_000.0), (316_000.0, 5_690_000.0), (316_000.0, 5_691_000.0), (315_000.0, 5_690_000.0))
OPEN = polygon((12.3, 51.3), (12.4, 51.3), (12.4, 51.4), (12.3, 51.4))
FLAT = polygon((12.3, 51.3), (12.4, 51.3), (12.5, 51.3), (12.3, 51.3))
SHORT = polygon((12.3, 51.3), (12.4, 51.3), (12.3, 51.3))
SWAPPED = polygon((51.3, 12.3), (51.3, 12.4), (51.4, 12.4), (51.3, 12.3))
FAR = polygon((12.3, 121.3), (12.4, 121.3), (12.4, 121.4), (12.3, 121.3))

REFUSED: list[tuple[Any, str]] = [
    ("", "no valid JSON"),
    ('{"type": "FeatureCollection", "features": [', "no valid JSON"),
    (json.dumps(collection(A)).replace("51.29", "NaN"), "no valid JSON"),
    (b"\xff\xfe\x00 not UTF-8", "no text in UTF-8"),
    ("[" * 100_000, "nested too deeply"),
    ([], "no GeoJSON FeatureCollection"),
    ({"type": "Polygon", "coordinates": []}, "no GeoJSON FeatureCollection"),
    ({"type": "FeatureCollection", "features": {}}, "no GeoJSON FeatureCollection"),
    ({"type": "Topology", "objects": {}}, "TopoJSON"),
    (collection(), "holds no district"),
    (collection(A, "B"), "District 2 is no GeoJSON Feature"),
    (collection({"type": "Feature", "properties": [], "geometry": None}), "no GeoJSON Feature"),
    (collection({"type": "Feature", "properties": {"title": "A"}, "geometry": A["geometry"]}), "but: title"),
    (collection(A, B, A), "“A” occurs twice \\(districts 1 and 3\\)"),
    (collection(A, feature("  ", B["geometry"])), "District 2: the property “name” is empty"),
    (collection(feature(None, A["geometry"])), "is empty"),
    (collection(feature("A\u202eB", A["geometry"])), "unreadable"),
    (collection(feature("A\x00B", A["geometry"])), "unreadable"),
    (collection(feature("A" * 121, A["geometry"])), "longer than 120"),
    (collection(feature("A" * 81, A["geometry"])), "longer than 80"),
    (collection(feature("A", {"type": "Point", "coordinates": [12.3, 51.3]})), "only points or lines"),
    (collection(feature("A", {"type": "GeometryCollection", "geometries": []})), "only points or lines"),
    (collection({"type": "Feature", "properties": {"name": "A"}, "geometry": None}), "no boundary that can be read"),
    (collection(feature("A", {"type": "Polygon"})), "no coordinates"),
    (collection(feature("A", {"type": "Polygon", "coordinates": []})), "no coordinates"),
    (collection(feature("A", {"type": "Polygon", "coordinates": [[["a", "b"]] * 4]})), "no coordinate"),
    (collection(feature("A", {"type": "Polygon", "coordinates": [[12.3, 51.3, 12.4, 51.4]]})), "no coordinate"),
    (collection(feature("A", {"type": "Polygon", "coordinates": [[[12.3]] * 4]})), "no coordinate"),
    (collection(feature("A", OPEN)), "A ring of “A” is not closed"),
    (collection(feature("A", SHORT)), "fewer than four points"),
    (collection(feature("A", FLAT)), "encloses nothing"),
    (collection(feature("A", UTM)), "Convert the file to WGS 84"),
    (collection(feature("A", SWAPPED)), "Latitude and longitude are swapped"),
    (collection(feature("A", FAR)), "Latitude and longitude are swapped"),
    (collection(A, crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::25833"}}), "EPSG::25833"),
]


@pytest.mark.parametrize(("value", "words"), REFUSED)
def test_a_wrong_file_is_refused_in_one_sentence_and_changes_nothing(
    write: Write, districts: None, value: Any, words: str
) -> None:
    before = list(Area.objects.values())
    with pytest.raises(CommandError, match=words) as refused:
        call_command("import_areas", write(value))
    assert refused.value.returncode == 1
    assert str(refused.value).count("\n") == 0
    assert list(Area.objects.values()) == before


TREES: list[tuple[Any, str]] = [
    ("{", "no valid JSON"),
    (["A", "Be"], "must be one JSON object"),
    ({"name": "Stadt"}, "no list of parts"),
    ({"teile": ["A", "Be"]}, "a part needs a name"),
    ({"name": "Stadt", "teile": ["A", "Be"], "more": ["x"]}, "at most one list"),
    ({"name": "Stadt", "teile": ["A", 7]}, "here stands 7"),
    ({"name": "Stadt", "teile": ["A", "Be", "D"]}, "names “D”, but the file has no such district"),
    ({"name": "Stadt", "teile": ["A", "Be", "A"]}, "names “A” twice"),
    ({"name": "Stadt", "teile": ["A"]}, "does not say where these districts belong: Be"),
    ({"name": "Stadt", "teile": [{"name": "A", "parts": ["A", "Be"]}]}, "“A” stands for two areas"),
    ({"name": "S" * 81, "teile": ["A", "Be"]}, "longer than 80"),
]


@pytest.mark.parametrize(("tree", "words"), TREES)
def test_a_wrong_tree_is_refused_and_changes_nothing(write: Write, districts: None, tree: Any, words: str) -> None:
    before = list(Area.objects.values())
    with pytest.raises(CommandError, match=words):
        call_command("import_areas", write(collection(A, B)), tree=write(tree, "tree.json"))
    assert list(Area.objects.values()) == before


def test_a_missing_file_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.json can't be read"):
        call_command("import_areas", tmp_path / "nowhere.json")
    with pytest.raises(CommandError, match="can't be read"):
        call_command("import_areas", tmp_path)


def test_tree_and_parent_together_are_refused(write: Write) -> None:
    with pytest.raises(CommandError, match="not both"):
        call_command("import_areas", write(collection(A)), tree=write({}, "tree.json"), parent="x")


def test_an_unknown_property_is_told_with_those_there_are(write: Write) -> None:
    with pytest.raises(CommandError, match=r"no property “key”, but: name, nr\. Choose one with --code"):
        call_command("import_areas", write(collection(feature("A", nr=1))), code="key")


def test_swapped_coordinates_are_told_by_the_districts_there_are(write: Write, settings: Any) -> None:
    settings.TIME_ZONE = "America/Montevideo"
    call_command("import_areas", write(collection(feature("A", square(-34.9, -56.2)))))
    with pytest.raises(CommandError, match="swapped"):
        call_command("import_areas", write(collection(feature("A", square(-56.2, -34.9)))))


def test_a_byte_order_mark_is_no_fault(write: Write) -> None:
    call_command("import_areas", write(b"\xef\xbb\xbf" + json.dumps(collection(A)).encode()))
    assert "A" in in_use()


def test_an_interrupted_import_changes_nothing(write: Write, districts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def until_stopped(steps: Sequence[Any], words: str) -> Iterable[Any]:
        for number, step in enumerate(steps):
            if words == "Storing areas" and number == 2:
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(
        "alerts.management.commands.import_areas.Command._progress",
        lambda _self, steps, words: until_stopped(steps, words),
    )
    before = list(Area.objects.values())
    with pytest.raises(CommandError, match="Nothing has changed") as stopped:
        call_command("import_areas", write(collection(A, B)))
    assert stopped.value.returncode == 130
    assert list(Area.objects.values()) == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NODES = ["features", ("features", 0), ("features", 0, "geometry"), ("features", 0, "geometry", "coordinates")]
NODES += [("features", 0, "geometry", "coordinates", 0), ("features", 0, "geometry", "coordinates", 0, 1), ("crs",)]
NODES += [("features", 0, "properties"), ("features", 0, "properties", "name"), ("features", 0, "geometry", "type")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.sampled_from(NODES), value=json_values)
def test_nonsense_anywhere_is_refused_in_words_or_comes_in_whole(write: Write, place: Any, value: Any) -> None:
    whole = copy.deepcopy(collection(A, B))
    *way, last = place if isinstance(place, tuple) else (place,)
    spot: Any = whole
    for step in way:
        spot = spot[step]
    spot[last] = value
    before = Area.objects.count()
    try:
        result = importing.import_file(write(whole))
    except importing.BadFile as error:
        assert str(error)  # noqa: PT017 - what is refused has words, what is not is looked at below
        assert Area.objects.count() == before
    else:
        assert result.new + result.changed + result.same == len(in_use())


# The demo city


def test_the_demo_city_has_ten_parts_that_meet_without_gaps() -> None:
    load_demo_areas()
    rows = Area.objects.filter(parent__code="Leipzig")
    assert {row.name for row in rows} == {
        "Mitte", "Nordost", "Ost", "Südost", "Süd", "Südwest", "West", "Alt-West", "Nordwest", "Nord",
    }  # fmt: skip
    shapes = [shapely.geometry.shape(row.boundary) for row in rows]
    assert shapely.coverage_is_valid(shapes)
    assert shapely.union_all(shapes).geom_type == "Polygon"
    assert not shapely.union_all(shapes).interiors
    assert all(8 <= len(shape.exterior.coords) - 1 <= 20 for shape in shapes)


def test_the_demo_city_has_dimitroffstrasse_in_its_middle() -> None:
    load_demo_areas()
    found = areas.touched(Content(circles=(Circle(51.3348, 12.3727, 0.6),)))
    assert [district.name for district in found] == ["Mitte"]


def test_the_demo_can_be_loaded_again() -> None:
    load_demo_areas()
    before = list(Area.objects.order_by("pk").values())
    load_demo_areas()
    assert list(Area.objects.order_by("pk").values()) == before


def test_the_demo_outlines_say_what_they_are() -> None:
    assert "not for real warnings" in json.loads(OUTLINES.read_text(encoding="utf-8"))["note"]
