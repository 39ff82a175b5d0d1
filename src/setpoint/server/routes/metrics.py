"""`GET /metrics`: the sum over all workers, each of which keeps what it has counted on the board."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from setpoint.server.operation import described
from setpoint.server.respond import Response

if TYPE_CHECKING:
    from setpoint.coordination.board import Board
    from setpoint.metrics import Registry
    from setpoint.server.request import Request

_log = logging.getLogger("setpoint.metrics")

FLUSH_S = 1.0
"""How old what other workers show of this one may be, in seconds."""

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Metrics:
    """The handler of the route, and what keeps this worker's place on the board up to date.

    Whoever takes the place of a worker that ended counts on from what it left there.
    """

    def __init__(self, registry: Registry, board: Board, index: int) -> None:
        self._registry = registry
        self._board = board
        self._slot = board.slot(index)
        self._overflowed = False
        registry.go_on(self._slot.read())

    @described(
        "The figures of all workers, for Prometheus",
        group="Server",
        answer=None,
        errors=(404,),
        media={"text/plain": str, "application/openmetrics-text": str},
    )
    async def get(self, request: Request) -> Response:
        """GET /metrics."""
        self.flush()
        packed, now = self._board.slots(), time.monotonic()
        openmetrics = "application/openmetrics-text" in (request.header(b"accept") or "")
        # In a thread: the text of many workers with many models takes milliseconds.
        text = await asyncio.to_thread(self._registry.text, packed, now, openmetrics=openmetrics)
        return Response(200, text, content_type=_OPENMETRICS if openmetrics else _TEXT)

    def flush(self) -> None:
        """Show what has been counted up to now."""
        try:
            self._slot.write(self._registry.pack(time.monotonic()))
        except ValueError as error:  # hundreds of models with names of hundreds of characters
            if not self._overflowed:
                self._overflowed = True
                _log.error("the metrics of this worker stay as they are: %s", error)

    async def keep_up(self) -> None:
        """Show what has been counted every second, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            self.flush()
