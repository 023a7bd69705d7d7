"""Mail and SMS to officers over real wires: who is told, and what a server that refuses, hangs or is gone comes to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from redis.exceptions import ConnectionError as RedisGone

from alerts import approval, calls
from alerts.models import Call, Profile
from alerts.notice import Notice, Rendering
from alerts.ports import Words
from channels import jobs, officers, upkeep
from channels.base import Broadcaster, Outcome, Permanent, Recipient, Service, Temporary, Uncertain
from channels.city.sms.text import GSM7, encoding, segments
from tests import city
from tests.channels import mailservers
from tests.house import free_port

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet")]

WORDS = Words(
    "Freigabe nötig: Bombenfund Dimitroffstraße (Extreme Gefahr)",
    "Ein Entwurf wartet auf Ihre Freigabe.\n",
    "http://127.0.0.1:8000/desk/drafts/7/",
)


def number(count: int) -> str:
    return f"+4915112{count:06d}"


def staff(*names: str, phones: bool = True) -> list[int]:
    """Approvers with a mail address each, and a phone."""
    made = [city.officer(name, "approve_draft") for name in names]
    if phones:
        Profile.objects.bulk_create(Profile(officer=one, phone=number(one.pk)) for one in made)
    return [one.pk for one in made]


class TestMail:
    @pytest.fixture(autouse=True)
    def smtp(self, settings: Any) -> Callable[[int], None]:
        def to(port: int) -> None:
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 0.5
            settings.EMAIL_USE_SSL = settings.EMAIL_USE_TLS = False

        return to

    def test_each_gets_a_mail_of_his_own(self, smtp: Callable[[int], None]) -> None:
        told = staff("anna", "bert")
        with mailservers.real() as (server, port):
            smtp(port)
            assert dict(officers.call("mail", told, WORDS)) == dict.fromkeys(told, "told")
        assert [mail.recipient for mail in server.taken] == ["anna@city.example", "bert@city.example"]
        assert server.connections == 1
        mail = message_from_bytes(server.taken[0].raw, policy=policy.default)
        assert (mail["Subject"].strip(), mail["To"], mail["Bcc"]) == (WORDS.subject, "anna@city.example", None)
        assert mail["Auto-Submitted"] == "auto-generated"

    def test_one_refused_address_keeps_nobody_else_from_his(self, smtp: Callable[[int], None]) -> None:
        anna, bert, carla = staff("anna", "bert", "carla")
        script = {"anna@city.example": "refuses", "bert@city.example": "later"}
        with mailservers.real(script) as (server, port):
            smtp(port)
            answers = dict(officers.call("mail", [anna, bert, carla], WORDS))
        assert answers == {anna: "never", bert: "later", carla: "told"}
        assert [mail.recipient for mail in server.taken] == ["carla@city.example"]

    def test_an_officer_without_an_address_is_passed_over(self, smtp: Callable[[int], None]) -> None:
        anna, bert, carla = staff("anna", "bert", "carla")
        User.objects.filter(pk=anna).update(email="")
        User.objects.filter(pk=bert).update(email="bert@city.example\r\nBcc: all@city.example")
        with mailservers.real() as (server, port):
            smtp(port)
            answers = dict(officers.call("mail", [anna, bert, carla], WORDS))
        assert answers == {anna: "never", bert: "never", carla: "told"}
        assert len(server.taken) == 1

    def test_a_server_that_is_down_says_nothing_of_anybody(
        self, smtp: Callable[[int], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        smtp(free_port())
        assert list(officers.call("mail", staff("anna"), WORDS)) == []
        assert "ConnectionRefusedError" in caplog.text
        assert "@" not in caplog.text

    @pytest.mark.parametrize("verb", ["connect", "mail", "end"])
    def test_a_server_that_hangs_is_left_after_its_time(self, smtp: Callable[[int], None], verb: str) -> None:
        def second_time(step: mailservers.Step) -> bytes | None:
            return mailservers.HANG if step.verb == verb and (verb == "connect" or step.number == 2) else None

        anna, bert, carla = staff("anna", "bert", "carla")
        with mailservers.scripted(second_time) as server:
            smtp(server.port)
            answers = list(officers.call("mail", [anna, bert, carla], WORDS))
        assert answers == ([] if verb == "connect" else [(anna, "told")])

    def test_in_a_demo_mails_are_files(self, settings: Any, tmp_path: Path) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
        settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
        [anna] = staff("anna")
        assert list(officers.call("mail", [anna], WORDS)) == [(anna, "told")]
        [file] = (tmp_path / "mail").iterdir()
        assert "Auto-Submitted: auto-generated" in file.read_text()


class Texts(Broadcaster):
    """The city's SMS channel at the end of a very short wire."""

    way = "sms"
    city = True
    sent: list[tuple[str, str]] = []
    script: dict[str, Exception | str] = {}

    def compose(self, notice: Notice) -> Rendering:
        return Rendering(self.name, notice.language, {"text": notice.headline, "link": notice.url})

    def send(self, rendering: Rendering, recipients: Sequence[Recipient], *, key: str) -> Iterable[Outcome]:
        raise AssertionError("officers are told by service texts")

    def tell(self, service: Service, recipient: Recipient) -> Outcome:
        step = self.script.get(recipient.address, self.script.get("*", "accepted"))
        if isinstance(step, Exception):
            raise step
        if step == "accepted":
            self.sent.append((recipient.address, f"{service.body} {service.url}".strip()))
        return Outcome(recipient.id, step)


