"""The ledger over HTTP: whether the books close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.protocols.money import money
from setpoint.server.guard import reach
from setpoint.server.respond import json_response
from setpoint.storage.verifying import verify

if TYPE_CHECKING:
    from setpoint.server.request import Request
    from setpoint.server.respond import Response
    from setpoint.snapshot import SnapshotHolder
    from setpoint.storage.store import Store
    from setpoint.storage.verifying import Verified

_VERIFY_S = 600.0  # of some ten million entries


class Ledger:
    """The handlers of the ledger routes."""

    def __init__(self, store: Store, snapshots: SnapshotHolder) -> None:
        self._store = store
        self._snapshots = snapshots

    async def verify(self, request: Request) -> Response:
        """GET /ledger/verify: of all workspaces, for those who manage them all."""
        of = reach(request.key, request.query().get("workspace_id"), self._snapshots.current)
        found = await self._store.read_long(
            lambda connection, breath: verify(connection, of, breath=breath), wait_s=_VERIFY_S
        )
        return json_response({"data": told(found)})


def told(found: Verified) -> dict[str, Any]:
    """What a verification came to, in the members of the answer."""
    return {
        "ok": found.ok,
        "checked": found.checked,
        "violations": found.violations,
        "more": found.more,
        "sums": {name: money(amount) for name, amount in found.sums.items()},
    }
