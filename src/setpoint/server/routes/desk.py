"""What the handlers of the management routes work with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.server.guard import managed
from setpoint.snapshot import SnapshotHolder
from setpoint.storage import workspaces
from setpoint.storage.store import Store

if TYPE_CHECKING:
    from setpoint.records import Workspace
    from setpoint.server.request import Request
    from setpoint.storage.database import Connection


class Desk(Struct, frozen=True):
    """The way to what is stored, what of it every worker knows, the time, and ids for what is made."""

    store: Store
    snapshots: SnapshotHolder
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def workspace(self, connection: Connection, request: Request) -> Workspace:
        """The workspace that the path names. Raises: as `managed`."""
        named = workspaces.get(connection, request.params["workspace"])
        return managed(named, request.key, self.snapshots.current)
