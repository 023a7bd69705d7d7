"""The subscribe page, the manifest and the service worker as files: what they offer, and when they are made anew."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.template.loader import render_to_string
from django.utils.translation import override

from alerts.models import Area
from alerts.terms import Severity
from channels.city import app, subscribing
from channels.city.pages import Pages
from channels.city.website import AREAS_SECONDS, SHELL, Website
from channels.subscriptions.topics import TOPICS
from tests import story
from tests.channels.publicsite import VAPID
from tests.channels.test_website import ADDRESS, LANGUAGES, nothing, over, read, tell
from tests.city import LAT, LON, districts, square

pytestmark = pytest.mark.django_db

ALL = ("push", "sms", "email")


class Form(HTMLParser):
    """The fields of the page's form: (name, value, attributes), and the attributes of the form."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str, dict[str, str | None]]] = []
        self.form: dict[str, str | None] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.form = given
        if tag == "input" and "name" in given:
            self.fields.append((given["name"] or "", given.get("value") or "", given))

    def values(self, name: str) -> list[str]:
        return [value for found, value, _given in self.fields if found == name]

    def checked(self, name: str) -> list[str]:
        return [value for found, value, given in self.fields if found == name and "checked" in given]


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.ADDRESS = ADDRESS
    settings.PUBLIC_DIR = tmp_path / "public"
    return tmp_path / "public"


def website(folder: Path, ways: Sequence[str] = ALL, vapid_key: str = VAPID) -> Website:
    from channels.serving import Serve

    return Website(
        "website",
        folder=str(folder),
        address=ADDRESS,
        languages=LANGUAGES,
        http=over(Serve(nothing, public=folder, static=folder)),
        ways=ways,
        vapid_key=vapid_key,
    )


def page(folder: Path, language: str = "", **options: Any) -> str:
    website(folder, **options).rebuild()
    return read(folder, f"{language}/subscribe")


# the subscribe page


def test_the_form_has_the_names_and_values_that_the_application_reads(folder: Path) -> None:
    districts()
    form = Form(page(folder, "en"))
    assert form.form["action"] == "/s/start/"
    assert form.form["method"] == "post"
    assert form.values("way") == ["push", "sms", "email"]
    assert form.values("tel") == form.values("mail") == form.values("website") == [""]
    assert form.values("area")[:2] == ["city", "mitte"]
    assert sorted(form.values("area")) == ["city", "fern", "mitte", "no", "nw", "rand", "so", "sw"]
    assert form.values("least") == ["Minor", "Moderate", "Severe", "Extreme"]
    assert form.values("topic") == list(TOPICS)
    assert form.values("lang") == LANGUAGES
    assert form.values("tests") == ["1"]
    assert form.values("page") == ["en"]


def test_what_nobody_has_chosen_is_not_chosen(folder: Path) -> None:
    districts()
    form = Form(page(folder, "de-simple"))
    assert form.checked("way") == []
    assert form.checked("area") == []
    assert form.checked("tests") == []
    assert form.checked("least") == ["Moderate"]
    assert form.checked("topic") == list(TOPICS)
    assert form.checked("lang") == ["de-simple"]


@pytest.mark.parametrize("ways", [("sms",), ("email", "sms"), ("push",), ALL])
def test_only_the_ways_that_the_city_has_are_offered(folder: Path, ways: Sequence[str]) -> None:
    districts()
    form = Form(page(folder, ways=ways))
    assert set(form.values("way")) == set(ways)
    assert bool(form.values("tel")) == ("sms" in ways)
    assert bool(form.values("mail")) == ("email" in ways)
    assert ("data-push" in form.form) == ("push" in ways)


def test_push_is_not_offered_without_the_citys_key_nor_to_a_browser_without_scripts(folder: Path) -> None:
    districts()
    assert Form(page(folder, vapid_key="")).values("way") == ["sms", "email"]
    form = Form(page(folder))
    assert form.form["data-vapid"] == VAPID
    assert [value for name, value, given in form.fields if name == "way" and "disabled" in given] == ["push"]


