"""Threads that do what may block, and a bound on how much waits for them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Semaphore
from typing import TYPE_CHECKING, TypeVar

from setpoint.storage.away import away

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Lane:
    """So many threads, in front of which so many pieces of work may wait."""

    def __init__(self, name: str, *, threads: int, queued: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = Semaphore(threads + queued)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """The result of this work, when it is there. Work that is cancelled before its turn is not done.

        Raises: `GatewayError` (unavailable) when there is no room for it.
        """
        if not self._room.acquire(blocking=False):
            raise away()
        submitted = self._threads.submit(work)
        submitted.add_done_callback(lambda _: self._room.release())
        return submitted

    def close(self) -> None:
        """Let what runs come to its end."""
        self._threads.shutdown()
