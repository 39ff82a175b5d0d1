"""Versions that are not designated: read once, remembered within a bound, and never waited for long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from msgspec import structs

from setpoint.errors import GatewayError
from setpoint.routing.catalog import Catalog
from setpoint.snapshot import SnapshotHolder
from setpoint.storage.pinned import PinnedVersions
from setpoint.storage.store import Store
from support.sealed import SEALER
from support.seats import lone_seat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from setpoint.records import Preset, Version
    from setpoint.storage.database import Database

T = TypeVar("T")


class CountingStore(Store):
    """A store that counts how often it was read."""

    reads = 0

    async def read(self, work: Callable[[Connection], T]) -> T:
        self.reads += 1
        return await super().read(work)


class InstantStore(CountingStore):
    """A store that gives one version, whatever is asked for."""

    def __init__(self, database: Database, snapshots: SnapshotHolder, version: Version) -> None:
        super().__init__(database, snapshots, lone_seat(), SEALER)
        self._version: Any = version

    async def read(self, work: Callable[[Connection], T]) -> T:
        del work
        self.reads += 1
        return self._version


class SilentStore(Store):
    """A store that never answers."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        await asyncio.get_running_loop().create_future()
        return await super().read(work)


def snapshots() -> SnapshotHolder:
    return SnapshotHolder(Catalog(models={}, providers={}, aliases={}, offers={}))


@pytest.fixture
def store(database: Database) -> Iterator[CountingStore]:
    """A store that counts."""
    store = CountingStore(database, snapshots(), lone_seat(), SEALER)
    yield store
    store.close()


def find(versions: PinnedVersions, preset: Preset, *numbers: int) -> list[Version | None]:
    async def all_of_them() -> list[Version | None]:
        return [await versions.find(preset, number) for number in numbers]

    return asyncio.run(all_of_them())


def test_a_version_is_read_once_and_then_remembered(store: CountingStore, capture: Callable[..., Preset]) -> None:
    first = capture("a", config=b'{"model":"m"}').designated
    preset = capture("a")
    assert find(PinnedVersions(store), preset, 1, 1, 1) == [first] * 3
    assert store.reads == 1


def test_versions_of_different_presets_are_told_apart(store: CountingStore, capture: Callable[..., Preset]) -> None:
    presets = [capture(slug, config=f'{{"model":"{slug}"}}'.encode()) for slug in ("a", "b")]
    versions = PinnedVersions(store)
    found = [find(versions, preset, 1)[0] for preset in (*presets, *presets)]
    assert found == [preset.designated for preset in (*presets, *presets)]
    assert store.reads == 2


def test_a_version_that_is_not_there_is_none_and_may_come_later(
    store: CountingStore, capture: Callable[..., Preset]
) -> None:
    preset = capture("a")
    versions = PinnedVersions(store)
    assert find(versions, preset, 2, 2**64) == [None, None]
    second = capture("a").designated
    assert find(versions, preset, 2) == [second]


def test_of_a_thousand_the_one_not_used_for_longest_is_forgotten(
    database: Database, capture: Callable[..., Preset]
) -> None:
    preset = capture("a")
    store = InstantStore(database, snapshots(), preset.designated)
    versions = PinnedVersions(store)
    presets = [structs.replace(preset, id=f"p{number}") for number in range(1001)]
    for one in (*presets[:1000], presets[0], presets[1000]):
        find(versions, one, 1)
    assert store.reads == 1001
    find(versions, presets[0], 1)
    find(versions, presets[1000], 1)
    assert store.reads == 1001
    find(versions, presets[1], 1)
    assert store.reads == 1002
    store.close()


def test_storage_that_does_not_answer_in_time_is_unavailable(
    database: Database, capture: Callable[..., Preset]
) -> None:
    store = SilentStore(database, snapshots(), lone_seat(), SEALER)
    try:
        with pytest.raises(GatewayError) as caught:
            find(PinnedVersions(store), capture("a"), 1)
    finally:
        store.close()
    assert (caught.value.type, caught.value.status, caught.value.retry_after_s) == ("unavailable", 503, 1)
