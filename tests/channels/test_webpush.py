"""Push: what it says, to whom it goes, and what it makes of each answer of a push service."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone, translation

from alerts.content import Content, District, Text
from alerts.notice import Notice, Rendering, notice
from alerts.terms import Kind, MsgType
from channels import vapid
from channels.base import Outcome, Permanent, Recipient
from channels.city.webpush import WebPush, wording
from channels.city.webpush.encryption import LIMIT
from tests.channels.broadcasting import SERVICE, SLOTS, Broadcasts, Wire, by_recipient
from tests.channels.contract import CITY, CONTENT, HOSTILE, ORDER
from tests.channels.pushservice import Browser, PushService, browser
from tests.house import free_port

STEPS = {"refuses": "400", "later": "503", "silent": "hangs"}


class TestContract(Broadcasts):
    """The contract of all broadcasters."""

    limit = LIMIT

    @pytest.fixture(autouse=True)
    def _service(self, tmp_path: Path) -> Iterator[None]:
        (tmp_path / "service").mkdir()
        self.folder = tmp_path
        with PushService(tmp_path / "service") as self.service:
            self.browsers = [self.service.browser(name) for name in ("anna", "ben", "cem")]
            yield

    def channel(self, **options: Any) -> WebPush:
        return WebPush("webpush", keys_dir=str(self.folder / "keys"), city=CITY, **options)

    def addresses(self) -> Sequence[str]:
        return [one.address for one in self.browsers]

    def size(self, rendering: Rendering) -> int:
        return len(wording.plain(rendering.fields["payload"]))

    @contextmanager
    def answering(self, script: Mapping[str, str]) -> Iterator[Wire]:
        if script.get("*") == "away":
            self.service.end()
        for one in self.browsers:
            self.service.script[one.path] = [STEPS[script[one.address]]] if one.address in script else []
        self.service.taken.clear()
        yield Wire(
            self.channel(**self.service.options, timeout=0.4 if "silent" in script.values() else 10.0), self.heard
        )

    def heard(self) -> dict[str, str]:
        by_path = {one.path: one for one in self.browsers}
        return {by_path[push.path].address: by_path[push.path].read(push.body).decode() for push in self.service.taken}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PushService]:
    (tmp_path / "service").mkdir()
    with PushService(tmp_path / "service") as running:
        yield running


@pytest.fixture
def channel(tmp_path: Path, service: PushService) -> WebPush:
    return made(tmp_path, **service.options)


def made(folder: Path, **options: Any) -> WebPush:
    return WebPush("webpush", keys_dir=str(folder / "keys"), city=CITY, **options)


def warning(content: Content = CONTENT, kind: Kind = Kind.WARNING, language: str = "de") -> Notice:
    msg_type = MsgType.CANCEL if kind in {Kind.ALL_CLEAR, Kind.FALSE_ALARM} else MsgType.ALERT
    return notice(content, slug="k7f3x", kind=kind, msg_type=msg_type, language=language, fallback="de", city=CITY)


def composed(content: Content = CONTENT, kind: Kind = Kind.WARNING, language: str = "de") -> dict[str, Any]:
    return dict(wording.fields(warning(content, kind, language)))


def shown(content: Content = CONTENT, kind: Kind = Kind.WARNING, language: str = "de") -> dict[str, Any]:
    notification: dict[str, Any] = composed(content, kind, language)["payload"]["notification"]
    return notification


def released(channel: WebPush, content: Content = CONTENT, expires: str = SLOTS["expires"]) -> Rendering:
    return replace(channel.compose(warning(content)), slots={**SLOTS, "expires": expires})


def send(channel: WebPush, *browsers: Browser, prepared: bytes = b"") -> list[Outcome]:
    """Send the warning to these, numbered from 1."""
    recipients = [Recipient(number, one.address, "", prepared) for number, one in enumerate(browsers, start=1)]
    return list(by_recipient(channel.send(released(channel), recipients, key="k")).values())


# What it says


def test_a_lock_screen_shows_level_place_time_and_what_to_do() -> None:
    one = shown(language="en")
    assert one["title"] == "Extreme danger: Bomb found: leave the area now"
    where, what = one["body"].split("\n")
    assert where.startswith("600 metres around Dimitroffstraße (Zentrum-Süd), until 14 September")
    assert what == "Leave the area now."


def test_the_payload_is_what_safari_shows_by_itself() -> None:
    made = composed()
    assert made["payload"]["web_push"] == 8030
    one = made["payload"]["notification"]
    assert one["navigate"] == f"{CITY.address}/alerts/k7f3x/"
    assert (one["lang"], one["dir"], one["silent"], one["app_badge"]) == ("de", "ltr", False, "1")
    assert one["tag"] == "k7f3x"


def test_a_text_in_another_language_says_so() -> None:
    only_german = replace(CONTENT, texts={"de": CONTENT.texts["de"]})
    one = shown(only_german, language="en")
    assert one["lang"] == "de"
    assert one["navigate"] == f"{CITY.address}/en/alerts/k7f3x/"


def test_an_all_clear_names_no_time_until_which_it_holds_and_says_it_once() -> None:
    words = Text("Bombenfund", "Bombe entschärft", "Alle können zurück.", "", "")
    done = replace(CONTENT, response=("AllClear",), texts={"de": words, "en": words})
    one = shown(done, Kind.ALL_CLEAR, "en")
    assert one["title"] == "All-clear: Bombe entschärft"
    assert "until" not in one["body"]
    assert one["body"].endswith("Alle können zurück.")
    again = replace(done, texts={"en": replace(words, headline="All-clear for the bomb")})
    assert shown(again, Kind.ALL_CLEAR, "en")["title"] == "All-clear for the bomb"


def test_an_update_is_told_from_the_first_warning() -> None:
    assert shown(kind=Kind.UPDATE, language="en")["body"].startswith("Update: 600 metres")


@pytest.mark.parametrize(
    ("severity", "kind", "urgency"),
    [
        ("Extreme", Kind.WARNING, "high"),
        ("Severe", Kind.UPDATE, "high"),
        ("Unknown", Kind.WARNING, "high"),
        ("Moderate", Kind.WARNING, "normal"),
        ("Minor", Kind.WARNING, "normal"),
        ("Extreme", Kind.ALL_CLEAR, "normal"),
    ],
)
def test_only_great_danger_wakes_a_phone_that_saves_its_battery(severity: str, kind: Kind, urgency: str) -> None:
    made = composed(replace(CONTENT, severity=severity), kind)
    assert made["urgency"] == urgency
    assert made["payload"]["notification"].get("requireInteraction", False) == (urgency == "high")


def test_an_exercise_says_so_first_and_wakes_nobody() -> None:
    for language in ("de", "de-simple", "en"):
        made = composed(replace(CONTENT, status="Exercise"), language=language)
        one = made["payload"]["notification"]
        assert one["title"].startswith(("ÜBUNG", "EXERCISE"))
        assert made["urgency"] == "normal"
        assert ORDER not in json.dumps(made, ensure_ascii=False)


def test_a_city_of_many_districts_leaves_room_for_what_to_do() -> None:
    many = tuple(District(str(number), f"Ortsteil Nummer {number}") for number in range(60))
    one = shown(replace(CONTENT, circles=(), place="", districts=many, touched=many))
    assert len(one["body"]) <= wording.BODY
    assert ORDER in one["body"][:220]


@pytest.mark.parametrize("text", [*HOSTILE, "\u0001" * 900, "ü😀" * 900, " ".join(["😀"] * 2000), ""])
def test_words_are_cut_and_never_the_link(text: str) -> None:
    words = {"de": Text(text, text, text, text, text)}
    made = composed(replace(CONTENT, texts=words, place=text))
    assert len(wording.plain(made["payload"])) <= LIMIT
    one = made["payload"]["notification"]
    assert one["navigate"] == f"{CITY.address}/alerts/k7f3x/"
    assert one["title"]
    assert len(one["title"]) <= max(wording.TITLE, len(text))


def test_a_link_that_does_not_fit_is_refused_in_words() -> None:
    far = replace(warning(), url="https://warnung.leipzig.example/" + "x" * LIMIT)
    with pytest.raises(ValueError, match="link"):
        wording.fields(far)


def test_every_message_of_an_alert_has_its_topic_and_no_other_alert_has() -> None:
    topics = {wording.topic(f"alert {slug}") for slug in ("k7f3x", "k7f3y", "K7F3X", "k7f3x-")}
    assert len(topics) == 4
    assert composed()["topic"] == composed(kind=Kind.ALL_CLEAR)["topic"] == composed(language="en")["topic"]
    for one in topics:
        assert len(one) == 32
        assert set(one) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    ("left", "ttl"),
    [
        (dt.timedelta(hours=2), 7200),
        (dt.timedelta(seconds=5), 60),
        (dt.timedelta(hours=-1), 60),
        (dt.timedelta(days=90), 28 * 86_400),
    ],
)
def test_a_push_waits_for_a_phone_until_the_warning_ends(left: dt.timedelta, ttl: int) -> None:
    now = dt.datetime(2030, 9, 13, 20, tzinfo=dt.UTC)
    assert wording.ttl((now + left).isoformat(), now) == ttl


# What goes over the wire


def test_each_push_carries_what_its_service_needs(service: PushService, channel: WebPush) -> None:
    expires = (timezone.now() + dt.timedelta(hours=3)).isoformat()
    one = service.browser("anna")
    rendering = released(channel, expires=expires)
    assert [outcome.state for outcome in channel.send(rendering, [Recipient(7, one.address)], key="k")] == ["accepted"]
    (push,) = service.taken
    assert json.loads(one.read(push.body)) == rendering.fields["payload"]
    assert push.headers["Content-Encoding"] == "aes128gcm"
    assert push.headers["Urgency"] == "high"
    assert push.headers["Topic"] == rendering.fields["topic"]
    assert int(push.headers["TTL"]) in {10_740, 10_800}
    assert "Expect" not in push.headers


def test_what_was_composed_is_what_arrives_whatever_order_a_database_keeps(
    service: PushService, channel: WebPush
) -> None:
    one = service.browser("anna")
    rendering = released(channel)
    payload = rendering.fields["payload"]
    turned = {**rendering.fields, "payload": dict(reversed(payload.items()))}
    list(channel.send(rendering, [Recipient(1, one.address)], key="k"))
    list(channel.send(replace(rendering, fields=turned), [Recipient(1, one.address)], key="k"))
    first, second = service.taken
    assert one.read(first.body) == one.read(second.body) == wording.plain(payload)


def test_prepared_keys_are_used_and_malformed_ones_are_one_outcome(service: PushService, channel: WebPush) -> None:
    good, bad = service.browser("anna"), service.browser("ben")
    prepared = channel.prepare(good.address)
    recipients = [
        Recipient(6, good.address, "", prepared[:-1]),
        Recipient(1, good.address, "", prepared),
        Recipient(2, f"{bad.endpoint} AAAA {bad.auth}"),
        Recipient(3, "nonsense"),
        Recipient(4, f"{service.origin}/\u00e4 {bad.p256dh} {bad.auth}"),
        Recipient(5, bad.address),
    ]
    outcomes = by_recipient(channel.send(released(channel), recipients, key="k"))
    states = [outcomes[number].state for number in (1, 2, 3, 4, 5)]
    assert states == ["accepted", "permanent", "permanent", "permanent", "accepted"]
    by_path = {good.path: good, bad.path: bad}
    assert {by_path[push.path].notification(push.body)["tag"] for push in service.taken} == {"k7f3x"}
    keys = [push.body[21:86] for push in service.taken if push.path == good.path]
    assert len(keys) == 2
    assert keys.count(prepared[:65]) == 1


def test_even_one_prepared_set_used_twice_repeats_no_salt(service: PushService, channel: WebPush) -> None:
    """A restored backup may bring one back: the key and the nonce must differ all the same."""
    one = service.browser("anna")
    prepared = channel.prepare(one.address)
    recipients = [Recipient(number, one.address, "", prepared) for number in range(50)]
    for _again in range(2):
        assert {outcome.state for outcome in channel.send(released(channel), recipients, key="k")} == {"accepted"}
    salts = {push.body[:16] for push in service.taken}
    assert len(salts) == len(service.taken) == 100
    assert {push.body[21:86] for push in service.taken} == {prepared[:65]}
    assert len({push.body[86:] for push in service.taken}) == 100
    assert {one.read(push.body) for push in service.taken} == {wording.plain(composed()["payload"])}


def test_fresh_keys_are_never_used_twice(service: PushService, channel: WebPush) -> None:
    one = service.browser("anna")
    send(channel, *[one] * 40)
    assert len({push.body[21:86] for push in service.taken}) == 40


def test_one_token_for_each_service_and_connections_kept(service: PushService, channel: WebPush) -> None:
    browsers = [service.browser(str(number)) for number in range(30)]
    send(channel, *browsers)
    send(channel, *browsers)
    assert len(service.peers) <= len(browsers)
    (authorization,) = {push.headers["Authorization"] for push in service.taken}
    assert vapid.Vapid02.verify(authorization)


def test_a_service_text_has_the_same_shape(service: PushService, channel: WebPush) -> None:
    one = service.browser("anna")
    assert channel.tell(SERVICE, Recipient(3, one.address)) == Outcome(3, "accepted")
    (push,) = service.taken
    said = one.notification(push.body)
    assert (said["title"], said["body"], said["navigate"]) == (SERVICE.subject, SERVICE.body, SERVICE.url)
    assert said["tag"] != "k7f3x"
    assert push.headers["Topic"] != composed()["topic"]
    assert push.headers["TTL"] == "3600"


def test_a_service_text_without_words_of_its_own_names_the_city(service: PushService, channel: WebPush) -> None:
    one = service.browser("anna")
    channel.tell(replace(SERVICE, subject="", url=""), Recipient(3, one.address))
    said = one.notification(service.taken[0].body)
    assert (said["title"], said["navigate"]) == (CITY.name, f"{CITY.address}/")


def test_a_service_text_to_a_refused_address_goes_nowhere(service: PushService, channel: WebPush) -> None:
    elsewhere = browser("https://elsewhere.example/push/anna")
    assert channel.tell(SERVICE, Recipient(3, elsewhere.address)).state == "permanent"
    assert channel.tell(SERVICE, Recipient(3, "nonsense")).state == "permanent"
    assert not service.asked


def test_the_probe_says_that_the_key_is_there(tmp_path: Path) -> None:
    with translation.override("en"):
        assert made(tmp_path).probe().startswith("The city's key for web push is there (B")


def test_without_its_key_the_channel_says_so_and_sends_nothing(tmp_path: Path, service: PushService) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / vapid.FILE).write_text("no key")
    channel = made(tmp_path, **service.options)
    with pytest.raises(Permanent, match=vapid.FILE):
        send(channel, service.browser("anna"))
    with pytest.raises(Permanent, match=vapid.FILE):
        channel.probe()
    assert not service.asked


@pytest.mark.parametrize(
    "options",
    [
        {"contact": "warnung@leipzig.example"},
        {"hosts": ["10.0.0.1"]},
        {"hosts": ["https://push.stadt.example"]},
        {"private_hosts": {"push.stadt.example": "10.1.0.0/99"}},
        {"private_hosts": {"*.stadt.example": "10.1.0.0/16"}},
        {"resolve": {"push.stadt.example:443": "push"}},
        {"ca_file": "/nowhere/ca.pem"},
    ],
)
def test_a_wrong_option_speaks_at_start(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        made(tmp_path, **options)


def test_nobody_listens_at_all(tmp_path: Path) -> None:
    named = f"push.test.example:{free_port()}"
    channel = made(tmp_path, private_hosts={named: "127.0.0.0/8"}, resolve={named: "127.0.0.1"})
    (outcome,) = send(channel, browser(f"https://{named}/push/anna"))
    assert (outcome.state, outcome.gone) == ("temporary", False)
