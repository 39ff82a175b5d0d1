"""The database: where it lies, how a transaction begins and ends, and what its failures mean.

The only file that knows which engine stands behind it: SQLite, in one file, with a write-ahead log.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Self

from sqlalchemy import URL, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from setpoint.errors import GatewayError, RequestError
from setpoint.storage.away import away

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

WAIT_S = 5.0
"""How long a block waits for its turn, among the threads of this process and other processes, in seconds."""

_READERS = 16
_LOG_RETRY_S = 0.02

_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
"""Primary result codes that say the file cannot be used now. Any other is a mistake of ours and stays as it is."""

_SPOILING = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CANTOPEN,
}
"""Those of them behind which a connection is not used again: one made on a read-only disk, for instance, stays so."""

_RACES = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
}
"""Extended result codes that say another writer was there first, or took away what this one leans on."""


class Database:
    """The open database. Its methods may be called from any thread.

    A block of `write` or `rebuild` that ends without an exception is committed; any other leaves nothing behind.
    Raises, from every block: `GatewayError` of type `unavailable` when the storage cannot be used or a turn was not
    won within the wait, `RequestError` of type `conflict` when a concurrent write was faster.
    """

    def __init__(self, path: Path, *, wait_s: float = WAIT_S) -> None:
        self.path = path
        self._wait_s = wait_s
        self._readers = _engine(path, wait_s, _READERS, "PRAGMA query_only = ON")
        self._durable = _engine(path, wait_s, 1, "PRAGMA foreign_keys = ON", "PRAGMA synchronous = FULL")
        self._quick = _engine(path, wait_s, 1, "PRAGMA foreign_keys = ON", "PRAGMA synchronous = NORMAL")
        # The engine has one writer at a time. Threads of this process queue here, where waiting costs nothing;
        # only the first of them meets other processes at the file's lock, which is polled.
        self._turn = Lock()

    @classmethod
    def open(cls, path: Path, *, wait_s: float = WAIT_S) -> Self:
        """The database in this file; the file and its folder are made, for their owner only, where they are missing.

        Raises: `GatewayError` of type `unavailable`.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The engine gives its log and its index the mode of the file. A file that exists is never opened here:
            # closing it again would drop the locks that this process may hold on it.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise away() from error
        database = cls(path, wait_s=wait_s)
        try:
            database.begin_log()
        except GatewayError as error:
            database.close()
            raise GatewayError("unavailable", f"{path} cannot be used: {error.__cause__ or error}") from None
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A connection that sees one state of everything for as long as the block lasts, and cannot change it."""
        with _failures(), self._readers.connect() as connection, _spoiling(connection):
            connection.exec_driver_sql("BEGIN")
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True, wait_s: float | None = None) -> Generator[Connection]:
        """A connection that alone may write, until the block ends. None waits for it as long as all blocks do.

        What a durable write has committed survives a power cut; any other survives the end of this process only.
        """
        until = monotonic() + (self._wait_s if wait_s is None else wait_s)
        engine = self._durable if durable else self._quick
        with self._my_turn(until), _failures(), engine.connect() as connection, _spoiling(connection):
            left_ms = max(0, round((until - monotonic()) * 1_000))
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {left_ms}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    @contextmanager
    def rebuild(self) -> Generator[Connection]:
        """A write that may take tables apart: what rows say of each other is checked at its end, not as it goes."""
        with self._my_turn(), _failures(), self._durable.connect() as connection:
            try:
                connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # has no effect inside a transaction
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if broken:
                    raise RuntimeError(f"rows refer to nothing in {sorted({str(row[0]) for row in broken})}")
                connection.commit()
            finally:
                connection.invalidate()  # the next write gets a connection that checks as it goes

    def back_up(self, to: Path) -> None:
        """Write a copy of all that is committed into this file, for its owner only; what was there before is replaced.

        Raises: `GatewayError` of type `unavailable`.
        """
        part = to.with_name(f"{to.name}.part")
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            try:
                with self._my_turn(), _failures(), self._durable.connect() as connection:
                    connection.exec_driver_sql("VACUUM INTO ?", (str(part),))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            part.replace(to)
        except OSError as error:
            raise away() from error

    def begin_log(self) -> None:
        """Switch the file to a write-ahead log, which it keeps from then on.

        While another process writes, as one that does the same does, this is refused at once, without the engine's
        own wait; so the wait is here.
        """
        deadline = monotonic() + self._wait_s
        with _failures(), self._durable.connect() as connection:
            while True:
                try:
                    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                except DBAPIError as error:
                    if _code(error) & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                        raise
                    sleep(_LOG_RETRY_S)
                else:
                    return

    def close(self) -> None:
        """Close the connections; to be called when nothing uses them any more."""
        for engine in (self._readers, self._quick, self._durable):
            engine.dispose()

    @contextmanager
    def _my_turn(self, until: float | None = None) -> Generator[None]:
        """This thread's turn to write, if it comes until then."""
        wait_s = self._wait_s if until is None else max(0.0, until - monotonic())
        if not self._turn.acquire(timeout=wait_s):
            raise away()
        try:
            yield
        finally:
            self._turn.release()


def _engine(path: Path, wait_s: float, connections: int, *pragmas: str) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        # The driver's own idea of where a transaction begins is switched off: the blocks above say it.
        connect_args={"timeout": wait_s, "isolation_level": None},
        pool_size=connections,
        max_overflow=0,
        pool_timeout=wait_s,
        hide_parameters=True,  # prompts and names stay out of error messages, thus out of logs
    )

    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine, "connect", set_up)
    return engine


@contextmanager
def _spoiling(connection: Connection) -> Generator[None]:
    """Give up the connection when the storage fails in a way that it might remember."""
    try:
        yield
    except DBAPIError as error:
        if _code(error) & 0xFF in _SPOILING:
            connection.invalidate()
        raise


@contextmanager
def _failures() -> Generator[None]:
    """Say a failure of the storage in the vocabulary of `errors`; let every other exception pass."""
    try:
        yield
    except DBAPIError as error:
        code = _code(error)
        if code in _RACES:
            raise RequestError("conflict", "Resource conflict. Please try again later.") from error
        if code & 0xFF in _AWAY:
            raise away() from error.orig  # the library's own words around it are of no use to an operator
        raise
    except PoolTimeoutError as error:
        raise away() from error


def _code(error: DBAPIError) -> int:
    """The engine's extended result code, 0 when it gave none."""
    return error.orig.sqlite_errorcode if isinstance(error.orig, sqlite3.Error) else 0
