"""The ready-made templates: whole in every language, sendable on every channel, plain enough, and loaded with care."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.utils import timezone

from alerts import audit, drafting, public
from alerts.content import Circle, Content, Text, from_json, to_json
from alerts.desk import gaps
from alerts.models import AuditEntry, Draft, DraftState, ReleasePlan, Template, TemplateVersion
from alerts.notice import Notice, Rendering, notice
from alerts.readymade import Ready, templates
from alerts.terms import MSG_TYPE, Kind, Status
from channels import registry
from channels.city.sms.text import GSM7, encoding
from tests import city
from tests.desk.conftest import make_roles

READY = templates()
KEYS = [ready.key for ready in READY]
LANGUAGES = ("de", "de-simple", "en")
each = pytest.mark.parametrize("ready", READY, ids=KEYS)

VALUES = {
    "place": "Dimitroffstraße",
    "time": "18:30",
    "shelters": "Schule Tarostraße 4, Schule Karl-Heine-Straße 22b",
    "places": "Feuerwache Mitte, Rathaus Grünau",
    "hotline": "115",
    "phone": "0341 1234567",
    "substance": "Ammoniak",
    "substance_en": "ammonia",
    "reason": "Ein Damm bricht",
    "reason_en": "a dam is failing",
    "degrees": "38",
    "name": "Emil",
    "age": "7",
    "looks": "1,20 Meter groß, blonde Haare, rote Jacke, blaue Hose",
    "looks_en": "1.20 metres tall, fair hair, red jacket, blue trousers",
    "hospital": "Klinikum Mitte",
    "hospitals": "Klinikum Nord, Klinikum Süd",
    "date": "14.9.",
    "claim": "Das Trinkwasser ist vergiftet",
    "claim_en": "The drinking water is poisoned",
    "fact": "Das Trinkwasser ist sauber",
    "fact_en": "The drinking water is clean",
    "event": "Bombenfund",
    "event_en": "Bomb found",
}
"""What an officer might type into each gap."""

STEPS = {
    "de": {
        "Achten", "Behalten", "Benutzen", "Bilden", "Bleiben", "Bringen", "Duschen", "Fahren", "Fliehen", "Gehen",
        "Halten", "Helfen", "Hören", "Kehren", "Klingeln", "Kochen", "Kommen", "Lassen", "Laufen", "Lüften",
        "Meiden", "Nehmen", "Nutzen", "Packen", "Rufen", "Räumen", "Sagen", "Schalten", "Schließen", "Sehen",
        "Sparen", "Stellen", "Streuen", "Teilen", "Trinken", "Tun", "Verbreiten", "Verlassen", "Verstecken",
        "Waschen", "Zeigen", "Ziehen", "Öffnen",
    },
    "de-simple": {
        "Achten", "Bleiben", "Duschen", "Fahren", "Fassen", "Fragen", "Gehen", "Glauben", "Grillen", "Helfen", "Hören",
        "Kochen", "Lassen", "Laufen", "Machen", "Nehmen", "Öffnen", "Packen", "Putzen", "Räumen", "Rufen", "Sagen",
        "Schalten", "Schicken", "Sehen", "Sparen", "Telefonieren", "Trinken", "Tun", "Verstecken", "Versuchen",
        "Warten", "Waschen", "Ziehen",
    },
    "en": {
        "Air", "Allow", "Boil", "Call", "Check", "Clear", "Close", "Come", "Do", "Drink", "Go", "Grit", "Hide",
        "Keep", "Leave", "Listen", "Look", "Make", "Never", "Open", "Pack", "Rely", "Ring", "Run", "Save", "Share",
        "Show", "Shower", "Stay", "Switch", "Take", "Tell", "Turn", "Use", "Walk", "Wash", "Watch",
    },
}  # fmt: skip
"""The verbs that a step may begin with."""
FOR_SOME = {
    "de": re.compile(r"^(?:Sie|Jemand|Es geht|Ihr Kind|Ein Gerät) [^?]*\? "),
    "de-simple": re.compile(r"^Vielleicht [^.]*\. Dann "),
    "en": re.compile(r"^If [^,]*, "),
}
"""How a step begins that is for some people only; a verb comes next."""


def filled(ready: Ready) -> Content:
    return replace(
        gaps.fill(ready.content, VALUES),
        place=VALUES["place"],
        circles=(Circle(city.LAT, city.LON, 0.6),),
        facts_at=timezone.now(),
    )


def lines_of(text: Text) -> list[str]:
    return [text.event, text.headline, *text.description.splitlines(), *text.steps, text.short]


def sentences(text: Text) -> Iterator[str]:
    """Every sentence with its gaps filled; a list after a colon is one of its own, as it is read."""
    for line in lines_of(gaps.fill(Content(texts={"": text}), VALUES).texts[""]):
        yield from filter(None, (part.strip() for part in re.split(r"(?<=[.?:])\s", line)))


def words(sentence: str) -> int:
    return len(sentence.split())


class TestTheFiles:
    def test_there_is_one_for_each_event_in_an_order_of_its_own(self) -> None:
        assert KEYS == [
            "bombenfund-warnung", "bombenfund-raeumung", "brand-rauch", "hochwasser", "unwetter", "trinkwasser",
            "stromausfall", "gefahrstoff", "raeumung", "hitze", "glaette", "vermisstes-kind", "bedrohungslage",
            "notruf-ausfall", "krankenhaus", "schulen", "verkehr", "richtigstellung", "fehlalarm", "entwarnung",
            "uebung",
        ]  # fmt: skip
        assert [ready.order for ready in READY] == list(range(1, len(READY) + 1))
        kinds = {ready.key: ready.kind for ready in READY if ready.kind != Kind.WARNING}
        assert kinds == {
            "richtigstellung": Kind.CORRECTION,
            "fehlalarm": Kind.FALSE_ALARM,
            "entwarnung": Kind.ALL_CLEAR,
        }
        assert [ready.key for ready in READY if ready.content.exercise] == ["uebung"]

    @each
    def test_each_has_every_field_in_every_language(self, ready: Ready) -> None:
        assert set(ready.names) == {"de", "en"}
        assert tuple(ready.content.texts) == LANGUAGES
        for language, text in ready.content.texts.items():
            for field in ("event", "headline", "description", "instruction", "short"):
                assert getattr(text, field), (language, field)
        assert ready.content.category
        assert ready.content.response
        assert ready.content.valid_for
        cancels = ready.kind in {Kind.FALSE_ALARM, Kind.ALL_CLEAR}
        assert (ready.content.next_in is None) == (cancels or ready.content.exercise)
        assert ready.content.next_in is None or ready.content.next_in < ready.content.valid_for

    @each
    def test_each_asks_for_the_same_in_every_language_and_each_gap_has_a_label(self, ready: Ready) -> None:
        asked = {
            language: {name.removesuffix("_en") for name in gaps.find(Content(texts={language: text}))}
            for language, text in ready.content.texts.items()
        }
        assert asked["de"] == asked["de-simple"] == asked["en"]
        assert "place" in asked["de"]
        english = gaps.find(Content(texts={"en": ready.content.texts["en"]}))
        german = gaps.find(Content(texts={"de": ready.content.texts["de"]}))
        assert not [name for name in german if name.endswith("_en")]
        assert not [name for name in german if f"{name}_en" in english and name in english]
        for name in gaps.find(ready.content):
            assert name in gaps.LABELS
            assert name in VALUES

    def test_no_two_are_called_or_headed_alike(self) -> None:
        for language in ("de", "en"):
            assert len({ready.names[language] for ready in READY}) == len(READY)
        for language in LANGUAGES:
            for field in ("headline", "short"):
                assert len({getattr(ready.content.texts[language], field) for ready in READY}) == len(READY), field

    def test_what_is_filled_in_is_short_enough_to_ask_for_at_three_in_the_morning(self) -> None:
        asked = {ready.key: set(gaps.find(ready.content)) - {"place", "hotline"} for ready in READY}
        assert max(map(len, asked.values())) <= 5
        assert len(asked["bombenfund-warnung"]) == 1
        assert asked["bedrohungslage"] == asked["brand-rauch"] == asked["hochwasser"] == set()


class TestTheWords:
    @each
    def test_a_headline_is_short_and_names_the_place_early(self, ready: Ready) -> None:
        for text in filled(ready).texts.values():
            assert len(text.headline) <= 80
            assert text.headline.index(VALUES["place"]) <= 32

    @each
    def test_nothing_is_printed_that_costs_or_shouts(self, ready: Ready) -> None:
        for text in ready.content.texts.values():
            for line in lines_of(text):
                assert encoding(re.sub(r"[{}]", "", line)) == GSM7
                assert "!" not in line
                assert "\t" not in line
                assert "  " not in line

    @each
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_a_step_begins_with_what_to_do(self, ready: Ready, language: str) -> None:
        for step in ready.content.texts[language].steps:
            order = FOR_SOME[language].sub("", step)
            first = order.split()[0].rstrip(".,")
            assert (first if order == step else first.capitalize()) in STEPS[language], step

    @each
    def test_plain_german_and_english_have_short_sentences(self, ready: Ready) -> None:
        for language in ("de", "en"):
            for sentence in sentences(ready.content.texts[language]):
                assert words(sentence) <= {"de": 12, "en": 15}[language], sentence

    @each
    def test_leichte_sprache_has_one_short_thought_at_a_time(self, ready: Ready) -> None:
        found = list(sentences(ready.content.texts["de-simple"]))
        lengths = [words(sentence) for sentence in found]
        assert max(lengths) <= 12, max(found, key=words)
        assert sum(lengths) / len(lengths) <= 8
        for line in ready.content.texts["de-simple"].description.splitlines():
            assert len(re.findall(r"[.?](?:\s|$)", line)) == 1, line

    @each
    def test_leichte_sprache_has_no_genitive_passive_or_subjunctive(self, ready: Ready) -> None:
        hard = re.compile(
            r"\b(?:des|wurden?|wird ge\w+|werden ge\w+|worden|könnten?|müssten?|sollten?|würden?|hätten?|wären?"
            r"|weil|obwohl|damit|sodass|falls|sobald|wenn)\b"
        )
        for line in lines_of(ready.content.texts["de-simple"]):
            assert not hard.search(line), line

    def test_what_every_child_must_know_is_right(self) -> None:
        said = {ready.key: ready.content.texts["de"] for ready in READY}
        assert "3 Minuten sprudelnd" in said["trinkwasser"].instruction
        assert "quer zum Wind" in said["gefahrstoff"].instruction
        assert "nur, wenn dort alles trocken ist" in said["hochwasser"].instruction
        assert "Rufen Sie 110 an" in said["vermisstes-kind"].instruction
        assert "Verbreiten Sie keine Bilder" in said["bedrohungslage"].instruction
        assert "Feuerwache" in said["notruf-ausfall"].instruction
        assert "Feuerwache" in said["stromausfall"].instruction


@pytest.fixture(scope="module")
def demo_channels() -> dict[str, Any]:
    """The channels of the demo city, as its settings name them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BELFRY_DEMO", "1")
        found: dict[str, Any] = runpy.run_path(str(django_settings.BASE_DIR / "deploy" / "settings.py"))["CHANNELS"]
    return found


