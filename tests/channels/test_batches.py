"""Batches: one language each, checkpointed, leased, giving way; one recipient's failure is one row."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from alerts.models import Message
from alerts.terms import Kind
from channels import batches, fanout, handfuls, hold, jobs, registry, tally
from channels.base import Broadcaster, Outcome, Permanent, Receipt, Reply, Temporary, Uncertain
from channels.models import Batch, Delivery, Prepared, Recipient, State, Subscription
from channels.subscriptions import sealing
from tests import city
from tests.channels import fakes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "wired")]

FAKES = "tests.channels.fakes."
_rung: list[Batch] = []


@pytest.fixture
def wired(settings: Any, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHANNELS = {
        "page": {"adapter": FAKES + "Page"},
        "crowd": {"adapter": FAKES + "Crowd", "rehearsal": False},
        "once": {"adapter": FAKES + "CrowdOnce", "rehearsal": False},
        "turns": {"adapter": FAKES + "CrowdInTurn", "rehearsal": False},
        "ahead": {"adapter": FAKES + "CrowdPrepared", "rehearsal": False},
    }
    monkeypatch.setattr(jobs, "ring_for", lambda _deliveries: None)
    monkeypatch.setattr(jobs, "ring_batches", _rung.extend)
    monkeypatch.setattr(batches, "SIZE", 25)
    monkeypatch.setattr(batches, "MOST_AT_ONCE", 60)
    _rung.clear()


@pytest.fixture
def message(author: User, approver: User, wired: None) -> Message:
    return city.released(author, approver)


def planned(message: Message, channel: str = "crowd", german: int = 60, english: int = 12) -> Delivery:
    """A delivery with its recipients frozen and cut into batches."""
    fanout.plan(message.pk)
    delivery = Delivery.objects.get(message=message, channel=channel)
    adapter = registry.channel(channel)
    assert isinstance(adapter, Broadcaster)
    if not Subscription.objects.filter(way=adapter.way).exists():
        for language, count in (("de", german), ("en", english)):
            addresses = [f"{channel}-{language}-{number}" for number in range(count)]
            city.subscribe(adapter.way, *addresses, language=language)
    jobs.deliver(delivery.pk)
    return delivery


def tally_of(delivery: Delivery) -> dict[str, int]:
    counts = tally.counts([delivery.pk])[delivery.pk]
    return {name: getattr(counts, name) for name in ("planned", "accepted", "failed", "unclear", "owed")}


def row_of(address: str) -> Recipient:
    mine = Subscription.objects.get(lookup__in=[sealing.lookup(way, address) for way in ("push", "sms")])
    return Recipient.objects.get(subscription=mine.pk)


def carry(delivery: Delivery) -> None:
    """What workers do until nothing waits any more."""
    for _round in range(50):
        due = list(Batch.objects.filter(delivery=delivery, state=State.WAITING).values_list("pk", flat=True))
        if not due:
            return
        Batch.objects.filter(pk__in=due).update(due_at=Now() - dt.timedelta(seconds=1))
        for pk in due:
            jobs.send_batch(pk)


def to(channel: str) -> list[str]:
    return [address for address, _text in fakes.sent[channel]]


def test_recipients_are_cut_into_batches_of_one_language(message: Message) -> None:
    delivery = planned(message)
    assert [(batch.language, batch.size) for batch in Batch.objects.filter(delivery=delivery).order_by("pk")] == [
        ("de", 25), ("de", 25), ("de", 10), ("en", 12),
    ]  # fmt: skip
    assert len(_rung) == 4


def test_cutting_twice_makes_no_second_batch(message: Message) -> None:
    delivery = planned(message)
    assert list(batches.cut(delivery.pk, "f" * 32, "push", ["de"])) == []
    batch = Batch.objects.filter(delivery=delivery).first()
    assert batch is not None
    batch.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        batch.save(force_insert=True)


def test_a_worker_lost_while_it_freezes_leaves_nobody_out_and_nobody_twice(message: Message) -> None:
    fanout.plan(message.pk)
    delivery = Delivery.objects.get(message=message, channel="once")
    city.subscribe("sms", *[f"once-de-{number}" for number in range(130)])
    token = fanout.claim(delivery.pk)
    assert token
    first_run = next(batches.cut(delivery.pk, token, "sms", ["de", "en"]))
    assert sum(batch.size for batch in first_run) == 50
    jobs.send_batch(first_run[0].pk)
    assert len(to("once")) == 25, "sending begins while the others are still being frozen"
    Delivery.objects.filter(pk=delivery.pk).update(lease_until=Now() - dt.timedelta(seconds=1))
    jobs.sweep(patience=600)
    delivery.refresh_from_db()
    assert delivery.state == State.WAITING
    Delivery.objects.filter(pk=delivery.pk).update(due_at=Now() - dt.timedelta(seconds=1))
    jobs.deliver(delivery.pk)
    carry(delivery)
    assert Counter(to("once")) == Counter(f"once-de-{number}" for number in range(130))
    delivery.refresh_from_db()
    assert delivery.state == State.DONE


def test_everybody_is_reached_once_in_their_language(message: Message) -> None:
    delivery = planned(message)
    carry(delivery)
    assert set(Counter(to("crowd")).values()) == {1}
    assert len(to("crowd")) == 72
    texts = {address.split("-")[1]: text for address, text in fakes.sent["crowd"]}
    assert texts == {"de": "Bombenfund: Verlassen Sie das Gebiet", "en": "Bomb found: leave the area"}
    delivery.refresh_from_db()
    assert delivery.state == State.DONE
    assert tally_of(delivery) == {"planned": 72, "accepted": 72, "failed": 0, "unclear": 0, "owed": 0}


def test_a_delivery_to_nobody_is_done(message: Message) -> None:
    delivery = planned(message, german=0, english=0)
    delivery.refresh_from_db()
    assert delivery.state == State.DONE


def test_one_recipients_failure_is_one_row_and_the_batch_goes_on(message: Message) -> None:
    fakes.answers.update(
        {"crowd-de-3": ["permanent"], "crowd-de-4": ["temporary", "temporary"], "crowd-en-1": ["uncertain"]}
    )
    delivery = planned(message)
    carry(delivery)
    assert tally_of(delivery) == {"planned": 72, "accepted": 70, "failed": 1, "unclear": 1, "owed": 0}
    assert Counter(to("crowd"))["crowd-de-4"] == 3
    assert Counter(to("crowd"))["crowd-de-3"] == 1


def test_who_is_refused_again_and_again_has_failed(message: Message) -> None:
    fakes.answers["crowd-de-0"] = ["temporary"] * 50
    delivery = planned(message)
    carry(delivery)
    assert row_of("crowd-de-0").state == Recipient.State.FAILED
    assert Counter(to("crowd"))["crowd-de-0"] == batches.PASSES


@pytest.mark.parametrize(("channel", "again"), [("crowd", 2), ("once", 1)])
def test_a_worker_lost_in_a_checkpoint(author: User, approver: User, channel: str, again: int) -> None:
    delivery = planned(city.released(author, approver, severity="Moderate"), channel)
    batch = Batch.objects.filter(delivery=delivery).order_by("pk").first()
    assert batch is not None

    def dies() -> None:
        Batch.objects.filter(pk=batch.pk).update(lease_until=Now() - dt.timedelta(seconds=1))

    nothing: Callable[[], None] = lambda: None  # noqa: E731
    fakes.script[channel] = [nothing] * 13 + [dies]
    jobs.send_batch(batch.pk)
    jobs.sweep(patience=600)
    carry(delivery)
    times = Counter(to(channel))
    counts = tally_of(delivery)
    assert counts["owed"] == 0
    if channel == "crowd":
        assert counts["accepted"] == 72
        assert max(times.values()) == again, "what was in its hand goes again, the checkpoint before it does not"
        assert sum(times.values()) == 72 + 10
    else:
        assert max(times.values()) == again, "nothing is sent twice that can't be taken back"
        assert counts["unclear"] == 72 - counts["accepted"] > 0


def test_without_the_lease_nothing_is_written(message: Message) -> None:
    delivery = planned(message)
    batch = Batch.objects.filter(delivery=delivery).order_by("pk").first()
    assert batch is not None
    token = batches.claim(batch.pk)
    assert token
    assert batches.claim(batch.pk) is None
    handful = handfuls.hand(batch, token, 10)
    assert handful
    assert len(handful.subscriptions) == 10
    assert handfuls.hand(batch, "f" * 32, 10) is None
    assert not handfuls.checkpoint(batch, "f" * 32, [])
    Batch.objects.filter(pk=batch.pk).update(lease_until=Now() - dt.timedelta(seconds=1))
    assert not handfuls.checkpoint(batch, token, [])
    batch.refresh_from_db()
    assert batch.reached < batch.handed


def test_an_error_of_the_whole_channel_says_what_happens_next(message: Message) -> None:
    delivery = planned(message)
    first, second = list(Batch.objects.filter(delivery=delivery).order_by("pk"))[:2]
    fakes.script["crowd"] = [Temporary("antwortet 429", after=120)]
    jobs.send_batch(first.pk)
    first.refresh_from_db()
    assert (first.state, first.words) == (State.WAITING, "antwortet 429")
    assert Batch.objects.filter(pk=first.pk, due_at__gt=Now() + dt.timedelta(seconds=100)).exists()
    fakes.script["crowd"] = [Permanent("Schlüssel abgelehnt")]
    jobs.send_batch(second.pk)
    second.refresh_from_db()
    assert (second.state, second.words) == (State.FAILED, "Schlüssel abgelehnt")
    carry(delivery)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.words) == (State.FAILED, "Schlüssel abgelehnt")


def test_no_answer_is_unclear_where_trying_twice_would_send_twice(author: User, approver: User) -> None:
    delivery = planned(city.released(author, approver, severity="Moderate"), "once")
    fakes.script["once"] = [lambda: None, lambda: None, Uncertain("keine Antwort")]
    carry(delivery)
    counts = tally_of(delivery)
    assert counts["unclear"] == 8, "the rest of that checkpoint; those with an answer are accepted"
    assert counts["accepted"] == 64
    assert max(Counter(to("once")).values()) == 1


def test_a_batch_gives_way_to_an_urgent_message_between_checkpoints(author: User, approver: User) -> None:
    minor = planned(city.released(author, approver, severity="Minor"))
    urgent = planned(city.released(author, approver))
    assert (minor.queue, urgent.queue) == ("city", "city-urgent")
    _rung.clear()
    first = Batch.objects.filter(delivery=minor).order_by("pk").first()
    assert first is not None
    jobs.send_batch(first.pk)
    assert len(to("crowd")) == 10, "one checkpoint, then it let go"
    assert [batch.pk for batch in _rung] == [first.pk]
    carry(urgent)
    carry(minor)
    assert tally_of(minor)["accepted"] == 72
    assert set(Counter(to("crowd")).values()) == {2}, "both messages have the same addresses; nobody got one twice"


def test_a_batch_leaves_the_host_to_an_urgent_message_until_that_one_s_batches_stand(
    author: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BEGINNING", 60.0)
    minor = planned(city.released(author, approver, severity="Minor"))
    batch = Batch.objects.filter(delivery=minor).order_by("pk")[0]
    assert not batches.urgent_one_begins(batch)
    urgent = city.released(author, approver)
    fanout.plan(urgent.pk)
    assert batches.urgent_one_begins(batch)
    slept = []

    def sleep(_seconds: float) -> None:
        slept.append(len(to("crowd")))
        for waiting in Delivery.objects.filter(message=urgent, queue="city-urgent"):
            jobs.deliver(waiting.pk)

    monkeypatch.setattr(jobs.time, "sleep", sleep)
    jobs.send_batch(batch.pk)
    assert slept == [10], "after one checkpoint it waited, until the urgent one was cut"
    assert len(to("crowd")) == 10
    Delivery.objects.filter(message=urgent).update(planned_at=Now() - dt.timedelta(seconds=90), lease="x")
    assert not batches.urgent_one_begins(batch), "never for long: a channel that hangs holds nobody up"


def test_an_urgent_batch_does_not_give_way_to_a_lesser_one(author: User, approver: User) -> None:
    urgent = planned(city.released(author, approver))
    planned(city.released(author, approver, severity="Minor"))
    first = Batch.objects.filter(delivery=urgent).order_by("pk").first()
    assert first is not None
    jobs.send_batch(first.pk)
    assert len(to("crowd")) == 25


def test_a_superseded_message_stops_between_two_checkpoints(message: Message, author: User, approver: User) -> None:
    delivery = planned(message)
    batch = Batch.objects.filter(delivery=delivery).order_by("pk").first()
    assert batch is not None

    def update() -> None:
        fanout.plan(city.followed(message, Kind.UPDATE, author, approver).pk)

    fakes.script["crowd"] = [lambda: None, update]
    jobs.send_batch(batch.pk)
    assert len(to("crowd")) == 10
    carry(delivery)
    assert len(to("crowd")) == 10
    delivery.refresh_from_db()
    assert delivery.state == State.SUPERSEDED
    assert not Batch.objects.filter(delivery=delivery, state__in=[State.WAITING, State.SENDING]).exists()


def test_upkeep_sends_what_no_worker_took(message: Message) -> None:
    delivery = planned(message, german=20, english=0)
    Batch.objects.update(due_at=Now() - dt.timedelta(seconds=60))
    jobs.sweep(patience=5)
    delivery.refresh_from_db()
    assert delivery.state == State.DONE
    assert len(to("crowd")) == 20


def test_in_rehearsal_nothing_is_sent(settings: Any, author: User, approver: User) -> None:
    settings.CHANNELS = settings.CHANNELS | {"crowd": {"adapter": FAKES + "Crowd", "rehearsal": True}}
    delivery = planned(city.released(author, approver))
    carry(delivery)
    assert not to("crowd")
    delivery.refresh_from_db()
    assert delivery.state == State.DONE


def test_a_delivery_whose_last_batches_settled_unseen_is_closed_by_the_sweep(message: Message) -> None:
    delivery = planned(message)
    Batch.objects.filter(delivery=delivery).update(state=State.DONE)
    jobs.sweep(patience=600)
    delivery.refresh_from_db()
    assert delivery.state == State.DONE


def test_trying_again_by_hand_opens_the_failed_batches(message: Message, author: User) -> None:
    delivery = planned(message)
    fakes.script["crowd"] = [Permanent("Schlüssel abgelehnt")] * 4
    carry(delivery)
    delivery.refresh_from_db()
    assert delivery.state == State.FAILED
    assert not to("crowd")
    fanout.try_again(delivery.pk, author)
    jobs.deliver(delivery.pk)
    carry(delivery)
    delivery.refresh_from_db()
    assert delivery.state == State.DONE
    assert len(to("crowd")) == 72


def test_a_batch_over_which_worker_after_worker_is_lost_fails(message: Message) -> None:
    delivery = planned(message, german=20, english=0)
    batch = Batch.objects.get(delivery=delivery)
    assert batches.claim(batch.pk)
    Batch.objects.update(tries=batches.TRIES, lease_until=Now() - dt.timedelta(seconds=1))
    jobs.sweep(patience=600)
    delivery.refresh_from_db()
    assert delivery.state == State.FAILED


def test_an_uncertain_one_is_looked_up_and_goes_again_only_if_the_provider_surely_has_not_got_it(
    author: User, approver: User
) -> None:
    fakes.answers.update({f"once-de-{number}": ["uncertain"] for number in range(3)})
    fakes.found.update({"once-de-0": "accepted", "once-de-1": "temporary"})
    delivery = planned(city.released(author, approver, severity="Moderate"), "once")
    carry(delivery)
    times = Counter(to("once"))
    assert [times[f"once-de-{number}"] for number in range(4)] == [1, 2, 1, 1]
    assert tally_of(delivery) == {"planned": 72, "accepted": 71, "failed": 0, "unclear": 1, "owed": 0}
    assert row_of("once-de-2").state == Recipient.State.UNCLEAR


def test_where_nobody_can_tell_an_extreme_one_goes_again_once(message: Message) -> None:
    fakes.answers["once-de-0"] = ["uncertain"] * 9
    delivery = planned(message, "once")
    carry(delivery)
    assert Counter(to("once"))["once-de-0"] == 2
    assert tally_of(delivery) == {"planned": 72, "accepted": 71, "failed": 0, "unclear": 1, "owed": 0}


def test_what_a_lost_worker_may_have_sent_is_looked_up_before_it_goes_again(message: Message) -> None:
    delivery = planned(message, "once", german=20, english=0)
    batch = Batch.objects.get(delivery=delivery)

    def dies() -> None:
        Batch.objects.filter(pk=batch.pk).update(lease_until=Now() - dt.timedelta(seconds=1))

    fakes.script["once"] = [lambda: None, lambda: None, dies]
    fakes.found.update({f"once-de-{number}": "accepted" for number in range(20)})
    jobs.send_batch(batch.pk)
    jobs.sweep(patience=600)
    carry(delivery)
    assert tally_of(delivery) == {"planned": 20, "accepted": 20, "failed": 0, "unclear": 0, "owed": 0}
    assert Counter(to("once")).most_common(1)[0][1] == 1


def test_over_a_channel_with_turns_one_batch_is_sent_at_a_time(message: Message) -> None:
    delivery = planned(message, "turns")
    assert len(_rung) == 1, "the others are rung when it ends"
    first, second = list(Batch.objects.filter(delivery=delivery).order_by("pk"))[:2]
    token = batches.claim(first.pk, turn="turns")
    assert token
    assert batches.claim(second.pk, turn="turns") is None
    with pytest.raises(IntegrityError), transaction.atomic():
        Batch.objects.filter(pk=second.pk).update(state=State.SENDING, lease="x", turn="turns")
    first.refresh_from_db()
    assert batches.put_back(first, token)
    _rung.clear()
    jobs.send_batch(second.pk)
    assert len(_rung) == 1, "whose turn is next is told"
    assert _rung[0].pk not in {first.pk, second.pk}, "those that wait longest come first"
    carry(delivery)
    assert tally_of(delivery)["accepted"] == 72


def test_a_recipient_of_whom_the_channel_says_nothing_is_not_taken_for_reached(
    message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fakes.Crowd.send

    def forgetful(self: Any, rendering: Any, recipients: Any, *, key: str) -> Any:
        yield from whole(self, rendering, [one for one in recipients if one.address != "crowd-de-7"], key=key)

    monkeypatch.setattr(fakes.Crowd, "send", forgetful)
    delivery = planned(message)
    carry(delivery)
    assert tally_of(delivery) == {"planned": 72, "accepted": 71, "failed": 1, "unclear": 0, "owed": 0}


def test_who_left_meanwhile_gets_nothing_and_is_told_of(message: Message) -> None:
    delivery = planned(message)
    Subscription.objects.get(lookup=sealing.lookup("push", "crowd-de-5")).delete()
    carry(delivery)
    assert "crowd-de-5" not in to("crowd")
    assert tally_of(delivery)["failed"] == 1


def test_an_address_that_is_gone_ends_its_subscription(message: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_self: Any, _rendering: Any, recipients: Any, *, key: str) -> Any:
        return [Outcome(one.id, "permanent", "410", gone=one.address == "crowd-de-5") for one in recipients]

    monkeypatch.setattr(fakes.Crowd, "send", gone)
    delivery = planned(message)
    carry(delivery)
    assert Subscription.objects.count() == 71
    assert not Subscription.objects.filter(lookup=sealing.lookup("push", "crowd-de-5")).exists()
    counts = tally.counts([delivery.pk])[delivery.pk]
    assert counts.reasons == (("410", 72),)


def test_a_provider_that_asks_to_wait_is_waited_for(message: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    def later(_self: Any, _rendering: Any, recipients: Any, *, key: str) -> Any:
        return [Outcome(one.id, "temporary", "429", after=600) for one in recipients]

    monkeypatch.setattr(fakes.Crowd, "send", later)
    delivery = planned(message, german=3, english=0)
    batch = Batch.objects.get(delivery=delivery)
    jobs.send_batch(batch.pk)
    assert Batch.objects.filter(pk=batch.pk, state=State.WAITING, due_at__gt=Now() + dt.timedelta(seconds=500)).exists()


def made_ahead(addresses: int = 20) -> None:
    city.subscribe("push", *[f"ahead-de-{number}" for number in range(addresses)])
    jobs.prepare()
    assert Prepared.objects.count() == addresses


def test_what_was_made_ahead_serves_one_message(message: Message, author: User, approver: User) -> None:
    made_ahead()
    carry(planned(message, "ahead"))
    assert not Prepared.objects.exists()
    carry(planned(city.followed(message, Kind.UPDATE, author, approver), "ahead"))
    assert set(fakes.used["ahead-de-3"]) == {b"made for ahead-de-3", b""}
    assert len(fakes.used["ahead-de-3"]) == 2


def test_after_a_crash_nothing_made_ahead_is_used_again(message: Message) -> None:
    made_ahead()
    delivery = planned(message, "ahead")
    batch = Batch.objects.get(delivery=delivery)

    def dies() -> None:
        Batch.objects.filter(pk=batch.pk).update(lease_until=Now() - dt.timedelta(seconds=1))

    fakes.script["ahead"] = [dies]
    jobs.send_batch(batch.pk)
    jobs.sweep(patience=600)
    carry(delivery)
    assert fakes.used["ahead-de-0"] == [b"made for ahead-de-0", b""]


def test_two_messages_at_once_never_use_the_same_set(author: User, approver: User) -> None:
    made_ahead()
    both = [planned(city.released(author, approver), "ahead") for _one in range(2)]
    rows = [Batch.objects.get(delivery=delivery) for delivery in both]
    taken = []
    for batch in rows:
        token = batches.claim(batch.pk)
        assert token
        handful = handfuls.hand(batch, token, 20, prepares=True)
        assert handful
        taken.append(handful.prepared)
    assert len(taken[0]) == 20
    assert taken[1] == {}


def test_a_restore_wipes_what_was_made_ahead(message: Message) -> None:
    made_ahead()
    hold.hold("from a backup")
    assert not Prepared.objects.exists()


def test_while_something_goes_out_nothing_is_made_ahead(message: Message) -> None:
    planned(message)
    jobs.prepare()
    assert not Prepared.objects.exists()


def test_a_batch_that_takes_long_is_carried_by_one_job_after_another(
    message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = planned(message, "once", german=25, english=0)
    batch = Batch.objects.get(delivery=delivery)
    _rung.clear()
    jobs.send_batch(batch.pk, most=0.0)
    assert len(to("once")) == 10
    assert [rung.pk for rung in _rung] == [batch.pk]
    carry(delivery)
    assert tally_of(delivery)["accepted"] == 25


def test_what_came_over_the_channels_own_connection_is_taken_in(
    message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = planned(message, "once", german=12, english=0)
    row = row_of("once-de-0")
    told = [[Receipt("delivered", recipient=row.pk), Reply("once-de-1", "STOP")]]
    monkeypatch.setattr(fakes.CrowdOnce, "arrived", lambda _self: told.pop() if told else [], raising=False)
    carry(delivery)
    assert row_of("once-de-0").state == Recipient.State.DELIVERED
    assert not Subscription.objects.filter(lookup=sealing.lookup("sms", "once-de-1")).exists()


@pytest.mark.parametrize("done", [True, False])
def test_the_page_goes_first_but_is_not_waited_for_without_end(
    message: Message, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    city.subscribe("push", "crowd-de-0")
    fanout.plan(message.pk)
    seen: list[list[str]] = []
    site = Delivery.objects.filter(message=message, site=True)

    def sleeps(_seconds: float) -> None:
        seen.append(sorted(site.values_list("state", flat=True)))
        if done:
            site.update(state=State.DONE)

    monkeypatch.setattr(jobs, "HEAD_START", 0.3)
    monkeypatch.setattr(jobs, "_let_the_first_begin", list)
    monkeypatch.setattr(jobs.time, "sleep", sleeps)
    jobs.deliver(Delivery.objects.get(message=message, channel="crowd").pk)
    assert seen[0] == ["waiting"], "nothing was frozen while the page was on its way"
    assert len(seen) == 1 or not done
    assert Batch.objects.filter(delivery__message=message).exists(), "and subscribers are reached all the same"


def test_the_first_checkpoint_comes_before_more_recipients_are_frozen(
    message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.subscribe("push", *(f"crowd-de-{number}" for number in range(130)))
    fanout.plan(message.pk)
    Delivery.objects.filter(message=message, site=True).update(state=State.DONE)
    delivery = Delivery.objects.get(message=message, channel="crowd")
    frozen: list[int] = []

    def sleeps(_seconds: float) -> None:
        frozen.append(Recipient.objects.filter(delivery=delivery).count())
        jobs.send_batch(Batch.objects.filter(delivery=delivery).order_by("pk")[0].pk)

    monkeypatch.setattr(jobs, "HEAD_START", 60.0)
    monkeypatch.setattr(jobs.time, "sleep", sleeps)
    jobs.deliver(delivery.pk)
    assert frozen == [50], "the first run alone"
    assert Recipient.objects.filter(delivery=delivery).count() == 130
