"""Push channels of tests, and a warning that they send."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from alerts.notice import Rendering
from channels.base import Outcome, Recipient
from channels.city.webpush import WebPush
from tests.channels.broadcasting import SLOTS, by_recipient
from tests.channels.contract import CITY, notices
from tests.channels.pushservice import Browser, PushService


def made(folder: Path, *services: PushService, **options: Any) -> WebPush:
    """A channel that may reach these services, and all that they hold on to."""
    folder.mkdir(exist_ok=True)
    together: dict[str, Any] = {"private_hosts": {}, "resolve": {}}
    for one in services:
        together["private_hosts"] |= one.options["private_hosts"]
        together["resolve"] |= one.options["resolve"]
    roots = folder / "roots.pem"
    roots.write_text("".join((one.folder / "ca.pem").read_text() for one in services))
    given = {**together, **({"ca_file": str(roots)} if services else {}), **options}
    return WebPush("webpush", keys_dir=str(folder / "keys"), city=CITY, **given)


def released(channel: WebPush) -> Rendering:
    """The German warning of ``contract``, composed and with its slots filled."""
    return replace(channel.compose(notices()[0]), slots=SLOTS)


def send(channel: WebPush, *browsers: Browser) -> list[Outcome]:
    """Send the warning to these, numbered from 1; their outcomes in the same order."""
    recipients = [Recipient(number, one.address) for number, one in enumerate(browsers, start=1)]
    return list(by_recipient(channel.send(released(channel), recipients, key="k")).values())
