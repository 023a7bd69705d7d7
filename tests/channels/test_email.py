"""The e-mail channel against servers that speak: what every broadcaster keeps, and what mail servers do besides."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alerts.notice import Rendering
from channels.base import Outcome, Permanent, Recipient, Service, Temporary
from channels.city.email import Email, verp
from tests.channels import mailservers as servers
from tests.channels.broadcasting import SERVICE, SLOTS, Broadcasts, Wire, by_recipient
from tests.channels.contract import CITY, SECRET, notices
from tests.channels.mailservers import DROP, HANG, KEEP_AND_DROP, Step
from tests.house import free_port

TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789"
NOWHERE = "/nonexistent"


def email(port: int = 0, **options: Any) -> Email:
    """The channel, against a server on loopback where a port is given."""
    given = {
        "address": CITY.address,
        "city": CITY,
        "data_dir": NOWHERE,
        "mail_from": "warnung@leipzig.example",
        "signing_secret": SECRET,
        "mail_url": f"smtp://127.0.0.1:{port}" if port else "",
    }
    return Email("email", **given | options)


def released(channel: Email) -> Rendering:
    return replace(channel.compose(notices()[0]), slots=SLOTS)


def residents(count: int) -> list[Recipient]:
    return [Recipient(number, f"resident{number}@example.org", f"{number:036d}") for number in range(1, count + 1)]


def sent(channel: Email, people: Sequence[Recipient]) -> dict[int, Outcome]:
    try:
        return by_recipient(channel.send(released(channel), people, key="k"))
    finally:
        channel.close()


def states(outcomes: Mapping[int, Outcome]) -> list[str]:
    return [outcomes[number].state for number in sorted(outcomes)]


class TestEmail(Broadcasts):
    limit = 150
    pipelining = False

    def channel(self, **options: Any) -> Email:
        secrets = {"mail_password": SECRET, "bounce_token": SECRET, "bounce_address": "bounces@leipzig.example"}
        return email(2525, **secrets | options)

    def addresses(self) -> Sequence[str]:
        return ("erika@example.org", "max+warnung@example.net", "j.d'arc@mail.example.com")

    def answering(self, script: Mapping[str, str]) -> AbstractContextManager[Wire]:
        return self._wire(script)

    @contextmanager
    def _wire(self, script: Mapping[str, str]) -> Iterator[Wire]:
        if "*" in script:
            yield Wire(email(free_port()), dict)
            return
        with servers.real(script, pipelining=self.pipelining) as (handler, port):
            channel = email(port, timeout=0.5, connections=2)
            yield Wire(channel, lambda: {one.recipient: servers.words_of(one.raw) for one in handler.taken})
            channel.close()

    def size(self, rendering: Rendering) -> int:
        return len(rendering.fields["subject"])

    def test_no_server_is_a_folder(self, tmp_path: Path) -> None:
        channel = email(data_dir=str(tmp_path))
        assert states(sent(channel, residents(2))) == ["accepted"] * 2
        assert states(sent(channel, residents(2))) == ["accepted"] * 2, "and again: the same files"
        files = sorted((tmp_path / "mail").iterdir())
        assert len(files) == 2
        assert {file.suffix for file in files} == {".eml"}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        mails = [servers.parsed(file.read_bytes()) for file in files]
        assert {mail["To"] for mail in mails} == {one.address for one in residents(2)}
        assert channel.tell(SERVICE, residents(1)[0]).state == "accepted"
        assert len(list((tmp_path / "mail").iterdir())) == 3
        assert channel.probe()

    def test_a_folder_that_can_t_be_written_to_is_temporary(self) -> None:
        with pytest.raises(Temporary):
            list(email(data_dir="/proc/nothing").send(released(email()), residents(1), key="k"))


class TestEmailPipelined(TestEmail):
    pipelining = True


both_ways = pytest.mark.parametrize("pipelining", [False, True], ids=["step by step", "pipelined"])
ENVELOPE = {"rcpt": b"RCPT", "data": b"DATA"}


@both_ways
class TestOneAnswer:
    """What a server says of one mail concerns that one alone."""

    @pytest.mark.parametrize(
        ("step", "reply", "state", "gone"),
        [
            ("rcpt", b"550 5.1.1 unknown", "permanent", True),
            ("rcpt", b"550-5.1.10 null MX\r\n550 5.1.10 of its domain", "permanent", True),
            ("rcpt", b"550 User unknown", "permanent", True),
            ("rcpt", b"550 mailbox not found", "permanent", True),
            ("rcpt", b"550 rejected", "permanent", False),
            ("rcpt", b"550 5.7.1 user unknown to our policy", "permanent", False),
            ("rcpt", b"552 5.2.2 full", "permanent", False),
            ("rcpt", b"550 5.1.2 no such domain", "permanent", False),
            ("rcpt", b"550 5.2.1 disabled", "permanent", False),
            ("rcpt", b"451 4.7.1 greylisted", "temporary", False),
            ("rcpt", b"452 4.3.1 no room", "temporary", False),
            ("mail", b"452 4.3.1 no room", "temporary", False),
            ("mail", b"553 5.1.8 sender", "permanent", False),
            ("data", b"451 4.3.0 later", "temporary", False),
            ("data", b"554 5.5.1 no", "permanent", False),
            ("end", b"450 4.7.1 greylisted after all", "temporary", False),
            ("end", b"554 5.7.1 spam", "permanent", False),
            ("end", b"550 5.1.1 unknown after all", "permanent", True),
        ],
    )
    def test_and_spoils_nothing_for_the_next(
        self, pipelining: bool, step: str, reply: bytes, state: str, gone: bool
    ) -> None:
        def script(at: Step) -> bytes | None:
            return reply if at.verb == step and at.number == 2 else None

        with servers.scripted(script, pipelining=pipelining) as server:
            outcomes = sent(email(server.port, connections=1), residents(4))
        assert states(outcomes) == ["accepted", state, "accepted", "accepted"]
        assert outcomes[2].gone is gone
        assert [one.recipient for one in server.taken] == [residents(4)[number].address for number in (0, 2, 3)]
        assert server.connections == 1

    def test_a_server_that_wants_content_for_nobody_gets_none(self, pipelining: bool) -> None:
        """RFC 2920 §3.1: DATA may be welcome although no recipient was."""

        def script(at: Step) -> bytes | None:
            if at.verb == "data":
                return b"354 go"
            return b"550 5.1.1 unknown" if at.verb == "rcpt" and "resident2@" in at.argument else None

        with servers.scripted(script, pipelining=pipelining) as server:
            outcomes = sent(email(server.port, connections=1), residents(3))
        assert states(outcomes) == ["accepted", "permanent", "accepted"]
        assert [one.recipient for one in server.taken] == ["resident1@example.org", "resident3@example.org"]

    def test_greylisting_is_over_at_the_next_try(self, pipelining: bool) -> None:
        seen: set[str] = set()

        def script(at: Step) -> bytes | None:
            if at.verb == "rcpt" and at.argument not in seen:
                seen.add(at.argument)
                return b"450 4.2.0 come again"
            return None

        with servers.scripted(script, pipelining=pipelining) as server:
            channel = email(server.port, connections=3)
            assert states(sent(channel, residents(20))) == ["temporary"] * 20
            assert states(sent(channel, residents(20))) == ["accepted"] * 20
        assert len({one.recipient for one in server.taken}) == len(server.taken) == 20

    @pytest.mark.parametrize("connections", [1, 4])
    @pytest.mark.parametrize("most", [1, 3])
    def test_a_server_that_takes_few_mails_a_connection_gets_all_of_them_once(
        self, pipelining: bool, connections: int, most: int
    ) -> None:
        def script(at: Step) -> bytes | None:
            return b"421 4.7.0 too many mails in one session" if at.verb == "mail" and at.of_connection > most else None

        with servers.scripted(script, pipelining=pipelining) as server:
            outcomes = sent(email(server.port, connections=connections), residents(20))
        assert states(outcomes) == ["accepted"] * 20
        assert len({one.recipient for one in server.taken}) == len(server.taken) == 20

    @pytest.mark.parametrize("step", ["mail", "rcpt", "data", "end"])
    @pytest.mark.parametrize("how", [DROP, b"421 4.3.2 going down"])
    def test_a_connection_that_breaks_loses_no_mail(self, pipelining: bool, step: str, how: bytes) -> None:
        left = [f"+r{number}-" if step == "mail" else f"resident{number}@" for number in (1, 4, 5, 9)]

        def script(at: Step) -> bytes | None:
            for victim in left:
                if at.verb == step and victim in at.argument:
                    left.remove(victim)
                    return how
            return None

        with servers.scripted(script, pipelining=pipelining) as server:
            channel = email(server.port, connections=2, bounce_address="bounces@leipzig.example")
            outcomes = sent(channel, residents(30))
        assert states(outcomes) == ["accepted"] * 30
        assert sorted(one.recipient for one in server.taken) == sorted(one.address for one in residents(30))

    def test_a_mail_taken_without_a_word_comes_twice_and_is_known_as_one(self, pipelining: bool) -> None:
        def script(at: Step) -> bytes | None:
            return KEEP_AND_DROP if at.verb == "end" and at.number == 3 else None

        with servers.scripted(script, pipelining=pipelining) as server:
            outcomes = sent(email(server.port, connections=1), residents(6))
        assert states(outcomes) == ["accepted"] * 6
        mails = [servers.parsed(one.raw) for one in server.taken]
        assert len(mails) == 7
        assert len({mail["Message-ID"] for mail in mails}) == 6
        assert len({one.raw for one in server.taken}) == 6

    @pytest.mark.parametrize("number", [1, 3, 6])
    def test_a_mail_over_which_the_server_hangs_up_each_time_holds_up_no_other(
        self, pipelining: bool, number: int
    ) -> None:
        def script(at: Step) -> bytes | None:
            return DROP if at.verb == "end" and at.argument == f"resident{number}@example.org" else None

        with servers.scripted(script, pipelining=pipelining) as server:
            outcomes = sent(email(server.port, connections=1), residents(6))
        assert {one for one, outcome in outcomes.items() if outcome.state != "accepted"} == {number}
        assert outcomes[number].state == "temporary"
        assert len(server.taken) == 5

    def test_a_mail_over_which_the_server_falls_silent_holds_up_no_other(self, pipelining: bool) -> None:
        def script(at: Step) -> bytes | None:
            return HANG if at.verb == "end" and at.argument == "resident3@example.org" else None

        with servers.scripted(script, pipelining=pipelining) as server:
            outcomes = sent(email(server.port, connections=1, timeout=0.3), residents(6))
        assert states(outcomes) == ["accepted", "accepted", "temporary", "accepted", "accepted", "accepted"]
        assert len(server.taken) == 5

    @pytest.mark.parametrize("reply", [b"hello there", b"25", b"250-never ends\r\n" * 5000, b"x" * 100_000])
    def test_what_is_no_reply_ends_the_connection(self, pipelining: bool, reply: bytes) -> None:
        def script(at: Step) -> bytes | None:
            return reply if at.verb == "end" and at.number == 2 else None

        with servers.scripted(script, pipelining=pipelining) as server:
            outcomes = sent(email(server.port, connections=1, timeout=0.5), residents(4))
        assert set(states(outcomes)) <= {"accepted", "temporary"}
        assert outcomes[1].state == "accepted"
        assert len(outcomes) == 4


class TestNobodyIsReached:
    """What concerns the whole channel is raised, so that the batch waits or fails as one."""

    @pytest.mark.parametrize(
        ("verb", "how"),
        [
            ("connect", b"421 4.3.2 not now"),
            ("connect", b"554 no service here"),
            ("connect", DROP),
            ("ehlo", DROP),
            ("mail", b"421 4.3.2 going down"),
            ("mail", DROP),
            ("end", DROP),
        ],
    )
    def test_a_server_that_turns_everybody_away_is_asked_again_later(self, verb: str, how: bytes) -> None:
        with servers.scripted(lambda at: how if at.verb == verb else None) as server:
            with pytest.raises(Temporary):
                sent(email(server.port), residents(30))
        assert server.taken == []
        assert server.connections <= 9

    @pytest.mark.parametrize("verb", ["connect", "mail", "end"])
    def test_a_server_that_hangs_is_asked_again_later(self, verb: str) -> None:
        with servers.scripted(lambda at: HANG if at.verb == verb else None) as server:
            with pytest.raises(Temporary):
                sent(email(server.port, timeout=0.2, connections=2), residents(30))
        assert server.taken == []

    def test_a_server_that_refuses_our_sender_is_a_setting_s_fault(self) -> None:
        with servers.scripted(lambda at: b"550 5.1.8 who are you" if at.verb == "mail" else None) as server:
            with pytest.raises(Permanent, match="BELFRY_MAIL_FROM"):
                sent(email(server.port), residents(3))

    def test_a_server_that_wants_a_log_in_is_a_setting_s_fault(self) -> None:
        with servers.scripted(lambda at: b"530 5.7.0 log in first" if at.verb == "mail" else None) as server:
            with pytest.raises(Permanent, match="EMAIL_PASSWORD"):
                sent(email(server.port), residents(1))

    def test_a_server_that_relays_for_nobody_is_a_setting_s_fault(self) -> None:
        with servers.scripted(lambda at: b"554 5.7.1 Relay access denied" if at.verb == "rcpt" else None) as server:
            with pytest.raises(Permanent):
                sent(email(server.port), residents(30))
            assert states(sent(email(server.port), residents(2))) == ["permanent"] * 2, "of two it may be their own"

    def test_a_server_that_finds_the_whole_town_unknown_removes_nobody(self) -> None:
        with servers.scripted(lambda at: b"550 5.1.1 unknown" if at.verb == "rcpt" else None) as server:
            outcomes = sent(email(server.port), residents(30))
            assert states(outcomes) == ["permanent"] * 30
            assert not any(one.gone for one in outcomes.values())
            few = sent(email(server.port), residents(2))
            assert all(one.gone for one in few.values())


class TestConnections:
    def test_they_stay_open_between_two_sends(self) -> None:
        with servers.scripted() as server:
            channel = email(server.port, connections=3)
            for _time in range(5):
                list(channel.send(released(channel), residents(20), key="k"))
            assert server.connections == 3
            channel.tell(SERVICE, residents(1)[0])
            assert server.connections == 3
            channel.close()
        assert len(server.taken) == 101

    @pytest.mark.parametrize("how", [DROP, b"421 4.4.2 idle for too long"])
    def test_one_that_the_server_has_closed_meanwhile_is_made_anew(self, how: bytes) -> None:
        with servers.scripted() as server:
            channel = email(server.port, connections=2)
            list(channel.send(released(channel), residents(20), key="k"))
            for connection in server.open:
                if how != DROP:
                    connection.sendall(how + b"\r\n")
                connection.shutdown(2)
            assert states(sent(channel, residents(20))) == ["accepted"] * 20
            assert server.connections == 4

    def test_one_that_dies_at_its_first_word_is_made_anew(self) -> None:
        """The server closed it, and we had not heard of it yet."""
        with servers.scripted(
            lambda at: DROP if at.verb == "mail" and at.connection == 1 and at.of_connection == 4 else None
        ) as server:
            channel = email(server.port, connections=1)
            list(channel.send(released(channel), residents(3), key="k"))
            assert states(sent(channel, residents(3))) == ["accepted"] * 3
        assert len(server.taken) == 6

    def test_fewer_than_wanted_will_do(self) -> None:
        with servers.scripted(
            lambda at: b"421 4.7.0 too many connections" if at.verb == "connect" and at.number > 2 else None
        ) as server:
            channel = email(server.port, connections=6)
            assert states(list_of(channel, 20)) == ["accepted"] * 20
            asked = server.connections
            assert states(list_of(channel, 20)) == ["accepted"] * 20
            assert server.connections == asked, "the server's limit is remembered for a while"
            channel.close()

    def test_a_forked_child_makes_its_own_and_leaves_the_parent_s_alone(self) -> None:
        with servers.scripted() as server:
            channel = email(server.port, connections=2)
            list_of(channel, 10)
            child = os.fork()
            if child == 0:
                good = False
                try:
                    good = states(list_of(channel, 10)) == ["accepted"] * 10
                finally:
                    os._exit(0 if good else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert server.connections == 4
            assert states(list_of(channel, 10)) == ["accepted"] * 10
            assert server.connections == 4, "the parent's still work"
            channel.close()
        assert len(server.taken) == 30

    def test_who_stops_listening_half_way_leaves_no_connection_half_used(self) -> None:
        with servers.scripted() as server:
            channel = email(server.port, connections=2)
            for outcome in channel._pool.send(  # type: ignore[union-attr]
                channel._mails(channel._template(released(channel)), residents(20)), 20, seconds=10
            ):
                assert outcome.code == 250
                break
            assert states(sent(channel, residents(20))) == ["accepted"] * 20
        for one in server.taken:
            assert servers.parsed(one.raw)["To"] == one.recipient

    def test_a_slow_server_is_given_fewer_at_a_time(self) -> None:
        channel = email(2525)
        channel._pace(500, 10.0)
        assert channel.checkpoint == 50
        channel._pace(50, 10.0)
        assert channel.checkpoint == 10
        for _time in range(8):
            channel._pace(channel.checkpoint, 0.01)
        assert channel.checkpoint == 500

    def test_a_server_too_slow_for_the_lease_is_left_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Email, "seconds", 1.0)

        def script(at: Step) -> bytes | None:
            return HANG if at.verb == "end" and at.number == 3 else None

        with servers.scripted(script) as server:
            outcomes = sent(email(server.port, connections=1, timeout=0.7), residents(20))
        assert states(outcomes)[:2] == ["accepted"] * 2
        assert set(states(outcomes)) <= {"accepted", "temporary"}
        assert len(outcomes) == 20


def list_of(channel: Email, count: int) -> dict[int, Outcome]:
    return by_recipient(channel.send(released(channel), residents(count), key="k"))


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
class TestLogIn:
    def test_user_and_password_are_given(self) -> None:
        options = {"authenticator": servers.password_is(SECRET), "auth_require_tls": False, "auth_required": True}
        with servers.real(**options) as (handler, port):
            channel = email(mail_url=f"smtp://belfry%40city@127.0.0.1:{port}", mail_password=SECRET)
            assert states(sent(channel, residents(3))) == ["accepted"] * 3
        assert len(handler.taken) == 3

    def test_a_wrong_password_is_a_setting_s_fault_and_is_not_told(self) -> None:
        options = {"authenticator": servers.password_is("another"), "auth_require_tls": False}
        with servers.real(**options) as (handler, port):
            channel = email(mail_url=f"smtp://belfry:{SECRET}@127.0.0.1:{port}")
            with pytest.raises(Permanent, match="EMAIL_PASSWORD") as raised:
                sent(channel, residents(3))
            with pytest.raises(Permanent):
                channel.probe()
        assert SECRET not in str(raised.value)
        assert handler.taken == []

    def test_a_server_without_log_in_is_a_setting_s_fault(self) -> None:
        with servers.scripted() as server:
            with pytest.raises(Permanent, match="EMAIL_URL"):
                sent(email(mail_url=f"smtp://belfry:{SECRET}@127.0.0.1:{server.port}"), residents(1))

    @pytest.mark.parametrize("reply", [b"454 4.7.0 the directory is away", b"421 4.3.2 going down", DROP])
    def test_a_log_in_that_can_t_be_checked_now_is_temporary(self, reply: bytes) -> None:
        def script(at: Step) -> bytes | None:
            if at.verb == "ehlo":
                return b"250-mail.example\r\n250 AUTH PLAIN"
            return reply if at.verb == "auth" else None

        with servers.scripted(script) as server:
            with pytest.raises(Temporary):
                sent(email(mail_url=f"smtp://belfry:{SECRET}@127.0.0.1:{server.port}"), residents(1))


class TestEncryption:
    @pytest.fixture(scope="class")
    @classmethod
    def proof(cls, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
        context, authority = servers.certificate(tmp_path_factory.mktemp("proof"), "127.0.0.1")
        return context, str(authority)

    @pytest.mark.parametrize("pipelining", [False, True])
    @pytest.mark.parametrize("scheme", ["smtp+tls", "smtps"])
    def test_mail_goes_through_it(self, proof: tuple[Any, str], scheme: str, pipelining: bool) -> None:
        context, authority = proof
        options = {"ssl_context": context} if scheme == "smtps" else {"tls_context": context, "require_starttls": True}
        with servers.real(pipelining=pipelining, **options) as (handler, port):
            url = f"{scheme}://127.0.0.1:{port}"
            assert states(sent(email(url=url, authority=authority), residents(40))) == ["accepted"] * 40
            with pytest.raises(Permanent, match="EMAIL_URL"):
                sent(email(url=url), residents(1))
        assert len({one.recipient for one in handler.taken}) == len(handler.taken) == 40

    @pytest.mark.parametrize("scheme", ["smtp+tls", "smtps"])
    def test_another_name_in_the_certificate_is_refused(self, tmp_path: Path, scheme: str) -> None:
        context, authority = servers.certificate(tmp_path, "elsewhere.example")
        with servers.real(**{"ssl_context" if scheme == "smtps" else "tls_context": context}) as (handler, port):
            with pytest.raises(Permanent, match="EMAIL_URL"):
                sent(email(url=f"{scheme}://127.0.0.1:{port}", authority=str(authority)), residents(1))
        assert handler.taken == []

    def test_a_server_that_lacks_it_gets_neither_mail_nor_password(self) -> None:
        with servers.scripted() as server:
            with pytest.raises(Permanent, match="STARTTLS"):
                sent(email(url=f"smtp+tls://belfry@127.0.0.1:{server.port}", password=SECRET), residents(1))
        assert "auth" not in server.steps
        assert server.taken == []

    def test_what_does_not_speak_tls_is_temporary(self) -> None:
        with servers.scripted() as server:
            with pytest.raises(Temporary):
                sent(email(url=f"smtps://127.0.0.1:{server.port}"), residents(1))


class TestSmtpSink:
    """Postfix's own sink."""

    @pytest.mark.parametrize("options", [(), ("-p",), ("-e",)], ids=["pipelining", "no pipelining", "no ESMTP"])
    def test_it_gets_everybody_s_own_mail(self, options: tuple[str, ...]) -> None:
        with servers.smtp_sink(*options) as (port, taken):
            channel = email(port, bounce_address="bounces@leipzig.example")
            assert states(sent(channel, residents(60))) == ["accepted"] * 60
            mails = taken()
        assert sorted(one.recipient for one in mails) == sorted(one.address for one in residents(60))
        for one in mails:
            mail = servers.parsed(one.raw)
            assert mail["To"] == one.recipient
            number = int(one.recipient.removeprefix("resident").partition("@")[0])
            assert verp.recipients(one.sender, SECRET) == ([number], False)
            body = mail.get_body(("plain",))
            assert body is not None
            assert body.get_content().count(f"{number:036d}") == 2

    def test_its_refusals_are_understood(self) -> None:
        with servers.smtp_sink("-r", "RCPT") as (port, _taken):
            assert set(states(sent(email(port), residents(5)))) == {"temporary"}
        with servers.smtp_sink("-f", ".") as (port, _taken):
            assert set(states(sent(email(port), residents(5)))) == {"permanent"}
        with servers.smtp_sink("-q", "DATA") as (port, _taken):
            with pytest.raises(Temporary):
                sent(email(port), residents(5))


