"""Workspaces, with their owners and budgets: functions of a connection, whose transaction is the caller's."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import insert, select

from setpoint.records import Budget, Workspace
from setpoint.storage.tables import budgets, users, workspaces

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

_WORKSPACE = tuple(field for field in Workspace.__struct_fields__ if field != "budgets")
_BUDGET = Budget.__struct_fields__


class Owner(Struct, frozen=True, kw_only=True):
    """A workspace and the user whom it belongs to. `created` is true when they came into being just now."""

    workspace_id: str
    user_id: str
    created: bool


def ensure_default(
    connection: Connection, *, new_id: Callable[[], str], new_user_id: Callable[[], str], now: datetime
) -> Owner:
    """The default workspace with its owner, made on an empty database."""
    query = select(workspaces.c.id, workspaces.c.owner_id).where(workspaces.c.is_default)
    found = connection.execute(query).one_or_none()
    if found is not None:
        return Owner(workspace_id=found.id, user_id=found.owner_id, created=False)
    workspace_id, user_id = new_id(), new_user_id()
    connection.execute(insert(users).values(id=user_id, name="Owner", created_at=now))
    connection.execute(
        insert(workspaces).values(
            id=workspace_id,
            slug="default",
            name="Default",
            is_default=True,
            owner_id=user_id,
            created_at=now,
            updated_at=now,
        )
    )
    return Owner(workspace_id=workspace_id, user_id=user_id, created=True)


def exists(connection: Connection, workspace_id: str) -> bool:
    """Whether there is such a workspace."""
    return connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace_id)).first() is not None


def read_since(connection: Connection, revision: int | None) -> list[Workspace]:
    """The workspaces that changed after this revision, deleted ones among them; None: all that are not deleted."""
    mine = ~workspaces.c.deleted if revision is None else workspaces.c.revision > revision
    rows = connection.execute(select(*(workspaces.c[field] for field in _WORKSPACE)).where(mine)).all()
    found: defaultdict[str, list[Budget]] = defaultdict(list)
    theirs = budgets.c.workspace_id.in_([row.id for row in rows])
    for row in connection.execute(select(*(budgets.c[field] for field in _BUDGET)).where(theirs)) if rows else ():
        found[row.workspace_id].append(Budget(**dict(zip(_BUDGET, row, strict=True))))
    return [Workspace(**dict(zip(_WORKSPACE, row, strict=True)), budgets=tuple(found[row.id])) for row in rows]