@pytest.fixture
def demo(demo_channels: dict[str, Any], settings: Any) -> dict[str, Any]:
    settings.ADDRESS = "https://warnung.leipzig.example"
    settings.CHANNELS = demo_channels
    return demo_channels


def composed(ready: Ready, **changes: Any) -> list[Rendering]:
    content = replace(filled(ready), **changes).settled(timezone.now())
    return registry.compose([_notice(content, ready.kind, language) for language in django_settings.CONTENT_LANGUAGES])


def _notice(content: Content, kind: Kind, language: str) -> Notice:
    msg_type, own = MSG_TYPE[kind], public.city()
    return notice(content, slug="b2c3d", kind=kind, msg_type=msg_type, language=language, fallback="de", city=own)


class TestOnTheWay:
    @pytest.mark.django_db
    @each
    def test_it_can_be_submitted_once_area_and_gaps_are_filled(self, ready: Ready, districts: None) -> None:
        found = drafting.faults(filled(ready), kind=ready.kind, now=timezone.now())
        assert [fault for fault in found if fault.hard] == []

    @pytest.mark.django_db
    def test_it_can_not_before(self, districts: None) -> None:
        for ready in READY:
            found = drafting.faults(ready.content, kind=ready.kind, now=timezone.now())
            assert {"gap", "no-place", "no-area"} <= {fault.code for fault in found if fault.hard}

    @each
    def test_every_channel_of_the_demo_can_say_it_in_two_texts(self, ready: Ready, demo: dict[str, Any]) -> None:
        made = composed(ready)
        assert {rendering.channel for rendering in made} == set(demo)
        pushes = [rendering.fields["payload"]["notification"] for rendering in made if rendering.channel == "webpush"]
        assert not [push["title"] for push in pushes if push["title"].endswith("…")]
        texts = {rendering.language: rendering.fields for rendering in made if rendering.channel == "sms"}
        assert set(texts) == set(LANGUAGES)
        for language, fields in texts.items():
            assert fields["encoding"] == GSM7
            assert fields["segments"] <= 2, (language, fields["text"])
            assert "..." not in fields["text"]  # nothing is cut off
            if not ready.content.exercise:
                assert gaps.fill(ready.content, VALUES).texts[language].short in fields["text"]

    @each
    def test_as_an_exercise_it_prints_no_order_anywhere(self, ready: Ready, demo: dict[str, Any]) -> None:
        texts = filled(ready).texts.values()
        orders = {part for text in texts for part in (*text.steps, text.headline, text.short)}
        if ready.content.exercise:
            orders = set()  # it says what the fixed text says: do nothing
        made = composed(ready, status=Status.EXERCISE)
        assert {rendering.channel for rendering in made} == set(demo)
        for rendering in made:
            said = str(rendering.fields)
            assert not [order for order in orders if order in said], rendering.channel
            assert "Verlassen Sie" not in said
            assert "ÜBUNG" in said or "EXERCISE" in said


