"""Templates at the desk: their pages, their versions, the choice of one, and who may touch them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts import approval, drafting, templating
from alerts.content import Content, Text, to_json
from alerts.desk.choosing import most_used
from alerts.desk.templateform import TemplateForm
from alerts.models import AuditEntry, Draft, Template, TemplateVersion
from alerts.templating import Wording
from alerts.terms import Kind, Status
from tests import city
from tests.desk.conftest import PASSWORD, with_roles

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
PAGE = "/desk/templates/bombe/"
TEXTS = {
    "de": Text("Bombenfund", "Bombe {place}: Meiden Sie das Gebiet", "Sie wiegt {weight} kg.", "Gehen Sie nicht hin."),
    "en": Text("Bomb found", "Bomb at {place}: stay away", "It is heavy.", "Stay away."),
}
BOMB = Wording(
    Kind.WARNING,
    {"de": "Bombenfund", "en": "Bomb"},
    Content(category=("Safety",), severity="Severe", response=("Avoid",), texts=TEXTS, valid_for=240, next_in=60),
)


@pytest.fixture
def bomb(carla: User) -> Template:
    return templating.make(carla, "bombe", BOMB, "Eigene Worte")


@pytest.fixture
def admin(page_of: Browser, carla: User, bomb: Template) -> Client:
    return page_of(carla)


def form_of(client: Client, address: str = PAGE) -> dict[str, Any]:
    """What the page's form would send if nothing on it was changed."""
    form: TemplateForm = client.get(address).context["form"]
    return {field.html_name: value for field in form if (value := field.value()) is not None}


def save(client: Client, address: str = PAGE, **changes: Any) -> Any:
    typed = {name.replace("__", "-"): value for name, value in ({"note": "Klarer"} | changes).items()}
    return client.post(address, form_of(client, address) | typed)


def body(answer: Any) -> str:
    return str(answer.content.decode())


def headline() -> str:
    said = templating.wording(Template.objects.get(key="bombe"))
    assert said is not None
    return said.content.texts["de"].headline


