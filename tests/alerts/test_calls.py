"""Officers are told at once of a draft that concerns them: who, in which words, and once, whatever fails."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from alerts import approval, audit, calls, callwords, checks, drafting
from alerts.models import Alarm, AuditEntry, Call, CallKind, Draft, ReleasePlan
from alerts.ports import Words
from tests import city

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "quiet")]

Answers = Generator[tuple[int, str], None, None]


class Wire:
    """Stands for mail server and SMS gateway: remembers whom it told what; ``script`` says how it meets an officer.

    ``told`` (the usual), ``never``, ``later``; ``down`` ends there; a function is called before he is told.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.words: list[Words] = []
        self.script: dict[str, str | Callable[[], object]] = {}

    def __call__(self, way: str, officers: Sequence[int], words: Words) -> Answers:
        self.words.append(words)
        for pk in officers:
            name = User.objects.get(pk=pk).username
            step = self.script.get(f"{way} {name}", self.script.get(way, "told"))
            if step == "down":
                return
            if callable(step):
                step()
                step = "told"
            if step == "told":
                self.told.append((way, name))
            yield pk, step


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    made = Wire()
    monkeypatch.setattr("alerts.ports.call", made)
    return made


def say() -> None:
    """What upkeep does, one way after the other."""
    for way in calls.WAYS:
        calls.send(way)


def later(monkeypatch: pytest.MonkeyPatch, **delta: float) -> None:
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + dt.timedelta(**delta))


def told(draft: Draft) -> str:
    return render_to_string("desk/told.html", {"told": calls.told(draft)}).strip()


