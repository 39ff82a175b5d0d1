"""What a snapshot is loaded from: everything once, then only what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from setpoint.errors import RequestError
from setpoint.records import Key
from setpoint.storage import keys, loading, presets, tables, workspaces
from setpoint.storage.revisions import read_revision
from support.sealed import SEALER

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from setpoint.records import Preset
    from setpoint.storage.database import Database
    from setpoint.storage.loading import Loaded
    from setpoint.storage.workspaces import Owner


def load(database: Database) -> Loaded:
    with database.read() as connection:
        return loading.load(connection, SEALER)


def load_since(database: Database, revision: int) -> Loaded:
    with database.read() as connection:
        return loading.load_since(connection, revision, SEALER)


def save_key(database: Database, owner: Owner, digest: str, now: datetime) -> None:
    with database.write() as connection:
        keys.save(
            connection,
            Key(
                digest=digest,
                name="k",
                label="k",
                role="caller",
                workspace_id=owner.workspace_id,
                creator_user_id=owner.user_id,
                created_at=now,
            ),
        )


def test_everything_is_loaded_but_deleted_keys(
    database: Database, owner: Owner, capture: Callable[..., Preset], now: datetime
) -> None:
    with database.read() as connection:
        (default,) = workspaces.read_since(connection, None)
    assert (default.id, default.owner_id, default.slug) == (owner.workspace_id, owner.user_id, "default")
    assert load(database) == (0, [], [], [], [default])
    capture("a")
    newer = capture("a")
    save_key(database, owner, "k1", now)
    save_key(database, owner, "k2", now)
    with database.write() as connection:
        archived = presets.archive(connection, capture_in(connection, owner, now), now=now)
        keys.delete(connection, "k1", now=now)
    loaded = load(database)
    assert sorted(preset.slug for preset in loaded.presets) == ["a", "z"]
    assert newer in loaded.presets
    assert archived in loaded.presets
    assert [key.digest for key in loaded.keys] == ["k2"]
    with database.read() as connection:
        assert loaded.revision == read_revision(connection)


def capture_in(connection: sa.Connection, owner: Owner, now: datetime) -> str:
    ids = iter(["preset-z", "version-z"])
    return presets.save_version(
        connection,
        workspace_id=owner.workspace_id,
        slug="z",
        creator_id=owner.user_id,
        config=b"{}",
        system_prompt=None,
        now=now,
        new_id=lambda: next(ids),
    ).id


def test_only_what_has_changed_is_loaded_afterwards(
    database: Database, owner: Owner, capture: Callable[..., Preset], now: datetime
) -> None:
    for slug in ("a", "b", "c"):
        capture(slug)
    save_key(database, owner, "k1", now)
    known = load(database).revision
    assert load_since(database, known) == (known, [], [], [], [])
    earlier = load_since(database, known - 2)  # the last preset before the key, but not the one before that
    assert [preset.slug for preset in earlier.presets] == ["c"]
    changed = capture("b")
    save_key(database, owner, "k2", now)
    with database.write() as connection:
        keys.update(connection, "k2", {"disabled": True}, now=now)
    since = load_since(database, known)
    assert since.revision > known
    assert since.presets == [changed]
    assert [(key.digest, key.disabled) for key in since.keys] == [("k2", True)]
    assert load_since(database, since.revision) == (since.revision, [], [], [], [])


def test_write_that_fails_moves_no_revision(database: Database, capture: Callable[..., Preset]) -> None:
    capture("a")
    before = load(database)
    with pytest.raises(RequestError):
        capture("b", workspace_id="gone")
    assert load(database) == before


def test_loading_changes_goes_by_an_index(database: Database) -> None:
    with database.read() as connection:
        for table in (tables.presets, tables.keys, tables.workspaces):
            query = sa.select(table).where(table.c.revision > sa.literal_column("7"))
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
            assert f"ix_{table.name}_revision" in str(plan)
