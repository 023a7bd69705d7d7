"""Subscriptions out and in as CSV, and new keys for their addresses."""

from __future__ import annotations

import io
import stat
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from alerts.models import Area
from channels.models import SignUp, Subscription, SubscriptionArea
from channels.subscriptions import rotation, sealing, signing_up, transfer, wishes
from channels.subscriptions.transfer import Reader
from channels.subscriptions.wishes import Wishes
from tests.channels.subscriptions.conftest import MAIL, NUMBER, browser

pytestmark = pytest.mark.django_db
HEAD = "way,address,areas,least,topics,language,tests\n"


@pytest.fixture(autouse=True)
def keys(town: None, settings: Any, tmp_path: Path) -> None:
    settings.KEYS_DIR = tmp_path / "keys"


def save(way: str, address: str, *areas: str, **changes: Any) -> Subscription:
    given = {"least": "Moderate", "topics": 127, "language": "de", "tests": False} | changes
    return wishes.save(way, address, Wishes(tuple(areas), **given))


def push_address() -> str:
    one = browser()
    return " ".join((one["endpoint"], one["keys"]["p256dh"], one["keys"]["auth"]))


def contents() -> list[tuple[Any, ...]]:
    """All subscriptions as values, whatever their rows are."""
    return sorted(
        (row.way, sealing.unseal(row.way, bytes(row.address)), wishes.of_subscription(row), row.lookup)
        for row in Subscription.objects.all()
    )


def read(text: str | bytes, **options: Any) -> tuple[Reader, list[tuple[int, str]]]:
    bad: list[tuple[int, str]] = []
    reader = Reader(lambda number, reason: bad.append((number, reason)), **options)
    reader.take(io.BytesIO(text.encode() if isinstance(text, str) else text))
    return reader, bad


