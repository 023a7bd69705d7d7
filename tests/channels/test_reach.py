"""Reach: who is counted and by whom, the city's share, the public file, what officers type in, the daily round."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django.utils.translation import override
from redis.exceptions import ConnectionError as RedisGone

from alerts.models import AuditEntry
from alerts.people import NotAllowed, Refused
from channels import reach, registry, upkeep
from channels.base import Hop, Temporary
from channels.city.sms import Sms
from channels.management.commands.demo_reach import FOLLOWERS
from channels.models import Audience, Delivery, Heartbeat
from channels.reach import chart, daily, published
from tests import city
from tests.channels import fakes
from tests.desk import conftest as desk

pytestmark = pytest.mark.django_db

ASKED = Audience.Source.ASKED
TYPED = Audience.Source.TYPED
COUNTED = Audience.Source.COUNTED


class Followed(fakes.Commercial):
    """A network that tells how many follow; ``answer`` may be an error."""

    hops = (Hop("Netzwerk AG", "abroad"),)
    answer: int | Exception | None = 0
    asked = 0

    def audience(self) -> int | None:
        Followed.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture(autouse=True)
def channels(settings: Any, tmp_path: Path, quiet: None) -> None:
    Followed.answer, Followed.asked = 1200, 0
    settings.PUBLIC_DIR = tmp_path / "public"
    settings.CHANNELS = {
        "website": {"adapter": "tests.channels.fakes.Page"},
        "webpush": {"adapter": "tests.channels.fakes.Crowd", "rehearsal": False},
        "sms": {"adapter": "tests.channels.fakes.CrowdOnce", "rehearsal": False},
        "mastodon": {"adapter": "tests.channels.fakes.Own", "rehearsal": False},
        "facebook": {"adapter": "tests.channels.test_reach.Followed", "rehearsal": False},
    }


def keep(channel: str, count: int, on: str, source: str = TYPED) -> None:
    Audience.objects.create(channel=channel, count=count, on=dt.date.fromisoformat(on), source=source)


def by_name(**options: Any) -> dict[str, reach.Figure]:
    return {figure.channel: figure for figure in reach.figures(**options)}


def read() -> dict[str, Any]:
    published.write()
    found: dict[str, Any] = json.loads((Path(registry.settings.PUBLIC_DIR) / "reach.json").read_text())
    return found


# figures


def test_each_channel_has_its_newest_figure_with_source_and_day() -> None:
    keep("facebook", 29_000, "2026-01-01")
    keep("facebook", 30_000, "2026-02-01", ASKED)
    keep("mastodon", 800, "2026-01-15")
    found = by_name()
    facebook = found["facebook"]
    assert (facebook.count, facebook.on, facebook.source) == (30_000, dt.date(2026, 2, 1), ASKED)
    assert (found["mastodon"].count, found["mastodon"].city) == (800, True)
    assert found["website"].count is None
    assert not found["website"].countable
    assert found["webpush"].count is None


@pytest.mark.usefixtures("districts")
def test_confirmed_subscriptions_are_counted_by_way() -> None:
    city.subscribe("push", "https://push.example/1 a b", "https://push.example/2 a b")
    city.subscribe("sms", "+4915112345678")
    city.subscribe("email", "anna@example.org")  # a way that no channel serves here
    found = by_name(live=True)
    assert (found["webpush"].count, found["sms"].count) == (2, 1)
    assert found["sms"].source == COUNTED
    assert found["sms"].on == timezone.localdate()


@pytest.mark.usefixtures("districts")
def test_two_channels_of_one_way_don_t_count_a_resident_twice(settings: Any) -> None:
    settings.CHANNELS = {**settings.CHANNELS, "sms-2": {"adapter": "tests.channels.fakes.CrowdOnce"}}
    city.subscribe("sms", "+4915112345678")
    assert sum(figure.count or 0 for figure in reach.figures(live=True)) == 1


def test_followers_on_a_network_that_is_not_set_up_count_as_commercial() -> None:
    keep("x", 90_000, "2026-01-01")
    keep("mastodon", 10_000, "2026-01-01")
    found = by_name()
    assert not found["x"].set_up
    assert not found["x"].city
    assert found["x"].hops == (Hop("X Corp.", "abroad"),)
    assert reach.share(found.values()) == reach.Share(10_000, 100_000)


def test_a_network_with_nobody_left_is_no_longer_shown() -> None:
    keep("x", 90_000, "2026-01-01")
    keep("x", 0, "2026-03-01")
    assert "x" not in by_name()
    assert reach.history()[-1].share.total == 0


def test_the_share_of_nobody_is_unknown() -> None:
    assert reach.share([]).percent is None
    assert reach.Share(1, 8).percent == 12.5


def test_history_carries_each_figure_on_until_the_next_one() -> None:
    keep("x", 100, "2026-01-01")
    keep("mastodon", 100, "2026-01-03")
    keep("x", 300, "2026-01-05")
    assert [(day.on.day, day.share.city, day.share.total) for day in reach.history()] == [
        (1, 0, 100),
        (3, 100, 200),
        (5, 100, 400),
    ]


@pytest.mark.parametrize(("count", "most", "last"), [(3, 5, 3), (5, 5, 5), (400, 24, 24)])
def test_thinned_keeps_the_first_and_the_last_day(count: int, most: int, last: int) -> None:
    days = [reach.Day(dt.date(2026, 1, 1) + dt.timedelta(days=n), reach.Share(n, 400)) for n in range(count)]
    kept = reach.thinned(days, most)
    assert len(kept) == last
    assert (kept[0], kept[-1]) == (days[0], days[-1])
    assert kept == sorted(set(kept), key=lambda day: day.on)


# hops


def test_a_post_passes_every_hop_and_a_message_to_one_resident_one_of_them() -> None:
    both = (Hop("here", "eu"), Hop("there", "abroad"))
    post, crowd = fakes.Own("a"), fakes.Crowd("b")
    post.hops = crowd.hops = both  # type: ignore[misc]
    assert reach.foreign(post)
    assert not reach.foreign(crowd)
    assert reach.partly_foreign(crowd)
    crowd.hops = both[1:]  # type: ignore[misc]
    assert reach.foreign(crowd)
    assert not reach.partly_foreign(crowd)
    assert not reach.foreign(fakes.Crowd("c"))
    assert reach.farthest(both) == "abroad"
    assert reach.farthest(both[:1]) == "eu"
    assert reach.farthest(()) == "city"


def test_the_city_s_own_channels_say_whom_they_pass(settings: Any, tmp_path: Path) -> None:
    settings.CHANNELS = {
        "webpush": {"adapter": "channels.city.webpush.WebPush"},
        "email": {"adapter": "channels.city.email.Email"},
        "sms": {"adapter": "channels.city.sms.Sms"},
        "website": {"adapter": "channels.city.website.Website"},
        "feeds": {"adapter": "channels.city.feeds.Feeds"},
    }
    own = {name: registry.channel(name) for name in settings.CHANNELS}
    assert {hop.name for hop in own["webpush"].hops} == {"Google", "Apple", "Mozilla", "Microsoft"}
    assert reach.foreign(own["webpush"])
    assert reach.partly_foreign(own["email"])
    for name in ("website", "feeds", "sms"):  # without a gateway, texts are files of the city's own
        assert reach.farthest(own[name].hops) == "city"


def test_sms_leaves_the_eu_only_with_a_gateway_that_does() -> None:
    twilio = {
        "kind": "twilio",
        "account_sid": "AC" + "0" * 32,
        "key_sid": "SK" + "0" * 32,
        "key_secret": "s",
        "auth_token": "t",
        "sender": "Leipzig",
        "region": "ie1",
        "edge": "dublin",
    }
    smpp = {"kind": "smpp", "name": "Netz", "host": "127.0.0.1", "port": 2775}
    smpp |= {"system_id": "belfry", "password": "p", "sender": "Leipzig"}
    alone, both = Sms("sms", gateways=[twilio]), Sms("sms", gateways=[twilio, smpp])
    assert reach.foreign(alone)
    assert both.hops == (Hop("Twilio", "abroad"), Hop("Netz", "eu"))
    assert not reach.foreign(both)


# the daily round


class Bell:
    """Stands for RQ: keeps what it is handed, or is gone."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []
        self.gone = False

    def get_queue(self, queue: str) -> Bell:
        self.queue = queue
        return self

    def enqueue(self, job: Callable[[str], None], name: str, **_options: Any) -> None:
        if self.gone:
            raise RedisGone
        self.rung.append((self.queue, name))
        assert job is daily.ask


