"""Metrics over several workers: one scrape is the sum of all, whoever answers it, and no end of one lowers it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

from support.scrape import Scrape

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.processes import Gateway, StartGateway

ECHO = {"model": "setpoint/echo", "messages": [{"role": "user", "content": "hi"}]}
HANG_S = 30.0


def scrape_until(gateway: Gateway, holds: Callable[[Scrape], bool], least: float) -> Scrape:
    """The first scrape that is so. None before it may show fewer requests than were seen before."""
    deadline = time.monotonic() + HANG_S
    while not holds(scrape := Scrape(gateway)):
        assert scrape["setpoint_requests_total"] >= least, "a counter fell"
        least = scrape["setpoint_requests_total"]
        assert time.monotonic() < deadline, "it does not come to be"
        time.sleep(0.02)
    return scrape


def asked(gateway: Gateway, count: int) -> None:
    for _ in range(count):
        assert gateway.call("POST", "/chat/completions", ECHO).status == 200


def served_by(gateway: Gateway) -> int:
    """The process that served most, by the log. This asks once more."""
    lines = [json.loads(line) for line in gateway.settled_log_text().splitlines() if line[:1] == "{"]
    return Counter(line["pid"] for line in lines if line["message"] == "exchange").most_common(1)[0][0]


def test_a_scrape_is_the_sum_over_workers_and_a_killed_one_lowers_nothing(start_gateway: StartGateway) -> None:
    gateway = start_gateway(settings={"metrics": True}, arguments=["--workers", "2"])
    asked(gateway, 39)
    victim = served_by(gateway)
    all_there = scrape_until(gateway, lambda scrape: scrape["setpoint_requests_total"] == 40, 0)
    tokens = all_there["setpoint_tokens_total"]
    assert all_there["setpoint_request_duration_seconds_count"] == 40
    assert all_there["setpoint_worker_restarts_total"] == 0
    os.kill(victim, signal.SIGKILL)
    replaced = scrape_until(gateway, lambda scrape: scrape["setpoint_worker_restarts_total"] == 1, 40)
    assert replaced["setpoint_requests_total"] == 40
    asked(gateway, 20)
    after = scrape_until(gateway, lambda scrape: scrape["setpoint_requests_total"] == 60, 40)
    assert after["setpoint_tokens_total"] == tokens * 1.5
    assert after["setpoint_workers"] == 2
