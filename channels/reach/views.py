"""The public form "Did it reach you?": asked on an exercise's page, counted here, without script and cookie."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from alerts.models import Message
from alerts.notice import page_path
from alerts.terms import Status

from ..subscriptions import answers
from ..subscriptions.doors import door
from . import feedback


@door("GET", "POST")
def reached(request: HttpRequest, slug: str) -> HttpResponse:
    """The form by itself, and the count of one answer: 303 to thanks, so that loading it again counts nothing."""
    language = answers.language_of(request)
    message = feedback.asked_about(slug)
    if message is None:
        return answers.refused(request, 404, _("There is no exercise at this address."), language)
    if request.method != "POST" or not feedback.is_open(message):
        gone = request.method == "POST"
        return _page(request, message, language, status=410 if gone else 200, done="done" in request.GET)
    way, district = request.POST.get("way", ""), request.POST.get("district", "")
    try:
        feedback.answer(message, way, district)
    except feedback.Unfit as unfit:
        return _page(request, message, language, status=422, fault=str(unfit), way=way, district=district)
    return answers.see(f"/s/reached/{slug}/?done=1&page={language}")


def _page(
    request: HttpRequest,
    message: Message,
    language: str,
    *,
    status: int = 200,
    done: bool = False,
    fault: str = "",
    way: str = "",
    district: str = "",
) -> HttpResponse:
    slug = message.alert.slug
    return answers.page(
        request,
        "reached",
        language,
        status=status,
        exercise=True,
        test=message.alert.status == Status.TEST,
        slug=slug,
        back=page_path(slug, language, settings.CONTENT_LANGUAGES[0]),
        done=done,
        open=feedback.is_open(message),
        fault=fault,
        way=way,
        district=district,
    )
