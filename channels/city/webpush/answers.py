"""What a push service's answer, or its silence, means for one recipient."""

from __future__ import annotations

from dataclasses import dataclass

import pycurl
from django.utils.translation import gettext as _

from channels.base import Outcome

MOST_AFTER = 86_400.0
"""Seconds: no service is waited for longer."""
REST = 30.0
"""Seconds that a service in trouble is left alone where it does not say how long."""
TROUBLE = 50
"""After so many that were not taken in a row, a service is left alone."""

SILENT = (pycurl.E_OPERATION_TIMEDOUT,)
AWAY = (pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_CONNECT, pycurl.E_NO_CONNECTION_AVAILABLE)
UNTRUSTED = (pycurl.E_SSL_CONNECT_ERROR, pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE)
MALFORMED = (pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``status`` of HTTP or 0, ``error`` of libcurl or 0, ``after`` the seconds of Retry-After or 0.

    ``refused``: the address that the name resolved to must not be called.
    """

    status: int
    error: int = 0
    after: int = 0
    refused: bool = False

    @property
    def accepted(self) -> bool:
        # a status that came is what counts, even if the rest of the answer broke off
        return 200 <= self.status < 300

    @property
    def unreachable(self) -> bool:
        """Whether nothing came back at all, for a reason that is the service's and not this one request's."""
        return self.refused or (not self.status and self.error in {*SILENT, *AWAY, *UNTRUSTED})


TAKEN = Answer(201)


def outcome(recipient: int, answer: Answer) -> Outcome:
    """One recipient's result; words for officers in the active language, without address."""
    if answer is TAKEN or answer.accepted:
        return Outcome(recipient, "accepted")
    if answer.status >= 100:
        return _of_status(recipient, answer.status, float(answer.after))
    return _of_silence(recipient, answer)


def waits(recipient: int, seconds: float) -> Outcome:
    """A recipient whose service is left alone for now."""
    words = _("The push service does not take anything at the moment. It is tried again.")
    return Outcome(recipient, "temporary", words, after=seconds)


def _of_status(recipient: int, status: int, after: float) -> Outcome:
    if status in {404, 410}:
        words = _("The browser's subscription has ended ({status}).").format(status=status)
        return Outcome(recipient, "permanent", words, gone=True)
    if status in {408, 425, 429} or status >= 500:
        words = _("The push service answered {status}. It is tried again.").format(status=status)
        return Outcome(recipient, "temporary", words, after=min(after, MOST_AFTER) if after > 0 else None)
    if status in {401, 403}:
        # the subscription may be sound: nothing is removed (facts: VAPID mismatch, tell someone)
        words = _(
            "The push service does not accept the city's key ({status}). Check the clock of this machine, "
            "and whether the key for web push was replaced."
        )
    elif status == 413:
        words = _("The push service finds the message too long ({status}).")
    elif status == 400:
        words = _("The push service finds the subscription or the message malformed ({status}).")
    elif 300 <= status < 400:
        words = _("The push service sent us to another address ({status}), which is never followed.")
    else:
        words = _("The push service refused ({status}).")
    return Outcome(recipient, "permanent", words.format(status=status))


def _of_silence(recipient: int, answer: Answer) -> Outcome:
    if answer.refused:
        words = _("The push service's name leads into a network that must not be called.")
        return Outcome(recipient, "permanent", words)
    if answer.error in MALFORMED:
        return Outcome(recipient, "permanent", _("The push address is malformed."))
    if answer.error in SILENT:
        # it may have gone out; again does no harm, since its Topic takes the place of the first
        words = _("The push service gave no answer in time. It is tried again.")
    elif answer.error in AWAY:
        words = _("No connection to the push service. It is tried again.")
    elif answer.error in UNTRUSTED:
        words = _("The push service's certificate does not prove that it is the one. It is tried again.")
    else:
        words = _("The push service broke the connection off. It is tried again.")
    return Outcome(recipient, "temporary", words)
