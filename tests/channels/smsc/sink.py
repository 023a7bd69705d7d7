"""``python -m tests.channels.smsc.sink [MILLISECONDS]``: takes any number of SMS as Twilio does, as fast as Python can.

Prints its port. Each answer comes after so many milliseconds.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count

BODY = (
    '{"sid": "SM%032x", "status": "queued", "direction": "outbound-api", "error_code": null, "to": "+49", '
    '"body": "", "num_segments": "1", "date_created": "Fri, 13 Sep 2030 17:40:00 +0000", "date_sent": null}'
)


class Sink(asyncio.Protocol):
    """One connection; requests come one after another."""

    numbers = count(1)
    pause = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.held = b""

    def data_received(self, data: bytes) -> None:
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head = self.held[:end].lower()
            place = head.find(b"content-length:")
            length = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(self.held) < end + 4 + length:
                return
            self.held = self.held[end + 4 + length :]
            if self.pause:
                asyncio.get_running_loop().call_later(self.pause, self.answer)
            else:
                self.answer()

    def answer(self) -> None:
        body = (BODY % next(self.numbers)).encode()
        head = f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)


async def main(milliseconds: float) -> None:
    Sink.pause = milliseconds / 1000
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
