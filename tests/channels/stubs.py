"""Every commercial platform at once, well, on one scripted server: for benchmarks and drills."""

from __future__ import annotations

from tests.channels.platforms import Answer, Asked, Platform

NAMES = ("facebook", "instagram", "threads", "x", "linkedin", "telegram")
CHANNELS = """
[facebook]
adapter = "channels.commercial.facebook.Facebook"
rehearsal = false
server = "{url}/facebook"
page = "100"
token = "stub"

[instagram]
adapter = "channels.commercial.instagram.Instagram"
rehearsal = false
server = "{url}/instagram"
account = "200"
token = "stub"

[threads]
adapter = "channels.commercial.threads.Threads"
rehearsal = false
server = "{url}/threads"
account = "300"
token = "stub"

[x]
adapter = "channels.commercial.x.X"
rehearsal = false
server = "{url}"
consumer_key = "stub"
consumer_secret = "stub"
access_token = "stub"
access_token_secret = "stub"

[linkedin]
adapter = "channels.commercial.linkedin.LinkedIn"
rehearsal = false
server = "{url}/linkedin"
organization = "400"
token = "stub"

[telegram]
adapter = "channels.commercial.telegram.Telegram"
rehearsal = false
server = "{url}/telegram"
token = "stub"
chat = "@stub"
"""


def channels(url: str) -> str:
    """Their entries of ``channels.toml``."""
    return CHANNELS.format(url=url)


def of(asked: Asked) -> str:
    """Which of them was asked."""
    first = asked.path.split("/")[1]
    return first if first in NAMES else "x"


def healthy(there: Platform) -> None:
    """Each says yes to all that one message asks of it."""
    there.on(
        "GET", "/.*", Answer(200, {"status_code": "FINISHED", "status": "FINISHED", "permalink": "https://p.example/1"})
    )
    there.on("GET", "/linkedin/rest/images/.*", Answer(200, {"status": "AVAILABLE"}))
    there.on("POST", "/(facebook|instagram|threads)/.*", Answer(200, {"id": "1", "post_id": "100_1"}))
    there.on("POST", "/2/tweets", Answer(201, {"data": {"id": "1"}}))
    there.on("POST", "/2/media/upload", Answer(200, {"data": {"id": "2"}}))
    there.on("POST", "/2/media/metadata", Answer(200, {"data": {"id": "2"}}))
    image = {"value": {"uploadUrl": f"{there.url}/linkedin/upload", "image": "urn:li:image:1"}}
    there.on("POST", "/linkedin/rest/images", Answer(200, image))
    there.on("PUT", "/linkedin/upload", Answer(201))
    there.on("POST", "/linkedin/rest/posts", Answer(201, {}, {"x-restli-id": "urn:li:share:1"}))
    there.on(
        "POST",
        "/telegram/.*",
        Answer(200, {"ok": True, "result": {"message_id": 1, "chat": {"id": 1, "username": "stub"}}}),
    )
