"""native/load.c in Python, for machines without a C compiler: the same arguments, the same line of JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple, cast

import httptools
import uvloop

_LAST_ANSWERS_S = 15


class Order(NamedTuple):
    """One kind of request, and what its answer must be."""

    data: bytes
    status: int
    pieces: int
    cancel: int

    @classmethod
    def read(cls, argument: str) -> Order:
        """The order that an argument names."""
        file, status, pieces, cancel = argument.rsplit(":", 3)
        return cls(Path(file).read_bytes(), int(status), int(pieces), int(cancel))


class Run:
    """What all connections share: when to end, and what was seen."""

    def __init__(self, orders: list[Order], most_requests: int) -> None:
        self.orders = orders
        self.stopping = False
        self.done = asyncio.Event()
        self.open = 0
        self.started = self.failed = self.cancelled = self.connections = self.pieces = 0
        self.times: list[float] = []
        self.first_pieces: list[float] = []
        self.first_failure = ""
        self._most = most_requests

    def may_start(self) -> bool:
        """Whether one more request shall be sent; if so it counts."""
        if self.stopping or (self._most and self.started >= self._most):
            return False
        self.started += 1
        return True

    def fail(self, why: str) -> None:
        """An answer was not as ordered."""
        self.failed += 1
        self.first_failure = self.first_failure or why

    def end(self) -> None:
        """One connection does no more."""
        self.open -= 1
        if self.open == 0:
            self.done.set()


class Connection(asyncio.Protocol):
    """One connection, one request at a time. Another takes its place when it is closed."""

    def __init__(self, run: Run, number: int, reconnect: deque[int]) -> None:
        self._run = run
        self._number = number
        self._reconnect = reconnect
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._order: Order | None = None
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._run.connections += 1
        self._begin()

    def _begin(self) -> None:
        if not self._run.may_start():
            self._order, self._ended = None, True
            self._transport.close()
            self._run.end()
            return
        self._order = self._run.orders[self._number % len(self._run.orders)]
        self._number += 1
        self._parser = httptools.HttpResponseParser(self)
        self._pieces, self._first, self._whole, self._keep = 0, 0.0, False, True
        self._sent = time.monotonic()
        self._transport.write(self._order.data)

    def data_received(self, data: bytes) -> None:
        """More of an answer."""
        if self._order is None:
            return
        self._parser.feed_data(data)
        if self._order.cancel and self._pieces >= self._order.cancel:
            self._run.cancelled += 1
            self._replace()
        elif self._whole:
            self._finish(self._order)

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        if pieces := body.count(b"~"):
            self._first = self._first or time.monotonic()
            self._pieces += pieces
            self._run.pieces += pieces

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._whole, self._keep = True, self._parser.should_keep_alive()

    def _finish(self, order: Order) -> None:
        status = self._parser.get_status_code()
        if status != order.status or self._pieces != order.pieces:
            self._run.fail(f"status {status}, {self._pieces} pieces")
        else:
            self._run.times.append(time.monotonic() - self._sent)
            if self._first:
                self._run.first_pieces.append(self._first - self._sent)
        if self._keep:
            self._begin()
        else:
            self._replace()

    def _replace(self) -> None:
        self._order, self._ended = None, True
        self._transport.close()
        self._reconnect.append(self._number)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 asyncio names it
        """The server has closed, or we have."""
        if not self._ended:
            self._run.fail("the connection was closed")
            self._replace()


async def _load(port: int, connections: int, seconds: float, requests: int, orders: list[Order]) -> None:
    run = Run(orders, requests)
    run.open = connections
    start = time.monotonic()
    loop = asyncio.get_running_loop()
    waiting = deque(range(connections))
    while not run.done.is_set():
        while waiting:
            number = waiting.popleft()
            await loop.create_connection(lambda n=number: Connection(run, n, waiting), "127.0.0.1", port)
        if seconds and time.monotonic() - start >= seconds:
            run.stopping = True
            if time.monotonic() - start >= seconds + _LAST_ANSWERS_S:
                run.failed += run.open
                run.first_failure = run.first_failure or "no whole answer in time"
                break
        await asyncio.sleep(0.001)
    _print(run, time.monotonic() - start)


def _print(run: Run, seconds: float) -> None:
    run.times.sort()
    run.first_pieces.sort()
    result = {
        "seconds": round(seconds, 4),
        "cpu_s": round(time.process_time(), 4),
        "answered": len(run.times),
        "failed": run.failed,
        "cancelled": run.cancelled,
        "connections": run.connections,
        "pieces": run.pieces,
        "p50_us": _percentile_us(run.times, 0.5),
        "p99_us": _percentile_us(run.times, 0.99),
        "first_piece_p50_us": _percentile_us(run.first_pieces, 0.5),
        "first_piece_p99_us": _percentile_us(run.first_pieces, 0.99),
        "first_failure": run.first_failure,
    }
    print(json.dumps(result))


def _percentile_us(times: list[float], share: float) -> float:
    return round(times[int((len(times) - 1) * share)] * 1e6, 1) if times else 0.0


def main() -> None:
    """Load, as the arguments say."""
    port, connections, seconds, requests, *orders = sys.argv[1:]
    read = [Order.read(argument) for argument in orders]
    uvloop.run(_load(int(port), int(connections), float(seconds), int(requests), read))


if __name__ == "__main__":
    main()
