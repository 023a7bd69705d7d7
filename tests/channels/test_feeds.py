"""The city's feeds: what they list and when, that others can read them, and what never stands in them."""

from __future__ import annotations

import datetime as dt
import json
import logging
import math
import re
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import feedparser
import httpx
import lxml.html
import pytest
import shapely
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from alerts import cap, public, signature
from alerts.cap import rules
from alerts.content import Circle, District, Polygon, Text
from alerts.models import Area
from alerts.notice import Notice, Rendering
from alerts.terms import Kind, Status
from channels.base import Permanent, Temporary
from channels.city import feeds as adapter
from channels.city.feed_places import of_areas
from channels.city.feeds import Feeds, edition
from channels.city.feeds.entries import MOST_BYTES
from channels.city.feeds.shapes import circle_ring, geometry
from channels.http import Http
from channels.serving import Serve
from tests import story
from tests.channels import contract
from tests.story import Step, clock, put_out

ADDRESS = "http://city.example"
LANGUAGES = ["de", "de-simple", "en"]
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
ATOM = "{http://www.w3.org/2005/Atom}"
GEORSS = "{http://www.georss.org/georss}"
ORDERS = ("Verlassen Sie", "Gehen Sie aus", "Tarostraße", "Leave the area", "leave the area", "Take only")
HOSTILE = "<script>alert(1)</script> ]]> &amp; &#60;b> <!-- \"'> B2 & B87 \u202eNEBO\u202c 🧨"

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a signing key and its certificate."""
    folder = tmp_path_factory.mktemp("keys")
    key = signature.make_key()
    (folder / signature.KEY_FILE).write_bytes(key)
    now = dt.datetime(2022, 1, 1, tzinfo=dt.UTC)
    (folder / signature.CERTIFICATE_FILE).write_bytes(signature.make_certificate(key, "Stadt Leipzig", now))
    return folder


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.ADDRESS = ADDRESS
    return tmp_path / "public"


@pytest.fixture
def feeds(folder: Path, keys: Path) -> Feeds:
    """The feeds, with the real server of their folder at the other end of the wire."""
    return made(folder, keys)


def made(folder: Path, keys: Path, http: Http | None = None, hub: str = "") -> Feeds:
    return Feeds(
        "feeds",
        folder=str(folder),
        address=ADDRESS,
        languages=LANGUAGES,
        http=http or over(Serve(nothing, public=folder, static=folder)),
        keys_dir=str(keys),
        websub_hub=hub,
    )


def over(application: Callable[..., Iterable[bytes]]) -> Http:
    return Http(transport=httpx.WSGITransport(app=application))  # type: ignore[arg-type]


def nothing(_environ: Any, _start_response: Any) -> Iterable[bytes]:
    raise AssertionError("a feed asked Django")


def send(feeds: Feeds, message: Any, languages: Iterable[str] = LANGUAGES) -> Any:
    """What the engine does: hand over each approved rendering, with its slots, at the time of the message."""
    said = public.message(message.identifier)
    assert said
    with clock(message.sent):
        for language in languages:
            words = said.words("feeds", language)
            if words:
                slots = {"identifier": said.identifier, "sent": said.sent.isoformat(), "slug": said.slug, "digest": "0"}
                post = feeds.publish(Rendering("feeds", language, words, slots), key="k")
    return post


def told(feeds: Feeds, count: int = 4) -> list[Any]:
    """The first messages of the story, each put out and sent."""
    messages: list[Any] = []
    for step in story.STEPS[:count]:
        messages.append(put_out(step, messages[0].alert if messages else None))
        send(feeds, messages[-1])
    return messages


def warning(sent: dt.datetime = story.START, **changes: Any) -> Step:
    """The story's first message at another time, with other content."""
    step = story.steps(sent)[0]
    return replace(step, content=replace(step.content, **changes))


def worded(**words: str) -> dict[str, Text]:
    return {language: replace(text, **words) for language, text in story.WARNING.items()}


def listed(folder: Path, path: str) -> list[str]:
    """The CAP identifiers that a feed lists, in its order."""
    return [element.text or "" for element in etree.parse(folder / path).iter(f"{CAP}identifier")]


def ids(messages: Iterable[Any]) -> list[str]:
    return [message.identifier for message in messages]


