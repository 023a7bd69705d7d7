"""NINA's shape: what its clients read of the city, and what they never read."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pynina
import pynina.nina
import pynina.warning
import pytest
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st

from alerts import public, signature
from alerts.models import Area
from alerts.notice import Rendering
from channels import checks
from channels.city.feeds import Feeds, nina
from channels.city.feeds.nina import warning_id
from tests import story
from tests.channels.publicsite import Public
from tests.channels.publicsite import public as on_a_port
from tests.story import clock, put_out

LEIPZIG = "147130000000"
LANGUAGES = ["de", "de-simple", "en"]
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    key = signature.make_key()
    (folder / signature.KEY_FILE).write_bytes(key)
    made = signature.make_certificate(key, "Stadt Leipzig", dt.datetime(2022, 1, 1, tzinfo=dt.UTC))
    (folder / signature.CERTIFICATE_FILE).write_bytes(made)
    return folder


@pytest.fixture
def site(tmp_path: Path, settings: Any) -> Iterator[Public]:
    with on_a_port(tmp_path / "public") as served:
        settings.ADDRESS = served.address
        yield served


@pytest.fixture
def feeds(site: Public, keys: Path) -> Feeds:
    return feeds_of(site, keys)


def feeds_of(site: Public, keys: Path, ars: str = LEIPZIG) -> Feeds:
    return Feeds(
        "feeds", folder=str(site.folder), address=site.address, languages=LANGUAGES, keys_dir=str(keys), ars=ars
    )


def send(feeds: Feeds, step: story.Step, alert: Any = None) -> Any:
    """Release one message and put it out in its first language, which writes all files."""
    message = put_out(step, alert)
    said = public.message(message.identifier)
    assert said
    slots = {"identifier": said.identifier, "sent": said.sent.isoformat(), "slug": said.slug}
    with clock(message.sent):
        feeds.publish(Rendering("feeds", "de", said.words("feeds", "de"), slots), key="k")
    return message


def told(feeds: Feeds, count: int) -> list[Any]:
    messages: list[Any] = []
    for step in story.STEPS[:count]:
        messages.append(send(feeds, step, messages[0].alert if messages else None))
    return messages


def read(site: Public, path: str) -> Any:
    return json.loads((site.folder / path).read_bytes())


def warnings(site: Public, monkeypatch: pytest.MonkeyPatch, region: str = LEIPZIG) -> list[pynina.Warning]:
    """What pynina makes of the city; its own code, with the city's address in the federal server's place."""
    monkeypatch.setattr(pynina.nina, "ENDPOINT_NINA_BASE", f"{site.address}/nina/dashboard/")
    monkeypatch.setattr(pynina.warning, "ENDPOINT_WARNING_DETAIL", f"{site.address}/nina/warnings/")

    async def asked() -> list[pynina.Warning]:
        client = pynina.Nina()
        client.matcher.labels = {"BBK-ISC-001": "known already, and not fetched"}
        client.addRegion(region)
        await client.update()
        found: list[pynina.Warning] = client.warnings[region]
        return found

    return asyncio.run(asked())


def test_a_ready_made_client_reads_warning_update_and_all_clear(
    site: Public, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = send(feeds, story.STEPS[0])
    [warning] = warnings(site, monkeypatch)
    text = story.WARNING["de"]
    assert (warning.id, warning.headline, warning.severity) == (first.identifier, text.headline, first.severity)
    assert warning.description == "<br/>".join(line for line in text.description.splitlines() if line)
    assert warning.sender == "Stadt Leipzig, Branddirektion"
    assert warning.recommended_actions == [" ".join(text.steps)]
    assert dt.datetime.fromisoformat(warning.sent) == first.sent
    assert dt.datetime.fromisoformat(warning.expires or "") == first.expires
    assert warning.affected_areas[0]
    second = send(feeds, story.STEPS[1], first.alert)
    [warning] = warnings(site, monkeypatch)
    assert (warning.id, warning.headline) == (second.identifier, story.EVACUATION["de"].headline)
    third = send(feeds, story.STEPS[2], first.alert)
    cancel = send(feeds, story.STEPS[3], first.alert)
    assert warnings(site, monkeypatch) == []
    for message in (first, second, third, cancel):
        assert read(site, f"nina/warnings/{message.identifier}.json")["msgType"] == message.msg_type


def test_every_field_has_the_name_and_kind_that_nina_gives_it(site: Public, feeds: Feeds, real_data: Path) -> None:
    [_first, second] = told(feeds, 2)
    theirs = real_data / "nina"
    for path, sample in (
        (f"nina/dashboard/{LEIPZIG}.json", "api31-dashboard-2026.json"),
        ("nina/mapData.json", "api31-mapData-dwd-2026.json"),
        (f"nina/warnings/{second.identifier}.json", "api31-warning-mowas-update-4lang-2026.json"),
        (f"nina/warnings/{second.identifier}.geojson", "mow.DE-HE-KS-SE106-20250313-106-001.geojson"),
    ):
        known = {**kinds(json.loads((theirs / "mow.DE-HE-KS-SE106-20250313-106-001.json").read_bytes()))}
        known |= kinds(json.loads((theirs / "bbk-dwd-unwetter-2022-subset.json").read_bytes())[0])
        known |= kinds(json.loads((theirs / sample).read_bytes()))
        # these are the city's languages, and a description of the whole sample would name its own
        ours = {name: kind for name, kind in kinds(read(site, path)).items() if ".i18nTitle" not in name}
        strangers = {name: kind for name, kind in ours.items() if known.get(name) != kind}
        assert not strangers, path


def kinds(value: Any, name: str = "") -> dict[str, str]:
    """Each field's path and the kind of its value; lists as their first item, coordinates as a list."""
    if isinstance(value, dict):
        return {path: kind for key, inner in value.items() for path, kind in kinds(inner, f"{name}.{key}").items()}
    if isinstance(value, list) and value and not name.endswith("coordinates"):
        return kinds(value[0], name)
    return {name: type(value).__name__}


