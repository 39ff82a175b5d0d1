"""The document of this API, and the page that shows it. Both are made once, when somebody first asks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.server.openapi.document import document
from setpoint.server.openapi.page import page
from setpoint.server.operation import described
from setpoint.server.respond import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from setpoint.server.request import Request
    from setpoint.server.router import Route


class Documents:
    """The handlers of these routes. `rows` gives the table of all routes."""

    def __init__(self, rows: Callable[[], Sequence[Route]]) -> None:
        self._rows = rows
        self._document: bytes | None = None
        self._page: Response | None = None

    @described("This document", group="Server", answer=dict[str, Any])
    async def document(self, _request: Request) -> Response:
        """GET /openapi.json."""
        if self._document is None:
            # In a thread: it takes tens of milliseconds. Whoever asks meanwhile makes it once more, and the same.
            self._document = await asyncio.to_thread(lambda: msgspec.json.encode(document(self._rows())))
        return Response(200, self._document)

    @described("The page that shows this document", group="Server", answer=None, media={"text/html": str})
    async def page(self, _request: Request) -> Response:
        """GET /docs."""
        if self._page is None:
            html, policy = await asyncio.to_thread(page)
            headers = (
                ("Content-Security-Policy", policy),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
                ("Cross-Origin-Opener-Policy", "same-origin"),
            )
            self._page = Response(200, html, headers, content_type="text/html; charset=utf-8")
        return self._page
