"""The shape of the database at the start: made when it is empty, brought up when it is old, refused when it is newer.

Alembic is only imported when there is something to bring up: a start that finds the tables as they should be, or an
empty database, does without.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select

from setpoint.storage.tables import metadata, revision

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from setpoint.storage.database import Database

HEAD = "0004"
"""The newest migration: what the tables of `tables.py` are."""

# Alembic's own table, as Alembic makes it.
_stamp = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class _Stamp(Enum):
    """What a database is at that no migration has put its stamp on."""

    EMPTY = auto()
    FOREIGN = auto()
    FIRST = auto()


class SchemaError(Exception):
    """The database cannot be used by this program. The message is for the operator."""


def prepare(database: Database) -> None:
    """Make the tables what this program expects.

    A database of an older Setpoint is copied to a file beside it before it is changed.

    Raises: `SchemaError` when the database is a newer Setpoint's, or nobody's; `GatewayError` as `Database` does.
    """
    with database.read() as connection:
        found = _read_stamp(connection)
    if found is _Stamp.EMPTY:
        with database.write() as connection:
            found = _read_stamp(connection)  # another process may have been faster
            if found is _Stamp.EMPTY:
                _create(connection)
                return
    if found is _Stamp.FOREIGN:
        raise SchemaError(f"{database.path} is a database, but not one of Setpoint's")
    if found == HEAD:
        return
    # Imported here because it imports Alembic, which would cost every start 0.2 s and 10 MB for nothing.
    from setpoint.storage import upgrading  # noqa: PLC0415

    if found is not _Stamp.FIRST and found not in upgrading.known():
        raise SchemaError(
            f"{database.path} was made by a newer Setpoint: its tables are at {found}, and this one knows them up to "
            f"{HEAD}. Install the newer one again, or start with another data folder"
        )
    database.back_up(database.path.with_name(f"{database.path.name}.before-{HEAD}"))
    upgrading.upgrade(database)


def check(database: Database) -> None:
    """See that the tables are what this program expects, and change nothing. Raises: `SchemaError`."""
    with database.read() as connection:
        found = _read_stamp(connection)
    if found != HEAD:
        raise SchemaError(f"{database.path} is not what this version of Setpoint reads: start the server once")


def _read_stamp(connection: Connection) -> _Stamp | str:
    """The migration that the tables are at, or why there is none."""
    names = inspect(connection).get_table_names()
    if _stamp.name not in names:
        return _Stamp.FOREIGN if names else _Stamp.EMPTY
    return connection.execute(select(_stamp.c.version_num)).scalar_one_or_none() or _Stamp.FIRST


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    _stamp.create(connection)
    connection.execute(insert(_stamp).values(version_num=HEAD))
    connection.execute(insert(revision).values(id=1, number=0))