@pytest.mark.parametrize("options", [{"ways": ()}, {"ways": ("push",), "vapid_key": ""}])
def test_without_any_way_there_are_the_feeds_and_the_app(folder: Path, options: dict[str, Any]) -> None:
    districts()
    text = page(folder, **options)
    assert Form(text).fields == []
    assert "/s/" not in text
    assert "/feeds/alerts.atom" in text
    assert 'id="app"' in text


def test_a_city_without_districts_has_nothing_to_subscribe_to_yet(folder: Path) -> None:
    assert Form(page(folder)).fields == []


def test_where_no_district_is_the_whole_city_each_one_on_top_is_chosen_by_itself(folder: Path) -> None:
    for code in ("left", "right"):
        Area.objects.create(code=code, name=code.title(), boundary=square(LAT, LON), outline=square(LAT, LON))
    text = page(folder)
    assert Form(text).values("area") == ["left", "right"]
    # "the whole city" is two values: a script sends both, and it is hidden without one
    assert 'type="checkbox" value="*"' in text


def test_a_city_of_one_piece_is_chosen_already(folder: Path) -> None:
    Area.objects.create(code="one", name="Leipzig", boundary=square(LAT, LON), outline=square(LAT, LON))
    form = Form(page(folder))
    assert form.checked("area") == ["one"]


def test_every_district_of_the_real_city_is_in_the_list_and_on_the_map(folder: Path, real_data: Path) -> None:
    areas = real_data / "areas"
    call_command(
        "import_areas", areas / "leipzig-ortsteile.geojson", tree=areas / "leipzig-stadtbezirke.json", verbosity=0
    )
    text = page(folder)
    listed = set(Form(text).values("area"))
    drawn = {part.split('"')[0] for part in text.split('<g data-area="')[1:]}
    assert len(listed) == 74
    assert len(drawn) == 63
    assert drawn < listed
    assert text.count("<details class") == 10
    assert (folder / "subscribe/index.html.gz").stat().st_size < 16_000


def test_the_map_names_groups_of_districts_or_the_districts_where_there_are_none(folder: Path) -> None:
    districts()
    names = re.findall(r'<text class="map-name"[^>]*>([^<]+)', page(folder))
    assert sorted(names) == ["Mitte", "Rand"]
    Area.objects.filter(code__in=["nw", "no", "sw", "so", "fern"]).delete()
    for code in ("mitte", "rand"):
        Area.objects.filter(code=code).update(outline=square(LAT, LON))
    text = page(folder)
    assert sorted(re.findall(r'<text class="map-name"[^>]*>([^<]+)', text)) == ["Mitte", "Rand"]
    assert "<details class" not in text


def test_districts_with_hostile_names_are_only_names(folder: Path) -> None:
    name = '"><script src=//x.example></script>'
    Area.objects.create(code=name, name=name, boundary=square(LAT, LON), outline=square(LAT, LON))
    text = page(folder)
    assert "<script src=//" not in text
    assert Form(text).values("area") == [name]


def test_a_form_of_the_application_shows_what_somebody_has_chosen(folder: Path) -> None:
    districts()
    ticks = subscribing.Ticks(areas=["mitte", "fern"], least="Unknown", topics=["fire"], language="en", tests=True)
    site = website(folder)
    context = site.frame("en") | site.choices("en", ticks)
    with override("en"):
        form = Form(render_to_string("public/wishes.html", context))
    assert form.checked("area") == ["mitte", "fern"]
    assert form.checked("least") == ["Severe"]  # what Unknown counts as
    assert form.checked("topic") == ["fire"]
    assert form.checked("lang") == ["en"]
    assert form.checked("tests") == ["1"]


