"""An event loop in a thread of its own: connections outlive a send, and answers are given out one by one."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator, Sequence
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from django.utils import translation

T = TypeVar("T")
ENDING = 5.0
"""Seconds that ending a loop, or what runs in it, may take."""


class Held(Protocol):
    """What lives in the loop and must end with it, or be left alone in a forked process."""

    async def close(self) -> None: ...

    def forget(self) -> None: ...


class Aside:
    """Runs coroutines for callers that are not asynchronous. A forked process gets a loop of its own."""

    def __init__(self, held: Sequence[Held]) -> None:
        self._held = held
        self._pid = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: weakref.finalize[..., Aside] | None = None

    def ask(self, what: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that bounds its own time."""
        return asyncio.run_coroutine_threadsafe(_spoken(what, translation.get_language()), self._running()).result()

    def stream(self, work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]) -> Generator[T, None, None]:
        """What ``work`` hands to the function it is given, as it comes; then raises what ``work`` raised.

        Who stops listening ends the work: when this is closed, nothing of it runs any more.
        """
        told: SimpleQueue[list[T]] = SimpleQueue()
        ended = threading.Event()
        loop = self._running()
        held: list[T] = []

        def hand_over() -> None:
            told.put(held.copy())
            held.clear()

        def tell(one: T) -> None:
            # waking the listener costs more than a request: once for all that came together
            if not held:
                loop.call_soon(hand_over)
            held.append(one)

        async def whole() -> None:
            try:
                await work(tell)
            finally:
                ended.set()
                if held:
                    hand_over()
                told.put([])

        running = asyncio.run_coroutine_threadsafe(_spoken(whole(), translation.get_language()), loop)
        try:
            while found := told.get():
                yield from found
            running.result()
        finally:
            if running.cancel():
                ended.wait(ENDING)

    def close(self) -> None:
        """End all connections, the loop and its thread."""
        if self._end is not None:
            self._end()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            ended = self._end is None or not self._end.alive
            if self._loop is None or ended or self._pid != os.getpid():
                for one in self._held if self._pid not in {0, os.getpid()} else ():
                    one.forget()
                self._pid = os.getpid()
                self._loop = asyncio.new_event_loop()
                thread = threading.Thread(target=self._loop.run_forever, name="sms", daemon=True)
                thread.start()
                self._end = weakref.finalize(self, _end, self._pid, self._loop, thread, self._held)
            return self._loop


async def _spoken(what: Coroutine[Any, Any, T], language: str | None) -> T:
    """A coroutine in the language of its caller, which the loop's thread does not have by itself."""
    with translation.override(language):
        return await what


def _end(pid: int, loop: asyncio.AbstractEventLoop, thread: threading.Thread, held: Sequence[Held]) -> None:
    if pid != os.getpid() or threading.current_thread() is thread:
        return  # a child must not touch its parent's loop; a loop can't wait for itself

    async def close() -> None:
        await asyncio.wait([asyncio.ensure_future(one.close()) for one in held], timeout=ENDING)
        # what a library leaves behind, and what another thread still sends
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=ENDING)

    asyncio.run_coroutine_threadsafe(close(), loop).result(3 * ENDING)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(ENDING)
    loop.close()
