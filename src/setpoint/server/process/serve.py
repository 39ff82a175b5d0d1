"""Starting a server: from what the user wrote to processes that answer."""

from __future__ import annotations

import gc
import logging
import os
import random
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import uvloop

from setpoint import __version__
from setpoint.coordination.board import Board
from setpoint.ids import key_digest, new_key, new_uuid, user_id, utc_now
from setpoint.server.connection.listener import address, listen
from setpoint.server.process.handover import inherited, notify
from setpoint.server.process.memory import give_back_big_blocks
from setpoint.server.process.reload import Reloader
from setpoint.server.process.running import serve_alone, serve_under
from setpoint.server.process.supervisor import Supervisor
from setpoint.server.process.worker import Plan
from setpoint.server.routes.keys import masked
from setpoint.server.telemetry.log import configure
from setpoint.storage import keys, provider_keys
from setpoint.storage.database import Database
from setpoint.storage.schema import prepare
from setpoint.storage.sealing import Sealer
from setpoint.storage.secret import secret_key
from setpoint.storage.workspaces import ensure_default

if TYPE_CHECKING:
    from setpoint.server.configuration import Configuration, Source
    from setpoint.server.process.channel import Channel
    from setpoint.server.process.handover import Inherited
    from setpoint.settings import Settings

_log = logging.getLogger("setpoint.server")

DATABASE_FILE = "setpoint.db"
"""The name of the database in the data folder."""

# How long an event loop may wait for the interpreter while a thread works on a big body, in seconds.
_SWITCH_S = 0.0005


def serve(source: Source, found: Configuration) -> int:
    """Run the server until it is told to stop. Returns the exit code.

    Raises: `GatewayError` when the data folder cannot be used.
    """
    settings = found.loaded.settings
    configure(settings.log_level, settings.log_format)
    given = inherited(os.environ)
    # First of all: a key that is shown must come of a start.
    listener = given.listener or listen(settings.host, settings.port)
    try:
        plan = Plan(
            found=found,
            database=settings.data_dir / DATABASE_FILE,
            secret=secret_key(settings.data_dir, settings.secret_key),
            listener=listener,
            board=Board(settings.workers, time.monotonic),
        )
        reloader = Reloader(source, found, plan.board)  # before the database, which may take long to be brought up
        _prepare(plan)
        return _run(plan, reloader, given)
    finally:
        listener.close()


def _run(plan: Plan, reloader: Reloader, given: Inherited) -> int:
    def ready() -> None:
        try:
            print(f"Setpoint {__version__} on {address(plan.listener)}", flush=True)
        except OSError:  # whoever read this, perhaps from a predecessor, is gone: nobody will read the rest either
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        notify("READY=1")
        given.tell_ready()

    def work(index: int, channel: Channel) -> None:
        uvloop.run(serve_under(replace(plan, found=reloader.found), reloader.source, index, channel))

    sys.setswitchinterval(_SWITCH_S)
    give_back_big_blocks()
    if plan.board.workers == 1:
        uvloop.run(serve_alone(plan, reloader, ready))
        return 0
    gc.collect()
    return Supervisor(work, plan.board, listener=plan.listener, reloader=reloader, ready=ready).run()


def _prepare(plan: Plan) -> None:
    """Bring the database to what this version needs, before anyone uses it."""
    database = Database.open(plan.database)
    try:
        prepare(database)
        _ensure_owner(database, plan.found.loaded.settings)
        _say_what_stays_closed(database, plan.secret)
    finally:
        database.close()


def _say_what_stays_closed(database: Database, secret: bytes) -> None:
    """Say once a start that there are provider keys which it cannot use."""
    with database.read() as connection:
        closed = provider_keys.count_closed(connection, Sealer(secret, random.SystemRandom()))
    if closed:
        _log.warning("provider keys that another secret key has sealed are not used: %d of them", closed)


def _ensure_owner(database: Database, settings: Settings) -> None:
    """The default workspace with its owner, and a key for them: the configured one, else one that is shown once."""
    dice, now = random.SystemRandom(), utc_now()
    with database.write() as connection:
        owner = ensure_default(connection, new_id=lambda: new_uuid(dice), new_user_id=lambda: user_id(dice), now=now)
        plain = settings.api_key or (new_key(dice) if owner.created else None)
        if plain is not None:
            keys.ensure(
                connection,
                digest=key_digest(plain),
                name="First key" if settings.api_key is None else "SETPOINT_API_KEY",
                label=masked(plain),
                workspace_id=owner.workspace_id,
                creator_user_id=owner.user_id,
                now=now,
            )
    if plain is not None and settings.api_key is None:
        print(f"Admin key, shown only now: {plain}", file=sys.stdout, flush=True)
