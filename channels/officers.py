"""Mail and SMS to officers, sent here and now, without RQ: alarms to the roster, calls to whom a draft concerns."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused

import phonenumbers
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.utils.translation import get_language, override

from alerts.models import Profile
from alerts.ports import Words

from .base import Broadcaster, ChannelError, Recipient, Service, Uncertain
from .city.sms.text import GSM7, encoding, plain
from .city.sms.wording import fitted
from .models import Way
from .subscriptions import ways
from .subscriptions.addresses import REGION

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Texts under way to a gateway at a time."""
AUTOMATIC = {"Auto-Submitted": "auto-generated"}  # RFC 3834: no holiday answers


# Alarms


def notify(subject: str, body: str, *, approvers: bool = False, only: Sequence[str] = ()) -> None:
    """Mail an alarm (``alerts.ports.Notify``): to BELFRY_ROSTER, else to every active officer with an address.

    With ``approvers``, to all who may approve as well; with ``only``, to these and nobody else. Raises
    OSError (smtplib's errors are such) where the mail server does not take it.
    """
    told = set(only or settings.ROSTER or _officers().exclude(email="").values_list("email", flat=True))
    if approvers:
        told |= set(_approvers().exclude(email="").values_list("email", flat=True))
    good = {address for address in told if _is_address(address)}
    if len(good) < len(told):
        log.error("%d addresses of officers or of BELFRY_ROSTER are none; the others are told", len(told) - len(good))
    if good:
        EmailMessage(subject, body, to=[settings.DEFAULT_FROM_EMAIL], bcc=sorted(good), headers=AUTOMATIC).send()


def text(words: str, link: str, *, approvers: bool = False) -> int:
    """Text an alarm (``alerts.ports.Text``): to BELFRY_ROSTER_PHONES; without any roster, to every active officer.

    With ``approvers``, to all who may approve as well. Raises OSError where no gateway took one now.
    """
    channel = _sms()
    if channel is None:
        return 0
    typed = list(settings.ROSTER_PHONES)
    if not (settings.ROSTER or settings.ROSTER_PHONES):
        typed += _typed(_officers()).values()
    if approvers:
        typed += _typed(_approvers()).values()
    found = [_number(one) for one in typed]
    numbers = set(filter(None, found))
    if not all(found):
        log.error("%d phones of officers or of BELFRY_ROSTER_PHONES are none; the others are told", found.count(""))
    said = _service(words, link)
    states = [state for _place, state in _by_sms(channel, list(enumerate(sorted(numbers))), said)]
    if "told" not in states and (len(states) < len(numbers) or "later" in states):
        raise ConnectionError("no SMS gateway took a text")
    return states.count("told")


# Calls


def call(way: str, officers: Sequence[int], words: Words) -> Generator[tuple[int, str], None, None]:
    """Tell these officers by ``sms`` or ``mail`` (``alerts.ports.Call``)."""
    known = User.objects.in_bulk(officers)
    there = [known[pk] for pk in officers if pk in known]
    if way == "mail":
        addressed = [(user.pk, user.email) for user in there if _is_address(user.email)]
        yield from _without(officers, addressed)
        yield from _by_mail(addressed, words)
        return
    channel = _sms()
    typed = _typed(User.objects.filter(pk__in=officers)) if channel else {}
    numbers = [(user.pk, number) for user in there if (number := _number(typed.get(user.pk, "")))]
    yield from _without(officers, numbers)
    if channel and numbers:
        yield from _by_sms(channel, numbers, _service(words.subject, words.link))


def _without(officers: Sequence[int], addressed: Sequence[tuple[int, str]]) -> Iterable[tuple[int, str]]:
    """Those who have no address of this way."""
    with_one = {pk for pk, _address in addressed}
    return [(pk, "never") for pk in officers if pk not in with_one]


def _by_mail(addressed: Sequence[tuple[int, str]], words: Words) -> Generator[tuple[int, str], None, None]:
    """A mail of his own to each, over one connection; ends where the server does."""
    if not addressed:
        return
    connection = get_connection()
    try:
        connection.open()
        for pk, address in addressed:
            mail = EmailMessage(words.subject, words.body, to=[address], headers=AUTOMATIC, connection=connection)
            try:
                mail.send()
            except (SMTPRecipientsRefused, SMTPDataError) as error:
                yield pk, _refusal(error)
            except ValueError:  # an address that looks like one and can't be written into a header
                yield pk, "never"
            else:
                yield pk, "told"
    except OSError as error:  # smtplib's errors and sockets' are OSError
        log.warning("mail to officers failed: %s", type(error).__name__)
    finally:
        try:
            connection.close()
        except OSError as error:
            log.warning("mail to officers: the connection did not end well: %s", type(error).__name__)


