"""The outbox of the embedded set-up: every mail and SMS can be read, nothing of it runs, nothing else is reached."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMultiAlternatives, get_connection
from django.test import Client

from alerts.models import Message
from alerts.notice import Notice, Rendering
from alerts.terms import Status
from channels import fanout, jobs
from channels.base import Recipient
from channels.city.email import Email
from channels.models import Delivery
from channels.models import Post as PostRow
from tests import city
from tests.channels import fakes
from tests.channels.broadcasting import SERVICE
from tests.channels.contract import CITY

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
LINK = f"{CITY.address}/s/confirm/abc/"


@pytest.fixture
def data(tmp_path: Path, settings: Any) -> Path:
    settings.DATA = tmp_path
    settings.ADDRESS = CITY.address
    return tmp_path


@pytest.fixture
def client(page_of: Browser, anna: User) -> Client:
    return page_of(anna)


def mail(data: Path, name: str, raw: str, at: int = 0) -> None:
    folder = data / "mail"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(raw.encode())
    if at:
        os.utime(folder / name, (at, at))


def sms(data: Path, name: str, raw: str, at: int = 0) -> None:
    folder = data / "sms"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(raw)
    if at:
        os.utime(folder / name, (at, at))


def body(client: Client, path: str = "") -> str:
    answer = client.get(f"/desk/outbox/{path}")
    assert answer.status_code == 200, path
    return answer.content.decode()


def test_it_stands_in_the_bar_only_where_something_is_written(client: Client, data: Path) -> None:
    assert "/desk/outbox/" not in client.get("/desk/").content.decode()
    assert client.get("/desk/outbox/").status_code == 404
    (data / "mail").mkdir()
    assert 'href="/desk/outbox/"' in client.get("/desk/").content.decode()
    assert client.get("/desk/outbox/").status_code == 200


def test_mails_and_sms_stand_there_newest_first(client: Client, data: Path) -> None:
    mail(data, "a.eml", "To: erika@example.org\nSubject: Zweite\n\nText", at=2_000_000_000)
    mail(data, "b.eml", "To: max@example.org\nSubject: Erste\n\nText", at=1_900_000_000)
    sms(data, "20301101T100000.000000-x.txt", "To: …678\nDate: x\n\nDritte SMS\n", at=2_100_000_000)
    found = body(client)
    assert found.index("Dritte SMS") < found.index("Zweite") < found.index("Erste")
    assert "e…@example.org" in found
    assert "erika@" not in found
    assert "…678" in found


def test_what_the_channel_wrote_can_be_read(client: Client, data: Path) -> None:
    channel = Email("email", address=CITY.address, city=CITY, data_dir=str(data), mail_from="a@leipzig.example")
    channel.tell(SERVICE, Recipient(1, "erika@example.org"))
    (file,) = (data / "mail").iterdir()
    assert SERVICE.subject in body(client)
    found = body(client, f"mail/{file.name}/")
    assert SERVICE.body in found
    assert f'<a href="{SERVICE.url}">{SERVICE.url}</a>' in found
    assert "erika@" not in found


def test_what_django_wrote_can_be_read(client: Client, data: Path) -> None:
    """Alarms to officers in the embedded set-up: several mails in a file."""
    backend = get_connection("django.core.mail.backends.filebased.EmailBackend", file_path=str(data / "mail"))
    one = EmailMultiAlternatives("Alarm: Übung", "Grüße", to=["anna@stadt.example"])
    one.attach_alternative("<p>Grüße</p>", "text/html")
    backend.send_messages([one, EmailMultiAlternatives("Noch einer", "Text", to=["bert@stadt.example"])])
    (file,) = (data / "mail").iterdir()
    assert "Alarm: Übung" in body(client)
    found = body(client, f"mail/{file.name}/")
    assert "Grüße" in found
    assert "Noch einer" in found
    assert "&lt;p&gt;Grüße&lt;/p&gt;" in found
    assert "anna@" not in found


HOSTILE = "<script>alert(1)</script><img src=https://boese.example/x><iframe srcdoc=x>"


def test_nothing_in_it_runs_or_is_loaded(client: Client, data: Path) -> None:
    mail(data, "x.eml", f"To: {HOSTILE}\nSubject: {HOSTILE}\nContent-Type: text/html; charset=utf-8\n\n{HOSTILE}")
    mail(data, "y.eml", f"To: a@b.example\nSubject: x\n\n{HOSTILE} https://boese.example/ javascript:alert(1)")
    mail(data, "z.eml", f'To: a@b.example\n\n{CITY.address}/"><script>alert(1)</script>')
    sms(data, "x.txt", f"To: {HOSTILE}\n\n{HOSTILE}")
    for path in ("", "mail/x.eml/", "mail/y.eml/", "mail/z.eml/", "sms/x.txt/"):
        answer = client.get(f"/desk/outbox/{path}")
        found = answer.content.decode()
        for start in ("<script>alert", "<img", "<iframe", 'href="https://boese', 'href="javascript'):
            assert start not in found, path
        assert "default-src 'none'" in answer["Content-Security-Policy"]


def test_only_links_to_this_belfry_can_be_followed(client: Client, data: Path) -> None:
    mail(data, "x.eml", f"To: a@b.example\n\n{LINK} {CITY.address}.boese.example/x https://example.org/")
    found = body(client, "mail/x.eml/")
    assert f'href="{LINK}"' in found
    assert "boese.example/x" in found
    assert 'href="https://warnung.leipzig.example.boese' not in found
    assert 'href="https://example.org' not in found


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\x00\xff\xfe", b"Subject: =?utf-8?b?//8=?=\n\n", b'To: "<>@,;:\nSubject: \x80\n\n\x80',
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\n--x\n", b"Content-Type: text/plain; charset=none-such\n\nx",
        b"Subject: =?none-such?q?x?=\n\nx",
    ],
)  # fmt: skip
def test_a_file_that_is_no_mail_breaks_nothing(client: Client, data: Path, raw: bytes) -> None:
    (data / "mail").mkdir()
    (data / "mail" / "x.eml").write_bytes(raw)
    body(client)
    body(client, "mail/x.eml/")


@pytest.mark.parametrize(
    "path",
    [
        "mail/..%2Fbelfry.env/", "mail/%2e%2e/", "mail/..%2f..%2fetc%2fpasswd/", "mail/.hidden.eml/", "mail/keys/",
        "keys/secret_key/", "mail/x.txt/", "sms/x.eml/", "mail/link.eml/", "mail/folder.eml/", "mail/..%5cx.eml/",
        "mail/none.eml/", "public/index.html/", "mail/x.eml%00.eml/", "mail/x%0A.eml/",
    ],
)  # fmt: skip
def test_nothing_but_these_files_is_reached(client: Client, data: Path, path: str) -> None:
    mail(data, "x.txt", "no mail")
    mail(data, ".hidden.eml", "hidden")
    sms(data, "x.eml", "no SMS")
    (data / "belfry.env").write_text("SECRET_KEY=geheim")
    (data / "keys").mkdir()
    (data / "keys" / "secret_key").write_text("geheim")
    (data / "mail" / "link.eml").symlink_to(data / "belfry.env")
    (data / "mail" / "folder.eml").mkdir()
    answer = client.get(f"/desk/outbox/{path}")
    assert answer.status_code in {301, 404}, path
    assert "geheim" not in answer.content.decode()
    assert "link.eml" not in body(client)


def test_an_account_without_a_role_sees_none_of_it(page_of: Browser, desk: None, data: Path) -> None:
    mail(data, "x.eml", "To: a@b.example\nSubject: Eigener Link\n\nx")
    client = page_of(city.officer("dora"))
    for path in ("", "mail/x.eml/"):
        answer = client.get(f"/desk/outbox/{path}")
        assert answer.status_code == 403
        assert "Eigener Link" not in answer.content.decode()


def test_every_role_may_read(page_of: Browser, anna: User, bert: User, carla: User, data: Path) -> None:
    mail(data, "x.eml", "To: a@b.example\nSubject: Betreff\n\nx")
    for user in (anna, bert, carla):
        assert "Betreff" in body(page_of(user))


def test_many_are_shown_page_by_page(client: Client, data: Path) -> None:
    for number in range(60):
        mail(data, f"{number}.eml", f"To: a@b.example\nSubject: Nummer {number}.\n\nx", at=1_900_000_000 + number)
    assert "Nummer 59." in body(client)
    assert "Nummer 9." not in body(client)
    assert "Nummer 9." in body(client, "?page=2")


def test_it_is_read_only(client: Client, data: Path) -> None:
    mail(data, "x.eml", "To: a@b.example\n\nx")
    assert client.post("/desk/outbox/").status_code == 405
    assert client.post("/desk/outbox/mail/x.eml/").status_code == 405


class TestExercises:
    """A mail or SMS of an exercise is known by the page it links to, and stands in the exercise's frame."""

    def test_its_frame_and_word(self, client: Client, anna: User, bert: User, data: Path) -> None:
        real, exercise = city.released(anna, bert), city.released(anna, bert, status=Status.EXERCISE)
        mail(data, "r.eml", f"To: a@b.example\nSubject: Echt\n\n{CITY.address}/alerts/{real.alert.slug}/")
        mail(data, "x.eml", f"To: a@b.example\nSubject: x\n\n{CITY.address}/en/alerts/{exercise.alert.slug}/")
        sms(data, "x.txt", f"To: …678\n\nx {CITY.address}/alerts/{exercise.alert.slug}/")
        for path in ("mail/x.eml/", "sms/x.txt/"):
            found = body(client, path)
            assert 'class="desk is-exercise"' in found
            assert "ÜBUNG" in found
        assert "is-exercise" not in body(client, "mail/r.eml/")
        assert body(client).count("ÜBUNG") == 2


