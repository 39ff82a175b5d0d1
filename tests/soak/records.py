"""Part `records`: pages of a million records by whatever they are filtered, and their deletion beside a writer."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from setpoint.storage.database import Database
from setpoint.storage.listing import Place, Wanted, page
from setpoint.storage.retention import Kept, Retention
from setpoint.storage.schema import prepare
from soak.part import Finding
from support.many import BEGAN, OLD_MODEL, RARE_KEY, STEP, WORKSPACE, make_records

if TYPE_CHECKING:
    from soak.part import Progress

_MOST_PAGE_MS = 100.0
_TIMES = 5
_WRITER_S = 10.0
_MOST_WAIT_MS = 20.0
_FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "a key": {"key_digest": f"{7:064x}"},
    "a key that was used once": {"key_digest": RARE_KEY},
    "a key that is nobody's": {"key_digest": "e" * 64},
    "a model": {"model": "model-3"},
    "a model of long ago": {"model": OLD_MODEL},
    "a model of long ago, interrupted": {"model": OLD_MODEL, "status": "interrupted"},
    "a status": {"status": "failed"},
    "a rare status": {"status": "interrupted"},
    "a provider": {"provider": "provider-1"},
    "a version": {"preset_slug": "preset-3", "preset_version": 1},
    "three at once": {"preset_slug": "preset-3", "status": "interrupted", "model": "model-5"},
    "five at once": {
        "preset_slug": "preset-3",
        "preset_version": 2,
        "key_digest": f"{7:064x}",
        "model": "model-5",
        "status": "failed",
    },
}


def run(goal: int, progress: Progress) -> list[Finding]:
    """So many records, made anew."""
    progress.folder.mkdir(parents=True, exist_ok=True)
    path = progress.folder / "setpoint.db"
    for old in progress.folder.glob("setpoint.db*"):
        old.unlink()
    database = Database.open(path)
    prepare(database)
    with database.write(durable=False) as connection:
        make_records(connection, goal)
    findings = [*_pages(database, goal), *_deletion(database, goal)]
    database.close()
    progress.step(goal - progress.done)
    return findings


def _pages(database: Database, count: int) -> list[Finding]:
    """The slowest page of each filter, at the beginning and far back, each by the median of some times."""
    places = {"": None, ", half way": Place(BEGAN + STEP * (count // 2), ""), ", at the end": _end(count)}
    slowest, where = 0.0, ""
    for name, chosen in _FILTERS.items():
        for how, before in places.items():
            took_ms = statistics.median(_page_ms(database, chosen, before) for _ in range(_TIMES))
            if took_ms > slowest:
                slowest, where = took_ms, name + how
    figure = f"{slowest:.1f} ms ({where})"
    what = f"slowest page of 100 of {count:,}, {len(_FILTERS) * len(places)} kinds"
    return [Finding(what, figure, f"≤ {_MOST_PAGE_MS:.0f} ms", slowest <= _MOST_PAGE_MS)]


def _end(count: int) -> Place:
    return Place(BEGAN + STEP * (count // 50), "")


def _page_ms(database: Database, chosen: dict[str, Any], before: Place | None) -> float:
    began = time.perf_counter()
    with database.read() as connection:
        page(connection, Wanted(workspace_id=WORKSPACE, **chosen), before=before, limit=100)
    return (time.perf_counter() - began) * 1_000


def _deletion(database: Database, count: int) -> list[Finding]:
    """What a writer waits for its turn while old records are deleted, beside what it waits when none are."""
    alone = _waits_ms(database, None)
    end = BEGAN + STEP * (count // 2) + timedelta(days=1)
    retention = Retention(database, Kept(records_days=1, contents_days=1), clock=lambda: end)
    beside = _waits_ms(database, retention)
    retention.close()
    rate = retention.deleted / _WRITER_S
    usual_ms, felt_ms = _of_hundred(alone, 99), _of_hundred(beside, 99)
    figure = f"{felt_ms:.1f} ms, worst {beside[-1]:.0f}; without {usual_ms:.1f} ms, worst {alone[-1]:.0f}"
    holds = felt_ms - usual_ms <= _MOST_WAIT_MS
    return [
        Finding("a writer's wait beside it, 99 of 100", figure, f"≤ {_MOST_WAIT_MS:.0f} ms more", holds),
        Finding("records deleted a second", f"{rate:,.0f} in {retention.steps} steps", "> 0", rate > 0),
    ]


def _of_hundred(waits: list[float], rank: int) -> float:
    return waits[min(len(waits) - 1, len(waits) * rank // 100)]


def _waits_ms(database: Database, retention: Retention | None) -> list[float]:
    """A writer's waits for its turns over some seconds, the shortest first."""
    done = Event()
    waits: list[float] = []

    def write() -> None:
        while not done.is_set():
            began = time.perf_counter()
            with database.write(durable=False):
                waits.append((time.perf_counter() - began) * 1_000)
            done.wait(0.002)

    writer = Thread(target=write)
    writer.start()
    asyncio.run(_for_a_while(retention))
    done.set()
    writer.join()
    return sorted(waits)


async def _for_a_while(retention: Retention | None) -> None:
    task = asyncio.create_task(retention.run()) if retention is not None else None
    await asyncio.sleep(_WRITER_S)
    if task is not None:
        task.cancel()