@pytest.fixture
def texts(settings: Any, quiet: None) -> type[Texts]:
    Texts.sent, Texts.script = [], {}
    settings.CHANNELS = settings.CHANNELS | {
        "sms": {"adapter": "tests.channels.test_officers.Texts", "rehearsal": False}
    }
    return Texts


def real_sms(settings: Any, folder: Path, *gateways: dict[str, Any], **entry: Any) -> None:
    settings.DATA = folder
    adapter = {"adapter": "channels.city.sms.Sms", "rehearsal": False, "gateways": list(gateways)}
    settings.CHANNELS = settings.CHANNELS | {"sms": adapter | entry}


class TestSms:
    def test_one_segment_with_the_link_through_the_city_s_own_gateway(self, settings: Any, tmp_path: Path) -> None:
        real_sms(settings, tmp_path, {"kind": "folder"})
        told = staff("anna", "bert")
        assert dict(officers.call("sms", told, WORDS)) == dict.fromkeys(told, "told")
        written = [file.read_text() for file in sorted((tmp_path / "sms").iterdir())]
        assert len(written) == 2
        assert all("Segments: 1 GSM-7" in one and f"{WORDS.subject} {WORDS.link}" in one for one in written)
        assert not any(number(pk) in one for pk in told for one in written)

    @pytest.mark.parametrize(
        "subject",
        [
            "Freigabe nötig: " + "sehr langer Ort " * 20,
            "Freigabe nötig: „Бомба“ 💣 – Straße…",
            "爆弾",
            "\u202eumgedreht",
        ],
    )
    def test_whatever_stands_in_a_headline_it_is_one_gsm_segment_that_ends_in_the_link(
        self, texts: type[Texts], subject: str
    ) -> None:
        list(officers.call("sms", staff("anna"), Words(subject, "", WORDS.link)))
        [(_to, said)] = texts.sent
        assert said.endswith(WORDS.link)
        assert (encoding(said), segments(said)) == (GSM7, 1)

    def test_an_address_too_long_for_an_sms_gives_way_to_the_words(self, texts: type[Texts]) -> None:
        list(officers.call("sms", staff("anna"), Words(WORDS.subject, "", "https://" + "w" * 170 + ".example/")))
        assert texts.sent[0][1] == WORDS.subject

    def test_who_has_no_phone_or_none_that_is_one_is_passed_over(self, texts: type[Texts]) -> None:
        anna, bert, carla = staff("anna", "bert", "carla")
        Profile.objects.filter(officer=anna).update(phone="")
        Profile.objects.filter(officer=bert).update(phone="0151-oben")
        Profile.objects.filter(officer=carla).update(phone="0151 12345678")
        answers = dict(officers.call("sms", [anna, bert, carla], WORDS))
        assert answers == {anna: "never", bert: "never", carla: "told"}
        assert texts.sent[0][0] == "+4915112345678"

    @pytest.mark.parametrize("switch", ["off", "rehearsal", "no channel"])
    def test_no_text_where_none_is_wished_or_none_would_go(
        self, texts: type[Texts], settings: Any, switch: str
    ) -> None:
        if switch == "off":
            settings.OFFICER_SMS = False
        elif switch == "rehearsal":
            settings.CHANNELS = settings.CHANNELS | {"sms": settings.CHANNELS["sms"] | {"rehearsal": True}}
        else:
            settings.CHANNELS = {name: entry for name, entry in settings.CHANNELS.items() if name != "sms"}
        told = staff("anna")
        assert list(officers.call("sms", told, WORDS)) == [(told[0], "never")]
        assert texts.sent == []

    def test_what_may_have_gone_out_is_not_sent_again_and_does_not_count(self, texts: type[Texts]) -> None:
        anna, bert, carla = staff("anna", "bert", "carla")
        texts.script = {number(anna): Uncertain("no answer"), number(bert): "permanent", number(carla): "uncertain"}
        answers = dict(officers.call("sms", [anna, bert, carla], WORDS))
        assert answers == {anna: "never", bert: "never", carla: "never"}

    def test_gateways_that_are_down_leave_all_owed_and_are_not_asked_a_thousand_times(
        self, texts: type[Texts], caplog: pytest.LogCaptureFixture
    ) -> None:
        told = staff(*(f"officer-{place}" for place in range(40)))
        texts.script = {"*": Temporary("gateway away", after=30)}
        answers = list(officers.call("sms", told, WORDS))
        assert {state for _pk, state in answers} == {"later"}
        assert len(answers) < len(told)
        assert "+49" not in caplog.text

    def test_a_gateway_that_nobody_listens_at_tells_nobody(self, settings: Any, tmp_path: Path) -> None:
        url = f"http://127.0.0.1:{free_port()}/"
        real_sms(settings, tmp_path, {"kind": "http", "url": url, "json": {"to": "{to}", "text": "{text}"}})
        assert [state for _pk, state in officers.call("sms", staff("anna"), WORDS)] == ["later"]

    def test_a_thousand_officers_each_get_one(self, texts: type[Texts]) -> None:
        made = User.objects.bulk_create(User(username=f"officer-{place}") for place in range(1000))
        Profile.objects.bulk_create(Profile(officer=one, phone=number(one.pk)) for one in made)
        answers = list(officers.call("sms", [one.pk for one in made], WORDS))
        assert len(answers) == len(set(texts.sent)) == len(texts.sent) == 1000

    def test_a_gateway_wrongly_set_up_leaves_them_owed(self, texts: type[Texts]) -> None:
        texts.script = {"*": Permanent("wrong password")}
        assert [state for _pk, state in officers.call("sms", staff("anna"), WORDS)] == ["later"]


