"""LinkedIn: posts of the city's page by the Posts API, each message a post of its own.

Source: learn.microsoft.com/linkedin/marketing/community-management/shares (posts-api, images-api,
little-text-format). The token lives 60 days; it needs w_organization_social, and to count followers and
find posts again r_organization_social.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from django.utils.translation import gettext as _

from alerts.notice import Notice, Rendering
from channels.base import ChannelError, Hop, Permanent, Post, Publisher, Temporary, Uncertain
from channels.http import Http, check
from channels.teasers import teaser

log = logging.getLogger(__name__)

WHAT = "LinkedIn"
VERSION = "202610"
LIMIT = 3000
"""Characters of a post's text. Whether the backslashes count is not said: they are counted here."""
ALT = 4086
"""Characters of a picture's description."""
PAGE = 50
"""Posts that a look-up reads."""
SLACK = dt.timedelta(minutes=2)
"""By so much LinkedIn's clock may run behind ours."""
READY, BROKEN = "AVAILABLE", "PROCESSING_FAILED"
RESERVED = re.compile(r"[\\|{}@\[\]()<>#*_~]")
"""Characters of the "little" format: at the first one without a backslash the text ends, without an error."""
ADDRESS = re.compile(r"https?://\S+")
IN_ADDRESS = re.compile(r"[\\|{}\[\]()<>*]")
"""Those that may not stand bare in an address either, where a backslash would break it."""
URN = re.compile(r"urn:li:(?:share|ugcPost):\d+")


