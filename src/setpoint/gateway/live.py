"""A stream whose attempt is committed: from the upstream's bytes to whole events for the client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from setpoint.errors import ProviderError
from setpoint.gateway.metadata import router_metadata
from setpoint.gateway.meter import bill
from setpoint.protocols.answer import StreamFailedError
from setpoint.wire.sse import FrameReader, FrameTooLargeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from msgspec import Raw

    from setpoint.errors import SetpointError
    from setpoint.gateway.aside import Aside
    from setpoint.gateway.exchange import Exchange
    from setpoint.gateway.failed import Failed
    from setpoint.protocols.answer import Bill
    from setpoint.protocols.base import EditedStream
    from setpoint.providers.client import AnswerStream
    from setpoint.routing.health import Trial
    from setpoint.routing.placing import Candidate

# How long to wait for more once the answer is complete, and for a usage that comes behind its end, in seconds: at most,
# since no upstream may be silent for longer than its idle timeout says.
_AFTER_FINISH_S = 10.0
_LATE_USAGE_S = 1.0
# What it costs to write a part that ends, in bytes of text that would cost as much.
_PART_BYTES = 1_024
# How long an upstream may take to end a stream that is complete, before its connection is closed, in seconds.
_DRAIN_S = 1.0


class LiveStream:
    """A stream whose attempt is committed. `frames` is what the client gets; `close` ends the upstream's side."""

    def __init__(
        self,
        exchange: Exchange,
        candidate: Candidate,
        trial: Trial,
        answer: AnswerStream,
        edited: EditedStream,
        max_event_bytes: int,
        aside: Aside,
        failed: Failed,
    ) -> None:
        self.edited = edited
        self._exchange = exchange
        self._candidate = candidate
        self._trial = trial
        self._answer = answer
        self._aside = aside
        self._failed = failed
        self._unopened = exchange.size  # of the request, which the first events may repeat
        self._reader = FrameReader(max_event_bytes)
        self._max_held_bytes = max_event_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._read_bytes = 0
        self._broken: ProviderError | None = None
        self._late_until: float | None = None

    async def first(self) -> None:
        """Read up to the first meaningful event. Raises: `ProviderError` when the stream ends or fails before it."""
        while not self.edited.meaningful:
            piece = await self._answer.read()
            if not piece:
                raise ProviderError("provider_unavailable", "the provider's stream ended before its answer began")
            edited = await self._edited(piece)
            self._held.append(edited)
            self._held_bytes += len(edited)
            if self._broken is not None and not self.edited.meaningful:
                raise self._broken
            if self._held_bytes > self._max_held_bytes:
                raise ProviderError("provider_unavailable", "the provider's stream does not come to its answer")

    async def frames(self) -> AsyncIterator[bytes]:
        """Whole events for the client, as many as have come at a time, up to the end of the stream.

        The exchange is finished before its last events are handed out, so that the record is there with the answer.
        Raises: `ProviderError` when the upstream breaks, stalls or reports an error.
        """
        if self._held_bytes:
            yield b"".join(self._held)
            self._held.clear()
        try:
            while self._broken is None and not self.edited.done and (piece := await self._next()):
                if edited := await self._edited(piece):
                    yield edited
            if self._broken is not None:
                raise self._broken
            if not self.edited.terminal:
                raise ProviderError(
                    "provider_unavailable", "the provider's stream ended before its answer was complete"
                )
        except ProviderError as error:
            self._trial.failed(error)
            raise
        billed = self.settle()
        self._trial.ended(billed.usage.output_tokens)
        metadata = router_metadata(self._exchange)
        size = self._exchange.size + self._read_bytes
        last = await self._aside.run(size, lambda: self.edited.end(billed, metadata))
        self._gather(last)
        self._exchange.finish("completed")
        yield last

    async def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        """The last events of an answer that broke."""
        return await self._aside.run(self._read_bytes, lambda: self.edited.fail(error, metadata))

    def settle(self) -> Bill:
        """Book what the answer used up to here, by the provider's count or else by our own."""
        exchange = self._exchange
        exchange.bill = bill(self.edited.outcome, self._candidate.endpoint, exchange.estimated_input, exchange.images)
        return exchange.bill

    async def close(self) -> None:
        """Let the connection go back to its pool when the stream has ended, else close it."""
        try:
            async with asyncio.timeout(_DRAIN_S):
                while self.edited.terminal and self._broken is None and await self._answer.read():
                    pass
        except (TimeoutError, ProviderError):
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Close the upstream's connection at once, unless it is back in its pool."""
        self._trial.left()
        self._answer.abort()

    async def _next(self) -> bytes:
        """More of the stream. An answer that is complete is not undone by how its stream ends."""
        if not self.edited.terminal:
            self._late_until = None
            return await self._read_in_time()
        patience_s = _LATE_USAGE_S if self.edited.done_seen else _AFTER_FINISH_S
        idle_s = self._candidate.endpoint.timeouts.idle_s
        until = asyncio.get_running_loop().time() + min(patience_s, idle_s or patience_s)
        self._late_until = min(self._late_until or until, until)  # one deadline, whatever trickles in
        try:
            return await self._read_by(self._late_until)
        except (TimeoutError, ProviderError):
            return b""

    async def _read_in_time(self) -> bytes:
        idle_s = self._candidate.endpoint.timeouts.idle_s
        try:
            return await self._read_by(None if idle_s is None else asyncio.get_running_loop().time() + idle_s)
        except TimeoutError:
            raise ProviderError("timeout", "the provider stopped sending", provider_code="idle_timeout") from None

    async def _read_by(self, deadline: float | None) -> bytes:
        """The next piece, if it has come by then. Raises: `TimeoutError`, and as the answer's `read`."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._answer.read()
        except TimeoutError:
            await asyncio.sleep(0)  # a loop that is late looks at its clocks before its sockets: let it look at these
            async with asyncio.timeout(0):
                return await self._answer.read()

    async def _edited(self, piece: bytes) -> bytes:
        self._read_bytes += len(piece)
        size = self._reader.held_bytes + self.edited.open_parts * _PART_BYTES + self._unopened
        edited = await self._aside.run(size, lambda: self._edit(piece))
        if edited:
            self._unopened = 0
            self._gather(edited)
        return edited

    def _gather(self, events: bytes) -> None:
        """These events are part of the answer that the client gets."""
        if self._exchange.gathered is not None:
            self._exchange.gathered.add(events)

    def _edit(self, piece: bytes) -> bytes:
        """The events for the client in this piece; an error behind them waits until they are out."""
        edited: list[bytes] = []
        try:
            for frame in self._reader.feed(piece):
                edited.append(self.edited.read(frame))  # noqa: PERF401 what came before a bad frame must stay
        except StreamFailedError as failed:
            self._broken = self._failed.reported(self._candidate, failed.reported, {}, b"")
        except FrameTooLargeError:
            self._broken = ProviderError("provider_unavailable", "the provider sent an event that is too large")
        except ProviderError as error:
            self._broken = error
        return b"".join(edited)
