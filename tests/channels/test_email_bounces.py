"""What comes back: reports of several servers, plain words, holiday answers and forgeries."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError

from channels import fanout, jobs, receipts
from channels.base import Forged, Inbound, Receipt
from channels.city.email import bounces, verp
from channels.models import Delivery, Recipient, Subscription
from tests import city
from tests.channels.contract import SECRET
from tests.channels.test_email import email

BOUNCES = "bounces@leipzig.example"
OURS = verp.sender(BOUNCES, 4711, SECRET)
RETURNED = """Content-Description: Undelivered Message
Content-Type: message/rfc822

Return-Path: <{to}>
To: erika@example.org
From: warnung@leipzig.example
Subject: Extreme Gefahr
List-Unsubscribe: <https://warnung.leipzig.example/s/leave/x/>

Status: 5.1.1
550 5.1.1 this is what the alert said
"""


def raw(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def postfix(
    action: str = "failed", status: str = "5.1.1", diagnostic: str = "550 5.1.1 user unknown", to: str = OURS
) -> bytes:
    return raw(f"""Return-Path: <>
Received: by mail.leipzig.example (Postfix)
\tid 4AD3F2201; Fri, 13 Sep 2030 19:41:02 +0200 (CEST)
Date: Fri, 13 Sep 2030 19:41:02 +0200 (CEST)
From: MAILER-DAEMON@mail.leipzig.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4AD3F2201.1"

This is a MIME-encapsulated message.

--4AD3F2201.1
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mail.leipzig.example.

<erika@example.org>: host mx.example.org said: 550 5.1.1 (in reply to RCPT TO command)

--4AD3F2201.1
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.leipzig.example
X-Postfix-Queue-ID: 4AD3F2201
Arrival-Date: Fri, 13 Sep 2030 19:41:00 +0200 (CEST)

Final-Recipient: rfc822; erika@example.org
Original-Recipient: rfc822;erika@example.org
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.org
Diagnostic-Code: smtp; {diagnostic}

--4AD3F2201.1
{RETURNED.format(to=to)}
--4AD3F2201.1--
""")


def exchange(status: str = "5.1.10", diagnostic: str = "550 5.1.10 RESOLVER.ADR.RecipientNotFound") -> bytes:
    return raw(f"""From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@amt.example>
To: <{OURS}>
Date: Fri, 13 Sep 2030 17:41:30 +0000
Content-Type: multipart/report; report-type=delivery-status; boundary="_94a5_"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: de-DE
Subject: Unzustellbar: Extreme Gefahr
Auto-Submitted: auto-replied
MIME-Version: 1.0

--_94a5_
Content-Type: multipart/alternative; differences=Content-Type; boundary="_inner_"

--_inner_
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: base64

RmVobGVyIGJlaSBkZXIgTmFjaHJpY2h0ZW56dXN0ZWxsdW5n
--_inner_
Content-Type: text/html; charset="utf-8"

<html><b>550 5.7.1</b></html>
--_inner_--
--_94a5_
Content-Type: message/delivery-status

Reporting-MTA: dns;mx1.amt.example
Received-From-MTA: dns;mail.leipzig.example

Original-Recipient: rfc822;Erika@example.org
Final-Recipient: rfc822;Erika@example.org
Action: failed
Status: {status}
Diagnostic-Code: smtp;{diagnostic}

--_94a5_
Content-Type: message/rfc822

Return-Path: {OURS}
Subject: x

Body
--_94a5_--
""")


def gmail() -> bytes:
    return raw(f"""Delivered-To: {OURS}
Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>
To: {OURS}
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
X-Failed-Recipients: erika@example.org
MIME-Version: 1.0
Content-Type: multipart/report; boundary="000000000000c3"; report-type=delivery-status

--000000000000c3
Content-Type: multipart/related; boundary="000000000000c9"

--000000000000c9
Content-Type: multipart/alternative; boundary="000000000000c6"

--000000000000c6
Content-Type: text/plain; charset="UTF-8"

** Address not found **
--000000000000c6--
--000000000000c9
Content-Type: image/png; name="icon.png"
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--000000000000c9--
--000000000000c3
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.example
Arrival-Date: Fri, 13 Sep 2030 10:41:03 -0700 (PDT)

