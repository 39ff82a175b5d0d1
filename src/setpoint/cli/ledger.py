"""`setpoint ledger`: the books, read beside the server or without one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.errors import SetpointError
from setpoint.server.configuration import Source
from setpoint.server.process.serve import DATABASE_FILE
from setpoint.settings import ConfigError
from setpoint.storage.database import Database
from setpoint.storage.schema import SchemaError, check
from setpoint.storage.verifying import verify

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from setpoint.storage.verifying import Verified


def configure(parser: ArgumentParser) -> None:
    """Declare what can be done with the ledger."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    line = "say whether the books close: exit 1 when they do not, 2 when they cannot be read"
    action = actions.add_parser("verify", help=line, description=f"{line[0].upper()}{line[1:]}.")
    action.add_argument("--config", type=Path, metavar="FILE", help="the server's file (default: ./setpoint.yaml)")


def run(args: Namespace) -> int:
    """Print what the verification came to. Returns the exit code."""
    try:
        path = Source(args.config, os.environ, {}).read().loaded.settings.data_dir / DATABASE_FILE
        found = _verified(path)
    except ConfigError as error:
        print(f"setpoint: the configuration cannot be used\n{error}", file=sys.stderr)
        return 2
    except (SetpointError, SchemaError, FileNotFoundError) as error:
        print(f"setpoint: the books cannot be read: {error}", file=sys.stderr)
        return 2
    for one in found.violations:
        print(f"{one.invariant} {one.subject}\n  must be  {one.expected}\n  is       {one.found}")
    if found.more:
        print(f"and {found.more} more")
    print(*(f"by {name:9}  {amount:f}" for name, amount in found.sums.items()), sep="\n")
    violations = len(found.violations) + found.more
    print(f"{found.checked} entries: {'the books close' if found.ok else f'{violations} violations'}")
    return 0 if found.ok else 1


def _verified(path: Path) -> Verified:
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}")
    database = Database.open(path)
    try:
        check(database)
        with database.read() as connection:
            return verify(connection)
    finally:
        database.close()