@pytest.fixture
def bell(monkeypatch: pytest.MonkeyPatch) -> Bell:
    found = Bell()
    monkeypatch.setattr(daily, "django_rq", found)
    return found


@pytest.mark.usefixtures("districts")
def test_once_a_day_subscriptions_are_counted_and_platforms_asked_by_the_commercial_queue(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.subscribe("sms", "+4915112345678")
    daily.look()
    daily.look()
    assert bell.rung == [("commercial", "mastodon"), ("commercial", "facebook")]
    assert Audience.objects.get(channel="sms").count == 1
    assert Followed.asked == 0, "a platform that hangs must not hold up upkeep"
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + dt.timedelta(days=1))
    city.subscribe("sms", "+4915112345679")
    daily.look()
    assert len(bell.rung) == 4
    assert list(Audience.objects.filter(channel="sms").values_list("count", flat=True)) == [1, 2]


def test_a_missing_redis_is_tried_again_and_the_rest_goes_on(bell: Bell) -> None:
    bell.gone = True
    daily.look()
    assert not Heartbeat.objects.filter(name=daily.ASKED).exists()
    assert Audience.objects.filter(source=COUNTED).count() == 2
    assert (Path(registry.settings.PUBLIC_DIR) / "reach.json").is_file()
    bell.gone = False
    daily.look()
    assert len(bell.rung) == 2


