"""Where the work on a stream is done: on the loop, but for what is big, and for what may be big all at once; and what a
loop that is late makes of what has come in time."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, cast

import pytest
from msgspec import structs

from gateway.test_relay import ENDPOINT, HI, STOP, USAGE, Attempt, Pieces, streaming
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.gateway.aside import BIG_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from msgspec import Raw

    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Bill
    from setpoint.protocols.base import EditedStream
    from setpoint.wire.sse import Frame

DONE = b"data: [DONE]\n\n"
ENDING = (STOP, USAGE, DONE)
BIG = [HI * 100] * (BIG_BYTES // len(HI * 100) + 1)


class Watched:
    """A stream of which it is known in which thread it was worked on, and that says how many parts are open."""

    def __init__(self, edited: EditedStream, open_parts: int) -> None:
        self.edited = edited
        self.open_parts = open_parts
        self.elsewhere: dict[str, bool] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self.edited, name)

    def read(self, frame: Frame) -> bytes:
        self._note("read")
        return self.edited.read(frame)

    def end(self, bill: Bill, metadata: Raw | None) -> bytes:
        self._note("end")
        return self.edited.end(bill, metadata)

    def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        self._note("fail")
        return self.edited.fail(error, metadata)

    def _note(self, step: str) -> None:
        self.elsewhere[step] = threading.current_thread() is not threading.main_thread()


def watched(*pieces: bytes, open_parts: int = 0) -> dict[str, bool]:
    """Which steps of a stream of these pieces, behind its first, were done beside the loop."""

    async def read() -> dict[str, bool]:
        live = await streaming(HI, *pieces).live()
        told = Watched(live.edited, open_parts)
        live.edited = cast("EditedStream", told)
        try:
            async for _ in live.frames():
                pass
        except ProviderError as error:
            await live.fail(error, None)
        return told.elsewhere

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("pieces", "elsewhere"),
    [
        (ENDING, {"read": False, "end": False}),
        ((*BIG, *ENDING), {"read": False, "end": True}),
        ((HI,), {"read": False, "fail": False}),
        (tuple(BIG), {"read": False, "fail": True}),
    ],
    ids=["short", "long", "short and broken", "long and broken"],
)
def test_the_end_of_a_long_stream_is_written_beside_the_loop(
    pieces: tuple[bytes, ...], elsewhere: dict[str, bool]
) -> None:
    assert watched(*pieces) == elsewhere


def test_a_stream_with_many_open_parts_is_read_beside_the_loop() -> None:
    assert watched(*ENDING, open_parts=257) == {"read": True, "end": False}


class Wired(Pieces):
    """An answer that comes over a socket."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__()
        self._reader = reader

    async def read(self) -> bytes:
        return await self._reader.read(1 << 16)


@pytest.mark.parametrize("first", [HI, HI + STOP], ids=["before its finish", "before its usage"])
def test_what_has_come_while_the_loop_was_late_is_read(first: bytes) -> None:
    impatient = structs.replace(ENDPOINT, timeouts=structs.replace(ENDPOINT.timeouts, idle_s=0.01))

    async def used() -> Usage | None:
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            theirs.sendall(first)
            attempt = Attempt(Wired(reader), '"stream":true', endpoint=impatient)
            frames = (await attempt.live()).frames()
            assert b"Hi" in await anext(frames)
            rest = asyncio.ensure_future(_all(frames))
            await asyncio.sleep(0)  # now it waits for more
            theirs.sendall(b"".join(ENDING) if first == HI else USAGE + DONE)
            time.sleep(0.1)  # noqa: ASYNC251 - the loop is late: all of its clocks have run out
            await rest
            writer.close()
        [record] = attempt.records
        return record.usage

    assert asyncio.run(used()) == Usage(input_tokens=10, output_tokens=5)


async def _all(frames: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in frames])
