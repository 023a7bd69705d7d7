"""Webhooks to partners: signed, repeatable, each partner's trouble its own."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from standardwebhooks import Webhook as Receiver
from standardwebhooks import WebhookVerificationError

from alerts import cap, signature
from alerts.cap import rules
from alerts.models import Message
from alerts.notice import Rendering
from alerts.terms import Kind, MsgType, Status
from channels import jobs
from channels.base import Permanent, Post, Publisher, Temporary
from channels.city.webhook import Webhook
from channels.models import Delivery, State
from channels.models import Post as Row
from tests import city
from tests.channels.contract import CONTENT, SECRET, notices
from tests.channels.platforms import DROPPED, ENDLESS_BODY, SILENT, Answer, Asked, Platform, platform
from tests.channels.posting import KEY, SLOTS, UNCLEAR, Posts

HERE = ["127.0.0.0/8"]
SHARED = "whsec_" + base64.b64encode(f"{SECRET}-0123456789".encode()).decode()
OTHER = "whsec_" + base64.b64encode(b"another secret of 24 bytes").decode()


def webhook(url: str = "https://displays.example", **options: Any) -> Webhook:
    given: dict[str, Any] = {"url": f"{url}/hook", "secret": SHARED, "allow": HERE, "timeout": 1.0}
    given |= {"address": "https://warnung.leipzig.example", "languages": ["de", "en"]}
    return Webhook("displays", **(given | options))


def opened(asked: Asked, secret: str = SHARED) -> Any:
    """What a partner reads, once its library has found the signature good."""
    return Receiver(secret).verify(asked.body, dict(asked.headers))


class TestWebhook(Posts):
    sends = ("POST", "/hook")
    first = Post("msg_1", data={"identifier": "first", "id": "k7f3x", "language": "de", "key": "k"})
    # Programs read it, not people, and it has no limit
    test_nobody_is_mentioned_by_accident = None  # type: ignore[assignment]
    test_text_at_the_limit_and_one_over = None  # type: ignore[assignment]

    def channel(self, **options: Any) -> Publisher:
        return webhook(**options)

    def at(self, url: str) -> Publisher:
        return webhook(url)

    def healthy(self, there: Platform) -> None:
        there.on("POST", "/hook", Answer(200))

    def size(self, rendering: Rendering) -> int:
        return len(self.text(rendering))

    def text(self, rendering: Rendering) -> str:
        return json.dumps(dict(rendering.fields), ensure_ascii=False)

    @pytest.mark.parametrize("how", ["silent", "dropped", "server error", "bad gateway"])
    def test_what_may_have_gone_out_is_uncertain(self, there: Platform, how: str) -> None:
        """Never here: the id lets a partner drop what it has, so it goes again."""
        assert isinstance(self.failing(there, UNCLEAR[how]), Temporary)

    def test_the_shared_secret_is_nowhere_to_be_seen(self, there: Platform) -> None:
        channel = self.at(there.url)
        self.put_out(channel)
        [asked] = there.asked
        seen = [repr(channel), repr(vars(channel)), asked.body.decode(), json.dumps(dict(asked.headers))]
        seen += [str(self.failing(there, Answer(status, {"echo": SHARED}))) for status in (302, 400, 410, 500)]
        assert not [text for text in seen if SHARED[6:20] in text or SECRET in text]


@pytest.fixture
def there() -> Iterator[Platform]:
    with platform() as server:
        server.on("POST", "/hook", Answer(200))
        yield server


def rendering(channel: Webhook, **slots: str) -> Rendering:
    return replace(channel.compose(notices()[0]), slots={**SLOTS, **slots})


def test_a_partner_s_library_finds_the_signature_good(there: Platform) -> None:
    channel = webhook(there.url)
    channel.publish(rendering(channel), key=KEY)
    [asked] = there.asked
    told = opened(asked)
    assert told["type"] == "alert.warning"
    assert told["data"]["headline"] == CONTENT.texts["de"].headline
    assert asked.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        opened(asked, OTHER)
    with pytest.raises(WebhookVerificationError):
        opened(replace(asked, body=asked.body.replace(b"Extreme", b"Minor")))


def test_while_a_secret_is_changed_both_open_it(there: Platform) -> None:
    channel = webhook(there.url, secret=OTHER, old_secret=SHARED)
    channel.publish(rendering(channel), key=KEY)
    [asked] = there.asked
    assert opened(asked, OTHER) == opened(asked, SHARED)


def test_every_try_has_the_same_id_and_another_message_another(there: Platform) -> None:
    channel = webhook(there.url)
    for key in (KEY, KEY, KEY.replace(":de", ":en")):
        channel.publish(rendering(channel), key=key)
    first, again, other = (asked.headers["webhook-id"] for asked in there.asked)
    assert first == again != other
    assert "." not in first
    assert there.asked[0].body == there.asked[1].body


def test_the_body_says_what_was_approved_and_where_the_rest_is(there: Platform) -> None:
    channel = webhook(there.url)
    composed = rendering(channel)
    channel.publish(composed, key=KEY)
    told = opened(there.asked[0])
    data = told["data"]
    machines = composed.fields["data"]
    assert {**machines, "headline": composed.fields["headline"]}.items() <= data.items()
    assert set(data) == {*machines, *composed.fields, "identifier", "sent", "first", "cap"} - {"data"}
    assert data["identifier"] == data["first"] == SLOTS["identifier"]
    assert data["cap"] == f"https://warnung.leipzig.example/cap/{SLOTS['identifier']}.xml"
    assert told["timestamp"] == data["sent"] == SLOTS["sent"]
    assert data["circles"] == [{"lat": 51.3348, "lon": 12.3727, "km": 0.6}]
    assert data["instruction"] == ["Verlassen Sie sofort das Gebiet.", "Helfen Sie."]


@pytest.mark.parametrize(("kind", "name"), [(Kind.FALSE_ALARM, "false_alarm"), (Kind.ALL_CLEAR, "all_clear")])
def test_what_follows_names_the_first_message(there: Platform, kind: Kind, name: str) -> None:
    channel = webhook(there.url)
    before = channel.publish(rendering(channel), key=KEY)
    follows = replace(
        channel.compose(notices(kind=kind, msg_type=MsgType.CANCEL)[0]), slots={**SLOTS, "identifier": "b"}
    )
    channel.update(follows, before, key="b:displays:de")
    told = opened(there.asked[1])
    assert told["type"] == f"alert.{name}"
    assert (told["data"]["identifier"], told["data"]["first"]) == ("b", SLOTS["identifier"])
    assert told["data"]["id"] == opened(there.asked[0])["data"]["id"]


def test_an_exercise_orders_nothing_even_for_a_machine() -> None:
    for one in notices(replace(CONTENT, status=Status.EXERCISE, note="Übung")):
        fields = webhook().compose(one).fields["data"]
        assert fields["responseType"] == ["None"]
        assert (fields["status"], fields["level"]) == ("Exercise", "exercise")


def test_a_message_sent_in_error_is_withdrawn(there: Platform) -> None:
    channel = webhook(there.url)
    post = channel.publish(rendering(channel), key=KEY)
    channel.retract(Post(post.remote_id, post.url, json.loads(json.dumps(dict(post.data)))))
    told = opened(there.asked[1])
    assert told["type"] == "alert.withdrawn"
    assert told["data"] == {"id": "k7f3x", "identifier": SLOTS["identifier"], "language": "de"}
    assert there.asked[1].headers["webhook-id"] != there.asked[0].headers["webhook-id"]


@pytest.mark.parametrize(
    "options",
    [
        {"secret": ""},
        {"secret": "whsec_"},
        {"secret": "whsec_c2hvcnQ="},
        {"secret": SHARED.removeprefix("whsec_")},
        {"secret": "whsec_ü!"},
        {"old_secret": "whsec_c2hvcnQ="},
        {"format": "xml"},
        {"where": "moon"},
        {"url": "http://displays.example/hook"},
        {"allow": ["everything"]},
        {"timeout": 60},
    ],
)
def test_an_option_that_can_not_work_speaks_at_start(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as error:
        webhook(**options)
    assert "c2hvcnQ" not in str(error.value)


# Through the engine


@pytest.fixture
def keys(settings: Any, tmp_path: Any) -> None:
    settings.KEYS_DIR = tmp_path
    key = signature.make_key()
    (tmp_path / signature.KEY_FILE).write_bytes(key)
    made = signature.make_certificate(key, "Stadt Leipzig", dt.datetime(2022, 1, 1, tzinfo=dt.UTC))
    (tmp_path / signature.CERTIFICATE_FILE).write_bytes(made)


@pytest.fixture
def partners(settings: Any, quiet: None, districts: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """Six partners on one wire: each has its own path."""
    monkeypatch.setattr(jobs, "ring_for", list)
    with platform() as server:
        common = {"adapter": "channels.city.webhook.Webhook", "rehearsal": False, "secret": SHARED, "allow": HERE}
        settings.CONTENT_LANGUAGES = ["de", "en"]
        settings.CHANNELS = {"page": {"adapter": "tests.channels.fakes.Page"}} | {
            name: {**common, "url": f"{server.url}/{name}", "timeout": 0.5}
            for name in ("silent", "failing", "gone", "dropping", "endless", "good")
        }
        settings.CHANNELS["capped"] = {**common, "url": f"{server.url}/capped", "format": "cap"}
        for name, answer in (
            ("silent", SILENT),
            ("failing", Answer(500)),
            ("gone", Answer(410)),
            ("dropping", DROPPED),
            ("endless", ENDLESS_BODY),
            ("good", Answer(200)),
            ("capped", Answer(202)),
        ):
            server.on("POST", f"/{name}", answer)
        yield server


def carry(message: Message) -> dict[str, str]:
    """One try of every delivery, in the order of their rows; their states afterwards."""
    rows = Delivery.objects.filter(message=message).exclude(channel="page").order_by("pk")
    rows.filter(state=State.WAITING).update(due_at=Now() - dt.timedelta(seconds=1))
    for pk in rows.values_list("pk", flat=True):
        jobs.deliver(pk)
    return dict(rows.values_list("channel", "state"))


@pytest.mark.django_db
@pytest.mark.usefixtures("keys")
def test_one_partner_s_trouble_is_no_other_s(partners: Platform, author: User, approver: User) -> None:
    message = city.released(author, approver)
    jobs.fan_out(message.pk)
    states = carry(message)
    assert {name for name, state in states.items() if state == State.DONE} == {"good", "endless", "capped"}
    assert {name for name, state in states.items() if state == State.WAITING} == {"silent", "failing", "dropping"}
    assert states["gone"] == State.FAILED
    assert [opened(asked)["data"]["language"] for asked in partners.calls("POST", "/good")] == ["de", "en"]
    partners.on("POST", "/failing", Answer(200))
    assert carry(message)["failing"] == State.DONE
    first, again, _english = partners.calls("POST", "/failing")
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert len(partners.calls("POST", "/good")) == 2, "who has it is not called again"


@pytest.mark.django_db
@pytest.mark.usefixtures("keys")
def test_a_partner_for_cap_gets_the_signed_document_once(
    partners: Platform, author: User, approver: User, settings: Any
) -> None:
    message = city.released(author, approver)
    jobs.fan_out(message.pk)
    carry(message)
    [asked] = partners.calls("POST", "/capped")
    document = cap.read(asked.body)
    assert (document.identifier, document.msg_type) == (message.identifier, "Alert")
    assert [info.language for info in document.info] == ["de", "en"]
    assert rules.faults(asked.body) == rules.Report()
    certificate = (settings.KEYS_DIR / signature.CERTIFICATE_FILE).read_bytes()
    assert signature.verify(asked.body, certificate)
    assert asked.headers["content-type"] == "application/cap+xml"
    Receiver(SHARED).verify(asked.body, dict(asked.headers), json_parse=False)
    post = Row.objects.get(delivery__message=message, delivery__channel="capped")
    channel = Webhook("capped", **_options(settings, "capped"))
    channel.retract(Post(post.remote_id, post.url, post.data))
    withdrawn = cap.read(partners.calls("POST", "/capped")[1].body)
    assert (withdrawn.msg_type, withdrawn.references[0].identifier) == ("Cancel", message.identifier)
    assert rules.faults(partners.calls("POST", "/capped")[1].body) == rules.Report()


def _options(settings: Any, name: str) -> dict[str, Any]:
    ours = {key: value for key, value in settings.CHANNELS[name].items() if key not in {"adapter", "rehearsal"}}
    return {**ours, "keys_dir": str(settings.KEYS_DIR), "languages": ["de", "en"]}


@pytest.mark.django_db
def test_without_a_key_no_document_goes_out_unsigned(
    partners: Platform, author: User, approver: User, settings: Any, tmp_path: Any
) -> None:
    settings.KEYS_DIR = tmp_path / "nothing"
    message = city.released(author, approver)
    jobs.fan_out(message.pk)
    assert carry(message)["capped"] == State.WAITING
    assert not partners.calls("POST", "/capped")


@pytest.mark.django_db
def test_a_partner_in_rehearsal_is_not_called(partners: Platform, author: User, approver: User, settings: Any) -> None:
    settings.CHANNELS = {
        name: {key: value for key, value in entry.items() if key != "rehearsal"}
        for name, entry in settings.CHANNELS.items()
    }
    message = city.released(author, approver)
    jobs.fan_out(message.pk)
    assert carry(message)["good"] == State.DONE
    assert not partners.asked


@pytest.mark.django_db
def test_a_message_that_is_not_there_is_not_made_up() -> None:
    channel = webhook(format="cap")
    with pytest.raises(Permanent):
        channel.publish(rendering(channel), key=KEY)
