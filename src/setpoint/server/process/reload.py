"""A newer configuration while the server runs: noticed, read, checked, and refused where it is wrong."""

from __future__ import annotations

import logging
from stat import S_ISREG
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from setpoint.coordination.board import Happening
from setpoint.errors import GatewayError
from setpoint.providers.client import HttpClient
from setpoint.providers.facts import Facts
from setpoint.server.configuration import Configuration, Source
from setpoint.settings import OPTIONS, ConfigError
from setpoint.settings.load import read_content

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.coordination.board import Board

_log = logging.getLogger("setpoint.configuration")

LOOK_S = 1.0
"""How often the file is looked at, in seconds. It is read once it is the same twice in a row."""

_State = tuple[int, int, int, int] | None


class Change(Struct, frozen=True):
    """A newer configuration that may be used, and the bytes of the file that it was read from."""

    content: bytes
    found: Configuration


class Reloader:
    """The configuration in use, and the way to a newer one.

    Its methods block for as long as it takes to read and check the file, and say in the log what came of it.
    """

    def __init__(self, source: Source, found: Configuration, board: Board) -> None:
        self.found = found
        self._board = board
        self._path = found.loaded.config
        self.source = structs.replace(source, config=self._path)
        self._seen = self._read_state = _state(self._path)
        self._day = source.today()

    def look(self) -> Change | None:
        """A newer configuration, when the file has changed and rests, or another price has begun; else None."""
        if self._is_priced_anew():
            _log.info("prices that were announced have begun")
            return self._counted(self._read())
        before, self._seen = self._seen, _state(self._path)
        if self._seen is None or self._seen != before or self._seen == self._read_state:
            return None
        return self.read()

    def read(self) -> Change | None:
        """The configuration as it stands in the file now; None when it is wrong, and then the old one stays."""
        if self._path is None:
            _log.warning("there is no configuration file to read again")
            return self._counted(None)
        return self._counted(self._read())

    def _is_priced_anew(self) -> bool:
        """Whether a price that comes with the release has begun since the last look."""
        today, last = self.source.today(), self._day
        self._day = today
        return today > last and Facts(today).began_since(last)

    def _counted(self, change: Change | None) -> Change | None:
        self._board.count(Happening.RELOAD if change is not None else Happening.REFUSED_RELOAD)
        return change

    def _read(self) -> Change | None:
        self._read_state = _state(self._path)
        try:
            # To read a pipe again is to wait, or to find it empty.
            if self._path is not None and not S_ISREG(self._path.stat().st_mode):
                _log.error("the new configuration is refused, the old one stays: %s is not a file", self._path)
                return None
            content = b"" if self._path is None else read_content(self._path)
            found = self.source.read(content)
            HttpClient().trust(found.verify)
        except GatewayError as error:
            _log.error("the new configuration is refused, the old one stays: %s", error)
            return None
        except OSError as error:
            _log.error("the new configuration is refused, the old one stays: %s cannot be read: %s", *_why(error))
            return None
        except ConfigError as error:
            _log.error("the new configuration is refused, the old one stays: %s", "; ".join(map(str, error.problems)))
            return None
        except Exception as error:  # a mistake of ours in reading it must not end a server that runs
            _log.error("the new configuration is refused, the old one stays: %s", type(error).__name__)
            return None
        for warning in found.warnings:
            _log.warning("%s", warning)
        if waiting := _waiting(self.found, found):
            _log.warning("these settings change with the next start only: %s", ", ".join(waiting))
        self.found = in_place(self.found, found)
        return Change(content, self.found)


def in_place(old: Configuration, new: Configuration) -> Configuration:
    """A newer configuration, in which what only a start can change is as in the old one."""
    fixed = {name: getattr(old.loaded.settings, name) for name, row in OPTIONS.items() if row.at_start}
    settings = structs.replace(new.loaded.settings, **fixed)
    return structs.replace(new, loaded=structs.replace(new.loaded, settings=settings))


def _waiting(old: Configuration, new: Configuration) -> list[str]:
    """The settings that were changed, though only a start can change them."""
    before, after = old.loaded.settings, new.loaded.settings
    return [name for name, row in OPTIONS.items() if row.at_start and getattr(before, name) != getattr(after, name)]


def _state(path: Path | None) -> _State:
    """What tells one state of a file from another without reading it; None when there is no file."""
    if path is None:
        return None
    try:
        now = path.stat()
    except OSError:
        return None
    return (now.st_mtime_ns, now.st_size, now.st_ino, now.st_dev) if S_ISREG(now.st_mode) else None


def _why(error: OSError) -> tuple[str, str]:
    return str(error.filename), error.strerror or type(error).__name__
