"""A storm: many cases at once against one stage, and what must hold behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import uvloop

from chaos.verdicts import verdict
from support.load import ask_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.cases import Case
    from chaos.stage import Stage
    from support.load import Heard


class Storm(NamedTuple):
    """What clients heard of their cases."""

    told: list[tuple[Case, Heard]]

    def failures(self, kills: Sequence[float] = ()) -> list[str]:
        """What clients should not have heard; at the times `kills` processes were killed."""
        return [f"{case}: {wrong}" for case, heard in self.told if (wrong := verdict(case, heard, kills))]


def storm(stage: Stage, cases: Sequence[Case], *, at_once: int) -> Storm:
    """All these cases, so many at a time: first those that hang for seconds, beside which the others take place."""
    url = stage.gateway.url
    ordered = sorted(cases, key=lambda case: not case.hangs)
    requests = [(case.request(url), case.manner) for case in ordered]
    return Storm(list(zip(ordered, uvloop.run(ask_all(stage.origin, requests, at_once=at_once)), strict=True)))


def few(found: Sequence[str]) -> str:
    """The first of what was found, for people."""
    return f"{len(found)}:\n" + "\n".join(text[:3_000] for text in found[:5])
