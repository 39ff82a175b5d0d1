"""Inference over HTTP: from a checked body to the last byte of the answer, streamed or whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from setpoint.errors import GatewayError, ProviderError, SetpointError
from setpoint.gateway.exchange import Caller, Exchange
from setpoint.gateway.metadata import router_metadata
from setpoint.gateway.relay import LiveStream
from setpoint.protocols import chat
from setpoint.protocols.answer import Stamp
from setpoint.protocols.chat.errors import write_stream_error
from setpoint.protocols.chat.stream import write_debug
from setpoint.server.guard import credentials
from setpoint.server.respond import EventStream, Response, error_response, header_text, send_response, unforeseen
from setpoint.wire.body import as_array, as_text, raw
from setpoint.wire.sse import DONE, data_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from setpoint.gateway.pipeline import Pipeline
    from setpoint.records import Generation
    from setpoint.server.request import Request
    from setpoint.wire.body import Body


_CALLER_CHARACTERS = 256
_UNSAID_BYTES = 2_000


class StreamTimes(Struct, frozen=True):
    """When a stream's status goes out without an event, and how long it may be silent, in seconds."""

    commit_s: float
    keep_alive_s: float


class Inference:
    """The handlers of the inference routes."""

    def __init__(
        self,
        pipeline: Pipeline,
        times: StreamTimes,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[datetime], str],
        record: Callable[[Generation], None],
        show_upstream: bool,
    ) -> None:
        self._pipeline = pipeline
        self._times = times
        self._clock = clock
        self._new_id = new_id
        self._record = record
        self._show_upstream = show_upstream

    async def chat(self, request: Request) -> Response | None:
        """POST /chat/completions."""
        now = self._clock()
        id_ = self._new_id(now)
        try:
            body = await request.body()
            chat.check(body, creating=False)
        except SetpointError as error:
            return error_response(error, headers={"X-Generation-Id": id_})
        exchange = Exchange(
            id_,
            skin="chat",
            key=request.key,
            body=_with_messages(body),
            caller=_caller(request),
            created_at=now,
            record=self._record,
        )
        await self._while_connected(request, exchange)
        return None

    async def _while_connected(self, request: Request, exchange: Exchange) -> None:
        """Answer, and stop at once when the client goes away: its upstream call is cancelled with this task."""
        task = asyncio.current_task()

        def leave() -> None:
            exchange.abandoned = True
            if task is not None:
                task.cancel()

        try:
            with request.watched(leave):
                await (self._stream(request, exchange) if exchange.stream else self._whole(request, exchange))
        except asyncio.CancelledError:  # while the last words were sent, or after them
            exchange.finish("cancelled")
            if not exchange.abandoned:
                raise

    async def _whole(self, request: Request, exchange: Exchange) -> None:
        try:
            answer = await self._pipeline.answer(exchange, chat)
        except SetpointError as error:
            exchange.finish("failed", error)
            response = self._refusal(exchange, error)
        except asyncio.CancelledError:
            response = _stopped(exchange)
            if response is None:
                return
        except Exception as error:  # whatever goes wrong here is ours, and is masked
            response = _masked(exchange, error)
        else:
            exchange.finish("completed")
            body = answer if isinstance(answer, bytes) else b""
            response = Response(200, body, tuple(_headers(exchange).items()))
        await send_response(request.send, response)

    def _refusal(self, exchange: Exchange, error: SetpointError) -> Response:
        return error_response(
            error,
            show_upstream=self._show_upstream,
            headers=_headers(exchange),
            metadata=router_metadata(exchange),
        )

    async def _stream(self, request: Request, exchange: Exchange) -> None:
        out = EventStream(
            request.send,
            lambda: _headers(exchange),
            commit_s=self._times.commit_s,
            keep_alive_s=self._times.keep_alive_s,
        )
        live: LiveStream | None = None
        try:
            answer = await self._pipeline.answer(exchange, chat)
            if isinstance(answer, LiveStream):
                live = answer
                await self._events(exchange, live, out)
        except SetpointError as error:
            await self._fail(request, exchange, out, error, live)
        except asyncio.CancelledError:
            if live is not None:
                live.settle()
            if exchange.abandoned:
                exchange.finish("cancelled")
            else:
                await self._fail(request, exchange, out, _stopping(), live)
        except Exception as error:  # whatever goes wrong here is ours, and is masked
            await self._fail(request, exchange, out, unforeseen(error), live)
        finally:
            out.stop()
            if live is not None:
                await live.close()

    async def _events(self, exchange: Exchange, live: LiveStream, out: EventStream) -> None:
        for stamp, upstream_body in exchange.debug_bodies:
            await out.write(write_debug(structs.replace(stamp, created=live.chat.stamp.created), upstream_body))
        try:
            async for events in live.frames():
                await out.write(events)
        except ProviderError as error:
            live.settle()
            error.metadata.setdefault("provider_name", live.chat.stamp.provider)
            if error.provider_code:
                error.metadata.setdefault("provider_code", error.provider_code)
            raise
        await out.end()

    async def _fail(
        self, request: Request, exchange: Exchange, out: EventStream, error: SetpointError, live: LiveStream | None
    ) -> None:
        """A plain error while the status has not gone out; after that the last event of the stream."""
        exchange.finish("failed", error)
        out.stop()
        if not out.started:
            await send_response(request.send, self._refusal(exchange, error))
            return
        candidate = exchange.candidate
        model = candidate.model.id if candidate else (exchange.requested_model or "")
        provider = candidate.endpoint.provider.name if candidate else ""
        stamp = live.chat.stamp if live is not None else Stamp(exchange.id, model, provider, exchange.created)
        await out.end(data_frame(write_stream_error(error, stamp, router_metadata(exchange))) + DONE)


