"""Many clients at once, cheap enough that the gateway is what is measured: each request on a connection of its own.

Fresh connections reach all workers, and the end of the connection is the end of the answer, whatever was promised.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit

import uvloop

from support.http import Answer, request_bytes

if TYPE_CHECKING:
    from types import TracebackType

    from support.http import Pairs

HANG_S = 60
"""No request of a load takes longer: what does hangs."""

_COME_PER_S = 500

End = Literal["whole", "cut", "refused", "left", "hung"]


@dataclass(frozen=True)
class Manner:
    """How a client behaves: well, unless told otherwise.

    It sends only so many bytes of its request and goes away; it goes away after so many bytes of the answer (0: as
    soon as its request is sent), politely or with a reset; it reads so many bytes at a time, with a rest in between.
    """

    sends: int | None = None
    leaves_after: int | None = None
    leaves_with_reset: bool = False
    sips: int | None = None
    rest_s: float = 0.01

    @property
    def stays(self) -> bool:
        """Whether it sends all, and waits for the end of the answer."""
        return self.sends is None and self.leaves_after is None


WELL = Manner()


@dataclass(frozen=True)
class Heard:
    """What one client heard, from when to when in seconds of the monotonic clock.

    `answer` is what came of it: None when not even the head did. It is complete only when `end` is `whole`.
    """

    end: End
    answer: Answer | None
    began_s: float
    ended_s: float

    @property
    def id(self) -> str | None:
        """The generation id that the answer's head tells; None when it tells none."""
        return self.answer.header("x-generation-id") if self.answer else None


