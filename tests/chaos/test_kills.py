"""`kill -9` at random points of every kind of work: whatever was acknowledged is there afterwards, whole and once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.books import entries
from chaos.kills import Lives
from chaos.stage import staged
from chaos.storm import few

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.client import Simulator

SEED = 2026
LIVES = 7
WORKER_KILLS = 3
"""In each life, before all there is gets killed."""


def test_nothing_that_was_acknowledged_is_lost_by_kills(tmp_path: Path, simulator: Simulator) -> None:
    print(f"seed {SEED}")
    with staged(tmp_path, simulator, "--workers", "2") as stage:
        lives = Lives(stage, SEED)
        for _ in range(LIVES):
            lives.live(worker_kills=WORKER_KILLS)
            lives.rise()
            assert not lives.found, few(lives.found)
    lives.check()
    assert len(stage.kills) == LIVES * (WORKER_KILLS + 1)
    assert not lives.found, few(lives.found)
    assert lives.ledger.acknowledged > LIVES, "there was something to lose"
    assert [entry for entry in entries(stage.data_dir) if entry.status == "interrupted"], "and something in flight"
    assert not (found := stage.leaks()), few(found)
