"""Work on big values, done beside the event loop so that it turns meanwhile."""

from __future__ import annotations

import asyncio
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

BIG_BYTES = 262_144
"""What is larger takes milliseconds to read or to write. What is not is done at once: a thread would cost more."""

_THREADS = 2
_UNCOLLECTED_S = 5.0


class Aside:
    """Two threads, so that nobody's big body waits for one other; more would only take the interpreter in turns.

    Cycles are not collected while they work. What the work makes by the hundred thousand goes as soon as it is done
    with, without a collector; and a collection that looks at all of it would hold the loop for as long as it takes,
    whichever thread it runs in. Where there is never a moment without such work, they are collected all the same.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._threads = ThreadPoolExecutor(_THREADS, "aside")
        self._lock = Lock()
        self._working = 0
        self._uncollected_since = 0.0

    async def run(self, size: int, work: Callable[[], T]) -> T:
        """What this work gives, which is about so many bytes. Raises: what the work raises.

        Who is cancelled meanwhile has work that has begun go to its end before: what it works on may be wanted then.
        """
        if size <= BIG_BYTES:
            return work()
        begun = self._threads.submit(self._uncollected, work)
        done = asyncio.wrap_future(begun)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not begun.cancel():
                await asyncio.wait([done])
                done.exception()  # nobody asks for it any more
            raise

    def close(self) -> None:
        """Begin nothing more. What has begun goes to its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _uncollected(self, work: Callable[[], T]) -> T:
        with self._lock:
            if not self._working:
                self._uncollected_since = self._clock()
            self._working += 1
            gc.disable()
        try:
            return work()
        finally:
            with self._lock:
                self._working -= 1
                now = self._clock()
                if not self._working:
                    gc.enable()
                elif now - self._uncollected_since > _UNCOLLECTED_S:
                    self._uncollected_since = now
                    gc.collect(1)