class LinkedIn(Publisher):
    """Posts as ``organization`` (its number).

    ``version`` is the API's month (YYYYMM), which LinkedIn retires after about a year; ``token_until`` the
    day on which the token ends; ``patience`` the seconds that a picture may take, ``pace`` those between two
    looks at it.
    """

    seconds = 45.0
    hops = (Hop("LinkedIn (Microsoft)", "abroad"),)
    pictures = ("wide",)

    def __init__(
        self,
        name: str,
        *,
        http: Http,
        organization: str | int,
        token: str,
        token_until: str = "",
        version: str = VERSION,
        languages: Sequence[str] = (),
        server: str = "https://api.linkedin.com",
        patience: float = 4.0,
        pace: float = 1.0,
    ) -> None:
        super().__init__(name)
        if not re.fullmatch(r"\d{6}", version):
            raise ValueError('"version" is written YYYYMM')
        if not re.fullmatch(r"\d+", str(organization)):
            raise ValueError('"organization" is the number of the page')
        self.http = http
        self.languages = tuple(languages)
        self.author = f"urn:li:organization:{organization}"
        self.patience, self.pace = patience, pace
        self._base = f"{server.rstrip('/')}/rest"
        self._until = _end_of(token_until)
        self._bearer = {"Authorization": f"Bearer {token.strip()}"}
        self._headers = self._bearer | {"LinkedIn-Version": version, "X-Restli-Protocol-Version": "2.0.0"}

    def compose(self, notice: Notice) -> Rendering:
        fields: dict[str, Any] = {"text": teaser(notice, LIMIT, size)}
        if picture := notice.picture("wide"):
            fields["picture"] = picture
        return Rendering(self.name, notice.language, fields)

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return size(str(rendering.fields["text"])), LIMIT

    def begin(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Mapping[str, Any]:
        """The picture, uploaded. A picture that fails keeps nobody silent: the words go without it."""
        card = rendering.fields.get("picture")
        body = rendering.pictures.get(card["sha256"]) if card else None
        if not card or body is None or "image" in rendering.begun:
            return rendering.begun
        try:
            return {"image": self._uploaded(body)}
        except ChannelError as error:
            log.warning("%s: the picture is left out: %s", self.name, error)
            return {}

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        sent: dict[str, Any] = {
            "author": self.author,
            "commentary": escaped(rendering.fields["text"]),
            "visibility": "PUBLIC",
            "distribution": {
                "feedDistribution": "MAIN_FEED",
                "targetEntities": [],
                "thirdPartyDistributionChannels": [],
            },
            "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": False,
        }
        if image := rendering.begun.get("image"):
            sent["content"] = {"media": {"id": image, "altText": rendering.fields["picture"]["alt"][:ALT]}}
        answer = self._ask("POST", "posts", puts_out=True, json=sent)
        if "content" in sent and answer.status_code in {400, 422} and not _duplicate(answer):
            log.warning("%s: LinkedIn refuses the post with its picture: it goes without", self.name)
            answer = self._ask("POST", "posts", puts_out=True, json={k: v for k, v in sent.items() if k != "content"})
        if _duplicate(answer):
            return self._standing(answer.text)
        _refuse(answer, puts_out=True)
        remote_id = answer.headers.get("x-restli-id", "")
        if not URN.fullmatch(remote_id):
            raise Uncertain(_unreadable())
        return _post(remote_id)

    def look_up(
        self, rendering: Rendering, *, key: str, since: dt.datetime, reply_to: Post | None = None
    ) -> Post | None:
        """By its words among the page's newest posts."""
        said = _bare(rendering.fields["text"])
        asked = {"q": "author", "author": self.author, "count": str(PAGE), "sortBy": "CREATED"}
        try:
            rows = self._object("GET", "posts", params=asked, method="FINDER").get("elements")
        except Permanent as error:
            raise Uncertain(str(error)) from error
        if not isinstance(rows, list):
            raise Temporary(_unreadable())
        oldest = since - SLACK
        posts = [row for row in rows if isinstance(row, dict)]
        for row in posts:
            text, remote_id = row.get("commentary"), row.get("id")
            if not isinstance(text, str) or not isinstance(remote_id, str) or not URN.fullmatch(remote_id):
                continue
            if _bare(unescaped(text)) == said and _time(row) >= oldest:
                return _post(remote_id)
        if len(rows) >= PAGE and all(_time(row) >= oldest for row in posts):
            raise Uncertain(_("LinkedIn shows too many posts to find this one: look at the page yourself."))
        return None

    def retract(self, post: Post) -> None:
        """A post that is gone already counts as taken back."""
        answer = self._ask("DELETE", f"posts/{quote(post.remote_id, safe='')}", method="DELETE")
        if answer.status_code != 404:
            _refuse(answer, puts_out=False)

    def probe(self) -> str:
        number = self.author.rpartition(":")[2]
        name = self._object("GET", f"organizations/{number}").get("localizedName")
        if not isinstance(name, str):
            raise Temporary(_unreadable())
        return _("Posts as “{name}”.").format(name=name)

    def valid_until(self) -> dt.datetime | None:
        return self._until

    def audience(self) -> int | None:
        asked = {"edgeType": "COMPANY_FOLLOWED_BY_MEMBER"}
        count = self._object("GET", f"networkSizes/{quote(self.author, safe='')}", params=asked).get("firstDegreeSize")
        return count if isinstance(count, int) else None

    def _uploaded(self, body: bytes) -> str:
        """The URN of a picture that LinkedIn has taken. Raises Temporary, Permanent."""
        asked = {"initializeUploadRequest": {"owner": self.author}}
        value = self._object("POST", "images", params={"action": "initializeUpload"}, json=asked).get("value")
        value = value if isinstance(value, dict) else {}
        image, address = value.get("image"), value.get("uploadUrl")
        if not isinstance(image, str) or not isinstance(address, str) or not self._trusted(address):
            raise Temporary(_unreadable())
        answer = self.http.ask(WHAT, "PUT", address, idempotent=True, content=body, headers=self._bearer)
        _refuse(answer, puts_out=False)
        until = time.monotonic() + self.patience
        while (state := self._state(image)) not in {READY, ""}:
            if state == BROKEN:
                raise Permanent(_("LinkedIn can't use the picture."))
            if time.monotonic() + self.pace > until:
                break  # it may be used while LinkedIn still works on it
            time.sleep(self.pace)
        return image

    def _state(self, image: str) -> str:
        """What became of an upload; empty where LinkedIn does not say, since the post will tell."""
        try:
            return str(self._object("GET", f"images/{quote(image, safe='')}").get("status", ""))
        except ChannelError:
            return ""

    def _trusted(self, address: str) -> bool:
        """Whether the token may go there: LinkedIn itself, or where this adapter asks anyway."""
        there, here = urlsplit(address), urlsplit(self._base)
        host = there.hostname or ""
        ours = there.scheme == "https" and (host == "linkedin.com" or host.endswith(".linkedin.com"))
        return ours or (there.scheme, there.netloc) == (here.scheme, here.netloc)

    def _standing(self, refusal: str) -> Post:
        """The post that a refusal names as the same. LinkedIn also names some that are not there."""
        found = URN.search(refusal)
        unsure = _("LinkedIn says that this text stands there already: look at the page yourself.")
        if not found:
            raise Uncertain(unsure)
        try:
            row = self._object("GET", f"posts/{quote(found[0], safe='')}")
        except ChannelError as error:
            raise Uncertain(unsure) from error
        if row.get("lifecycleState", "PUBLISHED") != "PUBLISHED":
            raise Uncertain(unsure)
        return _post(found[0])

    def _object(self, verb: str, path: str, *, method: str = "", **options: Any) -> Mapping[str, Any]:
        """The JSON object that a harmless call brings. Raises Temporary, Permanent."""
        answer = self._ask(verb, path, method=method, **options)
        _refuse(answer, puts_out=False)
        try:
            body = json.loads(answer.content)
        except ValueError as error:
            raise Temporary(_unreadable()) from error
        if not isinstance(body, dict):
            raise Temporary(_unreadable())
        return body

    def _ask(self, verb: str, path: str, *, method: str = "", puts_out: bool = False, **options: Any) -> httpx.Response:
        headers = self._headers | ({"X-RestLi-Method": method} if method else {})
        try:
            return self.http.ask(
                WHAT, verb, f"{self._base}/{path}", idempotent=not puts_out, headers=headers, **options
            )
        except Permanent as error:  # an endless answer; it says nothing about what was asked
            raise Temporary(str(error)) from error


def escaped(text: str) -> str:
    """``text`` in LinkedIn's "little" format, all of it plain words; addresses keep working."""
    made, at = "", 0
    for address in ADDRESS.finditer(text):
        made += RESERVED.sub(r"\\\g<0>", text[at : address.start()])
        made += IN_ADDRESS.sub(lambda sign: quote(sign[0], safe=""), address[0])
        at = address.end()
    return made + RESERVED.sub(r"\\\g<0>", text[at:])


def unescaped(text: str) -> str:
    return re.sub(rf"\\({RESERVED.pattern})", r"\1", text)


def size(text: str) -> int:
    """UTF-16 code units of what is sent, never fewer than characters."""
    return len(escaped(text).encode("utf-16-le", "surrogatepass")) // 2


def _bare(text: str) -> str:
    """For comparing: LinkedIn may change white space."""
    return " ".join(ADDRESS.sub(lambda address: escaped(address[0]), text).split())


def _post(urn: str) -> Post:
    return Post(urn, f"https://www.linkedin.com/feed/update/{urn}/")


def _time(row: Mapping[str, Any]) -> dt.datetime:
    """When a post was made; LinkedIn writes milliseconds. Without a time it counts as new."""
    value = row.get("createdAt")
    if not isinstance(value, int) or not 0 < value < 10**14:
        return dt.datetime.max.replace(tzinfo=dt.UTC)
    return dt.datetime.fromtimestamp(value / 1000, dt.UTC)


def _end_of(day: str) -> dt.datetime | None:
    """The end of a token, written YYYY-MM-DD. Raises ValueError."""
    if not day:
        return None
    try:
        return dt.datetime.combine(dt.date.fromisoformat(str(day)), dt.time(), dt.UTC)
    except ValueError as error:
        raise ValueError('"token_until" is written YYYY-MM-DD') from error


def _duplicate(answer: httpx.Response) -> bool:
    return answer.status_code in {409, 422} and "DUPLICATE" in answer.text.upper()


def _unreadable() -> str:
    return _("{what}: the answer can't be read.").format(what=WHAT)


def _refuse(answer: httpx.Response, *, puts_out: bool) -> None:
    """Raise what a refusing status asks for. LinkedIn's own words are never repeated: they may hold anything."""
    status = answer.status_code
    if status == 401:
        raise Permanent(_("LinkedIn no longer accepts the token: get a new one and enter it."))
    if status == 403:
        words = _("LinkedIn does not let the token do this: whose it is must be an administrator of the page.")
        raise Permanent(words)
    if status == 426 or "NONEXISTENT_VERSION" in answer.text[:2000]:
        raise Permanent(
            _("LinkedIn has retired this version of its interface: set the option “version” to a newer one.")
        )
    check(WHAT, answer, idempotent=not puts_out)
