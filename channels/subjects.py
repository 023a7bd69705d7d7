"""Which message of an alert a line of the record is about, by what its subject says; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from alerts import alarms
from alerts.models import AuditEntry, Message

from .models import Delivery, Post, Retraction

DRAFT = re.compile(r"draft (\d+) of alert \d+|lapsed (\d+)")
OF_MESSAGE = re.compile(r"(?:message|site) (\d+)\b")
OF_DELIVERY = re.compile(r"(?:delivery|receipts) (\d+)")
OF_POST = re.compile(r"post (\d+)")
OF_RETRACTION = re.compile(r"retraction (\d+)")
OF_IDENTIFIER = re.compile(rf"(?:{alarms.BREAK_GLASS}|overdue |due )(.+)")


class Numbers:
    """Which message a line of the record is about, by its subject; 0 for none."""

    def __init__(
        self,
        messages: Sequence[Message],
        deliveries: Sequence[Delivery],
        posts: Sequence[Post],
        retractions: Sequence[Retraction],
    ) -> None:
        self.messages = {row.pk: row.number for row in messages}
        self.drafts = {row.draft_id: row.number for row in messages}
        self.identifiers = {row.identifier: row.number for row in messages}
        self.deliveries = {row.pk: self.messages.get(row.message_id, 0) for row in deliveries}
        self.posts = {row.pk: self.deliveries.get(row.delivery_id, 0) for row in posts}
        self.retractions = {row.pk: self.posts.get(row.post_id, 0) for row in retractions}

    def of(self, line: AuditEntry) -> int:
        if match := OF_IDENTIFIER.fullmatch(line.subject):
            return self.identifiers.get(match[1], 0)
        if match := DRAFT.fullmatch(line.subject):
            return self.drafts.get(int(match[1] or match[2]), 0)
        for pattern, known in (
            (OF_MESSAGE, self.messages),
            (OF_DELIVERY, self.deliveries),
            (OF_POST, self.posts),
            (OF_RETRACTION, self.retractions),
        ):
            if match := pattern.match(line.subject):
                return known.get(int(match[1]), 0)
        return 0