Final-Recipient: rfc822; erika@example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try
 550-5.1.1 double-checking the recipient's email address for typos or
 550 5.1.1 unnecessary spaces. - gsmtp
Last-Attempt-Date: Fri, 13 Sep 2030 10:41:03 -0700 (PDT)

--000000000000c3
{RETURNED.format(to=OURS)}
--000000000000c3--
""")


def qmail(reason: str) -> bytes:
    return raw(f"""Return-Path: <>
Delivered-To: {OURS}
From: MAILER-DAEMON@mx.example.org
To: {OURS}
Subject: failure notice

Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<erika@example.org>:
{reason}

--- Below this line is a copy of the message.

Return-Path: <{OURS}>
Subject: Status 5.1.1

No such user: what the alert said
""")


def exim() -> bytes:
    return raw(f"""Return-path: <>
Envelope-to: {OURS}
X-Failed-Recipients: erika@example.org
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.example.org>
To: {OURS}
Subject: Mail delivery failed: returning message to sender

A message that you sent could not be delivered to one or more of its recipients.

  erika@example.org
    mailbox is full: retry timeout exceeded

------ This is a copy of the message, including all the headers. ------

550 5.1.1 what the alert said
""")


def holiday(subject: str = "Automatische Antwort: Extreme Gefahr", machine: str = "erika@example.org") -> bytes:
    return raw(f"""Return-Path: <>
From: {machine}
To: {OURS}
Subject: {subject}
Auto-Submitted: auto-replied
X-Auto-Response-Suppress: All

Ich bin nicht da. In dringenden Fällen: 550 5.1.1
""")


def feedback() -> bytes:
    return raw(f"""From: <abuse@mail.example>
To: {OURS}
Subject: complaint
Content-Type: multipart/report; report-type=feedback-report; boundary="x"

