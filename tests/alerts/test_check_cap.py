"""check_cap tells people what is wrong with a CAP file, and programs by its exit code."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from alerts import cap
from alerts.cap.rules import WARNINGS, faults
from alerts.cap.schema import MAX_BYTES, MAX_FAULTS
from alerts.signature import make_certificate, make_key, sign
from tests.alerts.capcases import minimal


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def check(*args: str) -> tuple[int, str]:
    """Exit code and output."""
    out = io.StringIO()
    code = 0
    try:
        call_command("check_cap", *args, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, out.getvalue()


def codes(body: bytes) -> tuple[list[str], list[str]]:
    report = faults(body)
    return [fault.code for fault in report.errors], [fault.code for fault in report.warnings]


# Real files

# What the README of the data names, file by file; every other sample is in order.
WARNED = {
    "de-mowas-darc-example.xml": {"no-expires"},
    "int-gdacs-1470644.xml": {"no-language", "no-expires"},
    "int-gdacs-cyclone-1001150.xml": {"no-language", "no-expires", "decimals"},
    "mo-smg-monsoon-3lang-update.xml": {"references-self", "no-expires"},
    "oasis-example-amber-2lang.xml": {"no-expires"},
    "oasis-example-thunderstorm.xml": {"no-language"},
    "ph-pagasa-test.xml": {"no-language"},
}

REFUSED = {
    "cap11-minimal.xml": "cap-version",
    "ch-alertswiss-derived-no-sender-test.xml": "schema",
    "ch-alertswiss-derived-no-sender.xml": "schema",
    "gb-cancel-missing-references.xml": "references-missing",
    "gb-cancel-references-comma-not-space.xml": "references-form",
    "no-scope.xml": "schema",
    "polygon-not-closed-lonlat-swapped.xml": "polygon-open",
    "polygon-self-intersecting.xml": "polygon-crossing",
    "polygon-two-points.xml": "polygon-few",
    "us-noaa-cap11-errors.xml": "cap-version",
    "us-nws-cap11.xml": "cap-version",
    "us-usgs-cap11-signed.xml": "cap-version",
    "wrong-namespace-alerts.xml": "namespace",
    "xee-external-entity.xml": "doctype",
    "xsd-valid-int-gdacs-bad-coordinates.xml": "coordinates",
}


def test_every_real_alert_passes_with_the_warnings_that_are_known(real_data: Path) -> None:
    files = sorted((real_data / "cap" / "samples").glob("*.xml"))
    for file in files:
        errors, warnings = codes(file.read_bytes())
        assert errors == [], file.name
        assert sorted(warnings) == sorted(WARNED.get(file.name, set())), file.name
    code, said = check(*map(str, files))
    assert code == 0
    assert said.endswith("21 of 21 files pass (11 warnings).\n")


@pytest.mark.parametrize(("name", "code"), REFUSED.items())
def test_a_bad_file_is_refused_for_the_right_reason(real_data: Path, name: str, code: str) -> None:
    file = real_data / "cap" / "invalid" / name
    assert codes(file.read_bytes())[0] == [code]
    assert check(str(file))[0] == 1


def test_every_bad_file_is_among_those(real_data: Path) -> None:
    assert {file.name for file in (real_data / "cap" / "invalid").iterdir()} == set(REFUSED)


def test_a_wrong_order_is_told_from_a_missing_element(real_data: Path) -> None:
    invalid = real_data / "cap" / "invalid"
    (order,) = faults((invalid / "ch-alertswiss-derived-no-sender.xml").read_bytes()).errors
    assert order.text == "“sender” must stand before “sent”: CAP asks for a fixed order."
    (missing,) = faults((invalid / "no-scope.xml").read_bytes()).errors
    assert (missing.element, missing.line) == ("info", 9)
    assert missing.text == "“scope” is missing before “info”."


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"</scope>", b"</scope><note>a</note><note>b</note>", "“note” must not stand here: it is one too many"),
        (b"</references>", b"</references><note>a</note>", "“info” must stand before “note”"),
        (b"</info>", b"<x:y xmlns:x='urn:x'/></info>", "CAP 1.2 knows no “y”"),
        (b"</info>", b"<web>https://x.example</web></info>", "“web” must not stand here"),
        (b"<urgency>", b"<foo/><urgency>", "CAP 1.2 knows no “foo”"),
        (b"<certainty>Observed</certainty>", b"", "“certainty” is missing before “expires”"),
        (b"<areaDesc>Zentrum</areaDesc>", b"", "“areaDesc” is missing before “circle”"),
        (b"</area>", b"<geocode><valueName>SHN</valueName></geocode></area>", "“geocode” is not complete: “value”"),
        (b"<event>Bombenfund<", b"<event><b>Bombe</b><", "“event” holds other elements"),
        (b"<area>", b"<area lang='de'>", "“area” has an attribute"),
        (b"<area>", b"<area>Zentrum", "“area” has loose text"),
        (b"15:20:00+02:00", b"15:20:00Z", "“expires” is no CAP time. Write it like"),
        (b"<language>de<", b"<language>de_DE<", "“language” says “de_DE”"),
    ],
)
def test_the_schema_speaks_in_plain_words(old: bytes, new: bytes, words: str) -> None:
    assert BODY.count(old) == 1
    assert faults(BODY.replace(old, new)).errors[0].text.startswith(words)


def test_the_place_of_a_crossing_is_told(real_data: Path) -> None:
    body = (real_data / "cap" / "invalid" / "polygon-self-intersecting.xml").read_bytes()
    (fault,) = faults(body).errors
    assert "-0.53793,53.23855" in fault.text
    assert fault.line == 21


# Each rule, by one change to a file that is in order

BODY = cap.write(
    minimal(references=(cap.Reference("a.example", "m1", "2022-09-13T10:00:00+02:00"),), msg_type="Update")
)
CIRCLE = b"<circle>51.3348,12.3727 0.6</circle>"
TRIPLE = b"a.example,m1,2022-09-13T10:00:00+02:00"


def polygon(points: str) -> bytes:
    return f"<polygon>{points}</polygon>".encode()


def test_the_file_before_its_changes_is_in_order() -> None:
    assert codes(BODY) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"<identifier>test.1<", b"<identifier>test 1<", "identifier"),
        (b"<identifier>test.1<", b"<identifier>test,1<", "identifier"),
        (b"<identifier>test.1<", b"<identifier>a&lt;b<", "identifier"),
        (b"<identifier>test.1<", b"<identifier>a&amp;b<", "identifier"),
        (b"<identifier>test.1<", "<identifier>a\N{NO-BREAK SPACE}b<".encode(), "identifier"),
        (b"<identifier>test.1<", b"<identifier><", "identifier"),
        (b"<sender>", b"<sender>Stadt ", "sender"),
        (b"<sender>warnung.leipzig.example<", b"<sender> <", "sender"),
        (TRIPLE, b"", "references-missing"),
        (TRIPLE, b"a.example,m1", "references-form"),
        (TRIPLE, b"a.example;m1;2022-09-13T10:00:00+02:00", "references-form"),
        (TRIPLE, b",m1,2022-09-13T10:00:00+02:00", "references-form"),
        (TRIPLE, b"a.example,m1,2022-09-13T10:00:00Z", "references-form"),
        (TRIPLE, b"a.example,m1,13.9.2022", "references-form"),
        (TRIPLE, TRIPLE + b"," + TRIPLE, "references-form"),
        (TRIPLE, b"a.example,m1,2022-09-13T11:20:01+02:00", "references-future"),
        (b"Actual", b"Exercise", "note-missing"),
        (b">Public<", b">Restricted<", "restriction-missing"),
        (b">Public<", b">Private<", "addresses-missing"),
        (b"15:20:00+02:00", b"11:20:00+02:00", "expires-before-sent"),
        (b"15:20:00+02:00", b"15:20:00+14:00", "expires-before-sent"),
        (b">Bombenfund<", b"> <", "empty"),
        (b">Zentrum<", b"><", "empty"),
        (b"<area>", b"<web>/alerts/k7f3x/</web><area>", "web-relative"),
        (b"<area>", b"<web>www.leipzig.de</web><area>", "web-relative"),
        (
            b"<area>",
            b"<resource><resourceDesc>x</resourceDesc><mimeType/></resource><area>",
            "empty",
        ),
        (
            b"<area>",
            b"<resource><resourceDesc>x</resourceDesc><mimeType>a/b</mimeType><uri>x.png</uri></resource><area>",
            "uri-relative",
        ),
        (CIRCLE, polygon("1,1 1,2 1,1"), "polygon-few"),
        (CIRCLE, polygon(""), "polygon-few"),
        (CIRCLE, polygon("1,1 1,2 1,1 1,2 1,1"), "polygon-few"),
        (CIRCLE, polygon("1,1 1,2 2,2 2,1"), "polygon-open"),
        (CIRCLE, polygon("1,1 2,2 1,2 2,1 1,1"), "polygon-crossing"),
        (CIRCLE, polygon("1,1 2,2 3,3 1,1"), "polygon-crossing"),
        (CIRCLE, polygon("1;1 1;2 2;2 1;1"), "coordinates"),
        (CIRCLE, polygon("1,1,0 1,2,0 2,2,0 1,1,0"), "coordinates"),
        (CIRCLE, polygon("120.1,50 120.2,50 120.2,51 120.1,50"), "coordinates-swapped"),
        (CIRCLE, polygon("200,200 1,2 2,2 200,200"), "coordinates"),
        (CIRCLE, b"<circle>51.3,12.3</circle>", "circle"),
        (CIRCLE, b"<circle>51,3 12,3 0,6</circle>", "circle"),
        (CIRCLE, b"<circle>151.3,12.3 1</circle>", "coordinates-swapped"),
        (b">Immediate<", b">Now<", "schema"),
        (b"<urgency>", b"<foo/><urgency>", "schema"),
        (b"<identifier>", b"<identifier x='1'>", "schema"),
        (b"15:20:00+02:00", b"15:20:00.0+02:00", "schema"),
        (b"<language>de<", b"<language>de_DE<", "schema"),
    ],
)
def test_each_rule_finds_its_fault(old: bytes, new: bytes, code: str) -> None:
    assert BODY.count(old) == 1
    body = BODY.replace(old, new)
    report = faults(body)
    assert [fault.code for fault in report.errors] == [code]
    assert report.errors[0].text


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (TRIPLE, b"warnung.leipzig.example,test.1,2022-09-13T11:20:00+02:00", "references-self"),
        (b"<language>de</language>", b"", "no-language"),
        (b"<expires>2022-09-13T15:20:00+02:00</expires>", b"", "no-expires"),
        (CIRCLE, b"<circle>51.33480001,12.3727 0.6</circle>", "decimals"),
        (CIRCLE, polygon("1,1 1,2 2.0000001,2 1,1"), "decimals"),
    ],
)
def test_what_readers_can_live_with_is_a_warning(tmp_path: Path, old: bytes, new: bytes, code: str) -> None:
    body = BODY.replace(old, new)
    assert body != BODY
    assert codes(body) == ([], [code])
    (tmp_path / "a.xml").write_bytes(body)
    assert check(str(tmp_path / "a.xml"))[0] == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CIRCLE, polygon("-21,-180.005 -21,-179 -20,-179 -21,-180.005")),
        (CIRCLE, polygon("0,0 2,0 2,2 1,1 0,2 1,1 0,0")),
        (CIRCLE, b"<circle>51.3,12.3 0</circle>"),
        (b"<area>", b"<web>HTTPS://leipzig.example</web><area>"),
        (TRIPLE, b"\n " + TRIPLE + b"\n\t" + TRIPLE.replace(b"m1", b"m0") + b" "),
        (b"Public</scope>", b"Restricted</scope><restriction>police</restriction>"),
        (b"Actual</status>", b"System</status>"),
    ],
)
def test_what_is_unusual_but_allowed_passes(old: bytes, new: bytes) -> None:
    body = BODY.replace(old, new)
    assert body != BODY
    assert codes(body) == ([], [])


def test_a_warning_is_given_once_however_often_it_applies() -> None:
    whole = minimal(language="", expires=None)
    report = faults(cap.write(cap.CapAlert(**{**_fields(whole), "info": whole.info * 3})))
    assert [fault.code for fault in report.warnings] == ["no-language", "no-expires"]
    assert report.warnings[0].text.startswith("3 info blocks")


def _fields(alert: cap.CapAlert) -> dict[str, Any]:
    return {name: getattr(alert, name) for name in cap.CapAlert.__dataclass_fields__}


def test_there_are_four_kinds_of_warning() -> None:
    assert {"references-self", "no-language", "no-expires", "decimals"} == WARNINGS


def test_of_thousands_of_faults_of_the_schema_the_first_are_told() -> None:
    body = BODY.replace(b"</alert>", b"<info><web/></info>" * 2_000 + b"</alert>")
    report = faults(body)
    assert len(report.errors) == MAX_FAULTS
    assert [fault.code for fault in report.warnings] == ["no-language", "no-expires"]


def test_all_faults_of_a_file_are_told_in_its_order() -> None:
    body = BODY.replace(b">Immediate<", b">Now<").replace(CIRCLE, polygon("1,1 1,2 2,2 2,1")).replace(TRIPLE, b"x")
    assert codes(body)[0] == ["references-form", "schema", "polygon-open"]


# The command


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.xml"
    path.write_bytes(BODY)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.xml"
    path.write_bytes(BODY.replace(b">Immediate<", b">Now<").replace(b"<language>de</language>", b""))
    return path


def test_one_good_file_is_in_order(good: Path) -> None:
    assert check(str(good)) == (0, f"{good}: in order\n")


def test_a_bad_file_is_explained_line_by_line(bad: Path) -> None:
    code, said = check(str(bad))
    assert code == 1
    assert said.splitlines() == [
        f"{bad}: 1 error, 1 warning",
        "  Error, line 14: “urgency” says “Now”. CAP knows: Immediate, Expected, Future, Past, Unknown.",
        "  Warning, line 10: 1 info block names no language. Readers then take it for US English.",
    ]


def test_several_files_end_in_a_summary(good: Path, bad: Path) -> None:
    code, said = check(str(good), str(bad))
    assert code == 1
    assert said.endswith("1 of 2 files pass (1 error, 1 warning).\n")


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BODY)))
    assert check("-") == (0, "-: in order\n")


def test_the_result_as_json(good: Path, bad: Path) -> None:
    code, said = check("--json", str(good), str(bad))
    assert code == 1
    first, second = json.loads(said)
    assert first == {"file": str(good), "ok": True, "errors": [], "warnings": []}
    assert (second["ok"], second["errors"][0]["code"], second["errors"][0]["line"]) == (False, "schema", 14)
    assert second["warnings"][0]["code"] == "no-language"


def test_a_file_that_is_not_there_stops_no_other(good: Path, tmp_path: Path) -> None:
    code, said = check(str(tmp_path / "no.xml"), str(tmp_path), str(good))
    assert code == 1
    assert said.count("The file can't be read") == 2
    assert f"{good}: in order" in said


def test_an_endless_file_is_not_read_to_its_end() -> None:
    code, said = check("/dev/zero")
    assert code == 1
    assert f"larger than {MAX_BYTES} bytes" in said


def test_a_signature_is_checked_where_a_certificate_is_given(good: Path, tmp_path: Path) -> None:
    key = make_key()
    certificate = tmp_path / "city.pem"
    certificate.write_bytes(make_certificate(key, "Leipzig", dt.datetime.now(dt.UTC)))
    signed = tmp_path / "signed.xml"
    signed.write_bytes(sign(BODY, key, certificate.read_bytes()))
    assert check(str(signed), "--certificate", str(certificate)) == (0, f"{signed}: in order\n")
    code, said = check(str(good), "--certificate", str(certificate))
    assert code == 1
    assert "not signed" in said


def test_a_certificate_that_is_none_is_named(good: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no certificate"):
        check(str(good), "--certificate", str(good))
    with pytest.raises(CommandError, match="can't be read"):
        check(str(good), "--certificate", str(tmp_path / "none.pem"))


def test_officers_read_german(bad: Path) -> None:
    """Every word of the checks has a German one; where the catalogue is missing, this says so."""
    with translation.override("de"):
        _code, said = check(str(bad))
    assert "1 Fehler, 1 Warnung" in said
    assert "Fehler, Zeile 14: In „urgency“ steht „Now“" in said
