"""What every request meets between its connection and its route, and what answers where no handler does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.errors import SetpointError
from setpoint.protocols.registry import PROTOCOLS
from setpoint.server.cors import Cors
from setpoint.server.guard import authenticate, authorize
from setpoint.server.request import BodyLimits, ClientGoneError, Request
from setpoint.server.respond import error_response, send_response, unforeseen
from setpoint.server.router import Router

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from setpoint.gateway.aside import Aside
    from setpoint.server.connection.asgi import Receive, Scope, Send
    from setpoint.server.respond import Response
    from setpoint.server.router import Route
    from setpoint.server.telemetry.figures import Figures
    from setpoint.snapshot import SnapshotHolder
    from setpoint.storage.store import Store


class Doors(Struct, frozen=True):
    """What a configuration says of the way in: where it leads, how much a body may hold, which pages may call.

    `cors` is None where no page of another origin may.
    """

    router: Router
    limits: BodyLimits
    cors: Cors | None


class Front:
    """The way in, by the doors of one configuration. Whatever happens behind them, a client that stays is answered."""

    def __init__(
        self,
        doors: Doors,
        store: Store,
        snapshots: SnapshotHolder,
        figures: Figures,
        aside: Aside,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[datetime], str],
    ) -> None:
        self._doors = doors
        self._store = store
        self._snapshots = snapshots
        self._figures = figures
        self._aside = aside
        self._clock = clock
        self._new_id = new_id

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        doors = self._doors
        if doors.cors is not None and (methods := doors.router.methods_for_browsers(scope["raw_path"])):
            if await doors.cors.answers(scope, send, methods):
                return
            send = doors.cors.sending(scope, send)
        route: Route | None = None
        try:
            match = doors.router.match(scope["method"], scope["raw_path"])
            route = match.route
            request = Request(scope, receive, send, match.params, doors.limits, self._aside)
            if route.access != "open":
                await self._admit(route, request)
                request.readmit = partial(self._admit, route)
            response = await route.handler(request)
        except SetpointError as error:
            response = self._refusal(scope, route, error)
        except ClientGoneError:
            return
        except Exception as error:  # whatever was not foreseen is ours, and is masked
            response = self._refusal(scope, route, unforeseen(error))
        if response is not None:
            self._count(route, response)
            await send_response(send, response)

    async def _admit(self, route: Route, request: Request) -> None:
        """Let a request in with its key. Raises: `RequestError`."""
        if self._store.behind:
            await self._store.catch_up()
        request.key = authenticate(request, self._snapshots.current, self._clock())
        authorize(request.key, route.access)

    def _refusal(self, scope: Scope, route: Route | None, error: SetpointError) -> Response:
        """An error that no handler answered, in the words of its route; inference routes always give an id."""
        skin = route.skin if route is not None else self._doors.router.skin(scope["raw_path"])
        answered = route is not None and route.access == "inference"
        headers = {"X-Generation-Id": self._new_id(self._clock())} if answered else {}
        return error_response(error, skin=PROTOCOLS[skin] if skin else None, headers=headers)

    def _count(self, route: Route | None, response: Response) -> None:
        """Count an answer that is no exchange's."""
        if route is None or route.access == "open":
            return
        if route.access != "inference":
            self._figures.managed(response.status)
        elif route.skin is not None and response.error is not None:
            self._figures.refused(route.skin, None, response.error)
