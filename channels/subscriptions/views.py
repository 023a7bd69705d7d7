"""The pages of signing up: the form, the code, the link of a mail."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.terms import Severity, ui_language

from ..city.subscribing import Ticks
from ..models import SignUp, Way
from . import addresses, answers, limits, service_texts, signing_up, tokens, ways, wishes
from .doors import client_of, door
from .telling import NotSent
from .wishes import Fault, Unfit, Wishes

FIELDS = {Way.SMS: "tel", Way.EMAIL: "mail"}
"""In which field of the form the address of a way is typed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form asks for, once it is sound."""

    way: str
    address: str
    wanted: Wishes


@door("GET", "POST")
def start(request: HttpRequest) -> HttpResponse:
    """The form, and its answer: 303 to where the code is asked for, the same for every address."""
    language = answers.language_of(request)
    if request.method != "POST":
        return _form(request, language, request.GET)
    try:
        asked = _read(request.POST, language)
    except Unfit as unfit:
        return _form(request, language, request.POST, status=422, faults=unfit.faults)
    return _begin(request, asked, language)


def _begin(request: HttpRequest, asked: Asked, language: str) -> HttpResponse:
    tell = True
    try:
        limits.send(asked.way, asked.address, client=client_of(request))
    except limits.TooMany as refusal:
        if refusal.telling:
            trouble = answers.wait(refusal)
            return answers.too_many(_form(request, language, request.POST, status=429, trouble=trouble), refusal)
        tell = False
    sign_up = signing_up.begin(asked.way, asked.address, asked.wanted, page=language)
    if tell:
        try:
            signing_up.send(sign_up)
        except NotSent:
            sign_up.delete()
            return _form(request, language, request.POST, status=503, trouble=answers.not_sent(asked.way))
    return answers.see(_confirm_address(sign_up))


def _read(form: QueryDict, language: str) -> Asked:
    """What the form asks for. Raises Unfit with every fault at once."""
    faults: list[Fault] = []
    if form.get("website"):
        faults.append(Fault("website", _("Leave this field empty: it catches programs that fill in everything.")))
    way, address = form.get("way", ""), ""
    try:
        address = _address(form, way)
    except Unfit as unfit:
        faults += unfit.faults
    try:
        wanted = wishes.of_form(form, page=language)
    except Unfit as unfit:
        raise Unfit(*faults, *unfit.faults) from unfit
    if faults:
        raise Unfit(*faults)
    return Asked(way, address, wanted)


def _address(form: QueryDict, way: str) -> str:
    """The address in a form, normalised. Raises Unfit."""
    if way == Way.PUSH:
        words = _("Push is switched on by the button of the page “Subscribe to warnings”. Without it: SMS or e-mail.")
        raise Unfit(Fault("way", words))
    if way not in FIELDS or way not in ways.offered():
        raise Unfit(Fault("way", _("Choose how we are to reach you.")))
    field = FIELDS[Way(way)]
    try:
        return addresses.normalised(way, form.get(field, ""))
    except addresses.BadAddress as error:
        raise Unfit(Fault(field, str(error))) from error


def _form(
    request: HttpRequest,
    language: str,
    given: QueryDict,
    *,
    status: int = 200,
    faults: tuple[Fault, ...] = (),
    trouble: str = "",
) -> HttpResponse:
    """The form with all that was typed."""
    topics = given.getlist("topic") if given.get("way") or "topic" in given else None
    ticked = Ticks(
        areas=given.getlist("area"),
        least=given.get("least", Severity.MODERATE.value),
        topics=topics,
        language=given.get("lang", language),
        tests=given.get("tests", "").lower() in wishes.YES,
    )
    return answers.page(
        request,
        "form",
        language,
        status=status,
        faults=faults,
        fault=answers.by_field(faults),
        trouble=trouble,
        offered=[way for way in ways.offered() if way in FIELDS],
        way=given.get("way", ""),
        tel=given.get("tel", "")[: addresses.LONGEST_TYPED],
        mail=given.get("mail", "")[: addresses.LONGEST_TYPED],
        **answers.choices(language, ticked),
    )


@door("GET", "POST")
def confirm(request: HttpRequest, word: str) -> HttpResponse:
    """Where the code is typed in; for mail, what to do now."""
    try:
        sign_up = signing_up.find(tokens.row("code", word))
    except (tokens.BadToken, signing_up.Gone):
        return answers.gone(request, answers.language_of(request))
    language = answers.language_of(request, signing_up.page_of(sign_up))
    with override(ui_language(language)):
        if request.method != "POST":
            return _ask_for_code(request, sign_up, language)
        if "again" in request.POST:
            return _again(request, sign_up, language)
        if sign_up.way != Way.SMS:
            return _ask_for_code(request, sign_up, language)
        return _try_code(request, sign_up, language)


def _try_code(request: HttpRequest, sign_up: SignUp, language: str) -> HttpResponse:
    typed = request.POST.get("code", "")
    if not typed.strip():
        fault = _("Type in the six digits of the SMS.")
        return _ask_for_code(request, sign_up, language, status=422, fault=fault)
    try:
        return answers.see(service_texts.own_path(signing_up.try_code(sign_up, typed).pk) + "?done=confirmed")
    except signing_up.WrongCode as wrong:
        fault = (
            _("This is another code than the one we sent. Look at the newest SMS of ours.")
            if wrong.left
            else _("This code does not hold any more. Have a new one sent to you.")
        )
        sign_up.tries += 1
        return _ask_for_code(request, sign_up, language, status=422, fault=fault)
    except signing_up.Gone:
        fault = _("This code does not hold any more. Have a new one sent to you.")
        return _ask_for_code(request, sign_up, language, status=422, fault=fault)
    except Unfit as unfit:
        return _form(request, language, QueryDict(), status=422, faults=unfit.faults)


def _again(request: HttpRequest, sign_up: SignUp, language: str) -> HttpResponse:
    """The same code or link once more; a new sign-up where the old one does not hold any more."""
    address = signing_up.address_of(sign_up)
    try:
        limits.again(sign_up.pk)
        limits.send(sign_up.way, address, client=client_of(request))
        sign_up = _renewed(sign_up, address, language)
    except limits.TooMany as refusal:
        if refusal.telling:
            response = _ask_for_code(request, sign_up, language, status=429, trouble=answers.wait(refusal))
            return answers.too_many(response, refusal)
    except NotSent:
        return _ask_for_code(request, sign_up, language, status=503, trouble=answers.not_sent(sign_up.way))
    except Unfit as unfit:
        return _form(request, language, QueryDict(), status=422, faults=unfit.faults)
    return answers.see(_confirm_address(sign_up) + "?done=again")


def _renewed(sign_up: SignUp, address: str, language: str) -> SignUp:
    """The sign-up whose code or link has just been sent: itself, or a new one in its place. Raises NotSent, Unfit."""
    if signing_up.holds(sign_up):
        signing_up.send(sign_up)
        return sign_up
    fresh = signing_up.begin(sign_up.way, address, signing_up.wishes_of(sign_up), page=language)
    try:
        signing_up.send(fresh)
    except NotSent:
        fresh.delete()
        raise
    sign_up.delete()
    return fresh


def _ask_for_code(
    request: HttpRequest, sign_up: SignUp, language: str, *, status: int = 200, fault: str = "", trouble: str = ""
) -> HttpResponse:
    return answers.page(
        request,
        "code" if sign_up.way == Way.SMS else "mailbox",
        language,
        status=status,
        hint=addresses.hint(sign_up.way, signing_up.address_of(sign_up)),
        holds=signing_up.holds(sign_up),
        minutes=service_texts.MINUTES,
        again=request.GET.get("done") == "again",
        fault=fault,
        trouble=trouble,
    )


@door("GET", "POST")
def yes(request: HttpRequest, word: str) -> HttpResponse:
    """The link of a mail: what will be subscribed, and a button. Opening it changes nothing, since scanners do."""
    try:
        sign_up = signing_up.find(tokens.row("confirm", word))
    except (tokens.BadToken, signing_up.Gone):
        return answers.gone(request, answers.language_of(request))
    language = answers.language_of(request, signing_up.page_of(sign_up))
    with override(ui_language(language)):
        if not signing_up.holds(sign_up):
            return answers.gone(request, language)
        try:
            if request.method == "POST":
                return answers.see(service_texts.own_path(signing_up.confirm(sign_up.pk).pk) + "?done=confirmed")
            wanted = signing_up.wishes_of(sign_up)
        except signing_up.Gone:
            return answers.gone(request, language)
        except Unfit as unfit:
            return _form(request, language, QueryDict(), status=422, faults=unfit.faults)
        return answers.page(
            request,
            "yes",
            language,
            hint=addresses.hint(sign_up.way, signing_up.address_of(sign_up)),
            summary=service_texts.summary(wanted, wishes.names(wanted)),
        )


def _confirm_address(sign_up: SignUp) -> str:
    return f"/s/confirm/{tokens.make('code', sign_up.pk)}/"
