"""A CAP document that came with a mail, as what a draft begins with."""

from __future__ import annotations

from dataclasses import dataclass

from ..content import Content
from .mail import Attachment, Mail


@dataclass(frozen=True, slots=True)
class Attached:
    """``told``: what of it a draft can't carry, in plain words."""

    content: Content
    told: list[str]


def is_cap(one: Attachment) -> bool:
    return False


def content(mail: Mail) -> Attached | None:
    """The content of the first CAP document of a mail. Raises Refused where it can't be read."""
    return None
