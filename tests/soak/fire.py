"""Parts `kills`, `chaos`, `markers` and `visibility`: what `tests/chaos` does, at its full numbers.

Each is done in rounds on fresh data, and each round by a seed of its own, so that what was done need not be done again
and what went wrong can be: the first problems of a round are printed with its seed.
"""

from __future__ import annotations

import resource
import shutil
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING

import uvloop

from chaos.books import entries
from chaos.cases import chaos_case, gathered, leaving_case, quiet_case
from chaos.kills import Lives
from chaos.money import limit, miscounted, unsettled
from chaos.stage import PATIENT, staged
from chaos.storm import aftermath, few, storm
from chaos.visibility import watch
from soak.part import Finding
from support.load import percentile
from support.processes import SimulatorProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from simulator.client import Simulator
    from soak.part import Progress

_TWO_WORKERS = ("--workers", "2")

_LIVES, _WORKER_KILLS = 10, 4
_STORM, _STORM_KILLS, _AT_ONCE = 10_000, 5, 64
_WRITES, _READERS = 100, 8
_PROMISED_S = 1.0
_LONG_S = 300


def kills(goal: int, progress: Progress) -> list[Finding]:
    """`kill -9` of workers and of everything, in the middle of writes and streams."""

    def one_round(folder: Path, simulator: Simulator, seed: int) -> list[str]:
        with staged(folder, simulator, *_TWO_WORKERS) as stage:
            lives = Lives(stage, seed)
            for _ in range(_LIVES):
                lives.live(worker_kills=_WORKER_KILLS)
                lives.rise()
                simulator.forget_requests()
        lives.check()
        interrupted = sum(entry.status == "interrupted" for entry in entries(stage.data_dir))
        _add(progress, acknowledged=lives.ledger.acknowledged, answers=len(lives.told), interrupted=interrupted)
        return [*lives.found, *stage.leaks()]

    found = _rounds(goal, progress, _LIVES * (_WORKER_KILLS + 1), one_round)
    return [
        Finding("kills", f"{progress.done:,}", "done", holds=True),
        Finding(
            "versions and keys acknowledged", _said(progress, "acknowledged"), "there, whole, once", holds=not found
        ),
        Finding("answers asked for meanwhile", _said(progress, "answers"), "each recorded once", holds=not found),
        Finding("of them in flight at a kill", _said(progress, "interrupted"), "`interrupted`", holds=not found),
        _nothing_wrong(found),
    ]


def chaos(goal: int, progress: Progress) -> list[Finding]:
    """Requests of every kind, with every fault, over two workers of which some are killed."""

    def one_round(folder: Path, simulator: Simulator, seed: int) -> list[str]:
        dice, cases = Random(seed), [chaos_case(seed, number) for number in range(_STORM)]
        with staged(folder, simulator, *_TWO_WORKERS) as stage:
            limit(stage)
            disturbed = [lambda: stage.kill_worker(dice), stage.lock_storage, stage.reload] * _STORM_KILLS
            told = storm(stage, cases, at_once=_AT_ONCE, meanwhile=disturbed)
            left = unsettled(stage)
        _add(progress, kills=len(stage.kills), cut=sum(heard.end == "cut" for _, heard in told))
        received = simulator.requests()
        wrong = miscounted(stage.data_dir, told, received, stage.kills)
        _add(progress, tries=len(received), miscounted=len(wrong), held=len(left))
        return [*aftermath(stage, told, received), *left, *wrong]

    found = _rounds(goal, progress, _STORM, one_round)
    return [
        Finding("requests", f"{progress.done:,}", "each its own right end", holds=not found),
        Finding("kills of workers meanwhile", _said(progress, "kills"), "done", holds=True),
        Finding("answers that those cut", _said(progress, "cut"), "recorded as interrupted", holds=not found),
        Finding("tries that upstreams have counted", _said(progress, "tries"), "booked alike, once", holds=not found),
        Finding("of them booked otherwise", _said(progress, "miscounted"), "none", holds=not found),
        Finding("set aside and never settled", _said(progress, "held"), "nothing", holds=not found),
        _nothing_wrong(found),
    ]


def markers(goal: int, progress: Progress) -> list[Finding]:
    """So many streams at once, each with a marker of its own."""

    def one_round(folder: Path, simulator: Simulator, seed: int) -> list[str]:
        cases = gathered([(leaving_case if n % 5 == 0 else quiet_case)(seed, n) for n in range(goal)])
        many = {"max_connections": 2 * goal, **dict.fromkeys(PATIENT, _LONG_S), "header_timeout_s": _LONG_S}
        with staged(folder, simulator, *_TWO_WORKERS, settings=many) as stage:
            told = storm(stage, cases, at_once=goal, hang_s=_LONG_S)
        return aftermath(stage, told, simulator.requests())

    found = _rounds(goal, progress, goal, one_round)
    return [
        Finding("streams open at once", f"{progress.done:,}", "no foreign byte", holds=not found),
        _nothing_wrong(found),
    ]


def visibility(goal: int, progress: Progress) -> list[Finding]:
    """Versions, keys and revocations, and how soon the other worker knows."""

    def one_round(folder: Path, simulator: Simulator, seed: int) -> list[str]:
        del seed  # nothing is left to chance but which worker is asked
        with staged(folder, simulator, *_TWO_WORKERS) as stage:
            sight = uvloop.run(watch(stage, _WRITES, readers=_READERS))
        worst = progress.figures.get("p99_ms", 0.0), percentile(sight.delays, 0.99) * 1_000
        progress.figures["p99_ms"] = max(worst)
        return stage.leaks()

    found = _rounds(goal, progress, 3 * _WRITES, one_round)
    p99_ms = float(progress.figures.get("p99_ms", 0.0))
    return [
        Finding(
            "a write is seen, p99 of the worst round", f"{p99_ms:.0f} ms", "≤ 1 s", holds=p99_ms <= _PROMISED_S * 1_000
        ),
        _nothing_wrong(found),
    ]


def _rounds(
    goal: int, progress: Progress, units: int, one_round: Callable[[Path, Simulator, int], list[str]]
) -> list[str]:
    """All that is wrong after as many rounds as the goal takes, or the time allows; ends with the first bad one."""
    while progress.done < goal and not progress.time_is_up:
        seed = 1 + progress.done // units
        with _simulator(progress.folder) as simulator:
            found = one_round(progress.folder, simulator, seed)
        if found:
            print(f"seed {seed}: {few(found)}", flush=True)
            return found
        progress.step(units)
        print(f"  {progress.done:,} done", flush=True)
    return []


@contextmanager
def _simulator(folder: Path) -> Generator[Simulator]:
    """A simulator and an empty folder, for one round."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the clients' own connections
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    process = SimulatorProcess(folder / "simulator")
    try:
        yield process.handle
    finally:
        process.stop()


def _add(progress: Progress, **counts: int) -> None:
    for name, more in counts.items():
        progress.figures[name] = progress.figures.get(name, 0) + more


def _said(progress: Progress, name: str) -> str:
    return f"{progress.figures.get(name, 0):,}"


def _nothing_wrong(found: list[str]) -> Finding:
    return Finding("answers, books, outputs", f"{len(found)} problems", "none", holds=not found)
