"""Several workers: one port, one database, one supervisor that keeps them running."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from support.http import call
from support.waiting import children, lives, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.processes import Gateway, Process, StartGateway

ECHO = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "hi"}]}


def workers(gateway: Gateway) -> set[int]:
    """The process ids of the workers."""
    return children(gateway.pid)


def said(process: Process, pattern: str) -> Callable[[], bool]:
    return lambda: re.search(pattern, process.stderr_text()) is not None


def test_workers_share_the_port_and_the_supervisor_serves_nothing(start_gateway: StartGateway) -> None:
    gateway = start_gateway(arguments=["--workers", "3"])
    served = workers(gateway)
    assert len(served) == 3
    for _ in range(20):
        assert gateway.call("POST", "/chat/completions", ECHO).status == 200
    assert gateway.stop() == 0
    assert not any(map(lives, served))
    lines = [json.loads(line) for line in gateway.process.stderr_text().splitlines()]
    assert {line["pid"] for line in lines if line["message"] == "exchange"} <= served


def test_a_worker_that_is_killed_is_replaced_while_the_others_answer(start_gateway: StartGateway) -> None:
    gateway = start_gateway(arguments=["--workers", "2"])
    before = workers(gateway)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(workers(gateway)) == 2 and victim not in workers(gateway))
    assert gateway.call("POST", "/chat/completions", ECHO).status == 200
    assert before - {victim} < workers(gateway), "the other one was left alone"
    until(said(gateway.process, rf"process {victim}\) was ended by SIGKILL"))
    assert gateway.stop() == 0


def test_a_worker_that_is_told_to_end_is_replaced_too(start_gateway: StartGateway) -> None:
    gateway = start_gateway(arguments=["--workers", "2"])
    victim = min(workers(gateway))
    os.kill(victim, signal.SIGTERM)
    until(lambda: len(workers(gateway)) == 2 and victim not in workers(gateway))
    until(said(gateway.process, rf"process {victim}\) ended with code 0"))


def test_a_worker_that_stands_still_is_noticed_and_replaced(start_gateway: StartGateway) -> None:
    gateway = start_gateway(arguments=["--workers", "2"], settings={"watchdog_s": 1.5})
    victim = min(workers(gateway))
    os.kill(victim, signal.SIGSTOP)
    until(lambda: len(workers(gateway)) == 2 and victim not in workers(gateway))
    until(said(gateway.process, rf"process {victim}\) has stood still for \d+ s"))
    assert gateway.call("POST", "/chat/completions", ECHO).status == 200


def test_a_machine_that_was_asleep_costs_no_worker(start_gateway: StartGateway) -> None:
    gateway = start_gateway(arguments=["--workers", "2"], settings={"watchdog_s": 2})
    before = workers(gateway)
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in (gateway.pid, *before):  # the supervisor wakes first, and sees none that has turned lately
            os.kill(pid, number)
        time.sleep(2.5)
    assert workers(gateway) == before
    assert "has stood still" not in gateway.process.stderr_text()


def test_workers_whose_supervisor_is_killed_end_by_themselves(start_gateway: StartGateway) -> None:
    gateway = start_gateway(arguments=["--workers", "2"])
    orphans = workers(gateway)
    os.kill(gateway.pid, signal.SIGKILL)
    until(lambda: not any(lives(orphan) for orphan in orphans))


def test_workers_that_cannot_start_end_the_server_with_a_reason(start_gateway: StartGateway) -> None:
    gateway = start_gateway(arguments=["--workers", "2"])
    with closing(sqlite3.connect(gateway.data_dir / "setpoint.db")) as database:
        database.executescript("PRAGMA foreign_keys = OFF; DROP TABLE presets;")
    for worker in workers(gateway):
        os.kill(worker, signal.SIGKILL)
    assert gateway.process.wait(60) == 1
    *before, last = gateway.process.stderr_text().splitlines()
    assert "gave up: workers died 5 times in a row before they were ready" in last
    assert sum("cannot go on" in line for line in before) >= 5
    assert len(re.findall("before it was ready", gateway.process.stderr_text())) == 5


def test_one_worker_that_cannot_start_does_not_end_the_others(start_gateway: StartGateway) -> None:
    gateway = start_gateway(arguments=["--workers", "2"])
    with closing(sqlite3.connect(gateway.data_dir / "setpoint.db")) as database:
        database.executescript("PRAGMA foreign_keys = OFF; ALTER TABLE presets RENAME TO hidden;")
        os.kill(min(workers(gateway)), signal.SIGKILL)
        until(lambda: len(re.findall("before it was ready", gateway.process.stderr_text())) > 5, timeout_s=60)
        assert gateway.call("POST", "/chat/completions", ECHO).status == 200
        pauses = re.findall(r"another starts in ([\d.]+) s", gateway.process.stderr_text())
        assert pauses[:4] == ["0.1", "0.2", "0.4", "0.8"], "the longer, the oftener it dies"
        database.executescript("ALTER TABLE hidden RENAME TO presets;")
    until(lambda: len(workers(gateway)) == 2)
    assert gateway.stop() == 0


def test_every_worker_sees_a_write_as_soon_as_it_is_answered(start_gateway: StartGateway) -> None:
    gateway = start_gateway(arguments=["--workers", "3"])
    for turn in range(30):
        made = call(
            "POST", f"{gateway.url}/presets/seen/messages", {"model": "setpoint/echo", "top_k": turn}, key=gateway.key
        )
        assert made.status == 200
        for _ in range(3):  # each call is a connection of its own, so any worker may get it
            answer = gateway.call(
                "POST", "/chat/completions", {**ECHO, "model": f"setpoint/echo@preset/seen@{turn + 1}"}
            )
            assert answer.status == 200, answer.body
            answer = gateway.call("POST", "/messages", {**ECHO, "model": "@preset/seen", "max_tokens": 9})
            assert answer.header("X-Setpoint-Preset") == f"seen@{turn + 1}"
