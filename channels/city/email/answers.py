"""What a mail server's answer means for one recipient (RFC 5321 §4.2, RFC 3463)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from django.utils.translation import gettext as _

from channels.base import Outcome, Permanent

from .dialog import Answer

NO_MAILBOX = frozenset({"5.1.1", "5.1.6", "5.1.10"})
"""Enhanced codes that say there is nobody: unknown, moved away, a domain without mail (RFC 7505).

Not 5.1.2 (no such domain) nor 5.2.1 (mailbox off): a broken resolver and a sender that is slowed down
look the same, and residents must not be lost over them.
"""
UNKNOWN_USER = re.compile(
    rb"(no such|unknown|invalid) (user|recipient|mailbox|address)"
    rb"|(user|recipient|mailbox|address)( is)? (unknown|not found)|does(n't| not) exist|unbekannt",
    re.IGNORECASE,
)
"""How servers without enhanced codes put it."""
CODE = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})(?!\d)")
FEW = 5
"""So many may be refused alike in one go without the server being suspected."""


def outcomes(answers: Iterable[Answer]) -> Iterator[Outcome]:
    """Each answer as its recipient's outcome.

    A server that finds a great part of the town unknown is set up wrongly: its word removes nobody.
    Raises Permanent where it refuses everybody for a reason that lies with us.
    """
    told = list(answers)
    _suspect(told)
    gone = [answer.number for answer in told if nobody_there(answer.code, answer.text)]
    believed = len(gone) <= max(FEW, len(told) // 5)
    return (outcome(answer, believed=believed) for answer in told)


def outcome(answer: Answer, *, believed: bool = True) -> Outcome:
    """One recipient's outcome; ``believed`` whether "no such mailbox" removes the subscription."""
    code = answer.code
    if 200 <= code < 300:
        return Outcome(answer.number, "accepted")
    if code == 0:
        return Outcome(answer.number, "temporary", _unanswered(answer.step))
    shown = f"{code} {enhanced(answer.text)}".strip()
    if code < 500:
        words = _("The mail server wants to be asked again later ({code}).")
        return Outcome(answer.number, "temporary", words.format(code=shown))
    if nobody_there(code, answer.text):
        words = _("There is no such mailbox ({code}).")
        return Outcome(answer.number, "permanent", words.format(code=shown), gone=believed)
    return Outcome(answer.number, "permanent", _refusal(answer).format(code=shown))


def enhanced(text: bytes) -> str:
    """The enhanced status code at the start of a reply's text, or empty."""
    found = CODE.match(text)
    return found[1].decode() if found else ""


def nobody_there(code: int, text: bytes) -> bool:
    """Whether a refusal says that the address is none any more."""
    if code < 500:
        return False
    status = enhanced(text)
    if status:
        return status in NO_MAILBOX
    return code in {550, 551, 553} and bool(UNKNOWN_USER.search(text))


def _unanswered(step: str) -> str:
    if step == "silent":
        return _("The mail server did not answer in time.")
    if step == "late":
        return _("The mail server is slow: this one's turn comes with the next try.")
    return _("The mail server broke off before it had answered.")


def _refusal(answer: Answer) -> str:
    status = enhanced(answer.text)
    if answer.step == "mail":
        return _("The mail server refuses our sender address ({code}).")
    if status.startswith("5.7."):
        return _("The mail server refuses this by a rule of its own ({code}).")
    if status == "5.2.2":
        return _("The mailbox is full ({code}).")
    if answer.step == "rcpt":
        return _("The mail server refuses the address ({code}).")
    return _("The mail server refuses the mail ({code}).")


def _suspect(told: Sequence[Answer]) -> None:
    """Raise Permanent where every answer refuses our sender, our log-in, or that we send here at all."""
    if not told or not all(answer.code >= 500 for answer in told):
        return
    first = told[0]
    shown = f"{first.code} {enhanced(first.text)}".strip()
    if all(answer.step == "mail" for answer in told):
        if first.code in {530, 535, 538}:
            words = _("The mail server wants a log-in or encryption ({code}). Check EMAIL_URL and EMAIL_PASSWORD.")
        else:
            words = _("The mail server refuses our sender address ({code}). Check BELFRY_MAIL_FROM and bounce_address.")
        raise Permanent(words.format(code=shown))
    if len(told) > FEW and all(enhanced(answer.text).startswith("5.7.") for answer in told):
        words = _("The mail server takes no mail from us ({code}). Have it allow this host or log-in.")
        raise Permanent(words.format(code=shown))
