"""What is written as CAP reads back equal, is valid beyond the schema, and nothing hostile is let in."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from alerts import cap
from alerts.cap.rules import faults
from alerts.cap.schema import MAX_BYTES, MAX_ELEMENTS, MAX_POINTS
from alerts.content import Circle, District, Polygon
from tests.alerts import capcases
from tests.alerts.capcases import SENT, minimal, notices, told
from tests.story import PLACE, SENDER, STEPS, as_exercise

unhurried = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    database=None,
)
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def samples(real_data: Path) -> list[Path]:
    return sorted((real_data / "cap" / "samples").glob("*.xml"))


# Round trip


def test_every_real_alert_reads_back_equal_after_writing(real_data: Path) -> None:
    files = samples(real_data)
    assert len(files) == 21
    for file in files:
        alert = cap.read(file.read_bytes())
        assert cap.read(cap.write(alert)) == alert, file.name


def test_nothing_of_a_real_alert_gets_lost(real_data: Path) -> None:
    """Every text that the file holds stands in what is written again, apart from signatures and empty elements."""

    def words(body: bytes) -> list[tuple[str, str]]:
        root = etree.fromstring(body)
        return [
            (element.tag, element.text.strip())
            for element in root.iter(f"{CAP}*")
            if not len(element) and (element.text or "").strip() and element.tag not in numbers
        ]

    numbers = {CAP + name for name in ("polygon", "circle", "sent", "effective", "onset", "expires")}
    for file in samples(real_data):
        assert words(cap.write(cap.read(file.read_bytes()))) == words(file.read_bytes()), file.name


def test_a_real_alert_is_read_right(real_data: Path) -> None:
    alert = cap.read((real_data / "cap" / "samples" / "us-nws-update-2polygons.xml").read_bytes())
    assert (alert.identifier, alert.msg_type) == ("NWS-IDP-PROD-4412298-3677414", "Update")
    assert alert.references[0] == (
        "w-nws.webmaster@noaa.gov",
        "NWS-IDP-PROD-4410291-3675936",
        "2020-08-25T10:32:00-05:00",
    )
    (info,) = alert.info
    assert info.expires == dt.datetime(2020, 8, 26, 17, 15, tzinfo=dt.UTC)
    assert [len(polygon.points) for area in info.area for polygon in area.polygon] == [4, 69]


@unhurried
@given(capcases.alerts)
def test_any_alert_reads_back_equal(alert: cap.CapAlert) -> None:
    assert cap.read(cap.write(alert)) == alert


@unhurried
@given(capcases.alerts)
def test_checking_never_breaks_on_what_can_be_written(alert: cap.CapAlert) -> None:
    faults(cap.write(alert))


@unhurried
@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: f"<alert>{text}</alert>".encode("utf-8", "replace"))
)
def test_any_bytes_are_refused_in_words(body: bytes) -> None:
    with pytest.raises(cap.NotCap, match=r"\w{3}"):
        cap.read(body)
    assert not faults(body).ok


# Writing


def test_times_have_an_offset_and_no_fractions() -> None:
    berlin = dt.datetime(2022, 9, 13, 11, 20, 5, 999, tzinfo=BERLIN)
    assert cap.cap_time(berlin) == "2022-09-13T11:20:05+02:00"
    assert cap.cap_time(berlin.astimezone(dt.UTC)) == "2022-09-13T09:20:05-00:00"
    assert cap.cap_time(dt.datetime(1880, 1, 1, tzinfo=BERLIN)) == "1879-12-31T23:06:32-00:00"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        cap.cap_time(dt.datetime(2022, 9, 13))


def test_coordinates_have_six_decimals_at_most() -> None:
    area = cap.CapArea(
        area_desc="x",
        circle=(Circle(51.33480000001, -0.0000000001, 0.6),),
        polygon=(Polygon(((1 / 3, 2 / 3), (1e-7, 0), (0, 1), (1 / 3, 2 / 3))),),
    )
    root = etree.fromstring(cap.write(minimal(area=(area,))))
    assert root.findtext(f".//{CAP}circle") == "51.3348,0 0.6"
    assert root.findtext(f".//{CAP}polygon") == "0.333333,0.666667 0,0 0,1 0.333333,0.666667"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_coordinate_that_is_no_number_is_refused(value: float) -> None:
    area = cap.CapArea(area_desc="x", circle=(Circle(value, 0, 1),))
    with pytest.raises(ValueError, match="coordinate"):
        cap.write(minimal(area=(area,)))


@pytest.mark.parametrize("char", ["\0", "\b", "\x1b", "\ud800", "\ufffe"])
def test_a_character_that_xml_cannot_carry_is_refused_by_name(char: str) -> None:
    with pytest.raises(ValueError, match=rf"headline.*U\+{ord(char):04X}"):
        cap.write(minimal(headline=f"Achtung{char}!"))


@pytest.mark.parametrize(
    ("field", "value"), [("status", "Real"), ("msg_type", ""), ("severity", "extreme"), ("language", "de_DE")]
)
def test_what_the_schema_refuses_is_not_written(field: str, value: str) -> None:
    with pytest.raises(ValueError, match="“"):
        cap.write(minimal(**{field: value}))


def test_two_documents_of_the_same_values_are_the_same_bytes() -> None:
    assert cap.write(minimal()) == cap.write(minimal())


# Hostile words

HOSTILE = [
    "<script>alert(1)</script>",
    "]]></description></info></alert><!--",
    "&lt;b&gt; &amp; &#x26; <![CDATA[x]]>",
    "\u202eRETSIL\u202c\u200b\u2066x\u2069",
    "<?xml-stylesheet href='http://evil.example/'?>",
    '" onload="x" \' --> %2e%2e/',
    "zwei\r\nZeilen\rund\teine",
    "ﷺ" * 1000,
    "A" * 100_000,
    "😀\U0010ffff",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(words: str) -> None:
    alert = minimal(event=words, headline=words, description=words, contact=words, note=words)
    body = cap.write(alert)
    assert cap.read(body) == alert
    assert len(etree.fromstring(body).findall(f"{CAP}info")) == 1
    assert faults(body).ok


def test_a_comment_cannot_hide_part_of_a_text() -> None:
    body = cap.write(minimal(event="Bombe")).replace(b"Bombe", b"Bom<!-- x --><?y z?>be")
    assert cap.read(body).info[0].event == "Bombe"


# Hostile documents

XXE = """<?xml version="1.0"?>
<!DOCTYPE alert [<!ENTITY secret SYSTEM "{address}"><!ENTITY % more SYSTEM "{address}"> %more;]>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>&secret;</identifier></alert>"""


def refused(body: bytes) -> str:
    """The code of the refusal, by reading and by checking alike."""
    with pytest.raises(cap.NotCap) as raised:
        cap.read(body)
    report = faults(body)
    assert report.errors[0] == raised.value.fault
    return raised.value.fault.code


def test_a_local_file_is_not_read_through_an_entity(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret words")
    body = XXE.format(address=secret.as_uri()).encode()
    assert refused(body) == "doctype"
    with pytest.raises(cap.NotCap) as raised:
        cap.read(body)
    assert "top secret" not in str(raised.value)


def test_no_address_is_fetched_through_an_entity() -> None:
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            code = refused(XXE.format(address=f"http://127.0.0.1:{server.server_port}/x").encode())
        finally:
            server.shutdown()
            thread.join()
    assert code == "doctype"
    assert asked == []


@pytest.mark.parametrize("place", ["<identifier>&i;</identifier>", '<identifier a="&i;"/>'])
def test_a_billion_laughs_are_refused(place: str) -> None:
    lines = ['<!ENTITY a "ha">'] + [
        f'<!ENTITY {name} "{f"&{before};" * 20}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    body = f'<!DOCTYPE alert [{"".join(lines)}]><alert xmlns="{CAP[1:-1]}">{place}</alert>'
    assert refused(body.encode()) == "doctype"


def test_a_document_type_in_another_encoding_is_refused() -> None:
    body = f'<!DOCTYPE alert [<!ENTITY a "b">]><alert xmlns="{CAP[1:-1]}"/>'
    assert refused(body.encode("utf-16")) == "doctype"


def test_a_document_type_inside_a_text_is_only_text() -> None:
    alert = minimal(description="<!DOCTYPE html>")
    assert cap.read(cap.write(alert)) == alert


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not-xml"),
        (b"MZ\x90\x00", "not-xml"),
        (b"<alert>", "not-xml"),
        (b'<?xml version="1.0" encoding="klingon"?><alert/>', "not-xml"),
        (b"<a>" * 400, "not-xml"),
        (b"<feed/>", "not-cap"),
        (b"<alert/>", "namespace"),
        (b'<alert xmlns="http://www.incident.com/cap/1.0"/>', "cap-version"),
    ],
)
def test_what_is_no_cap_is_refused_for_its_reason(body: bytes, code: str) -> None:
    assert refused(body) == code


def test_a_document_that_is_too_large_is_refused() -> None:
    assert refused(cap.write(minimal()) + b" " * MAX_BYTES) == "too-large"


def test_a_polygon_of_too_many_points_is_refused() -> None:
    points = " ".join("1,1" for _ in range(MAX_POINTS + 1))
    body = cap.write(minimal()).replace(b"<circle>", f"<polygon>{points}</polygon><circle>".encode())
    assert refused(body) == "too-many-points"


def test_a_document_of_too_many_elements_is_refused() -> None:
    body = cap.write(minimal()).replace(b"</alert>", b"<info/>" * MAX_ELEMENTS + b"</alert>")
    assert refused(body) == "too-many-elements"


def test_what_a_refusal_repeats_cannot_steer_the_terminal() -> None:
    body = cap.write(minimal()).replace(b">Immediate<", ">\x9b31m\u202eimmediate<".encode())
    with pytest.raises(cap.NotCap) as raised:
        cap.read(body)
    assert "immediate" in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"51.3348,12.3727 0.6", b"51.3348 12.3727 0.6", "circle"),
        (b"51.3348,12.3727 0.6", b"51.3348,12.3727 -1", "circle"),
        (b"51.3348,12.3727 0.6", b"51.3348,12.3727", "circle"),
        (b"51.3348,12.3727 0.6", b"nan,12.3727 1", "coordinates"),
        (b"51.3348,12.3727 0.6", b"51.3348,412 1", "coordinates"),
        (b"51.3348,12.3727 0.6", b"112.3727,51.3348 0.6", "coordinates-swapped"),
        (b"11:20:00+02:00", b"24:00:00+02:00", "time"),
        (b"11:20:00+02:00", b"11:20:00Z", "schema"),
        (b"11:20:00+02:00", b"11:20:00.5+02:00", "schema"),
    ],
)
def test_a_malformed_value_is_refused_where_it_stands(old: bytes, new: bytes, code: str) -> None:
    body = cap.write(minimal())
    assert old in body
    with pytest.raises(cap.NotCap) as raised:
        cap.read(body.replace(old, new, 1))
    assert raised.value.fault.code == code
    assert raised.value.fault.line > 0


# The story


def test_what_is_said_has_neither_errors_nor_warnings() -> None:
    for document in told():
        body = cap.write(document)
        report = faults(body)
        assert (report.errors, report.warnings) == ((), ())
        assert cap.read(body) == document


def test_the_story_is_alert_update_update_cancel_and_refers_to_what_still_holds() -> None:
    documents = told()
    assert [document.msg_type for document in documents] == ["Alert", "Update", "Update", "Cancel"]
    named = [[reference.identifier[-1] for reference in document.references] for document in documents]
    # The first warning ended at 02:00 and the all-clear came at 02:10.
    assert named == [[], ["1"], ["1", "2"], ["2", "3"]]
    for document in documents:
        for reference in document.references:
            (before,) = [other for other in documents if other.identifier == reference.identifier]
            assert reference.sent == cap.cap_time(before.sent)


def test_an_evacuation_says_all_it_must_in_each_language() -> None:
    document = told()[1]
    assert [info.language for info in document.info] == ["de", "de-simple", "en"]
    assert (document.scope, document.status, document.note) == ("Public", "Actual", "")
    english = document.info[2]
    step = STEPS[1]
    assert (english.urgency, english.severity, english.certainty) == ("Immediate", "Extreme", "Observed")
    assert (english.category, english.response_type) == (("Safety",), ("Evacuate",))
    assert (english.event, english.headline) == ("Bomb found", "Bomb in Dimitroffstraße: leave the area now")
    assert english.instruction.splitlines() == list(step.content.texts["en"].steps)
    assert (english.sender_name, english.contact) == ("Stadt Leipzig", "Bürgertelefon 115")
    assert english.web == "https://warnung.leipzig.example/en/alerts/k7f3x/"
    assert english.expires == step.content.expires
    assert english.parameter == (
        cap.Named("belfry:factsAt", "2022-09-13T11:50:00-00:00"),
        cap.Named("belfry:nextBy", "2022-09-13T21:30:00-00:00"),
        cap.Named("sender_langname", "Stadt Leipzig, Branddirektion"),
    )
    (area,) = english.area
    assert PLACE in area.area_desc
    assert area.circle == (Circle(51.3348, 12.3727, 0.6),)
    assert area.polygon == ()


def test_a_link_of_the_officers_goes_before_the_page() -> None:
    step = replace(STEPS[0], content=replace(STEPS[0].content, web="https://www.leipzig.example/bombe"))
    assert told([step])[0].info[0].web == "https://www.leipzig.example/bombe"


def test_times_are_written_in_the_zone_of_sent() -> None:
    step = STEPS[0]
    body = cap.write(cap.compose(notices(step), identifier="a", sender="b", sent=step.sent.astimezone(BERLIN)))
    times = re.findall(rb"T\d\d:\d\d:\d\d([+-]\d\d:\d\d)", body)
    assert len(times) > 5
    assert set(times) == {b"+02:00"}


def test_a_language_that_was_not_written_has_no_block() -> None:
    step = STEPS[0]
    only = {"de": step.content.texts["de"]}
    short = replace(step, content=replace(step.content, texts=only))
    (info,) = cap.compose(notices(short, ("en", "de")), identifier="a", sender="b", sent=SENT).info
    assert (info.language, info.web) == ("de", "https://warnung.leipzig.example/alerts/k7f3x/")


def test_a_message_without_a_notice_is_refused() -> None:
    with pytest.raises(ValueError, match="notice"):
        cap.compose([], identifier="a", sender="b", sent=SENT)


def test_an_exercise_names_itself_and_orders_nothing() -> None:
    documents = told([as_exercise(step) for step in STEPS])
    for document in documents:
        body = cap.write(document)
        report = faults(body)
        assert (report.errors, report.warnings) == ((), ())
        assert (document.status, document.note) == ("Exercise", document.info[0].headline)
        for order in ("Verlassen", "Evacuate", "Avoid", "leave the area", "Leave the area", "Tarostraße"):
            assert order not in body.decode()
    assert documents[-1].info[0].response_type == ("AllClear",)


def test_an_exercise_without_a_name_is_called_by_its_headline() -> None:
    step = as_exercise(STEPS[0])
    step = replace(step, content=replace(step.content, note=""))
    document = told([step])[0]
    assert document.note == document.info[0].headline
    assert document.note.startswith(("ÜBUNG", "EXERCISE"))


RING = ((51.33, 12.36), (51.34, 12.36), (51.34, 12.37), (51.33, 12.36))
FAR = ((51.40, 12.30), (51.41, 12.30), (51.41, 12.31), (51.40, 12.30))
RINGS = {"zentrum": [RING], "wahren": [FAR]}


def area_of(chosen: Any = None, **changes: Any) -> cap.CapArea:
    step = replace(STEPS[0], content=replace(STEPS[0].content, **changes))
    document = cap.compose(notices(step), identifier="a", sender="b", sent=SENT, chosen=chosen, rings=RINGS)
    assert faults(cap.write(document)).ok
    return document.info[0].area[0]


def test_districts_chosen_by_name_bring_their_outlines() -> None:
    chosen = (District("wahren", "Wahren"),)
    area = area_of(circles=(), districts=chosen, touched=chosen)
    assert area.polygon == (Polygon(FAR),)
    assert area.area_desc == "Wahren"


def test_districts_that_a_circle_only_touches_are_not_warned_whole() -> None:
    assert area_of(touched=(District("zentrum", "Zentrum"),)).polygon == ()
    assert area_of(chosen=(), touched=(District("zentrum", "Zentrum"),)).polygon == ()


def test_a_district_chosen_beside_a_circle_is_warned_too() -> None:
    touched = (District("zentrum", "Zentrum"), District("wahren", "Wahren"))
    area = area_of(chosen=(District("wahren", "Wahren"),), touched=touched)
    assert area.polygon == (Polygon(FAR),)
    assert len(area.circle) == 1


def test_an_open_outline_is_closed() -> None:
    step = replace(STEPS[0], content=replace(STEPS[0].content, circles=(), districts=(District("a", "A"),), touched=()))
    document = cap.compose(notices(step), identifier="a", sender="b", sent=SENT, rings={"a": [RING[:-1]]})
    assert document.info[0].area[0].polygon == (Polygon(RING),)


def test_german_codes_are_carried_along() -> None:
    document = cap.compose(
        notices(STEPS[0]),
        identifier="a",
        sender="b",
        sent=SENT,
        geocodes=(cap.regional_key("147130000000"),),
        event_codes=(cap.Named("profile:DE-BBK-EVENTCODE", "BBK-EVC-010"),),
    )
    again = cap.read(cap.write(document)).info[0]
    assert again.area[0].geocode == (cap.Named("SHN", "147130000000"),)
    assert again.event_code == (cap.Named("profile:DE-BBK-EVENTCODE", "BBK-EVC-010"),)
    with pytest.raises(ValueError, match="12"):
        cap.regional_key("14713000")


# References


def said(number: int, expires: int) -> tuple[str, str, dt.datetime, dt.datetime]:
    return SENDER, f"m{number}", SENT + dt.timedelta(hours=number), SENT + dt.timedelta(hours=expires)


def named(history: list[tuple[str, str, dt.datetime, dt.datetime]], hour: int) -> list[str]:
    return [reference.identifier for reference in cap.references(history, SENT + dt.timedelta(hours=hour))]


def test_the_first_message_refers_to_nothing() -> None:
    assert cap.references([], SENT) == []


def test_what_has_expired_is_not_referred_to() -> None:
    assert named([said(1, 5), said(2, 4), said(3, 9)], hour=5) == ["m3"]
    assert named([said(1, 5), said(2, 4), said(3, 9)], hour=4) == ["m1", "m3"]


def test_the_latest_is_referred_to_even_after_it_expired() -> None:
    assert named([said(1, 2), said(2, 3)], hour=100) == ["m2"]


def test_references_are_told_oldest_first_however_they_come() -> None:
    assert named([said(3, 9), said(1, 9), said(2, 9)], hour=4) == ["m1", "m2", "m3"]


def test_references_are_plain_texts_for_the_database() -> None:
    assert cap.references([said(1, 5)], SENT) == [(SENDER, "m1", "2022-09-13T12:20:00+02:00")]