def _refusal(error: SMTPException) -> str:
    """Whether the server refused this one for good or for now."""
    if isinstance(error, SMTPRecipientsRefused):
        codes = [code for code, _words in error.recipients.values()]
    else:
        codes = [error.smtp_code] if isinstance(error, SMTPDataError) else []
    return "never" if codes and all(code >= 500 for code in codes) else "later"


def _by_sms(
    channel: Broadcaster, numbers: Sequence[tuple[int, str]], said: Service
) -> Generator[tuple[int, str], None, None]:
    """A text to each, some at a time; none is begun once the gateways have put off several in a row."""
    tongue = get_language()

    def tell(pk: int, number: str) -> str:
        with override(tongue):
            return _tell(channel, said, pk, number)

    waiting = list(reversed(numbers))
    running: dict[Future[str], int] = {}
    put_off = 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="officers") as pool:
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                pk, number = waiting.pop()
                running[pool.submit(tell, pk, number)] = pk
            done, _pending = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                pk, state = running.pop(future), future.result()
                put_off = put_off + 1 if state == "later" else 0
                if put_off >= AT_ONCE:
                    waiting.clear()
                yield pk, state


def _tell(channel: Broadcaster, said: Service, pk: int, number: str) -> str:
    """What became of one text. One that may have gone out is not sent again and does not count as told."""
    try:
        outcome = channel.tell(said, Recipient(pk, number))
    except Uncertain as error:
        log.warning("%s: text to an officer: %s", channel.name, error)
        return "never"
    except ChannelError as error:
        log.warning("%s: text to an officer: %s", channel.name, error)
        return "later"
    return {"accepted": "told", "temporary": "later"}.get(outcome.state, "never")


def _sms() -> Broadcaster | None:
    """The city's own channel for SMS; None where there is none, where it is in rehearsal, or where it is not wished."""
    found = ways.broadcaster(Way.SMS) if settings.OFFICER_SMS else None
    return found[1] if found else None


def _service(words: str, link: str) -> Service:
    """One segment of GSM-7: words are cut, never the link; without it where it leaves no room for words."""
    said = "".join(letter for letter in plain(words) if encoding(letter) == GSM7)
    try:
        whole = fitted(said, link, 1)
    except ValueError:
        return Service("officer", get_language() or "", "", fitted(said, "", 1))
    return Service("officer", get_language() or "", "", whole.removesuffix(link).rstrip(), link)


def _officers() -> QuerySet[User]:
    return User.objects.filter(is_active=True, is_staff=True)


def _approvers() -> QuerySet[User]:
    return User.objects.with_perm(
        "alerts.approve_draft", include_superusers=False, backend="alerts.desk.people.OfficerBackend"
    )


def _typed(officers: QuerySet[User]) -> dict[int, str]:
    """The phones that officers gave, by officer."""
    return dict(Profile.objects.filter(officer__in=officers).exclude(phone="").values_list("officer", "phone"))


def _number(typed: str) -> str:
    """A phone number as E.164; empty where it is none."""
    if any(letter.isalpha() for letter in typed):
        return ""  # they would be taken for the digits on their keys
    try:
        number = phonenumbers.parse(typed, REGION)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def answer(to: str, subject: str, body: str, *, key: str, answers: str = "") -> None:
    """Mail an answer to what an officer wrote to the gateway (``alerts.ports.Mail``).

    It says that a machine wrote it and, over SMTP, has an empty return path: two machines that answer each
    other would never stop (RFC 3834).
    """
    if not _is_address(to):
        log.error("an officer's address is none: he gets no answer")
        return
    host = settings.INTAKE_ADDRESS.rpartition("@")[2]
    headers = {
        "Message-ID": f"<{key}@{host}>",
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
    }
    if answers:
        headers |= {"In-Reply-To": answers, "References": answers}
    mail = EmailMessage(subject, body, from_email=settings.INTAKE_ADDRESS, to=[to], headers=headers)
    connection = get_connection()
    if not isinstance(connection, EmailBackend):
        connection.send_messages([mail])
        return
    connection.open()
    try:
        if connection.connection is not None:
            raw = mail.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
            connection.connection.sendmail("", [to], raw)
    finally:
        connection.close()


def _is_address(address: str) -> bool:
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True
