"""Requests of every kind by the thousand, with faults of upstreams and of clients: each comes to its one right end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.books import disagreements, entries
from chaos.cases import chaos_case
from chaos.stage import resident, settled, staged, workers
from chaos.storm import few, storm

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.client import Simulator

SEED = 2026
REQUESTS = 5_000
AT_ONCE = 64
WARM = 1_000
GROWTH = 1.15
"""How much more memory than behind the first of the requests there may be behind all of them."""


def test_every_request_of_a_storm_comes_to_its_own_end(tmp_path: Path, simulator: Simulator) -> None:
    print(f"seed {SEED}")
    with staged(tmp_path, simulator) as stage:
        first = storm(stage, [chaos_case(SEED, number) for number in range(WARM)], at_once=AT_ONCE)
        baseline = resident(workers(stage.gateway))
        rest = storm(stage, [chaos_case(SEED, number) for number in range(WARM, REQUESTS)], at_once=AT_ONCE)
        held = settled(stage.gateway, round(baseline * GROWTH))
    told = [*first.told, *rest.told]
    assert not (found := [*first.failures(), *rest.failures()]), few(found)
    assert not (found := disagreements(entries(stage.data_dir), told, simulator.requests())), few(found)
    assert not (found := stage.leaks()), few(found)
    assert held <= baseline * GROWTH, f"{held} bytes are held, after {baseline}"