class TestService:
    def test_it_has_no_list_headers_and_the_same_identifier_for_the_same_text(self) -> None:
        changed = replace(SERVICE, url="https://warnung.leipzig.example/s/confirm/another/")
        with servers.scripted() as server:
            channel = email(server.port, bounce_address="bounces@leipzig.example")
            for service in (SERVICE, SERVICE, changed):
                assert channel.tell(service, residents(1)[0]).state == "accepted"
            channel.close()
        first, again, other = (servers.parsed(one.raw) for one in server.taken)
        assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
        assert first["To"] == "resident1@example.org"
        assert not [name for name in first if name.lower().startswith("list-")]
        assert first["Auto-Submitted"] == "auto-generated"
        assert {one.sender for one in server.taken} == {"bounces@leipzig.example"}
        for kind in ("plain", "html"):
            part = first.get_body((kind,))
            assert part is not None
            assert SERVICE.body in part.get_content()
            assert SERVICE.url in part.get_content()

    def test_a_refusal_is_its_outcome(self) -> None:
        with servers.scripted(lambda at: b"550 5.1.1 unknown" if at.verb == "rcpt" else None) as server:
            outcome = email(server.port).tell(SERVICE, residents(1)[0])
        assert (outcome.state, outcome.gone) == ("permanent", True)

    def test_its_text_can_t_break_out(self) -> None:
        hostile = Service("x", "de", "Betreff\r\nBcc: alle@example.org", "<script>\r\n.\r\nRCPT TO:<x@example.org>", "")
        with servers.scripted() as server:
            channel = email(server.port)
            assert channel.tell(hostile, residents(1)[0]).state == "accepted"
            channel.close()
        (one,) = server.taken
        mail = servers.parsed(one.raw)
        assert mail["Bcc"] is None
        assert mail["Subject"] == "Betreff Bcc: alle@example.org"
        html = mail.get_body(("html",))
        assert html is not None
        assert "<script>" not in html.get_content()


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "", "nobody", "a@", "@b.example", "a b@c.example", "a@b.example\r\nDATA", "a@b.example>", "<a@b.example>",
            "a@b.example,c@d.example", '"a\r\nb"@c.example', "a@b.example\n", "ä@b.example",
            "a@b.example\x00", "a@[127.0.0.1]",
        ],
    )  # fmt: skip
    def test_one_that_could_say_more_than_itself_never_reaches_the_server(self, address: str) -> None:
        people = [Recipient(1, address, TOKEN), *residents(2)[1:]]
        with servers.scripted() as server:
            outcomes = sent(email(server.port), people)
            assert email(server.port).tell(SERVICE, people[0]).state == "permanent"
        assert states(outcomes) == ["permanent", "accepted"]
        assert not outcomes[1].gone
        assert len(server.taken) == 1
        assert server.steps.count("rcpt") == 1

    @pytest.mark.parametrize("token", ["", "x", "x" * 37, "x" * 35 + "/", "x" * 35 + "\n"])
    def test_a_word_that_is_none_is_never_sent(self, token: str) -> None:
        with servers.scripted() as server:
            assert states(sent(email(server.port), [Recipient(1, "a@b.example", token)])) == ["permanent"]
        assert server.taken == []


