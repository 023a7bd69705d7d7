"""The acceptance story on real data: Leipzig 2022, from draft to all-clear, on the city's page and feeds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import feedparser
import httpx
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from alerts import approval, audit, cap, drafting
from alerts.cap import rules
from alerts.models import Alert, Area, Message
from alerts.terms import Kind
from channels import jobs, registry
from channels.http import Http
from channels.models import Delivery, State
from channels.serving import Serve
from tests.story import STEPS, TOUCHED, Step, clock

pytestmark = [pytest.mark.django_db(transaction=True)]

ADDRESS = "https://warnung.leipzig.example"


@pytest.fixture
def folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, real_data: Path) -> Iterator[Path]:
    """The real districts, and a server of the public folder at the other end of the wire."""
    settings.PUBLIC_DIR = tmp_path / "public"
    settings.KEYS_DIR = tmp_path / "keys"
    settings.KEYS_DIR.mkdir()
    settings.ADDRESS = ADDRESS
    settings.CAP_SENDER = "warnung.leipzig.example"
    settings.ALERTS_RING = "tests.conftest.no_doorbell"
    served = Serve(_nothing, public=settings.PUBLIC_DIR, static=tmp_path)
    transport = httpx.WSGITransport(app=served)  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "Http", lambda: Http(transport=transport))
    registry.channel.cache_clear()
    call_command("make_keys", verbosity=0)
    areas = real_data / "areas"
    call_command("import_areas", str(areas / "leipzig-ortsteile.geojson"), tree=areas / "leipzig-stadtbezirke.json")
    yield tmp_path / "public"
    registry.channel.cache_clear()


def _nothing(_environ: Any, _start_response: Any) -> Any:
    raise AssertionError("a public page asked Django")


def say(step: Step, base: Message | None, author: User, approver: User) -> Message:
    """One step, by two officers, at the time of the story."""
    with clock(step.sent):
        draft = drafting.derive(base, step.kind, author) if base else drafting.new(author)
        draft = drafting.save(draft.pk, draft.version, step.content, author)
        draft = approval.submit(draft.pk, draft.version, author)
        message = approval.approve(draft.pk, draft.digest, approver)
        assert message is not None
        jobs.fan_out(message.pk)
        for delivery in Delivery.objects.filter(message=message, state=State.WAITING):
            jobs.deliver(delivery.pk)
    assert set(Delivery.objects.filter(message=message).values_list("state", flat=True)) == {State.DONE}
    message.refresh_from_db()
    assert message.live_at is not None
    return message


def test_leipzig_2022(folder: Path, author: User, approver: User) -> None:
    assert Area.objects.filter(active=True, children__isnull=True).count() == 63
    messages: list[Message] = []
    for number, step in enumerate(STEPS, start=1):
        messages.append(say(step, messages[-1] if messages else None, author, approver))
        slug = Alert.objects.get().slug
        page = (folder / "alerts" / slug / "index.html").read_text()
        # the newest first, the whole history below it
        headlines = [said.content.texts["de"].headline for said in STEPS[:number]]
        found = [page.index(headline) for headline in headlines[::-1]]
        assert found == sorted(found)
        for path in ("feeds/alerts.atom", "feeds/alerts.rss", "feeds/areas/Mitte.atom"):
            feed = feedparser.parse((folder / _found(folder, path)).read_bytes())
            assert not feed.bozo, path
            assert [message.identifier in entry.id for message, entry in zip(messages[::-1], feed.entries, strict=True)]
        live = json.loads((folder / "alerts.json").read_text())
        shapes = json.loads((folder / "alerts.geojson").read_text())
        assert len(live["alerts"]) == (0 if step.kind == Kind.ALL_CLEAR else 1)
        assert len(shapes["features"]) == len(live["alerts"])
    _documents(folder, messages)
    for message in messages:
        assert {row.area.name for row in message.areas.select_related("area")} == {d.name for d in TOUCHED}
    for language in ("en", "de-simple"):
        page = (folder / language / "alerts" / slug / "index.html").read_text()
        assert STEPS[-1].content.texts[language].headline in page
    index = (folder / "index.html").read_text()
    assert STEPS[0].content.texts["de"].headline not in index
    assert not list(audit.faults())


def _found(folder: Path, path: str) -> str:
    """A Stadtbezirk's feed, whatever its file is called in lower case."""
    wanted = path.lower()
    return next(
        str(file.relative_to(folder)) for file in folder.rglob("*.*") if str(file.relative_to(folder)).lower() == wanted
    )


def _documents(folder: Path, messages: list[Message]) -> None:
    """The four CAP documents: valid, signed, and each refers to all before it that still held and to the latest."""
    for number, message in enumerate(messages):
        file = folder / "cap" / f"{message.identifier}.xml"
        body = file.read_bytes()
        report = rules.faults(body)
        assert not report.errors
        assert not report.warnings
        document = cap.read(body)
        assert (document.msg_type, document.identifier) == (message.msg_type, message.identifier)
        assert [info.language for info in document.info] == ["de", "de-simple", "en"]
        referred = {reference.identifier: reference.sent for reference in document.references}
        earlier = {
            said.identifier: cap.read((folder / "cap" / f"{said.identifier}.xml").read_bytes())
            for said in messages[:number]
        }
        assert set(referred) == {
            said.identifier for said in messages[:number] if said.expires > message.sent or said is messages[number - 1]
        }
        for identifier, sent in referred.items():
            assert sent == cap.cap_time(earlier[identifier].sent), "a reference names the time letter by letter"
        done = subprocess.run(
            ["xmlsec1", "--verify", "--insecure", "--enabled-key-data", "x509", str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
