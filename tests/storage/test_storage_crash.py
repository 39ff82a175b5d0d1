"""A process that is killed in the middle of writing leaves every write done or not begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from random import Random
from time import sleep
from typing import TYPE_CHECKING

import sqlalchemy as sa

from setpoint.storage import loading, presets
from setpoint.storage.database import Database
from setpoint.storage.revisions import read_revision
from setpoint.storage.tables import keys, versions
from support.sealed import SEALER

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.storage.workspaces import Owner

LIVES = 20

# Each line on its input is the life of one child, which writes until it is killed and says what it has committed.
WRITER = """
import os, sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import SystemRandom
from setpoint.ids import new_uuid
from setpoint.records import Key
from setpoint.storage import keys, presets
from setpoint.storage.database import Database

path, workspace_id, user_id = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
now = datetime(2026, 4, 20, tzinfo=UTC)
dice = SystemRandom()

def save(connection, slug):
    preset = presets.save_version(
        connection, workspace_id=workspace_id, slug=slug, creator_id=user_id, now=now,
        config=b'{"seed":1}', system_prompt=b'"' + b"x" * 20_000 + b'"', new_id=lambda: new_uuid(dice),
    )
    keys.save(connection, Key(
        digest=f"{slug}/{preset.latest_version}", name="k", label="k", role="caller",
        workspace_id=workspace_id, creator_user_id=user_id, created_at=now,
    ))
    return preset

def write():
    database = Database.open(path)
    for number in count():
        with database.write() as connection:
            preset = save(connection, "abc"[number % 3])
        os.write(1, f"done {preset.slug}/{preset.latest_version}\\n".encode())
        if number % 5 == 4:
            with database.write() as connection:
                presets.designate(connection, preset.id, 1, now=now)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        write()
    os.write(1, f"born {child}\\n".encode())
    os.write(1, f"died {os.WTERMSIG(os.waitpid(child, 0)[1])}\\n".encode())
"""


def live_and_die(writer: subprocess.Popen[str], dice: Random) -> set[str]:
    """What a child says it has committed before it is killed somewhere in its work."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write("\n")
    writer.stdin.flush()
    said: set[str] = set()
    child, wanted = 0, dice.randrange(1, 12)
    for line in writer.stdout:
        match line.split():
            case ["born", pid]:
                child = int(pid)
            case ["done", version]:
                said.add(version)
            case ending:
                assert ending == ["died", str(int(signal.SIGKILL))]
                return said
        if child and len(said) >= wanted:
            sleep(dice.random() * 0.005)
            os.kill(child, signal.SIGKILL)
            child = 0
    raise AssertionError("the writer is gone")


def check(path: Path, said: set[str]) -> None:
    """Nothing is half there, nothing that was said to be there is missing, and the next start can go on."""
    database = Database.open(path)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        loaded = loading.load(connection, SEALER)
        stored: set[str] = set()
        for preset in loaded.presets:
            found, total = presets.list_versions(connection, preset.id, offset=0, limit=10_000)
            assert [version.version for version in found] == list(range(1, preset.latest_version + 1))
            assert preset.designated in found
            assert total == preset.latest_version
            stored |= {f"{preset.slug}/{version.version}" for version in found}
        assert connection.execute(sa.select(sa.func.count()).select_from(versions)).scalar_one() == len(stored)
        assert set(connection.execute(sa.select(keys.c.digest)).scalars()) == stored
        assert read_revision(connection) == max(row.revision for row in (*loaded.presets, *loaded.keys))
    database.close()
    assert said <= stored
    assert len(stored) <= len(said) + LIVES  # at most one write a life is done but could not be said


def test_killed_process_leaves_all_or_nothing(database: Database, owner: Owner) -> None:
    database.close()
    dice = Random(2026)
    said: set[str] = set()
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(database.path), owner.workspace_id, owner.user_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        for _ in range(LIVES):
            said |= live_and_die(writer, dice)
            check(database.path, said)
    assert writer.returncode == 0
    assert len(said) >= LIVES
