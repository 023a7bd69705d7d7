"""A small IMAP server for tests, as far as the mailbox asks: LOGIN, SELECT, UID SEARCH, FETCH, STORE, IDLE."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Box:
    """``mails`` by UID; ``seen`` their UIDs; ``asked`` each command; ``drop`` names one at which it hangs up, once."""

    mails: dict[int, bytes] = field(default_factory=dict)
    date: str = "01-Mar-2026 12:00:00 +0000"
    seen: set[int] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    drop: str = ""
    news: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def deliver(self, raw: bytes) -> int:
        uid = len(self.mails) + 1
        self.mails[uid] = raw
        self.news.set()
        return uid


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.say("* OK ready")
        for line in self.rfile:
            tag, _space, rest = line.decode().strip().partition(" ")
            box = self.server.box
            box.asked.append(rest)
            if box.drop and box.drop in rest:
                box.drop = ""
                return
            if not self.answer(tag, rest, box):
                return

    def say(self, line: str | bytes) -> None:
        self.wfile.write((line if isinstance(line, bytes) else line.encode()) + b"\r\n")

    def answer(self, tag: str, rest: str, box: Box) -> bool:
        verb = rest.upper()
        if verb == "CAPABILITY":
            self.say("* CAPABILITY IMAP4rev1 IDLE")
        elif verb.startswith("LOGIN") and '"right"' not in rest:
            self.say(f"{tag} NO wrong password")
            return True
        elif verb.startswith(("SELECT", "EXAMINE")):
            self.say(f"* {len(box.mails)} EXISTS")
        elif verb.startswith("UID SEARCH"):
            self.say("* SEARCH " + " ".join(str(uid) for uid in box.mails if uid not in box.seen))
        elif found := re.match(r"UID FETCH (\d+) (.*)", rest, re.IGNORECASE):
            self.fetch(int(found[1]), found[2].upper(), box)
        elif found := re.match(r"UID STORE (\d+)", rest, re.IGNORECASE):
            box.seen.add(int(found[1]))
        elif verb == "IDLE":
            self.say("+ idling")
            box.news.wait(20)
            box.news.clear()
            self.say(f"* {len(box.mails)} EXISTS")
            self.rfile.readline()
        elif verb == "LOGOUT":
            self.say("* BYE")
        self.say(f"{tag} OK done")
        return verb != "LOGOUT"

    def fetch(self, uid: int, what: str, box: Box) -> None:
        raw = box.mails[uid]
        head = raw.partition(b"\r\n\r\n")[0]
        path = re.search(rb"(?mi)^return-path:[^\r]*", head)
        literal = (path[0] + b"\r\n\r\n" if path else b"\r\n") if "HEADER.FIELDS" in what else raw
        name = "BODY[HEADER.FIELDS (RETURN-PATH)]" if "HEADER.FIELDS" in what else "BODY[]"
        told = f'* {uid} FETCH (UID {uid} RFC822.SIZE {len(raw)} INTERNALDATE "{box.date}" {name} {{{len(literal)}}}'
        if "INTERNALDATE" not in what:
            told = told.replace(f'INTERNALDATE "{box.date}" ', "")
        self.say(told)
        self.say(literal + b")")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    box: Box


@contextmanager
def serving() -> Iterator[Box]:
    box = Box()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.box = box
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            box.news.set()
            server.shutdown()
