"""Two workers are one gateway: what one has written both know, and what befalls one is not felt at the other."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import uvloop

from chaos.stage import staged, workers
from chaos.storm import few
from chaos.visibility import watch
from support.load import Load, asking, percentile
from support.processes import KEY

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.client import Simulator

WRITES, READERS = 15, 6
HANG_S = 10
"""Ten times what is promised."""
CLIENTS = 8


def test_what_one_worker_has_written_every_worker_knows(tmp_path: Path, simulator: Simulator) -> None:
    with staged(tmp_path, simulator, "--workers", "2") as stage:
        pids = set(workers(stage.gateway))
        sight = uvloop.run(watch(stage, WRITES, readers=READERS))
    assert len(sight.delays) == 3 * WRITES * READERS
    late = [delay for delay in sight.delays if delay]
    print(f"{len(late)} of {len(sight.delays)} saw it late, p99 {percentile(sight.delays, 0.99) * 1000:.0f} ms")
    assert percentile(sight.delays, 0.9) == 0, "whoever wrote it finds it, wherever the next request lands"
    assert max(sight.delays) < HANG_S
    logged = [json.loads(line) for line in stage.gateway.process.stderr_text().splitlines() if '"exchange"' in line]
    answered = {line["id"]: line["pid"] for line in logged}
    assert {answered[id_] for id_ in sight.answers} == pids, "both were asked"


def test_a_worker_that_stands_still_takes_no_other_request_with_it(tmp_path: Path, simulator: Simulator) -> None:
    body = json.dumps({"model": "setpoint/echo", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    with staged(tmp_path, simulator, "--workers", "2", settings={"watchdog_s": 1}) as stage:
        request = asking("POST", f"{stage.gateway.url}/chat/completions", body, key=KEY)
        with Load(stage.origin, lambda _: request, at_once=CLIENTS) as load:
            load.wait_for(50)
            victim = workers(stage.gateway)[0]
            os.kill(victim, signal.SIGSTOP)
            load.wait_for(50)  # by the other one
            assert stage.replaced(victim, 2)
            load.wait_for(50)
    failed = [one for one in load.heard if one.end != "whole" or one.answer is None or one.answer.status != 200]
    assert len(failed) <= CLIENTS, few([str(one) for one in failed])
    assert {one.end for one in failed} <= {"cut"}, "those that it had in hand when it was killed"
    assert not (found := stage.leaks()), few(found)