def test_upkeep_does_it_once_a_minute(bell: Bell) -> None:
    steps = dict(upkeep.Upkeep(minute=-60.0).steps())
    assert steps["reach"] is daily.look


def test_what_a_platform_says_is_kept_and_said_again_changes_nothing() -> None:
    daily.ask("facebook")
    Followed.answer = 1300
    daily.ask("facebook")
    row = Audience.objects.get()
    assert (row.count, row.source, row.on) == (1300, ASKED, timezone.localdate())


@pytest.mark.parametrize("answer", [None, Temporary("gerade nicht")])
def test_a_platform_that_tells_nothing_leaves_the_figure_that_was_typed_in(answer: Any) -> None:
    keep("facebook", 30_000, "2026-01-01")
    Followed.answer = answer
    daily.ask("facebook")
    assert by_name()["facebook"].count == 30_000
    assert Audience.objects.count() == 1


def test_a_channel_in_rehearsal_or_gone_is_not_asked(settings: Any, bell: Bell) -> None:
    settings.CHANNELS = {
        "website": {"adapter": "tests.channels.fakes.Page"},
        "facebook": {"adapter": "tests.channels.test_reach.Followed", "rehearsal": True},
    }
    daily.ring()
    daily.ask("facebook")
    daily.ask("nobody")
    assert bell.rung == []
    assert Followed.asked == 0


@pytest.mark.usefixtures("districts")
def test_no_platform_is_asked_while_a_post_waits(author: User, approver: User) -> None:
    message = city.released(author, approver)
    delivery = Delivery.objects.create(
        message=message, channel="facebook", queue="commercial", city=False, due_at=timezone.now()
    )
    daily.ask("facebook")
    assert Followed.asked == 0
    Delivery.objects.filter(pk=delivery.pk).update(state="done")
    daily.ask("facebook")
    assert Followed.asked == 1


# reach.json


