"""`make bench-profile`: where the time of a whole answer and of a lone event goes, by room and by function.

A gateway runs with the sampler of `bench.sampled` under one scenario, once per scenario. A room's time is that of its
own code and of what that calls outside of Setpoint; time of libraries that no code of Setpoint has called is theirs.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from bench import requests
from bench.machine import available_cores, on, share
from bench.sampled import Profile
from bench.scenarios import SCENARIOS
from bench.setpoint import capture_presets, running_setpoint
from bench.tools import Order, end_in_order, environment, run_load, running_upstream, tools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.requests import Request
    from bench.scenarios import Scenario

_WAYS = {"plain": requests.plain, "preset": requests.by_preset, "translated": requests.translated}
_WRITTEN_S = 10
_TOP = 25


def profile(
    scenario: Scenario, request: Request, folder: Path, cores: Sequence[int], seconds: float
) -> tuple[Profile, int]:
    """Where the CPU time went, and over how many answers, or events when they are streamed."""
    chosen, file = tools(), folder / "profile.json"
    with ExitStack() as stack:
        upstream = stack.enter_context(running_upstream(chosen, folder / "upstream"))
        command = (sys.executable, "-m", "bench.sampled", str(file))
        with on(share(cores).gateway):
            gateway = stack.enter_context(
                running_setpoint(upstream.port, folder / "gateway", command=command, environment=environment(folder))
            )
        capture_presets(gateway)
        port = urlsplit(gateway.origin).port
        assert port is not None
        orders = [Order(request.write(folder, scenario.name), 200, scenario.pieces)]
        run_load(chosen, port, orders, connections=scenario.connections, seconds=0.3)
        os.kill(gateway.pid, signal.SIGRTMIN)
        load = run_load(chosen, port, orders, connections=scenario.connections, seconds=seconds)
        os.kill(gateway.pid, signal.SIGRTMIN)
        until = time.monotonic() + _WRITTEN_S
        while not file.exists():
            if time.monotonic() > until:
                raise RuntimeError("the sampler has written nothing")
            time.sleep(0.01)
    if load.failed:
        raise RuntimeError(f"{load.failed} answers were not as ordered: {load.first_failure}")
    return msgspec.json.decode(file.read_bytes(), type=Profile), load.pieces if scenario.streamed else load.answered


def tables(found: Profile, units: int, unit: str) -> str:
    """The profile as two tables in Markdown, in microseconds for one unit."""
    rooms: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for where, weight in found.spots:
        room = where.room or f"({where.library})"
        rooms[room] += weight
        if where.library:
            outside[room] += weight
        functions[where.function or room] += weight
    rooms["(other threads)"] = found.other_threads_ns
    total = rooms.total()
    lines = [f"| room | µs/{unit} | share | of it in libraries |", "|---|---|---|---|"]
    lines += [
        f"| {room} | {weight / units / 1000:.1f} | {weight / total:.0%} | {outside[room] / units / 1000:.1f} |"
        for room, weight in rooms.most_common()
    ]
    lines += [f"| all | {total / units / 1000:.1f} | | {outside.total() / units / 1000:.1f} |", ""]
    lines += [f"| function, with what it calls outside | µs/{unit} | share |", "|---|---|---|"]
    lines += [
        f"| {name} | {weight / units / 1000:.1f} | {weight / total:.0%} |"
        for name, weight in functions.most_common(_TOP)
    ]
    return "\n".join(lines)


def main() -> int:
    """Profile the scenarios that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", default="ns16,s50d", help=f"of {', '.join(one.name for one in SCENARIOS)}")
    parser.add_argument("--way", choices=_WAYS, default="plain", help="how the request names what it wants")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    end_in_order()
    available = available_cores()
    wanted: list[str] = options.scenarios.split(",")
    for scenario in (one for one in SCENARIOS if one.name in wanted):
        with tempfile.TemporaryDirectory(prefix="setpoint-profile-") as folder, on(share(available).load):
            request = _WAYS[options.way](scenario)
            found, units = profile(scenario, request, Path(folder), available, options.seconds)
        unit = "event" if scenario.streamed else "request"
        print(f"\n{scenario.name}, {options.way}: {scenario.what}; {units:,} {unit}s\n\n{tables(found, units, unit)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
