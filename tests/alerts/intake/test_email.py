"""The whole way of a mail: nothing happens without all checks, everything once, and what comes back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail as outbox
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from alerts import approval, audit
from alerts.intake import acting, answers, email, store
from alerts.models import Alarm, Alert, Draft, DraftState, Intake, Message, Part, PartKind
from alerts.terms import Kind
from tests import city

from . import senders as mails
from .senders import FORM, Officer, come

pytestmark = pytest.mark.django_db


def submitted(anna: Officer) -> Draft:
    came = come(anna.mail(FORM))
    assert came.draft is not None
    return came.draft


def order(draft: Draft, word: str = "FREIGABE") -> str:
    return f"{word} {draft.pk}-{draft.digest[:8].upper()}"


# what happens


def test_a_complete_form_is_submitted_and_answered_with_all_that_channels_will_say(anna: Officer) -> None:
    came = come(anna.mail(FORM))
    draft = came.draft
    assert draft is not None
    assert (came.state, draft.state) == ("taken", DraftState.SUBMITTED)
    assert draft.content.texts["de"].headline == "Bombenfund: Verlassen Sie das Gebiet"
    assert came.reply_to == anna.user.email
    assert order(draft) in came.reply
    assert "Bombenfund: Verlassen Sie das Gebiet" in came.reply
    assert "Bomb found: leave the area" in came.reply
    assert not Message.objects.exists()


def test_what_is_missing_is_told_with_lines_to_copy_and_the_draft_is_kept(anna: Officer) -> None:
    came = come(anna.mail("Ereignis: Bombenfund\nOrt: Dimitroffstraße\nGültig: 2 Stunden"))
    assert came.draft is not None
    assert came.draft.state == DraftState.DRAFT
    assert "Gebiet: 51.3348, 12.3727 600 m" in came.reply


def test_an_answer_with_the_missing_lines_completes_the_same_draft(anna: Officer) -> None:
    first = come(anna.mail(FORM.replace("Gebiet: 51.3348, 12.3727 600 m\n", "")))
    assert first.draft is not None
    assert first.draft.state == DraftState.DRAFT
    subject = first.reply.partition("\n")[0]
    second = come(anna.mail("Gebiet: 51.3348, 12.3727 600 m", f"Re: Entwurf {first.draft.pk}: x"))
    assert str(first.draft.pk) in subject
    assert second.draft == first.draft
    assert Draft.objects.get().state == DraftState.SUBMITTED


def test_a_second_officer_approves_what_he_was_shown_and_it_goes_out(anna: Officer, bert: Officer) -> None:
    draft = submitted(anna)
    came = come(bert.mail(order(draft), f"Re: Entwurf {draft.pk}"))
    assert came.state == "taken"
    message = Message.objects.get()
    assert message.approval is not None
    assert message.approval.officer == bert.user
    assert message.digest == draft.digest


def test_the_english_order_in_the_subject_does_the_same(anna: Officer, bert: Officer) -> None:
    draft = submitted(anna)
    come(bert.mail("", f"Re: {order(draft, 'APPROVE')}"))
    assert Message.objects.count() == 1


def test_an_approver_returns_a_draft_with_his_reason(anna: Officer, bert: Officer) -> None:
    draft = submitted(anna)
    come(bert.mail(f"{order(draft, 'ZURÜCK')} Der Radius ist zu klein."))
    draft.refresh_from_db()
    assert draft.state == DraftState.RETURNED
    assert "Radius" in draft.reason


def test_an_all_clear_and_an_update_are_derived_and_submitted(anna: Officer, bert: Officer) -> None:
    draft = submitted(anna)
    come(bert.mail(order(draft)))
    update = come(anna.mail(f"AKTUALISIERUNG {draft.pk}\nText: Der Entschärfer ist da."))
    assert update.draft is not None
    assert (update.draft.kind, update.draft.state) == (Kind.UPDATE, DraftState.SUBMITTED)
    assert update.draft.content.texts["de"].description == "Der Entschärfer ist da."
    come(bert.mail(order(update.draft)))
    clear = come(anna.mail("ENTWARNUNG"))
    assert clear.draft is not None
    assert (clear.draft.kind, clear.draft.state) == (Kind.ALL_CLEAR, DraftState.SUBMITTED)
    come(bert.mail(order(clear.draft)))
    assert [row.kind for row in Message.objects.order_by("number")] == [Kind.WARNING, Kind.UPDATE, Kind.ALL_CLEAR]


def test_an_update_that_says_nothing_new_is_kept_and_not_submitted(anna: Officer, bert: Officer) -> None:
    draft = submitted(anna)
    come(bert.mail(order(draft)))
    came = come(anna.mail(f"AKTUALISIERUNG {draft.pk}"))
    assert came.draft is not None
    assert came.draft.state == DraftState.DRAFT


def test_status_tells_live_alerts_and_what_waits_and_only_its_whole_text_the_line_to_approve(
    anna: Officer, bert: Officer
) -> None:
    first = submitted(anna)
    come(bert.mail(order(first)))
    second = submitted(anna)
    came = come(bert.mail("STATUS"))
    assert "Bombenfund: Verlassen Sie das Gebiet" in came.reply
    assert f"STATUS {second.pk}" in came.reply
    assert order(second) not in came.reply, "nobody approves what he has not read"
    came = come(bert.mail(f"STATUS {second.pk}"))
    assert second.content.texts["en"].headline in came.reply
    assert order(second) in came.reply


def test_an_exercise_begins_as_one(anna: Officer) -> None:
    came = come(anna.mail(f"Übung: ja\n{FORM}"))
    assert came.draft is not None
    assert came.draft.alert.status == "Exercise"


CAP = b"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>x.1</identifier><sender>dwd@example.org</sender>
<sent>2026-03-01T12:00:00+01:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>
<info><language>de</language><category>Fire</category><event>Brand</event><urgency>Immediate</urgency>
<severity>Extreme</severity><certainty>Observed</certainty><headline>Brand im Lager</headline>
<description>Es brennt.</description><instruction>Fenster zu.</instruction>
<area><areaDesc>Lager</areaDesc><circle>51.3348,12.3727 0.6</circle></area></info></alert>"""