--x
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1
Action: failed
Status: 5.1.1
--x--
""")


def read(message: bytes, to: str = "") -> tuple[str, bool] | None:
    found = bounces.read(message, SECRET, to)
    if found is None:
        return None
    assert found.recipient == 4711
    assert "@" not in found.words
    return found.state, found.gone


@pytest.mark.parametrize(
    ("message", "state", "gone"),
    [
        (postfix(), "failed", True),
        (postfix(status="5.1.6"), "failed", True),
        (postfix(status="5.1.10", diagnostic="556 5.1.10 null MX"), "failed", True),
        (postfix(status="5.1.2"), "failed", False),
        (postfix(status="5.4.4", diagnostic="host not found"), "failed", False),
        (postfix(status="5.2.2"), "failed", False),
        (postfix(status="5.7.1", diagnostic="550 5.7.1 5.1.1 is what they said"), "failed", False),
        (postfix(status="5.0.0", diagnostic="550 5.1.1 user unknown"), "failed", True),
        (postfix(status="5.0.0", diagnostic="550 no reason"), "failed", False),
        (postfix(status="4.4.1", diagnostic="connection timed out"), "failed", False),
        (postfix(action="delayed", status="4.4.1"), "accepted", False),
        (postfix(action="delivered", status="2.0.0"), "delivered", False),
        (postfix(action="relayed", status="2.0.0"), "accepted", False),
        (postfix(action="expanded", status="2.0.0"), "accepted", False),
        (postfix(action="FAILED", status="5.1.1 (bad mailbox)"), "failed", True),
        (exchange(), "failed", True),
        (exchange("5.0.0", "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup"), "failed", False),
        (exchange("5.1.0", "550 5.1.10 RESOLVER.ADR.RecipientNotFound"), "failed", True),
        (gmail(), "failed", True),
        (qmail("Sorry, no mailbox here by that name. (#5.1.1)"), "failed", True),
        (qmail("192.0.2.1 does not like recipient.\nRemote host said: 550 User unknown"), "failed", True),
        (qmail("Remote host said: 554 5.7.1 rejected"), "failed", False),
        (qmail("The mailbox is over its quota (#5.2.2)"), "failed", False),
        (exim(), "failed", False),
    ],
)
def test_a_bounce_is_understood(message: bytes, state: str, gone: bool) -> None:
    assert read(message) == (state, gone)


@pytest.mark.parametrize(
    "message",
    [
        holiday(),
        holiday("Undeliverable holiday"),
        holiday("Delivery failed?", machine="postmaster@example.org"),
        holiday().replace(b"Auto-Submitted: auto-replied\r\n", b""),
        feedback(),
        postfix(action="failure"),
        raw(f"From: erika@example.org\nTo: {OURS}\nSubject: Danke!\n\nIch bin wohlauf. No such user."),
        raw(f"To: {OURS}\n\n"),
        b"",
        b"\x00\xff" * 1000,
        raw(
            "Content-Type: multipart/report; boundary=x\n\n"
            + "--x\nContent-Type: multipart/mixed; boundary=x\n\n" * 200
        ),
    ],
    ids=range(11),
)
def test_what_is_no_bounce_says_nothing(message: bytes) -> None:
    assert read(message) is None


def test_only_the_report_is_believed_not_the_mail_that_it_returns() -> None:
    """An alert, or whoever writes into one, must not look like a bounce."""
    report = postfix()
    cut = report.replace(b"Content-Type: message/delivery-status", b"Content-Type: text/x-nothing")
    wrapped = cut.replace(b"Content-Type: message/rfc822\r\n\r\n", b"Content-Type: message/rfc822\r\n\r\n" + postfix())
    assert read(wrapped) in {None, ("failed", True)}
    assert read(holiday() + postfix()) is None


@pytest.mark.parametrize(
    "address",
    [
        "bounces+r3mv-0000000000000000@leipzig.example",
        OURS.replace("+r3mv-", "+r3mw-"),
        verp.sender(BOUNCES, 4711, "another secret"),
        f"{OURS}, {verp.sender(BOUNCES, 4712, SECRET)}",
        f"{verp.sender(BOUNCES, 4712, 'another secret')}, {OURS.replace('-', '-0')}",
    ],
)
def test_a_word_that_is_forged_or_points_at_two_changes_nothing(address: str) -> None:
    with pytest.raises(Forged) as refusal:
        bounces.read(postfix(to=address), SECRET)
    assert "@" not in str(refusal.value)


def test_what_only_looks_like_a_word_is_none() -> None:
    assert bounces.read(postfix(to=OURS[: OURS.index("-") + 1] + "g" * 16 + "@leipzig.example"), SECRET) is None


def test_the_mail_server_s_own_word_of_where_it_went_counts_before_the_headers() -> None:
    """Postfix's ``${original_recipient}``: what a header claims can be anybody's."""
    other = verp.sender(BOUNCES, 4712, SECRET)
    found = bounces.read(postfix(to="warnung@leipzig.example"), SECRET, OURS)
    assert found is not None
    assert found.recipient == 4711
    found = bounces.read(postfix(to=OURS), SECRET, other)
    assert found is not None
    assert found.recipient == 4712


def test_a_bounce_of_a_confirmation_is_of_nobody() -> None:
    assert read(postfix(to=BOUNCES)) is None


def test_capitals_on_the_way_make_no_difference() -> None:
    assert read(postfix(to=OURS.upper())) == ("failed", True)


@pytest.mark.parametrize("number", [1, 35, 36, 4711, 2**63 - 1])
def test_every_number_fits_into_a_local_part(number: int) -> None:
    """RFC 5321 §4.5.3.1.1: 64 characters."""
    address = verp.sender(BOUNCES, number, SECRET)
    assert len(address.partition("@")[0]) <= 64
    assert verp.recipients(address, SECRET) == ([number], False)


class TestHook:
    """The same through a call of the city's mail gateway."""

    @staticmethod
    def call(body: bytes, headers: Mapping[str, str], **options: str) -> list[Receipt]:
        channel = email(bounce_address=BOUNCES, **options)
        return list(channel.receive(Inbound("POST", "https://x.example/s/hooks/email/", headers, {}, body)))

    def test_a_bounce_is_taken_with_the_token(self) -> None:
        for name in ("Authorization", "authorization"):
            (found,) = self.call(postfix(), {name: "Bearer the-token"}, bounce_token="the-token")
            assert (found.recipient, found.state, found.gone) == (4711, "failed", True)
        assert self.call(holiday(), {"Authorization": "Bearer the-token"}, bounce_token="the-token") == []

    @pytest.mark.parametrize("given", [None, "Bearer x", "", "the-token", "Bearer the-tökën"])
    def test_without_it_nothing_is_read(self, given: str | None) -> None:
        headers = {} if given is None else {"Authorization": given}
        with pytest.raises(Forged):
            self.call(postfix(), headers, bounce_token="the-token")

    def test_without_a_token_in_the_settings_nobody_can_call(self) -> None:
        for given in ({}, {"Authorization": "Bearer "}):
            with pytest.raises(Forged):
                self.call(postfix(), given)

    def test_a_forged_word_is_refused(self) -> None:
        forged = postfix(to=verp.sender(BOUNCES, 4711, "another"))
        with pytest.raises(Forged):
            self.call(forged, {"Authorization": "Bearer the-token"}, bounce_token="the-token")


