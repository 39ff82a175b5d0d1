"""What the process remembers: a script queue for each path prefix, and every request it received."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator import answers
from simulator.steps import Answer, Script

_DEFAULT = Script((Answer(answers.TEXT, *answers.USAGE),))


@dataclass
class Record:
    """One request as it came, and what became of it. Times in ms count from the moment its head was complete.

    `written` counts the bytes of the answer so far, `buffered` tells how many the operating system has not taken yet.
    """

    connection: int
    method: str
    path: str
    headers: list[tuple[str, str]]
    head: bytes
    buffered: Callable[[], int]
    body: bytes = b""
    written: int = 0
    whole: bool = False
    answered_ms: float | None = None
    closed_ms: float | None = None
    received_at: float = field(default_factory=time.time)
    _start: float = field(default_factory=time.monotonic)

    def age_ms(self) -> float:
        """The time since the head was complete."""
        return (time.monotonic() - self._start) * 1_000

    def header(self, name: str) -> str:
        """The value of the first header of this name (lower case), empty when there is none."""
        return next((content for it, content in self.headers if it.lower() == name), "")

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, bytes in base64. `went_away`: the peer closed before its answer was complete."""
        return {
            "connection": self.connection,
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "head": b64encode(self.head).decode(),
            "body": b64encode(self.body).decode(),
            "whole": self.whole,
            "received_at": self.received_at,
            "answered_ms": self.answered_ms,
            "closed_ms": self.closed_ms,
            "went_away": self.closed_ms is not None and self.answered_ms is None,
            "sent_bytes": max(0, self.written - self.buffered()),
        }


class Memory:
    """Scripts and records of one process."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.running: set[Callable[[], None]] = set()
        """For each script that is running, what takes its connection away."""
        self._scripts: dict[str, list[Script]] = {}
        self._again: set[str] = set()
        self._changed = asyncio.Event()
        self._gates: dict[int, asyncio.Event] = {}

    def set_scripts(self, prefix: str, scripts: list[Script], *, again: bool = False) -> None:
        """From now on requests whose path starts so get these, in order.

        The last one is for all that follow; or, `again`, the first one is next when all were.
        """
        self._scripts[prefix] = list(scripts)
        self._again.discard(prefix)
        if again:
            self._again.add(prefix)

    def clear(self) -> None:
        """Forget scripts and records; take the connections away on which a script still runs."""
        self._scripts.clear()
        self.records.clear()
        self._gates.clear()
        for take_away in tuple(self.running):
            take_away()

    def next_script(self, path: str) -> Script:
        """What happens to a request: the longest prefix that fits decides."""
        prefix = max((it for it in self._scripts if path.startswith(it)), key=len, default=None)
        queue = self._scripts[prefix] if prefix is not None else []
        if not queue:
            return _DEFAULT
        if prefix in self._again:
            queue.append(queue[0])
        return queue.pop(0) if len(queue) > 1 else queue[0]

    def add(self, record: Record) -> None:
        """Remember a request that has come."""
        self.records.append(record)
        if gate := self._gates.pop(len(self.records), None):
            gate.set()

    async def gate(self, count: int) -> None:
        """Returns when there are so many records."""
        if len(self.records) < count:
            await self._gates.setdefault(count, asyncio.Event()).wait()

    def note(self) -> None:
        """Tell whoever waits that a record has come or changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, holds: Callable[[], bool], seconds: float) -> None:
        """Returns when the condition holds, or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await self._changed.wait()
        except TimeoutError:
            pass