def test_an_attached_cap_document_begins_a_draft_and_lines_of_the_mail_complete_it(anna: Officer) -> None:
    attached = ("alert.xml", "application/cap+xml", CAP)
    came = come(anna.mail("EN:\nEvent: Fire\nHeadline: Fire in a store\nWhat to do: Close windows.", attach=attached))
    assert came.draft is not None
    content = came.draft.content
    assert content.texts["de"].headline == "Brand im Lager"
    assert content.texts["en"].headline == "Fire in a store"
    assert content.circles[0].km == 0.6
    assert not Message.objects.exists()


def test_a_hostile_cap_document_is_refused_in_plain_words_and_makes_no_draft(anna: Officer) -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><alert>&x;</alert>'
    came = come(anna.mail("Siehe Anhang.", attach=("alert.cap", "application/cap+xml", bomb)))
    assert (came.state, came.draft) == ("refused", None)
    assert came.reply != ""
    assert "root:" not in came.reply


def test_break_glass_is_not_possible_by_mail(gateway: None) -> None:
    chief = Officer(city.officer("chief", "write_draft", "approve_draft", "break_glass"))
    draft = submitted(chief)
    for words in (order(draft), f"BREAK-GLASS {draft.pk}", f"ALLEIN FREIGEBEN {draft.pk}"):
        come(chief.mail(words))
    assert not Message.objects.exists()


# who may not


def nothing_happened(came: Intake) -> None:
    assert came.draft is None
    assert not Alert.objects.exists()


def silent(came: Intake) -> None:
    nothing_happened(came)
    assert (came.state, came.reply, came.reply_to) == ("ignored", "", "")
    answers.send_owed()
    assert outbox.outbox == []


def test_a_forged_sender_gets_no_answer_and_the_desk_is_told_once_an_hour(anna: Officer) -> None:
    for _number in range(3):
        forged = mails.written(anna.user.email, f"{FORM}\n\nCode: {anna.code()}")
        silent(come(forged))
    assert Alarm.objects.filter(key=email.ALARM).count() == 1