@pytest.mark.django_db
@pytest.mark.usefixtures("districts", "quiet")
class TestCommand:
    """``manage.py take_bounce`` as the mail server's pipe calls it."""

    @pytest.fixture
    def recipient(self, settings: Any, author: User, approver: User, monkeypatch: pytest.MonkeyPatch) -> Recipient:
        settings.CHANNELS = {
            "page": {"adapter": "tests.channels.fakes.Page"},
            "email": {"adapter": "channels.city.email.Email", "bounce_address": BOUNCES, "rehearsal": False},
        }
        for ring in ("ring_for", "ring_batches"):
            monkeypatch.setattr(jobs, ring, lambda _told: None)
        city.subscribe("email", "erika@example.org", "max@example.org")
        fanout.plan(city.released(author, approver).pk)
        delivery = Delivery.objects.get(channel="email")
        jobs.deliver(delivery.pk)
        first = Recipient.objects.filter(delivery=delivery).order_by("pk").first()
        assert first is not None
        return first

    def address(self, recipient: Recipient, settings: Any) -> str:
        return verp.sender(BOUNCES, recipient.pk, settings.SECRET_KEY)

    def pipe(self, monkeypatch: pytest.MonkeyPatch, message: bytes, *options: str) -> str:
        out = io.StringIO()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(message)))
        call_command("take_bounce", *options, stdout=out, stderr=out)
        return out.getvalue()

    def test_who_is_not_there_any_more_is_removed(
        self, recipient: Recipient, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = postfix(to=self.address(recipient, settings))
        assert "Written" in self.pipe(monkeypatch, message)
        recipient.refresh_from_db()
        assert recipient.state == Recipient.State.FAILED
        assert "5.1.1" in recipient.words
        assert not Subscription.objects.filter(pk=recipient.subscription).exists()
        assert Subscription.objects.count() == 1, "and nobody else"
        assert "nothing to change" in self.pipe(monkeypatch, message), "the same one again"

    def test_a_full_mailbox_stays_subscribed(
        self, recipient: Recipient, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        to = self.address(recipient, settings)
        self.pipe(monkeypatch, postfix(status="5.2.2", to="warnung@leipzig.example"), "--to", to, "--channel", "email")
        recipient.refresh_from_db()
        assert recipient.state == Recipient.State.FAILED
        assert Subscription.objects.count() == 2

    def test_what_is_none_of_ours_changes_nothing_and_is_no_error(
        self, recipient: Recipient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for message in (holiday(), postfix(to=verp.sender(BOUNCES, recipient.pk, "another")), b""):
            assert "ignored" in self.pipe(monkeypatch, message)
        assert Subscription.objects.count() == 2

    def test_a_database_that_is_away_has_the_mail_server_try_again(
        self, recipient: Recipient, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_args: Any) -> int:
            raise OperationalError

        monkeypatch.setattr(receipts, "take", away)
        with pytest.raises(CommandError) as raised:
            self.pipe(monkeypatch, postfix(to=self.address(recipient, settings)))
        assert raised.value.returncode == 75

    def test_a_channel_that_is_none_is_said(self, recipient: Recipient, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(CommandError, match="no such e-mail channel"):
            self.pipe(monkeypatch, b"", "--channel", "page")
