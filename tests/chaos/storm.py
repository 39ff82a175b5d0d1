"""A storm: many cases at once against one stage, and what must hold behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvloop

from chaos.books import disagreements, entries
from chaos.verdicts import verdict
from support.load import HANG_S, ask_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaos.cases import Case
    from chaos.stage import Stage
    from simulator.client import Received
    from support.load import Heard

_FORGET_EVERY = 50
"""After so many answers the gateway forgets what went wrong: else it would soon ask nobody."""

Told = list[tuple["Case", "Heard"]]
"""What clients heard of their cases."""


def storm(
    stage: Stage,
    cases: Sequence[Case],
    *,
    at_once: int,
    meanwhile: Sequence[Callable[[], object]] = (),
    hang_s: float = HANG_S,
) -> Told:
    """All these cases, so many at a time: first those that hang for seconds, beside which the others take place.

    `meanwhile` is done in between, one thing each time that an equal share of the cases is through.
    """
    ordered = sorted(cases, key=lambda case: not case.hangs)
    url, left = stage.gateway.url, list(meanwhile)
    share = len(cases) // (len(left) + 1)
    faulty = any(case.order.faults for case in cases)

    def done(count: int) -> None:
        if count % share == 0 and left:
            left.pop(0)()
        elif count % _FORGET_EVERY == 0 and faulty:
            stage.forget()

    requests = [(case.request(url), case.manner) for case in ordered]
    heard = uvloop.run(ask_all(stage.origin(), requests, at_once=at_once, done=done, hang_s=hang_s))
    return list(zip(ordered, heard, strict=True))


def aftermath(stage: Stage, told: Told, received: Sequence[Received]) -> list[str]:
    """All that is wrong behind what was told, which is all that was asked on a stage that has been left.

    `received` is what the upstreams got meanwhile.
    """
    failures = [f"{case}: {wrong}" for case, heard in told if (wrong := verdict(case, heard, stage.kills))]
    if failures:  # what is no right answer cannot be held against the books
        return [*failures, *stage.leaks()]
    return [*disagreements(entries(stage.data_dir), told, received, stage.kills), *stage.leaks()]


def few(found: Sequence[str]) -> str:
    """The first of each kind of what was found, for people: a thousand that hang hide the one that made them."""
    kinds = {text.partition("): ")[2][:40]: text for text in reversed(found)}
    return f"{len(found)}:\n" + "\n".join(text[:3_000] for text in list(kinds.values())[:8])