def test_an_alarm_that_was_put_aside_does_not_come_back_within_the_hour(anna: Officer) -> None:
    silent(come(mails.written(anna.user.email, FORM)))
    Alarm.objects.update(ended_at=timezone.now())
    silent(come(mails.written(anna.user.email, FORM)))
    assert Alarm.objects.count() == 1


def test_a_good_signature_of_another_domain_does_not_help(anna: Officer) -> None:
    silent(come(mails.sign(mails.written(anna.user.email, f"{FORM}\n\nCode: {anna.code()}"), "evil.example")))


def test_a_stranger_gets_no_answer_even_with_a_good_signature(gateway: None) -> None:
    silent(come(mails.sign(mails.written("x@evil.example", FORM), "evil.example")))


def test_no_address_stands_in_log_alarm_or_record(anna: Officer, caplog: pytest.LogCaptureFixture) -> None:
    come(mails.written(anna.user.email, FORM))
    come(anna.mail(FORM, code="000000"))
    come(mails.written("stranger@evil.example", FORM))
    told = caplog.text + str(list(Alarm.objects.values())) + str([row.data for row in _lines()])
    assert "@" not in told


def _lines() -> list[Any]:
    from alerts.models import AuditEntry

    return list(AuditEntry.objects.all())


def test_a_wrong_code_is_answered_shortly_once_and_nothing_happens(anna: Officer) -> None:
    raw = anna.mail(FORM, code="000000")
    first, second = come(raw), come(raw)
    nothing_happened(first)
    nothing_happened(second)
    assert (first.state, first.reply_to) == ("refused", anna.user.email)
    assert "Bomb" not in first.reply
    assert second.reply == ""


def test_a_missing_code_is_answered_too(anna: Officer) -> None:
    came = come(anna.mail(FORM, code=""))
    nothing_happened(came)
    assert came.reply != ""


def test_answers_to_wrong_codes_end_after_a_few_within_the_hour(anna: Officer) -> None:
    replies = [come(anna.mail(FORM, code="000000")).reply for _number in range(answers.MOST_WRONG + 2)]
    assert [bool(reply) for reply in replies] == [True] * answers.MOST_WRONG + [False, False]


def test_a_replayed_mail_changes_nothing_and_is_answered_with_silence(anna: Officer) -> None:
    raw = anna.mail(FORM)
    come(raw)
    replay = come(raw)
    assert (replay.state, replay.reply, replay.draft) == ("ignored", "", None)
    assert Draft.objects.count() == 1
    assert TOTP_failures(anna) == 0


def TOTP_failures(anna: Officer) -> int:  # noqa: N802
    anna.device.refresh_from_db()
    return int(anna.device.throttling_failure_count)


def test_a_replayed_code_in_a_new_mail_is_wrong(anna: Officer) -> None:
    code = anna.code()
    come(anna.mail(FORM, code=code))
    second = come(anna.mail(FORM, code=code))
    assert second.state == "refused"
    assert Draft.objects.count() == 1


def test_the_same_message_id_with_a_fresh_code_is_told_as_taken_already(anna: Officer) -> None:
    come(anna.mail(FORM, Message_ID="<one@mail.example>"))
    again = come(anna.mail(FORM, Message_ID="<one@mail.example>"))
    assert (again.state, Draft.objects.count()) == ("refused", 1)
    assert again.reply != ""


def test_the_code_of_another_officer_does_not_help(anna: Officer, bert: Officer) -> None:
    nothing_happened(come(anna.mail(FORM, code=bert.code())))


def test_the_right_officer_with_the_wrong_role_is_told_so(anna: Officer, bert: Officer) -> None:
    came = come(bert.mail(FORM))
    nothing_happened(came)
    assert came.state == "refused"
    draft = submitted(anna)
    third = Officer(city.officer("third", "write_draft"))
    refused = come(third.mail(order(draft)))
    assert refused.state == "refused"
    assert not Message.objects.exists()