class TestWho:
    def test_everybody_who_may_approve_and_has_no_part(self, author: User, approver: User, wire: Wire) -> None:
        wrote_too = city.officer("second", "write_draft", "approve_draft")
        User.objects.filter(pk=city.officer("gone", "approve_draft").pk).update(is_active=False)
        User.objects.filter(pk=city.officer("no-desk", "approve_draft").pk).update(is_staff=False)
        User.objects.filter(pk=city.officer("root", "approve_draft").pk).update(is_superuser=True)
        city.officer("observer")
        other = city.officer("other", "approve_draft")
        draft = city.drafted(author)
        drafting.save(draft.pk, draft.version, draft.content, wrote_too)
        approval.submit(draft.pk, draft.version + 1, author)
        say()
        assert sorted(wire.told) == [(way, one.username) for way in ("mail", "sms") for one in (approver, other)]

    def test_the_author_hears_of_a_return_a_lapse_and_a_release(
        self, author: User, approver: User, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        returned, released = city.submitted(author), city.submitted(author)
        times = {"valid_for": None, "expires": timezone.now() + dt.timedelta(minutes=30), "next_in": None}
        lapsed = city.submitted(author, **times)
        approval.send_back(returned.pk, approver, "Der Ort fehlt.")
        approval.approve(released.pk, released.digest, approver)
        later(monkeypatch, minutes=31)
        assert approval.lapse_if_gone(lapsed.pk)
        say()
        assert wire.told == [(way, "author") for way in calls.WAYS for _draft in range(3)]
        assert [words.subject.partition(":")[0] for words in wire.words[:3]] == [
            "Zurückgegeben",
            "Ausgesendet",
            "Nicht ausgesendet",
        ]
        assert not any("Der Ort fehlt." in words.body for words in wire.words)

    def test_who_released_alone_is_not_told_of_it(self, author: User, wire: Wire) -> None:
        chief = city.officer("chief", "write_draft", "break_glass")
        draft = city.drafted(author)
        approval.break_glass(draft.pk, draft.version, "Alle anderen sind im Einsatz.", chief)
        say()
        assert wire.told == [("sms", "author"), ("mail", "author")]

    def test_the_demo_s_officers_are_told_in_the_demo_alone(
        self, author: User, approver: User, wire: Wire, settings: Any
    ) -> None:
        User.objects.filter(pk=approver.pk).update(email=f"bert{checks.DEMO_DOMAIN}")
        draft = city.submitted(author)
        assert not calls.approvers(draft)
        settings.DEMO = True
        assert list(calls.approvers(draft)) == [approver]
        settings.ADDRESS = "https://warnung.stadt.example"
        assert not calls.approvers(draft)

    def test_a_thousand_officers_are_told_with_few_queries(
        self, author: User, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
    ) -> None:
        heard: list[int] = []

        def answer(_way: str, officers: Sequence[int], _words: Words) -> Answers:
            for pk in officers:
                heard.append(pk)
                yield pk, "told"

        monkeypatch.setattr("alerts.ports.call", answer)
        monkeypatch.setattr(calls, "NOTED", 3600.0)
        made = User.objects.bulk_create(User(username=f"officer-{number:04}", is_staff=True) for number in range(1000))
        Permission.objects.get(codename="approve_draft").user_set.set(made)
        draft = city.submitted(author)
        with django_assert_max_num_queries(60):
            say()
        assert sorted(heard) == sorted([one.pk for one in made] * 2)
        assert Call.objects.get().told == 1000
        assert "officer-0000 und 999 weitere, <time" in told(draft)


class TestWords:
    def test_level_headline_place_author_and_the_link(self, author: User, approver: User, wire: Wire) -> None:
        author.first_name, author.last_name = "Karl", "Prüfer"
        author.save()
        draft = city.submitted(author)
        say()
        words = wire.words[0]
        assert words.subject == "Freigabe nötig: Bombenfund Dimitroffstraße (Extreme Gefahr)"
        link = f"http://127.0.0.1:8000/desk/drafts/{draft.pk}/"
        assert words.body == (
            "Ein Entwurf wartet auf Ihre Freigabe.\n\n"
            "Stufe: Extreme Gefahr\n"
            "Überschrift: Bombenfund: Verlassen Sie das Gebiet\n"
            "Ort: Dimitroffstraße\n"
            "Verfasst von: Karl Prüfer\n\n"
            f"Lesen und freigeben:\n{link}\n"
        )
        assert words.link == link

    def test_an_exercise_says_so_first_and_holds_no_order(self, author: User, approver: User, wire: Wire) -> None:
        city.submitted(author, status="Exercise")
        say()
        words = wire.words[0]
        assert words.subject.startswith("ÜBUNG: Freigabe nötig")
        assert words.body.startswith("ÜBUNG")
        assert "Verlassen" not in words.subject + words.body
        assert "Gefahr)" not in words.subject

    def test_no_line_break_and_no_turned_text_gets_into_the_subject(
        self, author: User, approver: User, wire: Wire
    ) -> None:
        author.first_name = "Karl\u202egnuskrap\u2066\r\nBcc: all@stadt.example"
        author.save()
        texts = city.content().texts
        event = "Bombe\r\nBcc: all@stadt.example\r\n\r\nAlles ist gut"
        hostile = replace(texts["de"], event=event, headline="Bombe\nLevel: Fehlalarm")
        city.submitted(author, texts=texts | {"de": hostile})
        say()
        words = wire.words[0]
        assert "\n" not in words.subject
        assert "\r" not in words.subject
        assert words.body.count("\n") == 9
        assert not {"\u202e", "\u2066", "\r"} & set(words.body)

    def test_a_line_is_never_long(self) -> None:
        assert len(callwords.one_line("Wasser " * 1000)) <= callwords.LONGEST


class TestRows:
    def test_a_call_stands_or_falls_with_what_it_tells_of(self, author: User) -> None:
        draft = city.drafted(author)
        with transaction.atomic():
            approval.submit(draft.pk, draft.version, author)
            assert Call.objects.get().kind == CallKind.SUBMITTED
            transaction.set_rollback(True)
        assert not Call.objects.exists()

    def test_what_was_approved_before_it_was_said_is_dropped_with_a_reason(
        self, author: User, approver: User, wire: Wire
    ) -> None:
        draft = city.submitted(author)
        approval.approve(draft.pk, draft.digest, approver)
        say()
        assert wire.told == [("sms", "author"), ("mail", "author")], "of the release, not of the wait"
        call = Call.objects.get(kind=CallKind.SUBMITTED)
        assert (call.told, call.told_at is not None) == (0, True)
        assert "Ausgesendet" in AuditEntry.objects.get(action="call-dropped").data["reason"]

    @pytest.mark.parametrize("step", ["pulled back", "changed", "approved for later"])
    def test_what_no_longer_waits_is_dropped(self, author: User, approver: User, wire: Wire, step: str) -> None:
        draft = city.submitted(author, plan=ReleasePlan.AT, release_at=timezone.now() + dt.timedelta(minutes=10))
        if step == "pulled back":
            approval.pull_back(draft.pk, author)
        elif step == "changed":
            drafting.save(draft.pk, draft.version, draft.content, author)
        else:
            approval.approve(draft.pk, draft.digest, approver)
        say()
        assert wire.told == []

    def test_submitting_again_tells_again(self, author: User, approver: User, wire: Wire) -> None:
        draft = city.submitted(author)
        say()
        approval.pull_back(draft.pk, author)
        draft.refresh_from_db()
        approval.submit(draft.pk, draft.version, author)
        say()
        assert wire.told == [("sms", "approver"), ("mail", "approver")] * 2

    def test_nobody_hears_hours_later_of_a_return(
        self, author: User, approver: User, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        draft = city.submitted(author)
        approval.send_back(draft.pk, approver, "Der Ort fehlt.")
        later(monkeypatch, hours=2)
        say()
        assert wire.told == []
        assert not Call.objects.filter(told_at__isnull=True).exists()

    def test_the_record_says_who_was_told_and_holds_no_address(
        self, author: User, approver: User, wire: Wire, caplog: pytest.LogCaptureFixture
    ) -> None:
        city.submitted(author)
        wire.script["mail"] = "down"
        say()
        line = AuditEntry.objects.get(action="called")
        assert line.data == {"kind": "submitted", "way": "sms", "officers": ["approver"]}
        assert "@" not in caplog.text + str(list(AuditEntry.objects.values_list("data", flat=True)))
        assert not list(audit.faults())


class TestOnce:
    def test_two_upkeeps_at_once_make_one_call(self, author: User, approver: User, wire: Wire) -> None:
        wire.script = dict.fromkeys(("sms approver", "mail approver"), say)  # type: ignore[arg-type]
        city.submitted(author)
        say()
        say()
        assert sorted(wire.told) == [("mail", "approver"), ("sms", "approver")]

    def test_a_way_that_is_down_stays_owed_and_the_others_are_told(
        self, author: User, approver: User, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        city.officer("other", "approve_draft")
        city.submitted(author)
        wire.script = {"sms": "down", "mail other": "later"}
        say()
        assert wire.told == [("mail", "approver")]
        wire.script = {}
        say()
        assert wire.told == [("mail", "approver")], "not before the pause is over"
        later(monkeypatch, seconds=6)
        say()
        assert sorted(wire.told[1:]) == [("mail", "other"), ("sms", "approver"), ("sms", "other")]
        assert Call.objects.get().told_at is not None

    def test_the_pauses_grow(self, author: User, approver: User, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
        city.submitted(author)
        wire.script = {"mail": "down"}
        say()
        later(monkeypatch, seconds=6)
        say()
        later(monkeypatch, seconds=6)
        assert calls.owed("mail") == []
        later(monkeypatch, seconds=5)
        assert calls.owed("mail") == [Call.objects.get().pk]

    def test_whom_a_server_broke_off_at_comes_last(
        self, author: User, approver: User, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("other", "third"):
            city.officer(name, "approve_draft")
        city.submitted(author)
        wire.script = {"mail approver": "down", "sms": "never"}
        say()
        assert wire.told == []
        later(monkeypatch, seconds=6)
        say()
        assert wire.told == [("mail", "other"), ("mail", "third")]

    def test_a_process_that_died_is_taken_over_and_nobody_is_told_twice(
        self, author: User, approver: User, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        city.officer("other", "approve_draft")
        city.submitted(author)
        monkeypatch.setattr(calls, "NOTED", 0.0)

        def die() -> None:
            raise SystemExit

        wire.script = {"sms other": die, "mail": "never"}
        real = calls._note
        monkeypatch.setattr(calls, "_note", lambda *args, over=False: over or real(*args))
        with pytest.raises(SystemExit):
            calls.send("sms")
        monkeypatch.setattr(calls, "_note", real)
        wire.script = {"mail": "never"}
        say()
        assert wire.told == [("sms", "approver")], "its lease still holds"
        later(monkeypatch, seconds=calls.LEASE + 1)
        say()
        assert wire.told == [("sms", "approver"), ("sms", "other")]

    def test_it_stops_once_somebody_has_approved(
        self, author: User, approver: User, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("other", "third"):
            city.officer(name, "approve_draft")
        draft = city.submitted(author)
        monkeypatch.setattr(calls, "NOTED", 0.0)
        wire.script = {"sms other": lambda: approval.approve(draft.pk, draft.digest, approver)}
        calls.send("sms")
        assert [name for _way, name in wire.told] == ["approver", "other"]
        calls.send("sms")
        assert Call.objects.get(kind=CallKind.SUBMITTED).told_at is not None

    def test_one_call_s_fault_stops_no_other(self, author: User, approver: User, wire: Wire) -> None:
        bad, good = city.submitted(author), city.submitted(author)
        Draft.objects.filter(pk=bad.pk).update(content_json={"nonsense": 1})
        say()
        assert Call.objects.get(draft=good).told == 1


class TestNobody:
    def test_nobody_told_for_a_minute_is_an_alarm_until_somebody_is(
        self, author: User, approver: User, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        draft = city.submitted(author)
        wire.script = {"sms": "down", "mail": "down"}
        say()
        calls.look()
        assert not Alarm.objects.exists()
        assert "wird gerade benachrichtigt" in told(draft)
        later(monkeypatch, seconds=61)
        calls.look()
        alarm = Alarm.objects.get()
        assert alarm.key == f"unheard {draft.pk}.1"
        assert alarm.text.startswith("Bombenfund Dimitroffstraße: ")
        assert alarm.link.endswith(f"/desk/drafts/{draft.pk}/")
        wire.script = {"sms": "down"}
        say()
        calls.look()
        alarm.refresh_from_db()
        assert alarm.ended_at is not None

    def test_nobody_to_tell_is_an_alarm_at_once_and_rings_once(self, author: User, approver: User, wire: Wire) -> None:
        draft = city.submitted(author)
        wire.script = {"sms": "never", "mail": "never"}
        say()
        calls.look()
        assert "Niemand war zu erreichen" in told(draft)
        Alarm.objects.update(ended_at=timezone.now())
        calls.look()
        assert Alarm.objects.count() == 1

    def test_without_any_approver_the_desk_is_alarmed(self, author: User, wire: Wire) -> None:
        city.submitted(author)
        say()
        calls.look()
        assert Alarm.objects.get().key.startswith("unheard ")

    def test_it_ends_when_the_draft_waits_no_more(self, author: User, wire: Wire) -> None:
        draft = city.submitted(author)
        say()
        calls.look()
        approval.pull_back(draft.pk, author)
        calls.look()
        assert Alarm.objects.get().ended_at is not None


class TestTold:
    def test_the_page_says_who_was_told_and_when(self, author: User, approver: User, wire: Wire) -> None:
        approver.first_name = "<b>Berta</b>"
        approver.save()
        draft = city.submitted(author)
        say()
        page = told(draft)
        assert "<dd>&lt;b&gt;Berta&lt;/b&gt;, <time" in page
        city.officer("other", "approve_draft")
        city.officer("third", "approve_draft")
        assert told(draft) == page

    def test_a_draft_of_before_says_nothing(self, author: User) -> None:
        assert told(city.drafted(author)) == ""

    def test_a_drill_that_is_kept_ready_was_told_too(self, author: User, approver: User, wire: Wire) -> None:
        content = {"facts_at": None, "valid_for": 60, "next_in": None}
        city.submitted(author, status="Exercise", plan=ReleasePlan.DRILL, **content)
        say()
        assert all(words.subject.startswith("ÜBUNG") for words in wire.words)
        assert len(wire.told) == 2
