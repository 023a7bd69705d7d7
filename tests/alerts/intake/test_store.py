"""Raw first, within quotas: what is refused, what a flood can't do, when a mail reached us."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from alerts.intake import store
from alerts.models import Alarm, Intake, IntakeState
from tests import city

pytestmark = pytest.mark.django_db
RAW = b"From: a@mail.example\r\n\r\nHallo\r\n"


def test_the_bytes_are_kept_as_they_came_before_anything_is_read() -> None:
    raw = b"\x00\xff not even a mail \r\n"
    kept = store.keep(raw, timezone.now(), sender="<A@Mail.Example>")
    row = Intake.objects.get(pk=kept.pk)
    assert (bytes(row.raw or b""), row.state, row.sender, row.size) == (raw, "waiting", "a@mail.example", len(raw))


def test_more_than_ten_megabytes_are_refused_for_good_and_not_stored() -> None:
    with pytest.raises(store.Full) as refused:
        store.keep(b"x" * (store.LARGEST + 1), timezone.now())
    assert not refused.value.again
    assert not Intake.objects.exists()


def test_ten_megabytes_are_taken() -> None:
    assert store.keep(b"x" * store.LARGEST, timezone.now()).size == store.LARGEST


def test_a_sender_has_a_quota_and_may_come_again_later(settings: Any) -> None:
    settings.INTAKE_PER_SENDER = 3
    for _number in range(3):
        store.keep(RAW, timezone.now(), sender="bomber@mail.example")
    with pytest.raises(store.Full) as refused:
        store.keep(RAW, timezone.now(), sender="bomber@mail.example")
    assert refused.value.again
    store.keep(RAW, timezone.now(), sender="other@mail.example")
    Intake.objects.update(arrived_at=timezone.now() - dt.timedelta(minutes=61))
    store.keep(RAW, timezone.now(), sender="bomber@mail.example")


def test_a_flood_of_strangers_keeps_no_officer_out_and_is_told_at_the_desk(settings: Any) -> None:
    settings.INTAKE_TOTAL = 5
    for number in range(5):
        store.keep(RAW, timezone.now(), sender=f"{number}@mail.example")
    with pytest.raises(store.Full):
        store.keep(RAW, timezone.now(), sender="6@mail.example")
    assert Alarm.objects.filter(key=store.FULL, ended_at__isnull=True).count() == 1
    officer = city.officer("anna", "write_draft")
    assert store.keep(RAW, timezone.now(), sender=officer.email).pk


def test_the_alarm_of_a_flood_ends_with_it(settings: Any) -> None:
    settings.INTAKE_TOTAL = 4
    for number in range(4):
        store.keep(RAW, timezone.now(), sender=f"{number}@mail.example")
    with pytest.raises(store.Full):
        store.keep(RAW, timezone.now())
    Intake.objects.update(arrived_at=timezone.now() - dt.timedelta(hours=2))
    store.tidy()
    assert not Alarm.objects.filter(key=store.FULL, ended_at__isnull=True).exists()


def test_bytes_in_total_have_a_quota_too(settings: Any) -> None:
    settings.INTAKE_MEGABYTES = 1
    store.keep(b"x" * 700_000, timezone.now(), sender="a@mail.example")
    with pytest.raises(store.Full):
        store.keep(b"x" * 700_000, timezone.now(), sender="b@mail.example")


def test_a_mail_that_is_fetched_twice_is_one() -> None:
    first = store.keep(RAW, timezone.now(), once=True)
    assert store.keep(RAW, timezone.now(), once=True).pk == first.pk
    assert store.keep(RAW + b"!", timezone.now(), once=True).pk != first.pk


def test_no_mail_arrives_in_the_future() -> None:
    kept = store.keep(RAW, timezone.now() + dt.timedelta(hours=3))
    assert kept.received_at <= timezone.now()


def test_raw_text_of_strangers_is_forgotten_after_a_month_and_no_other() -> None:
    old, taken = (store.keep(RAW, timezone.now(), sender=f"{name}@mail.example") for name in "ab")
    Intake.objects.update(arrived_at=timezone.now() - store.KEPT - dt.timedelta(days=1))
    Intake.objects.filter(pk=old.pk).update(state=IntakeState.IGNORED)
    Intake.objects.filter(pk=taken.pk).update(state=IntakeState.TAKEN)
    store.tidy()
    old.refresh_from_db()
    taken.refresh_from_db()
    assert (old.raw, bytes(taken.raw or b"")) == (None, RAW)


NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOPS = (
    b"Return-Path: <anna@city.example>\r\n"
    b"Received: from x by inner.city.example with LMTP; Sun, 1 Mar 2026 12:50:00 +0100\r\n"
    b"Received: from y by mx.city.example (Postfix)\r\n\twith ESMTP; Sun, 1 Mar 2026 12:30:00 +0100\r\n"
    b"Received: from z by mx.city.example; Sun, 1 Mar 2026 10:00:00 +0100\r\n"
    b"From: anna@city.example\r\n\r\nReceived: by mx.city.example; Sun, 1 Mar 2026 09:00:00 +0100\r\n"
)


def test_a_mail_reached_us_when_the_trusted_relay_says_in_its_own_topmost_line(settings: Any) -> None:
    settings.INTAKE_RELAY = "mx.city.example"
    assert store.reached(HOPS, NOW) == dt.datetime(2026, 3, 1, 11, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize("relay", ["", "mx.other.example", "city.example", "x.city.example"])
def test_no_other_server_is_believed_when_a_mail_reached_us(settings: Any, relay: str) -> None:
    settings.INTAKE_RELAY = relay
    assert store.reached(HOPS, NOW) == NOW


def test_a_relay_whose_clock_is_ahead_makes_no_code_good_for_longer(settings: Any) -> None:
    settings.INTAKE_RELAY = "mx.city.example"
    ahead = HOPS.replace(b"12:30:00", b"23:30:00")
    assert store.reached(ahead, NOW) == NOW


def test_a_broken_time_of_the_relay_is_no_time(settings: Any) -> None:
    settings.INTAKE_RELAY = "mx.city.example"
    assert store.reached(HOPS.replace(b"Sun, 1 Mar 2026 12:30:00 +0100", b"sometime"), NOW) == NOW


def test_the_envelope_is_what_the_last_server_wrote() -> None:
    assert store.envelope(HOPS) == "anna@city.example"
    assert store.envelope(b"From: x@y.example\r\n\r\nReturn-Path: <forged@y.example>") == ""
