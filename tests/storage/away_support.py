"""Storage that is away: a lock on the database, and the same database to one who waits for that a moment only."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from setpoint.storage.database import Database
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from sqlalchemy import Connection


@contextmanager
def lock(path: Path, *pragmas: str) -> Generator[None]:
    """Hold the writers' lock of the file from outside, as a second process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for pragma in pragmas:
            other.execute(pragma)
        other.execute("BEGIN EXCLUSIVE")
        yield


class Impatient(Database):
    """A database that counts how often somebody began to write."""

    tries = 0

    @contextmanager
    def write(self, *, durable: bool = True, wait_s: float | None = None) -> Generator[Connection]:
        """As ever, counted."""
        self.tries += 1
        with super().write(durable=durable, wait_s=wait_s) as connection:
            yield connection

    def wait_for_tries(self, more: int = 2) -> None:
        """Returns when so many more writes have begun; so all but the last of them have ended."""
        seen = self.tries
        until(lambda: self.tries >= seen + more)
