"""A provider with a plain HTTP interface, at the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from channels.city.sms import Sms

from .wire import PATIENT, Answer, Asked, Wire, listening

CALLS = {"secret": "ein-langes-geheimnis", "header": "X-Signature"}


class PlainProvider:
    """``script``: number -> what its next requests meet; then it is taken."""

    def __init__(self, script: Mapping[str, Sequence[Answer]]) -> None:
        self.script = {number: list(answers) for number, answers in script.items()}
        self.texts: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Answer:
        said = json.loads(asked.body)
        script = self.script.get(said["to"])
        if script:
            return script.pop(0)
        self.texts[said["to"]] = said["text"]
        return Answer(200, {"messages": [{"id": f"m{len(self.texts)}", "status": "100"}]})


def entry(url: str, **options: Any) -> dict[str, Any]:
    """A gateway of ``channels.toml`` that leads to the server at ``url``."""
    usual: dict[str, Any] = {
        "kind": "http",
        "url": f"{url}/sms",
        "json": {"to": "{to}", "text": "{text}", "ref": "{id}"},
        "headers": {"X-Api-Key": "geheim-4711-token"},
        "id": "messages.0.id",
        "code": "messages.0.status",
        "accepted": [100],
        "meanings": {"202": "gone", "305": "later", "401": "misset", "500": "busy"},
        "callbacks": CALLS,
        "timeout": PATIENT,
    }
    return {**usual, **options}


def said(code: int) -> Answer:
    """An answer of 200 that says it went badly."""
    return Answer(200, {"messages": [{"status": code, "text": "+4915112345678 is not possible"}]})


@contextmanager
def over_http(
    script: Mapping[str, Sequence[Answer]] | None = None, **options: Any
) -> Iterator[tuple[Sms, PlainProvider, Wire]]:
    """The channel, its only gateway this provider, and what stands at the other end."""
    provider = PlainProvider(script or {})
    with listening(provider) as wire:
        channel = Sms("sms", address="https://warnung.leipzig.example", gateways=[entry(wire.url, **options)])
        try:
            yield channel, provider, wire
        finally:
            channel.close()