def both(name: str) -> Officer:
    return Officer(city.officer(name, "write_draft", "approve_draft"))


def test_nobody_approves_his_own_draft(gateway: None) -> None:
    anna = both("anna")
    draft = submitted(anna)
    come(anna.mail(order(draft)))
    assert not Message.objects.exists()


def test_nobody_approves_his_own_draft_from_another_address(gateway: None) -> None:
    anna = both("anna")
    draft = submitted(anna)
    code = anna.code()
    raw = mails.sign(mails.written("anna@home.example", f"{order(draft)} {code}"), "home.example")
    assert come(raw).state == "ignored"
    assert not Message.objects.exists()


def test_nobody_approves_his_own_draft_by_a_second_account_with_his_authenticator(gateway: None) -> None:
    anna, second = both("anna"), both("anna2")
    second.device.key = anna.device.key
    second.device.save()
    draft = submitted(anna)
    came = come(second.mail(order(draft)))
    assert came.state == "refused"
    assert not Message.objects.exists()
    assert Draft.objects.get().state == DraftState.SUBMITTED


def test_a_changed_draft_is_not_approved_by_the_number_that_was_shown_before(anna: Officer, bert: Officer) -> None:
    draft = submitted(anna)
    shown = order(draft)
    come(anna.mail("Gebiet: 51.3348, 12.3727 900 m", f"Re: Entwurf {draft.pk}: x"))
    came = come(bert.mail(shown))
    assert came.state == "refused"
    assert not Message.objects.exists()


@pytest.mark.parametrize("line", ["FREIGABE {pk}", "FREIGABE {pk}-00000000", "FREIGABE 999-{head}", "FREIGABE"])
def test_an_approval_names_number_and_check_sum_exactly(anna: Officer, bert: Officer, line: str) -> None:
    draft = submitted(anna)
    come(bert.mail(line.format(pk=draft.pk, head=draft.digest[:8])))
    assert not Message.objects.exists()


def test_an_approval_that_came_before_the_draft_was_submitted_approves_nothing(anna: Officer, bert: Officer) -> None:
    draft = submitted(anna)
    earlier = timezone.now() - dt.timedelta(minutes=5)
    come(bert.mail(order(draft), code=bert.code(earlier)), earlier)
    assert not Message.objects.exists()


def test_an_order_that_is_only_quoted_or_forwarded_is_none(anna: Officer, bert: Officer) -> None:
    draft = submitted(anna)
    quoted = f"Danke.\n\nAm 1.3.2026 um 12:00 schrieb Belfry:\n> {order(draft)}\n"
    come(bert.mail(quoted, "Re: Entwurf"))
    assert not Message.objects.exists()


# no draft without all checks passed


@bounds(
    max_examples=24, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    enrolled=st.booleans(),
    active=st.booleans(),
    signer=st.sampled_from(["city.example", "evil.example", ""]),
    code=st.sampled_from(["right", "wrong", "none", "other", "old", "used"]),
    role=st.booleans(),
)
def test_no_draft_without_all_checks_passed(
    anna: Officer, bert: Officer, enrolled: bool, active: bool, signer: str, code: str, role: bool
) -> None:
    User.objects.filter(pk=anna.user.pk).update(is_active=active)
    permission = Permission.objects.filter(codename="write_draft")
    anna.user.user_permissions.set(permission if role else [])
    anna.device.last_t, anna.device.throttling_failure_count = -1, 0
    anna.device.throttling_failure_timestamp = None
    anna.device.save()
    now = timezone.now()
    used = anna.code(now)
    typed = {
        "right": used,
        "wrong": f"{(int(used) + 1) % 1_000_000:06d}",
        "none": "",
        "other": bert.code(now),
        "old": anna.code(now - dt.timedelta(minutes=15)),
        "used": used,
    }[code]
    if code == "used":
        anna.device.last_t = 2**40
        anna.device.save()
    sender = anna.user.email if enrolled else "anna@elsewhere.example"
    raw = mails.written(sender, f"{FORM}\n\nCode: {typed}" if typed else FORM)
    before = Draft.objects.count()
    came = come(mails.sign(raw, signer) if signer else raw, now)
    all_passed = enrolled and active and signer == "city.example" and code == "right" and role
    assert Draft.objects.count() - before == int(all_passed)
    assert bool(came.draft) is all_passed
    if not (enrolled and active and signer == "city.example"):
        assert came.reply == ""