def run(*arguments: Any, **options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_what_goes_out_comes_in_again_the_same(tmp_path: Path) -> None:
    Area.objects.create(code='a "b", c; d', name="Odd", parent=Area.objects.get(code="city"))
    save("sms", NUMBER, "nw", "so", least="Extreme", topics=5, language="en", tests=True)
    save("email", "Anna+x@example.org", "city", 'a "b", c; d', least="Unknown")
    save("push", push_address(), "fern", language="de-simple", topics=64)
    before = contents()
    file = tmp_path / "all.csv"
    out, err = run("export_subscriptions", str(file))
    assert "3 subscriptions written" in out
    assert "in plain" in err
    assert NUMBER not in out + err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    Subscription.objects.all().delete()
    out, err = run("import_subscriptions", str(file))
    assert "3 subscriptions are new, 0 were there already, 0 lines were left out." in out
    assert contents() == before
    out, _err = run("import_subscriptions", str(file))
    assert "0 subscriptions are new, 3 were there already" in out
    assert contents() == before


def test_to_standard_output_or_a_new_file_alone(tmp_path: Path) -> None:
    save("sms", NUMBER, "nw")
    out, _err = run("export_subscriptions", "-")
    assert out == f"{HEAD}sms,{NUMBER},nw,Moderate,weather;fire;safety;health;supply;traffic;other,de,no\n"
    file = tmp_path / "there.csv"
    file.write_text("mine")
    with pytest.raises(CommandError, match="can't be written"):
        run("export_subscriptions", str(file))
    assert file.read_text() == "mine"


def test_who_is_subscribed_stays_as_he_is(town: None) -> None:
    save("sms", NUMBER, "nw", language="en")
    reader, bad = read(f"{HEAD}sms,0151 12345678,city,Minor,,de,yes\n")
    assert (reader.tally.new, reader.tally.known, bad) == (0, 1, [])
    assert wishes.of_subscription(Subscription.objects.get()).areas == ("nw",)


def test_the_same_address_twice_in_a_file_is_one(town: None) -> None:
    reader, _bad = read(
        f"way,address,areas\nsms,{NUMBER},nw\nsms,0151/12345678,so\nemail,A@example.org,nw\nemail,a@example.org,so\n"
    )
    assert (reader.tally.new, reader.tally.known) == (2, 2)
    assert {row[2].areas for row in contents()} == {("nw",)}


def test_what_is_not_said_is_what_suits_most(town: None) -> None:
    read(f"areas;address;way\nnw;{NUMBER};sms\n")
    assert wishes.of_subscription(Subscription.objects.get()) == Wishes(("nw",), "Moderate", 127, "de", tests=False)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("sms,0151,nw,,,,", "column address: This is not a complete mobile number"),
        ("fax,0151 12345678,nw,,,,", "column way"),
        ("push,https://push.example.org/x,nw,,,,", "column address: The push address is incomplete"),
        ("sms,0151 12345678,,,,,", "column areas: empty"),
        ("sms,0151 12345678,nw;atlantis,,,,", "column areas"),
        ("sms,0151 12345678,nw,Nice,,,", "column least"),
        ("sms,0151 12345678,nw,,gossip,,", "column topics"),
        ("sms,0151 12345678,nw,,,tlh,", "column language"),
        ("sms,0151 12345678,nw", "3 cells instead of 7"),
        ('sms,"0151 12345678,nw,,,,', "the quotes do not fit together"),
        ('sms,0151 12345678,"nw""x;",,,,', "column areas"),
        ("sms,\x00,nw,,,,", "column address"),
        ("\ufffd\ufffd", "1 cells instead of 7"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_the_others_go_on(line: str, reason: str, en: None) -> None:
    text = f"{HEAD}email,bert@example.org,nw,,,,\n{line}\nemail,carla@example.org,nw,,,,\n"
    reader, bad = read(text)
    assert (reader.tally.new, reader.tally.bad) == (2, 1)
    [(number, words)] = bad
    assert number == 3
    assert reason in words


def test_no_reason_holds_anything_of_the_line(en: None) -> None:
    """Columns get mixed up: an address may stand in any of them."""
    secret = "anna.geheim@example.org"
    for place in range(7):
        cells = ["sms", "0151 12345678", "nw", "", "", "", ""]
        cells[place] = secret
        _reader, bad = read(f"{HEAD}{','.join(cells)}\n")
        assert all("geheim" not in words for _number, words in bad)
    assert all("geheim" not in words for _number, words in read(f'{HEAD}"{secret}\n')[1])


def test_bytes_that_are_no_text_and_lines_without_end_spoil_their_line_alone(town: None) -> None:
    long = b"sms," + b"9" * (3 * transfer.LONGEST_LINE)
    text = b"\xef\xbb\xbfway,address,areas\r\n\xff\xfe,\xff,nw\r\n" + long + f"\nsms,{NUMBER},nw".encode()
    reader, bad = read(text)
    assert reader.tally.new == 1
    assert [number for number, _reason in bad] == [2, 3]


@pytest.mark.parametrize(
    "head",
    ["", "sms,0151 12345678,nw\n", "way,address\n", "way,way,address,areas\n", "way,address,areas,colour\n", "\x00\n"],
)
def test_a_file_without_its_columns_is_refused(head: str, en: None) -> None:
    with pytest.raises(transfer.BadFile, match="column"):
        read(head)


def test_a_city_without_districts_takes_nobody_in(en: None) -> None:
    Area.objects.update(active=False)
    with pytest.raises(transfer.BadFile, match="import_areas"):
        read(HEAD)


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    save("sms", NUMBER, "nw")
    file = tmp_path / "in.csv"
    file.write_text(f"{HEAD}sms,{NUMBER},so,,,,\nemail,{MAIL},nw,,,,\nemail,x,nw,,,,\n")
    out, err = run("import_subscriptions", str(file), "--dry-run")
    assert "1 subscriptions would be new, 1 were there already, 1 lines were left out." in out
    assert "line 4: " in err
    assert Subscription.objects.count() == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be read"):
        run("import_subscriptions", str(tmp_path / "nothing.csv"))


def numbered(count: int, start: int = 0) -> bytes:
    lines = (
        f"sms,+4915{20 + number // 10_000_000}{number % 10_000_000:07},nw;city\n"
        for number in range(start, start + count)
    )
    return b"way,address,areas\n" + "".join(lines).encode()


def test_an_import_that_was_broken_off_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = numbered(1200)
    written: list[int] = []
    write = Reader._write

    def broken(self: Reader, chunk: Any) -> None:
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(len(chunk))
        write(self, chunk)

    monkeypatch.setattr(Reader, "_write", broken)
    with pytest.raises(KeyboardInterrupt):
        read(whole)
    assert Subscription.objects.count() == 500
    monkeypatch.undo()
    reader, bad = read(whole)
    assert (reader.tally.new, reader.tally.known, bad) == (700, 500, [])
    assert Subscription.objects.count() == 1200
    assert SubscriptionArea.objects.count() == 2400


def test_each_chunk_takes_as_many_queries(django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(1 + 3 * 14):
        read(numbered(1500))
    with django_assert_max_num_queries(2 + 3 * 2 + 2):
        lines = list(transfer.lines_out())
    assert len(lines) == 1501


def test_a_large_file_takes_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        file = tmp_path / "many.csv"
        file.write_bytes(numbered(count))
        tracemalloc.start()
        with file.open("rb") as source:
            Reader(lambda _number, _reason: None, dry=True).take(source)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1000)
    assert peak(4000) < 1.5 * peak(1000)


def test_a_resident_who_confirms_during_the_import_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Reader._write_once
    calls = []

    def late(self: Reader, chunk: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            save("sms", NUMBER, "fern")
            raise IntegrityError
        write(self, chunk)

    monkeypatch.setattr(Reader, "_write_once", late)
    reader, _bad = read(f"way,address,areas\nsms,{NUMBER},nw\nemail,{MAIL},nw\n")
    assert (reader.tally.new, reader.tally.known) == (1, 1)
    assert {areas.areas for _way, _address, areas, _lookup in contents()} == {("fern",), ("nw",)}


# Keys


def test_rotating_seals_everything_anew_and_drops_the_old_key() -> None:
    save("sms", NUMBER, "nw")
    save("push", push_address(), "nw")
    waiting = signing_up.begin("email", MAIL, Wishes(("nw",), "Moderate", 127, "de", tests=False), page="de")
    before, old = contents(), sealing.newest_key()
    out, _err = run("rotate_contact_keys", "--grace", "0")
    assert "3 addresses sealed with key 2" in out
    assert contents() == before, "the keyed hash stays, so that everybody is found"
    assert sealing.newest_key() == old + 1
    assert len((sealing._folder() / sealing.CONTACT_KEYS).read_text().split()) == 1
    assert signing_up.address_of(SignUp.objects.get(pk=waiting.pk)) == MAIL


def broken_at(monkeypatch: pytest.MonkeyPatch, name: str, owner: Any, times: int) -> Callable[..., Any]:
    """Let a function be interrupted at its ``times``-th call."""
    whole = getattr(owner, name)
    calls = []

    def broken(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == times:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr(owner, name, broken)
    return broken


@pytest.mark.parametrize(
    ("owner", "name", "times"),
    [
        (sealing, "add_key", 1),
        (sealing, "unseal", 3),
        (sealing, "seal", 5),
        (sealing, "drop_keys", 1),
        (rotation, "reseal", 2),
    ],
    ids=["before the key", "in a chunk", "in the next chunk", "before dropping", "after the key"],
)
def test_a_rotation_that_was_broken_off_loses_nobody_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, times: int
) -> None:
    monkeypatch.setattr(rotation, "CHUNK", 2)
    for number in range(6):
        save("sms", f"+491511234567{number}", "nw")
    before = contents()
    broken_at(monkeypatch, name, owner, times)
    with pytest.raises((CommandError, KeyboardInterrupt)):
        run("rotate_contact_keys", "--grace", "0")
    assert contents() == before
    monkeypatch.undo()
    run("rotate_contact_keys", "--grace", "0")
    assert contents() == before
    assert len((sealing._folder() / sealing.CONTACT_KEYS).read_text().split()) == 1


def test_a_browser_that_brings_another_address_meanwhile_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    row = save("push", push_address(), "nw")
    sealing.add_key()
    fresh = push_address()
    unseal = sealing.unseal

    def meanwhile(way: str, sealed: bytes) -> str:
        Subscription.objects.filter(pk=row.pk).update(address=sealing.seal("push", fresh))
        return unseal(way, sealed)

    monkeypatch.setattr(sealing, "unseal", meanwhile)
    rotation.reseal()
    monkeypatch.undo()
    row.refresh_from_db()
    assert sealing.unseal("push", bytes(row.address)) == fresh


def test_without_its_key_nothing_is_dropped() -> None:
    save("sms", NUMBER, "nw")
    file = sealing._folder() / sealing.CONTACT_KEYS
    lost = file.read_text()
    file.write_text("7:" + lost.split(":")[1])
    with pytest.raises(CommandError, match="No key was dropped"):
        run("rotate_contact_keys", "--grace", "0")
    assert len(file.read_text().split()) == 1
    assert sealing.newest_key() == 7
