"""One measurement: a target under one scenario, its CPU and memory by the operating system."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench.machine import cpu_s, tree
from bench.tools import Load, Order, Tools, run_load

if TYPE_CHECKING:
    from pathlib import Path

    from bench.scenarios import Scenario
    from bench.target import Running, Site, Target

_WARM_UP_S = 0.2
_QUICK_WARM_UP_S = 0.1


class Measured(msgspec.Struct, frozen=True):
    """What one scenario cost one target in one round. `cpu_s` is 0 where nothing stands between."""

    target: str
    scenario: str
    round: int
    load: Load
    cpu_s: float
    upstream_cpu_s: float

    @property
    def cpu_us_per_request(self) -> float:
        """CPU time of the target for one whole answer, in microseconds."""
        return self.cpu_s * 1e6 / max(1, self.load.answered)

    @property
    def cpu_us_per_event(self) -> float:
        """CPU time of the target for one event, its share of the request included, in microseconds."""
        return self.cpu_s * 1e6 / max(1, self.load.pieces)

    @property
    def requests_per_s(self) -> float:
        """Answered requests in a second."""
        return self.load.answered / self.load.seconds

    @property
    def events_per_s(self) -> float:
        """Events that came through in a second."""
        return self.load.pieces / self.load.seconds

    @property
    def busy(self) -> float:
        """How many cores the target kept busy."""
        return self.cpu_s / self.load.seconds

    @property
    def load_busy(self) -> float:
        """How many cores the load generator and the upstream kept busy."""
        return (self.load.cpu_s + self.upstream_cpu_s) / self.load.seconds


def measure(
    target: Target, running: Running, scenario: Scenario, site: Site, tools: Tools, *, number: int, quick: bool = False
) -> Measured:
    """One round of one scenario. Runs on the cores of the caller, which are those of the load."""
    file = target.request(scenario).write(_folder(site, target), scenario.name)
    orders = [Order(file, status=200, pieces=scenario.pieces)]
    if not scenario.paced:
        warm_up_s = _QUICK_WARM_UP_S if quick else _WARM_UP_S
        run_load(tools, running.port, orders, connections=scenario.connections, seconds=warm_up_s)
    pids = [] if running.pid is None else tree(running.pid)
    before, upstream_before = cpu_s(pids), cpu_s([site.upstream.pid])
    load = run_load(
        tools,
        running.port,
        orders,
        connections=scenario.connections,
        seconds=scenario.quick_seconds if quick else scenario.seconds,
    )
    used, upstream_used = cpu_s(pids) - before, cpu_s([site.upstream.pid]) - upstream_before
    return Measured(target.name, scenario.name, number, load, used, upstream_used)


def _folder(site: Site, target: Target) -> Path:
    folder = site.folder / target.name.replace(", ", "-").replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
