"""Signing up over the city's real channels: what they write is what opens the door, and nothing leads inside."""

from __future__ import annotations

import json
import re
import socket
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from channels.models import Subscription
from channels.subscriptions import limits
from tests import city
from tests.channels.subscriptions.conftest import ADDRESS, NUMBER, browser, by_mail, path, push_wishes, wishes

pytestmark = pytest.mark.django_db


@pytest.fixture
def resident(db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The embedded set-up: mail and SMS are files. Whatever asks for a name or a connection fails the test."""
    settings.ADDRESS = ADDRESS
    settings.DATA = tmp_path
    settings.KEYS_DIR = tmp_path / "keys"
    settings.CHANNELS = {
        "website": {"adapter": "channels.city.website.Website"},
        "sms": {"adapter": "channels.city.sms.Sms", "rehearsal": False},
        "email": {"adapter": "channels.city.email.Email", "rehearsal": False},
        "webpush": {"adapter": "channels.city.webpush.WebPush", "rehearsal": False},
    }
    city.districts()
    limits.forget()

    def nobody(*arguments: Any, **_options: Any) -> Any:
        raise AssertionError("something was looked up on the network")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setattr(socket, "create_connection", nobody)
    return Client(enforce_csrf_checks=True)


def files(folder: Path) -> list[Path]:
    return sorted((one for one in folder.rglob("*") if one.is_file()), key=lambda one: one.stat().st_mtime)


def test_by_sms(resident: Client, tmp_path: Path) -> None:
    where = resident.post("/s/start/", wishes())["Location"]
    text = files(tmp_path / "sms")[-1].read_text()
    assert NUMBER not in text
    assert "Segments: 1 GSM-7" in text
    code = re.search(r"^\d{6}", text, re.MULTILINE)
    assert code is not None
    answer = resident.post(where, {"code": code[0]})
    own = answer["Location"].partition("?")[0]
    resident.post(own.replace("/manage/", "/test/"))
    link = re.search(rf"{ADDRESS}(/s/manage/[\w-]{{36}}/)", files(tmp_path / "sms")[-1].read_text())
    assert link is not None
    assert resident.get(link[1]).status_code == 200
    resident.post("/s/link/", {"address": NUMBER})
    assert "/s/manage/" in files(tmp_path / "sms")[-1].read_text()


def test_by_mail(resident: Client, tmp_path: Path) -> None:
    resident.post("/s/start/", by_mail())
    mail = message_from_bytes(files(tmp_path / "mail")[-1].read_bytes(), policy=policy.default)
    assert mail["To"] == "anna@example.org"
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        link = re.search(rf"{ADDRESS}/s/yes/[\w-]{{36}}/", body.get_content())
        assert link is not None, kind
        assert "Nordwest, Südost" in body.get_content()
    answer = resident.post(path(link[0]))
    assert answer.status_code == 303
    resident.post(answer["Location"].partition("?")[0].replace("/manage/", "/test/"))
    test = files(tmp_path / "mail")[-1].read_bytes()
    assert b"/s/manage/" in test.replace(b"=\r\n", b"").replace(b"=\n", b"")


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://127.0.0.1/x", "https://localhost/x", "https://169.254.169.254/latest/meta-data/", "https://[::1]/x",
        "https://[fd00::1]/x", "https://10.0.0.1/x", "https://2130706433/x", "https://evil.example/x",
        "https://fcm.googleapis.com.evil.example/x", "https://fcm.googleapis.com:8443/x", "https://127.0.0.1.nip.example/x",
        "https://fcm.googleapis.com@evil.example/x", "https://evil.example\\@fcm.googleapis.com/x", "ftp://fcm.googleapis.com/x",
    ],
)  # fmt: skip
def test_an_endpoint_that_leads_inside_or_to_strangers_is_refused(resident: Client, endpoint: str) -> None:
    body = json.dumps(push_wishes({**browser(), "endpoint": endpoint}))
    answer = resident.post("/s/push/", body, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert not Subscription.objects.exists()