def test_the_application_frames_its_pages_as_the_city_does(folder: Path) -> None:
    site = website(folder)
    with override("en"):
        text = render_to_string("public/base.html", site.frame("en") | {"unlisted": True})
    assert '<html lang="en" dir="ltr">' in text
    assert '<a href="/subscribe/" lang="de"' in text
    assert '<a href="/en/subscribe/" lang="en" hreflang="en" aria-current="true"' in text
    assert 'name="robots" content="noindex' in text
    assert 'rel="canonical"' not in text
    assert app.Look.now().css in text


def test_every_page_leads_to_the_subscribe_page_of_its_language(folder: Path) -> None:
    districts()
    site = website(folder)
    alert = tell(site, story.STEPS[0])
    for language in ("", "en/"):
        for path in ("", "archive", "about", "subscribe", "offline", f"alerts/{alert.slug}"):
            assert read(folder, language + path).count(f'href="/{language}subscribe/"') >= 2
        assert f'href="/{language}subscribe/"' in (folder / language / "404.html").read_text()
    about = read(folder, "en/about")
    assert "Works on every mobile phone" in about
    website(folder, ways=("email",)).rebuild()
    assert "Works on every mobile phone" not in read(folder, "en/about")


# made anew only when it has to be


@pytest.fixture
def made() -> Iterator[list[str]]:
    """The pages of the shell as they are made."""
    names: list[str] = []
    real = Pages._page

    def counted(self: Pages, template: str, path: str | None, **context: Any) -> str:
        names.append(f"{self.language} {template}")
        return real(self, template, path, **context)

    with mock.patch.object(Pages, "_page", counted):
        yield names


def shell(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.split()[1] in {"about", "subscribe", "offline", "404"}]


def test_a_message_makes_no_page_anew_that_it_does_not_change(folder: Path, made: list[str]) -> None:
    districts()
    site = website(folder)
    alert = tell(site, story.STEPS[0])
    assert len(shell(made)) == len(SHELL) * len(LANGUAGES)
    made.clear()
    before = {path: path.stat().st_mtime_ns for path in (folder / "sw.js", folder / "subscribe/index.html")}
    with mock.patch("channels.city.website.AREAS_SECONDS", -1):  # districts are read anew each time
        tell(site, story.STEPS[1], alert)
    assert shell(made) == []
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_districts_that_change_are_on_the_page_with_the_next_message(folder: Path, made: list[str]) -> None:
    districts()
    site = website(folder)
    alert = tell(site, story.STEPS[0])
    for change in (
        lambda: Area.objects.filter(code="no").update(name="Nordlicht"),
        lambda: Area.objects.filter(code="no").update(parent=Area.objects.get(code="rand")),
        lambda: Area.objects.filter(code="no").update(outline=square(LAT, LON, 0.004)),
        lambda: Area.objects.filter(code="no").update(active=False),
    ):
        change()
        made.clear()
        with mock.patch("channels.city.website.AREAS_SECONDS", -1):
            alert = tell(site, replace(story.STEPS[1], sent=alert.latest.sent + story.dt.timedelta(minutes=1)), alert)
        assert len(shell(made)) == len(SHELL) * len(LANGUAGES)
    assert "no" not in Form(read(folder, "subscribe")).values("area")


def test_a_way_that_comes_or_goes_is_on_the_page_with_the_next_message(folder: Path) -> None:
    districts()
    alert = tell(website(folder, ways=("email",)), story.STEPS[0])
    assert Form(read(folder, "subscribe")).values("way") == ["email"]
    tell(website(folder), story.STEPS[1], alert)
    assert Form(read(folder, "subscribe")).values("way") == list(ALL)
    assert Form(read(folder, "en/subscribe")).values("way") == list(ALL)


def test_the_index_that_is_renewed_by_time_brings_new_districts_too(folder: Path) -> None:
    site = website(folder)
    site.refresh()
    districts()
    assert AREAS_SECONDS < 60
    site._read_areas = None
    site._renew([])
    assert "fern" in Form(read(folder, "subscribe")).values("area")


# the app


