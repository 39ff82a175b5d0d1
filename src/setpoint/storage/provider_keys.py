"""Provider keys that were added: functions of a connection, whose transaction is the caller's.

A key goes in and comes out in plain text; what is stored is sealed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec import UNSET, UnsetType, structs

from setpoint.records import AddedKey, KeyTerms, ProviderKey
from setpoint.storage.revisions import next_revision
from setpoint.storage.sealing import SealError
from setpoint.storage.tables import provider_keys as table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from setpoint.storage.sealing import Sealer

_TERMS = KeyTerms.__struct_fields__
_PLAIN = tuple(field for field in AddedKey.__struct_fields__ if field not in ("key", "terms"))
_FINGERPRINT = 8


def select_keys() -> Select[Any]:
    """Every key, deleted ones too, in rows for `read_key`."""
    return sa.select(*(table.c[field] for field in (*_PLAIN, *_TERMS)), table.c.sealed)


def read_key(row: Row[Any], sealer: Sealer) -> AddedKey:
    """The key in one row of `select_keys`, opened where that is possible."""
    values = dict(zip((*_PLAIN, *_TERMS), row[:-1], strict=True))
    terms = KeyTerms(**{field: values.pop(field) for field in _TERMS})
    try:
        secret = sealer.open(row[-1], _place(values["provider"], values["id"])) if not values["deleted"] else None
    except SealError:
        secret = None
    return AddedKey(**values, terms=terms, key=None if secret is None else _key(values["id"], secret, terms))


def get(connection: Connection, sealer: Sealer, key_id: str) -> AddedKey | None:
    """The key with this id, None when there is none or it has been deleted."""
    row = connection.execute(select_keys().where(table.c.id == key_id, ~table.c.deleted)).one_or_none()
    return None if row is None else read_key(row, sealer)


def list_keys(
    connection: Connection,
    sealer: Sealer,
    workspace_id: str,
    *,
    everyones: bool,
    provider: str | None,
    offset: int,
    limit: int,
) -> tuple[list[AddedKey], int]:
    """One page of the keys of a workspace, in the order of trying, and how many there are.

    `everyones`: those that are of no workspace as well.
    """
    mine = _of_workspace(workspace_id) if everyones else ~table.c.deleted & (table.c.workspace_id == workspace_id)
    if provider is not None:
        mine &= table.c.provider == provider
    order = (table.c.provider, table.c.is_fallback, table.c.sort_order, table.c.id)
    page = select_keys().where(mine).order_by(*order).offset(offset).limit(limit)
    total = connection.execute(sa.select(sa.func.count()).select_from(table).where(mine)).scalar_one()
    return [read_key(row, sealer) for row in connection.execute(page)], total


def save(
    connection: Connection,
    sealer: Sealer,
    *,
    key_id: str,
    provider: str,
    secret: str,
    label: str,
    terms: KeyTerms,
    workspace_id: str | None,
    creator_user_id: str,
    now: datetime,
) -> AddedKey:
    """A new key, behind all others of its provider that its workspace has."""
    revision = next_revision(connection)
    there = ~table.c.deleted if workspace_id is None else _of_workspace(workspace_id)
    last = sa.select(sa.func.max(table.c.sort_order)).where(table.c.provider == provider, there)
    highest = connection.execute(last).scalar_one()
    key = AddedKey(
        id=key_id,
        provider=provider,
        label=label,
        key=_key(key_id, secret, terms),
        terms=terms,
        deleted=False,
        sort_order=0 if highest is None else highest + 1,
        workspace_id=workspace_id,
        creator_user_id=creator_user_id,
        created_at=now,
        updated_at=None,
        revision=revision,
    )
    plain = {field: getattr(key, field) for field in _PLAIN}
    sealed = sealer.seal(secret, _place(provider, key_id))
    connection.execute(sa.insert(table).values(**plain, **structs.asdict(terms), sealed=sealed))
    return key


def update(
    connection: Connection,
    sealer: Sealer,
    key: AddedKey,
    *,
    terms: KeyTerms,
    secret: str | UnsetType = UNSET,
    label: str | UnsetType = UNSET,
    now: datetime,
) -> AddedKey:
    """The key with other terms, and with another secret under another label where they are given."""
    changes = structs.asdict(terms) | {"updated_at": now, "revision": next_revision(connection)}
    if secret is not UNSET:
        changes["sealed"] = sealer.seal(secret, _place(key.provider, key.id))
    if label is not UNSET:
        changes["label"] = label
    connection.execute(sa.update(table).where(table.c.id == key.id).values(changes))
    return read_key(connection.execute(select_keys().where(table.c.id == key.id)).one(), sealer)


def delete(connection: Connection, key_id: str, *, now: datetime) -> None:
    """Delete a key: what was sealed is gone at once. The rest of its row stays: snapshots have to hear of it."""
    _delete(connection, table.c.id == key_id, now)


def delete_all(connection: Connection, workspace_id: str, *, now: datetime) -> None:
    """Delete those of one workspace alone."""
    _delete(connection, (table.c.workspace_id == workspace_id) & ~table.c.deleted, now)


def count_closed(connection: Connection, sealer: Sealer) -> int:
    """How many keys are there that this secret does not open."""
    rows = connection.execute(select_keys().where(~table.c.deleted))
    return sum(read_key(row, sealer).key is None for row in rows)


def _delete(connection: Connection, mine: ColumnElement[bool], now: datetime) -> None:
    gone = {"deleted": True, "sealed": "", "updated_at": now, "revision": next_revision(connection)}
    connection.execute(sa.update(table).where(mine).values(gone))


def _of_workspace(workspace_id: str) -> ColumnElement[bool]:
    return ~table.c.deleted & ((table.c.workspace_id == workspace_id) | table.c.workspace_id.is_(None))


def _place(provider: str, key_id: str) -> str:
    """The row that a key is sealed for."""
    return f"{provider}\0{key_id}"


def _key(key_id: str, secret: str, terms: KeyTerms) -> ProviderKey:
    """The key as requests carry it. Its id changes with the secret: whatever was said of the old one is over."""
    fingerprint = hashlib.sha256(secret.encode()).hexdigest()[:_FINGERPRINT]
    return ProviderKey(id=f"{key_id}:{fingerprint}", secret=secret, zdr=terms.declared_zdr)
