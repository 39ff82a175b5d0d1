"""Limits that are reached while workers are killed and the storage is locked: all there is, and never more."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

import uvloop

from api.api_support import data_of, new_key, new_workspace
from api.skins_support import SKINS
from chaos.books import query
from chaos.stage import PATIENT, staged
from chaos.test_limits import OUTPUT, Crowd, bounds, cost
from setpoint.coordination.allowances import EVER, key_scope, periods, workspace_scope
from setpoint.ids import key_digest
from support.load import WELL, Manner, ask_all
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from chaos.stage import Stage
    from simulator.client import Simulator

SEED = 2026
CALLS = 250
KILLS, LOCKS = 3, 3
AT_ONCE = 60
_USED = """
SELECT charged FROM spend WHERE scope = ?1 AND period = ?2
UNION ALL SELECT amount FROM leases WHERE scope = ?1 AND period = ?2 AND amount NOT LIKE '-%'
"""


class Watch(threading.Thread):
    """Looks all the time at what is spent and leased of limits, by scope and period: the most of each."""

    def __init__(self, stage: Stage, limits: dict[tuple[str, str], Decimal]) -> None:
        super().__init__(daemon=True)
        self.most = dict.fromkeys(limits, Decimal(0))
        self.over = threading.Event()
        self._stage = stage

    def run(self) -> None:
        while not self.over.wait(0.005):
            for name, before in self.most.items():
                self.most[name] = max(before, used(self._stage, name))


def used(stage: Stage, name: tuple[str, str]) -> Decimal:
    """What of an allowance is spent or leased."""
    return sum((Decimal(amount) for (amount,) in query(stage.data_dir, _USED, *name)), Decimal(0))


def test_limits_hold_to_the_last_while_workers_are_killed(tmp_path: Path, simulator: Simulator) -> None:
    print(f"seed {SEED}")
    dice = Random(SEED)
    with staged(tmp_path, simulator, "--workers", "2", settings=PATIENT) as stage:
        most = bounds(stage)
        dearest = max(map(cost, most.values()))
        enough = cost((40 * sum(given for given, _ in most.values()) // 3, 40 * OUTPUT))
        home = new_workspace(stage.gateway, {"monthly": float(enough)})
        crowds = [
            Crowd(new_key(stage.gateway, limit=float(enough))[0], most, CALLS),
            *(Crowd(new_key(stage.gateway, workspace_id=home)[0], most, CALLS) for _ in range(2)),
        ]
        month = periods(datetime.now(UTC)).month
        names = [(key_scope(key_digest(crowds[0].key)), EVER), (workspace_scope(home), month)]
        watch = Watch(stage, dict.fromkeys(names, enough))
        watch.start()

        left = [lambda: stage.kill_worker(dice)] * KILLS + [stage.lock_storage] * LOCKS
        dice.shuffle(left)
        requests = [request for crowd in crowds for _, request in crowd.requests(stage.gateway)]
        dice.shuffle(requests)
        share = len(requests) // (len(left) + 1)
        leaving = Manner(leaves_after=300)

        def done(count: int) -> None:
            if count % share == 0 and left:
                left.pop()()

        mixed = [(request, leaving if dice.random() < 0.1 else WELL) for request in requests]
        uvloop.run(ask_all(stage.origin(), mixed, at_once=AT_ONCE, done=done))
        until(lambda: not query(stage.data_dir, "SELECT * FROM leases"), timeout_s=60)
        for crowd, refusal in zip(crowds, (402, 403, 403), strict=True):  # whatever is left can be had
            until(lambda crowd=crowd, refusal=refusal: crowd.call(stage.gateway, SKINS[0]).status == refusal)
        watch.over.set()
        watch.join()
        until(lambda: all(enough - used(stage, name) < dearest for name in names))
        assert all(0 < amount <= enough for amount in watch.most.values()), watch.most
        told = data_of(stage.gateway.call("GET", "/ledger/verify"))
        assert told["ok"], told
    assert len(stage.kills) == KILLS
    assert not stage.leaks()