def test_it_tells_the_kinds_of_warning_apart_and_names_what_came_before(site: Public, feeds: Feeds) -> None:
    [first, second] = told(feeds, 2)
    [entry] = read(site, f"nina/dashboard/{LEIPZIG}.json")
    assert (entry["payload"]["type"], entry["payload"]["data"]["msgType"]) == ("UPDATE", "Update")
    assert set(entry["i18nTitle"]) == {"de", "de-LS", "en"}
    [mapped] = read(site, "nina/mapData.json")
    assert (mapped["id"], mapped["type"]) == (second.identifier, "Update")
    assert dt.datetime.fromisoformat(mapped["expiresDate"]) == second.expires
    detail = read(site, f"nina/warnings/{second.identifier}.json")
    assert detail["references"].split(",")[1] == first.identifier
    assert [info["language"] for info in detail["info"]] == ["de", "de-LS", "en"]
    parameters = {one["valueName"]: one["value"] for one in detail["info"][0]["parameter"]}
    assert parameters["warnVerwaltungsbereiche"] == LEIPZIG
    [shape] = read(site, f"nina/warnings/{second.identifier}.geojson")["features"]
    assert shape["geometry"]["type"] == "Polygon"


def test_an_exercise_leaves_no_trace(site: Public, feeds: Feeds, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = send(feeds, story.as_exercise(story.STEPS[0]))
    with clock(drill.sent):
        feeds.refresh()
    assert warnings(site, monkeypatch) == []
    files = [path for path in (site.folder / "nina").rglob("*") if path.is_file()]
    assert not [path for path in files if drill.identifier in path.name or drill.alert.slug in path.name]
    assert not [path for path in files if path.suffix != ".gz" and drill.alert.slug in path.read_text()]


def test_what_has_expired_goes_by_itself(site: Public, feeds: Feeds, monkeypatch: pytest.MonkeyPatch) -> None:
    message = send(feeds, story.STEPS[0])
    with clock(message.expires + dt.timedelta(seconds=1)):
        feeds.refresh()
    assert warnings(site, monkeypatch) == []
    assert read(site, "nina/mapData.json") == []
    assert read(site, f"nina/warnings/{message.identifier}.json")["identifier"] == message.identifier


def test_markup_in_a_text_is_only_text(site: Public, feeds: Feeds) -> None:
    step = story.STEPS[0]
    hostile = "<script>alert(1)</script> B2 & B87 \"'"
    texts = {language: replace(old, description=f"{hostile}\nZeile 2") for language, old in step.content.texts.items()}
    message = send(feeds, replace(step, content=replace(step.content, texts=texts)))
    [info, *_others] = read(site, f"nina/warnings/{message.identifier}.json")["info"]
    assert "<script" not in info["description"]
    assert info["description"].endswith("<br/>Zeile 2")


def test_a_district_with_a_regional_key_has_a_dashboard_of_its_own(
    site: Public, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.districts()
    touched = Area.objects.get(code=story.TOUCHED[0].code)
    Area.objects.create(code="147130000001", name="Hier", boundary=touched.boundary)
    Area.objects.create(code="147130000002", name="Fern", boundary=touched.boundary)
    Area.objects.filter(pk=touched.pk).update(parent=Area.objects.get(code="147130000001"))
    message = send(feeds, story.STEPS[0])
    assert [one.id for one in warnings(site, monkeypatch, "147130000001")] == [message.identifier]
    assert warnings(site, monkeypatch, "147130000002") == []


def test_without_a_key_nothing_is_written_and_what_stood_goes(site: Public, feeds: Feeds, keys: Path) -> None:
    message = send(feeds, story.STEPS[0])
    send(feeds_of(site, keys, ars=""), story.STEPS[1], message.alert)
    left = {path.name for path in (site.folder / "nina").rglob("*.json")}
    assert left == {f"{message.identifier}.json"}, "a dashboard that nobody mends would go on warning"


def test_a_rebuild_makes_what_is_missing(site: Public, feeds: Feeds, keys: Path) -> None:
    [first, second] = told(feeds_of(site, keys, ars=""), 2)
    with clock(second.sent):
        feeds.rebuild()
    assert {path.name for path in (site.folder / "nina" / "warnings").glob("*.json")} == {
        f"{first.identifier}.json",
        f"{second.identifier}.json",
    }
    assert [entry["id"] for entry in read(site, f"nina/dashboard/{LEIPZIG}.json")] == [second.identifier]


def test_a_site_from_before_gets_its_dashboard_without_a_new_message(site: Public, feeds: Feeds, keys: Path) -> None:
    message = send(feeds_of(site, keys, ars=""), story.STEPS[0])
    with clock(message.sent):
        feeds.refresh()
    assert [entry["id"] for entry in read(site, f"nina/dashboard/{LEIPZIG}.json")] == [message.identifier]


def test_the_digest_changes_only_with_the_warning(site: Public, feeds: Feeds, advance: Callable[[Any], str]) -> None:
    message = send(feeds, story.STEPS[0])
    before = advance(site)
    with clock(message.sent + dt.timedelta(minutes=1)):
        feeds.rebuild()
    assert advance(site) == before
    send(feeds, story.STEPS[1], message.alert)
    assert advance(site) != before


@pytest.fixture
def advance() -> Callable[[Any], str]:
    return lambda site: str(read(site, f"nina/dashboard/{LEIPZIG}.json")[0]["payload"]["hash"])


@given(st.text(min_size=1, max_size=300))
@example("-")
@example("--x")
@example("..")
def test_an_id_is_always_the_name_of_one_file(identifier: str) -> None:
    found = warning_id(identifier)
    assert 0 < len(found) <= 140
    assert not set(found) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
    assert found[0] not in ".-"


def test_ids_that_look_alike_stay_two() -> None:
    assert len({warning_id(one) for one in ("a/b", "a-b", "a b", "../a-b", "a_b", "a.b")}) == 6


@pytest.mark.parametrize(
    ("ars", "ids"), [("", []), (LEIPZIG, []), ("14713", ["channels.E010"]), ("x", ["channels.E010"])]
)
def test_a_wrong_key_speaks_at_start(settings: Any, ars: str, ids: list[str]) -> None:
    settings.ARS = ars
    assert [found.id for found in checks._regional_key()] == ids


def test_times_carry_the_city_s_offset(site: Public, feeds: Feeds) -> None:
    message = send(feeds, story.STEPS[0])
    sent = read(site, f"nina/warnings/{message.identifier}.json")["sent"]
    assert sent == timezone.localtime(message.sent).isoformat(timespec="seconds")
    assert nina.MAP_PATH == "nina/mapData.json"
