"""A storm: many cases at once against one stage, and what must hold behind it."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import uvloop

from chaos.books import disagreements, entries
from chaos.verdicts import verdict
from support.load import ask_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.cases import Case
    from chaos.stage import Stage
    from simulator.client import Received
    from support.load import Heard


class Storm(NamedTuple):
    """What clients heard of their cases, and when processes were killed meanwhile, in monotonic seconds."""

    told: list[tuple[Case, Heard]]
    kills: list[float]

    def failures(self) -> list[str]:
        """What clients should not have heard."""
        return [f"{case}: {wrong}" for case, heard in self.told if (wrong := verdict(case, heard, self.kills))]


def storm(stage: Stage, cases: Sequence[Case], *, at_once: int, worker_kills: int = 0, seed: int = 0) -> Storm:
    """All these cases, so many at a time: first those that hang for seconds, beside which the others take place.

    Workers are killed in between, each time that an equal share of the cases is through.
    """
    ordered = sorted(cases, key=lambda case: not case.hangs)
    url, dice, kills = stage.gateway.url, Random(seed), list[float]()
    share = len(cases) // (worker_kills + 1)

    def done(count: int) -> None:
        if count % share == 0 and len(kills) < worker_kills:
            kills.append(time.monotonic())
            stage.kill_worker(dice)

    requests = [(case.request(url), case.manner) for case in ordered]
    heard = uvloop.run(ask_all(stage.origin(), requests, at_once=at_once, done=done))
    return Storm(list(zip(ordered, heard, strict=True)), kills)


def aftermath(stage: Stage, storms: Sequence[Storm], received: Sequence[Received]) -> list[str]:
    """All that is wrong behind these storms, which were all there was on a stage that has been left.

    `received` is what the upstreams got in them.
    """
    told = [pair for one in storms for pair in one.told]
    kills = [at for one in storms for at in one.kills]
    failures = [failure for one in storms for failure in one.failures()]
    if failures:  # what is no right answer cannot be held against the books
        return [*failures, *stage.leaks()]
    return [*disagreements(entries(stage.data_dir), told, received, kills), *stage.leaks()]


def few(found: Sequence[str]) -> str:
    """The first of each kind of what was found, for people: a thousand that hang hide the one that made them."""
    kinds = {text.partition("): ")[2][:40]: text for text in reversed(found)}
    return f"{len(found)}:\n" + "\n".join(text[:3_000] for text in list(kinds.values())[:8])