def files(folder: Path) -> dict[str, bytes]:
    """All that the public could read, by path."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != ".lock"
    }


def everything_but(folder: Path, *paths: str) -> str:
    return "\n".join(
        body.decode() for path, body in files(folder).items() if not path.endswith(".gz") and path not in paths
    )


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing. Install it (Debian: apt install {name}); without it nobody has checked us.")
    return found


class TestContract(contract.Contract):
    def channel(self, **options: Any) -> Feeds:
        return Feeds("feeds", keys_dir=contract.SECRET, **options)


# The story


def test_after_each_step_each_feed_lists_what_it_should(feeds: Feeds, folder: Path) -> None:
    messages: list[Any] = []
    for number, step in enumerate(story.STEPS, start=1):
        messages.append(put_out(step, messages[0].alert if messages else None))
        send(feeds, messages[-1])
        newest_first = ids(reversed(messages))
        for prefix in ("", "de-simple/", "en/"):
            for path in ("feeds/alerts", "feeds/areas/zentrum-sud", "feeds/areas/zentrum"):
                assert listed(folder, f"{prefix}{path}.atom") == newest_first
                assert listed(folder, f"{prefix}{path}.rss") == newest_first
        live = json.loads((folder / "alerts.json").read_bytes())["alerts"]
        shapes = json.loads((folder / "alerts.geojson").read_bytes())["features"]
        current = [messages[-1].identifier] if number < 4 else []
        assert [alert["identifier"] for alert in live] == current
        assert [shape["properties"]["identifier"] for shape in shapes] == current
        assert sorted(file.name for file in (folder / "cap").glob("*.xml")) == sorted(
            f"{identifier}.xml" for identifier in newest_first
        )


def test_the_four_documents_refer_to_each_other_and_have_no_fault(feeds: Feeds, folder: Path) -> None:
    messages = told(feeds)
    before: list[tuple[str, str, str]] = []
    for message, kind in zip(messages, ("Alert", "Update", "Update", "Cancel"), strict=True):
        body = (folder / "cap" / f"{message.identifier}.xml").read_bytes()
        document = cap.read(body)
        assert document.msg_type == kind
        assert [tuple(reference) for reference in document.references] == before
        assert [info.language for info in document.info] == LANGUAGES
        assert rules.faults(body) == rules.Report()
        sent = etree.fromstring(body).findtext(f"{CAP}sent") or ""
        before.append((document.sender, document.identifier, sent))


def test_an_entry_says_what_was_approved_and_repeats_its_document(feeds: Feeds, folder: Path) -> None:
    messages = told(feeds, 2)
    entry = etree.parse(folder / "feeds/alerts.atom").find(f"{ATOM}entry")
    assert entry is not None
    text = story.EVACUATION["de"]
    assert entry.findtext(f"{ATOM}title") == f"Extreme Gefahr: {text.headline}"
    assert entry.findtext(f"{ATOM}summary") == text.short
    content = lxml.html.fromstring(entry.findtext(f"{ATOM}content") or "")
    assert [step.text_content() for step in content.iter("li")] == list(text.steps)
    assert "Gilt bis: 14. September, 06:00 Uhr" in content.text_content()
    document = etree.parse(folder / "cap" / f"{messages[1].identifier}.xml").getroot()
    info = document.find(f"{CAP}info")
    assert info is not None
    for name in ("event", "urgency", "severity", "certainty", "expires", "onset", "responseType", "language"):
        assert entry.findtext(f"{CAP}{name}") == info.findtext(f"{CAP}{name}") != ""
    for name in ("msgType", "status", "sent", "references", "sender"):
        assert entry.findtext(f"{CAP}{name}") == document.findtext(f"{CAP}{name}") != ""
    assert entry.findtext(f"{CAP}areaDesc") == info.findtext(f"{CAP}area/{CAP}areaDesc") != ""
    assert entry.findtext(f"{CAP}circle") == "51.3348,12.3727 0.6"
    assert (entry.findtext(f"{GEORSS}point"), entry.findtext(f"{GEORSS}radius")) == ("51.3348 12.3727", "600")


def test_an_entry_links_its_page_and_its_document(feeds: Feeds, folder: Path) -> None:
    (message,) = told(feeds, 1)
    page, document = f"{ADDRESS}/en/alerts/{message.alert.slug}/", f"{ADDRESS}/cap/{message.identifier}.xml"
    entry = etree.parse(folder / "en/feeds/alerts.atom").find(f"{ATOM}entry")
    assert entry is not None
    assert [dict(link.attrib) for link in entry.iter(f"{ATOM}link")] == [
        {"rel": "alternate", "type": "text/html", "hreflang": "en", "href": page},
        {"rel": "related", "type": "application/cap+xml", "href": document},
    ]
    assert entry.findtext(f"{ATOM}id") == f"tag:{story.SENDER},2022-09-13:{message.identifier}"
    item = etree.parse(folder / "en/feeds/alerts.rss").find("channel/item")
    assert item is not None
    guid, enclosure = item.find("guid"), item.find("enclosure")
    assert guid is not None
    assert enclosure is not None
    assert (guid.text, guid.get("isPermaLink")) == (message.identifier, "false")
    assert item.findtext("link") == page
    length = len((folder / "cap" / f"{message.identifier}.xml").read_bytes())
    assert dict(enclosure.attrib) == {"url": document, "length": str(length), "type": "application/cap+xml"}


def test_the_post_is_known_by_the_identifier(feeds: Feeds) -> None:
    message = put_out(story.STEPS[0])
    post = send(feeds, message)
    assert (post.remote_id, post.url) == (message.identifier, f"{ADDRESS}/en/feeds/alerts.atom")


# That others can read them


@pytest.fixture
def served(feeds: Feeds, folder: Path) -> Path:
    """A folder with the whole story, an exercise and hostile words in it."""
    told(feeds)
    send(feeds, put_out(story.as_exercise(story.STEPS[1])))
    hostile = worded(
        headline=HOSTILE[:160], description=HOSTILE * 3, instruction=f"{HOSTILE}\n{HOSTILE}", short=HOSTILE
    )
    send(feeds, put_out(warning(story.STEPS[3].sent + dt.timedelta(hours=1), texts=hostile, contact=HOSTILE)))
    return folder


def feed_files(folder: Path, suffix: str) -> list[Path]:
    found = sorted(folder.rglob(f"*{suffix}"))
    assert len(found) >= 3
    return found


def test_feedparser_finds_nothing_to_complain_of(served: Path) -> None:
    for file in [*feed_files(served, ".atom"), *feed_files(served, ".rss")]:
        feed = feedparser.parse(file.read_bytes())
        assert feed.bozo is False or feed.bozo == 0, (file, feed.get("bozo_exception"))
        assert feed.entries
        assert feed.feed.title
        assert feed.feed.link.startswith(f"{ADDRESS}/")
        for entry in feed.entries:
            assert entry.title
            assert entry.cap_identifier in entry.id
            assert entry.published_parsed
            assert any(link.type == "application/cap+xml" for link in entry.links)


def test_jing_finds_atom_valid(served: Path, real_data: Path) -> None:
    schema = real_data / "feeds" / "schema" / "atom_rfc4287.rnc"
    command = [program("jing"), "-c", str(schema), *map(str, feed_files(served, ".atom"))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_rss_schema_finds_rss_valid(served: Path, real_data: Path) -> None:
    schema = etree.XMLSchema(etree.parse(real_data / "feeds" / "schema" / "rss-2_0-google.xsd"))
    for file in feed_files(served, ".rss"):
        schema.assertValid(etree.parse(file))


def test_newsboat_reads_them_over_http(served: Path, tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(served))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for path in ("feeds/alerts.atom", "feeds/alerts.rss", "en/feeds/alerts.atom", "feeds/exercises.atom"):
            rows = read_by_newsboat(f"http://127.0.0.1:{server.server_port}/{path}", tmp_path)
            assert {guid.rpartition(":")[2] for guid, _title, _content in rows} == set(listed(served, path))
            assert all(title and "<li>" in content for _guid, title, content in rows)
        server.shutdown()


def read_by_newsboat(url: str, folder: Path) -> list[tuple[str, str, str]]:
    """What newsboat keeps of a feed: guid, title and text of each item. A cache each, since it keeps a guid once."""
    (folder / "urls").write_text(f"{url}\n")
    (folder / "cache.db").unlink(missing_ok=True)
    command = [program("newsboat"), "-u", folder / "urls", "-c", folder / "cache.db", "-C", "/dev/null"]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    subprocess.run([*command, "-x", "reload"], check=True, timeout=60, env=environment)
    with sqlite3.connect(folder / "cache.db") as cache:
        return cache.execute("SELECT guid, title, content FROM rss_item").fetchall()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


def test_xmlsec1_verifies_the_published_documents(served: Path, keys: Path) -> None:
    for file in (served / "cap").glob("*.xml"):
        command = [program("xmlsec1"), "--verify", "--trusted-pem", str(keys / signature.CERTIFICATE_FILE), str(file)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


def test_the_server_gives_them_their_types_and_answers_304(feeds: Feeds, folder: Path) -> None:
    told(feeds, 1)
    server = over(Serve(nothing, public=folder, static=folder))
    for path, media_type in (
        ("feeds/alerts.atom", "application/atom+xml"),
        ("feeds/alerts.rss", "application/rss+xml"),
        ("alerts.json", "application/json"),
        ("alerts.geojson", "application/geo+json"),
    ):
        first = server.get("feed", f"{ADDRESS}/{path}")
        assert first.headers["content-type"].startswith(media_type)
        assert first.headers["access-control-allow-origin"] == "*"
        again = server.get("feed", f"{ADDRESS}/{path}", headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304


# The same input gives the same bytes


def test_publishing_twice_gives_the_same_bytes(feeds: Feeds, folder: Path) -> None:
    messages = told(feeds, 2)
    before = files(folder)
    send(feeds, messages[1])
    assert files(folder) == before
    with clock(messages[1].sent + dt.timedelta(minutes=9)):
        feeds.rebuild()
    after = files(folder)
    assert {path: after[path] for path in before} == before


def test_a_document_is_never_written_again(feeds: Feeds, folder: Path, tmp_path: Path) -> None:
    (message,) = told(feeds, 1)
    document = folder / "cap" / f"{message.identifier}.xml"
    before = document.read_bytes(), document.stat().st_mtime_ns, document.stat().st_ino
    other = tmp_path / "other"
    other.mkdir()
    key = signature.make_key()
    (other / signature.KEY_FILE).write_bytes(key)
    (other / signature.CERTIFICATE_FILE).write_bytes(signature.make_certificate(key, "Andere", timezone.now()))
    with clock(message.sent):
        made(folder, other).rebuild()
    send(made(folder, other), message)
    assert (document.read_bytes(), document.stat().st_mtime_ns, document.stat().st_ino) == before


def test_rebuilding_makes_what_is_missing_and_tells_how_far_it_is(feeds: Feeds, folder: Path) -> None:
    messages = told(feeds)
    send(feeds, put_out(story.as_exercise(story.STEPS[0])))
    shutil.rmtree(folder)
    steps: list[tuple[int, int]] = []
    with clock(messages[3].sent):
        feeds.rebuild(lambda done, total: steps.append((done, total)))
    assert len(list((folder / "cap").glob("*.xml"))) == 5
    assert listed(folder, "feeds/alerts.atom") == ids(reversed(messages))
    assert len(listed(folder, "feeds/exercises.atom")) == 1
    assert steps == [(done, 9) for done in range(10)]  # two alerts, six feeds, the data


def test_rebuilding_removes_the_feeds_of_districts_and_languages_that_are_gone(feeds: Feeds, folder: Path) -> None:
    told(feeds, 1)
    Area.objects.filter(code="Zentrum-West").update(active=False)
    feeds.languages = ["de", "en"]
    feeds.rebuild()
    assert not (folder / "de-simple/feeds/alerts.atom").exists()
    assert not (folder / "feeds/areas/zentrum-west.atom").exists()
    assert not (folder / "en/feeds/areas/zentrum-west.rss.gz").exists()
    assert (folder / "feeds/areas/zentrum.atom").exists()


def test_a_document_that_the_disk_broke_silences_nobody(feeds: Feeds, folder: Path) -> None:
    (first,) = told(feeds, 1)
    document = folder / "cap" / f"{first.identifier}.xml"
    whole = document.read_bytes()
    document.write_bytes(whole[:500])
    second = put_out(warning(story.START + dt.timedelta(hours=1)))
    send(feeds, second)
    assert listed(folder, "feeds/alerts.atom") == ids([second, first])
    assert document.read_bytes() == whole


# Exercises


def test_an_exercise_stands_in_its_own_feed_alone(feeds: Feeds, folder: Path) -> None:
    real = told(feeds, 1)
    exercise = put_out(story.as_exercise(story.STEPS[1]))
    send(feeds, exercise)
    with clock(exercise.sent):
        feeds.rebuild()
    own = [f"{prefix}feeds/exercises.atom" for prefix in ("", "de-simple/", "en/")]
    for path in own:
        assert listed(folder, path) == [exercise.identifier]
    rest = everything_but(folder, *own, f"cap/{exercise.identifier}.xml")
    assert exercise.identifier not in rest
    assert exercise.alert.slug not in rest
    assert listed(folder, "feeds/alerts.atom") == ids(real)
    entry = etree.parse(folder / own[0]).find(f"{ATOM}entry")
    assert entry is not None
    assert (entry.findtext(f"{ATOM}title") or "").startswith("ÜBUNG")
    assert entry.findtext(f"{CAP}status") == "Exercise"


def test_an_exercise_never_prints_its_order(feeds: Feeds, folder: Path) -> None:
    send(feeds, put_out(story.as_exercise(story.STEPS[1])))
    said = everything_but(folder)
    assert "ÜBUNG" in said
    for order in ORDERS:
        assert order not in said
    assert "Evacuate" not in said


def test_a_test_stands_with_the_exercises_and_says_so(feeds: Feeds, folder: Path) -> None:
    step = replace(story.STEPS[0], content=replace(story.STEPS[0].content, status=Status.TEST))
    message = put_out(step)
    send(feeds, message)
    assert listed(folder, "feeds/exercises.atom") == [message.identifier]
    title = etree.parse(folder / "en/feeds/exercises.atom").findtext(f"{ATOM}entry/{ATOM}title") or ""
    assert title.startswith("TEST: ")
    assert title.endswith("(Test, no danger)")
    assert not (folder / "alerts.json").exists()
    assert not (folder / "feeds/alerts.atom").exists()


# Hostile and odd words


def test_hostile_words_come_out_as_they_were_and_do_nothing(feeds: Feeds, folder: Path) -> None:
    hostile = worded(headline=HOSTILE, description=HOSTILE, instruction=HOSTILE, short=HOSTILE, event=HOSTILE[:80])
    content = {"texts": hostile, "place": HOSTILE[:100], "contact": HOSTILE, "web": "https://city.example/?a=1&b=<"}
    message = put_out(warning(**content))
    send(feeds, message)
    entry = etree.parse(folder / "feeds/alerts.atom").find(f"{ATOM}entry")
    assert entry is not None
    assert entry.findtext(f"{ATOM}title") == f"Mittlere Gefahr: {HOSTILE}"
    assert entry.findtext(f"{ATOM}summary") == HOSTILE
    item = etree.parse(folder / "feeds/alerts.rss").find("channel/item")
    assert item is not None
    # what a reader that takes the title for HTML would show
    assert lxml.html.fromstring(f"<p>{item.findtext('title')}</p>").text_content() == f"Mittlere Gefahr: {HOSTILE}"
    for markup in (entry.findtext(f"{ATOM}content"), item.findtext("description")):
        shown = lxml.html.fromstring(f"<div>{markup}</div>")
        assert {element.tag for element in shown.iter()} <= {"div", "p", "b", "ol", "li", "a"}
        assert [step.text_content() for step in shown.iter("li")] == [HOSTILE]
        assert [link.get("href") for link in shown.iter("a")] == [f"{ADDRESS}/alerts/{message.alert.slug}/"]
    (alert,) = json.loads((folder / "alerts.json").read_bytes())["alerts"]
    assert alert["texts"]["de"]["headline"] == HOSTILE
    assert alert["contact"] == HOSTILE
    document = cap.read((folder / "cap" / f"{message.identifier}.xml").read_bytes())
    assert document.info[0].headline == HOSTILE
    raw = everything_but(folder, "alerts.json", "alerts.geojson")
    assert "<script" not in raw


def test_ordinary_titles_are_the_same_in_both_formats(feeds: Feeds, folder: Path) -> None:
    send(feeds, put_out(warning(texts=worded(headline="Sperrung der B2 & B87: Fahren Sie langsam"))))
    title = etree.parse(folder / "feeds/alerts.rss").findtext("channel/item/title")
    assert title == "Mittlere Gefahr: Sperrung der B2 & B87: Fahren Sie langsam"


def notice(**changes: Any) -> Notice:
    return replace(contract.notices()[0], **changes)


@pytest.mark.parametrize("field", ["headline", "description", "short", "area", "contact", "event"])
@pytest.mark.parametrize(("letter", "code"), [("\x07", "U+0007"), ("\ud800", "U+D800"), ("\ufffe", "U+FFFE")])
def test_characters_that_xml_cant_carry_are_refused_when_composing(field: str, letter: str, code: str) -> None:
    with pytest.raises(ValueError, match=re.escape(code)):
        Feeds("feeds").compose(notice(**{field: f"a{letter}b"}))


def test_what_cap_would_refuse_is_refused_when_composing() -> None:
    crossing = Polygon(((51.3, 12.3), (51.4, 12.4), (51.3, 12.4), (51.4, 12.3), (51.3, 12.3)))
    with pytest.raises(ValueError, match=r"\w+ .*\w+"):
        Feeds("feeds").compose(notice(polygons=(crossing,)))
    with pytest.raises(ValueError, match="event"):
        Feeds("feeds").compose(notice(event=""))


def test_an_exercise_kept_ready_for_a_drill_has_no_times_yet() -> None:
    drill = contract.notices(replace(contract.CONTENT, status="Exercise", note="Probe", expires=None, valid_for=60))[0]
    fields = Feeds("feeds").compose(drill).fields
    assert "Gilt bis" not in dict(fields["facts"])


def test_a_level_is_not_said_twice() -> None:
    clear = notice(headline="Entwarnung: Die Bombe ist entschärft", level_word="Entwarnung")
    assert Feeds("feeds").compose(clear).fields["title"] == "Entwarnung: Die Bombe ist entschärft"


# Failures


def test_without_a_key_nothing_is_published_and_later_everything(folder: Path, keys: Path, tmp_path: Path) -> None:
    message = put_out(story.STEPS[0])
    with pytest.raises(Temporary, match="make_keys"):
        send(made(folder, tmp_path / "none"), message)
    assert files(folder) == {}
    send(made(folder, keys), message)
    assert listed(folder, "feeds/alerts.atom") == [message.identifier]


def test_a_damaged_key_stops_the_document(folder: Path, keys: Path, tmp_path: Path) -> None:
    key: Any = serialization.load_pem_private_key((keys / signature.KEY_FILE).read_bytes(), None)
    sound = key.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        sound.p, sound.q, sound.d + 2, sound.dmp1 + 2, sound.dmq1 + 2, sound.iqmp, sound.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    pem = wrong.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / signature.KEY_FILE).write_bytes(pem)
    (broken / signature.CERTIFICATE_FILE).write_bytes((keys / signature.CERTIFICATE_FILE).read_bytes())
    with pytest.raises(Temporary):
        send(made(folder, broken), put_out(story.STEPS[0]))
    assert files(folder) == {}


def test_one_message_that_cant_be_signed_holds_up_no_other(
    feeds: Feeds, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put_out(story.STEPS[0])
    sign = signature.Signer.sign

    def refuse_the_first(signer: signature.Signer, body: bytes) -> bytes:
        if first.identifier.encode() in body:
            raise signature.SigningFailed("no")
        return sign(signer, body)

    monkeypatch.setattr(signature.Signer, "sign", refuse_the_first)
    second = put_out(warning(story.START + dt.timedelta(hours=1)))
    with pytest.raises(Temporary):
        send(feeds, first)
    send(feeds, second)
    assert listed(folder, "feeds/alerts.atom") == [second.identifier]
    assert [alert["identifier"] for alert in json.loads((folder / "alerts.json").read_bytes())["alerts"]] == [
        second.identifier
    ]


def test_a_folder_that_cant_be_written_leaves_the_old_files(feeds: Feeds, folder: Path) -> None:
    told(feeds, 1)
    before = files(folder)
    (folder / "feeds").rename(folder / "moved")
    (folder / "feeds").write_text("in the way")
    with pytest.raises(Temporary, match="public folder"):
        send(feeds, put_out(warning(story.START + dt.timedelta(hours=1))))
    (folder / "feeds").unlink()
    (folder / "moved").rename(folder / "feeds")
    assert {path: body for path, body in files(folder).items() if not path.startswith("cap/")} == {
        path: body for path, body in before.items() if not path.startswith("cap/")
    }


@pytest.mark.parametrize("status", ["404 Not Found", "301 Moved Permanently", "503 Service Unavailable", "200 OK"])
def test_what_is_not_found_at_the_public_address_is_tried_again(folder: Path, keys: Path, status: str) -> None:
    def old(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(status, [("Content-Type", "application/atom+xml")])
        return [b"<feed>the version before</feed>"]

    with pytest.raises(Temporary):
        send(made(folder, keys, over(old)), put_out(story.STEPS[0]))


def test_caches_are_asked_for_the_new_version(folder: Path, keys: Path) -> None:
    asked = []
    serve = Serve(nothing, public=folder, static=folder)

    def watch(environ: Any, start_response: Any) -> Iterable[bytes]:
        asked.append((environ["PATH_INFO"], environ.get("HTTP_CACHE_CONTROL")))
        return serve(environ, start_response)

    message = put_out(story.STEPS[0])
    send(made(folder, keys, over(watch)), message, ["de"])
    assert asked == [
        (f"/cap/{message.identifier}.xml", "no-cache"),
        ("/feeds/alerts.atom", "no-cache"),
        ("/feeds/alerts.rss", "no-cache"),
    ]


def test_an_unknown_message_is_refused(feeds: Feeds) -> None:
    slots = {"identifier": "gone", "sent": "", "slug": "", "digest": ""}
    with pytest.raises(Permanent, match="gone"):
        feeds.publish(Rendering("feeds", "de", {}, slots), key="k")


def test_nothing_is_ever_taken_back(feeds: Feeds) -> None:
    message = put_out(story.STEPS[0])
    with pytest.raises(Permanent):
        feeds.retract(send(feeds, message))


def test_the_probe_tells_of_a_missing_key_and_of_a_working_one(feeds: Feeds, folder: Path, tmp_path: Path) -> None:
    told(feeds, 1)
    assert f"{ADDRESS}/feeds/alerts.atom" in feeds.probe()
    with pytest.raises(Permanent, match="make_keys"):
        made(folder, tmp_path / "none").probe()


# What time changes


def test_an_expired_message_goes_after_two_weeks_and_no_earlier(feeds: Feeds, folder: Path) -> None:
    messages = told(feeds)
    expires = max(message.expires for message in messages)
    with clock(expires + dt.timedelta(days=13, hours=23)):
        feeds.refresh()
    assert listed(folder, "feeds/alerts.atom")
    with clock(expires + dt.timedelta(days=14)):
        feeds.refresh()
    for path in ("feeds/alerts.atom", "feeds/alerts.rss", "en/feeds/alerts.atom", "feeds/areas/zentrum.atom"):
        assert listed(folder, path) == []
        assert feedparser.parse((folder / path).read_bytes()).bozo in (False, 0)
    assert etree.parse(folder / "feeds/alerts.atom").findtext(f"{ATOM}updated") == "2022-09-14T00:10:00+00:00"
    assert len(list((folder / "cap").glob("*.xml"))) == 4


def test_the_feed_of_a_district_that_is_gone_ends_with_its_last_message(feeds: Feeds, folder: Path) -> None:
    (message,) = told(feeds, 1)
    Area.objects.filter(code="Zentrum").update(active=False)
    with clock(message.expires + dt.timedelta(days=14)):
        feeds.refresh()
    assert not (folder / "feeds/areas/zentrum.atom").exists()
    assert listed(folder, "feeds/areas/zentrum-sud.atom") == []


def test_what_has_expired_leaves_the_data_at_once(feeds: Feeds, folder: Path) -> None:
    (message,) = told(feeds, 1)
    with clock(message.expires - dt.timedelta(seconds=1)):
        feeds.refresh()
    assert len(json.loads((folder / "alerts.json").read_bytes())["alerts"]) == 1
    with clock(message.expires):
        feeds.refresh()
    assert json.loads((folder / "alerts.json").read_bytes())["alerts"] == []
    assert json.loads((folder / "alerts.geojson").read_bytes())["features"] == []
    assert listed(folder, "feeds/alerts.atom") == [message.identifier]


def test_a_look_at_what_has_not_changed_reads_no_row_and_writes_no_file(
    feeds: Feeds, folder: Path, django_assert_num_queries: Any
) -> None:
    messages = told(feeds, 2)
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.*")}
    with clock(messages[1].sent + dt.timedelta(minutes=1)), django_assert_num_queries(0):
        feeds.refresh()
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.*")} == before


def test_an_empty_folder_gets_all_its_feeds(feeds: Feeds, folder: Path) -> None:
    story.districts()
    feeds.refresh()
    for path in ("feeds/alerts.atom", "en/feeds/alerts.rss", "feeds/exercises.atom", "feeds/areas/zentrum-sud.rss"):
        assert listed(folder, path) == []
    assert json.loads((folder / "alerts.json").read_bytes())["alerts"] == []


# Districts


def tree() -> None:
    """City › Mitte › the story's four, and Rand › Fern."""
    city = Area.objects.create(code="city", name="Leipzig")
    middle = Area.objects.create(code="0 Mitte", name="Mitte", parent=city)
    edge = Area.objects.create(code="9 Rand", name="Rand", parent=city)
    Area.objects.create(code="fern", name="Fern", parent=edge)
    for area in story.districts():
        area.parent = middle
        area.save()


