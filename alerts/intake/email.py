"""The whole way of one stored mail: claimed, proved, carried out, answered; idempotent at every step.

A mail is *taken* (with its Message-ID, which the database lets only one have) in the transaction that uses
up its code, before anything is done; what is done is tied to it in the transaction that does it. So whoever
takes it over from a process that died goes on where that one stopped.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
import traceback
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import Error, IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from .. import alarms, audit, ports
from ..models import Alarm, Intake, IntakeState, IntakeWay
from . import acting, answers, orders, proof, store
from .job import Job, Lost
from .mail import Mail, Unreadable, read

log = logging.getLogger(__name__)

LEASE = dt.timedelta(minutes=2)
MOST_TRIES = 5
SOON = dt.timedelta(seconds=20)
NAMES_MAY_TAKE = dt.timedelta(hours=1)
"""So long a silent name server is waited for."""
ALARM = "intake"


def waiting() -> QuerySet[Intake]:
    """Mails that nobody is at."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=timezone.now())
    return Intake.objects.filter(free, way=IntakeWay.MAIL, done_at__isnull=True).order_by("pk")


def sweep(most: int = 100) -> int:
    """Take what waits, then send the answers that are owed; how many were taken. Upkeep and the gateway call this."""
    taken = sum(take(pk) for pk in waiting().values_list("pk", flat=True)[:most])
    answers.send_owed()
    return taken


def take(pk: int) -> bool:
    """Take one mail, unless another process is at it or it is done; whether this was the one."""
    lease = secrets.token_hex(16)
    until = timezone.now() + LEASE
    if waiting().filter(pk=pk).update(lease=lease, lease_until=until, tries=F("tries") + 1) != 1:
        return False
    intake = Intake.objects.select_related("officer", "draft").get(pk=pk)
    with override("de"):  # what is stored for officers is stored in the city's first language
        _take(intake)
    return True


def _take(intake: Intake) -> None:
    job = Job(intake)
    try:
        if intake.tries > MOST_TRIES:
            _give_up(job)
            return
        mail = _read(job)
        if mail is not None and (intake.state == IntakeState.TAKEN or _prove(job, mail)):
            acting.carry_out(job, mail)
    except Lost:
        log.info("intake %s: taken over by another process", intake.pk)
    except proof.LookAgain:
        _look_again(job)
    except Error:
        raise
    except Exception as error:  # noqa: BLE001  (tried again, then given up loudly)
        where = traceback.extract_tb(error.__traceback__)[-1]
        # its text could hold words of the mail
        log.error("intake %s: %s in %s, line %s", intake.pk, type(error).__name__, where.filename, where.lineno)
        job.put_off(SOON * intake.tries)


def _read(job: Job) -> Mail | None:
    try:
        return read(bytes(job.intake.raw or b""))
    except Unreadable as error:
        _ignore(job, str(error), tell=True)
        return None


def _prove(job: Job, mail: Mail) -> bool:
    """Whether this mail is an officer's, by all three checks; else what follows is done and written down."""
    intake = job.intake
    if mail.automatic or mail.sender == settings.INTAKE_ADDRESS.lower():
        _ignore(job, _machine(intake, mail))
        return False
    by = proof.officer(mail.sender)
    if by is None:
        _ignore(job, _("Its sender is no officer's address, or there is no telling who it is."), tell=True)
        return False
    if why := proof.unsigned(bytes(intake.raw or b""), mail.sender):
        _ignore(job, _("It claims an officer's address, but: {reason}").format(reason=why), tell=True)
        return False
    key = mail.message_id or f"sha256:{intake.sha256}"
    typed = orders.order(mail).code
    earlier = Intake.objects.filter(way=IntakeWay.MAIL, key=key, officer=by).exclude(pk=intake.pk)
    with transaction.atomic():
        came_before = earlier.filter(state=IntakeState.TAKEN).first()
        found = proof.code(by, typed, intake.received_at, again=came_before is not None)
        again = found.good and not _first(job, by, key)
        if again:
            words = _("This mail was taken already.")
            answer: answers.Answer | None = answers.plain(mail, words, came_before.draft if came_before else None)
            job.done(IntakeState.REFUSED, words, answer, officer=by, key=key)
        elif not found.good and came_before is not None:
            job.done(IntakeState.IGNORED, _("The same mail again."), officer=by, key=key)
        elif not found.good:
            answered = earlier.filter(state=IntakeState.REFUSED).exclude(reply="").exists()
            answer = None if answered else answers.wrong_code(mail, found.words)
            job.done(IntakeState.REFUSED, found.words, answer, officer=by, key=key)
            audit.record(None, "intake-refused", f"officer {by.get_username()}", mail=intake.pk, reason=found.words)
    return found.good and not again


