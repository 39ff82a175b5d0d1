"""Plays one script on a connection: the only place that writes to a peer, cuts what it writes, and takes it away."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, NoReturn

from simulator.dialects import answer_to
from simulator.steps import Answer, End, How, Pause, Repeat, Script, Send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.records import Record

_READ_BEFORE_RESET_S = 0.02


class StoppedError(Exception):
    """The connection is no longer there for another request."""


class Player:
    """The writing side of one connection. `stopped` says that the script, not the peer, ended it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.writable = asyncio.Event()
        self.writable.set()
        self.stopped = False

    async def play(self, script: Script, record: Record) -> None:
        """Every step in turn. Raises: `StoppedError` when the script takes the connection away."""
        for step in script.steps:
            match step:
                case Send(data):
                    await self._write(script, record, data)
                case Repeat(data, times, pause_ms):
                    left = times
                    while left is None or left > 0:
                        await self._write(script, record, data)
                        await asyncio.sleep(pause_ms / 1_000)
                        left = None if left is None else left - 1
                case Pause(ms):
                    await asyncio.sleep(ms / 1_000)
                case Answer(text, prompt_tokens, completion_tokens, pause_ms, id_):
                    tokens = (prompt_tokens, completion_tokens)
                    for at, piece in enumerate(answer_to(record.path, record.body, text, tokens, id_=id_)):
                        if at:
                            await asyncio.sleep(pause_ms / 1_000)
                        await self._write(script, record, piece)
                case End(how):
                    await self._stop(how, record)

    def reset(self) -> None:
        """Take the connection away at once, with RST."""
        self.stopped = True
        taken: socket.socket = self._transport.get_extra_info("socket")
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def _write(self, script: Script, record: Record, data: bytes) -> None:
        left = None if script.stop_after is None else script.stop_after - record.written
        for piece in _cut(script, record.written, data[:left]):
            self._transport.write(piece)
            record.written += len(piece)
            await self.writable.wait()
            if script.piece_bytes or script.cuts:
                await asyncio.sleep(script.piece_pause_ms / 1_000)
        if left is not None and len(data) >= left:
            await self._stop(script.stop_how, record)

    async def _stop(self, how: How, record: Record) -> NoReturn:
        if how == "hang":
            await asyncio.get_running_loop().create_future()
        if how == "reset":
            await asyncio.sleep(_READ_BEFORE_RESET_S)  # a reset may overtake what was sent before it
            self.reset()
        self.stopped = True
        self._transport.close()
        record.answered_ms = record.age_ms()
        raise StoppedError


def _cut(script: Script, start: int, data: bytes) -> Iterator[bytes]:
    """The data, which begins at byte `start` of the answer, in the pieces that the script wants."""
    if script.piece_bytes:
        ends = range(script.piece_bytes - start % script.piece_bytes, len(data), script.piece_bytes)
    else:
        ends = [at - start for at in sorted(script.cuts) if start < at < start + len(data)]
    begin = 0
    for end in (*ends, len(data)):
        if end > begin:
            yield data[begin:end]
        begin = end
