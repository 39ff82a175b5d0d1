"""One attempt at one endpoint: send the body, and return with the first meaningful event of the answer in hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.errors import ProviderError
from setpoint.gateway.metadata import router_metadata
from setpoint.gateway.meter import bill
from setpoint.protocols.answer import Stamp
from setpoint.protocols.chat.errors import read_error, reported_in
from setpoint.protocols.chat.result import read_result
from setpoint.protocols.chat.stream import ChatStream, StreamFailedError
from setpoint.protocols.chat.usage import estimate
from setpoint.protocols.debug import redacted, wants_echo
from setpoint.protocols.failures import Reported, failure, reported_status
from setpoint.protocols.forward import lower
from setpoint.providers.auth import headers, secrets
from setpoint.providers.client import UpstreamRequest
from setpoint.wire.body import MalformedError, join, split
from setpoint.wire.sse import FrameReader, FrameTooLargeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from setpoint.gateway.exchange import Exchange
    from setpoint.protocols.answer import Bill
    from setpoint.providers.client import AnswerStream, UpstreamClient
    from setpoint.routing.plan import Candidate

# How long to wait for more once every choice has finished, and for a usage that comes behind `[DONE]`, in seconds.
_AFTER_FINISH_S = 10.0
_LATE_USAGE_S = 1.0
# How long an upstream may take to end a stream that is complete, before its connection is closed, in seconds.
_DRAIN_S = 1.0
_RAW_BYTES = 4_000


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds on what an upstream may send, in bytes and levels."""

    max_answer_bytes: int
    max_event_bytes: int
    max_json_depth: int
    max_json_members: int


class Relay:
    """The way of a request to an endpoint and back."""

    def __init__(
        self,
        client: UpstreamClient,
        echo: UpstreamClient,
        limits: Limits,
        identity_key: bytes,
        new_call_id: Callable[[], str],
    ) -> None:
        self._client = client
        self._echo = echo
        self._limits = limits
        self._identity_key = identity_key
        self._new_call_id = new_call_id

    async def send(self, exchange: Exchange, candidate: Candidate) -> bytes | LiveStream:
        """The whole answer for the client, or a stream whose first meaningful event has come.

        Raises: `ProviderError` when the attempt failed; it is not yet booked with the exchange.
        """
        lowered = lower(exchange.body, candidate.endpoint, stream=exchange.stream, identity_key=self._identity_key)
        exchange.begin_attempt(candidate, lowered.unsaid)
        body = join(lowered.body)
        request = self._request(candidate, body, stream=exchange.stream)
        client = self._echo if candidate.endpoint.provider.builtin else self._client
        if exchange.stream:
            if wants_echo(exchange.body):
                exchange.debug_bodies.append((_stamp(exchange, candidate), redacted(body)))
            return await self._stream(exchange, candidate, client, request)
        return await self._whole(exchange, candidate, client, request)

    def _request(self, candidate: Candidate, body: bytes, *, stream: bool) -> UpstreamRequest:
        endpoint, provider = candidate.endpoint, candidate.endpoint.provider
        return UpstreamRequest(
            url=f"{endpoint.base_url}/chat/completions",
            headers=headers(provider, candidate.key, stream=stream),
            body=body,
            connect_s=endpoint.timeouts.connect_s,
            total_s=endpoint.timeouts.total_s,
            max_bytes=self._limits.max_answer_bytes,
            proxy=provider.proxy,
            verify=provider.verify,
        )

    async def _whole(
        self, exchange: Exchange, candidate: Candidate, client: UpstreamClient, request: UpstreamRequest
    ) -> bytes:
        answer = await client.send(request)
        _check_status(candidate, answer.status, answer.headers, answer.body)
        _check_type(candidate, answer.headers, "application/json", answer.body)
        try:
            body = split(answer.body, max_depth=self._limits.max_json_depth, max_members=self._limits.max_json_members)
            reported = reported_in(body)
        except MalformedError as error:
            raise ProviderError("provider_unavailable", "the provider's answer is malformed") from error
        if reported is not None:
            raise _reported(candidate, reported, answer.headers, answer.body)
        result = read_result(body)
        exchange.commit_attempt(answer.status, result.outcome)
        exchange.bill = bill(
            result.outcome,
            candidate.endpoint.price,
            lambda: estimate(exchange.body, result.outcome.output_bytes),
        )
        stamp = _stamp(exchange, candidate)
        return result.write(stamp, exchange.bill, self._new_call_id, router_metadata(exchange))

    async def _stream(
        self, exchange: Exchange, candidate: Candidate, client: UpstreamClient, request: UpstreamRequest
    ) -> LiveStream:
        first_token_s = candidate.endpoint.timeouts.first_token_s
        answer: AnswerStream | None = None
        try:
            async with asyncio.timeout(first_token_s):
                answer = await client.stream(request)
                if answer.status != 200 or not _is_type(answer.headers, "text/event-stream"):
                    whole = await answer.read_all()
                    _check_status(candidate, answer.status, answer.headers, whole)
                    _check_type(candidate, answer.headers, "text/event-stream", whole)
                live = LiveStream(exchange, candidate, answer, self._limits.max_event_bytes, self._new_call_id)
                await live.first()
        except TimeoutError:
            _abort(answer)
            raise ProviderError("timeout", "the provider did not begin to answer in time") from None
        except BaseException:
            _abort(answer)
            raise
        exchange.commit_attempt(answer.status, live.chat.outcome)
        return live