def asking(
    method: str, url: str, body: bytes | None = None, *, key: str | None, headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """A request for a connection of its own, as it goes over the wire."""
    said = [("Authorization", f"Bearer {key}")] if key is not None else []
    typed = [("Content-Type", "application/json")] if body is not None else []
    return request_bytes(method, url, body, headers=[*said, *typed, ("Connection", "close"), *headers])


async def ask(origin: str, request: bytes, manner: Manner = WELL, *, timeout_s: float = HANG_S) -> Heard:
    """What a client of these manners hears. Never raises for what happens to the connection."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(origin)
    began = time.monotonic()
    client: _Client | None = None
    try:
        async with asyncio.timeout(timeout_s):
            _, client = await loop.create_connection(
                lambda: _Client(request, manner), parts.hostname or "", parts.port or 80
            )
            await client.ended
    except OSError as error:
        end: End = "hung" if isinstance(error, TimeoutError) else "refused"
        if client is not None:
            client.go(reset=True)
        return Heard(end, None, began, time.monotonic())
    answer, whole = read_answer(bytes(client.received))
    end = "left" if client.left else "whole" if whole else "cut"
    return Heard(end, answer, began, time.monotonic())


async def insist(origin: str, request: bytes, manner: Manner = WELL, *, hang_s: float = HANG_S) -> Heard:
    """The same, asked again a little later each time that the server says it has more to do than it can."""
    until = time.monotonic() + hang_s
    while True:
        heard = await ask(origin, request, manner, timeout_s=hang_s)
        answer = heard.answer
        if answer is None or answer.status not in (503, 529) or b'"unavailable"' not in answer.body:
            return heard
        if answer.header("retry-after") is None or time.monotonic() > until:
            return heard
        await asyncio.sleep(0.2)


async def ask_all(
    origin: str,
    requests: Sequence[tuple[bytes, Manner]],
    *,
    at_once: int,
    done: Callable[[int], None] = lambda _: None,
    hang_s: float = HANG_S,
) -> list[Heard]:
    """What each of these clients hears, in their order, with so many of them at a time, each of which insists.

    They do not come all in one moment: what is at hand has no more than two cores for all sides.
    `done` is told how many have come to their end, each time that one has.
    """
    heard: list[Heard | None] = [None] * len(requests)
    numbers, ended = iter(range(len(requests))), count(1)

    async def work(place: int) -> None:
        await asyncio.sleep(place / _COME_PER_S)
        for number in numbers:
            heard[number] = await insist(origin, *requests[number], hang_s=hang_s)
            done(next(ended))

    async with asyncio.TaskGroup() as group:
        for place in range(min(at_once, len(requests))):
            group.create_task(work(place))
    return cast("list[Heard]", heard)


class Load:
    """Clients that ask one request after the other until told to stop, in a thread beside the test.

    with Load(lambda: gateway.origin, request_of, at_once=8) as load:
        gateway.process.send_signal(signal.SIGHUP)
        load.wait_for(200)
    assert {one.end for one in load.heard} == {"whole"}
    """

    def __init__(self, origin: Callable[[], str], request_of: Callable[[int], bytes], *, at_once: int) -> None:
        self.heard: list[Heard] = []
        self._origin = origin
        self._request_of = request_of
        self._at_once = at_once
        self._asked = 0
        self._stopping = False
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), name="load")

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping = True
        self._thread.join()

    def wait_for(self, more: int, *, timeout_s: float = HANG_S) -> None:
        """Returns when so many more answers have been heard. Raises: `TimeoutError`."""
        wanted, until = len(self.heard) + more, time.monotonic() + timeout_s
        while len(self.heard) < wanted:
            if time.monotonic() > until or not self._thread.is_alive():
                raise TimeoutError(f"{len(self.heard)} answers of {wanted}")
            time.sleep(0.005)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(self._work())

    async def _work(self) -> None:
        while not self._stopping:
            number = self._asked
            self._asked += 1
            self.heard.append(await ask(self._origin(), self._request_of(number)))


def percentile(of: Iterable[float], share: float) -> float:
    """The least of these numbers that at least this share of them does not exceed."""
    ordered = sorted(of)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def read_answer(data: bytes) -> tuple[Answer | None, bool]:
    """The answer in all the bytes that a connection gave, and whether it is complete. None without a whole head.

    Raises: `ValueError` for what is no HTTP answer.
    """
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        if data and not data.startswith(b"HTTP/1.1 "[: len(data)]):
            raise ValueError(f"not an HTTP answer: {data[:200]!r}")
        return None, False
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = first.split(" ", 2)
    if version != "HTTP/1.1":
        raise ValueError(f"not an HTTP/1.1 answer: {first!r}")
    headers: Pairs = tuple((name, content.strip()) for name, _, content in (line.partition(":") for line in lines))
    answer = Answer(int(status), headers, rest)
    if (answer.header("transfer-encoding") or "").lower() == "chunked":
        body, whole = _chunks(rest)
    else:
        length = int(answer.header("content-length") or 0)
        body, whole = rest[:length], len(rest) >= length
        if len(rest) > length:
            raise ValueError(f"{len(rest) - length} bytes behind the answer: {rest[length:][:200]!r}")
    return Answer(answer.status, headers, body), whole


def _chunks(data: bytes) -> tuple[bytes, bool]:
    pieces: list[bytes] = []
    at = 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end], 16)
        piece = data[end + 2 : end + 2 + size]
        pieces.append(piece)
        at = end + 2 + size + 2
        if at > len(data):
            break
        if size == 0:
            if at < len(data):
                raise ValueError(f"{len(data) - at} bytes behind the last chunk: {data[at:][:200]!r}")
            return b"".join(pieces), True
    return b"".join(pieces), False


class _Client(asyncio.Protocol):
    def __init__(self, request: bytes, manner: Manner) -> None:
        self.received = bytearray()
        self.left = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._manner = manner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        manner = self._manner
        if manner.sips is not None:  # small, so that the gateway soon feels how slowly it is read
            taken: socket.socket = transport.get_extra_info("socket")
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._transport.write(self._request if manner.sends is None else self._request[: manner.sends])
        if manner.sends is not None or manner.leaves_after == 0:
            self.left = True
            self.go(reset=manner.leaves_with_reset)

    def data_received(self, data: bytes) -> None:
        self.received += data
        manner = self._manner
        if manner.leaves_after is not None and len(self.received) >= manner.leaves_after:
            self.left = True
            self.go(reset=manner.leaves_with_reset)
        elif manner.sips is not None:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(manner.rest_s * len(data) / manner.sips, self._read_on)

    def _read_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # what was heard until then tells all
        if not self.ended.done():
            self.ended.set_result(None)

    def go(self, *, reset: bool) -> None:
        """Close the connection, whatever is still to come."""
        if reset and not self._transport.is_closing():
            taken: socket.socket = self._transport.get_extra_info("socket")
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()
