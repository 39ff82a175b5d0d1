"""Versions that are not designated, for requests that pin one: remembered, since a version never changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from setpoint.storage.away import away
from setpoint.storage.presets import get_version

if TYPE_CHECKING:
    from setpoint.records import Preset, Version
    from setpoint.storage.store import Store

_KEPT = 1_000
_WAIT_S = 0.25


class PinnedVersions:
    """A bounded memory of versions in front of one indexed read, which may take 250 ms at most."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, int], Version] = OrderedDict()

    async def find(self, preset: Preset, number: int) -> Version | None:
        """The version of this number. Raises: `GatewayError` (unavailable) when storage does not answer in time."""
        name = (preset.id, number)
        version = self._kept.get(name)
        if version is None:
            version = await self._read(preset.id, number)
            if version is None:
                return None
            self._kept[name] = version
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        return version

    async def _read(self, preset_id: str, number: int) -> Version | None:
        try:
            async with asyncio.timeout(_WAIT_S):
                return await self._store.read(lambda connection: get_version(connection, preset_id, number))
        except TimeoutError:
            raise away() from None
