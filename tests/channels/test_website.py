"""The city's own pages: what they say, when they change, and what never stands on them."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from alerts import content as contents
from alerts import public
from alerts.content import Circle, Content, District, Text
from alerts.notice import Notice, Rendering, notice
from alerts.terms import MSG_TYPE, Kind, Status
from channels.base import Permanent, Temporary
from channels.city.pages import linked
from channels.city.website import SHELL, Website
from channels.http import Http
from channels.publicfiles import PublicFolder, Staged
from channels.serving import Serve
from tests import story
from tests.channels import contract
from tests.story import Step, clock, put_out

ADDRESS = "http://city.example"
LANGUAGES = ["de", "de-simple", "en"]
ORDERS = ("Verlassen Sie", "Gehen Sie", "Tarostraße", "Leave the area", "Call 115")

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.ADDRESS = ADDRESS
    settings.PUBLIC_DIR = tmp_path / "public"
    return tmp_path / "public"


def over(application: Callable[..., Iterable[bytes]]) -> Http:
    return Http(transport=httpx.WSGITransport(app=application))  # type: ignore[arg-type]


@pytest.fixture
def site(folder: Path) -> Website:
    """The website, with a real server of its folder at the other end of the wire."""
    return Website(
        "website",
        folder=str(folder),
        address=ADDRESS,
        languages=LANGUAGES,
        http=over(Serve(nothing, public=folder, static=folder)),
    )


def nothing(_environ: Any, _start_response: Any) -> Iterable[bytes]:
    raise AssertionError("a public page asked Django")


def send(site: Website, message: Any, languages: Iterable[str] = LANGUAGES) -> Any:
    """What the engine does: hand over each approved rendering, with its slots."""
    said = public.message(message.identifier)
    assert said
    for language in languages:
        slots = {"identifier": said.identifier, "sent": said.sent.isoformat(), "slug": said.slug, "digest": "0"}
        post = site.publish(Rendering("website", language, said.words("website", language), slots), key="k")
    return post


def tell(site: Website, step: Step, alert: Any = None) -> Any:
    """Release a step and publish it, at its time; returns the alert."""
    message = put_out(step, alert)
    with clock(step.sent):
        send(site, message)
    return message.alert


def read(folder: Path, path: str) -> str:
    return (folder / path.strip("/") / "index.html").read_text()


def plain(page: str) -> str:
    """What a reader sees: no markup, single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.split("<body", 1)[1]).split())


def step(number: int, kind: Kind | None = None, **changes: Any) -> Step:
    found = story.STEPS[number]
    return replace(found, kind=kind or found.kind, content=replace(found.content, **changes))


