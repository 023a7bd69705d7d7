"""The switch-off drill: what still reaches whom with platforms and foreign providers dead; and what people say."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from alerts import approval
from alerts.models import AuditEntry, Draft, DraftState, Message, ReleasePlan
from alerts.people import Refused
from alerts.terms import Kind, Status
from channels import fanout, jobs, switchoff
from channels.base import Hop, Permanent
from channels.management.commands import drill
from channels.models import Audience, Delivery, Reached, State, Subscription
from channels.reach import OTHER_WAYS, feedback
from channels.subscriptions import limits
from tests import city
from tests.channels import fakes
from tests.channels.test_drill import Clock
from tests.desk import conftest as desk

pytestmark = pytest.mark.django_db

ABROAD, EU = Hop("Dienst Inc.", "abroad"), Hop("Dienst GmbH", "eu")


class Push(fakes.Crowd):
    """Subscribers by way of a provider abroad."""

    hops = (ABROAD,)


class Mail(fakes.CrowdOnce):
    """Subscribers by way of providers here and abroad."""

    hops = (EU, ABROAD)


class Network(fakes.Commercial):
    """A commercial network in the EU."""

    hops = (EU,)


@pytest.fixture(autouse=True)
def channels(settings: Any, districts: None, quiet: None) -> None:
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "feed": {"adapter": "tests.channels.fakes.Page"},
        "push": {"adapter": "tests.channels.test_switch_off.Push", "rehearsal": False},
        "mail": {"adapter": "tests.channels.test_switch_off.Mail", "rehearsal": False},
        "mastodon": {"adapter": "tests.channels.fakes.Own", "rehearsal": False},
        "net": {"adapter": "tests.channels.test_switch_off.Network", "rehearsal": False},
    }
    city.subscribe("push", "one", "two", tests=True)
    city.subscribe("push", "asleep")
    city.subscribe("sms", "+4915112345678", tests=True)
    for channel, count in (("mastodon", 700), ("net", 90_000)):
        Audience.objects.create(channel=channel, on=dt.date(2026, 1, 1), count=count, source="typed")


@pytest.fixture
def ready(author: User, approver: User) -> Draft:
    """An exercise approved in advance."""
    draft = city.submitted(
        author, status=Status.EXERCISE, plan=ReleasePlan.DRILL, facts_at=None, valid_for=60, next_in=None
    )
    assert approval.approve(draft.pk, draft.digest, approver) is None
    return Draft.objects.get(pk=draft.pk)


def work(message: Message) -> None:
    """What the workers do, in their order."""
    jobs.fan_out(message.pk)
    for city_first in (True, False):
        for delivery in Delivery.objects.filter(message=message, city=city_first, state=State.WAITING):
            jobs.deliver(delivery.pk)
    for delivery in Delivery.objects.filter(message=message):
        for batch in delivery.batches.filter(state=State.WAITING):
            jobs.send_batch(batch.pk)


def by_name(message: Message) -> dict[str, switchoff.Row]:
    return {row.channel: row for row in switchoff.result(message).rows}


# who is dead


@pytest.mark.parametrize(
    ("commercial", "abroad", "dead"),
    [
        (False, False, {}),
        (True, False, {"net": "commercial"}),
        (False, True, {"push": "foreign"}),
        (True, True, {"net": "commercial", "push": "foreign"}),
    ],
)
def test_who_is_dead_in_which_drill(commercial: bool, abroad: bool, dead: dict[str, str], settings: Any) -> None:
    names = [*settings.CHANNELS, "removed"]
    assert switchoff.dead(names, commercial=commercial, foreign_too=abroad) == dead


def test_page_and_feeds_are_never_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fakes.Page, "hops", (ABROAD,))
    assert switchoff.dead(["page", "feed"], commercial=True, foreign_too=True) == {}


# what happens to them


def test_a_dead_channel_is_sent_nothing_and_all_others_are(ready: Draft) -> None:
    message = switchoff.release(ready, commercial=True, foreign_too=True)
    work(message)
    states = dict(Delivery.objects.values_list("channel", "state"))
    assert {states.pop("net"), states.pop("push")} == {State.LEFT_OUT}
    assert set(states.values()) == {State.DONE}
    assert set(fakes.sent) == {"page", "feed", "mail"}
    assert switchoff.result(message).complete


def test_what_still_reached_whom_and_what_was_lost(ready: Draft) -> None:
    message = switchoff.release(ready, commercial=True, foreign_too=True)
    work(message)
    rows = by_name(message)
    assert list(rows)[:2] == ["page", "feed"]
    assert (rows["page"].reached, rows["page"].countable) == (None, False)
    assert (rows["mail"].reached, rows["mail"].lost, rows["mail"].partly) == (1, 0, True)
    assert (rows["push"].reached, rows["push"].lost, rows["push"].why) == (0, 2, "foreign")
    assert (rows["mastodon"].reached, rows["mastodon"].lost) == (700, 0)
    assert (rows["net"].reached, rows["net"].lost, rows["net"].why) == (0, 90_000, "commercial")
    result = switchoff.result(message)
    assert (result.reached, result.lost) == (701, 90_002)
    assert (result.commercial, result.foreign) == (True, True)


def test_how_fast_is_measured_for_what_went_out_alone(ready: Draft) -> None:
    message = switchoff.release(ready, commercial=True)
    work(message)
    rows = by_name(message)
    assert (rows["net"].first, rows["net"].last) == (None, None)
    for name in ("page", "mail", "push", "mastodon"):
        first, last = rows[name].first, rows[name].last
        assert first is not None
        assert last is not None
        assert 0 <= first <= last < 30
    assert switchoff.result(message).first == min(row.first for row in rows.values() if row.first is not None)


def test_a_channel_that_nobody_asked_for_is_not_the_first(ready: Draft) -> None:
    Subscription.objects.filter(way="sms").delete()
    message = switchoff.release(ready)
    work(message)
    row = by_name(message)["mail"]
    assert (row.state, row.reached, row.first, row.last) == (State.DONE, 0, None, None)


def test_with_nobody_dead_the_same_table_tells_of_an_ordinary_drill(ready: Draft) -> None:
    message = switchoff.release(ready)
    work(message)
    result = switchoff.result(message)
    assert (result.commercial, result.foreign, result.lost) == (False, False, 0)
    assert by_name(message)["net"].reached == 90_000
    assert "net" not in fakes.sent, "posts are rehearsed in an exercise"


def test_the_sweep_finds_a_switch_off_drill_whose_doorbell_was_lost(ready: Draft) -> None:
    """Were only the dead ones written, no sweep would plan the others."""
    message = switchoff.release(ready, commercial=True)
    assert message.pk not in fanout.unplanned(dt.timedelta(0))
    assert dict(message.deliveries.values_list("channel", "state")) == {
        **dict.fromkeys(["page", "feed", "push", "mail", "mastodon"], State.WAITING),
        "net": State.LEFT_OUT,
    }


def test_dead_ones_stand_before_any_worker_hears_of_the_message(ready: Draft, settings: Any) -> None:
    settings.ALERTS_RING = "tests.channels.test_switch_off.ring"
    seen.clear()
    switchoff.release(ready, commercial=True)
    if connection.in_atomic_block:  # the test's own transaction: what rings on commit runs by hand
        for _ids, callback, *_rest in connection.run_on_commit:
            callback()
    assert [state for channel, state in seen if channel == "net"] == [State.LEFT_OUT]


seen: list[tuple[str, str]] = []


def ring(message_id: int) -> None:
    seen.extend(Delivery.objects.filter(message=message_id).values_list("channel", "state"))


def test_a_refused_release_leaves_no_delivery_and_keeps_its_lapse(
    ready: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "_gone", lambda draft, now: "Zu spät.")
    with pytest.raises(Refused, match="Zu spät"):
        switchoff.release(ready, commercial=True)
    assert Draft.objects.get().state == DraftState.LAPSED
    assert not Delivery.objects.exists()


def test_an_officer_can_t_send_a_dead_one_again(ready: Draft, author: User) -> None:
    message = switchoff.release(ready, commercial=True, foreign_too=True)
    with pytest.raises(Refused):
        fanout.try_again(message.deliveries.get(channel="push").pk, author)


def test_the_record_says_which_channels_were_dead(ready: Draft) -> None:
    message = switchoff.release(ready, commercial=True, foreign_too=True)
    line = AuditEntry.objects.get(action="drill")
    assert line.data == {
        "commercial_dead": True,
        "foreign_dead": True,
        "dead": {"net": "commercial", "push": "foreign"},
    }
    assert switchoff.line_of(message) == line


# manage.py drill


@pytest.mark.usefixtures("ready")
def test_the_command_prints_what_was_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(drill, "time", Worked())
    call_command("drill", "--commercial-dead", "--foreign-dead", seconds=3)
    said = capsys.readouterr().out
    lines = {line.split()[0]: line for line in said[: said.index("channel  ")].splitlines() if line}
    assert lines["net"].split()[1:4] == ["commercial", "0", "90000"]
    assert "needs a foreign provider" in lines["push"]
    assert lines["push"].split()[1:4] == ["city", "0", "2"]
    assert "Dienst Inc. (abroad)" in lines["push"]
    assert "Reached: 701. Not reached: 90002." in said
    table = {line.split()[0]: line.split()[1] for line in said[said.index("channel  ") :].splitlines()[1:]}
    assert (table["net"], table["push"], table["page"]) == ("dead", "dead", "done")


@pytest.mark.usefixtures("ready")
def test_a_living_channel_that_fails_fails_the_drill(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.script["mail"] = [Permanent("aus")]
    monkeypatch.setattr(drill, "time", Worked())
    with pytest.raises(CommandError, match="Not every channel"):
        call_command("drill", "--commercial-dead", seconds=3)
    assert "dead" in capsys.readouterr().out


class Worked(Clock):
    """The workers do all of their work in the first pause."""

    def sleep(self, _seconds: float) -> None:
        self.now += 0.25
        if self.workers:
            self.workers = False
            work(Message.objects.get())


# did it reach you?


@pytest.fixture
def asked(ready: Draft, settings: Any) -> Message:
    """A released exercise, and a site that can answer."""
    settings.CHANNELS = {
        **settings.CHANNELS,
        "website": {"adapter": "channels.city.website.Website"},
    }
    limits.forget()
    return switchoff.release(ready)


@pytest.fixture
def resident() -> Client:
    return Client(enforce_csrf_checks=True)


def address(message: Message) -> str:
    return f"/s/reached/{message.alert.slug}/"


def test_answers_are_counted_by_way_and_district_and_nothing_else_is_kept(asked: Message, resident: Client) -> None:
    for way, district in (("mail", "no"), ("mail", "no"), ("siren", ""), ("not", "fern")):
        answer = resident.post(address(asked), {"way": way, "district": district, "page": "en"})
        assert (answer.status_code, answer["Location"]) == (303, f"{address(asked)}?done=1&page=en")
        assert not answer.cookies
    kept = set(Reached.objects.values_list("message", "way", "district", "count"))
    assert kept == {(asked.pk, "mail", "no", 2), (asked.pk, "siren", "", 1), (asked.pk, "not", "fern", 1)}
    thanks = resident.get(f"{address(asked)}?done=1&page=en")
    assert "Thank you" in thanks.content.decode()
    assert thanks["Cache-Control"] == "no-store"
    assert not resident.cookies
    assert {field.name for field in Reached._meta.fields} == {"id", "message", "way", "district", "count"}


@pytest.mark.parametrize(
    "given",
    [{}, {"way": ""}, {"way": "fax"}, {"way": "mail", "district": "mitte"}, {"way": "mail", "district": "x" * 500}],
    ids=str,
)
def test_what_is_no_choice_is_told_and_not_counted(given: dict[str, str], asked: Message, resident: Client) -> None:
    answer = resident.post(address(asked), given | {"page": "en"})
    assert answer.status_code == 422
    assert "Nothing has been counted yet" in answer.content.decode()
    assert not Reached.objects.exists()


def test_what_was_chosen_stays_chosen(asked: Message, resident: Client) -> None:
    said = resident.post(address(asked), {"way": "", "district": "no", "page": "en"}).content.decode()
    assert '<option value="no" selected>' in said


def test_the_form_names_every_channel_every_other_way_and_the_smallest_districts(asked: Message) -> None:
    offered = feedback.choices()
    ways = [value for group in offered.ways for value, _words in group.options]
    assert set(ways) == {*OTHER_WAYS, "page", "feed", "website", "push", "mail", "mastodon", "net"}
    assert [(group.name, [code for code, _name in group.options]) for group in offered.districts] == [
        ("Mitte", ["no", "nw", "so", "sw"]),
        ("Rand", ["fern"]),
    ]


def test_a_channel_that_can_t_be_made_keeps_nobody_from_being_asked(settings: Any) -> None:
    settings.CHANNELS = {**settings.CHANNELS, "broken": {"adapter": "tests.channels.fakes.Nobody"}}
    ways = [value for group in feedback.choices().ways for value, _words in group.options]
    assert "mail" in ways
    assert "broken" not in ways


def test_the_exercise_s_own_page_asks_in_each_language(asked: Message, settings: Any, tmp_path: Any) -> None:
    from channels.city.website import Website

    site = Website("website", folder=str(tmp_path), address=settings.ADDRESS, languages=["de", "de-simple", "en"])
    site.rebuild()
    for start, language in (("", "de"), ("de-simple/", "de-simple"), ("en/", "en")):
        said = (tmp_path / start / "alerts" / asked.alert.slug / "index.html").read_text()
        assert f'action="{address(asked)}"' in said
        assert f'name="page" value="{language}"' in said
        assert '<optgroup label="Mitte">' in said
    assert "EXERCISE: Did it reach you" in said


def test_a_real_alert_is_never_asked_about(
    asked: Message, resident: Client, author: User, approver: User, settings: Any, tmp_path: Any
) -> None:
    from channels.city.website import Website

    real = city.released(author, approver)
    for method in (resident.get, resident.post):
        assert method(address(real), {"way": "mail"}).status_code == 404
    assert resident.get("/s/reached/nothing/").status_code == 404
    assert not Reached.objects.exists()
    Website("website", folder=str(tmp_path), address=settings.ADDRESS, languages=["de"]).rebuild()
    assert "/s/reached/" not in (tmp_path / "alerts" / real.alert.slug / "index.html").read_text()


def test_answers_after_the_all_clear_count_for_the_exercise(asked: Message, author: User, approver: User) -> None:
    city.followed(asked, Kind.ALL_CLEAR, author, approver)
    assert feedback.asked_about(asked.alert.slug) == asked


def test_after_a_week_no_more_is_counted(asked: Message, resident: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + dt.timedelta(days=8))
    assert resident.post(address(asked), {"way": "mail"}).status_code == 410
    assert "<form" not in resident.get(address(asked)).content.decode()
    assert not Reached.objects.exists()


def test_one_client_can_t_stuff_the_box(asked: Message, resident: Client, settings: Any) -> None:
    settings.SUBSCRIBE_LIMITS = {"asks": "3/10 minutes"}
    limits.forget()
    answers = [resident.post(address(asked), {"way": "mail"}) for _ in range(5)]
    limits.forget()
    assert [answer.status_code for answer in answers] == [303, 303, 303, 429, 429]
    assert "Retry-After" in answers[-1].headers
    assert Reached.objects.get().count == 3


def test_another_site_s_form_is_refused(asked: Message, resident: Client) -> None:
    answer = resident.post(address(asked), {"way": "mail"}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert not Reached.objects.exists()


def test_answers_stand_in_a_table_by_district_and_way(asked: Message) -> None:
    for way, district, count in (("net", "no", 2), ("mail", "no", 3), ("not", "", 1), ("gone-channel", "fern", 4)):
        Reached.objects.create(message=asked, way=way, district=district, count=count)
    table = feedback.table(asked)
    assert [(line.name, line.counts, line.total) for line in table.lines] == [
        ("Fern", (0, 0, 0, 4), 4),
        ("Nordost", (3, 2, 0, 0), 5),
        (table.lines[-1].name, (0, 0, 1, 0), 1),
    ]
    assert table.totals == (3, 2, 1, 4)
    assert (table.total, table.reached) == (10, 9)


# at the desk


def test_the_desk_shows_the_drill_and_what_people_say(asked: Message, settings: Any) -> None:
    settings.SECOND_FACTOR = False
    settings.AXES_ENABLED = False
    desk.make_roles()
    client = Client(headers={"accept-language": "de"})
    client.force_login(desk.with_roles("anna", "author"))
    fanout.plan(asked.pk)
    Reached.objects.create(message=asked, way="siren", district="no", count=12_345)
    shown = client.get(f"/desk/reach/{asked.alert.slug}/").content.decode()
    assert "12.345" in shown
    assert "Nordost" in shown
    assert "Dienst Inc." in shown
    assert " style=" not in shown
    assert asked.alert.slug in client.get("/desk/reach/").content.decode()
    assert client.get("/desk/reach/nothing/").status_code == 404
