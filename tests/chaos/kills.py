"""Lives that end with SIGKILL, in the middle of every kind of work, and what must be there in the next."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import uvloop

from chaos.books import disagreements, entries
from chaos.cases import killed_case
from chaos.ledger import SLUGS, Ledger, Shift
from chaos.stage import workers
from chaos.verdicts import verdict

if TYPE_CHECKING:
    from chaos.cases import Case
    from chaos.stage import Stage
    from support.load import Heard

_ASKING = 6
"""How many clients ask for answers at a time; beside them there is a writer for each preset, and one of keys."""
_RECOVERY_S = 20
"""A bound against hanging, for workers and records to come back."""


@dataclass
class Lives:
    """Many lives of one stage: what was acknowledged and heard in them, and what was wrong."""

    stage: Stage
    seed: int
    ledger: Ledger = field(default_factory=Ledger)
    told: list[tuple[Case, Heard]] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def live(self, *, worker_kills: int = 0) -> None:
        """One life: traffic of every kind, in which workers are killed, and behind them all there is."""
        dice = Random(self.seed * 1_000_003 + len(self.stage.kills))
        began = len(self.told)
        uvloop.run(self._live(dice, worker_kills))
        lived = self.told[began:]
        self.found += [f"{case}: {wrong}" for case, heard in lived if (wrong := verdict(case, heard, self.stage.kills))]
        self.found += self.ledger.refusals
        self.ledger.refusals.clear()

    def rise(self) -> None:
        """The next life begins: all that was acknowledged is there, and soon all records are."""
        self.stage.start()
        self.check()

    def check(self) -> None:
        """Look for all that was acknowledged."""
        self.found += self.ledger.missing(self.stage.data_dir)
        until = time.monotonic() + _RECOVERY_S
        while wrong := disagreements(entries(self.stage.data_dir), self.told, kills=self.stage.kills):
            if time.monotonic() > until:
                self.found += wrong
                break
            time.sleep(0.02)

    async def _live(self, dice: Random, worker_kills: int) -> None:
        shift = Shift(self.stage)
        async with asyncio.TaskGroup() as group:
            for slug in SLUGS:
                group.create_task(self.ledger.write_versions(shift, slug, Random(dice.random())))
            group.create_task(self.ledger.write_keys(shift))
            for _ in range(_ASKING):
                group.create_task(self._ask(shift))
            for _ in range(worker_kills):
                await _more(shift, dice)
                await self._kill_worker(dice)
            await _more(shift, dice)
            shift.stop.set()
            self.stage.kill()

    async def _ask(self, shift: Shift) -> None:
        while not shift.stop.is_set():
            case = killed_case(self.seed, next(self.ledger.numbers))
            self.told.append((case, await shift.ask(case.request(shift.url), case.manner)))

    async def _kill_worker(self, dice: Random) -> None:
        """Kill one of the workers; returns when another has taken its place."""
        before = len(workers(self.stage.gateway))
        victim = self.stage.kill_worker(dice)
        if not await asyncio.to_thread(self.stage.replaced, victim, before):
            self.found.append(f"no worker took the place of {victim}")


async def _more(shift: Shift, dice: Random) -> None:
    """Returns at a random moment behind a few more answers, whichever they are."""
    async with asyncio.timeout(_RECOVERY_S):
        await shift.answers(dice.randint(1, 30))
    await asyncio.sleep(dice.random() * 0.01)
