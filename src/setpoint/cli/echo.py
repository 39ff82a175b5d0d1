"""`setpoint echo`: the offline model alone, as an upstream over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvloop

from setpoint.server.connection.listener import address, listen
from setpoint.server.connection.serving import run_http
from setpoint.server.echo import EchoServer
from setpoint.settings import ConfigError, load

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", default="8788", help="port to listen on; 0 takes a free one (default: 8788)")
    parser.add_argument("--interval-ms", help="pause between the pieces of a stream, in milliseconds (default: 0)")


def run(args: Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    given = {"host": args.host, "port": args.port, "echo_interval_ms": args.interval_ms}
    try:
        settings = load(None, {}, given).settings
    except ConfigError as error:
        print(f"setpoint: {error}")
        return 1
    listener = listen(settings.host, settings.port)
    uvloop.run(run_http(EchoServer(settings), settings, listener, ready=lambda: _tell(address(listener))))
    return 0


def _tell(where: str) -> None:
    print(f"Echo model on {where}", flush=True)
