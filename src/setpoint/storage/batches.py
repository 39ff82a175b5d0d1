"""Records on their way into the database, many in one transaction."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from setpoint.errors import GatewayError
from setpoint.storage import leases
from setpoint.storage.generations import save_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.records import Generation
    from setpoint.storage.database import Database

BATCH = 500
"""How many records go into one transaction."""

_log = logging.getLogger(__name__)


def save_batch(database: Database, records: Sequence[Generation], holder: str | None) -> int:
    """Write these records, each once however often it is given, and say how many no database can hold.

    `holder` is the process whose records they are, None for one that holds no leases.

    Raises: `GatewayError` when the storage is away; then any number of them is written, and all may be given again.
    """
    try:
        _save(database, records, holder)
    except GatewayError:
        raise
    except Exception as error:  # one record that cannot be written must not keep the others back
        _log.warning("a batch is written one by one: %s", type(error).__name__)
        return sum(_save_one(database, record, holder) for record in records)
    return 0


def _save_one(database: Database, record: Generation, holder: str | None) -> bool:
    """Write one record; True when it cannot be."""
    try:
        _save(database, [record], holder)
    except GatewayError:
        raise
    except Exception as error:
        _log.error("generation %s cannot be written: %s", record.id, type(error).__name__)
        return True
    return False


def _save(database: Database, records: Sequence[Generation], holder: str | None) -> None:
    with database.write(durable=False) as connection:
        new = save_many(connection, records)
        if holder is not None:
            leases.book(connection, holder, new)