class TestPages:
    def test_the_list_says_what_is_in_use_and_who_changed_it(self, admin: Client, carla: User) -> None:
        templating.put(carla, "bombe", active=False)
        templating.make(carla, "ende", replace(BOMB, kind=Kind.FALSE_ALARM, content=cleared()), "Für danach")
        said = body(admin.get("/desk/templates/"))
        for words in ("Bombenfund", "außer Gebrauch", "Fehlalarm", "carla: Eigene Worte", "Fassung 1"):
            assert words in said, words

    def test_a_page_shows_gaps_with_labels_and_how_it_reads_without(self, admin: Client) -> None:
        said = body(admin.get(PAGE))
        for words in ("{weight}", "Bombe (kg)", "In Kilogramm", "Nur in: Deutsch", "Bombe …: Meiden Sie das Gebiet"):
            assert words in said, words

    def test_the_form_as_it_stands_changes_nothing(self, admin: Client) -> None:
        answer = save(admin)
        assert answer.status_code == 422
        assert "Nichts wurde geändert" in body(answer)
        assert TemplateVersion.objects.count() == 1

    def test_a_change_is_a_version_with_its_difference(self, admin: Client, carla: User) -> None:
        answer = save(
            admin, text__de__headline="Bombe {place}: Gehen Sie weg", severity="Extreme", name__en="Bomb found"
        )
        assert answer.status_code == 302
        version = TemplateVersion.objects.get(number=2)
        assert (version.by, version.note) == (carla, "Klarer")
        assert templating.wording(Template.objects.get()) == templating.wording(version)
        assert AuditEntry.objects.filter(actor="carla", action="template-changed", data__version=2).count() == 1
        said = body(admin.get(PAGE))
        assert "<ins>Gehen</ins>" in said
        assert "<ins>Extreme</ins> Gefahr" in said
        assert "<ins> found</ins>" in said
        assert "Fassung 1 wiederherstellen" in said

    def test_a_note_is_asked_for(self, admin: Client) -> None:
        answer = save(admin, text__de__headline="Neu", note="")
        assert answer.status_code == 422
        assert "was neu ist und warum" in body(answer)
        assert "Neu</textarea>" in body(answer)

    def test_a_new_one_from_blank(self, admin: Client) -> None:
        typed = {"key": "sturm", "name__de": "Sturm", "text__de__headline": "Sturm {place}: Bleiben Sie drinnen"}
        answer = save(admin, "/desk/templates/new/", **typed, category=["Met"])
        assert answer["Location"] == "/desk/templates/sturm/"
        assert Template.objects.get(key="sturm").versions.get().note == "Klarer"
        answer = save(admin, "/desk/templates/new/", **typed)
        assert answer.status_code == 422
        assert "schon eine Vorlage mit diesem Schlüssel" in body(answer)

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("text__de__headline", "Bombe {place: weg", "geschweifte Klammer"),
            ("text__de__headline", "rechts\u202enach links", "umstellen"),
            ("text__de__headline", "https://evil.example/", "evil.example"),
            ("text__de__description", "x" * 100_000, "höchstens 40000 Zeichen"),
            ("text__de__description", "x" * 7000, "zu lang"),
            ("text__de__headline", "Null\x00zeichen", "Nullzeichen"),
            ("kind", "all-clear", "Entwarnung"),
            ("kind", "nonsense", "gültige Auswahl"),
            ("valid_for", "-1", "gültige Auswahl"),
            ("note", "x" * 201, "200"),
        ],
    )
    def test_what_no_draft_could_use_is_told_and_nothing_typed_is_lost(
        self, admin: Client, field: str, value: str, words: str
    ) -> None:
        answer = save(admin, **{"text__en__headline": "This matters to me", field: value})
        assert answer.status_code == 422
        assert words in body(answer)
        assert "This matters to me" in body(answer)
        assert TemplateVersion.objects.count() == 1

    def test_emoji_and_pasted_text_are_kept_line_by_line(self, admin: Client) -> None:
        save(admin, text__de__instruction="Gehen Sie.\x0bHelfen Sie.\r\n🚒 Warten Sie.\u2028Hören Sie Radio.")
        said = templating.wording(Template.objects.get())
        assert said is not None
        steps = said.content.texts["de"].steps
        assert steps == ("Gehen Sie.", "Helfen Sie.", "🚒 Warten Sie.", "Hören Sie Radio.")

    def test_script_in_every_field_runs_nowhere(self, admin: Client, page_of: Browser, anna: User) -> None:
        hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
        fields = ["note", "contact", *(name for name in form_of(admin) if name.startswith(("text-", "name-")))]
        assert admin.post(PAGE, form_of(admin) | dict.fromkeys(fields, hostile)).status_code == 302
        save(admin, text__de__headline="Danach")
        for client in (admin, page_of(anna)):
            for address in (PAGE, "/desk/templates/", "/desk/new/", "/desk/record/", "/desk/office/"):
                said = body(client.get(address))
                assert "<script>alert" not in said, address
                assert "<img src=x" not in said, address

    def test_hints_about_the_words_stand_on_the_page(self, admin: Client) -> None:
        save(admin, text__de__description="Kampfmittel im Boden!")
        said = body(admin.get(PAGE))
        assert "„Kampfmittel“ → „Bombe“" in said
        assert "Ausrufezeichen" in said

    def test_an_unreadable_row_breaks_no_page(self, admin: Client, page_of: Browser, anna: User) -> None:
        Template.objects.create(key="kaputt", names={"de": "Kaputt"}, content_json={"nonsense": 1})
        assert "nicht lesbar" in body(admin.get("/desk/templates/"))
        assert "keine lesbare Vorlage" in body(admin.get("/desk/templates/kaputt/"))
        assert "Kaputt" not in body(page_of(anna).get("/desk/new/"))

    def test_the_session_may_run_out_while_one_writes(self, admin: Client) -> None:
        typed = form_of(admin) | {"text-de-headline": "Das ist mir wichtig", "note": "Klarer"}
        admin.logout()
        answer = admin.post(PAGE, typed)
        assert answer.status_code == 403
        kept = answer.context["kept"]
        admin.post("/desk/login/", {"username": "carla", "password": PASSWORD, "kept": kept, "next": PAGE})
        assert "Das ist mir wichtig" in body(admin.get(PAGE))
        assert TemplateVersion.objects.count() == 1

    def test_the_number_of_queries_does_not_grow_with_templates_and_versions(
        self, admin: Client, carla: User, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(6):
            templating.make(carla, f"nummer-{number}", BOMB, "")
            save(admin, text__de__headline=f"Bombe {number}")
        for address, most in (("/desk/templates/", 12), (PAGE, 14)):
            with django_assert_max_num_queries(most):
                admin.get(address)


def cleared() -> Content:
    return replace(BOMB.content, response=("AllClear",), urgency="Past", severity="Minor")


class TestTwoAdministrators:
    def test_the_second_sees_the_others_version_and_decides(self, admin: Client, page_of: Browser) -> None:
        mine = form_of(admin) | {"text-de-headline": "Meins", "note": "Mein Grund"}
        other = page_of(with_roles("otto", "administrator"))
        save(other, text__de__headline="Seins")
        answer = admin.post(PAGE, mine)
        assert answer.status_code == 409
        assert "otto hat diese Vorlage inzwischen geändert" in body(answer)
        assert "<del>Seins</del><ins>Meins</ins>" in body(answer)
        assert headline() == "Seins"
        again = {field.html_name: field.value() for field in answer.context["form"] if field.value() is not None}
        assert admin.post(PAGE, again).status_code == 302
        assert headline() == "Meins"
        assert [version.note for version in TemplateVersion.objects.all()] == ["Mein Grund", "Klarer", "Eigene Worte"]


class TestRestore:
    def test_an_old_version_comes_back_as_a_new_one(self, admin: Client) -> None:
        save(admin, text__de__headline="Schlechter")
        admin.post(f"{PAGE}restore/", {"seen": "2", "version": "1"})
        assert headline() == TEXTS["de"].headline
        assert TemplateVersion.objects.first().number == 3  # type: ignore[union-attr]

    @pytest.mark.parametrize("number", ["2", "0", "-1", "x", "", "9" * 30])
    def test_a_foreign_version_is_refused(self, admin: Client, carla: User, number: str) -> None:
        templating.make(carla, "sturm", BOMB, "")
        save(admin, "/desk/templates/sturm/", text__de__headline="Orkan")
        answer = admin.post(f"{PAGE}restore/", {"seen": "1", "version": number}, follow=True)
        assert "keine Fassung" in body(answer)
        assert headline() == TEXTS["de"].headline

    def test_from_a_page_that_is_too_old_it_is_refused(self, admin: Client) -> None:
        save(admin, text__de__headline="Zwei")
        save(admin, text__de__headline="Drei")
        answer = admin.post(f"{PAGE}restore/", {"seen": "2", "version": "1"}, follow=True)
        assert "inzwischen geändert" in body(answer)
        assert headline() == "Drei"


class TestWhoMay:
    ACTS = [
        (PAGE, {"seen": "1", "kind": "warning", "note": "x"}),
        (f"{PAGE}restore/", {"seen": "2", "version": "1"}),
        (f"{PAGE}use/", {"active": "no"}),
        ("/desk/templates/new/", {"key": "neu"}),
    ]

    @pytest.mark.parametrize("role", ["author", "approver", "observer", "drill leader"])
    @pytest.mark.parametrize(("address", "post"), ACTS)
    def test_a_forged_post_of_another_role_changes_nothing(
        self, admin: Client, page_of: Browser, role: str, address: str, post: dict[str, str]
    ) -> None:
        save(admin, text__de__headline="Zwei")
        client = page_of(with_roles("otto", role))
        assert client.post(address, post).status_code == 403
        assert (headline(), Template.objects.get().active, TemplateVersion.objects.count()) == ("Zwei", True, 2)

    def test_everybody_reads_but_is_offered_no_form(self, admin: Client, page_of: Browser, bert: User) -> None:
        client = page_of(bert)
        said = body(client.get(PAGE))
        assert "Bombe …" in said
        assert "Als neue Fassung speichern" not in said
        assert "Neue Vorlage schreiben" not in body(client.get("/desk/templates/"))
        assert client.get("/desk/templates/new/").status_code == 403

    @pytest.mark.parametrize(("address", "post"), ACTS)
    def test_without_its_token_a_post_changes_nothing(
        self, bomb: Template, carla: User, address: str, post: dict[str, str]
    ) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(carla)
        assert client.post(address, post).status_code == 403
        assert (Template.objects.get().active, TemplateVersion.objects.count()) == (True, 1)

    @pytest.mark.parametrize("act", ["restore", "use"])
    def test_asked_by_get_nothing_happens(self, admin: Client, act: str) -> None:
        assert admin.get(f"{PAGE}{act}/", {"active": "no", "version": "1"}).status_code == 302
        assert Template.objects.get().active

    @pytest.mark.parametrize("act", ["", "restore/", "use/"])
    def test_what_is_not_there_is_not_found(self, admin: Client, act: str) -> None:
        assert admin.post(f"/desk/templates/nichts/{act}", {"version": "1"}).status_code == 404

    def test_the_admins_own_lists_only_show_them(self, admin: Client, bomb: Template) -> None:
        for model, pk in (("template", bomb.pk), ("templateversion", bomb.versions.get().pk)):
            assert admin.get(f"/desk/alerts/{model}/{pk}/change/").status_code == 200
            assert admin.post(f"/desk/alerts/{model}/{pk}/change/", {"key": "x"}).status_code == 403
            assert admin.post(f"/desk/alerts/{model}/{pk}/delete/", {"post": "yes"}).status_code == 403
        assert 'href="/desk/templates/"' in body(admin.get("/desk/office/"))


class TestKeep:
    def test_what_was_said_becomes_a_template_out_of_use(
        self, admin: Client, anna: User, bert: User, page_of: Browser
    ) -> None:
        message = city.released(anna, bert, texts=city.content().texts | {"de": story_text()})
        address = f"/desk/messages/{message.pk}/template/"
        assert page_of(anna).post(address).status_code == 403
        answer = admin.post(address)
        assert answer["Location"] == "/desk/templates/bombenfund/"
        said = body(admin.get("/desk/templates/bombenfund/"))
        assert "Bombe {place}: weg" in said
        assert "Vorlage in Gebrauch nehmen" in said
        assert 'value="bombenfund"' not in body(page_of(anna).get("/desk/new/"))
        admin.post("/desk/templates/bombenfund/use/", {"active": "yes"})
        assert 'value="bombenfund"' in body(page_of(anna).get("/desk/new/"))

    def test_a_message_that_is_not_there(self, admin: Client) -> None:
        assert admin.post("/desk/messages/999/template/").status_code == 404


def story_text() -> Text:
    return Text("Bombenfund", "Bombe Dimitroffstraße: weg", "Sie liegt dort.", "Gehen Sie.")


class TestChoice:
    def named(self, key: str, category: str = "Safety", name: str = "") -> None:
        content = replace(BOMB.content, category=(category,))
        Template.objects.create(key=key, names={"de": name or key.title()}, content_json=to_json(content))

    def order(self, client: Client, address: str = "/desk/new/") -> list[tuple[str, list[str]]]:
        return [(shelf.heading, [one.key for one in shelf.choices]) for shelf in client.get(address).context["shelves"]]

    def test_templates_stand_by_kind_of_event(self, page_of: Browser, anna: User) -> None:
        for key, category in (("bombe", "Safety"), ("sturm", "Met"), ("brand", "Fire"), ("seltsam", "Nonsense")):
            self.named(key, category)
        Template.objects.create(key="ende", kind=Kind.ALL_CLEAR, content_json=to_json(cleared()))
        order = self.order(page_of(anna))
        assert [keys for _heading, keys in order] == [["sturm"], ["bombe"], ["brand"], ["seltsam"]]
        assert order[0][0] == "Wetter"

    def test_what_led_to_released_messages_most_stands_first(self, page_of: Browser, anna: User, bert: User) -> None:
        for key in ("selten", "oft", "nie", "übung"):
            self.named(key)
        self.begun(anna, bert, "oft")
        self.begun(anna, bert, "oft")
        self.begun(anna, bert, "selten")
        self.begun(anna, bert, "übung", status=Status.EXERCISE)
        drafting.new(anna, template=Template.objects.get(key="nie"))
        client = page_of(anna)
        assert self.order(client)[0] == ("Am häufigsten benutzt", ["oft", "selten"])
        assert self.order(client, "/desk/new/?status=Exercise")[0][1] == ["übung"]
        assert sorted(key for _heading, keys in self.order(client) for key in keys) == ["nie", "oft", "selten", "übung"]

    def begun(self, anna: User, bert: User, key: str, status: str = Status.ACTUAL) -> None:
        """A message that went out from a draft that began with this template."""
        draft = drafting.new(anna, status=status, template=Template.objects.get(key=key))
        draft = drafting.save(draft.pk, draft.version, city.content(), anna)
        draft = approval.submit(draft.pk, draft.version, anna)
        approval.approve(draft.pk, draft.digest, bert)

    def test_a_record_without_templates_is_no_trouble(self, page_of: Browser, anna: User) -> None:
        drafting.new(anna)
        assert most_used(Status.ACTUAL) == []

    def test_it_is_searched_without_a_script(self, page_of: Browser, anna: User) -> None:
        for key, name in (("bombe", "Bombenfund: Räumung"), ("sturm", "Sturm")):
            self.named(key, name=name)
        Template.objects.update(content_json={})
        client = page_of(anna)
        assert self.order(client, "/desk/new/?q=räum+BOMB")[0][1] == ["bombe"]
        said = body(client.get("/desk/new/?q=%22%3E%3Cscript%3E&status=Exercise"))
        assert "0 Vorlagen gefunden" in said
        assert "Ohne Vorlage beginnen" in said
        assert 'name="status" value="Exercise"' in said
        assert "<script>" not in said

    def test_the_number_of_queries_does_not_grow_with_the_record(
        self, page_of: Browser, anna: User, bomb: Template, django_assert_max_num_queries: Any
    ) -> None:
        for _number in range(5):
            drafting.new(anna, template=bomb)
        client = page_of(anna)
        with django_assert_max_num_queries(12):
            client.get("/desk/new/")

    def test_one_click_begins_the_draft(self, page_of: Browser, anna: User, bomb: Template) -> None:
        answer = page_of(anna).post("/desk/new/", {"status": "Actual", "template": "bombe"})
        draft = Draft.objects.get()
        assert answer["Location"] == f"/desk/drafts/{draft.pk}/"
        assert draft.content.texts["de"] == TEXTS["de"]

    def test_a_template_out_of_use_begins_nothing(
        self, page_of: Browser, anna: User, carla: User, bomb: Template
    ) -> None:
        templating.put(carla, "bombe", active=False)
        assert page_of(anna).post("/desk/new/", {"template": "bombe"}).status_code == 404
        assert not Draft.objects.exists()


class TestGapFields:
    def test_a_gap_has_an_example_and_the_right_keyboard(self, page_of: Browser, anna: User) -> None:
        text = Text(headline="{weight} {time} {phone} {unheard_of}")
        draft = drafting.new(anna)
        drafting.save(draft.pk, draft.version, replace(draft.content, texts={"de": text}), anna)
        form = page_of(anna).get(f"/desk/drafts/{draft.pk}/").context["form"]
        boxes = {name: str(form[f"gap-{name}"]) for name in ("weight", "time", "phone", "unheard_of")}
        assert 'inputmode="numeric"' in boxes["weight"]
        assert 'inputmode="tel"' in boxes["phone"]
        assert "inputmode" not in boxes["time"]
        assert form["gap-time"].help_text == "Zum Beispiel: 14:30"
        assert form["gap-unheard_of"].help_text == ""
        assert all('type="text"' in box for box in boxes.values()), "“7500 bis 8000” can be typed too"