def test_the_public_file_says_what_it_promises() -> None:
    keep("facebook", 30_000, "2026-02-01", ASKED)
    keep("mastodon", 7_500, "2026-02-02")
    keep("sms", 2_500, "2026-02-03", COUNTED)
    document = read()
    assert document["schema"] == "belfry-reach/1"
    assert document["date"] == "2026-02-03"
    assert document["share"] == {"city": 10_000, "all": 40_000, "percent": 25.0}
    assert document["channels"][0]["name"] == "website"
    channels = {channel.pop("name"): channel for channel in document["channels"]}
    assert channels["facebook"] == {
        "label": "Facebook",
        "owner": "commercial",
        "audience": 30_000,
        "date": "2026-02-01",
        "source": "asked",
        "hops": [{"name": "Netzwerk AG", "where": "abroad"}],
    }
    assert (channels["website"]["audience"], channels["website"]["source"]) == (None, None)
    assert channels["website"]["owner"] == "city"


@pytest.mark.parametrize(("count", "shown"), [(0, "<10"), (9, "<10"), (10, 10)])
def test_few_subscribers_are_not_told_and_can_t_be_worked_out_from_the_sum(count: int, shown: object) -> None:
    keep("sms", count, "2026-02-03", COUNTED)
    keep("mastodon", 4, "2026-02-03")  # followers are public anyway
    document = read()
    channels = {channel["name"]: channel["audience"] for channel in document["channels"]}
    assert (channels["sms"], channels["mastodon"]) == (shown, 4)
    assert document["share"]["city"] == 4 + (count if count >= 10 else 0)


def test_the_file_is_written_only_where_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    read()
    swaps: list[None] = []
    real = published.PublicFolder.swap
    monkeypatch.setattr(published.PublicFolder, "swap", lambda self: swaps.append(None) or real(self))
    published.write()
    assert swaps == []
    keep("facebook", 1, "2026-01-01")
    published.write()
    assert len(swaps) == 1


