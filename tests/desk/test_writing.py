"""The compose page: what is typed is kept, what is wrong is said, what was written by two is shown to both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts import approval, drafting
from alerts.content import Circle, Content, Text, to_json
from alerts.models import Draft, Message, ReleasePlan, Template
from alerts.terms import Kind, Status
from tests import city
from tests.desk.posting import posted

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]


@pytest.fixture
def client(page_of: Browser, anna: User) -> Client:
    return page_of(anna)


@pytest.fixture
def draft(anna: User) -> Draft:
    return city.drafted(anna)


def page(draft: Draft) -> str:
    return f"/desk/drafts/{draft.pk}/"


def save(client: Client, draft: Draft, **changes: Any) -> Any:
    data = posted(client, draft) | {name.replace("__", "-"): value for name, value in changes.items()}
    return client.post(page(draft), {name: value for name, value in data.items() if value is not None})


def fresh(draft: Draft) -> Draft:
    return Draft.objects.get(pk=draft.pk)


def test_saving_the_form_as_it_stands_changes_nothing_of_the_content(client: Client, draft: Draft) -> None:
    before = draft.content
    assert save(client, draft).status_code == 302
    after = fresh(draft).content
    assert (after.texts, after.circles, after.valid_for, after.next_in) == (
        before.texts,
        before.circles,
        before.valid_for,
        before.next_in,
    )
    assert (after.place, after.severity, after.category, after.response, after.contact) == (
        before.place,
        before.severity,
        before.category,
        before.response,
        before.contact,
    )


def test_a_template_with_gaps_becomes_a_draft_in_three_steps(client: Client) -> None:
    Template.objects.create(
        key="bombe",
        names={"de": "Bombenfund", "en": "Bomb"},
        content_json=to_json(
            Content(
                category=("Safety",),
                severity="Severe",
                response=("Avoid",),
                valid_for=240,
                next_in=60,
                texts={
                    "de": Text("Bombenfund", "Bombe {place}: Meiden Sie das Gebiet", "Sie wiegt {weight} kg.", "Weg!"),
                    "en": Text("Bomb found", "Bomb at {place}: stay away", "It weighs {weight} kg.", "Leave!"),
                },
            )
        ),
    )
    assert "Bombenfund" in client.get("/desk/new/").content.decode()
    client.post("/desk/new/", {"status": "Actual", "template": "bombe"})
    draft = Draft.objects.latest("pk")
    assert "Bombe (kg)" in client.get(page(draft)).content.decode()
    changes = {
        "place": "Dimitroffstraße",
        "gap-weight": "100",
        "circle-0-centre": "51.3348, 12.3727",
        "circle-0-metres": "600",
        "action": "submit",
    }
    answer = client.post(page(draft), posted(client, draft) | changes)
    assert answer.status_code == 302
    draft = fresh(draft)
    assert draft.state == "submitted"
    assert draft.content.texts["de"].headline == "Bombe Dimitroffstraße: Meiden Sie das Gebiet"
    assert draft.content.texts["en"].description == "It weighs 100 kg."
    assert draft.content.circles == (Circle(51.3348, 12.3727, 0.6),)
    assert {district.name for district in draft.content.touched} == {"Nordwest", "Nordost", "Südwest", "Südost"}


def test_a_gap_left_open_stays_open_and_is_a_fault(client: Client, draft: Draft) -> None:
    save(client, draft, text__de__headline="Bombe {ort}")
    answer = save(client, draft, action="submit")
    assert answer.status_code == 422
    body = answer.content.decode()
    assert '<a href="#id_gap-ort">Noch nicht ausgefüllt: Ort.</a>' in body
    assert 'id="id_gap-ort"' in body


def test_what_is_missing_is_said_with_a_link_to_its_field(client: Client, anna: User) -> None:
    draft = drafting.new(anna)
    body = client.get(page(draft)).content.decode()
    for anchor in ("#id_text-de-headline", "#id_text-en-headline", "#id_place", "#where", "#id_category"):
        assert f'href="{anchor}"' in body
        assert f'id="{anchor[1:]}"' in body


def test_submitting_with_faults_saves_all_the_same(client: Client, draft: Draft) -> None:
    answer = save(
        client,
        draft,
        text__en__headline="",
        text__en__description="",
        text__en__instruction="",
        place="Augustusplatz",
        action="submit",
    )
    assert answer.status_code == 422
    assert "Nicht eingereicht, aber gespeichert" in answer.content.decode()
    assert fresh(draft).content.place == "Augustusplatz"
    assert fresh(draft).state == "draft"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("circle__0__centre", "irgendwo", "Breite und Länge"),
        ("circle__0__centre", "91, 12", "Breite reicht bis 90"),
        ("circle__0__metres", "", "fehlt der Radius"),
        ("circle__0__metres", "600000", "kleiner oder gleich 500000"),
        ("circle__0__metres", "NaN", "Zahl"),
        ("polygons", "51.3, 12.3\n51.4, 12.4", "drei Eckpunkte"),
        ("polygons", "51.3, 12.3\nkein Punkt\n51.4, 12.4", "Breite und Länge"),
        ("expires_how", "sometime", "gültige Auswahl"),
        ("facts_at", "gestern", "gültige"),
        ("severity", "Terrible", "gültige Auswahl"),
        ("districts", ["nirgendwo"], "gültige Auswahl"),
        ("place", "x" * 100_000, "höchstens 40000 Zeichen"),
        ("text__de__description", "Zeile\n" * 20_000, "höchstens 40000 Zeichen"),
        ("place", "Nullzeichen\x00hier", "Nullzeichen"),
        ("release_at", "2026-03-29T02:30", "Zeitzone"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_typed_is_lost(
    client: Client, draft: Draft, field: str, value: Any, words: str
) -> None:
    answer = save(client, draft, **{"text__de__headline": "Das ist mir wichtig", field: value})
    body = answer.content.decode()
    assert answer.status_code == 422
    assert words in body
    assert "Das ist mir wichtig" in body
    assert fresh(draft).version == draft.version


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Glocke\x07", "Steuerzeichen"),
        ("rechts\u202enach links", "umstellen"),
        ("https://evil.example/", "evil.example"),
        ("x" * 161, "zu lang"),
    ],
)
def test_text_that_can_harm_is_kept_but_not_submitted(client: Client, draft: Draft, text: str, words: str) -> None:
    answer = save(client, draft, text__de__headline=text, action="submit")
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert fresh(draft).content.texts["de"].headline == text


def test_pasted_word_processor_text_keeps_its_lines(client: Client, draft: Draft) -> None:
    save(client, draft, text__de__instruction="Gehen Sie.\x0bHelfen Sie.\u2028Warten Sie.\r\nHören Sie Radio.")
    assert fresh(draft).content.texts["de"].steps == ("Gehen Sie.", "Helfen Sie.", "Warten Sie.", "Hören Sie Radio.")


def test_script_in_every_field_runs_nowhere(client: Client, page_of: Browser, draft: Draft, bert: User) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
    fields = {name: hostile for name in posted(client, draft) if name.startswith("text-")}
    client.post(page(draft), posted(client, draft) | fields | {"place": hostile, "contact": hostile, "note": hostile})
    draft = fresh(draft)
    assert draft.content.place == hostile
    approval.submit(draft.pk, draft.version, User.objects.get(username="anna"))
    message = approval.approve(draft.pk, fresh(draft).digest, bert)
    assert message is not None
    following = drafting.derive(message, Kind.UPDATE, User.objects.get(username="anna"))
    for address in (
        "/desk/",
        "/desk/alert/",
        "/desk/record/",
        page(following),
        f"/desk/alert/{draft.alert.slug}/",
    ):
        for officer in ("anna", "bert"):
            body = page_of(User.objects.get(username=officer)).get(address).content.decode()
            assert "<script>alert" not in body
            assert "<img src=x" not in body


def test_two_circles_can_be_typed(client: Client, draft: Draft) -> None:
    answer = save(client, draft, action="circle")
    assert answer.status_code == 200
    assert 'name="circle-1-centre"' in answer.content.decode()
    data = posted(client, draft) | {
        "circle_count": "2",
        "circle-1-centre": "51,34; 12,38",
        "circle-1-metres": "250.5",
    }
    client.post(page(draft), data)
    assert fresh(draft).content.circles[1] == Circle(51.34, 12.38, 0.2505)


def test_districts_and_corners_make_an_area(client: Client, draft: Draft) -> None:
    save(
        client,
        draft,
        circle__0__centre="",
        circle__0__metres="",
        districts=["no", "fern"],
        polygons="51.33, 12.36\n51.34, 12.36\n51.34, 12.37",
    )
    content = fresh(draft).content
    assert [district.name for district in content.districts] == ["Nordost", "Fern"]
    assert content.polygons[0].points[0] == content.polygons[0].points[-1]
    body = client.get(page(draft)).content.decode()
    assert "51.33, 12.36" in body
    assert "Trifft" in body
    assert "Fern" in body


def test_times_are_typed_as_durations_or_as_times(client: Client, draft: Draft) -> None:
    until = timezone.localtime(timezone.now() + dt.timedelta(hours=7)).replace(second=0, microsecond=0)
    save(client, draft, expires_how="at", expires=f"{until:%Y-%m-%dT%H:%M}", next_how="none")
    content = fresh(draft).content
    assert (content.expires, content.valid_for, content.next_by, content.next_in) == (until, None, None, None)
    save(client, draft, expires_how="for", valid_for="90", next_how="in", next_in="30")
    content = fresh(draft).content
    assert (content.expires, content.valid_for, content.next_by, content.next_in) == (None, 90, None, 30)


def test_a_release_time_is_kept(client: Client, draft: Draft) -> None:
    at = timezone.localtime(timezone.now() + dt.timedelta(hours=1)).replace(second=0, microsecond=0)
    assert save(client, draft, plan="at", release_at="").status_code == 422
    save(client, draft, plan="at", release_at=f"{at:%Y-%m-%dT%H:%M}")
    assert fresh(draft).release_at == at
    save(client, draft, plan="now")
    assert fresh(draft).release_at is None


def test_only_an_exercise_can_be_kept_for_a_drill(client: Client, anna: User, draft: Draft) -> None:
    assert save(client, draft, plan="drill").status_code == 422
    exercise = city.drafted(anna, status=Status.EXERCISE)
    assert save(client, exercise, plan="drill").status_code == 302
    assert fresh(exercise).plan == ReleasePlan.DRILL


def test_an_exercise_is_framed_and_called_so(client: Client, anna: User, draft: Draft) -> None:
    exercise = city.drafted(anna, status=Status.EXERCISE)
    assert 'class="desk is-exercise"' in client.get(page(exercise)).content.decode()
    assert "is-exercise" not in client.get(page(draft)).content.decode()


def test_the_text_of_a_template_replaces_words_but_not_area_and_times(client: Client, draft: Draft) -> None:
    words = {"de": Text("Feuer", "Feuer: Schließen Sie Fenster", "Es brennt.", "Fenster zu.")}
    ready = Content(category=("Fire",), severity="Moderate", texts=words)
    Template.objects.create(key="feuer", names={"de": "Feuer"}, content_json=to_json(ready))
    save(client, draft, action="template", template="feuer")
    content = fresh(draft).content
    assert content.texts["de"].event == "Feuer"
    assert content.severity == "Moderate"
    assert content.circles == draft.content.circles
    assert content.valid_for == 240


class TestTwoOfficers:
    def test_nobody_overwrites_what_he_has_not_read(
        self, client: Client, page_of: Browser, draft: Draft, desk: None
    ) -> None:
        mine = posted(client, draft) | {"place": "Meins"}
        other = page_of(city.officer("otto", "write_draft"))
        save(other, draft, place="Seins")
        answer = client.post(page(draft), mine)
        body = answer.content.decode()
        assert answer.status_code == 409
        assert "otto hat diesen Entwurf inzwischen gespeichert" in body
        assert "<del>Seins</del><ins>Meins</ins>" in body
        assert 'value="Meins"' in body
        assert fresh(draft).content.place == "Seins"
        again = mine | {"version": str(answer.context["form"]["version"].value())}
        assert client.post(page(draft), again).status_code == 302
        assert fresh(draft).content.place == "Meins"

    def test_a_submission_in_between_is_told_before_it_is_voided(
        self, client: Client, draft: Draft, desk: None
    ) -> None:
        mine = posted(client, draft) | {"place": "Meins"}
        approval.submit(draft.pk, draft.version, city.officer("otto", "write_draft"))
        answer = client.post(page(draft), mine)
        assert answer.status_code == 409
        assert "Speichern holt ihn zurück" in answer.content.decode()
        assert fresh(draft).state == "submitted"

    def test_a_release_in_between_leaves_the_text_in_the_form(
        self, client: Client, draft: Draft, anna: User, bert: User
    ) -> None:
        mine = posted(client, draft) | {"text-de-headline": "Mein neuer Text"}
        submitted = approval.submit(draft.pk, draft.version, anna)
        approval.approve(draft.pk, submitted.digest, bert)
        answer = client.post(page(draft), mine)
        assert answer.status_code == 409
        assert "Mein neuer Text" in answer.content.decode()


class TestNextMessage:
    @pytest.fixture
    def message(self, anna: User, bert: User) -> Message:
        return city.released(anna, bert)

    @pytest.mark.parametrize(
        ("kind", "heading"),
        [
            ("update", "Update schreiben"),
            ("correction", "Berichtigung schreiben"),
            ("false-alarm", "Fehlalarm melden"),
            ("all-clear", "Entwarnung geben"),
        ],
    )
    def test_each_way_on_is_one_step(self, client: Client, message: Message, kind: str, heading: str) -> None:
        answer = client.post(f"/desk/alert/{message.alert.slug}/next/", {"kind": kind}, follow=True)
        assert f"<h1>{heading}</h1>" in answer.content.decode()
        assert Draft.objects.latest("pk").base == message

    @pytest.mark.parametrize("kind", ["warning", "", "nonsense"])
    def test_nothing_else_is(self, client: Client, message: Message, kind: str) -> None:
        client.post(f"/desk/alert/{message.alert.slug}/next/", {"kind": kind})
        assert Draft.objects.count() == 1

    def test_a_lapsed_text_is_taken_up_again(self, client: Client, anna: User, message: Message) -> None:
        draft = city.submitted(anna)
        Draft.objects.filter(pk=draft.pk).update(state="lapsed", reason="zu spät")
        assert "Text als neuen Entwurf aufnehmen" in client.get(page(draft)).content.decode()
        answer = client.post(f"{page(draft)}take-up/")
        assert answer.status_code == 302
        assert Draft.objects.latest("pk").content.texts == draft.content.texts
