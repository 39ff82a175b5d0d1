"""The table: factors and added latency against the same run, and loud words where the figures mean nothing."""

from __future__ import annotations

import json

from bench.measure import Measured
from bench.report import Results, Started, as_json, table
from bench.tools import Load


def one(
    target: str,
    scenario: str,
    *,
    number: int = 0,
    cpu_s: float = 0.1,
    p50_us: float = 100,
    failed: int = 0,
    busy: float = 0.1,
) -> Measured:
    load = Load(
        seconds=1,
        cpu_s=busy,
        answered=1000,
        failed=failed,
        cancelled=0,
        connections=16,
        pieces=50_000,
        p50_us=p50_us,
        p99_us=2 * p50_us,
        first_piece_p50_us=p50_us,
        first_piece_p99_us=p50_us,
        first_failure="another status" if failed else "",
    )
    return Measured(target, scenario, number, load, cpu_s, 0.0)


def results(*measured: Measured, unavailable: dict[str, str] | None = None) -> Results:
    names: list[str] = [*(m.target for m in measured), *(unavailable or {})]
    targets = list(dict.fromkeys(names))
    started = [Started("setpoint", 0, 0.6, 64 << 20, 70 << 20, 1)]
    return Results(targets, list(measured), started, unavailable or {}, ["two cores"])


def row(written: str, target: str) -> dict[str, str]:
    lines = [line.strip("|").split("|") for line in written.splitlines() if line.startswith("|")]
    (cells,) = [line for line in lines if line[0].strip() == target]
    return {title.strip(): cell.strip() for title, cell in zip(lines[0], cells, strict=True)}


def test_cost_is_a_median_with_its_spread_and_a_multiple_of_nginx() -> None:
    measured = [one("setpoint", "ns16", number=n, cpu_s=s) for n, s in enumerate((0.3, 0.5, 0.4))]
    cells = row(table(results(one("nginx", "ns16", cpu_s=0.02), *measured)), "setpoint")
    assert cells["CPU µs/request ns16"] == "400 (300-500)"
    assert cells["times nginx"] == "20.0"
    assert cells["requests/s ns16"] == "1,000"
    assert cells["RSS MiB start / peak"] == "64 / 70"
    assert cells["start s"] == "0.60"


def test_latency_is_what_is_added_to_direct_in_the_same_round() -> None:
    measured = [
        one(target, "ns1", number=number, p50_us=p50_us)
        for target, times in (("direct", (10, 100, 20)), ("setpoint", (510, 700, 420)))
        for number, p50_us in enumerate(times)
    ]
    written = table(results(*measured))
    assert row(written, "setpoint")["added p50 µs ns1"] == "500"  # of 500, 600 and 400
    assert row(written, "direct")["added p50 µs ns1"] == "(20)"
    assert row(written, "direct")["added p99 µs ns1"] == "(40)"


def test_run_with_a_failure_says_that_it_is_invalid() -> None:
    found = results(one("setpoint", "ns16", failed=3))
    assert found.failures == [
        "setpoint, ns16, round 1: 3 of 1003 answers were not as ordered: another status",
    ]
    assert "* INVALID: setpoint, ns16, round 1: 3 of 1003 answers" in table(found)
    assert results(one("setpoint", "ns16")).failures == []


def test_throughput_that_the_load_generator_bounds_has_a_star() -> None:
    bound = one("setpoint", "ns16", cpu_s=0.5, busy=0.95)
    free = one("nginx", "ns16", cpu_s=0.95, busy=0.95)
    written = table(results(one("direct", "ns16"), bound, free))
    assert row(written, "setpoint")["requests/s ns16"] == "1,000*"
    assert row(written, "nginx")["requests/s ns16"] == "1,000"
    assert "a star: the load's own core was at its limit" in written


def test_target_that_cannot_be_measured_says_why() -> None:
    written = table(results(one("direct", "ns16"), unavailable={"nginx": "not installed"}))
    assert "nginx was not measured: not installed" in written
    assert row(written, "nginx")["requests/s ns16"] == "-"


def test_memory_of_several_processes_is_said_to_be_a_sum() -> None:
    written = table(results(one("setpoint", "ns16")))
    assert "counted in each" not in written
    several = Results(["setpoint"], [], [Started("setpoint", 0, 0.6, 64 << 20, 70 << 20, 3)], {}, [])
    assert "what they share is counted in each" in table(several)


def test_json_has_every_single_figure() -> None:
    content = json.loads(as_json(results(one("setpoint", "ns16", cpu_s=0.4), one("setpoint", "s50", cpu_s=1.0))))
    assert [figure["cpu_us_per_request"] for figure in content["figures"]] == [400, 1000]
    assert content["figures"][1]["cpu_us_per_event"] == 20
    assert content["measured"][0]["load"]["answered"] == 1000
