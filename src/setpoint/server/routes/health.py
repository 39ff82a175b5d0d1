"""Whether the server lives, and whether it is ready: no key needed, nothing told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import GatewayError
from setpoint.server.respond import Response, json_response

if TYPE_CHECKING:
    from setpoint.server.request import Request


class Health:
    """The handlers of the health routes. `ready` is set once the snapshot is loaded, and unset while stopping."""

    def __init__(self) -> None:
        self.ready = False

    async def live(self, _request: Request) -> Response:
        """GET /health."""
        return json_response({"status": "ok"})

    async def readiness(self, _request: Request) -> Response:
        """GET /ready."""
        if not self.ready:
            raise GatewayError("unavailable", "not ready", retry_after_s=1)
        return json_response({"status": "ready"})

    async def hello(self, _request: Request) -> Response:
        """HEAD /: coding agents ask this first, without a key."""
        return Response(200, b"")
