"""Where an alert holds: outlines for the map, tiles from one host alone, and an area that can't be meant is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import checks
from django.test import Client

from alerts import tiles
from alerts.content import Circle, Polygon
from alerts.desk.maps import outlines, read_back
from alerts.models import Area, Draft
from tests import city
from tests.desk.posting import posted

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
LEIPZIG = "https://tiles.leipzig.example/{z}/{x}/{y}.png"
HOME = "https://warnung.leipzig.example"


@pytest.fixture
def client(page_of: Browser, anna: User) -> Client:
    return page_of(anna)


@pytest.fixture
def draft(anna: User) -> Draft:
    return city.drafted(anna)


def page(draft: Draft) -> str:
    return f"/desk/drafts/{draft.pk}/"


class TestOutlines:
    def test_a_stranger_is_asked_to_log_in(self, desk: None) -> None:
        answer = Client().get(f"/desk/districts/{outlines().stamp}/")
        assert answer.status_code == 302
        assert answer["Location"].startswith("/desk/login/")

    def test_an_officer_gets_each_district_without_parts_once(self, client: Client) -> None:
        rows = {row["code"]: row for row in client.get(f"/desk/districts/{outlines().stamp}/").json()}
        assert set(rows) == {"nw", "no", "sw", "so", "fern"}
        assert (rows["nw"]["name"], rows["nw"]["above"]) == ("Nordwest", ["mitte", "city"])
        [[ring]] = rows["nw"]["rings"]
        assert [round(city.LAT, 5), round(city.LON - 0.02, 5)] in ring, "latitude comes first"
        assert len(ring) == 4, "the closing point is the browser's business"

    def test_they_are_kept_by_the_browser_until_they_change(self, client: Client) -> None:
        before = outlines().stamp
        assert "immutable" in client.get(f"/desk/districts/{before}/")["Cache-Control"]
        assert f"/desk/districts/{before}/" in client.get(f"/desk/drafts/{new(client)}/").content.decode()
        Area.objects.filter(code="nw").update(name="Nordwesten")
        assert outlines().stamp != before
        late = client.get(f"/desk/districts/{before}/")
        assert "no-store" in late["Cache-Control"]
        assert "private" in late["Cache-Control"]
        assert "Nordwesten" in late.content.decode()


def new(client: Client) -> int:
    return int(client.post("/desk/new/", {"status": "Actual"})["Location"].rstrip("/").rpartition("/")[2])


def test_without_a_script_the_page_has_its_own_drawing_and_every_field(client: Client, draft: Draft) -> None:
    body = client.get(page(draft)).content.decode()
    start = body.index('id="area-map"')
    assert body.index('<svg class="map', start) < body.index('class="area-live"', start)
    assert body.count('data-tool="') == body.count('" aria-pressed="') == 3
    assert "<textarea" in body[body.index('name="polygons"') - 60 : body.index('name="polygons"')], "lines are kept"


class TestTiles:
    @pytest.mark.parametrize(
        "url",
        ["", LEIPZIG, "/tiles/{z}/{x}/{y}.png", "http://warnung.leipzig.example:8080/{z}/{x}/{y}", f"{LEIPZIG}?key=1"],
    )
    def test_one_host_over_https_or_the_citys_own_is_right(self, url: str) -> None:
        assert tiles.fault(url, HOME) == ""

    @pytest.mark.parametrize(
        "url",
        [
            "tiles",
            "//tiles.leipzig.example/{z}/{x}/{y}",
            "http://tiles.leipzig.example/{z}/{x}/{y}.png",
            "https://{s}.tiles.example/{z}/{x}/{y}.png",
            "https://tiles.example/{z}/{x}.png",
            "https://tiles.example/{z}/{x}/{y}/{y}.png",
            "https://tiles.example/{z}/{x}/{y}.png; script-src *",
            "https://tiles.example;script-src/{z}/{x}/{y}.png",
            "https://tiles.example,evil.example/{z}/{x}/{y}.png",
            "https://*/{z}/{x}/{y}.png",
            "https:///{z}/{x}/{y}.png",
            "https://warnung.leipzig.example@evil.example/{z}/{x}/{y}.png",
            "https://tiles.example:x/{z}/{x}/{y}.png",
            "javascript:{z}{x}{y}",
            "data:image/png{z}{x}{y}",
            "/\\evil.example/{z}/{x}/{y}",
        ],
    )
    def test_a_forged_one_is_refused_at_start_and_never_gets_into_the_policy(
        self, client: Client, draft: Draft, settings: Any, url: str
    ) -> None:
        settings.TILES = url
        told = [message for message in checks.run_checks() if message.id == "alerts.E014"]
        assert len(told) == 1
        assert "BELFRY_TILES" in told[0].msg
        assert told[0].hint
        answer = client.get(page(draft))
        assert pictures(answer) == "'self' data:"
        assert 'data-tiles=""' in answer.content.decode()

    def test_its_host_stands_in_the_policy_of_the_page_with_the_map_alone(
        self, client: Client, draft: Draft, settings: Any
    ) -> None:
        settings.TILES, settings.TILES_ATTRIBUTION = LEIPZIG, "© Stadt <b>Leipzig</b>"
        answer = client.get(page(draft))
        assert pictures(answer) == "'self' data: https://tiles.leipzig.example"
        assert "© Stadt &lt;b&gt;Leipzig" in answer.content.decode()
        for other in ("/desk/", "/desk/login/", "/healthz"):
            assert "tiles.leipzig" not in client.get(other).get("Content-Security-Policy", ""), other

    def test_none_are_set_unless_the_city_sets_them(self, client: Client, draft: Draft, settings: Any) -> None:
        assert settings.TILES == ""
        assert pictures(client.get(page(draft))) == "'self' data:"


def pictures(answer: Any) -> str:
    policy = dict(part.strip().partition(" ")[::2] for part in answer["Content-Security-Policy"].split(";"))
    return str(policy["img-src"])


class TestReadBack:
    def test_districts_are_told_apart_by_whether_they_are_covered(self, anna: User) -> None:
        around = tuple(
            (city.LAT + lat, city.LON + lon)
            for lat, lon in ((-0.001, -0.021), (-0.001, 0.01), (0.021, 0.01), (0.021, -0.021), (-0.001, -0.021))
        )
        found = read_back(city.drafted(anna, circles=(), polygons=(Polygon(around),)).content)
        assert found.wholly == ["Nordwest"]
        assert sorted(found.parts) == ["Nordost", "Südost", "Südwest"]
        assert not found.all

    def test_what_was_chosen_counts_as_covered(self, anna: User) -> None:
        from alerts.content import District

        found = read_back(city.drafted(anna, circles=(), districts=(District("mitte", "Mitte"),)).content)
        assert (sorted(found.wholly), found.parts) == (["Nordost", "Nordwest", "Südost", "Südwest"], [])
        assert read_back(city.drafted(anna, circles=(), districts=(District("city", "Leipzig"),)).content).all

    def test_the_page_reads_them_back(self, client: Client, draft: Draft) -> None:
        body = " ".join(client.get(page(draft)).content.decode().split())
        assert "Trifft zum Teil <b>" in body
        assert "Nordwest" in body


class TestAreasThatCannotBeMeant:
    """Through the form, as an officer would do it by mistake."""

    def save(self, client: Client, draft: Draft, **changes: str) -> Any:
        data = posted(client, draft) | {name.replace("__", "-"): value for name, value in changes.items()}
        return client.post(page(draft), data, follow=True)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"circle__0__centre": "52.52, 13.405"}, "Liegt außerhalb der Stadt"),
            ({"circle__0__centre": f"{city.LON}, {city.LAT}"}, "Breite und Länge sind vertauscht"),
            ({"circle__0__metres": "500000"}, "höchstens 100 Kilometer"),
            (
                {"polygons": "51.33, 12.36\n51.34, 12.38\n51.34, 12.36\n51.33, 12.38"},
                "kreuzt oder berührt sich",
            ),
            ({"polygons": "52.5, 13.3\n52.6, 13.3\n52.6, 13.5"}, "Liegt außerhalb der Stadt"),
        ],
    )
    def test_it_is_saved_and_told_in_plain_words(
        self, client: Client, draft: Draft, changes: dict[str, str], words: str
    ) -> None:
        answer = self.save(client, draft, **changes)
        assert answer.status_code == 200
        assert words in answer.content.decode()

    def test_too_many_corners_are_refused_and_nothing_is_lost(self, client: Client, draft: Draft) -> None:
        many = "\n".join(f"51.{number:03}, 12.3" for number in range(501))
        answer = self.save(client, draft, polygons=many)
        assert answer.status_code == 422
        assert "höchstens 500 Eckpunkte" in answer.content.decode()
        assert "51.500, 12.3" in answer.content.decode()

    def test_a_million_corners_are_not_even_read(
        self, client: Client, draft: Draft, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from alerts.desk import typed

        read: list[str] = []
        monkeypatch.setattr(typed, "point", lambda line: read.append(line) or (51.3, 12.3))
        few = posted(client, draft)
        assert client.post(page(draft), few | {"polygons": "51.3, 12.3\n" * 1_000_000}).status_code == 400
        assert client.post(page(draft), few | {"polygons": "51.3, 12.3\n" * 60_000}).status_code == 422
        assert len(read) <= 2, "the circle's centre alone"
        assert Draft.objects.get(pk=draft.pk).version == draft.version

    def test_it_can_be_drawn_all_the_same(self, client: Client, anna: User) -> None:
        """A circle of 500 km, a crossing line: the page stands, with its map and its fields."""
        line = ((51.33, 12.36), (51.34, 12.38), (51.34, 12.36), (51.33, 12.38), (51.33, 12.36))
        mad = city.drafted(anna, circles=(Circle(city.LAT, city.LON, 500),), polygons=(Polygon(line),))
        answer = client.get(page(mad))
        assert answer.status_code == 200
        assert 'id="reach"' in answer.content.decode()


def test_the_words_of_the_map_are_json(client: Client, draft: Draft) -> None:
    from alerts.templatetags.area import area_map

    words = json.loads(area_map()["words"])
    assert {"chosen", "dropped", "drawn", "circle_set", "undone", "failed"} <= set(words)
    assert all(words.values())
