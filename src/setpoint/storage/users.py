"""Users, to whom keys belong: functions of a connection, whose transaction is the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from setpoint.storage.tables import users

if TYPE_CHECKING:
    from sqlalchemy import Connection


def exists(connection: Connection, user_id: str) -> bool:
    """Whether there is such a user."""
    return connection.execute(select(users.c.id).where(users.c.id == user_id)).first() is not None
