"""`make bench`: what Setpoint costs, beside what stands for nothing, for little and for nginx.

In every round all targets are started, then each scenario goes over all of them before the next one begins, so that a
noisy minute hits them alike. Prints a table, and writes it with all single figures to `build/bench`. Exits with 1 when
an answer was not as ordered: figures of a run with errors mean nothing.

`make bench BENCH=--quick` takes two minutes at most; `--targets` and `--rounds` choose.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.machine import available_cores, memory, on, share, tree
from bench.measure import Measured, measure
from bench.report import Results, Started, as_json, table
from bench.scenarios import SCENARIOS
from bench.target import Running, Site, Target, UnavailableError
from bench.targets import TARGETS
from bench.tools import BUILD, Tools, end_in_order, running_upstream, tools

if TYPE_CHECKING:
    from collections.abc import Sequence


class Bench:
    """One run over some targets, and what it has measured so far."""

    def __init__(
        self, targets: Sequence[Target], chosen: Tools, folder: Path, available: Sequence[int], *, quick: bool
    ) -> None:
        self._targets = targets
        self._tools = chosen
        self._folder = folder
        self._cores = available
        self._quick = quick
        self._scenarios = [one for one in SCENARIOS if one.quick_seconds or not quick]
        self.measured: list[Measured] = []
        self.started: list[Started] = []
        self.unavailable: dict[str, str] = {}

    def round(self, number: int) -> None:
        """Start all targets, measure all scenarios over all of them, stop them."""
        folder = self._folder / f"round-{number}"
        with ExitStack() as stack:
            upstream = stack.enter_context(running_upstream(self._tools, folder / "upstream"))
            site = Site(upstream, folder, self._cores)
            running = self._start_all(stack, site)
            sizes = {target.name: memory(tree(it.pid)) for target, it in running if it.pid is not None}
            for scenario in self._scenarios:
                for target, it in running:
                    one = measure(target, it, scenario, site, self._tools, number=number, quick=self._quick)
                    self.measured.append(one)
                print(f"round {number + 1}: {scenario.name}", file=sys.stderr, flush=True)
            for target, it in running:
                if it.pid is not None:
                    pids = tree(it.pid)
                    start, peak = sizes[target.name].now, memory(pids).peak
                    self.started.append(Started(target.name, number, it.start_s, start, peak, len(pids)))

    def _start_all(self, stack: ExitStack, site: Site) -> list[tuple[Target, Running]]:
        running: list[tuple[Target, Running]] = []
        for index, target in enumerate(self._targets):
            if target.name in self.unavailable:
                continue
            try:
                own = site._replace(folder=site.folder / f"target-{index}")
                running.append((target, stack.enter_context(target.start(own))))
            except UnavailableError as reason:
                self.unavailable[target.name] = str(reason)
        return running

    def results(self) -> Results:
        """All of it."""
        names = [target.name for target in self._targets]
        return Results(names, self.measured, self.started, self.unavailable, self._notes())

    def _notes(self) -> list[str]:
        chosen = share(self._cores)
        notes = [
            f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}; "
            + (
                f"each target on core {sorted(chosen.gateway)}, upstream and load on {sorted(chosen.load)}"
                if chosen.apart
                else "targets, upstream and load share one core: only CPU figures mean something"
            )
        ]
        measured = [target for target in self._targets if target.name not in self.unavailable]
        measured = [target for target in self._targets if target.name not in self.unavailable]
        notes += [
            f"{target.name}: they share a core with upstream and load, so requests/s cannot grow with their number"
            for target in measured
            if target.workers > 1 and not share(self._cores, target.workers).apart
        ]
        by_itself = [one for one in self.measured if (one.target, one.scenario) == ("direct", "ns16")]
        if not self._tools.native and by_itself:
            rate = median(one.requests_per_s for one in by_itself)
            cost = median(one.load_busy / one.requests_per_s for one in by_itself) * 1e6
            notes.append(
                f"no C compiler: upstream and load generator are Python on uvloop. By themselves they do {rate:,.0f} "
                f"requests/s at {cost:,.0f} µs each; where they, and not the target, were the limit, there is a star"
            )
        return notes


def main() -> int:
    """Measure what is asked for."""
    names = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    parser.add_argument("--rounds", type=int, help="5; 2 when quick")
    parser.add_argument("--targets", default=";".join(names), help=f"of: {'; '.join(names)}")
    options = parser.parse_args()
    end_in_order()
    wanted: list[str] = options.targets.split(";")
    started = time.monotonic()
    chosen, available = [target for target in TARGETS if target.name in wanted], available_cores()
    with tempfile.TemporaryDirectory(prefix="setpoint-bench-") as folder, on(share(available).load):
        bench = Bench(chosen, tools(), Path(folder), available, quick=options.quick)
        for number in range(options.rounds or (2 if options.quick else 5)):
            bench.round(number)
        results = bench.results()
    written = table(results)
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "table.md").write_text(written + "\n", "utf-8")
    (BUILD / "result.json").write_bytes(as_json(results))
    print(f"{written}\n\n{time.monotonic() - started:.0f} s; single figures in {BUILD / 'result.json'}")
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
