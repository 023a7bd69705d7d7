"""Every setting of Belfry; the only module that reads the environment.

Values come from the environment, below it from ``belfry.env`` in the data folder (written by
``deploy/run``). Every name also works as ``NAME_FILE`` with the path of a file that holds the
value, for secrets. README.md lists all of them; ``alerts.checks`` and ``channels.checks`` say at
start what is wrong.
"""

import os
import re
import secrets
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _
from environs import FileAwareEnv

BASE_DIR = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("BELFRY_DATA") or BASE_DIR / "var").expanduser().absolute()

env = FileAwareEnv(eager=True, strip_whitespace=True)
if (DATA / "belfry.env").is_file():
    env.read_env(str(DATA / "belfry.env"), recurse=False)


def _secret_key() -> str:
    """The key of ``SECRET_KEY``, else the one kept in the data folder, made on first use (mode 600)."""
    given: str = env.str("SECRET_KEY", "")
    if given:
        return given
    path = DATA / "keys" / "secret_key"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(64))
    return path.read_text().strip()


# The city
CITY = env.str("BELFRY_CITY", "Stadt Leipzig")
CITY_SHORT = env.str("BELFRY_CITY_SHORT", "Leipzig")
PUBLISHER = env.str("BELFRY_PUBLISHER", "Branddirektion")
HOTLINE = env.str("BELFRY_HOTLINE", "115")
ADDRESS = env.str("BELFRY_ADDRESS", "http://127.0.0.1:8000").rstrip("/")
CAP_SENDER = env.str("BELFRY_CAP_SENDER", urlsplit(ADDRESS).hostname or "localhost")
# Leipzig's key with Leipzig's name alone: another city that forgot its own would warn there
ARS = env.str("BELFRY_ARS", "147130000000" if CITY == "Stadt Leipzig" else "")
IMPRINT_URL = env.str("BELFRY_IMPRINT_URL", "")
PRIVACY_URL = env.str("BELFRY_PRIVACY_URL", "")
ACCESSIBILITY_URL = env.str("BELFRY_ACCESSIBILITY_URL", "")
WARNING_WORD = env.str("BELFRY_WARNING_WORD", "LEIPZIG WARNEN")
EXERCISE_WORD = "ÜBUNG"
CONTENT_LANGUAGES: list[str] = env.list("BELFRY_LANGUAGES", ["de", "de-simple", "en"])
REQUIRED_LANGUAGES: list[str] = env.list("BELFRY_REQUIRED_LANGUAGES", ["de", "en"])
LINK_HOSTS: list[str] = env.list("BELFRY_LINK_HOSTS", [])
DEMO = env.bool("BELFRY_DEMO", False)
SECOND_FACTOR = not DEMO

# Officers: who hears of alarms, and when they are reminded (minutes; 0: never)
ROSTER: list[str] = env.list("BELFRY_ROSTER", [])
ROSTER_PHONES: list[str] = env.list("BELFRY_ROSTER_PHONES", [])
OFFICER_SMS = env.bool("BELFRY_OFFICER_SMS", True)
ALARM_TEXTS = env.int("BELFRY_ALARM_TEXTS", 3)
APPROVAL_MINUTES = env.int("BELFRY_APPROVAL_MINUTES", 5)
FACTS_MINUTES = env.int("BELFRY_FACTS_MINUTES", 120)
DRILL_DAYS = env.int("BELFRY_DRILL_DAYS", 30)

# Tiles below the desk's map: a URL with {z}, {x} and {y}; only the pages with that map may fetch from its host
TILES = env.str("BELFRY_TILES", "")
TILES_ATTRIBUTION = env.str("BELFRY_TILES_ATTRIBUTION", "")

# Where things lie
PUBLIC_DIR = Path(env.str("BELFRY_PUBLIC_DIR", str(DATA / "public")))
KEYS_DIR = DATA / "keys"
STATIC_ROOT = DATA / "static"
STATIC_URL = "/static/"
# Leaflet's files alone: as an app, django-leaflet would have the admin load GDAL
STATICFILES_DIRS = [BASE_DIR / "static", Path(str(find_spec("leaflet").origin)).parent / "static"]  # type: ignore[union-attr]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# Ports of the domain, bound to the channels (DESIGN, arrows)
ALERTS_RING = "channels.jobs.ring"
ALERTS_COMPOSE = "channels.registry.compose"
ALERTS_PICTURES = "channels.registry.pictures"
ALERTS_PROGRESS = "channels.tally.progress"
ALERTS_NOTIFY = "channels.officers.notify"
ALERTS_MAIL = "channels.officers.answer"
ALERTS_BOUNCE = "channels.returned.take"
ALERTS_TEXT = "channels.officers.text"
ALERTS_CALL = "channels.officers.call"
ALERTS_REACHED = "channels.subscriptions.matching.audience"

