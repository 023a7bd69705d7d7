"""Cell broadcast: a signed document with a text that fits, at the right level, handed over once."""

from __future__ import annotations

import datetime as dt
import json
import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmpplib.codec import GSM_BASIC_ENCODE_MAP, GSM_EXTENDED_ENCODE_MAP
from django.contrib.auth.models import User
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from alerts import cap, signature
from alerts.cap import rules
from alerts.cap.values import CapInfo
from alerts.content import Content
from alerts.models import Message
from alerts.notice import Rendering
from alerts.public import PublicMessage
from alerts.terms import Kind, MsgType, Severity, Status
from channels import jobs
from channels.base import Permanent, Post, Publisher, Temporary
from channels.city import documents
from channels.city.cellbroadcast import EXTENSION, ROOM, CellBroadcast, broadcast_text, units
from channels.models import Delivery, State
from channels.models import Post as Row
from tests import city
from tests.channels.contract import CONTENT, SECRET, notices
from tests.channels.platforms import Answer, Platform, platform
from tests.channels.posting import SLOTS, UNCLEAR, Posts

HERE = ["127.0.0.0/8"]
LANGUAGES = ["de", "de-simple", "en"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    key = signature.make_key()
    (folder / signature.KEY_FILE).write_bytes(key)
    made = signature.make_certificate(key, "Stadt Leipzig", dt.datetime(2022, 1, 1, tzinfo=dt.UTC))
    (folder / signature.CERTIFICATE_FILE).write_bytes(made)
    return folder


def as_released(content: Content = CONTENT) -> PublicMessage:
    """A message as if released, without rows."""
    return PublicMessage(
        id=1, slug="k7f3x", number=1, identifier=SLOTS["identifier"], sender="warnung.leipzig.example",
        sent=dt.datetime.fromisoformat(SLOTS["sent"]), kind=Kind.WARNING, msg_type=MsgType.ALERT, status=content.status,
        content=content, references=(), areas=frozenset(),
        renderings={("mowas", one.language): CellBroadcast("mowas").compose(one).fields for one in notices(content)},
    )  # fmt: skip


class TestCellBroadcast(Posts):
    limit = 1395
    sends = ("POST", "/cap")
    test_nobody_is_mentioned_by_accident = None  # type: ignore[assignment]  # nothing can be tapped there

    @pytest.fixture(autouse=True)
    def wired(self, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys = keys
        monkeypatch.setattr(documents, "released", lambda _identifier: as_released())

    def channel(self, **options: Any) -> Publisher:
        return CellBroadcast("mowas", endpoint="https://mowas.example/cap", token=SECRET, languages=LANGUAGES)

    def at(self, url: str) -> Publisher:
        return CellBroadcast(
            "mowas", endpoint=f"{url}/cap", token=SECRET, languages=LANGUAGES, allow=HERE, keys_dir=str(self.keys),
            timeout=1.0,
        )  # fmt: skip

    def healthy(self, there: Platform) -> None:
        there.on("POST", "/cap", Answer(202))

    def size(self, rendering: Rendering) -> int:
        text, how = str(rendering.fields["text"]), rendering.fields["broadcast"]
        encoding = str(how["encoding"])
        assert how["characters"] == units(text, encoding) <= ROOM[encoding]
        return units(text, encoding)

    @pytest.mark.parametrize("how", ["silent", "dropped", "server error", "bad gateway"])
    def test_what_may_have_gone_out_is_uncertain(self, there: Platform, how: str) -> None:
        """Never here: the identifier tells the authority what it has, so it goes again."""
        assert isinstance(self.failing(there, UNCLEAR[how]), Temporary)

    def test_the_token_goes_along_and_the_same_key_at_every_try(self, there: Platform) -> None:
        channel = self.at(there.url)
        self.put_out(channel)
        self.put_out(channel)
        first, again = there.asked
        assert first.headers["authorization"] == f"Bearer {SECRET}"
        assert first.headers["idempotency-key"] == again.headers["idempotency-key"] == SLOTS["identifier"]
        assert first.body == again.body
        assert first.headers["content-type"] == "application/cap+xml"


# The text


def said(content: Content = CONTENT, number: int = 0, **how: Any) -> dict[str, Any]:
    """Text, and how it is to be broadcast, on one level."""
    fields = CellBroadcast("mowas", languages=LANGUAGES).compose(notices(content, **how)[number]).fields
    return {"text": fields["text"], **fields["broadcast"]}


def worded(text: str) -> Content:
    return replace(CONTENT, texts={name: replace(old, description=text) for name, old in CONTENT.texts.items()})


def test_the_text_begins_with_level_and_headline_and_ends_with_speaker_and_link() -> None:
    text = said()["text"]
    assert text.startswith(f"Extreme Gefahr: {CONTENT.texts['de'].headline}\n")
    assert text.endswith("Uhr. Stadt Leipzig, Branddirektion: https://warnung.leipzig.example/alerts/k7f3x/")
    assert "Gilt bis 14. September" in text
    assert text.index("Verlassen Sie sofort das Gebiet.") < text.index("Eine Bombe liegt dort.")


def test_typographic_characters_cost_no_room() -> None:
    fields = said(worded("„Achtung“ – es gilt …\u00a0jetzt 🧨"))
    assert fields["encoding"] == "GSM-7"
    assert '"Achtung" - es gilt ... jetzt' in fields["text"]


def test_a_script_that_gsm_7_lacks_has_615_units() -> None:
    fields = said(worded("غادروا المنطقة فورا " * 200))
    assert fields["encoding"] == "UCS-2"
    assert 500 < fields["characters"] <= 615
    assert "https://warnung.leipzig.example/alerts/k7f3x/" in fields["text"]


@given(st.text(alphabet=[*string.ascii_letters, *" \n€[]{}äß…→ő🧨\u202e\x07", "ﷺ"], max_size=3000))
def test_whatever_is_written_fits_into_fifteen_pages_with_its_link(text: str) -> None:
    one = replace(notices()[0], description=text)
    fitted, encoding = broadcast_text(one)
    if encoding == "GSM-7":
        used = sum(1 if char in GSM_BASIC_ENCODE_MAP else 2 for char in fitted)
        assert all(char in GSM_BASIC_ENCODE_MAP or char in GSM_EXTENDED_ENCODE_MAP for char in fitted)
        assert used <= 1395
    else:
        used = len(fitted.encode("utf-16-le")) // 2
        assert used <= 615
    assert units(fitted, encoding) == used
    assert fitted.endswith(one.url)
    assert not {"\x07", "\u202e"} & set(fitted)


def test_one_word_without_end_leaves_the_link() -> None:
    one = replace(notices()[0], headline="x" * 4000, level_word="", area="", place="", steps=(), description="")
    text, _encoding = broadcast_text(one)
    assert text.count(one.url) == 1
    assert text.endswith(one.url)


def test_the_two_septet_characters_are_those_of_the_standard() -> None:
    assert set(GSM_EXTENDED_ENCODE_MAP) == EXTENSION


# The level


@pytest.mark.parametrize(
    ("severity", "level", "home", "other"),
    [("Extreme", "1", 4370, 4383), ("Severe", "2", 4371, 4384), ("Unknown", "2", 4371, 4384),
     ("Moderate", "3", 4373, 4386), ("Minor", "4", 4396, 4397)],
)  # fmt: skip
def test_the_level_follows_the_severity_and_the_identifier_the_language(
    severity: str, level: str, home: int, other: int
) -> None:
    content = replace(CONTENT, severity=Severity(severity))
    ids = [(said(content, number)["level"], said(content, number)["messageId"]) for number in range(3)]
    assert ids == [(level, home), (level, home), (level, other)]


def test_an_exercise_and_a_test_have_levels_of_their_own() -> None:
    exercise = replace(CONTENT, status=Status.EXERCISE, note="Übung")
    assert [said(exercise, number)["messageId"] for number in (0, 2)] == [4381, 4394]
    assert said(exercise)["level"] == "exercise"
    test = replace(CONTENT, status=Status.TEST)
    assert [said(test, number)["messageId"] for number in (0, 2)] == [4380, 4393]
    assert said(test)["text"].startswith("TEST: ")


def test_an_all_clear_wakes_nobody() -> None:
    fields = said(kind=Kind.ALL_CLEAR, msg_type=MsgType.CANCEL)
    assert (fields["level"], fields["messageId"]) == ("4", 4396)
    assert "Gilt bis" not in fields["text"]


def test_a_language_missing_from_a_message_speaks_as_the_one_that_stands_in() -> None:
    content = replace(CONTENT, texts={"de": CONTENT.texts["de"]})
    assert (said(content, 2)["language"], said(content, 2)["messageId"]) == ("de", 4370)


def test_of_two_ways_to_write_one_language_the_first_is_broadcast() -> None:
    assert CellBroadcast("mowas", languages=["de", "de-simple", "en"]).languages == ["de", "en"]
    assert CellBroadcast("mowas", languages=["en", "de-simple"]).languages == ["en", "de-simple"]


@pytest.mark.parametrize(
    "options",
    [
        {"endpoint": "http://mowas.example/cap"},
        {"endpoint": "https://mowas.example/cap", "directory": "/tmp/x"},
        {"endpoint": "https://mowas.example/cap", "certificate_key": "key.pem"},
        {"where": "moon"},
    ],
)
def test_an_option_that_can_not_work_speaks_at_start(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        CellBroadcast("mowas", **options)


# Through the engine


@pytest.fixture
def wired(settings: Any, quiet: None, districts: None, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "ring_for", list)
    settings.KEYS_DIR = keys
    settings.CONTENT_LANGUAGES = ["de", "en"]


@pytest.fixture
def mowas(settings: Any, wired: None) -> Iterator[Platform]:
    with platform() as there:
        there.on("POST", "/cap", Answer(202))
        settings.CHANNELS = {
            "page": {"adapter": "tests.channels.fakes.Page"},
            "mowas": {
                "adapter": "channels.city.cellbroadcast.CellBroadcast",
                "rehearsal": False,
                "endpoint": f"{there.url}/cap",
                "allow": HERE,
                "timeout": 1.0,
            },
        }
        yield there


def carry(message: Message) -> Delivery:
    jobs.fan_out(message.pk)
    row = Delivery.objects.get(message=message, channel="mowas")
    Delivery.objects.filter(pk=row.pk, state=State.WAITING).update(due_at=Now() - dt.timedelta(seconds=1))
    jobs.deliver(row.pk)
    row.refresh_from_db()
    return row


def parameters(info: CapInfo) -> dict[str, str]:
    return {one.value_name: one.value for one in info.parameter if "broadcast" in one.value_name}


@pytest.mark.django_db
def test_one_signed_document_holds_every_language_with_its_broadcast(
    mowas: Platform, author: User, approver: User, keys: Path
) -> None:
    message = city.released(author, approver)
    row = carry(message)
    assert row.state == State.DONE
    [asked] = mowas.asked
    assert row.posts.count() == 2, "the second language is in the same document"
    assert rules.faults(asked.body) == rules.Report()
    assert signature.verify(asked.body, (keys / signature.CERTIFICATE_FILE).read_bytes())
    document = cap.read(asked.body)
    assert (document.identifier, document.status, document.scope) == (message.identifier, "Actual", "Public")
    approved = {one.language: one.fields_json for one in message.draft.renderings.filter(channel="mowas")}
    for info, number in zip(document.info, ("4370", "4383"), strict=True):
        assert parameters(info) == {
            "belfry:broadcastText": approved[info.language]["text"],
            "belfry:broadcastEncoding": "GSM-7",
            "belfry:broadcastLevel": "1",
            "belfry:broadcastMessageId": number,
        }


@pytest.mark.django_db
def test_what_follows_refers_to_what_was_handed_over_before(mowas: Platform, author: User, approver: User) -> None:
    first = city.released(author, approver)
    carry(first)
    cancel = city.followed(first, Kind.ALL_CLEAR, author, approver)
    assert carry(cancel).state == State.DONE
    document = cap.read(mowas.asked[-1].body)
    assert document.msg_type == "Cancel"
    assert [one.identifier for one in document.references] == [first.identifier]
    assert parameters(document.info[0])["belfry:broadcastLevel"] == "4"


@pytest.mark.django_db
def test_taking_it_back_hands_over_a_cancel_without_a_broadcast(
    mowas: Platform, author: User, approver: User, keys: Path
) -> None:
    message = city.released(author, approver)
    carry(message)
    post = Row.objects.filter(delivery__message=message, delivery__channel="mowas")[0]
    channel = CellBroadcast(
        "mowas", endpoint=f"{mowas.url}/cap", allow=HERE, keys_dir=str(keys), languages=["de", "en"]
    )
    channel.retract(Post(post.remote_id, post.url, post.data))
    body = mowas.asked[-1].body
    document = cap.read(body)
    assert (document.msg_type, document.references[0].identifier) == ("Cancel", message.identifier)
    assert document.identifier != message.identifier
    assert rules.faults(body) == rules.Report()
    assert all(not parameters(info) and not info.instruction for info in document.info)
    assert document.info[0].headline.startswith("Zurückgezogen: ")


@pytest.mark.django_db
def test_it_stays_in_rehearsal_until_somebody_says_otherwise(
    mowas: Platform, author: User, approver: User, settings: Any
) -> None:
    entry = {key: value for key, value in settings.CHANNELS["mowas"].items() if key != "rehearsal"}
    settings.CHANNELS = {**settings.CHANNELS, "mowas": entry}
    row = carry(city.released(author, approver))
    assert (row.state, row.rehearsal) == (State.DONE, True)
    assert row.posts.order_by("pk")[0].data["would_send"]["broadcast"]["messageId"] == 4370
    assert not mowas.asked


@pytest.mark.django_db
def test_an_exercise_is_handed_over_to_nobody(mowas: Platform, author: User, approver: User) -> None:
    message = city.released(author, approver, status=Status.EXERCISE, note="Übung")
    jobs.fan_out(message.pk)
    for pk in Delivery.objects.filter(message=message).values_list("pk", flat=True):
        jobs.deliver(pk)
    assert not mowas.asked


@pytest.mark.django_db
def test_a_lost_answer_is_handed_over_again_under_the_same_key(mowas: Platform, author: User, approver: User) -> None:
    mowas.on("POST", "/cap", Answer(way="dropped"), Answer(202))
    message = city.released(author, approver)
    assert carry(message).state == State.WAITING
    assert carry(message).state == State.DONE
    first, again = mowas.asked
    assert first.headers["idempotency-key"] == again.headers["idempotency-key"] == message.identifier
    assert first.body == again.body


@pytest.mark.django_db
def test_without_an_endpoint_the_document_lies_in_a_folder(
    wired: None, author: User, approver: User, settings: Any, tmp_path: Path
) -> None:
    settings.CHANNELS = {
        "page": {"adapter": "tests.channels.fakes.Page"},
        "mowas": {
            "adapter": "channels.city.cellbroadcast.CellBroadcast",
            "rehearsal": False,
            "directory": str(tmp_path / "control"),
        },
    }
    message = city.released(author, approver)
    assert carry(message).state == State.DONE
    [file] = (tmp_path / "control").iterdir()
    assert file.name == f"{message.identifier}.xml"
    assert cap.read(file.read_bytes()).identifier == message.identifier


def test_a_folder_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    channel = CellBroadcast("mowas", directory=str(tmp_path / "file" / "below"))
    with pytest.raises(Permanent) as error:
        channel.probe()
    assert str(tmp_path) not in str(error.value)


def test_the_fields_are_json() -> None:
    assert json.loads(json.dumps(said())) == said()