def png_size(body: bytes) -> tuple[int, int]:
    assert body[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", body[16:24])  # type: ignore[return-value]


def test_the_manifest_names_icons_that_are_there_in_the_size_it_says(folder: Path) -> None:
    website(folder).rebuild()
    for path in ("", "de-simple/", "en/"):
        manifest = json.loads((folder / path / "manifest.webmanifest").read_bytes())
        assert manifest["start_url"] == f"/{path}"
        assert manifest["id"] == "/"
        assert manifest["scope"] == "/"
        assert manifest["display"] == "standalone"
        assert manifest["name"].endswith("Stadt Leipzig")
        purposes = set()
        for icon in manifest["icons"]:
            width, height = png_size((folder / icon["src"][1:]).read_bytes())
            assert icon["sizes"] == f"{width}x{height}"
            purposes.add((icon["purpose"], icon["sizes"]))
        assert {("any", "192x192"), ("any", "512x512"), ("maskable", "512x512")} <= purposes
        assert f'<link rel="manifest" href="/{path}manifest.webmanifest">' in read(folder, path)
    apple = app.Look.now().apple
    assert png_size((folder / apple[1:]).read_bytes()) == (180, 180)
    assert f'<link rel="apple-touch-icon" href="{apple}">' in read(folder, "")


def test_the_manifest_speaks_the_language_of_its_page(folder: Path) -> None:
    website(folder).rebuild()
    english = json.loads((folder / "en/manifest.webmanifest").read_bytes())
    assert english["name"] == "Warnings of Stadt Leipzig"
    assert english["lang"] == "en"
    assert english["shortcuts"] == [{"name": "Subscribe to warnings", "url": "/en/subscribe/"}]


def test_the_app_has_the_colours_of_the_pages() -> None:
    tokens = Path("static/tokens.css").read_text()
    for name, colours in app.Look.now().colours.items():
        for colour in colours:
            assert f"--{name}: {colour};" in tokens
    light, dark = app.Look.now().colours["bar"]
    assert light != dark


def worker(folder: Path) -> dict[str, Any]:
    first = (folder / "sw.js").read_text().split("\n", 1)[0]
    known: dict[str, Any] = json.loads(first.removeprefix("const BELFRY = ").removesuffix(";"))
    return known


def test_the_service_worker_knows_what_it_needs_of_the_city(folder: Path) -> None:
    website(folder).rebuild()
    known = worker(folder)
    assert known["homes"] == {"de": "/", "de-simple": "/de-simple/", "en": "/en/"}
    assert known["vapid"] == VAPID
    assert known["words"]["en"]["title"] == "Warnings of Stadt Leipzig"
    assert {"title", "body"} == set(known["words"]["de-simple"])
    for path in (*known["assets"], known["icon"], known["badge"]):
        assert (folder / path[1:]).is_file()
    for home in known["homes"].values():
        assert (folder / home[1:] / "offline/index.html").is_file()


def test_another_look_is_another_worker_and_the_same_look_the_same(folder: Path) -> None:
    look, city = app.Look.now(), website(folder)._pages("de").city
    options: dict[str, Any] = {"city": city, "languages": LANGUAGES, "vapid_key": VAPID}
    other = replace(look, files={**look.files, "assets/new.css": b""})
    assert app.worker(look, **options) == app.worker(look, **options)
    assert app.worker(look, **options) != app.worker(other, **options)


def test_the_worker_makes_known_which_note_it_uncovers(folder: Path) -> None:
    """The worker finds it by its text: page and worker must agree."""
    note = '<div class="note note-top" data-stored hidden>'
    website(folder).rebuild()
    assert note in (folder / "sw.js").read_text()
    for path in ("", "subscribe", "about", "en"):
        assert read(folder, path).count(note) == 1


def test_levels_are_offered_from_low_to_extreme_with_unknown_in_none_of_them() -> None:
    assert list(subscribing.MEANT_FOR) == [Severity.MINOR, Severity.MODERATE, Severity.SEVERE, Severity.EXTREME]