# The channels: channels.toml in the data folder, else all that need no provider
CHANNELS_FILE = Path(env.str("BELFRY_CHANNELS_FILE", str(DATA / "channels.toml")))
CHANNELS: dict[str, dict[str, Any]] = {
    "website": {"adapter": "channels.city.website.Website"},
    "feeds": {"adapter": "channels.city.feeds.Feeds"},
    "webpush": {"adapter": "channels.city.webpush.WebPush", "rehearsal": False},
    # Without a gateway or a mail server, texts and mails are files in the data folder, readable at the desk
    "sms": {"adapter": "channels.city.sms.Sms", "rehearsal": False, "gateways": [{"kind": "folder"}]},
    "email": {"adapter": "channels.city.email.Email", "rehearsal": False},
}
if DEMO:
    # The demo city's platforms, in rehearsal: what they would post is recorded and shown, and nobody is asked
    CHANNELS |= {
        "mastodon": {
            "adapter": "channels.city.mastodon.Mastodon",
            "instance": "https://social.leipzig.example",
            "token": "demo",
        },
        "bluesky": {
            "adapter": "channels.commercial.bluesky.Bluesky",
            "handle": "stadt.leipzig.example",
            "app_password": "demo",
            "languages": ["de"],
        },
        "x": {
            "adapter": "channels.commercial.x.X",
            **dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_token_secret"), "demo"),
            "languages": ["de"],
        },
        "facebook": {
            "adapter": "channels.commercial.facebook.Facebook",
            "page": "1",
            "token": "demo",
            "languages": ["de"],
        },
        "instagram": {
            "adapter": "channels.commercial.instagram.Instagram",
            "account": "1",
            "token": "demo",
            "languages": ["de"],
        },
    }
CHANNELS_ERROR = ""
CHANNELS_LACK: list[str] = []


def _filled(value: Any, where: str) -> Any:
    """An option of a channel; "$NAME" stands for the setting NAME, so that no secret lies in channels.toml."""
    if isinstance(value, dict):
        return {key: _filled(inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, where) for inner in value]
    if isinstance(value, str) and re.fullmatch(r"\$[A-Z][A-Z0-9_]*", value):
        found: str = env.str(value[1:], "")
        if not found:
            CHANNELS_LACK.append(f"{where} asks for the setting {value[1:]}")
        return found
    return value


if CHANNELS_FILE.is_file():
    try:
        CHANNELS = {
            name: _filled(entry, name)
            for name, entry in tomllib.loads(CHANNELS_FILE.read_text(encoding="utf-8")).items()
        }
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        CHANNELS_ERROR = f"{CHANNELS_FILE.name}: {error}"
WEBSUB_HUB = env.str("BELFRY_WEBSUB_HUB", "")

# Residents
SMS_COUNTRIES: list[str] = env.list("BELFRY_SMS_COUNTRIES", ["DE"])
SUBSCRIBE_LIMITS: dict[str, str] = dict(env.json("BELFRY_SUBSCRIBE_LIMITS", {}) or {})

# Partners that hand in CAP documents; certificates whose signatures are trusted lie there as .pem files
CAP_TRUSTED_DIR = KEYS_DIR / "trusted"
# Hosts of the city's own network (host or host:port) that a source given there may be asked at, also without https
SOURCES_INSIDE: list[str] = env.list("BELFRY_SOURCES_INSIDE", [])
CAP_PER_MINUTE = env.int("BELFRY_CAP_PER_MINUTE", 60)

# Engine
LEASE_SECONDS = env.int("BELFRY_LEASE_SECONDS", 60)
SWEEP_SECONDS = env.float("BELFRY_SWEEP_SECONDS", 1.0)
REDIS_PATIENCE_SECONDS = env.float("BELFRY_REDIS_PATIENCE_SECONDS", 5.0)
REDIS_URL = env.str("REDIS_URL", f"unix://{DATA / 'run' / 'redis.sock'}")
# Time-outs in the URL: beside one, django_rq passes no others on, and a Redis that hangs would hold up approvals
_in_time = "&" if "?" in REDIS_URL else "?"
RQ_QUEUES: dict[str, dict[str, Any]] = {
    name: {
        "URL": f"{REDIS_URL}{_in_time}socket_connect_timeout=1&socket_timeout=1",
        "DEFAULT_TIMEOUT": 600,
        "SERIALIZER": "json",
    }
    for name in ("site", "city-urgent", "city", "commercial", "upkeep")
}
_sentinels: list[str] = env.list("REDIS_SENTINELS", [])
if _sentinels:
    for queue in RQ_QUEUES.values():
        del queue["URL"]
        queue |= {
            "SENTINELS": [(node.rsplit(":", 1)[0], int(node.rsplit(":", 1)[1])) for node in _sentinels],
            "MASTER_NAME": env.str("REDIS_MASTER_NAME", "mymaster"),
            "PASSWORD": env.str("REDIS_PASSWORD", "") or None,
            "SOCKET_TIMEOUT": 1,
            "CONNECTION_KWARGS": {"socket_connect_timeout": 1},
        }

# The dashboard of django-rq could empty queues with no word in the record
RQ_SHOW_ADMIN_LINK = False

