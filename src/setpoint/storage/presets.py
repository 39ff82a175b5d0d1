"""Presets and their versions: functions of a connection, whose transaction is the caller's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec import UNSET, UnsetType, structs

from setpoint.errors import RequestError
from setpoint.records import Preset, PresetStatus, Version
from setpoint.storage import workspaces
from setpoint.storage.revisions import next_revision
from setpoint.storage.tables import presets, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select

_LARGEST = 2**63 - 1
_TICK = timedelta(microseconds=1)

_VERSION = Version.__struct_fields__
_PRESET = tuple(field for field in Preset.__struct_fields__ if field != "designated")
_DESIGNATED = sa.and_(versions.c.preset_id == presets.c.id, versions.c.version == presets.c.designated_version)


def select_presets() -> Select[Any]:
    """Every preset with its designated version, in rows for `read_preset`."""
    columns = [*(presets.c[field] for field in _PRESET), *(versions.c[field] for field in _VERSION)]
    return sa.select(*columns).join_from(presets, versions, _DESIGNATED)


def read_preset(row: Row[Any]) -> Preset:
    """The preset in one row of `select_presets`."""
    values = tuple(row)
    own, designated = values[: len(_PRESET)], values[len(_PRESET) :]
    return Preset(**dict(zip(_PRESET, own, strict=True)), designated=_read_version(designated))


def get(connection: Connection, workspace_id: str, slug: str) -> Preset | None:
    """The preset of this workspace with this slug, whatever its status; None when there is none."""
    query = select_presets().where(presets.c.workspace_id == workspace_id, presets.c.slug == slug)
    row = connection.execute(query).one_or_none()
    return None if row is None else read_preset(row)


def list_presets(
    connection: Connection, workspace_id: str, *, slugs: Collection[str] | None = None, offset: int, limit: int
) -> tuple[list[Preset], int]:
    """One page of a workspace's presets of every status, the last changed first, and how many there are in all.

    `slugs` are those that are wanted, None: all.
    """
    mine = presets.c.workspace_id == workspace_id
    if slugs is not None:
        mine &= presets.c.slug.in_(slugs)
    # No two presets share a revision, so the order has no ties and pages do not overlap.
    newest_first = (presets.c.updated_at.desc(), presets.c.revision.desc())
    # The page is found in the index alone: what is skipped on the way is never read.
    ids = sa.select(presets.c.id).where(mine).order_by(*newest_first).offset(offset).limit(limit)
    page = select_presets().where(presets.c.id.in_(ids)).order_by(*newest_first)
    total = connection.execute(sa.select(sa.func.count()).select_from(presets).where(mine)).scalar_one()
    return [read_preset(row) for row in connection.execute(page)], total


def list_versions(connection: Connection, preset_id: str, *, offset: int, limit: int) -> tuple[list[Version], int]:
    """One page of a preset's versions, the first one first, and how many there are in all."""
    mine = versions.c.preset_id == preset_id
    page = _select_versions().where(mine).order_by(versions.c.version).offset(offset).limit(limit)
    total = connection.execute(sa.select(sa.func.count()).select_from(versions).where(mine)).scalar_one()
    return [_read_version(row) for row in connection.execute(page)], total


def get_version(connection: Connection, preset_id: str, number: int) -> Version | None:
    """The preset's version of this number, None when there is none."""
    if number > _LARGEST:
        return None
    query = _select_versions().where(versions.c.preset_id == preset_id, versions.c.version == number)
    row = connection.execute(query).one_or_none()
    return None if row is None else _read_version(row)


def save_version(
    connection: Connection,
    *,
    workspace_id: str,
    slug: str,
    creator_id: str,
    config: bytes,
    system_prompt: bytes | None,
    now: datetime,
    new_id: Callable[[], str],
) -> Preset:
    """The preset of this slug with a new version, which is the designated one from now on.

    The first use of a slug makes the preset. A disabled preset stays disabled.

    Raises: `RequestError` of type `conflict` when the preset is archived, `not_found` when the workspace is gone.
    """
    revision = next_revision(connection)
    found = get(connection, workspace_id, slug)
    if found is None:
        if not workspaces.exists(connection, workspace_id):
            raise RequestError("not_found", "The workspace is gone")
        preset_id, number, at = new_id(), 1, now
        connection.execute(
            sa.insert(presets).values(
                id=preset_id,
                workspace_id=workspace_id,
                creator_user_id=creator_id,
                slug=slug,
                name=slug,
                status="active",
                designated_version=number,
                latest_version=number,
                created_at=at,
                updated_at=at,
                revision=revision,
            )
        )
    elif found.status == "archived":
        raise RequestError("conflict", f"Preset {slug} is archived")
    else:
        preset_id, number, at = found.id, found.latest_version + 1, _after(found, now)
        connection.execute(
            sa.update(presets)
            .where(presets.c.id == preset_id)
            .values(designated_version=number, latest_version=number, updated_at=at, revision=revision)
        )
    connection.execute(
        sa.insert(versions).values(
            id=new_id(),
            preset_id=preset_id,
            creator_id=creator_id,
            version=number,
            system_prompt=system_prompt,
            config=config,
            created_at=at,
        )
    )
    return _get_by_id(connection, preset_id)


def designate(connection: Connection, preset_id: str, number: int, *, now: datetime) -> Preset:
    """The preset with this version as the designated one.

    Raises: `RequestError` of type `not_found` when there is no such version.
    """
    if get_version(connection, preset_id, number) is None:
        raise RequestError("not_found", f"There is no version {number}")
    return _change(connection, preset_id, {"designated_version": number}, now)


def update(
    connection: Connection,
    preset_id: str,
    *,
    name: str | UnsetType = UNSET,
    description: str | UnsetType | None = UNSET,
    status: PresetStatus | UnsetType = UNSET,
    now: datetime,
) -> Preset:
    """The preset with what is given changed. What is unset stays."""
    wanted = {"name": name, "description": description, "status": status}
    return _change(connection, preset_id, {field: value for field, value in wanted.items() if value is not UNSET}, now)


def archive(connection: Connection, preset_id: str, *, now: datetime) -> Preset:
    """The preset, archived: still listed and readable, but it takes no more versions and answers no requests."""
    return update(connection, preset_id, status="archived", now=now)


def _change(connection: Connection, preset_id: str, wanted: dict[str, Any], now: datetime) -> Preset:
    """The preset with these columns changed; times and revision move only when one of them really differs."""
    revision = next_revision(connection)
    preset = _get_by_id(connection, preset_id)
    present = {"designated_version": preset.designated.version, **structs.asdict(preset)}
    changes = {column: value for column, value in wanted.items() if value != present[column]}
    if not changes:
        return preset
    changes |= {"updated_at": _after(preset, now), "revision": revision}
    if "status" in changes:
        changes["status_updated_at"] = changes["updated_at"]
    connection.execute(sa.update(presets).where(presets.c.id == preset_id).values(changes))
    return _get_by_id(connection, preset_id)


def _after(preset: Preset, now: datetime) -> datetime:
    """Now, but always later than the preset's last change: the clock may stand still or be set back."""
    return max(now, preset.updated_at + _TICK)


def _get_by_id(connection: Connection, preset_id: str) -> Preset:
    row = connection.execute(select_presets().where(presets.c.id == preset_id)).one_or_none()
    if row is None:
        raise RequestError("not_found", "There is no such preset")
    return read_preset(row)


def _select_versions() -> Select[Any]:
    return sa.select(*(versions.c[field] for field in _VERSION))


def _read_version(values: Iterable[Any]) -> Version:
    return Version(**dict(zip(_VERSION, values, strict=True)))
