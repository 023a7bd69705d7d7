"""How often somebody may ask: counted for each client, address, number prefix, mail domain and in total.

Counted in Redis, so that all processes count together; where it does not answer, in the memory of
each process: sign-ups go on, and never without a limit. Keys are keyed hashes, so that no address
lies in Redis.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.translation import gettext as _
from django.utils.translation import override
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from phonenumbers import parse as parse_phone
from redis import Redis, Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from alerts import alarms
from alerts.terms import ui_language

from ..models import Way
from . import addresses

log = logging.getLogger(__name__)

LIMITS = {
    # every form that somebody posts, whatever is in it; and those of them that send a text.
    # Many residents share one IPv4 address of their mobile carrier, IPv6 is counted by its network
    "asks": "200/10 minutes",
    "client": "20/10 minutes; 120/day",
    # one phone or mailbox: a text that got lost comes again, nobody is woken ten times
    "sms address": "4/hour; 8/day",
    "email address": "4/hour; 10/day",
    "push address": "10/hour; 40/day",
    # the first five digits behind the country: numbers that somebody rents to be paid for texts to them lie
    # together, residents' numbers lie scattered over hundreds of prefixes
    "sms prefix": "200/hour; 600/day",
    "email domain": "1000/hour; 4000/day",
    "email large domain": "15000/hour; 60000/day",
    # 20,000 residents may want to sign up within the first hour of a crisis; a second text for some of them
    "sms total": "30000/hour; 60000/day",
    "email total": "40000/hour; 120000/day",
    "push total": "60000/hour; 200000/day",
    # the same text again, a self-test to one subscription
    "again": "1/minute",
    "test": "3/hour; 10/day",
}
"""kind -> limits, all of which hold; ``settings.SUBSCRIBE_LIMITS`` may set other ones."""
LARGE_DOMAINS = frozenset(
    {
        *("aol.com", "arcor.de", "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.de", "gmx.net", "googlemail.com"),
        *("hotmail.com", "hotmail.de", "icloud.com", "live.com", "live.de", "mail.de", "mailbox.org", "me.com"),
        *("online.de", "outlook.com", "outlook.de", "posteo.de", "proton.me", "t-online.de", "vodafone.de", "web.de"),
        *("yahoo.com", "yahoo.de"),
    }
)
"""Domains where very many residents have their mailbox."""
PREFIX = 5
"""Digits behind the country's that make a number's prefix."""
PATIENCE = 0.25
"""Seconds for connecting to Redis, and for each of its answers."""
PAUSE = 15.0
"""Seconds that Redis is left alone after it did not answer, so that only one request pays for finding out."""
ALARM_EVERY = 60.0
"""Seconds between two looks whether the alarm of a used-up budget is on."""


@dataclass
class TooMany(Exception):
    """Not now: ``kind`` is used up; worth another try in ``after`` seconds.

    ``telling`` says whether the one who asks may be told: that an *address* got many texts is no
    stranger's business.
    """

    kind: str
    after: float

    @property
    def telling(self) -> bool:
        return not self.kind.endswith(" address")


def ask(client: str | None) -> None:
    """Count one posted form of this client, before anything is read or asked. Raises TooMany."""
    _count("asks", _network(client))


def send(way: str, address: str, *, client: str | None) -> None:
    """Count one text to an address, asked for by a client (None: by the address itself). Raises TooMany.

    From narrow to wide: who is stopped by his own limit uses up nothing of the others'.
    """
    if client is not None:
        _count("client", _network(client))
    if way == Way.SMS:
        _count("sms address", _counted(way, address))
        _count("sms prefix", prefix(address))
    elif way == Way.EMAIL:
        domain = address.rpartition("@")[2].lower()
        _count("email address", _counted(way, address))
        _count("email large domain" if domain in LARGE_DOMAINS else "email domain", domain)
    else:
        _count("push address", _counted(way, address))
    try:
        _count(f"{way} total", "")
    except TooMany:
        _alarm(way)
        raise


def give_back(way: str, address: str) -> None:
    """Nothing went out to this address after all: whoever tries again while a channel is down loses nothing by it."""
    for item in _items(f"{way} address"):
        _hit(item, _named(f"{way} address", _counted(way, address)), cost=-1)


def again(sign_up: int) -> None:
    """Count one more text of the same sign-up. Raises TooMany."""
    _count("again", f"sign-up {sign_up}")


def begin_again(way: str, address: str) -> None:
    """Count a START from this address: a provider tells us of one text more than once. Raises TooMany."""
    _count("again", f"{way} {address}")


def test(subscription: int) -> None:
    """Count one self-test. Raises TooMany."""
    _count("test", str(subscription))


def prefix(number: str) -> str:
    """The country and the first digits behind it of a number in E.164."""
    parsed = parse_phone(number)
    return f"+{parsed.country_code}{str(parsed.national_number)[:PREFIX]}"


def wrong(given: Mapping[str, str]) -> list[str]:
    """What is wrong with limits that the settings give, in plain words: for a check at start."""
    found = [f'"{kind}" is none of {", ".join(LIMITS)}' for kind in given if kind not in LIMITS]
    for kind, limit in given.items():
        try:
            parse_many(limit)
        except ValueError:
            found.append(f'"{kind}": write it as in "4/hour; 10/day"')
    return found


def forget() -> None:
    """Begin to count anew in this process, with what the settings say now: for tests, and after a fork."""
    global _counters
    with _lock:
        _counters = None
    _items.cache_clear()
    _looked.clear()


def _count(kind: str, who: str) -> None:
    named = _named(kind, who)
    # the shortest first: whoever it stops does not use up the longer ones
    for item in _items(kind):
        if not _hit(item, named):
            raise TooMany(kind, float(item.get_expiry()))


def _named(kind: str, who: str) -> str:
    return hmac.digest(_key(settings.SECRET_KEY), f"{kind}:{who}".encode(), "sha256").hex()[:32]


def _counted(way: str, address: str) -> str:
    """As what an address is counted."""
    return addresses.mailbox(address) if way == Way.EMAIL else address.partition(" ")[0]


def _hit(item: RateLimitItem, named: str, cost: int = 1) -> bool:
    """Whether a limit still holds with this one more; by Redis, else by what this process knows."""
    counters = _now()
    if time.monotonic() >= counters.redis_again:
        try:
            return counters.shared.hit(item, named, cost=cost)
        except (RedisError, OSError) as error:
            counters.redis_again = time.monotonic() + PAUSE
            log.warning("limits are counted in memory, Redis does not answer: %s", type(error).__name__)
    return counters.own.hit(item, named, cost=cost)


@dataclass
class _Counters:
    """``redis_again`` is when Redis is asked again, by the monotonic clock."""

    shared: FixedWindowRateLimiter
    own: FixedWindowRateLimiter
    redis_again: float = 0.0


_lock = threading.Lock()
_counters: _Counters | None = None
_looked: dict[str, float] = {}


def _now() -> _Counters:
    global _counters
    with _lock:
        if _counters is None:
            client = _redis()
            # the address is not used where there is a pool; it only says which library to take
            shared = RedisStorage("redis://", connection_pool=client.connection_pool, key_prefix="belfry-limits")
            _counters = _Counters(FixedWindowRateLimiter(shared), FixedWindowRateLimiter(MemoryStorage()))
        return _counters


def _redis() -> Redis:
    """A connection that gives up soon: django_rq's own would try for seconds, again and again."""
    site = settings.RQ_QUEUES["site"]
    soon = {
        "socket_connect_timeout": PATIENCE,
        "socket_timeout": PATIENCE,
        "retry": Retry(NoBackoff(), 0),
    }
    if "SENTINELS" in site:
        sentinels = Sentinel(  # type: ignore[no-untyped-call]
            site["SENTINELS"], sentinel_kwargs={**site.get("SENTINEL_KWARGS", {}), **soon}
        )
        kwargs = {**site.get("CONNECTION_KWARGS", {}), "db": site.get("DB") or 0, "password": site.get("PASSWORD")}
        master: Redis = sentinels.master_for(site["MASTER_NAME"], **{**kwargs, **soon})  # type: ignore[no-untyped-call]
        return master
    return Redis.from_url(site["URL"], **soon)


