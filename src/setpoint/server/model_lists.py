"""The models that providers have listed, each provider's in a file of the data folder."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from setpoint.providers.discovery import address
from setpoint.records import ListedModel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.records import Provider

_log = logging.getLogger("setpoint.discovery")

FOLDER = "discovered"

_State = tuple[int, int, int]


class _Content(Struct, frozen=True):
    """What a file says: the models, and the address that listed them."""

    address: str
    models: tuple[ListedModel, ...]


class ModelLists:
    """The files of this folder. Its methods block; a file that cannot be read is as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, _State | None] = {}
        self._refused = False

    def read(self, providers: Iterable[Provider]) -> dict[str, tuple[ListedModel, ...]]:
        """The lists of those providers that have one, of the address that they are at now."""
        found: dict[str, tuple[ListedModel, ...]] = {}
        for provider in providers:
            self._seen[provider.slug] = self._state(provider)
            try:
                content = msgspec.json.decode(self._file(provider).read_bytes(), type=_Content)
            except (OSError, msgspec.MsgspecError):
                continue
            if content.address == address(provider):
                found[provider.slug] = content.models
        return found

    def newer(self, providers: Iterable[Provider]) -> dict[str, tuple[ListedModel, ...]]:
        """The lists that have changed since they were last read."""
        return self.read([one for one in providers if self._state(one) != self._seen.get(one.slug)])

    def write(self, provider: Provider, models: tuple[ListedModel, ...]) -> bool:
        """Keep a list: whole or not at all. Returns whether it could be; says once when not."""
        content = msgspec.json.encode(_Content(address(provider), models))
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(name).replace(self._file(provider))
            except BaseException:
                Path(name).unlink()
                raise
        except OSError as error:
            if not self._refused:
                _log.warning("model lists cannot be kept, and other workers do not hear of them: %s", error.strerror)
            self._refused = True
            return False
        self._refused = False
        return True

    def _file(self, provider: Provider) -> Path:
        return self._folder / f"{provider.slug}.json"

    def _state(self, provider: Provider) -> _State | None:
        """What tells one state of a file from another without reading it; None when there is none."""
        try:
            now = self._file(provider).stat()
        except OSError:
            return None
        return now.st_mtime_ns, now.st_size, now.st_ino
