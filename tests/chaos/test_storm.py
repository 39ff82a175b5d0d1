"""Requests of every kind by the thousand, with faults of upstreams and of clients: each comes to its one right end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.cases import chaos_case
from chaos.stage import resident, settled, staged, workers
from chaos.storm import aftermath, few, storm

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.client import Simulator

SEED = 2026
WARM, CALM, KILLED = 1_000, 2_500, 1_500
"""How many requests make the memory's baseline, how many come behind it, and how many while workers are killed."""
KILLS = 4
AT_ONCE = 64
GROWTH = 1.15
"""How much more memory than behind the first of the requests there may be behind the calm ones."""


def test_every_request_of_a_storm_comes_to_its_own_end(tmp_path: Path, simulator: Simulator) -> None:
    print(f"seed {SEED}")
    cases = [chaos_case(SEED, number) for number in range(WARM + CALM + KILLED)]
    with staged(tmp_path, simulator, "--workers", "2") as stage:
        warm = storm(stage, cases[:WARM], at_once=AT_ONCE)
        serving = workers(stage.gateway)
        baseline = resident(serving)
        calm = storm(stage, cases[WARM:-KILLED], at_once=AT_ONCE)
        held = settled(stage.gateway, round(baseline * GROWTH))
        assert workers(stage.gateway) == serving, "none of them died"
        killed = storm(stage, cases[-KILLED:], at_once=AT_ONCE, worker_kills=KILLS, seed=SEED)
    assert len(killed.kills) == KILLS
    assert not (found := aftermath(stage, [warm, calm, killed], simulator.requests())), few(found)
    assert held <= baseline * GROWTH, f"{held} bytes are held, after {baseline}"
