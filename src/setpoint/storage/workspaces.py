"""Workspaces, with their owners: functions of a connection, whose transaction is the caller's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec import Struct, structs

from setpoint.errors import RequestError
from setpoint.records import INTERVALS, Budget, Workspace
from setpoint.storage import keys, provider_keys
from setpoint.storage.revisions import next_revision
from setpoint.storage.tables import budgets, users, workspaces

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select

_WORKSPACE = tuple(field for field in Workspace.__struct_fields__ if field != "budgets")
_BUDGET = Budget.__struct_fields__
_OLDEST_FIRST = (workspaces.c.created_at, workspaces.c.id)


class Owner(Struct, frozen=True, kw_only=True):
    """A workspace and the user whom it belongs to. `created` is true when they came into being just now."""

    workspace_id: str
    user_id: str
    created: bool


def ensure_default(
    connection: Connection, *, new_id: Callable[[], str], new_user_id: Callable[[], str], now: datetime
) -> Owner:
    """The default workspace with its owner, made on an empty database."""
    query = sa.select(workspaces.c.id, workspaces.c.owner_id).where(workspaces.c.is_default)
    found = connection.execute(query).one_or_none()
    if found is not None:
        return Owner(workspace_id=found.id, user_id=found.owner_id, created=False)
    workspace_id, user_id = new_id(), new_user_id()
    connection.execute(sa.insert(users).values(id=user_id, name="Owner", created_at=now))
    connection.execute(
        sa.insert(workspaces).values(
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
    query = sa.select(workspaces.c.id).where(workspaces.c.id == workspace_id, ~workspaces.c.deleted)
    return connection.execute(query).first() is not None


def read_since(connection: Connection, revision: int | None) -> list[Workspace]:
    """The workspaces that changed after this revision, deleted ones among them; None: all that are not deleted."""
    return _read(connection, _select(~workspaces.c.deleted if revision is None else workspaces.c.revision > revision))


def get(connection: Connection, named: str) -> Workspace | None:
    """The workspace with this id, else the one with this slug; None when there is none or it has been deleted."""
    either = sa.or_(workspaces.c.id == named, workspaces.c.slug == named)
    found = _read(connection, _select(~workspaces.c.deleted, either))
    return next((one for one in found if one.id == named), None) or next(iter(found), None)


def list_workspaces(
    connection: Connection, *, only: str | None, offset: int, limit: int
) -> tuple[list[Workspace], int]:
    """One page of the workspaces, the oldest first, and how many there are in all; `only`: that one by its id."""
    there = ~workspaces.c.deleted if only is None else ~workspaces.c.deleted & (workspaces.c.id == only)
    total = connection.execute(sa.select(sa.func.count()).select_from(workspaces).where(there)).scalar_one()
    return _read(connection, _select(there).order_by(*_OLDEST_FIRST).offset(offset).limit(limit)), total


def save(connection: Connection, workspace: Workspace) -> Workspace:
    """This workspace as a new one, without budgets.

    Raises: `RequestError` of type `conflict` when its slug is taken.
    """
    saved = structs.replace(workspace, budgets=(), revision=next_revision(connection))
    _check_slug(connection, saved.slug)
    connection.execute(sa.insert(workspaces).values({field: getattr(saved, field) for field in _WORKSPACE}))
    return saved


def update(connection: Connection, workspace: Workspace, wanted: Mapping[str, Any], *, now: datetime) -> Workspace:
    """The workspace with these members changed; its time moves only where one of them differs.

    Raises: `RequestError` of type `conflict` when another has the slug.
    """
    changes = {field: said for field, said in wanted.items() if said != getattr(workspace, field)}
    if not changes:
        return workspace
    revision = next_revision(connection)
    if "slug" in changes:
        _check_slug(connection, changes["slug"])
    return _change(connection, workspace, {**changes, "updated_at": now, "revision": revision})


def touch(connection: Connection, workspace: Workspace, **changes: Any) -> Workspace:
    """The workspace as snapshots will hear of it: with what is new of its budgets."""
    return _change(connection, workspace, {**changes, "revision": next_revision(connection)})


def delete(connection: Connection, workspace: Workspace, *, now: datetime) -> None:
    """Delete a workspace. Its row stays, without its slug; what could still be used in it goes with it.

    Raises: `RequestError` of type `conflict` for the default one, and one with keys that work.
    """
    if workspace.is_default:
        raise RequestError("conflict", "The default workspace cannot be deleted")
    if active := keys.count_active(connection, workspace.id, now):
        number = "one active key" if active == 1 else f"{active} active keys"
        raise RequestError("conflict", f"This workspace has {number}, and cannot be deleted before they are")
    keys.delete_all(connection, workspace.id, now=now)
    provider_keys.delete_all(connection, workspace.id, now=now)
    connection.execute(sa.delete(budgets).where(budgets.c.workspace_id == workspace.id))
    # Nobody can ask for this slug, and somebody else may have its own.
    gone = {"deleted": True, "slug": f":{workspace.id}", "updated_at": now, "revision": next_revision(connection)}
    connection.execute(sa.update(workspaces).where(workspaces.c.id == workspace.id).values(gone))


def _select(*mine: ColumnElement[bool]) -> Select[Any]:
    return sa.select(*(workspaces.c[field] for field in _WORKSPACE)).where(*mine)


def _read(connection: Connection, query: Select[Any]) -> list[Workspace]:
    """The workspaces of a query, with their budgets."""
    rows = connection.execute(query).all()
    found: defaultdict[str, list[Budget]] = defaultdict(list)
    if rows:
        theirs = budgets.c.workspace_id.in_(query.with_only_columns(workspaces.c.id))
        for row in connection.execute(sa.select(*(budgets.c[field] for field in _BUDGET)).where(theirs)):
            found[row.workspace_id].append(Budget(**dict(zip(_BUDGET, row, strict=True))))
    return [Workspace(**dict(zip(_WORKSPACE, row, strict=True)), budgets=_broadest(found[row.id])) for row in rows]


def _broadest(listed: list[Budget]) -> tuple[Budget, ...]:
    return tuple(sorted(listed, key=lambda one: INTERVALS.index(one.interval)))


def _change(connection: Connection, workspace: Workspace, changes: Mapping[str, Any]) -> Workspace:
    connection.execute(sa.update(workspaces).where(workspaces.c.id == workspace.id).values(changes))
    [changed] = _read(connection, _select(workspaces.c.id == workspace.id))
    return changed


def _check_slug(connection: Connection, slug: str) -> None:
    if connection.execute(sa.select(workspaces.c.id).where(workspaces.c.slug == slug)).first() is not None:
        raise RequestError("conflict", "There is a workspace with this slug already")
