"""A push service as Firefox speaks to it: registers over a WebSocket, hands POSTs on, hears that they were shown."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from aiohttp import WSMsgType, web
from marionette_driver.marionette import Marionette

from tests.channels.pushservice import HOST, LOOPBACK, certificate
from tests.house import free_port

FIREFOX = "/usr/bin/firefox-esr"
HEADERS = {"content-encoding": "encoding", "encryption": "encryption", "crypto-key": "crypto_key"}


@dataclass
class FirefoxPush:
    """A server thread with two ports. ``acked`` are the codes with which Firefox has acknowledged: 100 is shown."""

    folder: Path
    acked: list[int] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.port, self.browser_port = free_port(), free_port()
        self._ended = asyncio.Event()
        self._browser: web.WebSocketResponse | None = None
        begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(begun)), daemon=True)
        self._thread.start()
        if not begun.wait(10):
            raise RuntimeError("the push service did not start")
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    @property
    def options(self) -> dict[str, Any]:
        """What the city's channel must be told to reach it."""
        named = f"{HOST}:{self.port}"
        return {
            "private_hosts": {named: LOOPBACK},
            "resolve": {named: "127.0.0.1"},
            "ca_file": str(self.folder / "ca.pem"),
        }

    async def _serve(self, begun: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate(self.folder, HOST))
        city, browser = web.Application(), web.Application()
        city.router.add_post("/push/{channel}", self._take)
        browser.router.add_get("/", self._talk)
        runners = [web.AppRunner(one, access_log=None, shutdown_timeout=0.1) for one in (city, browser)]
        for runner in runners:
            await runner.setup()
        await web.TCPSite(runners[0], "127.0.0.1", self.port, ssl_context=context).start()
        await web.TCPSite(runners[1], "127.0.0.1", self.browser_port).start()
        begun.set()
        await self._ended.wait()
        for runner in runners:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        """From the city to the browser."""
        if self._browser is None:
            return web.Response(status=503)
        given = {name.lower(): value for name, value in request.headers.items()}
        await self._browser.send_json(
            {
                "messageType": "notification",
                "channelID": request.match_info["channel"],
                "version": uuid4().hex,
                "data": base64.urlsafe_b64encode(await request.read()).rstrip(b"=").decode(),
                "headers": {name: given[header] for header, name in HEADERS.items() if header in given},
            }
        )
        return web.Response(status=201)

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        self._browser = talk = web.WebSocketResponse(protocols=["push-notification"])
        await talk.prepare(request)
        async for said in talk:
            if said.type != WSMsgType.TEXT:
                continue
            message = said.json()
            kind = message.get("messageType", "ping")
            channel = message.get("channelID", "")
            if kind == "hello":
                uaid = message.get("uaid") or uuid4().hex
                await talk.send_json({"messageType": kind, "uaid": uaid, "status": 200, "use_webpush": True})
            elif kind == "register":
                self.registered.append(message["key"].rstrip("="))
                endpoint = f"https://{HOST}:{self.port}/push/{channel}"
                await talk.send_json(
                    {"messageType": kind, "channelID": channel, "status": 200, "pushEndpoint": endpoint}
                )
            elif kind == "unregister":
                self.left.append(channel)
                await talk.send_json({"messageType": kind, "channelID": channel, "status": 200})
            elif kind == "ack":
                self.acked += [update["code"] for update in message["updates"]]
            elif kind == "ping":
                await talk.send_str("{}")
        return talk


@contextmanager
def firefox(service: FirefoxPush) -> Iterator[Marionette]:
    """Firefox without a window, with this push service for its maker's own."""
    marionette = Marionette(
        bin=FIREFOX,
        headless=True,
        port=free_port(),
        workspace=str(service.folder),
        gecko_log=str(service.folder / "gecko.log"),
        prefs={
            "dom.push.serverURL": f"ws://127.0.0.1:{service.browser_port}/",
            "dom.push.testing.allowInsecureServerURL": True,
            "dom.push.enabled": True,
            "dom.push.connection.enabled": True,
            "permissions.default.desktop-notification": 1,
            "alerts.useSystemBackend": False,
        },
    )
    try:
        marionette.start_session()
        yield marionette
    finally:
        profile = marionette.instance.profile
        marionette.cleanup()
        # else it cleans up while Python itself is ending, and fails
        profile.cleanup()
        profile.restore = False