@lru_cache(maxsize=64)
def _items(kind: str) -> tuple[RateLimitItem, ...]:
    given = getattr(settings, "SUBSCRIBE_LIMITS", {})
    return tuple(parse_many(given.get(kind, LIMITS[kind])))


@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"channels.subscriptions.limits:" + secret.encode()).digest()


def _network(client: str | None) -> str:
    """A client by what it can't change at will: its IPv4 address, or the /64 that it has of IPv6."""
    try:
        address = ip_address(client or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(IPv6Network((address, 64), strict=False))
        address = address.ipv4_mapped
    return str(address)


def _alarm(way: str) -> None:
    """Tell the officers that the budget is used up; looked at once a minute, since a flood must cost no queries."""
    if time.monotonic() - _looked.get(way, -ALARM_EVERY) < ALARM_EVERY:
        return
    _looked[way] = time.monotonic()
    with override(ui_language(settings.CONTENT_LANGUAGES[0])):
        text = _(
            "The budget of sign-up texts ({way}) is used up: nobody can sign up this way until it is free again. "
            "If residents really are so many, raise SUBSCRIBE_LIMITS; if not, somebody abuses the form. "
            "Alerts to those who have subscribed go out all the same."
        ).format(way=Way(way).label)
        alarms.sound(f"sign-up budget {way}", text)


def _forget_settings(*, setting: str, **_kwargs: object) -> None:
    if setting in {"RQ_QUEUES", "SUBSCRIBE_LIMITS"}:
        forget()


setting_changed.connect(_forget_settings)
