"""The city's own tile server below the desk's map, where one is set; pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\]")
# What could end a directive of the CSP, or a URL
FORBIDDEN = re.compile(r"""[\s\x00-\x1f\x7f;,'"<>\\]""")
GAPS = {"{z}", "{x}", "{y}"}


def fault(url: str, address: str) -> str:
    """Why tiles can't be fetched by this template; empty where they can, or where none is set.

    ``address`` is the city's public address: from its host alone tiles may come without https.
    """
    if not url:
        return ""
    if FORBIDDEN.search(url):
        return "it holds a space, quote, comma or semicolon"
    gaps = re.findall(r"\{[^{}]*\}", url)
    if set(gaps) != GAPS or len(gaps) != len(GAPS) or url.count("{") + url.count("}") != 2 * len(GAPS):
        return "it must hold {z}, {x} and {y}, once each, and no other gap"
    if _own(url):
        return ""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return "it is no web address"
    if parts.scheme not in {"https", "http"} or not HOST.fullmatch(_bracketed(host)):
        return "it is no web address"
    if "@" in parts.netloc or "{" in parts.netloc:
        return "before its path it may hold nothing but the host"
    if parts.scheme == "http" and host != urlsplit(address).hostname:
        return "it is not https, and the host is another one"
    return ""


def source(url: str, address: str) -> str:
    """The host that a page with tiles may fetch pictures from, for its CSP; empty without, and for its own origin."""
    if not url or fault(url, address) or _own(url):
        return ""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{_bracketed(parts.hostname or '')}{port}"


def _own(url: str) -> bool:
    """Whether a URL is a path of the page's own origin."""
    return url.startswith("/") and not url.startswith("//")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
