"""A CAP document that came with a mail, as what a draft begins with."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from ..content import Content
from ..people import Refused
from ..terms import MsgType
from . import capreading, geocodes
from .mail import Attachment, Mail

MIMES = {"application/cap+xml", "application/xml", "text/xml"}


@dataclass(frozen=True, slots=True)
class Attached:
    """``told``: what of it a draft can't carry, in plain words."""

    content: Content
    told: list[str]


def is_cap(one: Attachment) -> bool:
    """Whether it may be a CAP document, by its kind or its name."""
    return one.mime in MIMES or one.name.lower().endswith((".cap", ".cap.xml"))


def content(mail: Mail) -> Attached | None:
    """The content of the first CAP document of a mail. Raises Refused where it can't be taken."""
    found = [one for one in mail.attachments if is_cap(one)]
    if not found:
        return None
    try:
        document = capreading.read(found[0].body, languages=settings.CONTENT_LANGUAGES)
    except capreading.BadCap as error:
        faults = "\n".join(f"* {fault}" for fault in error.faults[:10])
        raise Refused(f"{_('The attached CAP document can not be taken:')}\n{faults}") from error
    settled, strange = geocodes.settled(document.content)
    told = [*document.left_out, *strange]
    if len(found) > 1:
        told.append(_("Only the first of the attached CAP documents was read."))
    if document.msg_type != MsgType.ALERT:
        told.append(_("The attached document changes an earlier alert. It began a new warning here; check that."))
    return Attached(settled, told)
