"""A thousand streams at once, each with a marker of its own: nobody hears or is charged for what is another's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.cases import gathered, leaving_case, quiet_case
from chaos.stage import PATIENT, staged
from chaos.storm import aftermath, few, storm

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.client import Simulator

SEED = 2026
STREAMS = 1_000


def test_a_thousand_streams_at_once_keep_their_answers_apart(tmp_path: Path, simulator: Simulator) -> None:
    cases = gathered([(leaving_case if n % 5 == 0 else quiet_case)(SEED, n) for n in range(STREAMS)])
    with staged(tmp_path, simulator, settings=PATIENT) as stage:
        told = storm(stage, cases, at_once=STREAMS)
        assert stage.gateway.process.running
    assert not (found := aftermath(stage, told, simulator.requests())), few(found)
    assert sum(heard.end == "left" for _, heard in told) > STREAMS / 10, "many went away"
