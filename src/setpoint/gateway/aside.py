"""Work on big values, done beside the event loop so that it turns meanwhile."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

BIG_BYTES = 262_144
"""What is larger takes milliseconds to read or to write. What is not is done at once: a thread would cost more."""

_THREADS = 2


class Aside:
    """Two threads, so that nobody's big body waits for one other; more would only take the interpreter in turns.

    Cycles are not collected while they work. What the work makes by the hundred thousand goes as soon as it is done
    with, without a collector; and a collection that looks at all of it would hold the loop for as long as it takes,
    whichever thread it runs in.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, "aside")
        self._lock = Lock()
        self._working = 0

    async def run(self, size: int, work: Callable[[], T]) -> T:
        """What this work gives, which is about so many bytes. Raises: what the work raises."""
        if size <= BIG_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._uncollected, work)

    def close(self) -> None:
        """Begin nothing more. What has begun goes to its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _uncollected(self, work: Callable[[], T]) -> T:
        with self._lock:
            self._working += 1
            gc.disable()
        try:
            return work()
        finally:
            with self._lock:
                self._working -= 1
                if not self._working:
                    gc.enable()