class TestSettings:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"mail_from": "nobody"}, "BELFRY_MAIL_FROM"),
            ({"mail_from": "a@b.example\r\nBcc: c@d.example"}, "BELFRY_MAIL_FROM"),
            ({"bounce_address": "a@b.example\r\nx"}, "bounce_address"),
            ({"bounce_address": f"{'b' * 33}@b.example"}, "bounce_address"),
            ({"bounce_address": "bounces@b.example", "signing_secret": ""}, "signing_secret"),
            ({"url": "http://mail.example"}, "smtp://"),
            ({"url": "smtp://"}, "smtp://"),
            ({"url": "smtp://mail.example", "password": "pässwort"}, "EMAIL_PASSWORD"),
            ({"connections": 0}, "connections"),
            ({"timeout": 60.0}, "timeout"),
            ({"dkim_selector": "s"}, "dkim_key"),
            ({"dkim_key": "nonsense", "dkim_selector": "s", "dkim_domain": "b.example"}, "dkim_key"),
        ],
    )
    def test_what_can_t_work_speaks_at_start(self, options: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            email(**options)

    def test_a_text_that_lost_the_place_of_the_link_is_not_sent(self) -> None:
        channel = email(2525)
        rendering = released(channel)
        broken = replace(rendering, fields={**rendering.fields, "text": "Gefahr"})
        with pytest.raises(Permanent):
            list(channel.send(broken, residents(1), key="k"))

    @pytest.mark.parametrize(
        ("address", "name"),
        [
            ("https://warnung.leipzig.example", "warnung.leipzig.example"),
            ("http://127.0.0.1:8000", "[127.0.0.1]"),
            ("http://[::1]:8000", "[IPv6:::1]"),
        ],
    )
    def test_we_say_who_we_are(self, address: str, name: str) -> None:
        said = []

        def script(at: Step) -> None:
            if at.verb == "ehlo":
                said.append(at.argument)

        with servers.scripted(script) as server:
            assert email(server.port, address=address).probe()
        assert said == [name]

    def test_pipelining_can_be_switched_off(self) -> None:
        """Then nothing is said before the last word was answered: a server that hangs up else is content."""
        with servers.scripted() as server:
            assert states(sent(email(server.port, pipelining=False, connections=1), residents(3))) == ["accepted"] * 3
            assert server.steps[:6] == ["connect", "ehlo", "mail", "rcpt", "data", "end"]
        assert len(server.taken) == 3

    def test_a_server_that_takes_its_time_over_every_step_is_left_in_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("channels.city.email.server.CONNECT_SECONDS", 0.3)

        def script(at: Step) -> bytes | None:
            if at.verb == "ehlo":
                threading.Event().wait(0.2)
                return b"250-mail.example\r\n250 AUTH PLAIN"
            return HANG if at.verb == "auth" else None

        with servers.scripted(script) as server:
            with pytest.raises(Temporary):
                email(mail_url=f"smtp://belfry:{SECRET}@127.0.0.1:{server.port}").probe()

    def test_the_server_answers_or_it_says_why_not(self) -> None:
        with servers.scripted() as server:
            assert email(server.port).probe()
        with pytest.raises(Temporary):
            email(free_port()).probe()
