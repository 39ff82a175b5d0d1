"""The echo model served over HTTP, as an upstream that shows what it received. For trying things out and for tests.

`POST …/chat/completions`, `…/messages` and `…/responses` under any base path answer like a provider of that dialect,
`…/messages/count_tokens` counts; `GET /requests` gives the last 100 bodies that came. Keys are neither asked for nor
shown.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from setpoint.errors import RequestError, SetpointError
from setpoint.gateway.aside import Aside
from setpoint.ids import timestamp, utc_now
from setpoint.protocols.registry import PROTOCOLS
from setpoint.providers.echo import count, dialect_of, reply
from setpoint.server.request import BodyLimits, ClientGoneError, Request
from setpoint.server.respond import Response, error_response, json_response, send_response
from setpoint.wire.body import MalformedError, split

if TYPE_CHECKING:
    from setpoint.providers.echo import EchoReply
    from setpoint.records import Dialect
    from setpoint.server.connection.asgi import Receive, Scope, Send
    from setpoint.settings import Settings

_KEPT = 100
_COUNT = "/messages/count_tokens"


class EchoServer:
    """The ASGI application. Holds the requests that it shows."""

    def __init__(self, settings: Settings) -> None:
        self._interval_s = settings.echo_interval_ms / 1000
        self._aside = Aside()
        self._limits = BodyLimits(settings.max_body_bytes, settings.max_json_depth, settings.max_json_members)
        self._requests: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive, send, {}, self._limits, self._aside)
        path: str = scope["raw_path"].decode("latin-1")
        dialect = "messages" if path.endswith(_COUNT) else dialect_of(path)
        try:
            match request.method:
                case "POST" if path.endswith(_COUNT):
                    response = await self._count(request, path)
                case "POST" if dialect:
                    response = await self._answer(request, path, dialect)
                case "GET" if path == "/requests":
                    response = json_response({"data": list(self._requests)})
                case "GET" if path == "/health":
                    response = json_response({"status": "ok"})
                case _:
                    response = error_response(RequestError("not_found", "No such route"))
        except SetpointError as error:
            response = error_response(error, skin=PROTOCOLS[dialect] if dialect else None)
        except ClientGoneError:
            return
        if response is not None:
            await send_response(send, response)

    async def _count(self, request: Request, path: str) -> Response:
        data = await request.read()
        self._keep(path, data)
        said = count(data)
        return Response(said.status, said.body)

    async def _answer(self, request: Request, path: str, dialect: Dialect) -> Response | None:
        data = await request.read()
        self._keep(path, data)
        said = reply(data, dialect, created=int(time.time()))
        if not said.frames:
            return Response(said.status, said.body)
        await self._stream(request.send, said)
        return None

    async def _stream(self, send: Send, said: EchoReply) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for frame in said.frames:
            if self._interval_s:
                await asyncio.sleep(self._interval_s)
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _keep(self, path: str, data: bytes) -> None:
        """Remember a request: its JSON body as the bytes that came, any other body as text."""
        try:
            split(data)
            body: Any = Raw(data)
        except MalformedError:
            body = data.decode(errors="replace")
        self._requests.append({"received_at": timestamp(utc_now()), "method": "POST", "path": path, "body": body})
