"""The registry of connections, with connections that are none."""

from __future__ import annotations

import asyncio

from setpoint.server.connection.connections import NEVER, Connections, Phase
from setpoint.server.connection.limits import HttpLimits

LIMITS = HttpLimits(
    max_header_bytes=1,
    max_headers=1,
    max_body_bytes=1,
    max_connections=10,
    header_timeout_s=0.01,
    body_timeout_s=0.01,
    write_timeout_s=0.01,
    keep_alive_timeout_s=0.01,
)


class Faulty:
    """A connection whose end goes wrong."""

    phase: Phase = "idle"

    def __init__(self) -> None:
        self.deadline = 0.0
        self.expired_at: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def expire(self, now: float) -> None:
        self.deadline = NEVER
        self.expired_at.set_result(now)
        raise RuntimeError(now)

    def turn_away(self) -> None: ...
    def retire(self) -> None: ...


class Late(Faulty):
    """One whose end goes well."""

    def expire(self, now: float) -> None:
        self.deadline = NEVER
        self.expired_at.set_result(now)


def test_a_connection_whose_end_goes_wrong_takes_no_deadline_from_another() -> None:
    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        connections = Connections(LIMITS)
        for one in (Faulty(), Late()):
            connections.add(one)
            await asyncio.wait_for(one.expired_at, 10)

    asyncio.run(run())
