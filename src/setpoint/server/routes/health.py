"""Whether the server lives, and whether it is ready: no key needed, nothing told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

from setpoint.errors import GatewayError
from setpoint.server.operation import described
from setpoint.server.respond import Response, json_response

if TYPE_CHECKING:
    from setpoint.server.request import Request


class Living(TypedDict):
    """It lives."""

    status: Literal["ok"]


class Ready(TypedDict):
    """It is ready."""

    status: Literal["ready"]


class Health:
    """The handlers of the health routes. `ready` is set once the snapshot is loaded, and unset while stopping."""

    def __init__(self) -> None:
        self.ready = False

    @described("Whether the server lives", group="Server", answer=Living)
    async def live(self, _request: Request) -> Response:
        """GET /health."""
        return json_response({"status": "ok"})

    @described("Whether the server is ready to answer", group="Server", errors=(503,), answer=Ready)
    async def readiness(self, _request: Request) -> Response:
        """GET /ready."""
        if not self.ready:
            raise GatewayError("unavailable", "not ready", retry_after_s=1)
        return json_response({"status": "ready"})

    @described("That there is a server", group="Server", answer=None)
    async def hello(self, _request: Request) -> Response:
        """HEAD /: coding agents ask this first, without a key."""
        return Response(200, b"")
