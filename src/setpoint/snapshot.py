"""The snapshot: all that the hot path may know, frozen; and the holder of the current one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from setpoint.routing.keyring import with_changes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.records import AddedKey, Key, Preset, Workspace
    from setpoint.routing.catalog import Catalog
    from setpoint.routing.keyring import Ring

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D", "Key", "Workspace")
"""Rows that stay when they are deleted."""


class _Mark(Enum):
    GONE = auto()


_Gone = Literal[_Mark.GONE]

_FOLD_ABOVE = 1000


class Layered(Mapping[K, V]):
    """A mapping that never changes, and of which a changed copy costs what has changed, whatever its size.

    Copies share a large base; a small layer above it, which each copy has for itself, holds what differs. A layer
    that has grown past a thousand entries is folded into a new base, so the cost of that is spread over as many.
    """

    __slots__ = ("_base", "_layer", "_size")

    def __init__(self) -> None:
        self._base: dict[K, V] = {}
        self._layer: dict[K, V | _Gone] = {}
        self._size = 0

    def changed(self, put: Mapping[K, V], remove: Iterable[K] = ()) -> Layered[K, V]:
        """A copy in which these entries are put or replaced, and then these keys removed where they are there."""
        copy: Layered[K, V] = Layered()
        copy._base, copy._layer, copy._size = self._base, dict(self._layer), self._size
        for key, value in put.items():
            copy._size += key not in copy
            copy._layer[key] = value
        for key in remove:
            copy._size -= key in copy
            copy._layer[key] = _Mark.GONE
        if len(copy._layer) > _FOLD_ABOVE:
            copy._fold()
        return copy

    def _fold(self) -> None:
        base = dict(self._base)
        for key, value in self._layer.items():
            if value is _Mark.GONE:
                base.pop(key, None)
            else:
                base[key] = value
        self._base, self._layer = base, {}

    def __getitem__(self, key: K) -> V:
        layer = self._layer
        if key in layer:
            value = layer[key]
            if value is _Mark.GONE:
                raise KeyError(key)
            return value
        return self._base[key]

    def __contains__(self, key: object) -> bool:
        if key in self._layer:
            return self._layer[cast("K", key)] is not _Mark.GONE
        return key in self._base

    def __iter__(self) -> Iterator[K]:
        layer = self._layer
        yield from (key for key in self._base if key not in layer)
        yield from (key for key, value in layer.items() if value is not _Mark.GONE)

    def __len__(self) -> int:
        return self._size


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One state of the world, which a request reads once and keeps to.

    `presets` are by workspace id and slug, of every status. `keys` are by digest; deleted ones are not there,
    disabled and expired ones are. `provider_keys` are the added ones, by provider; in the catalog those providers are
    awake that have one. `workspaces` are by id, without deleted ones. Every write up to `revision` is in it.
    """

    revision: int
    presets: Layered[tuple[str, str], Preset]
    keys: Layered[str, Key]
    provider_keys: Mapping[str, Ring]
    workspaces: Layered[str, Workspace]
    catalog: Catalog


class SnapshotHolder:
    """The current snapshot. It is changed by the event loop's thread only; anyone may read it."""

    def __init__(self, catalog: Catalog) -> None:
        self._current = Snapshot(
            revision=0, presets=Layered(), keys=Layered(), provider_keys={}, workspaces=Layered(), catalog=catalog
        )
        self._catalog = catalog  # as it was given: whoever sleeps in it has no key of the file's
        # Revisions of deletions: an older state of what is deleted may still arrive, and must not bring it back.
        self._deleted: dict[str, int] = {}

    @property
    def current(self) -> Snapshot:
        """The snapshot now."""
        return self._current

    def apply(
        self,
        revision: int,
        presets: Iterable[Preset],
        keys: Iterable[Key],
        provider_keys: Iterable[AddedKey] = (),
        workspaces: Iterable[Workspace] = (),
    ) -> None:
        """Swap in a snapshot with these rows, at a cost that depends on their number only.

        They must be all that has changed up to `revision` since the current snapshot, or since an earlier one: what
        another process wrote meanwhile would be missed otherwise. A row no newer than the one that is known changes
        nothing, so the order in which several changes arrive does not matter.
        """
        now = self._current
        rings = with_changes(now.provider_keys, provider_keys)
        self._current = replace(
            now,
            revision=max(revision, now.revision),
            presets=self._changed_presets(presets),
            keys=self._changed(now.keys, ((row.digest, row) for row in keys)),
            workspaces=self._changed(now.workspaces, ((row.id, row) for row in workspaces)),
            provider_keys=rings,
            catalog=now.catalog if rings is now.provider_keys else self._awake(rings),
        )

    def replace_catalog(self, catalog: Catalog) -> None:
        """Swap in a snapshot with another catalog of models."""
        self._catalog = catalog
        self._current = replace(self._current, catalog=self._awake(self._current.provider_keys))

    def _awake(self, rings: Mapping[str, Ring]) -> Catalog:
        alive = [slug for slug, ring in rings.items() if ring.usable]
        return self._catalog.awake(alive) if alive else self._catalog

    def _changed_presets(self, rows: Iterable[Preset]) -> Layered[tuple[str, str], Preset]:
        known = self._current.presets
        newer: dict[tuple[str, str], Preset] = {}
        for row in rows:
            name = (row.workspace_id, row.slug)
            seen = newer.get(name) or known.get(name)
            if seen is None or row.revision > seen.revision:
                newer[name] = row
        return known.changed(newer) if newer else known

    def _changed(self, known: Layered[str, D], rows: Iterable[tuple[str, D]]) -> Layered[str, D]:
        """What is known with these rows in it, each by its name, which nothing of another kind has."""
        newer: dict[str, D] = {}
        for name, row in rows:
            seen = newer.get(name) or known.get(name)
            seen_revision = self._deleted.get(name, -1) if seen is None else seen.revision
            if row.revision > seen_revision:
                newer[name] = row
        if not newer:
            return known
        present = {name: row for name, row in newer.items() if not row.deleted}
        gone = {name: row.revision for name, row in newer.items() if row.deleted}
        self._deleted.update(gone)
        return known.changed(present, gone)
