"""An exchange answered over HTTP, in its skin: whole or streamed, to its one end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.errors import GatewayError, ProviderError, SetpointError
from setpoint.gateway.live import LiveStream
from setpoint.gateway.metadata import router_metadata
from setpoint.gateway.relay import opening, stamp
from setpoint.server.respond import (
    EVENTS,
    EventStream,
    Response,
    error_response,
    header_text,
    send_response,
    unforeseen,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.gateway.admission import Place
    from setpoint.gateway.exchange import Exchange
    from setpoint.gateway.pipeline import Pipeline
    from setpoint.server.request import Request

_UNSAID_BYTES = 2_000


class StreamTimes(Struct, frozen=True):
    """When a stream's status goes out without an event, and how long it may be silent, in seconds."""

    commit_s: float
    keep_alive_s: float


class Answering:
    """How exchanges are answered. `new_id` makes an id with the prefix that it is given.

    `refused` is told of those that end without ever having been sent to a provider: there is no record of them.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        times: StreamTimes,
        *,
        new_id: Callable[[str], str],
        show_upstream: bool,
        refused: Callable[[Exchange], None],
    ) -> None:
        self._pipeline = pipeline
        self._times = times
        self._new_id = new_id
        self._show_upstream = show_upstream
        self._refused = refused

    async def answer(self, request: Request, exchange: Exchange, place: Place) -> None:
        """Answer, and stop at once when the client goes away: its upstream call is cancelled with this task."""
        task = asyncio.current_task()

        def leave() -> None:
            exchange.abandoned = True
            if task is not None:
                task.cancel()

        try:
            with request.watched(leave):
                answer = self._stream if exchange.stream else self._whole
                await answer(request, exchange, place)
        except asyncio.CancelledError:  # while the last words were sent, or after them
            exchange.finish("cancelled")
            if not exchange.abandoned:
                raise
        finally:
            if not exchange.routed:
                self._refused(exchange)

    async def _whole(self, request: Request, exchange: Exchange, place: Place) -> None:
        try:
            answer = await self._pipeline.answer(exchange, place)
        except SetpointError as error:
            exchange.finish("failed", error)
            response = self._refusal(exchange, error)
        except asyncio.CancelledError:
            if exchange.abandoned:
                exchange.finish("cancelled")
                return
            response = self._stopped(exchange)
        except Exception as error:  # whatever goes wrong here is ours, and is masked
            fault = unforeseen(error)
            exchange.finish("failed", fault)
            response = self._refusal(exchange, fault)
        else:
            exchange.finish("completed")
            body = answer if isinstance(answer, bytes) else b""
            response = Response(200, body, tuple(answer_headers(exchange).items()))
        await send_response(request.send, response)

    def _stopped(self, exchange: Exchange) -> Response:
        """The answer of a request that is cut short by the server's own end."""
        error = _stopping()
        exchange.finish("failed", error)
        return self._refusal(exchange, error)

    def _refusal(self, exchange: Exchange, error: SetpointError) -> Response:
        """What a client gets instead of an answer, while the status has not gone out."""
        if instead := self._instead(exchange, error):
            kind = EVENTS if exchange.stream else "application/json"
            return Response(200, instead, tuple(answer_headers(exchange).items()), kind)
        return error_response(
            error,
            skin=exchange.skin,
            id_=exchange.id if exchange.routed else None,
            show_upstream=self._show_upstream,
            headers=answer_headers(exchange),
            metadata=router_metadata(exchange),
        )

    def _instead(self, exchange: Exchange, error: SetpointError) -> bytes | None:
        start = opening(exchange, stamp(exchange, exchange.candidate), self._new_id)
        return exchange.skin.answer_instead(error, start, router_metadata(exchange))

    async def _stream(self, request: Request, exchange: Exchange, place: Place) -> None:
        out = EventStream(
            request.send,
            lambda: answer_headers(exchange),
            commit_s=self._times.commit_s,
            keep_alive_s=self._times.keep_alive_s,
            keep_alive=exchange.skin.KEEP_ALIVE,
        )
        live: LiveStream | None = None
        try:
            answer = await self._pipeline.answer(exchange, place)
            if isinstance(answer, LiveStream):
                live = answer
                await _events(live, out)
        except SetpointError as error:
            await self._fail(request, exchange, out, error, live)
        except asyncio.CancelledError:
            if exchange.abandoned:
                if live is not None:
                    live.settle()
                exchange.finish("cancelled")
            else:
                await self._fail(request, exchange, out, _stopping(), live)
        except Exception as error:  # whatever goes wrong here is ours, and is masked
            await self._fail(request, exchange, out, unforeseen(error), live)
        finally:
            out.stop()
            if live is not None:
                await live.close()

    async def _fail(
        self, request: Request, exchange: Exchange, out: EventStream, error: SetpointError, live: LiveStream | None
    ) -> None:
        """A plain error while the status has not gone out; after that the last events of the stream."""
        if live is not None:
            live.settle()
        exchange.finish("failed", error)
        out.stop()
        if not out.started:
            await send_response(request.send, self._refusal(exchange, error))
            return
        metadata = router_metadata(exchange)
        if live is not None:
            if exchange.candidate is not None and isinstance(error, ProviderError):
                error.metadata.setdefault("provider_name", exchange.candidate.endpoint.provider.name)
            await out.end(await live.fail(error, metadata))
            return
        start = opening(exchange, stamp(exchange, exchange.candidate), self._new_id)
        instead = self._instead(exchange, error)
        await out.end(instead or exchange.skin.writer(start).fail(error, metadata))


async def _events(live: LiveStream, out: EventStream) -> None:
    try:
        async for events in live.frames():
            await out.write(events)
    except ProviderError as error:
        if error.provider_code:
            error.metadata.setdefault("provider_code", error.provider_code)
        raise
    await out.end()


def _stopping() -> GatewayError:
    return GatewayError("unavailable", "the server is stopping", retry_after_s=1)


def answer_headers(exchange: Exchange) -> dict[str, str]:
    """What an answer's headers say of its exchange, as far as it is known."""
    headers = {"X-Generation-Id": exchange.id}
    if exchange.preset is not None and exchange.version is not None:
        headers["X-Setpoint-Preset"] = f"{exchange.preset.slug}@{exchange.version.version}"
    if exchange.system_prompt_from == "request":
        headers["X-Setpoint-System-Prompt"] = "request"
    if exchange.unsaid and exchange.outcome is not None:
        headers["X-Setpoint-Unsaid"] = unsaid_header(tuple(map(exchange.redaction.text, exchange.unsaid)))
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
