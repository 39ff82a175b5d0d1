"""The ledger over HTTP: whether the books close."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from setpoint.protocols.money import money
from setpoint.server.guard import reach
from setpoint.server.operation import Query, described
from setpoint.server.respond import json_response
from setpoint.server.routes.kinds import Dollars, One
from setpoint.storage.verifying import Violation, verify

if TYPE_CHECKING:
    from setpoint.server.request import Request
    from setpoint.server.respond import Response
    from setpoint.server.routes.desk import Desk
    from setpoint.storage.verifying import Verified

_VERIFY_S = 600.0  # of some ten million entries

_VERIFIED = (Query("workspace_id", str, "The workspace; all that the key manages unless said."),)


class Verification(TypedDict):
    """What does not agree, `more` of which is not listed, and what the books come to, in US dollars."""

    ok: bool
    checked: int
    violations: tuple[Violation, ...]
    more: int
    sums: dict[str, Dollars]


class Ledger:
    """The handlers of the ledger routes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @described("Whether the books close", group="Books", query=_VERIFIED, errors=(404,), answer=One[Verification])
    async def verify(self, request: Request) -> Response:
        """GET /ledger/verify: of all workspaces, for those who manage them all."""
        of = reach(request.key, request.query().get("workspace_id"), self._desk.snapshots.current)
        found = await self._desk.store.read_long(
            lambda connection, breath: verify(connection, of, breath=breath), wait_s=_VERIFY_S
        )
        return json_response({"data": told(found)})


def told(found: Verified) -> Verification:
    """What a verification came to, in the members of the answer."""
    return {
        "ok": found.ok,
        "checked": found.checked,
        "violations": found.violations,
        "more": found.more,
        "sums": {name: money(amount) for name, amount in found.sums.items()},
    }
