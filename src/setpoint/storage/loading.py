"""What a snapshot is made of: all of it once, and from then on only what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.storage.keys import read_key, select_keys
from setpoint.storage.presets import read_preset, select_presets
from setpoint.storage.revisions import read_revision
from setpoint.storage.tables import keys, presets

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from setpoint.records import Key, Preset


class Loaded(NamedTuple):
    """Rows as they are at this revision, in the order of `SnapshotHolder.apply`."""

    revision: int
    presets: list[Preset]
    keys: list[Key]


def load(connection: Connection) -> Loaded:
    """Every preset with its designated version, and every key that is not deleted."""
    all_presets = [read_preset(row) for row in connection.execute(select_presets())]
    all_keys = [read_key(row) for row in connection.execute(select_keys().where(~keys.c.deleted))]
    return Loaded(read_revision(connection), all_presets, all_keys)


def load_since(connection: Connection, revision: int) -> Loaded:
    """The presets and keys that changed after this revision, deleted keys among them. Costs what has changed."""
    changed_presets = select_presets().where(presets.c.revision > revision)
    changed_keys = select_keys().where(keys.c.revision > revision)
    return Loaded(
        read_revision(connection),
        [read_preset(row) for row in connection.execute(changed_presets)],
        [read_key(row) for row in connection.execute(changed_keys)],
    )