class Tags(HTMLParser):
    """The elements of a page as a browser takes them in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def composed(content: Content, language: str = "de", kind: Kind = Kind.WARNING) -> dict[str, Any]:
    made = notice(
        content,
        slug="k7f3x",
        kind=kind,
        msg_type=MSG_TYPE[kind],
        language=language,
        fallback="de",
        city=public.city(),
    )
    return dict(Website("website").compose(made).fields)


class TestContract(contract.Contract):
    def channel(self, **options: Any) -> Website:
        return Website("website", keys_dir=contract.SECRET, **options)


# what a page will say


def test_all_that_a_message_says_is_composed_before_its_release() -> None:
    with clock(story.START):
        fields = composed(story.STEPS[1].content)
    assert fields["headline"] == "Bombenfund in der Dimitroffstraße: Verlassen Sie sofort das Gebiet"
    assert fields["level"] == "extreme"
    assert fields["level_word"] == "Extreme Gefahr"
    assert "600" in fields["area"]
    assert "Zentrum-Südost" in fields["area"]
    assert len(fields["steps"]) == 4
    assert fields["next_by"] == {"words": "13. September, 23:30 Uhr", "iso": "2022-09-13T23:30:00+02:00"}
    assert fields["contact"] == "Bürgertelefon 115"
    assert json.loads(contents.canonical(fields)) == fields


def test_each_language_is_composed_in_its_own_words() -> None:
    with clock(story.START):
        german, english = composed(story.STEPS[1].content), composed(story.STEPS[1].content, "en")
    assert english["headline"] == "Bomb in Dimitroffstraße: leave the area now"
    assert english["level_word"] == "Extreme danger"
    assert english["next_by"]["words"] == "13 September, 23:30"
    assert german["level_word"] != english["level_word"]


def test_an_exercise_is_composed_without_any_word_of_the_order() -> None:
    content = story.as_exercise(story.STEPS[1]).content
    fields = composed(replace(content, web="https://city.example/real", contact="115"))
    said = json.dumps(fields, ensure_ascii=False)
    assert fields["level"] == "exercise"
    assert fields["headline"].startswith("ÜBUNG")
    for order in (*ORDERS, "115", "city.example", "7.500"):
        assert order not in said


def test_a_test_message_can_not_be_taken_for_the_real_thing() -> None:
    fields = composed(replace(story.STEPS[1].content, status=Status.TEST))
    assert fields["level"] == "exercise"
    assert "Test" in fields["level_word"]
    assert fields["contact"] == ""


def test_many_districts_are_counted_in_the_band_and_named_in_full() -> None:
    touched = tuple(District(str(number), f"Ortsteil {number}") for number in range(12))
    fields = composed(replace(story.STEPS[1].content, touched=touched))
    assert "12 Ortsteile" in fields["area_short"]
    assert "Ortsteil 7" not in fields["area_short"]
    assert "Ortsteil 7" in fields["area"]


# the story


def test_the_story_is_told_newest_first_until_the_all_clear(site: Website, folder: Path) -> None:
    alert = None
    for number in range(4):
        alert = tell(site, story.STEPS[number], alert)
    page = plain(read(folder, f"alerts/{alert.slug}"))
    headlines = [message.content.texts["de"].headline for message in alert.messages.order_by("-number")]
    places = [page.rindex(headline) for headline in headlines]
    assert places == sorted(places)
    assert page.index("Entwarnung") < page.index("Das gilt jetzt") < page.index("Alle Meldungen")
    assert "Gilt jetzt" not in page
    assert "14. September 2022, 02:10 Uhr" in page
    assert "Tun Sie jetzt das" not in page


def test_a_live_page_says_what_to_do_where_and_until_when(site: Website, folder: Path) -> None:
    alert = tell(site, story.STEPS[0])
    alert = tell(site, story.STEPS[1], alert)
    page = plain(read(folder, f"alerts/{alert.slug}"))
    for words in (
        "Extreme Gefahr",
        "Gilt jetzt",
        "Tun Sie jetzt das",
        "Gehen Sie aus dem Gebiet.",
        "zur Entwarnung, längstens 14. September, 06:00 Uhr",
        "spätestens 13. September, 23:30 Uhr",
        "Stand: 13. September, 13:50 Uhr",
        "Stand dieser Seite: 13. September, 14:00 Uhr",
        "Bürgertelefon 115",
        f"{ADDRESS}/alerts/{alert.slug}/",
    ):
        assert words in page
    english = plain(read(folder, f"en/alerts/{alert.slug}"))
    assert "Do this now" in english
    assert "Leave the area." in english
    assert "Verlassen" not in english


def test_the_index_shows_what_is_live_the_most_dangerous_first(site: Website, folder: Path) -> None:
    mild, bad = story.STEPS[0], step(1, Kind.WARNING)
    tell(site, bad)
    tell(site, replace(mild, sent=bad.sent + dt.timedelta(minutes=5)))
    page = read(folder, "")
    assert "Jetzt in Leipzig: 2 Warnungen" in plain(page)
    assert page.index("sev-extreme") < page.index("sev-moderate")
    assert "Jetzt in Leipzig" not in read(folder, "en")


def test_the_index_is_calm_again_after_the_all_clear(site: Website, folder: Path) -> None:
    alert = tell(site, story.STEPS[0])
    tell(site, story.STEPS[3], alert)
    page = plain(read(folder, ""))
    assert "Zurzeit gilt in Leipzig keine Warnung" in page
    assert "Stand: 14. September, 02:10 Uhr" in page
    assert "Zuletzt beendet" in page
    assert "Bombenfund, Dimitroffstraße" in page


def test_a_false_alarm_and_an_expired_warning_have_faces_of_their_own(site: Website, folder: Path) -> None:
    alert = tell(site, story.STEPS[0])
    texts = {"de": replace(story.WARNING["de"], headline="Fehlalarm: Es wurde keine Bombe gefunden")}
    wrong = step(3, Kind.FALSE_ALARM, texts=texts)
    tell(site, wrong, alert)
    page = read(folder, f"alerts/{alert.slug}")
    assert 'band-calm sev-false"' in page
    assert "#i-false" in page
    over_it = tell(site, replace(story.STEPS[0], sent=wrong.sent, content=replace(wrong.content, response=("Avoid",))))
    with clock(wrong.content.expires or wrong.sent):
        site.refresh()
    page = read(folder, f"alerts/{over_it.slug}")
    assert 'class="band sev-ended"' in page
    assert "Abgelaufen" in plain(page)
    assert "Tun Sie jetzt das" not in plain(page)


def test_a_correction_is_called_one(site: Website, folder: Path) -> None:
    alert = tell(site, story.STEPS[0])
    tell(site, step(1, Kind.CORRECTION), alert)
    assert "Extreme Gefahr Berichtigung Gilt jetzt" in plain(read(folder, f"alerts/{alert.slug}"))


def test_a_message_without_a_language_is_shown_in_the_first_and_says_so(site: Website, folder: Path) -> None:
    alert = tell(site, step(1, Kind.WARNING, texts={"de": story.EVACUATION["de"]}))
    page = read(folder, f"en/alerts/{alert.slug}")
    assert '<h1 lang="de" dir="ltr">Bombenfund in der Dimitroffstraße' in page
    assert "Not available in this language yet. You are reading: Deutsch." in plain(page)
    assert "Extreme danger" in plain(page)
    assert "Do this now" in plain(page)


def test_a_warning_of_something_to_come_says_from_when(site: Website, folder: Path) -> None:
    alert = tell(site, step(0, onset=story.START + dt.timedelta(hours=5)))
    page = plain(read(folder, f"alerts/{alert.slug}"))
    assert "Gilt ab 13. September, 16:20 Uhr" in page
    assert "Erwartet ab 13. September, 16:20 Uhr" in page


@pytest.mark.parametrize("km", [0.01, 5.0, 60.0])
def test_an_area_of_any_size_can_be_published(site: Website, folder: Path, km: float) -> None:
    alert = tell(site, step(0, circles=(Circle(story.CIRCLE.lat, story.CIRCLE.lon, km),)))
    assert "<svg" in read(folder, f"alerts/{alert.slug}").split("<main", 1)[1]
    assert "<svg" in read(folder, "").split("<main", 1)[1]


# what is approved is what is printed


def test_pages_print_the_approved_words_and_compose_nothing(
    site: Website, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = put_out(story.STEPS[0])

    def never(_notice: Notice) -> Rendering:
        raise AssertionError("composed after the approval")

    monkeypatch.setattr(site, "compose", never)
    with clock(story.START):
        send(site, message)
        site.rebuild()
    assert "Meiden Sie das Gebiet" in read(folder, f"alerts/{message.alert.slug}")


def test_a_message_from_before_the_website_is_shown_in_its_content_s_words(folder: Path) -> None:
    message = put_out(story.STEPS[0])
    renamed = Website("site-of-later", folder=str(folder), address=ADDRESS, languages=LANGUAGES)
    with clock(story.START):
        renamed.rebuild()
    assert "Meiden Sie das Gebiet" in read(folder, f"alerts/{message.alert.slug}")
    assert "stay away from the area" in read(folder, f"en/alerts/{message.alert.slug}")


HOSTILE = '"><script src=//x.example></script>&lt;{{ 7|add:7 }}{% now "Y" %}\' onload=x '


def test_hostile_words_stay_words(site: Website, folder: Path) -> None:
    text = Text(HOSTILE, HOSTILE + "Kopf", HOSTILE + "Rufen Sie 115 an", HOSTILE + "Rufen Sie 112", HOSTILE)
    touched = (District("a", HOSTILE), *story.TOUCHED)
    alert = tell(
        site,
        step(
            0,
            texts={"de": text, "en": text},
            place=HOSTILE,
            touched=touched,
            contact=HOSTILE,
            web="javascript:alert(1)",
        ),
    )
    for path in (f"alerts/{alert.slug}", f"en/alerts/{alert.slug}", "", "archive", "archive/1"):
        page = read(folder, path)
        seen = Tags(page)
        assert [attributes for tag, attributes in seen.tags if tag == "script"] == [{"src": ANY, "defer": None}]
        assert not any(name.startswith("on") for _tag, attributes in seen.tags for name in attributes)
        assert not any("javascript:" in (attributes.get("href") or "") for _tag, attributes in seen.tags)
        assert "{{ 7|add:7 }}" in page


# exercises


def test_an_exercise_has_an_unlisted_page_and_stands_nowhere_else(site: Website, folder: Path) -> None:
    tell(site, step(0, texts={"de": Text("Sturm", "Sturm", "Wind.", "Bleiben Sie im Haus.")}))
    drill = put_out(story.as_exercise(story.STEPS[1]))
    before = {path: path.read_bytes() for path in folder.rglob("index.html")}
    with clock(story.STEPS[1].sent):
        send(site, drill)
    page = read(folder, f"alerts/{drill.alert.slug}")
    assert '<meta name="robots" content="noindex, nofollow">' in page
    assert 'class="public is-exercise"' in page
    for order in ORDERS:
        assert order not in page
    for path, body in before.items():
        assert path.read_bytes() == body
    with clock(story.STEPS[1].sent):
        site.rebuild()
    for path in (*folder.rglob("archive/**/index.html"), folder / "index.html", folder / "404.html"):
        assert drill.alert.slug not in path.read_text()


def test_a_drill_prints_the_end_that_its_release_has_set(site: Website, folder: Path) -> None:
    drill = put_out(story.as_exercise(story.STEPS[1]))
    said = public.message(drill.identifier)
    assert said
    words = dict(said.words("website", "de")) | {"expires": None, "next_by": None, "facts_at": None}
    alert = public.alert(drill.alert.slug, story.STEPS[1].sent)
    assert alert
    said = replace(alert.latest, renderings={("website", "de"): words})
    with clock(story.STEPS[1].sent):
        page = plain(site._pages("de").alert(replace(alert, messages=(said,))))
    assert "Ende der Übung 14. September, 06:00 Uhr" in page


def test_the_end_of_an_exercise_is_no_all_clear_of_a_danger(site: Website, folder: Path) -> None:
    drill = tell(site, story.as_exercise(story.STEPS[1]))
    tell(site, story.as_exercise(story.STEPS[3]), drill)
    page = read(folder, f"alerts/{drill.slug}")
    assert "Die Übung ist beendet." in plain(page)
    assert 'class="band sev-exercise"' in page
    assert "nach Hause" not in page


# at the public address


def test_a_page_that_is_not_at_the_public_address_is_tried_again(folder: Path) -> None:
    def old_page(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<p>the page of yesterday</p>"]

    site = Website("website", folder=str(folder), address=ADDRESS, languages=LANGUAGES, http=over(old_page))
    with pytest.raises(Temporary, match=r"öffentlichen Adresse|public address"):
        send(site, put_out(story.STEPS[0]))


@pytest.mark.parametrize("status", ["404 Not Found", "301 Moved Permanently", "403 Forbidden", "500 Oops"])
def test_a_web_server_that_refuses_is_asked_again(folder: Path, status: str) -> None:
    def refuse(_environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [("Content-Type", "text/html"), ("Location", "http://elsewhere.example/")])
        return [b""]

    site = Website("website", folder=str(folder), address=ADDRESS, languages=LANGUAGES, http=over(refuse))
    with pytest.raises(Temporary, match=status[:3]):
        send(site, put_out(story.STEPS[0]))


def test_the_page_of_an_earlier_message_is_confirmed_after_a_later_one(site: Website) -> None:
    first = put_out(story.STEPS[0])
    second = put_out(story.STEPS[1], first.alert)
    with clock(story.STEPS[1].sent):
        send(site, second)
        post = send(site, first)
    assert post.remote_id == first.identifier


def test_the_probe_says_where_the_page_answers(site: Website) -> None:
    with pytest.raises(Temporary):
        site.probe()
    site.rebuild()
    assert ADDRESS in site.probe()


def test_what_was_said_is_not_taken_back(site: Website) -> None:
    post = send(site, put_out(story.STEPS[0]))
    with pytest.raises(Permanent):
        site.retract(post)


def test_a_full_disk_leaves_the_old_pages_whole(site: Website, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alert = tell(site, story.STEPS[0])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    real = Staged._put
    written = []

    def full(self: Staged, path: str, body: bytes) -> None:
        written.append(path)
        if len(written) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, path, body)

    monkeypatch.setattr(Staged, "_put", full)
    with pytest.raises(Temporary, match="No space"), clock(story.STEPS[1].sent):
        send(site, put_out(story.STEPS[1], alert))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


# what time alone changes


def test_an_expired_alert_leaves_index_and_page_by_itself(site: Website, folder: Path) -> None:
    alert = tell(site, story.STEPS[0])
    end = story.STEPS[0].content.expires
    assert end
    with clock(end - dt.timedelta(seconds=1)):
        site.refresh()
    assert "Jetzt in Leipzig" in plain(read(folder, ""))
    with clock(end):
        site.refresh()
    assert "keine Warnung" in plain(read(folder, ""))
    assert "Abgelaufen" in plain(read(folder, "archive/1"))
    assert "Expired" in plain(read(folder, f"en/alerts/{alert.slug}"))


def test_an_exercise_that_is_over_says_so_by_itself(site: Website, folder: Path) -> None:
    drill = tell(site, story.as_exercise(story.STEPS[1]))
    with clock(story.STEPS[1].content.expires or story.START):
        site.refresh()
    assert "Die Übung ist beendet." in plain(read(folder, f"alerts/{drill.slug}"))


def test_where_nothing_has_changed_nothing_is_read_or_written(
    site: Website, folder: Path, django_assert_num_queries: Any
) -> None:
    tell(site, story.STEPS[0])
    fresh = timezone.now()
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.html")}
    start = {path: (fresh.timestamp(), fresh.timestamp()) for path in times}
    for path, stamp in start.items():
        os.utime(path, stamp)
    times = {path: path.stat().st_mtime_ns for path in times}
    story_time = story.START + dt.timedelta(minutes=1)
    for path in times:
        os.utime(path, (story_time.timestamp(), story_time.timestamp()))
    times = {path: path.stat().st_mtime_ns for path in times}
    with clock(story_time), django_assert_num_queries(0):
        site.refresh()
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_the_date_of_the_index_shows_that_the_city_still_speaks(site: Website, folder: Path) -> None:
    with clock(story.START):
        site.refresh()
    assert "Stand: 13. September, 11:20 Uhr" in plain(read(folder, ""))
    os.utime(folder / "index.html", (story.START.timestamp(), story.START.timestamp()))
    with clock(story.START + dt.timedelta(minutes=11)):
        site.refresh()
    assert "Stand: 13. September, 11:31 Uhr" in plain(read(folder, ""))
    assert "As of: 13 September, 11:31" in plain(read(folder, "en"))


def test_an_empty_folder_is_filled_by_the_first_look(site: Website, folder: Path) -> None:
    message = put_out(story.STEPS[0])
    with clock(story.START):
        site.refresh()
    for language in ("", "de-simple/", "en/"):
        for page in ("index.html", "archive/index.html", "manifest.webmanifest", *SHELL):
            assert (folder / f"{language}{page}").exists()
    assert (folder / "sw.js").exists()
    assert "Meiden Sie" in read(folder, f"alerts/{message.alert.slug}")


# the archive


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> int:
    """Short pages of the archive, so that few alerts fill them."""
    monkeypatch.setattr("channels.city.website.PER_PAGE", 4)
    monkeypatch.setattr("channels.city.pages.PER_PAGE", 4)
    return 4


def many(count: int) -> list[Any]:
    """Alerts that are over, the oldest first."""
    return [put_out(replace(story.STEPS[0], sent=story.START + dt.timedelta(minutes=n))).alert for n in range(count)]


def test_a_full_page_of_the_archive_never_changes_its_alerts(site: Website, folder: Path, short: int) -> None:
    alerts = many(short + 1)
    site.rebuild()
    first = read(folder, "archive/1")
    assert all(alert.slug in first for alert in alerts[:short])
    assert alerts[-1].slug not in first
    assert 'href="/archive/2/"' in first
    assert alerts[-1].slug in read(folder, "archive/2")
    overview = read(folder, "archive")
    assert all(alert.slug in overview for alert in alerts)


def test_the_first_alert_of_a_new_archive_page_is_linked_from_the_page_before(
    site: Website, folder: Path, short: int
) -> None:
    many(short)
    site.rebuild()
    assert "/archive/2/" not in read(folder, "archive/1")
    tell(site, replace(story.STEPS[0], sent=story.START + dt.timedelta(hours=9)))
    assert 'href="/archive/2/"' in read(folder, "archive/1")
    assert 'href="/en/archive/2/"' in read(folder, "en/archive/1")


def test_publishing_costs_the_same_with_many_alerts_in_the_archive(site: Website, folder: Path, short: int) -> None:
    def cost(minute: int) -> tuple[int, int]:
        message = put_out(replace(story.STEPS[0], sent=story.START + dt.timedelta(minutes=minute)))
        for path in folder.rglob("*"):
            if path.is_file():
                os.utime(path, (1, 1))
        with (
            CaptureQueriesContext(
                connection,
            ) as queries,
            clock(message.sent),
        ):
            send(site, message)
        return len(queries), sum(1 for path in folder.rglob("*.html") if path.stat().st_mtime > 1)

    many(short * 2 + 1)
    site.rebuild()
    few = cost(200)
    many(short * 3)
    site.rebuild()
    assert cost(300) == few
    assert len(read(folder, "archive")) < 60_000


# anew


def test_made_anew_the_pages_say_the_same(site: Website, folder: Path) -> None:
    alert = None
    for number in range(4):
        alert = tell(site, story.STEPS[number], alert)
    drill = tell(site, story.as_exercise(story.STEPS[1]))
    end = story.STEPS[3].sent
    with clock(end):
        site._renew([alert.slug, drill.slug])
    before = {path: path.read_bytes() for path in folder.rglob("*.html")}
    for path in before:
        path.unlink()
    with clock(end):
        site.rebuild()
        site.rebuild()
    after = {path: path.read_bytes() for path in folder.rglob("*.html")}
    assert after.keys() == before.keys()
    for path, body in after.items():
        assert body == before[path] or path.relative_to(folder).as_posix().endswith(SHELL)


def test_made_anew_nothing_stays_that_nothing_stands_behind(site: Website, folder: Path) -> None:
    tell(site, story.STEPS[0])
    ours, foreign = folder / "alerts/ghost/index.html", folder / "verification.html"
    with PublicFolder(folder).swap() as staged:
        staged.write("alerts/ghost/index.html", b'<meta name="generator" content="Belfry">')
        staged.write("fr/index.html", b'<meta name="generator" content="Belfry">')
        staged.write("assets/belfry.old.css", b"p{}")
        staged.write("verification.html", b"<p>the administrator's own</p>")
        staged.write("cap/leipzig.1.xml", b"<alert/>")
        staged.write("feeds/alerts.atom", b"<feed/>")
    os.utime(folder / "assets/belfry.old.css", (1, 1))
    os.utime(folder / "assets/belfry.old.css.gz", (1, 1))
    site.rebuild()
    assert not ours.exists()
    assert not ours.parent.exists()
    assert not (folder / "fr").exists()
    assert not (folder / "assets/belfry.old.css").exists()
    for kept in (foreign, folder / "cap/leipzig.1.xml", folder / "feeds/alerts.atom"):
        assert kept.exists()


def test_an_alert_given_while_all_is_made_anew_is_not_lost(site: Website, folder: Path) -> None:
    first = put_out(story.STEPS[0])
    given = []

    def progress(done: int, _total: int) -> None:
        if done == 0:
            given.append(tell(site, step(1, Kind.WARNING)))

    with clock(story.STEPS[1].sent):
        site.rebuild(progress)
    page = read(folder, "")
    assert given[0].slug in page
    assert first.alert.slug in page
    assert (folder / f"alerts/{given[0].slug}/index.html").exists()


def test_broken_off_it_leaves_whole_pages_and_can_be_run_again(site: Website, folder: Path) -> None:
    alerts = many(3)
    site.rebuild()
    before = set(folder.rglob("*.html"))

    def enough(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        site.rebuild(enough)
    assert set(folder.rglob("*.html")) == before
    assert not list(folder.glob(".staged-*"))
    site.rebuild()
    assert alerts[2].slug in read(folder, "archive")


def test_the_command_makes_the_pages_anew(folder: Path, settings: Any) -> None:
    settings.CHANNELS = {"website": {"adapter": "channels.city.website.Website"}}
    message = put_out(story.STEPS[0])
    out = StringIO()
    with clock(story.START):
        call_command("rebuild_site", stdout=out)
    assert (folder / f"alerts/{message.alert.slug}/index.html").exists()
    assert out.getvalue()


# the frame


def test_each_page_names_its_other_languages(site: Website, folder: Path) -> None:
    alert = tell(site, story.STEPS[0])
    page = read(folder, f"en/alerts/{alert.slug}")
    assert '<html lang="en" dir="ltr">' in page
    assert f'<link rel="canonical" href="{ADDRESS}/en/alerts/{alert.slug}/">' in page
    assert f'hreflang="de-simple" href="{ADDRESS}/de-simple/alerts/{alert.slug}/"' in page
    assert f'hreflang="x-default" href="{ADDRESS}/alerts/{alert.slug}/"' in page
    assert '<a href="/en/alerts/' in page


def test_a_language_written_from_right_to_left_is_marked_so(folder: Path, settings: Any) -> None:
    settings.CONTENT_LANGUAGES = ["de", "ar"]
    site = Website("website", folder=str(folder), address=ADDRESS, languages=["de", "ar"])
    put_out(step(0, texts={"de": story.WARNING["de"], "ar": Text("قنبلة", "تحذير", "خطر", "ابتعد")}))
    with clock(story.START):
        site.rebuild()
    assert '<html lang="ar" dir="rtl">' in read(folder, "ar")


def test_a_page_needs_nothing_but_its_own_folder(site: Website, folder: Path) -> None:
    alert = tell(site, story.STEPS[0])
    for path in ("", f"alerts/{alert.slug}", "archive", "about", "en/subscribe", f"en/alerts/{alert.slug}"):
        page = read(folder, path)
        used = re.findall(
            r'<(?:link rel="(?:icon|apple-touch-icon|manifest|stylesheet)"|script|img|use)[^>]*?(?:href|src)="([^"]+)"',
            page,
        )
        assert used
        for address in used:
            assert address.startswith(("/assets/", "#")) or address.endswith("/manifest.webmanifest")
            assert address.startswith("#") or (folder / address[1:]).is_file()
        assert "style=" not in page
        assert "<style" not in page
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)


def test_a_phone_loads_little_for_the_page_with_the_map_of_the_real_city(
    site: Website, folder: Path, real_data: Path
) -> None:
    areas = real_data / "areas"
    call_command(
        "import_areas", areas / "leipzig-ortsteile.geojson", tree=areas / "leipzig-stadtbezirke.json", verbosity=0
    )
    alert = None
    for number in range(3):
        alert = tell(site, story.STEPS[number], alert)
    page = folder / f"alerts/{alert.slug}/index.html"
    index = folder / "index.html"
    assert ">Zentrum-Süd</text>" in page.read_text()
    for loaded in (page, index, folder / "subscribe/index.html"):
        assets = re.findall(r'(?:src|rel="stylesheet" href|rel="icon" href)="/(assets/[^"]+)"', loaded.read_text())
        assert len(assets) >= 3
        assert loaded.stat().st_size + sum((folder / path).stat().st_size for path in assets) < 100_000
    assert page.with_name("index.html.gz").stat().st_size < 10_000
    assert read(folder, "about").count(".rss") == 11  # all, and ten boroughs


def test_a_new_look_is_put_on_explanation_and_404_with_the_next_message(
    site: Website, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = tell(site, story.STEPS[0])
    for name in (*SHELL, "sw.js"):
        (folder / name).write_text("<p>of an older version</p>")
    tell(site, story.STEPS[1], alert)
    for name in (*SHELL, "sw.js"):
        assert "older version" not in (folder / name).read_text()
    assert "Diese Seite gibt es nicht" in (folder / "404.html").read_text()
    assert "Ist das echt?" in read(folder, "about")


def test_the_404_page_speaks_every_language_of_the_city(site: Website, folder: Path) -> None:
    site.rebuild()
    page = (folder / "404.html").read_text()
    assert "Diese Seite gibt es nicht" in page
    assert "This page does not exist" in page
    english = (folder / "en/404.html").read_text()
    assert english.index("This page does not exist") < english.index("Diese Seite gibt es nicht")


def test_the_address_of_the_legal_pages_is_linked_where_it_is_set(folder: Path) -> None:
    site = Website(
        "website", folder=str(folder), address=ADDRESS, languages=["de"], imprint_url="https://city.example/i"
    )
    site.rebuild()
    page = read(folder, "")
    assert 'href="https://city.example/i"' in page
    assert "Datenschutz" not in page


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("Rufen Sie 115 an. Den Notruf 112 nur bei Lebensgefahr.", ["115", "112"]),
        ("Call +49 341 123-4567 at any time.", ["+493411234567"]),
        ("Telefon 0341 1234567, 8 bis 18 Uhr", ["03411234567"]),
        ("Kommen Sie in die Karl-Liebknecht-Straße 112.", []),
        ("Um 11:15 Uhr wurden 115 Menschen evakuiert.", []),
        ("Rufen Sie nicht an: 2022-09-13", []),
    ],
)
def test_a_number_to_call_can_be_touched_and_a_house_number_can_not(text: str, links: list[str]) -> None:
    assert re.findall(r'tel:([^"]+)"', linked(text)) == links
    assert re.sub(r"<[^>]+>", "", linked(text)) == text


def test_a_page_is_made_in_its_language_whatever_the_caller_speaks(site: Website, folder: Path) -> None:
    with translation.override("en"):
        tell(site, story.STEPS[0])
    assert "Tun Sie jetzt das" in next((folder / "alerts").rglob("index.html")).read_text()
