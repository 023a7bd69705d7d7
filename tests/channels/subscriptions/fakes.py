"""A phone network, a mail server and a push service at the end of very short wires."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import ClassVar

from channels.base import Broadcaster, Forged, Inbound, Outcome, Receipt, Recipient, Reply, Service

told: dict[str, list[tuple[str, Service, Recipient]]] = defaultdict(list)
"""way -> what was sent: address, text, recipient."""
outcomes: dict[str, list[Outcome | Exception]] = defaultdict(list)
"""way -> what the next texts come to; accepted when nothing is left."""
refused: set[str] = set()
"""Push endpoints that lead nowhere good."""
SIGNATURE = "X-Fake-Signature"
SECRET = "geheim-4711"


def forget() -> None:
    told.clear()
    outcomes.clear()
    refused.clear()


class Wire(Broadcaster):
    """Takes every text. Its provider calls with JSON: ``{"replies": [[address, text]], "receipts": [[id, state]]}``."""

    city = True
    way: ClassVar[str] = ""

    def tell(self, service: Service, recipient: Recipient) -> Outcome:
        if outcomes[self.way]:
            outcome = outcomes[self.way].pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            if outcome.state != "accepted":
                return outcome
        told[self.way].append((recipient.address, service, recipient))
        return Outcome(recipient.id, "accepted")

    def receive(self, inbound: Inbound) -> Iterable[Receipt | Reply]:
        if inbound.headers.get(SIGNATURE) != f"{SECRET} {inbound.url}":
            raise Forged(self.name)
        told = json.loads(inbound.body)
        yield from (Reply(address, text) for address, text in told.get("replies", []))
        yield from (Receipt(state, remote_id) for remote_id, state in told.get("receipts", []))


class Phones(Wire):
    way = "sms"


class Mailboxes(Wire):
    way = "email"


class Browsers(Wire):
    way = "push"

    def check(self, address: str) -> None:
        if address.partition(" ")[0] in refused:
            raise ValueError("a host that is not on the list")
