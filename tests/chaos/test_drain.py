"""SIGTERM with a thousand streams open: those that can end do, and the others are told, in their own skin's words."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import uvloop

from chaos.cases import ending_case, gathered, hanging_case
from chaos.stage import PATIENT, staged
from chaos.storm import aftermath, few, storm
from chaos.verdicts import counted
from support.load import ask

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.client import Simulator

SEED = 2026
STREAMS = 1_000
GRACE_S = 5


def test_a_thousand_open_streams_end_each_in_its_own_way_at_sigterm(tmp_path: Path, simulator: Simulator) -> None:
    cases = gathered([hanging_case(SEED, n) if n % 3 == 0 else ending_case(SEED, n) for n in range(STREAMS)])
    with (
        staged(tmp_path, simulator, settings={**PATIENT, "shutdown_grace_s": GRACE_S}) as stage,
        ThreadPoolExecutor(1) as pool,
    ):
        running = pool.submit(storm, stage, cases, at_once=STREAMS)
        simulator.wait_for_requests(STREAMS, timeout_s=60)
        stage.gateway.process.send_signal(signal.SIGTERM)
        stage.gateway.process.wait(60)
        told = running.result(60)
        assert stage.gateway.stop() == 0
        assert uvloop.run(ask(stage.origin(), b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")).end == "refused"
    assert not (found := aftermath(stage, told, simulator.requests())), few(found)
    ended = sum(counted(case, heard) is not None for case, heard in told if case.expected == "either")
    assert ended > STREAMS / 3, f"{ended} came to their own end"
