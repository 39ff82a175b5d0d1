"""What a snapshot is made of: all of it once, and from then on only what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.storage import provider_keys, workspaces
from setpoint.storage.keys import read_key, select_keys
from setpoint.storage.presets import read_preset, select_presets
from setpoint.storage.revisions import read_revision
from setpoint.storage.tables import keys, presets
from setpoint.storage.tables import provider_keys as added_keys

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from setpoint.records import AddedKey, Key, Preset, Workspace
    from setpoint.storage.sealing import Sealer


class Loaded(NamedTuple):
    """Rows as they are at this revision, in the order of `SnapshotHolder.apply`."""

    revision: int
    presets: list[Preset]
    keys: list[Key]
    provider_keys: list[AddedKey]
    workspaces: list[Workspace]


def load(connection: Connection, sealer: Sealer) -> Loaded:
    """Every preset with its designated version; every workspace, and every key of either kind, that is not deleted."""
    all_presets = [read_preset(row) for row in connection.execute(select_presets())]
    all_keys = [read_key(row) for row in connection.execute(select_keys().where(~keys.c.deleted))]
    added = provider_keys.select_keys().where(~added_keys.c.deleted)
    all_added = [provider_keys.read_key(row, sealer) for row in connection.execute(added)]
    all_workspaces = workspaces.read_since(connection, None)
    return Loaded(read_revision(connection), all_presets, all_keys, all_added, all_workspaces)


def load_since(connection: Connection, revision: int, sealer: Sealer) -> Loaded:
    """What changed after this revision, what was deleted among it. Costs what has changed."""
    changed_presets = select_presets().where(presets.c.revision > revision)
    changed_keys = select_keys().where(keys.c.revision > revision)
    changed_added = provider_keys.select_keys().where(added_keys.c.revision > revision)
    return Loaded(
        read_revision(connection),
        [read_preset(row) for row in connection.execute(changed_presets)],
        [read_key(row) for row in connection.execute(changed_keys)],
        [provider_keys.read_key(row, sealer) for row in connection.execute(changed_added)],
        workspaces.read_since(connection, revision),
    )
