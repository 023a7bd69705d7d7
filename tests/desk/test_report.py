"""The after-action report: what happened, on the page, on paper and as a file that can be verified."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alerts import alarms, approval, audit, drafting, extracts
from alerts.models import AuditEntry, Message
from alerts.terms import Kind, Status
from channels import fanout, jobs, pauses, retractions
from channels.base import Permanent, Temporary
from channels.models import Attempt, Delivery, Post, State
from tests import city
from tests.channels import fakes
from tests.desk.conftest import with_roles

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
WRONG = "Die Straße ist falsch geschrieben."
ALONE = "Kein zweiter Dienst ist zu erreichen."
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def three_ways(desk: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHANNELS = {
        **settings.CHANNELS,
        "crowd": {"adapter": "tests.channels.fakes.Crowd", "label": "Push", "rehearsal": False},
        "shop": {"adapter": "tests.channels.fakes.Retractable", "label": "Marktplatz", "rehearsal": False},
        "stage": {"adapter": "tests.channels.fakes.Commercial", "label": "Bühne"},
    }
    for name in ("ring_for", "ring_batches", "ring_to_retract"):
        monkeypatch.setattr(jobs, name, lambda _those: None)


def work(message: Message) -> None:
    """What the workers would do now."""
    for delivery in fanout.plan(message.pk):
        if delivery.site:
            jobs.deliver(delivery.pk)
    fanout.open_if_live(message.pk)
    for delivery in message.deliveries.filter(state=State.WAITING):
        jobs.deliver(delivery.pk)
    for delivery in message.deliveries.filter(channel="crowd"):
        for batch in delivery.batches.all():
            jobs.send_batch(batch.pk)


@pytest.fixture
def message(three_ways: None, anna: User, bert: User) -> Message:
    """Returned once, then approved; one resident of three not reached; a post taken back; then a correction."""
    city.subscribe("push", "eins", "zwei", "drei")
    fakes.answers["zwei"] = ["permanent"]
    fakes.script["shop"].append(Temporary("antwortet gerade nicht", after=0))
    draft = city.submitted(anna)
    approval.send_back(draft.pk, bert, WRONG)
    draft.refresh_from_db()
    draft = approval.submit(draft.pk, draft.version, anna)
    first = approval.approve(draft.pk, draft.digest, bert)
    assert first is not None
    work(first)
    Delivery.objects.filter(channel="shop").update(due_at=first.sent)
    jobs.deliver(Delivery.objects.get(channel="shop").pk)
    asked = retractions.ask(Post.objects.filter(delivery__channel="shop")[0].pk, "Er nennt die falsche Straße.", anna)
    retractions.carry_out(asked.pk)
    pauses.pause("shop", anna)
    second = city.followed(first, Kind.CORRECTION, anna, bert, place="Ring")
    work(second)
    pauses.resume("shop", anna)
    return first


def at(message: Message, part: str = "") -> str:
    return f"/desk/alert/{message.alert.slug}/report/{part}"


def body(client: Client, message: Message, part: str = "") -> str:
    answer = client.get(at(message, part))
    assert answer.status_code == 200
    return answer.content.decode()


def table(client: Client, message: Message) -> list[dict[str, str]]:
    raw = client.get(at(message, "csv/")).content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(raw, newline=""), delimiter=";"))


class TestPage:
    def test_who_did_what_stands_there(self, page_of: Browser, bert: User, message: Message) -> None:
        found = body(page_of(bert), message)
        for words in ("Zurückgegeben", WRONG, "Freigegeben", "Eingereicht", "anna", "bert", "nach der Freigabe"):
            assert words in found
        for words in ("Beitrag soll zurückgenommen", "Er nennt die falsche Straße.", "Kanal angehalten", "Marktplatz"):
            assert words in found
        assert found.index("Entwurf begonnen") < found.index(WRONG) < found.index("Sperre ist offen")

    def test_what_each_channel_did_with_numbers_and_reasons(
        self, page_of: Browser, bert: User, message: Message
    ) -> None:
        found = body(page_of(bert), message)
        assert "2 von 3" in found, "one of three residents was not reached"
        assert "antwortet gerade nicht" in found, "the first try and what it came to"
        assert "2 Versuche" in found or "3 Versuche" in found
        assert "zurückgenommen" in found
        assert "im Probebetrieb" in found

    def test_key_figures_and_what_a_message_changed(self, page_of: Browser, bert: User, message: Message) -> None:
        found = body(page_of(bert), message)
        for words in ("Vom ersten Entwurf bis zur Freigabe", "bis zum ersten Push", "Vom Fehler bis zur Berichtigung"):
            assert words in found
        assert "<del>Dimitroffstraße</del>" in found
        assert "<ins>Ring</ins>" in found

    def test_no_address_of_a_resident_is_in_it(self, page_of: Browser, bert: User, message: Message) -> None:
        client = page_of(bert)
        for part in ("", "print/", "csv/"):
            found = body(client, message, part)
            assert not any(address in found for address in ("eins", "zwei<", '"zwei"', "drei<"))

    def test_break_glass_the_gate_by_hand_and_their_alarm(
        self, page_of: Browser, desk: None, anna: User, bert: User
    ) -> None:
        alone = with_roles("ella", "author", "approver")
        alone.user_permissions.set(city.Permission.objects.filter(codename__in=["break_glass", "open_gate"]))
        alone = User.objects.get(pk=alone.pk)
        draft = city.drafted(alone)
        message = approval.break_glass(draft.pk, draft.version, ALONE, alone)
        fanout.open_gate(message.pk, "Der Webserver der Stadt steht still.", alone)
        alarms.end(f"break-glass {message.identifier}")
        found = body(page_of(bert), message)
        for words in (
            ALONE,
            "Allein ausgesendet",
            "Sperre von Hand geöffnet",
            "Der Webserver der Stadt",
            "Alarm beendet",
        ):
            assert words in found

    def test_an_alert_that_was_never_released_has_one_too(self, page_of: Browser, anna: User, bert: User) -> None:
        draft = city.submitted(anna)
        approval.send_back(draft.pk, bert, WRONG)
        answer = page_of(bert).get(f"/desk/alert/{draft.alert.slug}/report/")
        assert answer.status_code == 200
        assert WRONG in answer.content.decode()

    def test_alarms_of_other_alerts_stay_out_of_it(self, page_of: Browser, anna: User, bert: User) -> None:
        draft = city.submitted(anna)
        alarms.sound("lapsed 99999", "Ein anderer Entwurf ging nicht hinaus.")
        alarms.sound("redis", "Redis antwortet nicht.")
        message = approval.approve(draft.pk, draft.digest, bert)
        assert message is not None
        found = body(page_of(carla_of()), message)
        story = found[found.index('id="timeline"') :]
        assert "Redis antwortet nicht." in story, "what concerned every alert"
        assert "Ein anderer Entwurf" not in story

    def test_saving_again_and_again_is_one_line(self, page_of: Browser, anna: User, bert: User) -> None:
        draft = city.drafted(anna)
        for number in range(4):
            draft = drafting.save(draft.pk, draft.version, replace(draft.content, place=f"Ring {number}"), anna)
        found = page_of(bert).get(f"/desk/alert/{draft.alert.slug}/report/").content.decode()
        assert found.count("<b>Entwurf gespeichert") == 1
        assert "5-mal hintereinander" in found

    def test_late_promises_are_counted(self, page_of: Browser, anna: User, bert: User) -> None:
        from tests.desk.test_pages import later

        message = city.released(anna, bert)
        with later(minutes=84):
            found = body(page_of(bert), message)
        assert "überfällig" in found
        assert "24 min" in found

    def test_script_tags_and_long_texts_do_no_harm(self, page_of: Browser, anna: User, bert: User) -> None:
        draft = city.submitted(anna, place=HOSTILE)
        approval.send_back(draft.pk, bert, f"{HOSTILE} {'ä' * 100_000}")
        client = page_of(bert)
        for part in ("", "print/", "csv/"):
            answer = client.get(f"/desk/alert/{draft.alert.slug}/report/{part}")
            assert answer.status_code == 200
            if part != "csv/":
                assert HOSTILE not in answer.content.decode()


def carla_of() -> User:
    return User.objects.filter(username="carla").first() or with_roles("carla", "administrator")


PARTS = ("report/", "report/print/", "report/csv/", "sent/1/")


def test_an_observer_may_read_and_a_stranger_may_not(page_of: Browser, anna: User, bert: User) -> None:
    slug = city.released(anna, bert).alert.slug
    observer, without_role = page_of(with_roles("olaf", "observer")), page_of(city.officer("dora"))
    for part in PARTS:
        address = f"/desk/alert/{slug}/{part}"
        assert observer.get(address).status_code == 200, part
        assert observer.post(address).status_code == 405, "it is read only"
        assert without_role.get(address).status_code == 403, part
        answer = Client().get(address)
        assert answer.status_code == 302
        assert "/desk/login/" in answer["Location"]


def test_an_alert_that_does_not_exist_is_not_found(page_of: Browser, bert: User) -> None:
    client = page_of(bert)
    assert [client.get(f"/desk/alert/bcdfg/{part}").status_code for part in PARTS] == [404] * 4


def busy(anna: User, bert: User, messages: int, channels: int) -> Message:
    """An alert of many messages over many channels, each tried twice in two languages."""
    message = city.released(anna, bert)
    for _number in range(messages - 1):
        message = city.followed(message, Kind.UPDATE, anna, bert)
    said = Message.objects.filter(alert=message.alert)
    owed = {"queue": "city", "city": True, "state": State.DONE, "due_at": message.sent, "done_at": message.sent}
    rows = [Delivery(message=one, channel=f"own{number}", **owed) for one in said for number in range(channels)]
    made = Delivery.objects.bulk_create(rows)
    Attempt.objects.bulk_create(Attempt(delivery=row, result=result) for row in made for result in Attempt.Result)
    Post.objects.bulk_create(Post(delivery=row, language=language) for row in made for language in ("de", "en"))
    return message


def test_the_number_of_queries_does_not_grow_with_the_alert(
    page_of: Browser, desk: None, anna: User, bert: User
) -> None:
    client = page_of(bert)

    def queries(message: Message) -> int:
        client.get(at(message))
        with CaptureQueriesContext(connection) as asked:
            assert client.get(at(message)).status_code == 200
        return len(asked)

    few = queries(busy(anna, bert, 2, 2))
    assert queries(busy(anna, bert, 10, 20)) == few
    assert few <= 32


class TestFile:
    def test_its_name_its_kind_and_that_nobody_keeps_it(self, page_of: Browser, bert: User, message: Message) -> None:
        answer = page_of(bert).get(at(message, "csv/"))
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in answer["Cache-Control"]
        assert f'attachment; filename="{message.alert.slug}-2' in answer["Content-Disposition"]
        assert answer.content.startswith(b"\xef\xbb\xbf"), "the mark by which spreadsheets know UTF-8"

    def test_each_line_of_the_record_has_its_number_and_hash(
        self, page_of: Browser, bert: User, message: Message
    ) -> None:
        rows = table(page_of(bert), message)
        kept = {str(row.number): row.hash for row in AuditEntry.objects.all()}
        told = [row for row in rows if row["record_number"]]
        assert len(told) > 10
        assert all(kept[row["record_number"]] == row["record_hash"] for row in told)

    def test_what_channels_did_is_in_it(self, page_of: Browser, bert: User, message: Message) -> None:
        rows = table(page_of(bert), message)
        (push,) = [
            row for row in rows if row["Kanal"] == "Push" and row["Nummer der Meldung"] == "1" and row["Geplant"]
        ]
        assert (push["Geplant"], push["Angenommen"], push["Gescheitert"]) == ("3", "2", "1")
        assert "," in push["Sekunden nach der Freigabe"]

    def test_no_cell_is_a_formula(self, page_of: Browser, anna: User, bert: User, tmp_path: Path) -> None:
        draft = city.submitted(anna)
        for begins in ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋"):
            with_reason(draft.pk, bert, f'{begins}HYPERLINK("https://boese.example";"Klick")')
        answer = page_of(bert).get(f"/desk/alert/{draft.alert.slug}/report/csv/")
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=";"))
        cells = [cell for row in rows for cell in row]
        assert sum("HYPERLINK" in cell for cell in cells) == 20, "in the details, and in the record's own words"
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋"))]
        verify(tmp_path, answer.content)


def with_reason(draft_id: int, by: User, reason: str) -> None:
    """A line of the record with a reason just as it is; the desk would take the spaces away."""
    draft = drafting.Draft.objects.get(pk=draft_id)
    audit.record(by, "returned", drafting.subject(draft), reason=reason)


def verify(folder: Path, content: bytes) -> None:
    file = folder / "report.csv"
    file.write_bytes(content)
    call_command("verify_audit", report=str(file))


class TestVerified:
    @pytest.fixture
    def content(self, page_of: Browser, bert: User, message: Message) -> bytes:
        return bytes(page_of(bert).get(at(message, "csv/")).content)

    def test_a_report_as_it_was_written(self, content: bytes, tmp_path: Path, capsys: Any) -> None:
        verify(tmp_path, content)
        assert "The report is what the record says." in capsys.readouterr().out

    def test_it_stays_true_when_the_record_goes_on(self, content: bytes, tmp_path: Path, anna: User) -> None:
        city.drafted(anna)
        verify(tmp_path, content)

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ('""reason"":""Die Straße', '""reason"":""Der Platz', "was changed in the file"),
            (";returned;", ";approved;", "was changed in the file"),
            ("Zurückgegeben", "Freigegeben", "was changed after it was written"),
            ("Geplant", "Gezählt", "was changed after it was written"),
        ],
    )
    def test_what_was_changed_in_it_is_told(
        self, content: bytes, tmp_path: Path, capsys: Any, old: str, new: str, words: str
    ) -> None:
        assert old.encode() in content
        with pytest.raises(CommandError, match="not what it says"):
            verify(tmp_path, content.replace(old.encode(), new.encode(), 1))
        assert words in capsys.readouterr().err

    def test_a_line_taken_out_is_missed(self, content: bytes, tmp_path: Path, capsys: Any) -> None:
        rows = content.split(b"\r\n")
        left = [row for row in rows if b";returned;" not in row]
        assert len(left) == len(rows) - 1
        with pytest.raises(CommandError):
            verify(tmp_path, b"\r\n".join(left))
        assert "was taken out of the file" in capsys.readouterr().err

    def test_without_its_end_it_is_not_whole(self, content: bytes, tmp_path: Path, capsys: Any) -> None:
        with pytest.raises(CommandError):
            verify(tmp_path, b"\r\n".join(content.split(b"\r\n")[:-2]))
        assert "is missing" in capsys.readouterr().err

    def test_a_record_changed_afterwards_is_told(
        self, content: bytes, tmp_path: Path, page_of: Browser, bert: User, message: Message, capsys: Any
    ) -> None:
        line = AuditEntry.objects.filter(action="returned").get()
        drop_guard()
        AuditEntry.objects.filter(pk=line.pk).update(data={"reason": "Alles gut."})
        found = body(page_of(bert), message)
        assert "Nein. Das Protokoll wurde verändert." in found
        assert f"in Zeile {line.number}" in " ".join(found.split())
        with pytest.raises(CommandError, match="tampered"):
            verify(tmp_path, content)
        assert "was changed in the record" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\x00\xff",
            b"a;b;c\r\n1;2;3\r\n",
            b"\xef\xbb\xbf" + b";".join(name.encode() for name in extracts.COLUMNS) + b"\r\nx;y;z\r\n",
        ],
    )
    def test_a_file_that_is_none_is_told_as_such(self, db: None, tmp_path: Path, raw: bytes) -> None:
        with pytest.raises(CommandError, match=r"not a report|not what it says"):
            verify(tmp_path, raw)

    def test_a_file_that_is_not_there(self, db: None) -> None:
        with pytest.raises(CommandError, match="can't be read"):
            call_command("verify_audit", report="/nonexistent/report.csv")

    def test_the_last_check_stands_on_the_page(self, page_of: Browser, bert: User, message: Message) -> None:
        client = page_of(bert)
        assert "noch nie" in body(client, message)
        count = audit.head()[0]
        call_command("verify_audit")
        assert f"vollständig, {count} Zeilen" in body(client, message).replace(".", "")
        call_command("verify_audit", no_note=True)
        assert audit.head()[0] == count + 1


def drop_guard() -> None:
    """A forger with the database in his hands: the trigger that keeps lines as they are is gone."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'alerts_auditentry'")
            for (name,) in cursor.fetchall():
                cursor.execute(f'DROP TRIGGER "{name}"')
        else:
            cursor.execute("ALTER TABLE alerts_auditentry DISABLE TRIGGER USER")