def _first(job: Job, by: User, key: str) -> bool:
    """Make the mail ours; False where one with its Message-ID was taken before."""
    try:
        with transaction.atomic():
            job.mine(state=IntakeState.TAKEN, officer=by, key=key)
            audit.record(by, "intake-taken", f"mail {job.intake.pk}")
    except IntegrityError:
        job.intake.refresh_from_db()
        return False
    return True


def _machine(intake: Intake, mail: Mail) -> str:
    """What a mail that nobody typed is; a bounce of the e-mail channel is handed to it."""
    if mail.automatic == "bounce" and ports.bounce(bytes(intake.raw or b"")):
        return _("A mail of the e-mail channel came back; the channel knows.")
    return {
        "bounce": _("A mail that came back."),
        "auto-reply": _("An automatic reply."),
        "list": _("From a mailing list."),
    }.get(mail.automatic, _("A mail that goes round in circles."))


def _ignore(job: Job, words: str, *, tell: bool = False) -> None:
    """Nothing happens and nobody is answered; officers see it at the desk, with an alarm once an hour at most."""
    job.done(IntakeState.IGNORED, words)
    log.warning("intake %s: ignored", job.intake.pk)
    lately = Alarm.objects.filter(key=ALARM, raised_at__gt=timezone.now() - dt.timedelta(hours=1))
    if tell and not lately.exists():
        text = _("Somebody tried to use the mail gateway who could not prove to be an officer. Nothing happened.")
        alarms.sound(ALARM, text, link=f"{settings.ADDRESS}/desk/intakes/")


def _look_again(job: Job) -> None:
    intake = job.intake
    if timezone.now() - intake.arrived_at > NAMES_MAY_TAKE:
        words = _("Its signature could not be checked: the name server did not answer for an hour.")
        _ignore(job, words, tell=True)
    else:
        # not the mail's fault: this try does not count
        job.put_off(SOON, tries=intake.tries - 1)


def _give_up(job: Job) -> None:
    words = _("It could not be carried out after several tries. Read it at the desk.")
    answer = answers.fallen(job.intake) if job.intake.state == IntakeState.TAKEN else None
    job.done(IntakeState.REFUSED, words, answer)
    text = _("A mail to the gateway could not be carried out. Read it at the desk.")
    alarms.sound(f"intake {job.intake.pk}", text, link=f"{settings.ADDRESS}/desk/intakes/{job.intake.pk}/")


def again(pk: int, by: User) -> bool:
    """Have a mail taken once more that was ignored or refused; nothing of it counts as proved. Whether it will be.

    Codes are still judged as of when it came, and a mail that was carried out is never carried out twice.
    """
    with transaction.atomic():
        rows = Intake.objects.filter(
            pk=pk,
            way=IntakeWay.MAIL,
            state__in=[IntakeState.IGNORED, IntakeState.REFUSED],
            done_at__isnull=False,
            draft__isnull=True,
            raw__isnull=False,
        )
        fresh: dict[str, Any] = {
            "state": IntakeState.WAITING, "officer": None, "words": "", "reply": "", "reply_to": "",
            "answered_at": None, "done_at": None, "tries": 0, "lease": "", "lease_until": None,
        }  # fmt: skip
        if rows.update(**fresh) != 1:
            return False
        audit.record(by, "intake-again", f"mail {pk}")
    return True


def tidy() -> None:
    """Once a minute, by upkeep."""
    store.tidy()