class TestPosts:
    """What channels in rehearsal recorded, on telephones."""

    @pytest.fixture
    def recorded(self, desk: None, settings: Any) -> None:
        settings.CHANNELS = {
            **settings.CHANNELS,
            "stage": {"adapter": "tests.desk.test_outbox.Stage", "label": "Bühne"},
        }

    def post(self, message: Message) -> None:
        for delivery in fanout.plan(message.pk):
            if delivery.site:
                jobs.deliver(delivery.pk)
        fanout.open_if_live(message.pk)
        jobs.deliver(Delivery.objects.get(message=message, channel="stage").pk)

    def test_real_ones_and_exercises_never_on_one_page(
        self, client: Client, recorded: None, anna: User, bert: User
    ) -> None:
        self.post(city.released(anna, bert))
        self.post(city.released(anna, bert, status=Status.EXERCISE))
        real, exercise = body(client, "posts/"), body(client, "posts/?show=exercises")
        assert "Bombenfund: Verlassen Sie das Gebiet" in real
        assert "is-exercise" not in real
        assert "ÜBUNG: Bombenfund" in exercise
        assert 'class="desk is-exercise"' in exercise
        assert "Verlassen Sie" not in exercise
        assert real.count("aufgezeichnet, nicht gesendet") == 2, "one in each language"

    def test_the_picture_goes_with_its_description_and_size(
        self, client: Client, recorded: None, anna: User, bert: User
    ) -> None:
        self.post(city.released(anna, bert))
        found = body(client, "posts/")
        assert f'src="/desk/cards/{"a" * 64}/" alt="Karte &lt;b&gt;" width="1080" height="1080" loading="lazy"' in found

    def test_hostile_payloads_run_nowhere(self, client: Client, recorded: None, anna: User, bert: User) -> None:
        message = city.released(anna, bert)
        self.post(message)
        PostRow.objects.update(data={"would_send": {"title": HOSTILE, "text": HOSTILE, HOSTILE: HOSTILE}})
        for path in ("outbox/posts/", f"alert/{message.alert.slug}/sent/1/"):
            found = client.get(f"/desk/{path}").content.decode()
            assert "<script>alert" not in found
            assert "<iframe" not in found

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"would_send": {}},
            {"would_send": {"picture": {"sha256": "../x"}}},
            {"would_send": {"payload": {"notification": "x"}}},
            {"would_send": {"text": "x" * 100_000}},
        ],
    )
    def test_a_payload_of_any_shape_can_be_read(
        self, client: Client, recorded: None, anna: User, bert: User, data: dict[str, Any]
    ) -> None:
        message = city.released(anna, bert)
        self.post(message)
        PostRow.objects.update(data=data)
        assert "Bühne" in body(client, "posts/")
        assert client.get(f"/desk/alert/{message.alert.slug}/sent/1/").status_code == 200

    def test_a_removed_channel_s_posts_stay_readable(
        self, client: Client, recorded: None, anna: User, bert: User, settings: Any
    ) -> None:
        message = city.released(anna, bert)
        self.post(message)
        settings.CHANNELS = {name: entry for name, entry in settings.CHANNELS.items() if name != "stage"}
        assert "stage" in body(client, "posts/")
        assert client.get(f"/desk/alert/{message.alert.slug}/sent/1/").status_code == 200

    def test_an_account_without_a_role_sees_none(self, page_of: Browser, recorded: None) -> None:
        assert page_of(city.officer("dora")).get("/desk/outbox/posts/").status_code == 403


class Stage(fakes.Commercial):
    """One that posts with a picture."""

    def compose(self, notice: Notice) -> Rendering:
        picture = {"sha256": "a" * 64, "alt": "Karte <b>", "width": 1080, "height": 1080}
        fields = {"text": f"{notice.headline} {notice.place}", "link": notice.url, "picture": picture}
        return Rendering(self.name, notice.language, fields)
