"""Feeds and NINA's lists as they really are, and as nobody should send them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.cap.schema import NAMESPACE
from alerts.intake.sources import atom, capdocs, found, nina, outlines
from alerts.intake.sources.found import Unreadable

URL = "https://feeds.example/all/feed.atom"
LANGUAGES = ("de", "de-simple", "en")
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"><id>x</id>{}</feed>'


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """The words of refusals as the tests know them."""
    with override("en"):
        yield


@pytest.mark.parametrize(
    ("name", "entries", "embedded"),
    [
        ("ca-naads-fat-atom-signed.atom", 1, 1),
        ("ca-pelmorex-2014-bad-encoding.atom", 1, 0),
        ("oasis-example-amber.rss", 1, 0),
        ("us-ny-alert.rss", 2, 0),
        ("us-nws-empty.atom", 0, 0),
        ("us-nws-2014-cap-atom-index.atom", 2, 0),
        ("se-krisinformation-cap-atom.atom", 4, 0),
    ],
)
def test_real_feeds_are_read(real_data: Path, name: str, entries: int, embedded: int) -> None:
    listing = atom.listing((real_data / "feeds" / "samples" / name).read_bytes(), URL)
    assert (len(listing.entries), sum(bool(entry.document) for entry in listing.entries)) == (entries, embedded)
    assert listing.whole
    assert all(entry.key for entry in listing.entries)


def test_of_several_links_the_one_to_cap_counts(real_data: Path) -> None:
    body = (real_data / "feeds" / "samples" / "us-usgs-atom-related-cap-link.atom").read_bytes()
    assert atom.listing(body, URL).entries[0].link.endswith("usb000qfgs.cap")


def test_an_embedded_document_of_a_real_feed_can_be_read(real_data: Path) -> None:
    body = (real_data / "feeds" / "samples" / "ca-naads-fat-atom-signed.atom").read_bytes()
    document = atom.listing(body, URL).entries[0].document
    told = capdocs.found(document, LANGUAGES)
    assert told.identifier.startswith("2.49.0.1.124.")
    assert told.content.polygons or told.content.districts


def test_a_relative_link_counts_from_the_feed() -> None:
    body = ATOM.format('<entry><id>1</id><link href="../docs/1.xml"/></entry>').encode()
    assert atom.listing(body, URL).entries[0].link == "https://feeds.example/docs/1.xml"


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE feed SYSTEM "http://evil.example/a.dtd">',
        '<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_feed_with_entities_is_refused_whole(head: str, encoding: str) -> None:
    body = (head + ATOM.format("<entry><id>&x;</id></entry>")).encode(encoding)
    with pytest.raises(Unreadable):
        atom.listing(body, URL)


def test_an_entity_in_an_embedded_document_is_refused_as_well() -> None:
    inner = f"<!DOCTYPE alert [<!ENTITY x 'y'>]><alert xmlns='{NAMESPACE}'/>".replace("<", "&lt;")
    with pytest.raises(Unreadable):
        atom.listing(
            ATOM.format(f"<entry><id>1</id><content>&lt;alert&gt;{inner}</content></entry>").encode() + b"<", URL
        )
    with pytest.raises(Unreadable):
        capdocs.found(f"<!DOCTYPE alert [<!ENTITY x 'y'>]><alert xmlns='{NAMESPACE}'/>".encode(), LANGUAGES)


@pytest.mark.parametrize("body", [b"", b"<html/>", b"{}", b"\x00\x01", b"<feed", b"<rss>" * 100_000])
def test_what_is_no_feed_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(Unreadable):
        atom.listing(body, URL)


def test_of_a_list_without_end_only_its_beginning_is_read() -> None:
    entry = '<entry><id>{}</id><link href="/a"/></entry>'
    listing = atom.listing(ATOM.format("".join(entry.format(n) for n in range(60_000))).encode(), URL)
    assert (len(listing.entries), listing.whole) == (found.MOST, False)
    long = nina.listing(json.dumps([{"id": f"mow.{n}"} for n in range(100_000)]).encode())
    assert (len(long.entries), long.whole) == (found.MOST, False)


# NINA


def test_real_lists_of_nina_are_read(real_data: Path) -> None:
    for name, count in (("dashboard-2026", 1), ("mapData-mowas-2026", None), ("mapData-dwd-2026", 2)):
        body = (real_data / "nina" / f"api31-{name}.json").read_bytes()
        entries = nina.listing(body).entries
        assert len(entries) == (count if count is not None else len(json.loads(body)))
        assert all(entry.stamp for entry in entries)


def test_a_real_warning_of_nina_becomes_plain_words_in_our_languages(real_data: Path) -> None:
    body = (real_data / "nina" / "api31-warning-mowas-update-4lang-2026.json").read_bytes()
    told = nina.found(body, b"", LANGUAGES, local=False)
    assert (told.identifier, told.msg_type) == ("mow.DE-SL-SLS-W038-20260904-000", "Update")
    assert told.references == ("mow.DE-SL-SLS-W038-20260901-000",)
    assert set(told.content.texts) == {"de", "de-simple", "en"}, "French is none of the city's languages"
    assert "<br/>" not in told.content.texts["de"].description
    assert "\n" in told.content.texts["de"].description
    assert told.sender == "Katastrophenschutzbehörde LK Saarlouis"
    assert [district.code for district in told.content.districts] == ["100440114114"]


def test_a_real_all_clear_with_its_geometry(real_data: Path) -> None:
    stem = real_data / "nina" / "mow.DE-HE-KS-SE106-20250313-106-001"
    body, geometry = (Path(f"{stem}.{kind}").read_bytes() for kind in ("json", "geojson"))
    told = nina.found(body, geometry, LANGUAGES, local=False)
    assert (told.msg_type, told.content.severity) == ("Cancel", "Extreme")
    assert told.content.all_clear
    points = [point for polygon in told.content.polygons for point in polygon.points]
    assert 4 <= len(points) <= outlines.CORNERS
    assert all(49 < lat < 52 and 7 < lon < 11 for lat, lon in points), "latitude first"
    assert told.content.districts == ()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://nina.example/api31/dashboard/147130000000.json", "https://nina.example/api31/warnings/mow.1.json"),
        ("https://nina.example/api31/mowas/mapData.json", "https://nina.example/api31/warnings/mow.1.json"),
        ("https://stadt.example/nina/mapData.json?x=1", "https://stadt.example/nina/warnings/mow.1.json"),
    ],
)
def test_where_a_warning_lies(url: str, address: str) -> None:
    assert nina.address(url, "mow.1") == address


@pytest.mark.parametrize(
    "key",
    ["../../secret", "a/b", "a..b", "%2e%2e%2fx", "a?b", "a#b", "", ".hidden", "a" * 201, "x\n", "ä", "a\\b", "@x"],
)
def test_an_id_with_tricks_is_no_part_of_an_address(key: str) -> None:
    assert nina.listing(json.dumps([{"id": key, "version": 1}]).encode()).entries == ()
    with pytest.raises(Unreadable):
        nina.address("https://nina.example/api31/mowas/mapData.json", key)


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"5", b'"x"', b"[" * 100_000, b"\xff\xfe", b'{"a": 1}'])
def test_what_is_no_json_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(Unreadable):
        nina.listing(body)


def warning(**changes: Any) -> bytes:
    info = {"language": "de", "event": "Brand", "headline": "Brand", "severity": "Severe"} | changes.pop("info", {})
    whole = {
        "identifier": "mow.1", "sender": "x", "sent": "2026-11-25T10:00:00+01:00", "status": "Actual",
        "msgType": "Alert", "info": [info],
    }  # fmt: skip
    return json.dumps(whole | changes).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"sent": "2026-11-25T10:00:00"}, {"sent": "yesterday"}, {"sent": 5}, {"sent": "2026-13-45T99:00:00Z"},
        {"status": "System"}, {"msgType": "Ack"}, {"identifier": ""}, {"info": []}, {"info": [5]}, {"info": "x"},
    ],
)  # fmt: skip
def test_a_warning_without_time_type_or_words_is_none(changes: dict[str, Any]) -> None:
    if "info" in changes:
        whole = json.loads(warning()) | changes
        body = json.dumps(whole).encode()
    else:
        body = warning(**changes)
    with pytest.raises(Unreadable):
        nina.found(body, b"", LANGUAGES, local=False)


def test_html_steering_characters_and_addresses_of_scripts_do_not_come_through() -> None:
    body = warning(
        info={
            "headline": "<b>Brand</b><script>alert(1)</script> &lt;img src=x&gt;\u202e\u0000",
            "web": "javascript:alert(1)",
            "severity": "Worst",
            "category": ["Fire", "Magic", 5],
        }
    )
    told = nina.found(body, b"", LANGUAGES, local=False)
    assert told.headline == "Brandalert(1) <img src=x>", "words of its own; templates escape the rest"
    assert told.content.web == ""
    assert (told.content.severity, told.content.category) == ("Unknown", ("Fire",))


@pytest.mark.parametrize(
    "geometry",
    [
        {}, {"features": 5}, {"features": [None, {}, {"geometry": 5}]},
        {"features": [{"geometry": {"type": "Point", "coordinates": [12, 51]}}]},
        {"features": [{"geometry": {"type": "Polygon", "coordinates": [[[12, 51], [13, 51]]]}}]},
        {"features": [{"geometry": {"type": "Polygon", "coordinates": [[[999, 51], [999, 9], [99, 9], [999, 51]]]}}]},
    ],
)  # fmt: skip
def test_a_geometry_that_is_none_leaves_the_area_open(geometry: Any) -> None:
    assert nina.found(warning(), json.dumps(geometry).encode(), LANGUAGES, local=False).content.polygons == ()


def scribble(corners: int) -> dict[str, Any]:
    """One line that crosses itself wherever it can."""
    ring = [[12 + n % 7 / 10, 51 + (n % 2) / 10 + n / 1e6] for n in range(corners)]
    return {"features": [{"geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}}]}


def test_a_scribble_of_many_corners_costs_no_minutes_and_becomes_its_hull() -> None:
    told = nina.found(warning(), json.dumps(scribble(15_000)).encode(), LANGUAGES, local=False)
    assert len(told.content.polygons) == 1
    assert len(told.content.polygons[0].points) < 20


def test_outlines_that_cross_each_other_a_million_times_cost_no_minutes() -> None:
    comb = [[12, 51], *([12 + n / 1000, 52 if n % 2 else 51.1] for n in range(1000)), [13, 51], [12, 51]]
    turned = [[lat - 39, lon + 39] for lon, lat in comb]
    shapes = [{"geometry": {"type": "Polygon", "coordinates": [ring]}} for ring in (comb, turned)]
    told = nina.found(warning(), json.dumps({"features": shapes}).encode(), LANGUAGES, local=False)
    assert [len(polygon.points) <= 800 for polygon in told.content.polygons] == [True, True]


def test_an_outline_of_far_too_many_corners_is_refused() -> None:
    geometry = scribble(60_000)
    with pytest.raises(Unreadable, match="corners"):
        nina.found(warning(), json.dumps(geometry).encode(), LANGUAGES, local=False)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("identifier", "sender", "sent", "status", "msgType", "references", "info")
INNER = ("language", "event", "headline", "description", "severity", "category", "parameter", "area", "web", "expires")


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), values),
    st.dictionaries(st.sampled_from(INNER), values),
    values,
)
def test_whatever_nina_says_it_is_read_or_refused(outer: Any, inner: Any, geometry: Any) -> None:
    whole = json.loads(warning(info=inner)) | outer
    with suppress(Unreadable):
        nina.found(
            json.dumps(whole).encode(),
            json.dumps({"features": [{"geometry": geometry}]}).encode(),
            LANGUAGES,
            local=True,
        )
        nina.listing(json.dumps([whole, outer]).encode())


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="<>/feedntryaocb=\"'&;! [x", max_size=80).map(str.encode))
def test_whatever_a_feed_says_it_is_read_or_refused(body: bytes) -> None:
    for whole in (body, ATOM.encode().replace(b"{}", body)):
        with suppress(Unreadable):
            atom.listing(whole, URL)
