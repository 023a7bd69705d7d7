"""Officers who write mails, and a name server that only knows the test's domains."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.intake import proof
from tests import city

from . import senders as mails


@pytest.fixture
def gateway(quiet: None, districts: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.INTAKE_ADDRESS = mails.GATEWAY
    monkeypatch.setattr(proof, "resolve", mails.dns)


@pytest.fixture
def anna(gateway: None) -> mails.Officer:
    """An author."""
    return mails.Officer(city.officer("anna", "write_draft"))


@pytest.fixture
def bert(gateway: None) -> mails.Officer:
    """An approver."""
    return mails.Officer(city.officer("bert", "approve_draft"))
