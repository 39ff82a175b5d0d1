"""`setpoint serve`: run the gateway."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.errors import SetpointError
from setpoint.server.configuration import Source
from setpoint.server.process.serve import serve
from setpoint.settings import ConfigError
from setpoint.storage.schema import SchemaError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration (default: ./setpoint.yaml)")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", help="port to listen on; 0 takes a free one (default: 8787)")
    parser.add_argument("--workers", help="processes that serve (default: 1)")


def run(args: Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    given = {name: getattr(args, name) for name in ("host", "port", "workers")}
    source = Source(args.config, os.environ, given)
    try:
        found = source.read()
    except ConfigError as error:
        print(f"setpoint: the configuration cannot be used\n{error}", file=sys.stderr)
        return 1
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    try:
        return serve(source, found)
    except (SetpointError, SchemaError) as error:
        print(f"setpoint: cannot start: {error.__cause__ or error}", file=sys.stderr)
        return 1