def _stopped(exchange: Exchange) -> Response | None:
    """The answer of a request that is cut short by the server's own end; None when nobody waits for one."""
    if exchange.abandoned:
        exchange.finish("cancelled")
        return None
    error = _stopping()
    exchange.finish("failed", error)
    return error_response(error, headers=_headers(exchange))


def _stopping() -> GatewayError:
    return GatewayError("unavailable", "the server is stopping", retry_after_s=1)


def _masked(exchange: Exchange, error: Exception) -> Response:
    fault = unforeseen(error)
    exchange.finish("failed", fault)
    return error_response(fault, headers=_headers(exchange))


def _with_messages(body: Body) -> Body:
    """A legacy `prompt` as one user message."""
    if as_text(body.get("prompt")) is None or as_array(body.get("messages")):
        return body
    return {**body, "messages": raw([{"role": "user", "content": body["prompt"]}])}


def _caller(request: Request) -> Caller:
    def said(*names: bytes) -> str | None:
        text = next((text for name in names if (text := request.header(name))), None)
        return text[:_CALLER_CHARACTERS] if text else None

    return Caller(
        referer=said(b"http-referer", b"referer"),
        app_title=said(b"x-openrouter-title", b"x-title"),
        user_agent=said(b"user-agent"),
        session_id=said(b"x-session-id"),
        credentials=credentials(request),
        wants_metadata=_wants_metadata(request),
    )


def _wants_metadata(request: Request) -> bool:
    asked = request.header(b"x-openrouter-metadata") or request.header(b"x-openrouter-experimental-metadata")
    return asked is not None and asked.strip().lower() == "enabled"


def _headers(exchange: Exchange) -> dict[str, str]:
    """What an answer's headers say of its exchange, as far as it is known."""
    headers = {"X-Generation-Id": exchange.id}
    if exchange.preset is not None and exchange.version is not None:
        headers["X-Setpoint-Preset"] = f"{exchange.preset.slug}@{exchange.version.version}"
    if exchange.system_prompt_from == "request":
        headers["X-Setpoint-System-Prompt"] = "request"
    if exchange.unsaid and exchange.outcome is not None:
        headers["X-Setpoint-Unsaid"] = unsaid_header(exchange.unsaid)
    return headers


def unsaid_header(pointers: tuple[str, ...]) -> str:
    """The pointers, comma-separated, cut at a bounded length with `+N` for those left out."""
    text, shown = "", 0
    for pointer in pointers:
        piece = header_text(pointer.replace(",", "%2C"))
        longer = f"{text},{piece}" if text else piece
        if len(longer) > _UNSAID_BYTES:
            return f"{text},+{len(pointers) - shown}" if text else f"+{len(pointers)}"
        text, shown = longer, shown + 1
    return text
