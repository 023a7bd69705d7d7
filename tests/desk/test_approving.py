"""Approval at the desk: who may take which step, what the page shows, and what its word releases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts import approval, drafting
from alerts.models import Alarm, Draft, Message, ReleasePlan
from alerts.terms import Kind, Status
from tests import city
from tests.desk.posting import posted

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
WORD = "LEIPZIG WARNEN"


def page(draft: Draft) -> str:
    return f"/desk/drafts/{draft.pk}/"


def fresh(draft: Draft) -> Draft:
    return Draft.objects.get(pk=draft.pk)


def approve(client: Client, draft: Draft, word: str = WORD, digest: str | None = None) -> Any:
    return client.post(f"{page(draft)}approve/", {"digest": digest or draft.digest, "word": word})


@pytest.fixture
def draft(anna: User) -> Draft:
    return city.submitted(anna)


@pytest.fixture
def approver_page(page_of: Browser, bert: User) -> Client:
    return page_of(bert)


class TestPage:
    def test_it_shows_every_rendering_word_for_word_in_each_language(self, approver_page: Client, draft: Draft) -> None:
        body = approver_page.get(page(draft)).content.decode()
        for rendering in draft.renderings.filter(round=draft.round):
            assert rendering.fields_json["text"] in body
            assert rendering.fields_json["link"] in body
        assert body.count('<article class="pv">') == draft.renderings.count() == 4

    def test_it_shows_who_wrote_and_the_head_of_the_digest(self, approver_page: Client, draft: Draft) -> None:
        body = approver_page.get(page(draft)).content.decode()
        assert "anna" in body
        assert f"{draft.digest[:4]} {draft.digest[4:8]}" in body
        assert f'value="{draft.digest}"' in body

    def test_it_shows_what_changed_since_the_last_message(self, approver_page: Client, anna: User, bert: User) -> None:
        message = city.released(anna, bert)
        update = drafting.derive(message, Kind.UPDATE, anna)
        texts = dict(update.content.texts)
        texts["de"] = replace(texts["de"], headline="Bombenfund: Bleiben Sie im Haus")
        update = drafting.save(update.pk, update.version, replace(update.content, texts=texts), anna)
        approval.submit(update.pk, update.version, anna)
        body = approver_page.get(page(update)).content.decode()
        assert "<del>Verlassen</del><ins>Bleiben</ins>" in body
        assert "Das ist neu seit Meldung 1" in body

    def test_real_and_exercise_cannot_be_confused(self, approver_page: Client, draft: Draft, anna: User) -> None:
        real = approver_page.get(page(draft)).content.decode()
        exercise = approver_page.get(page(city.submitted(anna, status=Status.EXERCISE))).content.decode()
        assert WORD in real
        assert "is-exercise" not in real
        assert 'class="desk is-exercise"' in exercise
        assert "Übung jetzt starten" in exercise
        assert WORD not in exercise
        assert 'class="word">ÜBUNG' in exercise

    def test_the_author_sees_that_a_second_officer_is_needed(self, page_of: Browser, desk: None) -> None:
        both = city.officer("both", "write_draft", "approve_draft")
        draft = city.submitted(both)
        body = page_of(both).get(page(draft)).content.decode()
        assert "Eine zweite Person gibt ihn frei" in body
        assert 'name="word"' not in body


class TestRelease:
    def test_the_typed_word_releases(self, approver_page: Client, draft: Draft, bert: User) -> None:
        answer = approve(approver_page, draft, word="  leipzig   warnen ")
        message = Message.objects.get()
        assert answer["Location"] == f"/desk/alert/{message.alert.slug}/"
        assert message.approval is not None
        assert message.approval.officer == bert

    @pytest.mark.parametrize("word", ["", "LEIPZIG", "ÜBUNG", "WARNEN LEIPZIG"])
    def test_another_word_does_not(self, approver_page: Client, draft: Draft, word: str) -> None:
        answer = approve(approver_page, draft, word=word)
        assert answer.status_code == 422
        assert fresh(draft).state == "submitted"

    def test_an_exercise_has_a_word_of_its_own(self, approver_page: Client, anna: User) -> None:
        exercise = city.submitted(anna, status=Status.EXERCISE)
        assert approve(approver_page, exercise, word=WORD).status_code == 422
        assert approve(approver_page, exercise, word="ÜBUNG").status_code == 302
        assert Message.objects.get().status == Status.EXERCISE

    @pytest.mark.parametrize("digest", ["0" * 64, "x"])
    def test_a_forged_digest_releases_nothing(self, approver_page: Client, draft: Draft, digest: str) -> None:
        answer = approver_page.post(f"{page(draft)}approve/", {"digest": digest, "word": WORD}, follow=True)
        assert "Laden Sie die Seite neu" in answer.content.decode()
        assert not Message.objects.exists()

    def test_a_page_read_before_an_edit_releases_nothing(self, approver_page: Client, draft: Draft, anna: User) -> None:
        seen = draft.digest
        changed = drafting.save(draft.pk, draft.version, city.content(place="Anderswo"), anna)
        approval.submit(changed.pk, changed.version, anna)
        approve(approver_page, draft, digest=seen)
        assert not Message.objects.exists()
        assert fresh(draft).state == "submitted"

    def test_two_approvals_release_once(self, page_of: Browser, draft: Draft, bert: User) -> None:
        other = city.officer("cora", "approve_draft")
        approve(page_of(bert), draft)
        approve(page_of(other), draft)
        assert Message.objects.count() == 1

    def test_the_author_cannot_approve_his_own_by_a_forged_post(self, page_of: Browser, desk: None) -> None:
        both = city.officer("both", "write_draft", "approve_draft")
        draft = city.submitted(both)
        answer = page_of(both).post(f"{page(draft)}approve/", {"digest": draft.digest, "word": WORD}, follow=True)
        assert "schon mitgearbeitet" in answer.content.decode()
        assert not Message.objects.exists()

    def test_a_drill_is_kept_ready_and_can_be_withdrawn(self, approver_page: Client, anna: User) -> None:
        draft = city.drafted(anna, status=Status.EXERCISE, plan=ReleasePlan.DRILL, facts_at=None)
        draft = approval.submit(draft.pk, draft.version, anna)
        assert "für die Probe bereithalten" in approver_page.get(page(draft)).content.decode()
        approve(approver_page, draft, word="ÜBUNG")
        assert fresh(draft).state == "approved"
        assert "Bereit für eine Probe" in approver_page.get("/desk/").content.decode()
        answer = approver_page.post(f"{page(draft)}withdraw/", {"reason": "Neue Fassung kommt"})
        assert answer.status_code == 302
        assert fresh(draft).state == "withdrawn"


class TestReturn:
    def test_the_reason_reaches_the_author(self, page_of: Browser, draft: Draft, anna: User, bert: User) -> None:
        answer = page_of(bert).post(f"{page(draft)}return/", {"reason": "Die Straße fehlt."})
        assert answer.status_code == 302
        assert fresh(draft).state == "returned"
        body = page_of(anna).get(page(draft)).content.decode()
        assert "Die Straße fehlt." in body
        assert "Warnung schreiben" in body

    def test_without_a_reason_nothing_is_returned(self, approver_page: Client, draft: Draft) -> None:
        assert approver_page.post(f"{page(draft)}return/", {"reason": " "}).status_code == 422
        assert fresh(draft).state == "submitted"

    def test_a_writer_takes_it_back(self, page_of: Browser, draft: Draft, anna: User) -> None:
        page_of(anna).post(f"{page(draft)}pull-back/")
        assert fresh(draft).state == "returned"


class TestBreakGlass:
    @pytest.fixture
    def alone(self, desk: None) -> User:
        return city.officer("alone", "write_draft", "break_glass")

    REASON = "Niemand ist zu erreichen, das Wasser steigt."

    def test_it_needs_word_and_reason_and_alarms(self, page_of: Browser, alone: User) -> None:
        draft = city.drafted(alone)
        client = page_of(alone)
        address = f"{page(draft)}break-glass/"
        assert "Jetzt allein aussenden" in client.get(address).content.decode()
        form = {"version": str(draft.version), "reason": self.REASON, "word": WORD}
        assert client.post(address, form | {"word": "nein"}).status_code == 422
        assert client.post(address, form | {"reason": ""}).status_code == 422
        stale = client.post(address, form | {"version": "99"}, follow=True)
        assert self.REASON in stale.content.decode(), "the reason is still there"
        assert not Message.objects.exists()
        assert client.post(address, form).status_code == 302
        message = Message.objects.get()
        assert message.break_glass_reason == self.REASON
        assert Alarm.objects.filter(key__startswith="break-glass").exists()

    def test_an_approver_who_may_not_write_finds_the_way(self, page_of: Browser, anna: User, bert: User) -> None:
        draft = city.drafted(anna)
        assert f"{page(draft)}break-glass/" in page_of(bert).get(page(draft)).content.decode()
        assert "break-glass" not in page_of(bert).get(page(city.submitted(anna))).content.decode()

    def test_a_draft_with_faults_stays(self, page_of: Browser, alone: User) -> None:
        draft = city.drafted(alone, place="")
        form = {"version": str(draft.version), "reason": self.REASON, "word": WORD}
        answer = page_of(alone).post(f"{page(draft)}break-glass/", form)
        assert answer.status_code == 422
        assert "Der Ort fehlt" in answer.content.decode()
        assert not Message.objects.exists()

    def test_a_submitted_draft_is_taken_back_first(self, page_of: Browser, alone: User) -> None:
        draft = city.submitted(alone)
        assert page_of(alone).get(f"{page(draft)}break-glass/").status_code == 302


STEPS: dict[str, tuple[str, ...]] = {
    "new": ("author",),
    "save": ("author",),
    "submit": ("author",),
    "next": ("author",),
    "approve": ("approver",),
    "return": ("approver",),
    "pull-back": ("author",),
    "withdraw": ("author", "approver"),
    "discard": ("author",),
    "take-up": ("author",),
    "break-glass": ("approver",),
}


@pytest.mark.parametrize("role", ["author", "approver", "administrator", "observer", "drill leader", "none"])
@pytest.mark.parametrize("step", STEPS)
def test_each_step_is_refused_to_each_role_that_does_not_hold_it(
    page_of: Browser, anna: User, bert: User, role: str, step: str
) -> None:
    from tests.desk.conftest import with_roles

    stranger = page_of(with_roles("stranger", role))
    draft, address, data = _before(step, anna, bert, page_of)
    answer = stranger.post(address, data)
    if role in STEPS[step]:
        assert answer.status_code == 302
    else:
        before = draft.state, draft.version, Draft.objects.count(), Message.objects.count()
        assert answer.status_code == 403
        assert "Rolle" in answer.content.decode()
        assert (fresh(draft).state, fresh(draft).version, Draft.objects.count(), Message.objects.count()) == before


@pytest.mark.parametrize("step", STEPS)
def test_asking_by_get_changes_nothing(page_of: Browser, anna: User, bert: User, desk: None, step: str) -> None:
    able = city.officer("able", "write_draft", "approve_draft", "break_glass")
    draft, address, data = _before(step, anna, bert, page_of)
    before = draft.state, draft.version, Draft.objects.count(), Message.objects.count()
    assert page_of(able).get(address, data).status_code in {200, 302}
    assert (fresh(draft).state, fresh(draft).version, Draft.objects.count(), Message.objects.count()) == before


def _before(step: str, anna: User, bert: User, page_of: Browser) -> tuple[Draft, str, dict[str, Any]]:
    """A draft in the state that the step starts from, the step's address and what it posts."""
    if step in {"save", "submit", "break-glass", "new", "discard"}:
        draft = city.drafted(anna)
    elif step == "withdraw":
        draft = city.drafted(anna, status=Status.EXERCISE, plan=ReleasePlan.DRILL, facts_at=None)
        draft = approval.submit(draft.pk, draft.version, anna)
        approval.approve(draft.pk, draft.digest, bert)
    elif step == "next":
        draft = city.released(anna, bert).draft
    else:
        draft = city.submitted(anna)
    if step == "take-up":
        Draft.objects.filter(pk=draft.pk).update(state="lapsed")
    draft = fresh(draft)
    reason = "Das hat einen guten Grund."
    data: dict[str, Any] = {
        "new": {"status": "Actual", "template": ""},
        "save": lambda: posted(page_of(anna), draft),
        "submit": {"version": draft.version},
        "next": {"kind": "update"},
        "approve": {"digest": draft.digest, "word": WORD},
        "return": {"reason": reason},
        "withdraw": {"reason": reason},
        "break-glass": {"version": draft.version, "reason": reason, "word": WORD},
    }
    address = {"new": "/desk/new/", "save": page(draft), "next": f"/desk/alert/{draft.alert.slug}/next/"}
    given = data.get(step, {})
    return draft, address.get(step, f"{page(draft)}{step}/"), given() if callable(given) else given


class TestPuttingAway:
    def test_it_waits_for_nobody_and_comes_back(self, page_of: Browser, anna: User) -> None:
        client = page_of(anna)
        draft = city.drafted(anna)
        client.post(f"{page(draft)}discard/")
        assert fresh(draft).state == "withdrawn"
        assert "Bombenfund" not in client.get("/desk/").content.decode()
        client.post(f"{page(draft)}take-up/")
        copy = Draft.objects.latest("pk")
        assert (copy.pk != draft.pk, copy.content.texts, copy.state) == (True, draft.content.texts, "draft")

    def test_what_waits_for_approval_is_not_put_away(self, page_of: Browser, anna: User) -> None:
        draft = city.submitted(anna)
        body = page_of(anna).post(f"{page(draft)}discard/", follow=True).content.decode()
        assert fresh(draft).state == "submitted"
        assert "an dem geschrieben wird" in body