class TestPaper:
    def test_its_head_names_alert_time_and_end_of_the_record(
        self, page_of: Browser, bert: User, message: Message
    ) -> None:
        found = body(page_of(bert), message, "print/")
        head = found[found.index("<thead>") : found.index("</thead>")]
        number, value = audit.head()
        assert message.alert.slug in head
        assert "Gedruckt am" in head
        assert f"{number}:{value}" in head

    def test_nothing_is_folded_away(self, page_of: Browser, bert: User, message: Message) -> None:
        found = body(page_of(bert), message, "print/")
        assert "<details>" not in found
        for line in AuditEntry.objects.filter(subject=drafting.subject(message.draft)):
            assert line.hash in found


def test_the_words_of_each_channel_as_they_were_sent(page_of: Browser, bert: User, message: Message) -> None:
    found = page_of(bert).get(f"/desk/alert/{message.alert.slug}/sent/1/").content.decode()
    assert "Bombenfund: Verlassen Sie das Gebiet" in found
    assert "Bomb found: leave the area" in found
    assert "aufgezeichnet, nicht gesendet" in found
    assert page_of(bert).get(f"/desk/alert/{message.alert.slug}/sent/9/").status_code == 404


def test_the_alert_s_page_leads_to_its_report(page_of: Browser, bert: User, message: Message) -> None:
    assert at(message) in page_of(bert).get(f"/desk/alert/{message.alert.slug}/").content.decode()


def test_a_dead_channel_is_told_with_its_reason(page_of: Browser, three_ways: None, anna: User, bert: User) -> None:
    fakes.script["shop"].append(Permanent("Schlüssel abgelaufen"))
    message = city.released(anna, bert)
    work(message)
    found = body(page_of(bert), message)
    assert "Schlüssel abgelaufen" in found
    assert "gescheitert" in found
    assert message.status == Status.ACTUAL