def test_a_folder_that_can_t_be_written_is_logged_and_tried_again(
    bell: Bell, settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.PUBLIC_DIR = tmp_path / "file"
    settings.PUBLIC_DIR.write_text("no folder")
    daily.look()
    assert "reach.json" in caplog.text


# the chart


def test_the_chart_is_drawn_without_style_and_script() -> None:
    days = [
        reach.Day(dt.date(2026, 1, 1), reach.Share(0, 210_000)),
        reach.Day(dt.date(2026, 1, 11), reach.Share(1_050, 211_050)),
        reach.Day(dt.date(2026, 1, 21), reach.Share(4_200, 214_200)),
    ]
    with override("de"):
        drawn = chart.draw(days)
    svg = ElementTree.fromstring(drawn)  # noqa: S314 (our own)
    assert "style" not in drawn
    assert "<script" not in drawn
    [line] = [part.get("points", "").split() for part in svg if part.tag == "polyline"]
    x, y = zip(*(map(float, point.split(",")) for point in line), strict=True)
    assert x == (52, 224, 396)
    assert y[0] == 176
    assert y[2] == pytest.approx(176 - 160 * (4_200 / 214_200 * 100) / 2, abs=0.1), "the scale ends at 2 %"
    assert [part.text for part in svg if part.get("class") == "chart-scale"] == ["0 %", "1 %", "2 %"]
    assert svg[0].text is not None
    assert "2,0 %" in svg[0].text


def test_one_day_is_a_dot_and_nobody_is_no_chart() -> None:
    one = chart.draw([reach.Day(dt.date(2026, 1, 1), reach.Share(1, 1))])
    assert one.count("<circle") == 1
    assert ">100" in one
    assert chart.draw([]) == ""
    assert chart.draw([reach.Day(dt.date(2026, 1, 1), reach.Share(0, 0))]) == ""


# what is typed in


def test_a_figure_that_is_typed_in_is_kept_with_who_and_when(author: User) -> None:
    reach.type_in("x", dt.date(2026, 1, 1), 90_000, author)
    reach.type_in("x", dt.date(2026, 1, 1), 91_000, author)
    row = Audience.objects.get()
    assert (row.count, row.source, row.by) == (91_000, TYPED, author)
    line = AuditEntry.objects.filter(action="audience-typed").latest("number")
    assert (line.subject, line.data) == ("x", {"on": "2026-01-01", "count": 91_000})


@pytest.mark.parametrize("channel", ["sms", "website", "nonsense"])
def test_what_is_counted_here_can_t_be_typed_in(channel: str, author: User) -> None:
    with pytest.raises(Refused):
        reach.type_in(channel, dt.date(2026, 1, 1), 5, author)


def test_no_figure_is_of_tomorrow(author: User) -> None:
    with pytest.raises(Refused):
        reach.type_in("x", timezone.localdate() + dt.timedelta(days=1), 5, author)


def test_only_who_writes_or_approves_types_in() -> None:
    with pytest.raises(NotAllowed):
        reach.type_in("x", dt.date(2026, 1, 1), 5, city.officer("reader"))


def test_the_demo_begins_with_leipzig_s_followers(settings: Any) -> None:
    settings.DEMO = True
    settings.ADDRESS = "http://127.0.0.1:8000"
    call_command("demo_reach")
    Audience.objects.filter(channel="x").update(count=1)
    call_command("demo_reach")
    kept = dict(Audience.objects.values_list("channel", "count"))
    assert kept == {**FOLLOWERS, "x": 1}
    assert FOLLOWERS == {"x": 90_000, "instagram": 90_000, "facebook": 30_000}
    settings.DEMO = False
    with pytest.raises(CommandError):
        call_command("demo_reach")


# the desk's page


@pytest.fixture
def at_the_desk(settings: Any, districts: None) -> Client:
    settings.SECOND_FACTOR = False
    settings.AXES_ENABLED = False
    desk.make_roles()
    client = Client(headers={"accept-language": "de"})
    client.force_login(desk.with_roles("anna", "author"))
    return client


def test_the_desk_says_who_is_reached_by_what_the_city_owns(at_the_desk: Client) -> None:
    city.subscribe("sms", "+4915112345678")
    keep("x", 90_000, "2026-01-01")
    keep("mastodon", 9_999, "2026-01-01")
    shown = at_the_desk.get("/desk/reach/").content.decode()
    assert "10.000" in shown
    assert "100.000" in shown
    assert '<svg class="chart"' in shown
    assert "Netzwerk AG" in shown
    assert " style=" not in shown
    assert "X Corp." in shown


def test_a_figure_is_typed_in_at_the_desk(at_the_desk: Client) -> None:
    answer = at_the_desk.post("/desk/reach/typed/", {"channel": "x", "count": "90000", "on": "2026-01-01"})
    assert (answer.status_code, answer["Location"]) == (302, "/desk/reach/")
    assert Audience.objects.get().count == 90_000


@pytest.mark.parametrize(
    "given",
    [
        {"count": "-1"},
        {"count": "many"},
        {"count": "99999999999"},
        {"on": "2999-01-01"},
        {"on": "yesterday"},
        {"channel": "website"},
    ],
    ids=str,
)
def test_a_wrong_figure_is_told_and_what_was_typed_stays(given: dict[str, str], at_the_desk: Client) -> None:
    form = {"channel": "x", "count": "90000", "on": "2026-01-01"} | given
    answer = at_the_desk.post("/desk/reach/typed/", form)
    assert answer.status_code == 422
    assert 'class="errors' in answer.content.decode()
    assert f'value="{form["count"]}"' in answer.content.decode()
    assert not Audience.objects.exists()


def test_who_has_no_such_role_reads_but_types_nothing(at_the_desk: Client) -> None:
    at_the_desk.force_login(desk.with_roles("carla", "administrator"))
    assert "reach/typed" not in at_the_desk.get("/desk/reach/").content.decode()
    answer = at_the_desk.post("/desk/reach/typed/", {"channel": "x", "count": "1", "on": "2026-01-01"})
    assert answer.status_code == 403
    assert not Audience.objects.exists()


def test_asked_for_by_get_the_form_s_address_leads_to_the_page(at_the_desk: Client) -> None:
    assert at_the_desk.get("/desk/reach/typed/")["Location"] == "/desk/reach/"
