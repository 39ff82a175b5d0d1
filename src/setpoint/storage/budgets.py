"""Budgets of workspaces: functions of a connection, whose transaction is the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from setpoint.errors import FieldError
from setpoint.protocols.money import dollars
from setpoint.records import INTERVALS
from setpoint.storage import workspaces
from setpoint.storage.tables import budgets

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy import Connection

    from setpoint.records import Budget, Interval, Workspace


def get(workspace: Workspace, interval: str) -> Budget | None:
    """A workspace's budget for this interval, None where it has none."""
    return next((one for one in workspace.budgets if one.interval == interval), None)


def put(
    connection: Connection,
    workspace: Workspace,
    interval: Interval,
    limit: Decimal,
    *,
    include_byok: bool | None,
    new_id: Callable[[], str],
    now: datetime,
) -> Workspace:
    """The workspace with this budget. None leaves `include_byok_in_budgets` as it is.

    Raises: `FieldError` where a broader budget would not be larger than a narrower one.
    """
    _check(workspace, interval, limit)
    known = get(workspace, interval)
    if known is None:
        made = {"id": new_id(), "workspace_id": workspace.id, "interval": interval, "created_at": now}
        connection.execute(sa.insert(budgets).values(**made, limit=limit, updated_at=now))
    elif known.limit != limit:
        connection.execute(sa.update(budgets).where(budgets.c.id == known.id).values(limit=limit, updated_at=now))
    said = {} if include_byok is None else {"include_byok_in_budgets": include_byok}
    return workspaces.touch(connection, workspace, **said)


def delete(connection: Connection, workspace: Workspace, interval: str) -> None:
    """The workspace without this budget, if it had it."""
    known = get(workspace, interval)
    if known is not None:
        connection.execute(sa.delete(budgets).where(budgets.c.id == known.id))
        workspaces.touch(connection, workspace)


def _check(workspace: Workspace, interval: Interval, limit: Decimal) -> None:
    """What a longer time may cost has to be more than what a shorter one may: another budget would never be met."""
    place = INTERVALS.index(interval)
    for other in workspace.budgets:
        at = INTERVALS.index(other.interval)
        too_much, too_little = at < place and limit >= other.limit, at > place and limit <= other.limit
        if too_much or too_little:
            raise FieldError(
                "limit_usd",
                f"the {interval} budget must be {'less' if too_much else 'more'} than the {other.interval} budget, "
                f"which is {dollars(other.limit)}",
            )