def test_a_borough_has_a_feed_of_what_touches_its_districts(feeds: Feeds, folder: Path) -> None:
    tree()
    feeds.rebuild()
    edge = folder / "feeds/areas/9-rand.atom"
    before = edge.stat().st_ino
    (message,) = told(feeds, 1)
    assert sorted(path.name for path in (folder / "feeds/areas").glob("*.atom")) == ["0-mitte.atom", "9-rand.atom"]
    assert listed(folder, "feeds/areas/0-mitte.atom") == [message.identifier]
    assert listed(folder, "en/feeds/areas/0-mitte.rss") == [message.identifier]
    assert listed(folder, "feeds/areas/9-rand.atom") == []
    assert edge.stat().st_ino == before
    title = etree.parse(folder / "feeds/areas/0-mitte.atom").findtext(f"{ATOM}title") or ""
    assert title.endswith("Stadt Leipzig, Mitte")


def test_a_district_that_is_warned_also_reads_that_it_is_over(
    feeds: Feeds, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [put_out(story.STEPS[0])]
    send(feeds, messages[0])
    rest = [area for area in story.districts() if area.code != "Zentrum"]
    monkeypatch.setattr(story, "districts", lambda: rest)
    messages.append(put_out(story.STEPS[3], messages[0].alert))
    send(feeds, messages[1])
    assert listed(folder, "feeds/areas/zentrum.atom") == ids(reversed(messages))


def test_districts_with_names_alike_keep_feeds_apart() -> None:
    areas = [public.PublicArea(code, code, "", None) for code in ("Süd", "Sud", "中", "A")]
    paths = [listing.path for listing in of_areas(areas)]
    assert paths[0] == "feeds/areas/sud"
    assert paths[3] == "feeds/areas/a"
    assert len(set(paths)) == 4
    assert all(re.fullmatch(r"feeds/areas/[a-z0-9-]+", path) for path in paths)


def test_districts_chosen_by_name_come_with_their_outlines(feeds: Feeds, folder: Path) -> None:
    chosen = tuple(District(area.code, area.name) for area in story.districts()[:2])
    message = put_out(warning(circles=(), districts=chosen, touched=chosen))
    send(feeds, message)
    document = cap.read((folder / "cap" / f"{message.identifier}.xml").read_bytes())
    assert len(document.info[0].area[0].polygon) == 2
    entry = etree.parse(folder / "feeds/alerts.atom").find(f"{ATOM}entry")
    assert entry is not None
    assert len(entry.findall(f"{CAP}polygon")) == len(entry.findall(f"{GEORSS}polygon")) == 2
    (feature,) = json.loads((folder / "alerts.geojson").read_bytes())["features"]
    outline = shapely.geometry.shape(feature["geometry"])
    assert outline.is_valid
    assert outline.equals(shapely.union_all([shapely.geometry.shape(story.square(number)) for number in (0, 1)]))


# Languages


def test_a_message_that_lacks_a_language_is_listed_in_it_all_the_same(
    feeds: Feeds, folder: Path, settings: Any
) -> None:
    settings.CONTENT_LANGUAGES = ["de", "en"]
    message = put_out(warning(texts={language: story.WARNING[language] for language in ("de", "en")}))
    send(feeds, message)
    assert listed(folder, "de-simple/feeds/alerts.atom") == [message.identifier]
    entry = etree.parse(folder / "de-simple/feeds/alerts.atom").find(f"{ATOM}entry")
    assert entry is not None
    assert entry.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert (entry.findtext(f"{ATOM}title") or "").endswith(story.WARNING["de"].headline)


# Size


def test_a_feed_stays_small_and_keeps_what_still_warns(feeds: Feeds, folder: Path) -> None:
    start = story.START
    old = put_out(warning(start, expires=start + dt.timedelta(days=9)))
    long = worded(description="Ein Satz mit <Sinn> und Verstand. " * 150)
    later = [
        put_out(warning(start + dt.timedelta(hours=hour), texts=long, expires=start + dt.timedelta(hours=hour + 1)))
        for hour in range(1, 21)
    ]
    with clock(start + dt.timedelta(days=1)):
        feeds.rebuild()
    for path in ("feeds/alerts.atom", "feeds/alerts.rss", "en/feeds/alerts.atom"):
        assert (folder / path).stat().st_size <= MOST_BYTES
        found = listed(folder, path)
        assert found[-1] == old.identifier
        assert found[:-1] == ids(reversed(later))[: len(found) - 1]
        assert len(found) > 4


def test_many_long_warnings_in_force_are_all_listed_in_brief(feeds: Feeds, folder: Path) -> None:
    long = worded(description="Ein Satz mit <Sinn> & Verstand. " * 180)
    start = story.START
    live = [put_out(warning(start + dt.timedelta(minutes=minute), texts=long)) for minute in range(14)]
    with clock(start + dt.timedelta(hours=1)):
        feeds.rebuild()
    assert listed(folder, "feeds/alerts.atom") == ids(reversed(live))
    assert (folder / "feeds/alerts.atom").stat().st_size < 2 * MOST_BYTES
    found = list(etree.parse(folder / "feeds/alerts.atom").iter(f"{ATOM}entry"))
    whole = [entry.find(f"{ATOM}content") is not None for entry in found]
    assert whole[0]
    assert not whole[-1]
    assert all(entry.findtext(f"{ATOM}summary") and entry.findtext(f"{CAP}expires") for entry in found)


def test_a_feed_lists_a_limited_number(feeds: Feeds, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edition, "MOST", 4)
    messages = [put_out(warning(story.START + dt.timedelta(minutes=minute))) for minute in range(6)]
    with clock(story.START + dt.timedelta(hours=2)):
        feeds.rebuild()
    for path in ("feeds/alerts.atom", "feeds/areas/zentrum.rss"):
        assert listed(folder, path) == ids(reversed(messages))[:4]
    send(feeds, messages[0])  # a late retry finds no room, and is done all the same
    assert listed(folder, "feeds/alerts.atom") == ids(reversed(messages))[:4]


def test_publishing_asks_no_more_of_a_large_archive(feeds: Feeds) -> None:
    def queries(archive: int, sent: dt.datetime) -> int:
        for number in range(archive):
            put_out(warning(sent - dt.timedelta(days=40 + number)))
        with clock(sent):
            feeds.refresh()
        message = put_out(warning(sent))
        with CaptureQueriesContext(connection) as captured:
            send(feeds, message)
        return len(captured)

    few = queries(2, story.START)
    assert queries(7, story.START + dt.timedelta(days=100)) == few


# Data


def test_the_json_says_all_that_is_known(feeds: Feeds, folder: Path) -> None:
    messages = told(feeds, 2)
    value = json.loads((folder / "alerts.json").read_bytes())
    (alert,) = value["alerts"]
    assert (value["version"], value["city"]) == (1, "Stadt Leipzig")
    assert alert["id"] == messages[0].alert.slug
    assert alert["cap"] == f"{ADDRESS}/cap/{messages[1].identifier}.xml"
    assert alert["url"] == f"{ADDRESS}/alerts/{messages[0].alert.slug}/"
    assert alert["sent"] == "2022-09-13T14:00:00+02:00"
    assert alert["expires"] == "2022-09-14T06:00:00+02:00"
    assert (alert["level"], alert["severity"], alert["msgType"]) == ("extreme", "Extreme", "Update")
    assert alert["circles"] == [{"lat": 51.3348, "lon": 12.3727, "km": 0.6}]
    assert [district["name"] for district in alert["districts"]] == [district.name for district in story.TOUCHED]
    assert [reference["identifier"] for reference in alert["references"]] == [messages[0].identifier]
    assert list(alert["texts"]) == LANGUAGES
    assert alert["texts"]["en"]["headline"] == story.EVACUATION["en"].headline
    assert alert["texts"]["en"]["instruction"] == list(story.EVACUATION["en"].steps)
    assert alert["texts"]["en"]["url"] == f"{ADDRESS}/en/alerts/{messages[0].alert.slug}/"


def test_the_most_dangerous_comes_first(feeds: Feeds, folder: Path) -> None:
    severe = put_out(warning(severity="Severe"))
    minor = put_out(warning(story.START + dt.timedelta(minutes=1), severity="Minor"))
    send(feeds, minor)
    live = json.loads((folder / "alerts.json").read_bytes())["alerts"]
    assert [alert["identifier"] for alert in live] == ids([severe, minor])


def test_geojson_holds_a_valid_circle_of_64_corners_lon_first(feeds: Feeds, folder: Path) -> None:
    told(feeds, 1)
    value = json.loads((folder / "alerts.geojson").read_bytes())
    assert value["type"] == "FeatureCollection"
    (feature,) = value["features"]
    (ring,) = feature["geometry"]["coordinates"]
    assert len(ring) == 65
    shape = shapely.geometry.shape(feature["geometry"])
    assert shape.is_valid
    assert shape.exterior.is_ccw
    assert shape.centroid.distance(shapely.Point(12.3727, 51.3348)) < 1e-5


def test_shapes_that_overlap_become_one_valid_area() -> None:
    square = Polygon(((51.33, 12.37), (51.34, 12.37), (51.34, 12.38), (51.33, 12.38), (51.33, 12.37)))
    far = [(51.40, 12.40), (51.41, 12.40), (51.41, 12.41), (51.40, 12.40)]
    value = geometry([Circle(51.335, 12.375, 0.6), Circle(51.335, 12.377, 0.6)], [square], [far])
    assert value is not None
    assert value["type"] == "MultiPolygon"
    shape = shapely.geometry.shape(value)
    assert shape.is_valid
    assert len(shape.geoms) == 2
    assert geometry([], [], []) is None


@given(lat=st.floats(-85, 85), lon=st.floats(-175, 175), km=st.floats(0.05, 100))
def test_every_corner_of_a_circle_is_as_far_from_its_centre(lat: float, lon: float, km: float) -> None:
    ring = circle_ring(lat, lon, km)
    assert len(ring) == 65
    assert ring[0] == ring[-1]
    for north, east in ring[:-1]:
        assert distance(lat, lon, north, east) == pytest.approx(km, abs=0.0002)


def distance(lat: float, lon: float, north: float, east: float) -> float:
    """Kilometres on the sphere, by the haversine."""
    first, second = math.radians(lat), math.radians(north)
    turn = math.sin((second - first) / 2) ** 2
    turn += math.cos(first) * math.cos(second) * math.sin(math.radians(east - lon) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(turn))


# WebSub


class Hub:
    """A server for the folder and, under another name, a WebSub hub that plays a part."""

    def __init__(self, folder: Path, status: str = "202 Accepted", hold: threading.Event | None = None) -> None:
        self.serve = Serve(nothing, public=folder, static=folder)
        self.status = status
        self.hold = hold
        self.forms: list[dict[str, list[str]]] = []

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["HTTP_HOST"] != "hub.example":
            return self.serve(environ, start_response)
        body = environ["wsgi.input"].read().decode()
        self.forms.append(httpx.QueryParams(body).multi_items())  # type: ignore[arg-type]
        if self.hold:
            self.hold.wait(20)
        start_response(self.status, [("Content-Type", "text/plain")])
        return [b""]


def test_the_hub_is_told_once_of_every_feed_that_changed(folder: Path, keys: Path) -> None:
    hub = Hub(folder)
    message = put_out(story.STEPS[0])
    send(made(folder, keys, over(hub), "https://hub.example/"), message)
    (form,) = hub.forms
    assert ("hub.mode", "publish") in form
    urls = {value for name, value in form if name == "hub.url"}  # type: ignore[misc]
    assert {f"{ADDRESS}/feeds/alerts.atom", f"{ADDRESS}/en/feeds/alerts.rss"} <= urls
    assert f"{ADDRESS}/feeds/areas/zentrum.atom" in urls
    assert not any("exercises" in url for url in urls)
    for path in ("feeds/alerts.atom", "feeds/alerts.rss"):
        links = etree.parse(folder / path).iter(f"{ATOM}link")
        assert [link.get("href") for link in links if link.get("rel") == "hub"] == ["https://hub.example/"]


def test_a_hub_that_refuses_fails_no_delivery(folder: Path, keys: Path, caplog: pytest.LogCaptureFixture) -> None:
    message = put_out(story.STEPS[0])
    with caplog.at_level(logging.WARNING):
        send(made(folder, keys, over(Hub(folder, "500 Broken")), "https://hub.example/"), message)
    assert "hub" in caplog.text


def test_a_hub_that_hangs_holds_up_no_delivery(
    folder: Path, keys: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(adapter, "HUB_SECONDS", 0.05)
    hold = threading.Event()
    hub = Hub(folder, hold=hold)
    message = put_out(story.STEPS[0])
    try:
        post = send(made(folder, keys, over(hub), "https://hub.example/"), message)
        assert post.remote_id == message.identifier
        assert "did not answer" in caplog.text
    finally:
        hold.set()


def test_without_a_hub_none_is_named(feeds: Feeds, folder: Path) -> None:
    told(feeds, 1)
    assert 'rel="hub"' not in (folder / "feeds/alerts.atom").read_text()


# Order: an all-clear that is sent before its page was retried


def test_a_late_retry_changes_no_order(feeds: Feeds, folder: Path) -> None:
    first = put_out(story.STEPS[0])
    second = put_out(story.STEPS[3], first.alert)
    send(feeds, second)
    send(feeds, first)
    assert listed(folder, "feeds/alerts.atom") == ids([second, first])
    assert second.kind == Kind.ALL_CLEAR
