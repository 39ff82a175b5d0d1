"""The echo model served over HTTP, as an upstream that shows what it received. For trying things out and for tests.

`POST …/chat/completions` under any base path answers like a provider of the chat dialect; `GET /requests` gives the
last 100 bodies that came. Keys are neither asked for nor shown.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from setpoint.errors import RequestError, SetpointError
from setpoint.ids import timestamp, utc_now
from setpoint.providers.echo import reply
from setpoint.server.request import BodyLimits, ClientGoneError, Request
from setpoint.server.respond import Response, error_response, json_response, send_response
from setpoint.wire.body import MalformedError, split

if TYPE_CHECKING:
    from setpoint.providers.echo import EchoReply
    from setpoint.server.request import Receive, Scope, Send
    from setpoint.settings import Settings

_KEPT = 100
_PATH = b"/chat/completions"


class EchoServer:
    """The ASGI application. Holds the requests that it shows."""

    def __init__(self, settings: Settings) -> None:
        self._interval_s = settings.echo_interval_ms / 1000
        self._limits = BodyLimits(settings.max_body_bytes, settings.max_json_depth, settings.max_json_members)
        self._requests: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive, send, {}, self._limits)
        path: bytes = scope["raw_path"]
        try:
            match request.method:
                case "POST" if path.endswith(_PATH):
                    response = await self._answer(request)
                case "GET" if path == b"/requests":
                    response = json_response({"data": list(self._requests)})
                case "GET" if path == b"/health":
                    response = json_response({"status": "ok"})
                case _:
                    response = error_response(RequestError("not_found", "No such route"))
        except SetpointError as error:
            response = error_response(error)
        except ClientGoneError:
            return
        if response is not None:
            await send_response(send, response)

    async def _answer(self, request: Request) -> Response | None:
        data = await request.read()
        self._keep(request, data)
        said = reply(data, created=int(time.time()))
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

    def _keep(self, request: Request, data: bytes) -> None:
        """Remember a request: its JSON body as the bytes that came, any other body as text."""
        try:
            split(data)
            body: Any = Raw(data)
        except MalformedError:
            body = data.decode(errors="replace")
        path = request.scope["raw_path"].decode("latin-1")
        self._requests.append({"received_at": timestamp(utc_now()), "method": "POST", "path": path, "body": body})
