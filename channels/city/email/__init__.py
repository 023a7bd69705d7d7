"""E-mail to each subscriber: one mail an address, over SMTP connections that stay open, or into a folder."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from email.utils import parseaddr
from pathlib import Path
from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from alerts.notice import City, Notice, Rendering
from channels.base import Broadcaster, Forged, Hop, Inbound, Outcome, Permanent, Receipt, Recipient, Service

from . import bounces, server, signing, verp, words
from .answers import outcomes
from .dialog import Mail
from .folder import Folder
from .smtp import Pool
from .template import ADDRESS, WORD, Letterhead, Template, multipart, stuffed

SHARE = 0.8
"""Of ``seconds``, what a checkpoint's sending may take; the rest is for what surrounds it."""
TELL_SECONDS = 8.0
"""For a service text: somebody waits for the page."""
BRISK = 1.0
"""Seconds that a checkpoint should take: so long may something more urgent have to wait for this one."""


class Email(Broadcaster):
    """Mail through the city's mail server: ``url`` and ``password``, or EMAIL_URL and EMAIL_PASSWORD.

    Without a server, each mail is a file below ``data_dir``/mail. ``bounce_address``
    (``bounces@city.example``) receives what comes back, with a word for each recipient after a plus
    sign (``take_bounce``), or by ``bounce_token`` at the hook's address. ``dkim_key`` (PEM),
    ``dkim_selector`` and ``dkim_domain`` sign here; leave them out where the mail server signs.
    ``authority``: a file with the certificates of one's own authority. ``pipelining = false`` for a
    server behind something that can't bear several commands at once.
    """

    city: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True
    way: ClassVar[str] = "email"
    personal: ClassVar[bool] = True
    hops: Sequence[Hop] = (
        Hop(gettext_noop("residents' mail providers in the EU"), "eu"),
        Hop(gettext_noop("residents' mail providers abroad (Gmail, Outlook, iCloud …)"), "abroad"),
    )
    seconds: ClassVar[float] = 30.0
    most: ClassVar[int] = 500

    def __init__(
        self,
        name: str,
        *,
        address: str,
        city: City,
        data_dir: str,
        mail_from: str,
        mail_url: str = "",
        mail_password: str = "",
        signing_secret: str = "",
        url: str = "",
        password: str = "",
        connections: int = 8,
        timeout: float = 20.0,
        pipelining: bool = True,
        bounce_address: str = "",
        bounce_token: str = "",
        dkim_key: str = "",
        dkim_selector: str = "",
        dkim_domain: str = "",
        authority: str = "",
    ) -> None:
        super().__init__(name)
        sender = parseaddr(mail_from)[1]
        if not ADDRESS.fullmatch(sender) or not mail_from.isprintable():
            raise ValueError("BELFRY_MAIL_FROM is no mail address")
        if bounce_address and not ADDRESS.fullmatch(bounce_address):
            raise ValueError("bounce_address is no mail address")
        if len(bounce_address.rpartition("@")[0]) > verp.ROOM:
            raise ValueError(f"bounce_address has at most {verp.ROOM} characters before its @: a word is added there")
        if bounce_address and not signing_secret:
            raise ValueError("bounce_address needs signing_secret")
        if not 1 <= connections <= 50:
            raise ValueError("connections is a number from 1 to 50")
        if not 0 < timeout < self.seconds * SHARE:
            raise ValueError(f"timeout is a number of seconds below {self.seconds * SHARE:.0f}")
        self.checkpoint = self.most
        self._address = address
        self._secret = signing_secret
        self._bounce_token = bounce_token
        self._bounces = bounce_address
        self._envelope = bounce_address or sender
        self._head = Letterhead(
            mail_from,
            sender.rpartition("@")[2],
            city.name,
            address,
            signing.load(dkim_key, dkim_selector, dkim_domain),
        )
        self._folder = Folder(Path(data_dir) / "mail")
        self._pool: Pool | None = None
        where = url or mail_url
        if where:
            found = server.parse(where, password if url else mail_password, server.hello(address))
            context = ssl.create_default_context(cafile=authority) if authority else None
            self._pool = Pool(found, connections=connections, timeout=timeout, pipelining=pipelining, context=context)
        self._made: tuple[Rendering, Template] | None = None

    def compose(self, notice: Notice) -> Rendering:
        """Subject, plain text and HTML, word for word; PLACE stands where each resident's own link goes."""
        return Rendering(self.name, notice.language, words.alert(notice, self._address))

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        """The subject line alone: of a mail's text there is no end."""
        return len(rendering.fields["subject"]), words.SUBJECT

    def send(self, rendering: Rendering, recipients: Sequence[Recipient], *, key: str) -> Iterable[Outcome]:
        """One mail to each. A second try has the same Message-ID; nothing is told before the server has answered."""
        try:
            template = self._template(rendering)
        except (KeyError, ValueError) as error:
            raise Permanent(_("The approved text can't be made into a mail: {reason}").format(reason=error)) from error
        good = [one for one in recipients if ADDRESS.fullmatch(one.address) and WORD.fullmatch(one.token)]
        fit = {one.id for one in good}
        for one in recipients:
            if one.id not in fit:
                yield Outcome(one.id, "permanent", _("No mail can be sent to an address like this."))
        if not good:
            return
        if self._pool is None:
            yield from self._into_folder(template, good)
            return
        started = time.monotonic()
        answers = self._pool.send(self._mails(template, good), len(good), seconds=self.seconds * SHARE)
        yield from outcomes(answers)
        self._pace(len(good), time.monotonic() - started)

    def tell(self, service: Service, recipient: Recipient) -> Outcome:
        """Mail a fixed service text now. The same text to the same address has the same Message-ID."""
        if not ADDRESS.fullmatch(recipient.address):
            return Outcome(recipient.id, "permanent", _("No mail can be sent to an address like this."))
        said = words.service(service)
        seed = f"{service.name}\n{recipient.address}\n{said['text']}"
        mark = hmac.digest(self._secret.encode(), seed.encode(), "sha256").hex()[:32]
        message = self._head.headers(said["subject"], service.language, dt.datetime.now(dt.UTC))
        message["To"] = recipient.address
        message["Message-ID"] = f"<{mark}@{self._head.domain}>"
        body, boundary = multipart(said["text"], said["html"])
        data = self._head.assembled(message, body, boundary)
        if self._pool is None:
            self._folder.write(f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{mark[:12]}", data)
            return Outcome(recipient.id, "accepted")
        mail = Mail(recipient.id, self._envelope.encode(), recipient.address.encode(), stuffed(data))
        return next(iter(outcomes(self._pool.send([mail], 1, seconds=TELL_SECONDS))))

    def receive(self, inbound: Inbound) -> Iterable[Receipt]:
        """A bounce as the body of a call (message/rfc822) whose ``Authorization`` is ``Bearer`` and bounce_token."""
        given = next((value for name, value in inbound.headers.items() if name.lower() == "authorization"), "")
        if not self._bounce_token or not hmac.compare_digest(given.encode(), f"Bearer {self._bounce_token}".encode()):
            raise Forged(self.name)
        found = self.bounced(inbound.body)
        return [found] if found else []

    def bounced(self, raw: bytes, to: str = "") -> Receipt | None:
        """What a returned mail says (``bounces.read``). Raises Forged."""
        return bounces.read(raw, self._secret, to) if self._bounces else None

    def probe(self) -> str:
        """Connect to the mail server and log in, or look whether the folder can be written to."""
        if self._pool is None:
            self._folder.look()
            return _("No mail server is set: mails are written to a folder.")
        self._pool.look()
        return _("The mail server answers.")

    def close(self) -> None:
        """Let the connections go."""
        if self._pool is not None:
            self._pool.close()

    def _template(self, rendering: Rendering) -> Template:
        """The template of a rendering; the last one is kept, since a batch asks for it again and again."""
        made = self._made
        if made is None or made[0] != rendering:
            made = self._made = rendering, self._head.of_alerts(rendering.fields, rendering.slots)
        return made[1]

    def _mails(self, template: Template, recipients: Iterable[Recipient]) -> Iterator[Mail]:
        for one in recipients:
            data = template.mail(one.id, one.address, one.token)
            sender = verp.sender(self._bounces, one.id, self._secret) if self._bounces else self._envelope
            yield Mail(one.id, sender.encode(), one.address.encode(), data)

    def _into_folder(self, template: Template, recipients: Iterable[Recipient]) -> Iterator[Outcome]:
        for one in recipients:
            name = hashlib.sha256(template.message_id(one.id).encode()).hexdigest()[:24]
            self._folder.write(name, template.mail(one.id, one.address, one.token, wire=False))
            yield Outcome(one.id, "accepted")

    def _pace(self, count: int, spent: float) -> None:
        """Fit the next checkpoint to the server's speed: a slow one must not hold up what is more urgent."""
        if count >= self.checkpoint or spent > BRISK:
            self.checkpoint = max(10, min(self.most, round(count / max(spent, 0.001) * BRISK)))
