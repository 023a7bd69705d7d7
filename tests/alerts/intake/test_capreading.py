"""Foreign CAP documents become contents, or are refused in plain words; nothing hostile gets past."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import areas, cap
from alerts.content import Circle, District, Polygon, from_json, to_json
from alerts.intake import capreading, capshapes, geocodes
from alerts.intake.capreading import BadCap, Document
from alerts.signature import make_certificate, make_key, sign
from tests import city
from tests.alerts.capcases import SENT, alerts, minimal, told

LANGUAGES = ["de", "de-simple", "en"]


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def read(body: bytes, trusted: tuple[bytes, ...] = ()) -> Document:
    return capreading.read(body, languages=LANGUAGES, trusted=trusted)


def refused(body: bytes) -> str:
    with pytest.raises(BadCap) as caught:
        read(body)
    assert caught.value.faults
    assert all(fault.strip() for fault in caught.value.faults)
    return " ".join(caught.value.faults)


def xml(**changes: object) -> bytes:
    return cap.write(minimal(**changes))


def block(language: str, **changes: object) -> cap.CapInfo:
    return dataclasses.replace(minimal().info[0], language=language, **changes)


# Real documents


def test_every_real_document_is_taken(real_data: Path) -> None:
    files = sorted((real_data / "cap" / "samples").glob("*.xml"))
    assert len(files) > 15
    for file in files:
        document = read(file.read_bytes())
        assert document.identifier
        assert from_json(to_json(document.content)) == document.content, file.name


def test_every_bad_document_is_refused_in_plain_words(real_data: Path) -> None:
    files = sorted((real_data / "cap" / "invalid").iterdir())
    assert len(files) >= 15
    for file in files:
        assert refused(file.read_bytes())


def test_a_warning_of_the_weather_service_is_read_in_our_languages(real_data: Path) -> None:
    document = read((real_data / "cap" / "samples" / "de-dwd-update-multilang.xml").read_bytes())
    content = document.content
    assert document.msg_type == "Update"
    assert [reference[0] for reference in document.references] == ["opendata@dwd.de"]
    assert list(content.texts) == ["de", "en"]
    assert content.texts["de"].headline == "Amtliche WARNUNG vor STARKREGEN"
    assert (content.urgency, content.severity, content.certainty) == ("Immediate", "Moderate", "Likely")
    assert content.response == ("Prepare",)
    assert content.expires == dt.datetime.fromisoformat("2023-06-23T15:00:00+02:00")
    assert content.polygons[0].points[0] == (52.625569, 12.172358)
    assert {district.code for district in content.districts} == {"812069270", "812063189", "812069018"}
    assert any("“ru”" in words for words in document.left_out)


def test_what_belfry_writes_comes_back_as_it_was() -> None:
    first = told()[0]
    document = read(cap.write(first))
    assert (document.identifier, document.sender, document.sent) == (first.identifier, first.sender, first.sent)
    german = next(info for info in first.info if info.language == "de")
    text = document.content.texts["de"]
    assert (text.event, text.headline) == (german.event, german.headline)
    assert text.instruction == german.instruction
    assert set(document.content.texts) == {"de", "de-simple", "en"}
    assert document.content.circles == german.area[0].circle


# Mapping


@pytest.mark.parametrize(
    ("given_tag", "ours"),
    [("DE", "de"), ("de-DE", "de"), ("de-LS", "de-simple"), ("de-simple", "de-simple"), ("en_GB", "en"), ("fr", "")],
)
def test_a_language_is_known_by_its_tag(given_tag: str, ours: str) -> None:
    assert capreading.language_of(given_tag, LANGUAGES) == ours


def test_a_second_block_in_one_language_is_named_and_the_worse_one_counts() -> None:
    mild = block("de", severity="Minor", headline="Wenig")
    bad = block("de-DE", severity="Extreme", headline="Viel")
    document = read(xml(info=(mild, bad)))
    assert document.content.texts["de"].headline == "Viel"
    assert document.content.severity == "Extreme"
    assert any("Wenig" in words for words in document.left_out)


def test_a_block_without_language_counts_as_english_and_is_named() -> None:
    document = read(xml(language="", headline="Leave"))
    assert document.content.texts["en"].headline == "Leave"
    assert any("names no language" in words for words in document.left_out)


def test_steps_stand_one_a_line_and_indents_go() -> None:
    document = read(xml(instruction="  Gehen Sie.\n\n   Helfen Sie. ", description="Eins\n\n\n\n  zwei"))
    assert document.content.texts["de"].steps == ("Gehen Sie.", "Helfen Sie.")
    assert document.content.texts["de"].description == "Eins\n\nzwei"


def test_a_text_without_end_is_cut_and_named() -> None:
    document = read(xml(description="lang " * 10_000))
    assert len(document.content.texts["de"].description) == capreading.LONGEST["description"]
    assert any("“description” is cut" in words for words in document.left_out)


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    document = read(xml(web="javascript:alert(1)"))
    assert document.content.web == ""
    assert "“web” is left out." in document.left_out


def test_a_block_of_another_language_alone_brings_place_and_codes_but_no_text() -> None:
    document = read(xml(language="fr", headline="Alerte"))
    assert document.content.texts == {}
    assert document.headline == "Alerte"
    assert document.content.circles


@pytest.mark.parametrize(("field", "value"), [("status", "System"), ("status", "Draft"), ("msg_type", "Ack")])
def test_what_is_no_warning_for_people_is_refused(field: str, value: str) -> None:
    more = {"references": (cap.Reference("a", "b", "2022-01-01T00:00:00+01:00"),)} if field == "msg_type" else {}
    assert "no warning for people" in refused(xml(**{field: value}, **more))


# Places


def test_outlines_too_fine_for_a_draft_are_drawn_more_simply_and_hold_all_of_it() -> None:
    circle = shapely.Point(12.37, 51.33).buffer(0.1, quad_segs=700)
    ring = tuple((round(lat, 6), round(lon, 6)) for lon, lat in circle.exterior.coords)
    area = cap.CapArea(area_desc="rund", polygon=(Polygon(ring),))
    document = read(xml(area=(area,)))
    drawn = document.content.polygons
    assert sum(len(polygon.points) for polygon in drawn) <= areas.MOST_POINTS < len(ring)
    covers = shapely.union_all([shapely.Polygon([(lon, lat) for lat, lon in polygon.points]) for polygon in drawn])
    assert covers.covers(shapely.Polygon([(lon, lat) for lat, lon in ring]))
    assert any("more simply" in words for words in document.left_out)


def test_areas_woven_into_one_another_are_refused_and_not_computed() -> None:
    strips = [(number / 1000, 0, 0.0005, 1) for number in range(240)] + [
        (0, number / 1000, 1, 0.0005) for number in range(240)
    ]
    woven = tuple(
        Polygon(
            ((51 + a, 12 + b), (51 + a + c, 12 + b), (51 + a + c, 12 + b + d), (51 + a, 12 + b + d), (51 + a, 12 + b))
        )
        for a, b, c, d in strips
    )
    assert "too often" in refused(xml(area=(cap.CapArea(area_desc="x", polygon=woven),)))


def test_the_bounds_are_those_of_a_draft() -> None:
    assert (capshapes.MOST_SHAPES, capshapes.MOST_POINTS) == (areas.MOST_SHAPES, areas.MOST_POINTS)


def test_a_point_without_radius_is_left_out_and_named() -> None:
    area = cap.CapArea(area_desc="Punkt", circle=(Circle(51.3, 12.3, 0),))
    document = read(xml(area=(area,)))
    assert document.content.circles == ()
    assert any("1 circle is left out" in words for words in document.left_out)


def test_a_key_beside_a_drawn_area_does_not_make_it_the_whole_city() -> None:
    area = cap.CapArea(
        area_desc="Zentrum", circle=(Circle(51.3, 12.3, 1.0),), geocode=(cap.Named("SHN", "147130000000"),)
    )
    document = read(xml(area=(area,)))
    assert document.content.districts == ()
    assert any("147130000000" in words for words in document.left_out)


@pytest.mark.parametrize(
    ("key", "whole"),
    [
        ("147130000000", True),
        ("14713000", True),
        ("114713000", True),
        ("814713000", True),
        ("147000000000", True),
        ("140000000000", True),
        ("14000000", True),
        ("147290000000", False),
        ("14729000", False),
        ("114729000", False),
        ("150000000000", False),
        ("914713000", False),
        ("1471300", False),
        ("Leipzig", False),
    ],
)
def test_an_official_key_is_the_city_or_holds_it(key: str, whole: bool) -> None:
    assert geocodes.covers(key, "147130000000") is whole


@pytest.mark.django_db
def test_geocodes_become_districts_and_strange_ones_are_named(districts: None) -> None:
    content = city.content(
        circles=(), districts=(District("nw", "x"), District("14713000", "Leipzig"), District("14729000", "Borna"))
    )
    settled, words = geocodes.settled(content)
    assert settled.districts == (District("nw", "Nordwest"), District("city", "Leipzig"))
    assert len(words) == 1
    assert "Borna" in words[0]


# Signatures


@pytest.fixture(scope="module")
def keys() -> tuple[bytes, bytes]:
    key = make_key()
    return key, make_certificate(key, "Leitstelle", dt.datetime.now(dt.UTC))


def test_a_signature_is_good_only_by_a_certificate_that_is_trusted(keys: tuple[bytes, bytes]) -> None:
    signed = sign(xml(), *keys)
    assert read(xml()).signature == ""
    assert read(signed).signature == "unknown"
    assert read(signed, (keys[1],)).signature == "good"


def test_a_document_changed_after_signing_is_bad(keys: tuple[bytes, bytes]) -> None:
    signed = sign(xml(), *keys).replace(b"Bombenfund", b"Bombenwurf")
    assert read(signed).signature == "bad"
    assert read(signed, (keys[1],)).signature == "bad"


# Hostile documents

DOCUMENT = xml().decode()
BODY = re.sub(r"<\?xml[^>]*\?>", "", DOCUMENT)


@pytest.mark.parametrize(
    ("doctype", "event"),
    [
        ('<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/hostname">]>', "&x;"),
        ('<!DOCTYPE alert SYSTEM "http://192.0.2.1/x.dtd">', "Brand"),
        ('<!DOCTYPE alert [<!ENTITY % p SYSTEM "http://192.0.2.1/x"> %p;]>', "Brand"),
        (
            '<!DOCTYPE alert [<!ENTITY a "ha">'
            + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12))
            + "]>",
            "&m;",
        ),
        ("<!DOCTYPE alert [<!ATTLIST alert x CDATA 'y'>]>", "Brand"),
    ],
)
def test_a_document_type_is_refused_whatever_it_does(doctype: str, event: str) -> None:
    assert refused((doctype + BODY.replace("Bombenfund", event)).encode())


def test_a_processing_instruction_is_refused_and_a_style_sheet_is_not_followed() -> None:
    assert "processing instruction" in refused(("<?php echo 1?>" + BODY).encode())
    assert "processing instruction" in refused(BODY.replace("<info>", "<?x y?><info>").encode())
    style = '<?xml-stylesheet type="text/xsl" href="http://192.0.2.1/x.xsl"?>'
    assert read((style + BODY).encode()).identifier == "test.1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"\x00" * 40,
        b"{}",
        b"<alert",
        b"Vollbrand",
        b"<?xml version='1.0' encoding='utf-7'?>" + BODY.encode(),
        b"<?xml version='1.0' encoding='no-such'?>" + BODY.encode(),
        BODY.encode("utf-32"),
        BODY.replace("Bombenfund", "Bombe&#0;").encode(),
        BODY.replace("Bombenfund", "Größe").encode("latin-1"),
        ("<a>" * 300 + "</a>" * 300).encode(),
        BODY.replace("<info>", "<info>" + "<x>" * 300 + "</x>" * 300).encode(),
        b"<!--" + b"x" * 1_000_001 + b"-->",
    ],
)
def test_what_is_no_document_is_refused(body: bytes) -> None:
    refused(body)


def test_encodings_are_read_as_declared() -> None:
    body = BODY.replace("Bombenfund", "Größe")
    for encoding in ("utf-8", "utf-16", "iso-8859-1"):
        written = f'<?xml version="1.0" encoding="{encoding}"?>{body}'.encode(encoding)
        assert read(written).content.texts["de"].event == "Größe"


def test_too_many_blocks_areas_and_points_are_refused() -> None:
    assert "info blocks" in refused(xml(info=(block("fr"),) * (capreading.MAX_INFOS + 1)))
    polygon = "51,12 " + "51.1,12.1 " * (capreading.MAX_POINTS + 1) + "51,12"
    crowded = BODY.replace("<circle>", f"<polygon>{polygon}</polygon><circle>", 1)
    assert "points" in refused(crowded.encode())
    many = "<area><areaDesc>x</areaDesc></area>" * (capreading.MAX_AREAS + 1)
    assert refused(BODY.replace("</info>", many + "</info>").encode())


def test_markup_in_a_text_is_text() -> None:
    document = read(xml(headline="<script>alert(1)</script>"))
    assert document.content.texts["de"].headline == "<script>alert(1)</script>"


# Whatever comes

calm = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def never_anything_else(body: bytes) -> None:
    document, faults = None, []
    try:
        document = read(body)
    except BadCap as error:
        faults = error.faults
    assert document or faults
    if document:
        assert from_json(to_json(document.content)) == document.content


@calm
@given(alerts)
def test_any_values_are_read_or_refused(values: cap.CapAlert) -> None:
    try:
        body = cap.write(values)
    except ValueError:
        return
    never_anything_else(body)


@calm
@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    never_anything_else(body)


@calm
@given(st.data())
def test_a_good_document_with_any_damage_is_refused_or_read(data: st.DataObject) -> None:
    body = bytearray(DOCUMENT.encode())
    for _number in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(start + 30, len(body))))
        body[start:end] = data.draw(st.binary(max_size=12) | st.just(bytes(body[end : end + 20])))
    never_anything_else(bytes(body))


def test_the_time_that_sent_names_is_the_time_of_the_facts() -> None:
    assert read(xml()).content.facts_at == SENT