# machines, loops, age, clocks


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"List_Id": "<x.city.example>"},
        {"Return_Path": "<>"},
        {"X_Loop": "alarm@city.example"},
    ],
)
def test_no_machine_is_answered_or_obeyed_whatever_it_can_prove(anna: Officer, headers: dict[str, str]) -> None:
    silent(come(anna.mail(FORM, **headers)))
    assert not Alarm.objects.exists()


def test_our_own_answer_that_comes_back_ends_there(anna: Officer) -> None:
    come(anna.mail(FORM))
    answers.send_owed()
    raw = outbox.outbox[0].message().as_bytes()
    outbox.outbox.clear()
    back = come(raw)
    answers.send_owed()
    assert (back.state, outbox.outbox) == ("ignored", [])


def test_a_bounce_is_handed_to_the_channel_that_it_belongs_to(
    gateway: None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    seen: list[bytes] = []
    monkeypatch.setattr("channels.returned.take", lambda raw: bool(seen.append(raw)) or True)
    raw = b"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nSubject: Undelivered Mail Returned\r\n\r\nx\r\n"
    silent(come(raw))
    assert seen == [raw]


def test_a_mail_that_lay_for_an_hour_makes_a_draft_but_submits_nothing(anna: Officer) -> None:
    came_at = timezone.now() - dt.timedelta(minutes=70)
    came = come(anna.mail(FORM, code=anna.code(came_at), date=came_at), came_at)
    assert came.draft is not None
    assert came.draft.state == DraftState.DRAFT


def test_an_approval_that_lay_for_an_hour_approves_nothing(anna: Officer, bert: Officer) -> None:
    draft = submitted(anna)
    Draft.objects.update(submitted_at=timezone.now() - dt.timedelta(hours=3))
    came_at = timezone.now() - dt.timedelta(minutes=70)
    came = come(bert.mail(order(draft), code=bert.code(came_at)), came_at)
    assert came.state == "refused"
    assert not Message.objects.exists()


def test_a_printed_code_in_a_mail_that_was_on_its_way_for_long_submits_nothing(anna: Officer) -> None:
    code = anna.backup()
    came = come(anna.mail(FORM, code=code, date=timezone.now() - dt.timedelta(hours=2)))
    assert came.draft is not None
    assert came.draft.state == DraftState.DRAFT


def test_a_printed_code_serves_where_the_authenticator_is_lost(anna: Officer) -> None:
    anna.device.delete()
    assert submitted(anna_with(anna, anna.backup())).state == DraftState.SUBMITTED


def anna_with(anna: Officer, code: str) -> Officer:
    anna.code = lambda at=None: code  # type: ignore[method-assign]
    return anna


def test_a_wrong_clock_of_the_senders_device_is_told_and_harms_nothing(anna: Officer) -> None:
    for wrong in (timezone.now() - dt.timedelta(days=9000), timezone.now() + dt.timedelta(days=400)):
        came = come(anna.mail(FORM, date=wrong))
        assert came.draft is not None
        assert came.draft.state == DraftState.SUBMITTED


def test_a_code_is_judged_by_when_the_mail_reached_us_not_by_when_it_is_read(anna: Officer) -> None:
    came_at = timezone.now() - dt.timedelta(minutes=40)
    assert come(anna.mail(FORM, code=anna.code(came_at)), came_at).draft is not None
    assert come(anna.mail(FORM, code=anna.code(came_at + dt.timedelta(minutes=1)))).draft is None


# bad input


@pytest.mark.parametrize(("name", "mime"), [("plan.zip", "application/zip"), ("bild.png", "image/png")])
def test_attachments_that_nobody_reads_are_told(anna: Officer, name: str, mime: str) -> None:
    came = come(anna.mail(FORM, attach=(name, mime, b"PK\x03\x04" + b"\x00" * 1000)))
    assert came.draft is not None
    assert name in came.reply


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 1000,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n",
        b"From: a@b\r\nFrom: c@d\r\n\r\nx",
        b"From: =?utf-7?q?+AG?= <anna@city.example>\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!",
        b"Subject: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_broken_mails_are_stored_ignored_and_nothing_falls(gateway: None, raw: bytes) -> None:
    silent(come(raw))


def test_null_bytes_and_controls_reach_no_draft(anna: Officer) -> None:
    came = come(anna.mail(FORM.replace("Eine Bombe", "Eine\u202e Bo\u0007mbe")))
    assert came.draft is not None
    words = came.draft.content.texts["de"].description
    assert not set(words) & {"\u202e", "\u0007", "\x00"} or came.draft.state == DraftState.DRAFT


def test_nothing_of_a_subject_begins_a_header_of_the_answer(anna: Officer) -> None:
    raw = mails.written(anna.user.email, f"STATUS\n\nCode: {anna.code()}", "x")
    hostile = b"Subject: =?utf-8?q?x=0D=0ABcc:_evil@evil.example=0D=0A=0D=0Aboo?="
    came = come(mails.sign(raw.replace(b"Subject: x", hostile), "city.example"))
    assert came.reply != ""
    answers.send_owed()
    sent = outbox.outbox[0]
    assert sent.recipients() == [anna.user.email]
    head = sent.message().as_bytes().partition(b"\n\n")[0]
    assert b"\nBcc" not in head


# what comes back


def test_an_answer_says_that_a_machine_wrote_it_and_goes_to_the_enrolled_address(anna: Officer) -> None:
    came = come(anna.mail(FORM, Reply_To="evil@evil.example", Message_ID="<one@mail.example>"))
    answers.send_owed()
    answers.send_owed()
    (sent,) = outbox.outbox
    headers = sent.message()
    assert sent.recipients() == [anna.user.email]
    assert headers["Auto-Submitted"] == "auto-replied"
    assert headers["In-Reply-To"] == "<one@mail.example>"
    came.refresh_from_db()
    assert came.answered_at is not None


def test_an_answer_that_the_server_does_not_take_stays_owed(anna: Officer, monkeypatch: pytest.MonkeyPatch) -> None:
    came = come(anna.mail(FORM))

    def down(*_args: Any, **_options: Any) -> None:
        raise OSError("down")

    with monkeypatch.context() as broken:
        broken.setattr("channels.officers.answer", down)
        answers.send_owed()
    came.refresh_from_db()
    assert came.answered_at is None
    Intake.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    answers.send_owed()
    assert len(outbox.outbox) == 1


def test_one_address_gets_so_many_answers_an_hour_and_no_more(anna: Officer, settings: Any) -> None:
    settings.INTAKE_ANSWERS = 2
    replies = [bool(come(anna.mail("STATUS")).reply) for _number in range(4)]
    assert replies == [True, True, False, False]


def test_who_writes_english_is_answered_in_english(anna: Officer) -> None:
    raw = anna.mail("Event: Bomb found\nPlace: Dimitroffstraße\nSeverity: extreme")
    assert "Severity: " in come(raw).reply


# crashes and two at once


def test_whoever_takes_over_after_a_crash_makes_no_second_draft(anna: Officer, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store.keep(anna.mail(FORM), timezone.now())
    for place in ("alerts.intake.acting.approval.submit", "alerts.intake.acting.answers.of_draft"):
        with monkeypatch.context() as broken:
            broken.setattr(place, crash)
            with pytest.raises(KeyboardInterrupt):
                email.take(stored.pk)
        stored.refresh_from_db()
        assert stored.done_at is None
        assert not email.take(stored.pk), "the lease still holds"
        Intake.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    email.sweep()
    stored.refresh_from_db()
    assert (stored.state, Draft.objects.count()) == ("taken", 1)
    assert Draft.objects.get().state == DraftState.SUBMITTED
    assert len(outbox.outbox) == 1


def crash(*_args: Any, **_options: Any) -> Any:
    raise KeyboardInterrupt


def test_a_crash_while_the_code_is_judged_uses_nothing_up(anna: Officer, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store.keep(anna.mail(FORM), timezone.now())
    with monkeypatch.context() as broken:
        broken.setattr(email, "_first", crash)
        with pytest.raises(KeyboardInterrupt):
            email.take(stored.pk)
    Intake.objects.update(lease_until=None)
    email.take(stored.pk)
    stored.refresh_from_db()
    assert stored.state == "taken"


def test_an_approval_after_a_crash_is_not_a_second_one(
    anna: Officer, bert: Officer, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = submitted(anna)
    stored = store.keep(bert.mail(order(draft)), timezone.now())
    with monkeypatch.context() as broken:
        broken.setattr(acting, "_approved", crash)
        with pytest.raises(KeyboardInterrupt):
            email.take(stored.pk)
    assert Message.objects.count() == 1
    Intake.objects.update(lease_until=None)
    email.sweep()
    stored.refresh_from_db()
    assert (stored.state, Message.objects.count()) == ("taken", 1)
    assert stored.reply != ""


def test_who_lost_the_lease_writes_nothing_more(anna: Officer, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store.keep(anna.mail(FORM), timezone.now())
    real = acting.drafting.new

    def slow(*args: Any, **options: Any) -> Draft:
        Intake.objects.filter(pk=stored.pk).update(lease="another's")
        return real(*args, **options)

    monkeypatch.setattr("alerts.intake.acting.drafting.new", slow)
    assert email.take(stored.pk)
    assert not Draft.objects.exists()


def test_a_mail_that_makes_us_fall_is_given_up_loudly(anna: Officer, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store.keep(anna.mail(FORM), timezone.now())
    monkeypatch.setattr(acting.form, "parse", broken_parser)
    for _number in range(email.MOST_TRIES + 1):
        Intake.objects.update(lease_until=None)
        email.take(stored.pk)
    stored.refresh_from_db()
    assert stored.state == "refused"
    assert stored.reply != ""
    assert Alarm.objects.filter(key=f"intake {stored.pk}").exists()


def broken_parser(_text: str) -> Any:
    raise ZeroDivisionError("secret words of the mail")


def test_a_silent_name_server_has_the_mail_wait_and_then_be_ignored(gateway: None) -> None:
    user = city.officer("anna", "write_draft")
    user.email = "anna@silent.example"
    user.save()
    stored = store.keep(Officer(user).mail(FORM), timezone.now())
    email.take(stored.pk)
    stored.refresh_from_db()
    assert (stored.state, stored.done_at, stored.tries) == ("waiting", None, 0)
    Intake.objects.update(lease_until=None, arrived_at=timezone.now() - dt.timedelta(hours=2))
    email.take(stored.pk)
    stored.refresh_from_db()
    assert (stored.state, stored.reply) == ("ignored", "")


def test_reading_once_more_takes_what_was_ignored_and_never_what_was_carried_out(anna: Officer) -> None:
    User.objects.filter(pk=anna.user.pk).update(is_active=False)
    ignored = come(anna.mail(FORM))
    User.objects.filter(pk=anna.user.pk).update(is_active=True)
    assert email.again(ignored.pk, anna.user)
    email.sweep()
    ignored.refresh_from_db()
    assert ignored.state == "taken"
    assert not email.again(ignored.pk, anna.user)
    assert list(audit.faults()) == []


def test_rules_one_and_two_hold_as_at_the_desk(anna: Officer, bert: Officer) -> None:
    draft = submitted(anna)
    come(bert.mail(order(draft)))
    parts = set(Part.objects.values_list("officer__username", "part"))
    assert parts == {("anna", PartKind.SUBMITTED), ("bert", PartKind.APPROVED)}
    message = Message.objects.get()
    draft.refresh_from_db()
    assert approval.digest_of(draft, approval.renderings_of(draft), []) == message.digest
