"""Sources followed: what is filed, tied together, escalated, acknowledged and taken over; and what no source can do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from alerts import alarms, approval, cap, checks
from alerts.content import Circle
from alerts.intake.sources import acting, escalating, following, items
from alerts.models import Alarm, AuditEntry, Draft, DraftState, Incoming, ItemState, Message, Source, SourceKind
from alerts.people import NotAllowed, Refused
from alerts.signature import make_certificate, make_key, sign
from alerts.terms import Kind
from tests import city
from tests.alerts.capcases import minimal
from tests.alerts.intake.feedserver import Feed, feed, ok

pytestmark = pytest.mark.django_db

FAR = (cap.CapArea(area_desc="Weit weg", circle=(Circle(48.1, 11.5, 1.0),)),)
NOW = timezone.now


@pytest.fixture(autouse=True)
def _fresh(districts: None, quiet: None, settings: Any, tmp_path: Path) -> None:
    settings.CAP_TRUSTED_DIR = tmp_path
    following._memories.clear()


@pytest.fixture
def wire(settings: Any) -> Iterator[Feed]:
    with feed() as found:
        settings.SOURCES_INSIDE = [found.place]
        yield found


@pytest.fixture
def source(wire: Feed) -> Source:
    return Source.objects.create(name="Leitstelle", kind=SourceKind.ATOM, url=wire.url())


def document(identifier: str = "lst.1", *, ago: float = 5, **changes: Any) -> bytes:
    """A CAP document for the centre; sent so many minutes ago."""
    sent = (NOW() - timedelta(minutes=ago)).replace(microsecond=0)
    given = {"identifier": identifier, "sender": "lst.example", "sent": sent, "expires": NOW().replace(microsecond=0)
             + timedelta(hours=4), "headline": "Bombenfund", "severity": "Severe"}  # fmt: skip
    return cap.write(minimal(**given | changes))


def referring(*identifiers: str) -> dict[str, Any]:
    sent = "2026-01-01T00:00:00+01:00"
    return {"references": tuple(cap.Reference("lst.example", identifier, sent) for identifier in identifiers)}


def listed(*documents: bytes) -> bytes:
    """An Atom feed with the documents in it, in this order."""
    entries = (
        f"<entry><id>{number}-{hash(body)}</id><content>{body.decode().split('?>')[1]}</content></entry>"
        for number, body in enumerate(documents)
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom">{"".join(entries)}</feed>'.encode()


def told(source: Source, wire: Feed, *documents: bytes, **headers: str) -> list[Incoming]:
    """The source says this now; what is filed of it, the newest first."""
    wire.answers["/feed"] = ok(listed(*documents), **headers)
    Source.objects.filter(pk=source.pk).update(due_at=None)
    assert following.follow(source.pk)
    source.refresh_from_db()
    assert source.failures == 0, source.words
    return list(Incoming.objects.filter(source=source))


# Filing


def test_a_warning_for_the_city_is_filed_once_however_often_it_is_listed(source: Source, wire: Feed) -> None:
    body = document()
    for _again in range(2):
        (item,) = told(source, wire, body)
    following._memories.clear()
    (item,) = told(source, wire, body)
    assert (item.identifier, item.headline, item.severity) == ("lst.1", "Bombenfund", "Severe")
    assert item.state == ItemState.NEW
    assert acting.told(item).touched


def test_a_linked_document_is_fetched_once_while_its_entry_stays_the_same(source: Source, wire: Feed) -> None:
    entry = "<entry><id>1</id><updated>{}</updated><link type='application/cap+xml' href='/doc'/></entry>"
    wire.answers["/doc"] = ok(document())
    for stamp in ("1", "1", "2"):
        wire.answers["/feed"] = ok(f'<feed xmlns="http://www.w3.org/2005/Atom">{entry.format(stamp)}</feed>'.encode())
        Source.objects.update(due_at=None)
        following.follow(source.pk)
    assert wire.paths().count("/doc") == 2
    assert Incoming.objects.count() == 1


@pytest.mark.parametrize(
    ("bounds", "changes"),
    [
        ({}, {"area": FAR}),
        ({"least": "Severe"}, {"severity": "Moderate"}),
        ({"events": ["Hochwasser"]}, {}),
        ({}, {"sent": NOW() - timedelta(days=30), "expires": None}),
        ({}, {"expires": NOW() - timedelta(minutes=1)}),
        ({}, {"msg_type": "Cancel", **referring("never.heard.of")}),
    ],
)
def test_what_is_none_of_the_citys_business_is_not_filed(
    source: Source, wire: Feed, bounds: dict[str, Any], changes: dict[str, Any]
) -> None:
    Source.objects.filter(pk=source.pk).update(**bounds)
    changes = {name: value.replace(microsecond=0) if hasattr(value, "microsecond") else value
               for name, value in changes.items()}  # fmt: skip
    assert told(source, wire, document(**changes)) == []


def test_with_other_bounds_the_same_list_is_looked_at_anew(source: Source, wire: Feed, carla_: User) -> None:
    body = document(area=FAR)
    assert told(source, wire, body) == []
    source.whole_world = True
    acting.keep(source, carla_)
    assert len(told(source, wire, body)) == 1


def test_events_are_known_by_part_of_their_words(source: Source, wire: Feed) -> None:
    Source.objects.update(events=["bomben"])
    assert len(told(source, wire, document())) == 1


def test_html_in_a_headline_stays_text_and_a_long_one_is_cut(source: Source, wire: Feed) -> None:
    (item,) = told(source, wire, document(headline="<script>alert(1)</script>" + "ä" * 400))
    assert len(item.headline) <= 300
    assert "<script>" not in item.headline


def test_a_time_of_another_zone_is_the_same_moment(source: Source, wire: Feed) -> None:
    body = document().replace(b"+00:00</sent>", b"-00:00</sent>")
    (item,) = told(source, wire, body)
    assert NOW() - timedelta(minutes=6) < item.sent < NOW()


def test_a_date_in_the_future_does_not_keep_later_words_out(source: Source, wire: Feed) -> None:
    told(source, wire, document("lst.1", sent=(NOW() + timedelta(days=3)).replace(microsecond=0), expires=None))
    update = document("lst.2", ago=0, msg_type="Update", **referring("lst.1"))
    newest, oldest = sorted(told(source, wire, update), key=lambda item: -item.pk)
    assert oldest.sent <= NOW()
    assert (newest.state, oldest.state) == (ItemState.NEW, ItemState.OVERTAKEN)


def test_a_clock_that_goes_a_little_fast_is_believed(source: Source, wire: Feed) -> None:
    (item,) = told(source, wire, document(ago=-4))
    assert item.sent > NOW()


# What belongs together


def test_an_update_overtakes_and_the_list_may_begin_with_it(source: Source, wire: Feed) -> None:
    update = document("lst.2", ago=1, msg_type="Update", severity="Extreme", **referring("lst.1"))
    newer, older = told(source, wire, update, document("lst.1"))
    assert (newer.identifier, newer.state, older.state) == ("lst.2", ItemState.NEW, ItemState.OVERTAKEN)
    assert newer.event == older.event
    assert [item.identifier for item in items.owed()] == ["lst.2"]


def test_an_update_of_what_nobody_saw_keeps_the_time_since_when_the_desk_owes_a_look(
    source: Source, wire: Feed
) -> None:
    told(source, wire, document("lst.1"))
    since = NOW() - timedelta(minutes=9)
    Incoming.objects.update(came_at=since)
    newer, _older = told(source, wire, document("lst.2", ago=1, msg_type="Update", **referring("lst.1")))
    assert newer.came_at == since


def test_a_cancel_is_told_though_it_is_below_the_sources_bounds(source: Source, wire: Feed) -> None:
    Source.objects.update(least="Severe", events=["Bomben"])
    told(source, wire, document("lst.1"))
    cancel = document("lst.2", ago=1, msg_type="Cancel", severity="Minor", event="Ende", area=FAR, **referring("lst.1"))
    newer, older = told(source, wire, cancel)
    assert (newer.msg_type, newer.state, older.state) == ("Cancel", ItemState.NEW, ItemState.OVERTAKEN)


def test_two_sources_with_the_same_message_make_one_event(source: Source, wire: Feed, author: User) -> None:
    other = Source.objects.create(name="Land", kind=SourceKind.ATOM, url=wire.url())
    body = document("DE-SN-L-1")
    (first,) = told(source, wire, body)
    acting.acknowledge(first.pk, author)
    (second,) = told(other, wire, document("mow.DE-SN-L-1"))
    assert second.event == first.event
    assert second.state == ItemState.SEEN, "the desk knows it already"
    assert not items.owed().exists()


@pytest.mark.parametrize(
    ("changes", "together"),
    [
        ({"event": "Bombenfund"}, True),
        ({"event": "Großbrand"}, False),
        ({"event": "Bombenfund", "ago": 55}, False),
        ({"event": "Bombenfund", "area": FAR}, False),
    ],
)
def test_the_same_event_in_the_same_place_at_the_same_time_is_tied_together(
    source: Source, wire: Feed, changes: dict[str, Any], together: bool
) -> None:
    other = Source.objects.create(name="Land", kind=SourceKind.ATOM, url=wire.url(), whole_world=True)
    (first,) = told(source, wire, document("a.1"))
    (second,) = told(other, wire, document("b.1", **changes))
    assert (first.event == second.event) is together
    assert second.state == ItemState.NEW, "alike is not the same: nobody has read it"


def test_words_that_mean_any_danger_tie_nothing_together(source: Source, wire: Feed) -> None:
    other = Source.objects.create(name="Land", kind=SourceKind.ATOM, url=wire.url())
    (first,) = told(source, wire, document("a.1", event="Gefahreninformation", headline="Brand"))
    (second,) = told(other, wire, document("b.1", event="Gefahreninformation", headline="Wasser"))
    assert first.event != second.event


def test_what_is_listed_no_more_still_holds_and_that_is_said(source: Source, wire: Feed) -> None:
    told(source, wire, document("lst.1"), document("lst.2", event="Brand"))
    first, second = told(source, wire, document("lst.2", event="Brand"))
    assert {first.state, second.state} == {ItemState.NEW}
    assert items.owed().count() == 2
    assert source.words.startswith(("1 warning", "1 Warnung"))


# Asking


def test_nothing_new_costs_one_question_and_nothing_is_read(source: Source, wire: Feed) -> None:
    told(source, wire, document(), ETag='"7"')
    assert source.etag == '"7"'
    wire.answers["/feed"] = ok(b"", "304 Not Modified")
    Source.objects.update(due_at=None)
    following.follow(source.pk)
    source.refresh_from_db()
    assert 'If-None-Match: "7"' in wire.asked[-1]
    assert (source.failures, source.etag, source.lease) == (0, '"7"', "")


def test_a_document_that_can_not_be_had_is_asked_for_again(source: Source, wire: Feed) -> None:
    entry = "<entry><id>1</id><link type='application/cap+xml' href='/doc'/></entry>"
    feed_ = ok(f'<feed xmlns="http://www.w3.org/2005/Atom">{entry}</feed>'.encode(), ETag='"7"')
    wire.answers["/feed"] = feed_
    following.follow(source.pk)
    source.refresh_from_db()
    assert source.etag == "", "else a 304 would keep it out for ever"
    wire.answers["/doc"] = ok(document())
    Source.objects.update(due_at=None)
    following.follow(source.pk)
    assert Incoming.objects.count() == 1


def test_one_broken_document_keeps_out_no_other(source: Source, wire: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = document("lst.1").replace(b"<severity>Severe</severity>", b"<severity>Awful</severity>")
    (item,) = told(source, wire, broken, document("lst.2"))
    assert item.identifier == "lst.2"
    assert source.words


def test_failures_back_off_and_the_third_sounds_an_alarm_that_the_next_answer_ends(source: Source, wire: Feed) -> None:
    pauses = []
    for _try in range(4):
        Source.objects.update(due_at=None)
        following.follow(source.pk)
        source.refresh_from_db()
        pauses.append(round((source.due_at - NOW()).total_seconds(), -1))
        assert Alarm.objects.filter(key=f"source {source.pk}").exists() is (source.failures >= 3)
    assert pauses == [60, 120, 240, 480]
    told(source, wire, document())
    assert not alarms.open_alarms()


def test_who_asks_to_be_left_alone_is(source: Source, wire: Feed) -> None:
    wire.answers["/feed"] = ok(b"", "429 Too Many Requests", Retry_After="1800")
    following.follow(source.pk)
    source.refresh_from_db()
    assert source.due_at > NOW() + timedelta(minutes=29)
    assert following.due() == []


def test_a_fault_of_our_own_is_a_failure_that_leaves_no_lease(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_round", lambda _source: 1 / 0)
    following.follow(source.pk)
    source.refresh_from_db()
    assert (source.failures, source.lease_until) == (1, None)


def test_a_source_that_another_process_asks_is_left_to_it_until_its_lease_ends(source: Source, wire: Feed) -> None:
    Source.objects.update(lease="theirs", lease_until=NOW() + timedelta(seconds=60))
    assert following.due() == []
    assert not following.follow(source.pk)
    Source.objects.update(lease_until=NOW() - timedelta(seconds=1))
    assert following.due() == [source.pk]
    told(source, wire, document())


def test_who_lost_the_lease_writes_nothing_more_about_the_source(
    source: Source, wire: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_source: Source) -> following.Told:
        Source.objects.update(lease="theirs", words="theirs")
        return following.Told("ours")

    monkeypatch.setattr(following, "_round", slow)
    following.follow(source.pk)
    source.refresh_from_db()
    assert (source.words, source.lease) == ("theirs", "theirs")


def test_a_source_out_of_use_is_not_asked(source: Source, wire: Feed) -> None:
    Source.objects.update(active=False)
    assert following.due() == []
    assert not following.follow(source.pk)


def test_one_source_that_hangs_holds_up_no_other(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Source.objects.create(name="Land", kind=SourceKind.ATOM, url="https://feeds.example/")
    let_go, asked = threading.Event(), {source.pk: threading.Event(), other.pk: threading.Event()}

    def aside(source_id: int) -> None:
        asked[source_id].set()
        if source_id == source.pk:
            let_go.wait(20)

    monkeypatch.setattr(following, "_aside", aside)
    followers = following.Followers()
    followers.look()
    assert all(event.wait(10) for event in asked.values())
    monkeypatch.setattr(following, "LEASE", timedelta(seconds=-1))
    followers.look()
    assert [alarm.key for alarm in alarms.open_alarms()] == [f"{following.HANGS}{source.pk}"]
    let_go.set()


def test_the_command_asks_what_is_due_once(source: Source, wire: Feed) -> None:
    wire.answers["/feed"] = ok(listed(document(severity="Extreme")))
    call_command("follow_sources")
    assert Incoming.objects.count() == 1
    assert len(alarms.open_alarms()) == 1


def test_an_address_alone_may_be_a_cap_document(wire: Feed) -> None:
    one = Source.objects.create(name="Pegel", kind=SourceKind.CAP, url=wire.url("/one.xml"))
    wire.answers["/one.xml"] = ok(document())
    following.follow(one.pk)
    assert Incoming.objects.get().source == one
    wire.answers["/one.xml"] = ok(b"<html/>")
    Source.objects.update(due_at=None)
    following.follow(one.pk)
    one.refresh_from_db()
    assert one.failures == 1


def test_nina_is_followed_from_its_list_to_the_area(wire: Feed, settings: Any) -> None:
    one = Source.objects.create(name="NINA", kind=SourceKind.NINA, url=wire.url("/api31/mowas/mapData.json"))
    info = {"language": "DE", "event": "Gefahrendurchsage", "severity": "Extreme", "headline": "Brand<br/>hier",
            "description": "Es <b>brennt</b>.", "category": ["Fire"], "area": [{"areaDesc": "Leipzig"}]}  # fmt: skip
    whole = {"identifier": "mow.DE-1", "sender": "DE", "sent": NOW().isoformat(), "status": "Actual",
             "msgType": "Alert", "info": [info]}  # fmt: skip
    geometry = {"features": [{"geometry": city.square(city.LAT, city.LON, 0.005)}]}
    wire.answers |= {
        "/api31/mowas/mapData.json": ok(json.dumps([{"id": "mow.DE-1", "version": 1}, {"id": "../x"}]).encode()),
        "/api31/warnings/mow.DE-1.json": ok(json.dumps(whole).encode()),
        "/api31/warnings/mow.DE-1.geojson": ok(json.dumps(geometry).encode()),
    }
    following.follow(one.pk)
    item = Incoming.objects.get()
    assert (item.headline, item.severity) == ("Brand hier", "Extreme")
    assert {district.code for district in acting.told(item).touched} == {"nw", "no", "sw", "so"}
    assert not any(".." in path for path in wire.paths())


def test_the_citys_regional_key_stands_for_the_city_where_nothing_is_drawn(wire: Feed, settings: Any) -> None:
    one = Source.objects.create(name="NINA", kind=SourceKind.NINA, url=wire.url("/nina/mapData.json"))
    for key, count in (("066310000000", 0), ("147130000000", 1)):
        info = {"event": "x", "headline": "x", "severity": "Severe",
                "parameter": [{"valueName": "warnVerwaltungsbereiche", "value": key}]}  # fmt: skip
        whole = {"identifier": key, "sent": NOW().isoformat(), "status": "Actual", "msgType": "Alert", "info": [info]}
        wire.answers |= {
            "/nina/mapData.json": ok(json.dumps([{"id": key}]).encode()),
            f"/nina/warnings/{key}.json": ok(json.dumps(whole).encode()),
        }
        Source.objects.update(due_at=None)
        following.follow(one.pk)
        assert Incoming.objects.count() == count


def test_a_signature_is_checked_where_there_is_one(source: Source, wire: Feed, tmp_path: Path) -> None:
    key = make_key()
    certificate = make_certificate(key, "Leitstelle", NOW())
    one = Source.objects.create(name="Pegel", kind=SourceKind.CAP, url=wire.url("/one.xml"))
    said = []
    signed = sign(document("s.1"), key, certificate)
    for body, trusted in (
        (document("s.0"), False),
        (signed, False),
        (signed.replace(b"s.1", b"s.2").replace(b"Bombenfund", b"Bombenalarm"), False),
        (sign(document("s.3"), key, certificate), True),
    ):
        if trusted:
            (tmp_path / "leitstelle.pem").write_bytes(certificate)
        wire.answers["/one.xml"] = ok(body)
        Source.objects.update(due_at=None)
        following.follow(one.pk)
        said.append(Incoming.objects.order_by("-pk")[0].signature)
    assert said == ["", "unknown", "bad", "good"]


# Escalating and acknowledging


def test_extreme_danger_calls_officers_at_once_and_only_once(source: Source, wire: Feed, author: User) -> None:
    (item,) = told(source, wire, document(severity="Extreme"))
    for _again in range(3):
        escalating.look()
    assert Alarm.objects.count() == 1
    alarm = Alarm.objects.get()
    assert "Bombenfund" in alarm.text
    assert alarm.link.endswith(f"/desk/incoming/{item.pk}/")
    alarms.put_aside(alarm.pk, author)
    escalating.look()
    assert Alarm.objects.count() == 1, "put aside is put aside"


def test_others_call_officers_when_nobody_acknowledges_them_in_time(source: Source, wire: Feed, author: User) -> None:
    (item,) = told(source, wire, document())
    escalating.look(NOW() + timedelta(minutes=9))
    assert not alarms.open_alarms()
    escalating.look(NOW() + timedelta(minutes=11))
    assert len(alarms.open_alarms()) == 1
    acting.acknowledge(item.pk, author)
    assert not alarms.open_alarms()
    item.refresh_from_db()
    assert (item.state, item.seen_by) == (ItemState.SEEN, author)
    line = AuditEntry.objects.get(action="incoming-seen")
    assert (line.actor, line.data["identifiers"]) == ("author", ["lst.1"])


def test_updates_every_few_minutes_do_not_put_the_call_off(source: Source, wire: Feed) -> None:
    told(source, wire, document("lst.1"))
    Incoming.objects.update(came_at=NOW() - timedelta(minutes=11))
    told(source, wire, document("lst.2", ago=1, msg_type="Update", **referring("lst.1")))
    escalating.look()
    assert len(alarms.open_alarms()) == 1
    told(source, wire, document("lst.3", ago=0, msg_type="Update", **referring("lst.2")))
    escalating.look()
    assert Alarm.objects.count() == 1, "one event, one call"


def test_an_event_that_grows_extreme_is_called_anew(source: Source, wire: Feed) -> None:
    told(source, wire, document("lst.1"))
    escalating.look(NOW() + timedelta(minutes=11))
    told(source, wire, document("lst.2", ago=0, msg_type="Update", severity="Extreme", **referring("lst.1")))
    escalating.look()
    assert (Alarm.objects.count(), len(alarms.open_alarms())) == (2, 1)


@pytest.mark.parametrize("status", ["Exercise", "Test"])
def test_an_exercise_of_others_calls_nobody(source: Source, wire: Feed, status: str) -> None:
    (item,) = told(source, wire, document(severity="Extreme", status=status, note="Übung"))
    assert item.status == status
    escalating.look(NOW() + timedelta(hours=1))
    assert not alarms.open_alarms()


def test_what_has_expired_calls_nobody_any_more(source: Source, wire: Feed) -> None:
    told(source, wire, document(severity="Extreme"))
    escalating.look()
    Incoming.objects.update(expires=NOW() - timedelta(seconds=1))
    escalating.look()
    assert not alarms.open_alarms()


def test_acknowledging_does_not_cover_what_came_after_it_was_read(source: Source, wire: Feed, author: User) -> None:
    (first,) = told(source, wire, document("lst.1"))
    newer, _first = told(source, wire, document("lst.2", ago=1, msg_type="Update", **referring("lst.1")))
    assert acting.acknowledge(first.pk, author) == 0
    newer.refresh_from_db()
    assert newer.state == ItemState.NEW


def test_an_observer_acknowledges_and_drafts_nothing(source: Source, wire: Feed, db: None) -> None:
    (item,) = told(source, wire, document())
    olaf = city.officer("olaf")
    for act in (acting.acknowledge, acting.draft):
        with pytest.raises(NotAllowed):
            act(item.pk, olaf)
    with pytest.raises(NotAllowed):
        acting.keep(source, olaf)


# One step to a draft


def test_one_step_makes_a_draft_with_words_area_and_the_sources_name(
    source: Source, wire: Feed, author: User, settings: Any
) -> None:
    settings.REQUIRED_LANGUAGES = ["de", "en"]
    (item,) = told(source, wire, document(severity="Extreme"))
    escalating.look()
    draft = acting.draft(item.pk, author)
    content = draft.content
    assert content.texts["de"].headline == "Bombenfund"
    assert content.circles
    assert content.touched
    assert "Leitstelle" in content.note
    assert "lst.1" in content.note
    assert acting.missing_languages(draft) == ["en"]
    item.refresh_from_db()
    assert (item.draft, item.state, item.seen_by) == (draft, ItemState.DRAFTED, author)
    assert not alarms.open_alarms()
    assert draft.state == DraftState.DRAFT
    assert not Message.objects.exists(), "nothing goes out by itself"
    with pytest.raises(Refused, match=str(draft.pk)):
        acting.draft(item.pk, author)
    assert Draft.objects.count() == 1


def test_whoever_took_it_over_can_not_approve_it(source: Source, wire: Feed, settings: Any) -> None:
    settings.REQUIRED_LANGUAGES = ["de"]
    both = city.officer("both", "write_draft", "approve_draft")
    (item,) = told(source, wire, document(description="Dort liegt sie.", instruction="Gehen Sie."))
    draft = acting.draft(item.pk, both)
    draft = approval.submit(draft.pk, draft.version, both)
    with pytest.raises(Refused):
        approval.approve(draft.pk, draft.digest, both)


def test_an_update_of_a_warned_event_goes_on_from_the_citys_message(
    source: Source, wire: Feed, author: User, approver: User, settings: Any
) -> None:
    settings.REQUIRED_LANGUAGES = ["de"]
    words = {"description": "Dort liegt sie.", "instruction": "Gehen Sie."}
    (item,) = told(source, wire, document("lst.1", **words))
    draft = acting.draft(item.pk, author)
    newer = told(source, wire, document("lst.2", ago=1, msg_type="Update", **referring("lst.1"), **words))[0]
    with pytest.raises(Refused, match=str(draft.pk)):
        acting.draft(newer.pk, author)
    draft = approval.submit(draft.pk, draft.version, author)
    message = approval.approve(draft.pk, draft.digest, approver)
    update = acting.draft(newer.pk, author)
    assert (update.base, update.kind) == (message, Kind.UPDATE)
    cancel = told(source, wire, document("lst.3", ago=0, msg_type="Cancel", **referring("lst.2"), **words))[0]
    update = approval.submit(update.pk, update.version, author)
    approval.approve(update.pk, update.digest, approver)
    assert acting.draft(cancel.pk, author).kind == Kind.ALL_CLEAR


def test_an_all_clear_of_what_the_city_never_warned_of_makes_no_draft(source: Source, wire: Feed, author: User) -> None:
    told(source, wire, document("lst.1"))
    cancel = told(source, wire, document("lst.2", ago=1, msg_type="Cancel", **referring("lst.1")))[0]
    with pytest.raises(Refused):
        acting.draft(cancel.pk, author)
    cancel.refresh_from_db()
    assert cancel.state == ItemState.NEW


def test_who_keeps_sources_leaves_a_line_in_the_record(carla_: User, wire: Feed) -> None:
    made = acting.keep(Source(name="Land", kind=SourceKind.ATOM, url=wire.url()), carla_)
    made.active = False
    acting.keep(made, carla_)
    assert [line.action for line in AuditEntry.objects.filter(subject=f"source {made.pk}").order_by("number")] == [
        "source-made",
        "source-changed",
    ]


@pytest.mark.parametrize("named", ["10.0.0.0/8", "https://lage.example/", "*.example", ""])
def test_a_host_inside_that_is_none_is_said_at_start(settings: Any, named: str) -> None:
    settings.SOURCES_INSIDE = ["lage.example:8443", named]
    assert [found.id for found in checks.sources(None)] == ["alerts.E020"]
    settings.SOURCES_INSIDE = ["lage.example:8443"]
    assert checks.sources(None) == []


@pytest.fixture
def carla_(db: None) -> User:
    """An administrator."""
    from tests.desk.conftest import make_roles, with_roles

    make_roles()
    return with_roles("carla", "administrator")
