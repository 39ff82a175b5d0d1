"""A provider that comes and goes, in front of several workers: callers are answered, and it is left alone meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from faults.faults_support import serving
from faults.test_storms import REQUESTS, storm
from simulator.script import ok, reset, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.processes import Gateway

WORKERS = 2


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory, simulator_process, settings={"workers": WORKERS}) as gateway:
        yield gateway


@pytest.mark.parametrize("fault", [status(503), reset()], ids=["503", "reset"])
def test_a_provider_that_comes_and_goes_costs_callers_nothing(
    gateway: Gateway, simulator: Simulator, fault: Script
) -> None:
    gateway.forget()
    simulator.cycle(*[fault] * 5, *[ok()] * 5, prefix="/a")
    began = time.monotonic()
    ended = storm(gateway)
    took_s = time.monotonic() - began
    extra = len(simulator.requests()) - len(ended)
    flapping = len(simulator.requests("/a"))
    print(f"{len(ended)} requests, {flapping} to the provider that flaps, {extra} further tries in {took_s:.1f} s")
    assert {one.answer.status for one in ended} == {200}
    assert {one.answer.json()["provider"] for one in ended[REQUESTS // 2 :]} <= {"Alpha", "Beta"}
    assert extra <= 0.2 * len(ended) + WORKERS * 2 * (10 + took_s + 1)
