"""Where the work on a stream is done: on the loop, but for what is big, and for what may be big all at once."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, cast

import pytest

from gateway.test_relay import HI, STOP, USAGE, streaming
from setpoint.errors import ProviderError
from setpoint.gateway.aside import BIG_BYTES

if TYPE_CHECKING:
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
