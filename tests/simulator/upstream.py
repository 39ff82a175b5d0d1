"""The simulator's process: an HTTP/1.1 upstream that plays scripts and records the bytes it received.

`python -m simulator.upstream --port 0` prints two lines when it is ready: its port, and a port where every connection
is closed as soon as it is accepted. It ends with SIGTERM, or with the process that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, cast

from simulator.control import control
from simulator.orders import script_of
from simulator.player import Player, StoppedError
from simulator.records import Memory, Record

if TYPE_CHECKING:
    from simulator.steps import Script

_HEAD_END = b"\r\n\r\n"
_LOOK_AT_PARENT_S = 1


class Connection(asyncio.Protocol):
    """One connection: requests are recorded as they come, and each gets the script that is due."""

    opened = 0

    def __init__(self, memory: Memory) -> None:
        Connection.opened += 1
        self._number = Connection.opened
        self._memory = memory
        self._received = bytearray()
        self._news = asyncio.Event()  # more bytes have come, or no more will
        self._gone = False
        self._record: Record | None = None  # the newest request of this connection
        self._answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._player = Player(self._transport)
        self._task = asyncio.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._news.set()

    def eof_received(self) -> bool:
        self._peer_left()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # how it was lost does not matter
        self._peer_left()

    def pause_writing(self) -> None:
        self._player.writable.clear()

    def resume_writing(self) -> None:
        self._player.writable.set()

    def _peer_left(self) -> None:
        if not self._gone:
            self._gone = True
            self._news.set()
            if self._record is not None and not self._player.stopped:
                self._record.closed_ms = self._record.age_ms()
                self._memory.note()
            if self._answering:
                self._task.cancel()

    async def _serve(self) -> None:
        with contextlib.suppress(StoppedError):
            while await self._exchange():
                pass
        self._player.stopped = True
        self._transport.close()

    async def _exchange(self) -> bool:
        """Answer one request. False when there is none left, or the connection cannot take another."""
        head = await self._read_head()
        if head is None:
            return False
        method, path, version, headers = _parse(head)
        record = Record(self._number, method, path, headers, head, self._transport.get_write_buffer_size)
        if path == "/_sim" or path.startswith("/_sim/"):
            await self._read_body(record)
            self._transport.write(await control(self._memory, method, path, record.body))
            return True
        self._record = record
        self._memory.add(record)
        script = self._memory.next_script(path)
        self._memory.note()
        await self._answer(record, script)
        return script.read_body and version == "HTTP/1.1" and record.header("connection").lower() != "close"

    async def _answer(self, record: Record, script: Script) -> None:
        self._answering = True
        self._memory.running.add(self._player.reset)
        try:
            if script.read_body:
                await self._read_body(record)
            else:
                self._transport.pause_reading()
            if self._gone:  # it sent its request and left, both before this task had its turn
                record.closed_ms = record.age_ms()
                raise StoppedError
            due = script_of(record.path, record.body) if script.obeys else script
            await self._memory.gate(due.gate)
            await self._player.play(due, record)
            record.answered_ms = record.age_ms()
        finally:
            self._answering = False
            self._memory.running.discard(self._player.reset)
            self._memory.note()

    # --- reading ---

    async def _read_head(self) -> bytes | None:
        while (end := self._received.find(_HEAD_END)) < 0:
            if not await self._more():
                return None
        return self._take(end + len(_HEAD_END))

    async def _read_body(self, record: Record) -> None:
        """Read the body into the record as far as it comes."""
        try:
            if "chunked" in record.header("transfer-encoding").lower():
                record.whole = await self._read_chunks(record)
            else:
                length = int(record.header("content-length") or 0)
                record.whole = await self._has(length)
                record.body = self._take(length)
        except asyncio.CancelledError:
            record.body += self._take(len(self._received))
            raise

    async def _read_chunks(self, record: Record) -> bool:
        while True:
            while (end := self._received.find(b"\r\n")) < 0:
                if not await self._more():
                    return False
            size = int(self._take(end + 2).split(b";")[0], 16)
            if not await self._has(size + 2):
                return False
            record.body += self._take(size + 2)[:-2]
            if size == 0:
                return True

    async def _has(self, count: int) -> bool:
        while len(self._received) < count:
            if not await self._more():
                return False
        return True

    async def _more(self) -> bool:
        if self._gone:
            return False
        self._news.clear()
        await self._news.wait()
        return True

    def _take(self, count: int) -> bytes:
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken


def _parse(head: bytes) -> tuple[str, str, str, list[tuple[str, str]]]:
    first, *lines = head.decode("latin-1")[: -len(_HEAD_END)].split("\r\n")
    method, path, version = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    return method, path, version, [(name, content.strip()) for name, _, content in pairs]


class _Closing(asyncio.Protocol):
    """A connection that is closed as soon as it is accepted."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def _main(port: int) -> None:
    memory = Memory()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(memory), "127.0.0.1", port, backlog=1_024)
    closing = await loop.create_server(_Closing, "127.0.0.1", 0)
    finished = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, finished.set)
    for listening in (server, closing):
        sys.stdout.write(f"{listening.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    parent = os.getppid()
    while not finished.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(finished.wait(), _LOOK_AT_PARENT_S)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="an upstream with scripted faults")
    arguments.add_argument("--port", type=int, default=0)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # thousands of connections at once are a test case
    asyncio.run(_main(arguments.parse_args().port))
