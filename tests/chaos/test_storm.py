"""Requests of every kind by the thousand, with faults of upstreams and of clients: each comes to its one right end."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from chaos.cases import chaos_case
from chaos.money import limit, miscounted, unsettled
from chaos.stage import resident, settled, staged, workers
from chaos.storm import aftermath, few, storm

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.client import Simulator

SEED = 2026
WARM, CALM, RELOADED, KILLED = 1_000, 1_500, 1_000, 1_500
"""How many requests make the memory's baseline; come behind it; while configurations change; while workers die."""
RELOADS, KILLS = 5, 4
AT_ONCE = 64
GROWTH = 1.15
"""How much more memory than behind the first of the requests there may be behind the calm ones."""


def test_every_request_of_a_storm_comes_to_its_own_end(tmp_path: Path, simulator: Simulator) -> None:
    print(f"seed {SEED}")
    dice, numbers = Random(SEED), iter(range(WARM + CALM + RELOADED + KILLED))
    warm, calm, reloaded, killed = (
        [chaos_case(SEED, next(numbers)) for _ in range(count)] for count in (WARM, CALM, RELOADED, KILLED)
    )
    with staged(tmp_path, simulator, "--workers", "2") as stage:
        limit(stage)
        told = storm(stage, warm, at_once=AT_ONCE)
        serving = workers(stage.gateway)
        baseline = resident(serving)
        told += storm(stage, calm, at_once=AT_ONCE)
        held = settled(stage.gateway, round(baseline * GROWTH))
        told += storm(stage, reloaded, at_once=AT_ONCE, meanwhile=[stage.reload] * RELOADS)
        assert b'"new/' in stage.gateway.call("GET", "/models").body, "a newer configuration is in use"
        assert workers(stage.gateway) == serving, "none of them died"
        disturbed = [lambda: stage.kill_worker(dice), stage.lock_storage] * KILLS
        told += storm(stage, killed, at_once=AT_ONCE, meanwhile=disturbed)
        left = unsettled(stage)
    assert len(stage.kills) == KILLS
    received = simulator.requests()
    assert not (found := aftermath(stage, told, received)), few(found)
    assert not (found := left + miscounted(stage.data_dir, told, received, stage.kills)), few(found)
    assert held <= baseline * GROWTH, f"{held} bytes are held, after {baseline}"
