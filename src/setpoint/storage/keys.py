"""API keys, each known by its digest: functions of a connection, whose transaction is the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec import structs

from setpoint.errors import RequestError
from setpoint.records import Key
from setpoint.storage.revisions import next_revision
from setpoint.storage.tables import keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select

_KEY = Key.__struct_fields__


def select_keys() -> Select[Any]:
    """Every key, deleted ones too, in rows for `read_key`."""
    return sa.select(*(keys.c[field] for field in _KEY))


def read_key(row: Row[Any]) -> Key:
    """The key in one row of `select_keys`."""
    return Key(**dict(zip(_KEY, row, strict=True)))


def get(connection: Connection, digest: str) -> Key | None:
    """The key with this digest, None when there is none or it has been deleted."""
    key = _find(connection, digest)
    return None if key is None or key.deleted else key


def list_keys(
    connection: Connection,
    workspace_id: str,
    *,
    offset: int,
    limit: int,
    include_disabled: bool,
    unexpired_at: datetime | None = None,
) -> list[Key]:
    """One page of a workspace's keys, the newest first; `unexpired_at` leaves out those that had ended by then."""
    query = select_keys().where(keys.c.workspace_id == workspace_id, ~keys.c.deleted)
    if not include_disabled:
        query = query.where(~keys.c.disabled)
    if unexpired_at is not None:
        query = query.where(keys.c.expires_at.is_(None) | (keys.c.expires_at > unexpired_at))
    page = query.order_by(keys.c.created_at.desc(), keys.c.digest).offset(offset).limit(limit)
    return [read_key(row) for row in connection.execute(page)]


def save(connection: Connection, key: Key) -> Key:
    """This key as a new one. Raises: `RequestError` of type `conflict` when its digest is taken."""
    saved = structs.replace(key, revision=next_revision(connection))
    connection.execute(sa.insert(keys).values({field: getattr(saved, field) for field in _KEY}))
    return saved


def update(connection: Connection, digest: str, changes: Mapping[str, object], *, now: datetime) -> Key:
    """The key with these members changed. The others stay.

    Raises: `RequestError` of type `not_found` when there is no such key.
    """
    if get(connection, digest) is None:
        raise RequestError("not_found", "There is no such key")
    return _change(connection, digest, changes, now)


def delete(connection: Connection, digest: str, *, now: datetime) -> bool:
    """Delete a key, and say whether there was one. Its row stays: snapshots have to hear of it."""
    if get(connection, digest) is None:
        return False
    _change(connection, digest, {"deleted": True}, now)
    return True


def count_active(connection: Connection, workspace_id: str, now: datetime) -> int:
    """How many keys of a workspace work now: neither deleted nor disabled nor expired."""
    works = sa.or_(keys.c.expires_at.is_(None), keys.c.expires_at > now) & ~keys.c.disabled & ~keys.c.deleted
    query = sa.select(sa.func.count()).select_from(keys).where(keys.c.workspace_id == workspace_id, works)
    return connection.execute(query).scalar_one()


def delete_all(connection: Connection, workspace_id: str, *, now: datetime) -> None:
    """Delete what keys a workspace has."""
    gone = {"deleted": True, "updated_at": now, "revision": next_revision(connection)}
    mine = (keys.c.workspace_id == workspace_id) & ~keys.c.deleted
    connection.execute(sa.update(keys).where(mine).values(gone))


def ensure(
    connection: Connection,
    *,
    digest: str,
    name: str,
    label: str,
    workspace_id: str,
    creator_user_id: str,
    now: datetime,
) -> Key:
    """The key with this digest as one that manages and calls now, whatever became of it before.

    What it may spend, and on what, stays as it was said. Writes nothing when it is so already. `name`, `label`,
    workspace and creator are those of a key that is made.
    """
    found = _find(connection, digest)
    if found is None:
        return save(
            connection,
            Key(
                digest=digest,
                name=name,
                label=label,
                role="admin",
                workspace_id=workspace_id,
                creator_user_id=creator_user_id,
                created_at=now,
            ),
        )
    able = {"role": "admin", "inference": True, "disabled": False, "deleted": False, "expires_at": None}
    if all(getattr(found, field) == value for field, value in able.items()):
        return found
    return _change(connection, digest, able, now)


def _change(connection: Connection, digest: str, changes: Mapping[str, object], now: datetime) -> Key:
    stamped = {**changes, "updated_at": now, "revision": next_revision(connection)}
    connection.execute(sa.update(keys).where(keys.c.digest == digest).values(stamped))
    return read_key(connection.execute(select_keys().where(keys.c.digest == digest)).one())


def _find(connection: Connection, digest: str) -> Key | None:
    row = connection.execute(select_keys().where(keys.c.digest == digest)).one_or_none()
    return None if row is None else read_key(row)
