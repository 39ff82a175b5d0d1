"""The `setpoint` command: its subcommands, each of which imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from importlib.util import find_spec

from setpoint import __version__

# Each subcommand: the module that has `configure(parser)` and `run(args)`, and one line of help.
_COMMANDS = {
    "serve": ("setpoint.cli.serve", "run the gateway"),
    "check": ("setpoint.cli.check", "say all that is wrong with the configuration, without starting"),
    "ledger": ("setpoint.cli.ledger", "verify that the books close, on the database itself"),
    "echo": ("setpoint.cli.echo", "run the offline echo model alone, as an upstream over HTTP"),
    "demo": ("setpoint.cli.demo", "show the main job end to end on this machine, offline"),
}
_NEEDED = ("aiohttp", "msgspec", "sqlalchemy", "uvicorn", "yaml")


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand. Returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="setpoint", description="A self-hosted LLM gateway built around presets.")
    parser.add_argument("--version", action="version", version=f"setpoint {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in words if word in _COMMANDS), None)
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if asked is not None and missing:
        print("setpoint: this command needs the server: pip install 'setpoint[server]'", file=sys.stderr)
        return 2
    for name, (module, line) in _COMMANDS.items():
        sub = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if name == asked:
            import_module(module).configure(sub)
    args = parser.parse_args(words)
    try:
        return int(import_module(_COMMANDS[args.command][0]).run(args))
    except BrokenPipeError:  # whoever read our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
