"""The gate on cost: it holds what was measured against its bound; and the profile, which sees the product at work."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bench.gate import GATES, Gate, verdict
from bench.machine import available_cores
from bench.measure import Measured
from bench.profile import profile, tables
from bench.requests import plain
from bench.scenarios import SCENARIOS
from bench.tools import Load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc: needs Linux")


def measured(target: str, scenario: str, number: int, cpu_s: float) -> Measured:
    return Measured(target, scenario, number, Load(1, 0.1, 1000, 0, 0, 8, 1000, 1, 1, 1, 1, ""), cpu_s, 0.0)


@pytest.mark.parametrize(("factor", "kept"), [(0.99, True), (1.01, False)])
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.what)
def test_bound_holds_for_the_median_of_the_rounds_against_the_relay_of_the_same_round(
    gate: Gate, factor: float, *, kept: bool
) -> None:
    rounds = [(0.1, 1.0), (0.2, 1.0), (0.1, 20.0)]  # the relay's cost, and what one round is off
    both = [
        one
        for number, (relay, off) in enumerate(rounds)
        for one in (
            measured("bare relay", gate.scenario, number, relay),
            measured("setpoint", gate.scenario, number, relay * gate.most * factor * off),
        )
    ]
    assert verdict(gate, both).kept is kept


def test_profile_says_which_rooms_a_request_goes_through(tmp_path: Path) -> None:
    scenario = SCENARIOS[0]._replace(connections=4)
    found, requests = profile(scenario, plain(scenario), tmp_path, available_cores(), seconds=1.0)
    rooms = {spot.room for spot, _ in found.spots}
    assert {"server", "gateway", "protocols", "providers", "wire"} <= rooms
    written = tables(found, requests, "request")
    assert "| server |" in written
    assert "| (other threads) |" in written