# Django
SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", [])
DEBUG = False
ALLOWED_HOSTS = env.list("BELFRY_HOSTS", [urlsplit(ADDRESS).hostname or "127.0.0.1", "127.0.0.1", "localhost"])
ROOT_URLCONF = "deploy.urls"
WSGI_APPLICATION = "deploy.wsgi.application"
INSTALLED_APPS = [
    "alerts.desk.apps.DeskConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_otp_webauthn",
    "axes",
    "csp",
    "django_rq",
    "django_htmx",
    "alerts",
    "channels",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "alerts.desk.people.OfficerBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASES = {"default": dj_database_url.parse(env.str("DATABASE_URL", f"sqlite:///{DATA / 'belfry.sqlite3'}"))}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A writer takes the lock when its transaction begins, and waits for it: no "database is locked".
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    # Tests run on a file too: an in-memory database locks by other rules.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA / "test.sqlite3")}
else:
    DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

LANGUAGE_CODE = "de"
LANGUAGES = [("de", _("German")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "templates" / "locale"]
TIME_ZONE = env.str("BELFRY_TIME_ZONE", "Europe/Berlin")
USE_TZ = True

EMAIL_CONFIG = env.str("EMAIL_URL", "")
EMAIL_PASSWORD = env.str("EMAIL_PASSWORD", "")
_mail = urlsplit(EMAIL_CONFIG)
if _mail.scheme in {"smtp", "smtps", "smtp+tls"}:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = _mail.hostname or "localhost"
    EMAIL_PORT = _mail.port or 25
    EMAIL_HOST_USER = _mail.username or ""
    EMAIL_HOST_PASSWORD = EMAIL_PASSWORD or _mail.password or ""
    EMAIL_USE_SSL = _mail.scheme == "smtps"
    EMAIL_USE_TLS = _mail.scheme == "smtp+tls"
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(DATA / "mail")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("BELFRY_MAIL_FROM", f"belfry@{CAP_SENDER}")

# Mails to the gateway
INTAKE_ADDRESS = env.str("BELFRY_INTAKE_ADDRESS", f"alarm@{CAP_SENDER}")
INTAKE_LISTEN = env.str("BELFRY_INTAKE_LISTEN", "")
INTAKE_PEERS: list[str] = env.list("BELFRY_INTAKE_PEERS", ["127.0.0.0/8", "::1/128"])
INTAKE_RELAY = env.str("BELFRY_INTAKE_RELAY", "")
INTAKE_DOMAINS: list[str] = env.list("BELFRY_INTAKE_DOMAINS", [])
INTAKE_IMAP = env.str("BELFRY_INTAKE_IMAP", "")
INTAKE_IMAP_PASSWORD = env.str("BELFRY_INTAKE_IMAP_PASSWORD", "")
INTAKE_PER_SENDER = env.int("BELFRY_INTAKE_PER_SENDER", 60)
INTAKE_TOTAL = env.int("BELFRY_INTAKE_TOTAL", 2000)
INTAKE_MEGABYTES = env.int("BELFRY_INTAKE_MEGABYTES", 500)
INTAKE_ANSWERS = env.int("BELFRY_INTAKE_ANSWERS", 30)

# The desk
LOGIN_URL = "admin:login"
HTTPS = ADDRESS.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_AGE = env.int("BELFRY_SESSION_SECONDS", 2 * 3600)
# What an officer does renews the session (alerts.desk.sittings), what a page asks by itself doesn't
SESSION_SAVE_EVERY_REQUEST = False
SITTING_SECONDS = env.int("BELFRY_SITTING_SECONDS", 12 * 3600)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_TRUSTED_ORIGINS = [ADDRESS]
CSRF_FAILURE_VIEW = "alerts.desk.site.csrf_failure"
# How long the link of an invitation holds (``alerts.desk.officers.invitations``)
PASSWORD_RESET_TIMEOUT = 72 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
BEHIND_PROXY = env.bool("BELFRY_BEHIND_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username"], ["ip_address"]]
AXES_CLIENT_IP_CALLABLE = "alerts.desk.people.client_address"
# else whoever goes on guessing keeps an officer out for ever
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_CALLABLE = "alerts.desk.site.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "token", "passkey", "kept"]
OTP_TOTP_ISSUER = f"Belfry {CITY_SHORT}"
OTP_WEBAUTHN_RP_ID = urlsplit(ADDRESS).hostname or "localhost"
OTP_WEBAUTHN_RP_NAME = OTP_TOTP_ISSUER
OTP_WEBAUTHN_ALLOWED_ORIGINS = [ADDRESS]
# Browsers allow passkeys over http on localhost; an http address that others reach is refused by alerts.checks
SILENCED_SYSTEM_CHECKS = [] if HTTPS else ["otp_webauthn.E031"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"words": {"()": "channels.subscriptions.logs.WithoutWords"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["words"]}},
    "root": {"handlers": ["console"], "level": env.str("BELFRY_LOG_LEVEL", "INFO")},
    # httpx would log every address at INFO, and some platforms take their token in it; aiosmtpd every mail address
    "loggers": {
        name: {"level": "WARNING"}
        for name in (
            "axes",
            "httpx",
            "rq.worker",
            "urllib3",
            "oauthlib",
            "requests_oauthlib",
            "tweepy",
            "mail.log",
            "mail.debug",
        )
    },
}
