"""Pages of other origins: what their browsers may let them ask of us and read of our answers.

Only on routes that say so. Never with credentials: a key goes in a header that the page itself must know.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.server.connection.asgi import Message, Scope, Send

    Headers = list[tuple[bytes, bytes]]

_EXPOSED = (
    b"X-Generation-Id, X-Setpoint-Preset, X-Setpoint-System-Prompt, X-Setpoint-Unsaid, Retry-After, request-id,"
    b" x-request-id"
)
_VARY = (b"vary", b"Origin")
_MAX_AGE_S = 7_200
_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~ ,-]{1,2000}")
_USUAL = b"Authorization, Content-Type, X-API-Key"


class Cors:
    """The origins whose pages may call us; `*` among them is every one."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._all = "*" in origins
        self._origins = frozenset(origin.encode() for origin in origins)

    async def answers(self, scope: Scope, send: Send, methods: Sequence[str]) -> bool:
        """Whether this was a browser asking before it calls a route with these methods, for a page that may; if so it
        has its answer."""
        if scope["method"] != "OPTIONS":
            return False
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if b"access-control-request-method" not in headers or not (allowed := self._allowed(scope)):
            return False
        asked = headers.get(b"access-control-request-headers", b"")
        granted = [
            *allowed,
            (b"vary", b"Access-Control-Request-Method, Access-Control-Request-Headers"),
            (b"access-control-allow-methods", ", ".join(methods).encode()),
            (b"access-control-allow-headers", asked if _NAMES.fullmatch(asked) else _USUAL),
            (b"access-control-max-age", b"%d" % _MAX_AGE_S),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": granted})
        await send({"type": "http.response.body", "body": b""})
        return True

    def sending(self, scope: Scope, send: Send) -> Send:
        """The same as `send`, with what the browser must know in the answer's headers, whatever the answer is."""
        allowed = self._allowed(scope)
        more = [*allowed, (b"access-control-expose-headers", _EXPOSED)] if allowed else [_VARY]

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *more]
            await send(message)

        return send_with

    def _allowed(self, scope: Scope) -> Headers:
        origin = next((content for name, content in scope["headers"] if name == b"origin"), None)
        if origin is None or not (self._all or origin.lower() in self._origins):
            return []
        return [(b"access-control-allow-origin", origin), _VARY]