@pytest.mark.usefixtures("districts")
class TestUpkeep:
    def test_from_the_submission_to_both_wires(
        self, author: User, texts: type[Texts], mailoutbox: list[Any], settings: Any
    ) -> None:
        [bert] = staff("bert")
        draft = city.submitted(author)
        for way in calls.WAYS:
            calls.send(way)
        assert [mail.to for mail in mailoutbox] == [["bert@city.example"]]
        assert mailoutbox[0].subject == WORDS.subject
        assert texts.sent == [(number(bert), f"{WORDS.subject} {settings.ADDRESS}/desk/drafts/{draft.pk}/")]
        assert Call.objects.get().told == 1

    def test_a_redis_that_is_dead_does_not_matter(
        self, author: User, texts: type[Texts], settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def gone(*_arguments: Any, **_options: Any) -> Any:
            raise RedisGone

        settings.ALERTS_RING = "channels.jobs.ring"
        monkeypatch.setattr(jobs.django_rq, "get_queue", gone)
        monkeypatch.setattr("channels.upkeep.django_rq.get_connection", gone)
        staff("bert")
        draft = city.submitted(author)
        calls.send("sms")
        assert len(texts.sent) == 1
        approval.approve(draft.pk, draft.digest, User.objects.get(username="bert"))

    def test_mails_that_hang_hold_up_no_text_and_no_round(self, author: User, monkeypatch: pytest.MonkeyPatch) -> None:
        hangs = threading.Event()
        begun: list[str] = []

        def send(way: str) -> None:
            begun.append(way)
            if way == "mail":
                hangs.wait(30)

        monkeypatch.setattr("channels.upkeep.send_calls", send)
        city.submitted(author)
        process = upkeep.Upkeep(minute=float("inf"))
        for _round in range(2):
            for way in calls.WAYS:
                process.send_calls(way)
            process.calls["sms"].join()
        assert begun == ["sms", "mail", "sms"]
        hangs.set()
        process.calls["mail"].join()

    def test_where_nothing_is_owed_no_thread_is_started(self) -> None:
        process = upkeep.Upkeep(minute=float("inf"))
        process.send_calls("mail")
        assert process.calls == {}

    def test_each_round_has_a_step_for_each_way(self) -> None:
        names = [name for name, _step in upkeep.Upkeep(minute=float("inf")).steps()]
        assert {"calls by sms", "calls by mail", "unheard calls", "mails"} <= set(names)