@pytest.mark.django_db
class TestLoading:
    def load(self, *options: str) -> str:
        out = StringIO()
        call_command("load_templates", *options, stdout=out)
        return out.getvalue()

    def test_all_are_there_with_a_first_version_of_nobodys(self, settings: Any) -> None:
        settings.HOTLINE = "0341 123"
        assert "21" in self.load()
        assert list(Template.objects.values_list("key", flat=True)) == KEYS
        for row in Template.objects.all():
            version = row.versions.get()
            assert (version.number, version.by, bool(version.note)) == (1, None, True)
            assert (version.kind, version.names, version.content_json) == (row.kind, row.names, row.content_json)
        fire = from_json(Template.objects.get(key="brand-rauch").content_json)
        assert fire.contact == "Bürgertelefon 0341 123"
        assert gaps.find(fire) == ["place"]
        [line] = AuditEntry.objects.filter(action="templates-loaded")
        assert (line.actor, line.data["new"]) == ("belfry", KEYS)
        assert list(audit.faults()) == []

    def test_without_a_hotline_an_officer_is_asked_for_it(self, settings: Any) -> None:
        settings.HOTLINE = ""
        self.load()
        assert "hotline" in gaps.find(from_json(Template.objects.get(key="brand-rauch").content_json))

    @pytest.mark.parametrize("options", [(), ("--renew",)])
    def test_loading_again_changes_nothing(self, options: tuple[str, ...]) -> None:
        self.load()
        before = [list(model.objects.values()) for model in (Template, TemplateVersion, AuditEntry)]
        self.load(*options)
        assert [list(model.objects.values()) for model in (Template, TemplateVersion, AuditEntry)] == before

    def test_one_that_is_missing_is_added_and_told(self) -> None:
        self.load()
        Template.objects.filter(key="hitze").update(key="hitze-eigene")
        self.load()
        assert Template.objects.get(key="hitze").versions.count() == 1
        assert AuditEntry.objects.filter(action="templates-loaded").latest("number").data["new"] == ["hitze"]

    def test_an_older_text_of_ours_is_renewed_only_when_asked_and_stays_out_of_use(self) -> None:
        self.load()
        row = older("brand-rauch", active=False)
        self.load()
        row.refresh_from_db()
        assert row.content_json == older_json()
        self.load("--renew")
        row.refresh_from_db()
        assert from_json(row.content_json).texts["de"].event == "Großbrand"
        assert not row.active
        versions = list(row.versions.order_by("number"))
        assert [version.number for version in versions] == [1, 2, 3]
        assert versions[-1].content_json == row.content_json
        assert AuditEntry.objects.filter(action="templates-loaded").latest("number").data["renewed"] == ["brand-rauch"]

    def test_what_an_officer_changed_is_never_touched(self, author: Any) -> None:
        Template.objects.create(key="glaette", content_json=older_json())  # older than versions are
        self.load()
        older("brand-rauch", by=author)
        Template.objects.filter(key="hitze").update(content_json=older_json())  # changed past the versions
        self.load("--renew")
        for key in ("brand-rauch", "hitze", "glaette"):
            assert Template.objects.get(key=key).content_json == older_json(), key

    def test_the_demo_city_begins_with_them_and_has_an_exercise_approved(self, settings: Any, quiet: None) -> None:
        settings.DEMO, settings.ADDRESS = True, "http://127.0.0.1:8000"
        make_roles()
        for _again in range(2):
            call_command("demo_city")
        assert Template.objects.count() == TemplateVersion.objects.count() == len(READY)
        drill = Draft.objects.get(plan=ReleasePlan.DRILL)
        assert drill.state == DraftState.APPROVED
        assert drill.content.exercise
        assert gaps.find(drill.content) == []


def older_json() -> dict[str, Any]:
    return to_json(Content(severity="Severe", texts={"de": Text(event="Feuer")}))


def older(key: str, *, by: Any = None, active: bool = True) -> Template:
    """The template with another text as its second version."""
    row = Template.objects.get(key=key)
    row.content_json, row.active = older_json(), active
    row.save()
    said = {"kind": row.kind, "names": row.names, "content_json": row.content_json}
    TemplateVersion.objects.create(template=row, number=2, by=by, at=timezone.now(), **said)
    return row
