"""Nothing goes out unapproved, and what was approved is what is sent."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from alerts import approval, audit, drafting, schedule
from alerts.content import Circle, Polygon, Text, from_json, to_json
from alerts.models import Alarm, Alert, Draft, DraftState, Message, Part, PartKind, ReleasePlan, Rendering
from alerts.people import NotAllowed, Refused
from alerts.terms import Kind
from tests import city

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "quiet")]


@pytest.fixture
def second(db: None) -> User:
    return city.officer("second", "write_draft", "approve_draft")


def test_two_officers_make_a_message(author: User, approver: User) -> None:
    draft = city.drafted(author)
    draft = approval.submit(draft.pk, draft.version, author)
    message = approval.approve(draft.pk, draft.digest, approver)
    assert message is not None
    assert message.approval is not None
    assert message.approval.officer == approver
    assert (message.number, message.msg_type, message.references) == (1, "Alert", [])
    assert Alert.objects.get().latest == message
    assert Draft.objects.get().state == DraftState.RELEASED
    assert not list(audit.faults())


def test_durations_become_times_when_submitted(author: User) -> None:
    draft = city.submitted(author, valid_for=240, next_in=60)
    content = draft.content
    assert content.valid_for is None
    assert content.expires is not None
    assert abs(content.expires - timezone.now() - dt.timedelta(hours=4)) < dt.timedelta(minutes=1)


def test_who_wrote_cannot_approve(second: User) -> None:
    draft = city.submitted(second)
    with pytest.raises(approval.SamePerson):
        approval.approve(draft.pk, draft.digest, second)
    assert not Message.objects.exists()


def test_who_edited_a_returned_draft_cannot_approve_it(author: User, second: User) -> None:
    draft = city.submitted(author)
    approval.send_back(draft.pk, second, "Der Ort fehlt in der Überschrift.")
    draft = Draft.objects.get(pk=draft.pk)
    draft = drafting.save(draft.pk, draft.version, draft.content, second)
    draft = approval.submit(draft.pk, draft.version, author)
    with pytest.raises(approval.SamePerson):
        approval.approve(draft.pk, draft.digest, second)


def test_the_database_itself_refuses_one_person_in_two_parts(author: User) -> None:
    draft = city.submitted(author)
    with pytest.raises(IntegrityError), transaction.atomic():
        Part.objects.create(draft=draft, officer=author, part=PartKind.APPROVED)


def test_the_database_refuses_a_message_without_an_approving_part(author: User, approver: User) -> None:
    message = city.released(author, approver)
    message.pk = None
    message.number, message.identifier, message.approval = 2, "other", None
    message.base = Message.objects.get()
    draft = city.submitted(author)
    message.draft = draft
    with pytest.raises(IntegrityError), transaction.atomic():
        message.save(force_insert=True)


def test_who_lacks_the_role_can_do_nothing(approver: User, author: User) -> None:
    nobody = city.officer("nobody")
    root = User.objects.create_superuser("root", password="x")
    draft = city.submitted(author)
    for one in (nobody, root):
        for step in (
            drafting.new,
            lambda by, draft=draft: drafting.save(draft.pk, draft.version, draft.content, by),
            lambda by: approval.submit(draft.pk, draft.version, by),
            lambda by: approval.approve(draft.pk, draft.digest, by),
            lambda by: approval.send_back(draft.pk, by, "so nicht"),
            lambda by: approval.pull_back(draft.pk, by),
            lambda by: approval.withdraw(draft.pk, by, "doch nicht"),
            lambda by: approval.break_glass(draft.pk, draft.version, "niemand sonst ist da", by),
        ):
            with pytest.raises(NotAllowed):
                step(one)
    with pytest.raises(NotAllowed):
        approval.approve(draft.pk, draft.digest, author)
    with pytest.raises(NotAllowed):
        drafting.new(approver)
    assert not Message.objects.exists()


@pytest.mark.parametrize("seen", ["", "0" * 64, "unsinn"])
def test_a_forged_approval_is_refused(author: User, approver: User, seen: str) -> None:
    draft = city.submitted(author)
    with pytest.raises(approval.Stale):
        approval.approve(draft.pk, seen, approver)


def test_an_edit_voids_the_submission_and_the_old_digest(author: User, approver: User) -> None:
    draft = city.submitted(author)
    seen = draft.digest
    drafting.save(draft.pk, draft.version, draft.content, author)
    assert Draft.objects.get().state == DraftState.RETURNED
    with pytest.raises(approval.Stale):
        approval.approve(draft.pk, seen, approver)
    draft = Draft.objects.get()
    draft = drafting.save(draft.pk, draft.version, replace(draft.content, place="Petersteinweg"), author)
    draft = approval.submit(draft.pk, draft.version, author)
    assert draft.digest != seen
    with pytest.raises(approval.Stale):
        approval.approve(draft.pk, seen, approver)


def test_content_changed_behind_our_back_is_not_released(author: User, approver: User) -> None:
    draft = city.submitted(author)
    Draft.objects.filter(pk=draft.pk).update(content_json=to_json(replace(draft.content, place="anderswo")))
    with pytest.raises(approval.Stale):
        approval.approve(draft.pk, draft.digest, approver)
    assert not Message.objects.exists()


def test_a_rendering_slipped_in_is_not_released(author: User, approver: User) -> None:
    draft = city.submitted(author)
    Rendering.objects.create(
        draft=draft, round=draft.round, channel="x", language="de", fields_json={"text": "Falsches"}
    )
    with pytest.raises(approval.Stale):
        approval.approve(draft.pk, draft.digest, approver)


def test_returning_needs_a_reason_and_tells_it(author: User, approver: User) -> None:
    draft = city.submitted(author)
    with pytest.raises(Refused):
        approval.send_back(draft.pk, approver, "  ")
    approval.send_back(draft.pk, approver, "Die Uhrzeit fehlt.")
    draft = Draft.objects.get()
    assert (draft.state, draft.reason) == (DraftState.RETURNED, "Die Uhrzeit fehlt.")


def test_an_approved_draft_cannot_be_edited(author: User, approver: User) -> None:
    draft = city.submitted(author, plan=ReleasePlan.AT, release_at=timezone.now() + dt.timedelta(hours=1))
    assert approval.approve(draft.pk, draft.digest, approver) is None
    draft = Draft.objects.get()
    with pytest.raises(drafting.NotEditable):
        drafting.save(draft.pk, draft.version, draft.content, author)


def test_a_scheduled_release_waits_for_its_time(author: User, approver: User) -> None:
    draft = city.submitted(author, plan=ReleasePlan.AT, release_at=timezone.now() + dt.timedelta(seconds=30))
    approval.approve(draft.pk, draft.digest, approver)
    assert schedule.release_due() == 0
    with _clock(dt.timedelta(minutes=1)):
        assert schedule.release_due() == 1
    assert Message.objects.get().draft_id == draft.pk


def test_a_scheduled_release_whose_base_was_overtaken_lapses_with_an_alarm(author: User, approver: User) -> None:
    message = city.released(author, approver)
    draft = drafting.derive(message, Kind.UPDATE, author)
    draft = drafting.save(
        draft.pk,
        draft.version,
        replace(draft.content, next_in=None),
        author,
        plan=ReleasePlan.AT,
        release_at=timezone.now() + dt.timedelta(seconds=30),
    )
    draft = approval.submit(draft.pk, draft.version, author)
    approval.approve(draft.pk, draft.digest, approver)
    city.followed(message, Kind.UPDATE, author, approver)
    with _clock(dt.timedelta(minutes=1)):
        assert schedule.release_due() == 0
    draft = Draft.objects.get(pk=draft.pk)
    assert draft.state == DraftState.LAPSED
    assert Alarm.objects.filter(key=f"lapsed {draft.pk}").exists()
    assert Message.objects.count() == 2
    taken_up = drafting.take_up(draft, author)
    assert taken_up.content_json == draft.content_json


@pytest.mark.parametrize("field", ["expires", "next_by"])
def test_a_submitted_draft_lapses_when_one_of_its_times_has_gone_by(author: User, approver: User, field: str) -> None:
    times = {"valid_for": None, "expires": timezone.now() + dt.timedelta(minutes=30), "next_in": None}
    if field == "next_by":
        times |= {
            "next_by": timezone.now() + dt.timedelta(minutes=20),
            "expires": timezone.now() + dt.timedelta(hours=9),
        }
    draft = city.submitted(author, **times)
    with _clock(dt.timedelta(hours=1)), pytest.raises(approval.Overtaken):
        approval.approve(draft.pk, draft.digest, approver)
    assert Draft.objects.get().state == DraftState.LAPSED
    assert Alarm.objects.get().key == f"lapsed {draft.pk}"
    assert not Message.objects.exists()


def test_two_updates_of_one_base_the_second_lapses(author: User, approver: User) -> None:
    message = city.released(author, approver)
    drafts = [drafting.derive(message, Kind.UPDATE, author) for _ in range(2)]
    drafts = [approval.submit(draft.pk, draft.version, author) for draft in drafts]
    approval.approve(drafts[0].pk, drafts[0].digest, approver)
    with pytest.raises(approval.Overtaken):
        approval.approve(drafts[1].pk, drafts[1].digest, approver)
    assert Draft.objects.get(pk=drafts[1].pk).state == DraftState.LAPSED


def test_the_messages_of_an_alert_refer_to_each_other(author: User, approver: User) -> None:
    one = city.released(author, approver)
    two = city.followed(one, Kind.UPDATE, author, approver)
    three = city.followed(two, Kind.ALL_CLEAR, author, approver)
    assert [row[1] for row in two.references] == [one.identifier]
    assert {row[1] for row in three.references} == {one.identifier, two.identifier}
    assert three.msg_type == "Cancel"
    assert three.content.all_clear
    assert three.highest == "Extreme"


def test_an_all_clear_after_expiry_still_refers_to_the_latest(author: User, approver: User) -> None:
    one = city.released(author, approver, valid_for=30, next_in=None)
    with _clock(dt.timedelta(hours=2)):
        two = city.followed(one, Kind.ALL_CLEAR, author, approver)
    assert [row[1] for row in two.references] == [one.identifier]


def test_break_glass_needs_the_permission_a_reason_and_alarms_all(author: User) -> None:
    chief = city.officer("chief", "write_draft", "break_glass")
    draft = city.drafted(author)
    with pytest.raises(Refused):
        approval.break_glass(draft.pk, draft.version, "eilt", chief)
    message = approval.break_glass(draft.pk, draft.version, "Alle anderen sind im Einsatz.", chief)
    assert message.approval is None
    assert message.break_glass_by == chief
    assert "Alle anderen" in Alarm.objects.get(key=f"break-glass {message.identifier}").text


def test_withdrawn_is_final(author: User, approver: User) -> None:
    draft = city.submitted(author, plan=ReleasePlan.AT, release_at=timezone.now() + dt.timedelta(hours=1))
    approval.approve(draft.pk, draft.digest, approver)
    approval.withdraw(draft.pk, author, "Die Lage hat sich geändert.")
    with pytest.raises(approval.Stale):
        approval.release(draft.pk)
    assert not Message.objects.exists()


def long_ring() -> Polygon:
    return Polygon(((51.33, 12.36), (51.34, 12.38), (51.33, 12.38), (51.34, 12.36), (51.33, 12.36)))


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no area", {"circles": ()}, "no-area"),
    ("crossing polygon", {"circles": (), "polygons": (long_ring(),)}, "crossing"),
    ("expires before now", {"valid_for": None, "expires": dt.datetime(2022, 9, 13, tzinfo=dt.UTC)}, "expired"),
    ("required language missing", {"texts": {"de": Text("Brand", "Brand", "", "Bleiben Sie drin.")}}, "no-language"),
    ("control characters", {"place": "Markt\x07platz"}, "control"),
    ("text that hides", {"place": "Markt\u202eztalp"}, "hidden"),
    ("100 KB", {"place": "x" * 100_000}, "too-long"),
    ("radius of 500 km", {"circles": (Circle(51.33, 12.37, 500.0),)}, "radius"),
    ("a link elsewhere", {"contact": "https://belfry-warnung.example.org/"}, "link"),
    ("a bare link elsewhere", {"contact": "belfry-warnung.com/jetzt"}, "link"),
    ("a link with a backslash", {"web": "https://boese.example\\.leipzig.de/"}, "web"),
    ("a link without its slashes", {"web": "https:boese.example/"}, "web"),
    ("a tag character", {"place": "Markt\U000e0041platz"}, "hidden"),
    ("a line separator", {"place": "Markt\u2028platz"}, "hidden"),
    ("a direction mark in German", {"place": "Markt\u200fplatz"}, "hidden"),
    ("onset after its end", {"onset": dt.datetime(2035, 1, 1, tzinfo=dt.UTC)}, "order"),
    ("no place", {"place": " "}, "no-place"),
    ("no facts time", {"facts_at": None}, "no-facts-time"),
]


@pytest.mark.parametrize(("changes", "code"), [(row[1], row[2]) for row in BAD], ids=[row[0] for row in BAD])
def test_a_draft_with_a_fault_cannot_be_submitted_and_loses_nothing(
    author: User, changes: dict[str, Any], code: str
) -> None:
    draft = city.drafted(author, **changes)
    with pytest.raises(approval.HasFaults) as refusal:
        approval.submit(draft.pk, draft.version, author)
    faults = {fault.code: fault for fault in refusal.value.faults}
    assert code in faults
    assert faults[code].words
    kept = Draft.objects.get(pk=draft.pk)
    assert (kept.state, kept.content_json) == (DraftState.DRAFT, draft.content_json)
    assert not Rendering.objects.exists()


def test_somebody_elses_save_in_between_is_never_overwritten(author: User) -> None:
    other = city.officer("other", "write_draft")
    draft = city.drafted(author)
    saved = drafting.save(draft.pk, draft.version, replace(draft.content, place="Markt"), other)
    with pytest.raises(drafting.Overwritten) as refusal:
        drafting.save(draft.pk, draft.version, replace(draft.content, place="Ring"), author)
    assert refusal.value.current.content.place == "Markt"
    assert Draft.objects.get().version == saved.version


def test_content_survives_the_database(author: User) -> None:
    draft = city.drafted(author)
    assert from_json(Draft.objects.get().content_json) == draft.content


@pytest.mark.django_db(transaction=True)
def test_approval_racing_an_edit_ends_in_one_of_two_whole_states(author: User, approver: User) -> None:
    for _ in range(5):
        draft = city.submitted(author)
        barrier = threading.Barrier(2)
        outcome: dict[str, Exception | None] = {}

        def run(
            name: str, step: Any, *, barrier: threading.Barrier = barrier, outcome: dict[str, Any] = outcome
        ) -> None:
            barrier.wait()
            try:
                step()
                outcome[name] = None
            except Refused as refusal:
                outcome[name] = refusal
            finally:
                connection.close()

        steps = {
            "approve": lambda draft=draft: approval.approve(draft.pk, draft.digest, approver),
            "edit": lambda draft=draft: drafting.save(draft.pk, draft.version, draft.content, author),
        }
        threads = [threading.Thread(target=run, args=item) for item in steps.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        draft.refresh_from_db()
        winners = [name for name, error in outcome.items() if error is None]
        assert len(winners) == 1
        expected = DraftState.RELEASED if winners == ["approve"] else DraftState.RETURNED
        assert draft.state == expected
        assert Message.objects.filter(draft=draft).exists() == (winners == ["approve"])


class _clock:  # noqa: N801 (used as a context manager)
    """Time moved on by ``delta`` for django.utils.timezone."""

    def __init__(self, delta: dt.timedelta) -> None:
        self.delta = delta

    def __enter__(self) -> None:
        self.patch = pytest.MonkeyPatch()
        real = timezone.now
        self.patch.setattr(timezone, "now", lambda: real() + self.delta)

    def __exit__(self, *_exc: object) -> None:
        self.patch.undo()


def test_released_rows_never_change(author: User, approver: User) -> None:
    message = city.released(author, approver)
    for change in (
        lambda: Message.objects.filter(pk=message.pk).update(content_json={}),
        lambda: Message.objects.filter(pk=message.pk).update(digest="0" * 64),
        lambda: Rendering.objects.filter(draft=message.draft).update(fields_json={}),
        lambda: audit.AuditEntry.objects.filter(number=1).update(actor="somebody"),
    ):
        with pytest.raises(DatabaseError, match="rows never change"), transaction.atomic():
            change()


def test_marks_and_joiners_that_a_script_needs_are_no_fault(author: User) -> None:
    fine = (
        "מרכז\u200f העיר",
        "خانه\u200cها",
        "👩\u200d🚒 Feuerwache",
        "Rathaus, z.B. Hof. Am Markt 3.Stock",
        "lage@stadt.example",
    )
    for place in fine:
        draft = city.submitted(author, place=place)
        assert draft.content.place == place


def test_a_scheduled_release_approved_too_late_lapses(author: User, approver: User) -> None:
    draft = city.submitted(author, plan=ReleasePlan.AT, release_at=timezone.now() + dt.timedelta(minutes=1))
    with _clock(dt.timedelta(minutes=50)), pytest.raises(approval.Overtaken):
        approval.approve(draft.pk, draft.digest, approver)
    assert Draft.objects.get().state == DraftState.LAPSED


def test_the_database_refuses_a_part_that_turns_into_an_approval(author: User) -> None:
    draft = city.submitted(author)
    with pytest.raises(DatabaseError, match="row of its own"), transaction.atomic():
        Part.objects.filter(draft=draft).update(part=PartKind.APPROVED)


def test_the_database_refuses_a_message_that_cites_another_part(author: User, approver: User) -> None:
    message = city.released(author, approver)
    other = city.submitted(author)
    forged = Message.objects.get(pk=message.pk)
    forged.pk, forged.identifier, forged.draft, forged.base, forged.number = None, "forged", other, message, 2
    for part in (Part.objects.get(draft=other), message.approval):
        forged.approval = part
        with pytest.raises(DatabaseError, match="not an approval"), transaction.atomic():
            forged.save(force_insert=True)


def test_only_one_first_warning_of_an_alert_is_taken_up(author: User, approver: User) -> None:
    draft = city.submitted(author, plan=ReleasePlan.AT, release_at=timezone.now() + dt.timedelta(hours=1))
    approval.approve(draft.pk, draft.digest, approver)
    approval.withdraw(draft.pk, author, "Die Lage hat sich geändert.")
    draft.refresh_from_db()
    drafting.take_up(draft, author)
    with pytest.raises(Refused):
        drafting.take_up(draft, author)


@pytest.mark.django_db(transaction=True)
def test_two_updates_of_one_base_approved_at_once_one_goes_out_and_one_lapses(author: User, approver: User) -> None:
    second = city.officer("approver2", "approve_draft")
    for _ in range(4):
        message = city.released(author, approver)
        drafts = [drafting.derive(message, Kind.UPDATE, author) for _ in range(2)]
        drafts = [approval.submit(draft.pk, draft.version, author) for draft in drafts]
        outcomes = together(
            *(
                lambda draft=draft, by=by: approval.approve(draft.pk, draft.digest, by)
                for draft, by in zip(drafts, (approver, second), strict=True)
            )
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Message", "Overtaken"]
        assert Message.objects.filter(alert=message.alert).count() == 2


@pytest.mark.django_db(transaction=True)
def test_approving_and_a_colleagues_saving_on_one_alert_never_block_each_other(author: User, approver: User) -> None:
    for _ in range(4):
        message = city.released(author, approver)
        other = drafting.derive(message, Kind.ALL_CLEAR, author)
        draft = drafting.derive(message, Kind.UPDATE, author)
        draft = approval.submit(draft.pk, draft.version, author)
        outcomes = together(
            lambda draft=draft: approval.approve(draft.pk, draft.digest, approver),
            lambda other=other: drafting.save(other.pk, other.version, other.content, author),
        )
        assert [type(outcome).__name__ for outcome in outcomes] == ["Message", "Draft"]


def together(*steps: Any) -> list[Any]:
    """What each of these steps came to, begun at the same moment in threads of their own."""
    barrier = threading.Barrier(len(steps))
    outcomes: list[Any] = [None] * len(steps)

    def run(number: int, step: Any) -> None:
        barrier.wait()
        try:
            outcomes[number] = step()
        except (Refused, DatabaseError) as refusal:
            outcomes[number] = refusal
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