class LiveStream:
    """A stream whose attempt is committed. `frames` is what the client gets; `close` ends the upstream's side."""

    def __init__(
        self,
        exchange: Exchange,
        candidate: Candidate,
        answer: AnswerStream,
        max_event_bytes: int,
        new_call_id: Callable[[], str],
    ) -> None:
        self.chat = ChatStream(_stamp(exchange, candidate), new_call_id)
        self._exchange = exchange
        self._candidate = candidate
        self._answer = answer
        self._reader = FrameReader(max_event_bytes)
        self._max_held_bytes = max_event_bytes
        self._held = b""
        self._broken: ProviderError | None = None
        self._late_until: float | None = None

    async def first(self) -> None:
        """Read up to the first meaningful event. Raises: `ProviderError` when the stream ends or fails before it."""
        while not self.chat.meaningful:
            piece = await self._answer.read()
            if not piece:
                raise ProviderError("provider_unavailable", "the provider's stream ended before its answer began")
            self._held += self._edit(piece)
            if self._broken is not None and not self.chat.meaningful:
                raise self._broken
            if len(self._held) > self._max_held_bytes:
                raise ProviderError("provider_unavailable", "the provider's stream does not come to its answer")

    async def frames(self) -> AsyncIterator[bytes]:
        """Whole events for the client, as many as have come at a time, up to the end of the stream.

        The exchange is finished before its last events are handed out, so that the record is there with the answer.
        Raises: `ProviderError` when the upstream breaks, stalls or reports an error.
        """
        if self._held:
            yield self._held
            self._held = b""
        while self._broken is None and not self.chat.done and (piece := await self._next()):
            if edited := self._edit(piece):
                yield edited
        if self._broken is not None:
            raise self._broken
        if not self.chat.terminal:
            raise ProviderError("provider_unavailable", "the provider's stream ended before its answer was complete")
        last = self.chat.end(self.settle(), router_metadata(self._exchange))
        self._exchange.finish("completed")
        yield last

    def settle(self) -> Bill:
        """Book what the answer used up to here, by the provider's count or else by our own."""
        exchange, outcome = self._exchange, self.chat.outcome
        exchange.bill = bill(
            outcome, self._candidate.endpoint.price, lambda: estimate(exchange.body, outcome.output_bytes)
        )
        return exchange.bill

    async def close(self) -> None:
        """Let the connection go back to its pool when the stream has ended, else close it."""
        try:
            async with asyncio.timeout(_DRAIN_S):
                while self.chat.terminal and self._broken is None and await self._answer.read():
                    pass
        except (TimeoutError, ProviderError):
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Close the upstream's connection at once, unless it is back in its pool."""
        self._answer.abort()

    async def _next(self) -> bytes:
        """More of the stream. An answer that is complete is not undone by how its stream ends."""
        if not self.chat.terminal:
            self._late_until = None
            return await self._read_in_time()
        patience_s = _LATE_USAGE_S if self.chat.done_seen else _AFTER_FINISH_S
        until = asyncio.get_running_loop().time() + patience_s
        self._late_until = min(self._late_until or until, until)  # one deadline, whatever trickles in
        try:
            async with asyncio.timeout_at(self._late_until):
                return await self._answer.read()
        except (TimeoutError, ProviderError):
            return b""

    async def _read_in_time(self) -> bytes:
        try:
            async with asyncio.timeout(self._candidate.endpoint.timeouts.idle_s):
                return await self._answer.read()
        except TimeoutError:
            raise ProviderError("timeout", "the provider stopped sending", provider_code="idle_timeout") from None

    def _edit(self, piece: bytes) -> bytes:
        """The events for the client in this piece; an error behind them waits until they are out."""
        edited: list[bytes] = []
        try:
            for frame in self._reader.feed(piece):
                edited.append(self.chat.read(frame))  # noqa: PERF401 what came before a bad frame must stay
        except StreamFailedError as failed:
            self._broken = _reported(self._candidate, failed.reported, {}, b"")
        except FrameTooLargeError:
            self._broken = ProviderError("provider_unavailable", "the provider sent an event that is too large")
        except ProviderError as error:
            self._broken = error
        return b"".join(edited)


def _stamp(exchange: Exchange, candidate: Candidate) -> Stamp:
    return Stamp(exchange.id, candidate.model.id, candidate.endpoint.provider.name, exchange.created)


def _abort(answer: AnswerStream | None) -> None:
    if answer is not None:
        answer.abort()


def _is_type(sent: Mapping[str, str], expected: str) -> bool:
    kind = sent.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("", expected)


def _check_type(candidate: Candidate, sent: Mapping[str, str], expected: str, body: bytes) -> None:
    if _is_type(sent, expected):
        return
    if reported := read_error(body):
        raise _reported(candidate, reported, sent, body)
    raise ProviderError("provider_unavailable", "the provider's answer has the wrong content type")


def _check_status(candidate: Candidate, status: int, sent: Mapping[str, str], body: bytes) -> None:
    if status != 200:
        raise _failure(candidate, status, read_error(body) or Reported(), sent, body)


def _reported(candidate: Candidate, reported: Reported, sent: Mapping[str, str], body: bytes) -> ProviderError:
    """The failure that a 200 reports inside itself."""
    return _failure(candidate, reported_status(reported), reported, sent, body)


def _failure(
    candidate: Candidate, status: int, reported: Reported, sent: Mapping[str, str], body: bytes
) -> ProviderError:
    provider = candidate.endpoint.provider
    return failure(
        status,
        reported,
        sent,
        provider=provider.name,
        secrets=secrets(provider),
        raw=body[:_RAW_BYTES].decode(errors="replace"),
    )
