"""What was measured, as a table in Markdown: medians over the rounds, the spread of what the table is about."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec

from bench.measure import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MIB = 1024 * 1024
_SATURATED = 0.9


class Started(msgspec.Struct, frozen=True):
    """How a target came up and how large it was, in one round. Seconds, bytes."""

    target: str
    round: int
    start_s: float
    rss_start: int
    rss_peak: int
    processes: int


class Results(msgspec.Struct, frozen=True):
    """All that one run has measured."""

    targets: list[str]
    measured: list[Measured]
    started: list[Started]
    unavailable: dict[str, str]
    notes: list[str]

    def of(self, target: str, scenario: str) -> list[Measured]:
        """The rounds of one target under one scenario."""
        return [one for one in self.measured if (one.target, one.scenario) == (target, scenario)]

    @property
    def failures(self) -> list[str]:
        """What went wrong while it was measured. Not empty: the figures mean nothing."""
        return [
            f"{one.target}, {one.scenario}, round {one.round + 1}: {one.load.failed} of "
            f"{one.load.answered + one.load.failed} answers were not as ordered: {one.load.first_failure}"
            for one in self.measured
            if one.load.failed or not one.load.answered
        ]


@dataclass(frozen=True)
class _Column:
    title: str
    scenario: str
    figure: Callable[[Measured], float]
    show: Callable[[float], str]
    spread: bool = False
    added: bool = False
    """Direct's own figure is taken away, round by round."""
    throughput: bool = False
    """The load generator may be what bounds it."""
    beside: str | None = None
    """Also as a multiple of this target."""
    costs: bool = False
    """Direct has no such figure."""


def _integer(value: float) -> str:
    return f"{value:,.0f}"


def _tenths(value: float) -> str:
    return f"{value:,.1f}"


def _milliseconds(value: float) -> str:
    return f"{value / 1000:,.1f}"


_COLUMNS = (
    _Column(
        "CPU µs/request ns16",
        "ns16",
        lambda one: one.cpu_us_per_request,
        _integer,
        spread=True,
        costs=True,
        beside="nginx",
    ),
    _Column("requests/s ns16", "ns16", lambda one: one.requests_per_s, _integer, throughput=True),
    _Column("p99 ms ns16", "ns16", lambda one: one.load.p99_us, _milliseconds),
    _Column("added p50 µs ns1", "ns1", lambda one: one.load.p50_us, _integer, added=True),
    _Column("added p99 µs ns1", "ns1", lambda one: one.load.p99_us, _integer, added=True),
    _Column("added p50 µs ns16d", "ns16d", lambda one: one.load.p50_us, _integer, added=True),
    _Column("added p99 µs ns16d", "ns16d", lambda one: one.load.p99_us, _integer, added=True),
    _Column("events/s s50", "s50", lambda one: one.events_per_s, _integer, throughput=True),
    _Column("CPU µs/event s50", "s50", lambda one: one.cpu_us_per_event, _tenths, spread=True, costs=True),
    _Column("events/s s200", "s200", lambda one: one.events_per_s, _integer, throughput=True),
    _Column(
        "CPU µs/lone event s50d",
        "s50d",
        lambda one: one.cpu_us_per_event,
        _tenths,
        spread=True,
        costs=True,
        beside="nginx",
    ),
    _Column("TTFT p50 ms s50d", "s50d", lambda one: one.load.first_piece_p50_us, _milliseconds),
    _Column("TTFT p99 ms s50d", "s50d", lambda one: one.load.first_piece_p99_us, _milliseconds),
)


def _cell(results: Results, column: _Column, target: str) -> str:
    rounds = results.of(target, column.scenario)
    if not rounds or (column.costs and target == "direct"):
        return "-"
    values = [column.figure(one) for one in rounds]
    if column.added and target == "direct":
        return f"({column.show(median(values))})"
    if column.added:
        direct = {one.round: column.figure(one) for one in results.of("direct", column.scenario)}
        values = [column.figure(one) - direct[one.round] for one in rounds if one.round in direct]
        if not values:
            return "-"
    shown = column.show(median(values))
    if column.spread and len(values) > 1:
        shown += f" ({column.show(min(values))}-{column.show(max(values))})"
    if column.throughput and target != "direct" and bound_by_load(rounds):
        shown += "*"
    return shown


def bound_by_load(rounds: Sequence[Measured]) -> bool:
    """Whether load generator and upstream were at their limit while the target was not."""
    return any(one.load_busy > _SATURATED > one.busy for one in rounds)


def _factor(results: Results, column: _Column, target: str) -> str:
    if target == "direct" or column.beside is None:
        return "-"
    control = results.of(column.beside, column.scenario)
    rounds = results.of(target, column.scenario)
    if not control or not rounds:
        return "-"
    factor = median(column.figure(one) for one in rounds) / median(column.figure(one) for one in control)
    return f"{factor:.1f}"


def _mebibytes(started: Sequence[Started]) -> str:
    if not started:
        return "-"
    start, peak = median(one.rss_start for one in started), median(one.rss_peak for one in started)
    return f"{start / _MIB:.0f} / {peak / _MIB:.0f}"


def table(results: Results) -> str:
    """The table, with what must be known beside it."""
    present = {one.scenario for one in results.measured}
    columns = [column for column in _COLUMNS if column.scenario in present]
    titles: list[str] = ["target"]
    for column in columns:
        titles += [column.title] + ([f"times {column.beside}"] if column.beside else [])
    titles += ["RSS MiB start / peak", "start s"]
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for target in results.targets:
        cells: list[str] = [target]
        for column in columns:
            cells += [_cell(results, column, target)] + ([_factor(results, column, target)] if column.beside else [])
        started = [one for one in results.started if one.target == target and one.processes]
        cells += [_mebibytes(started), f"{median(one.start_s for one in started):.2f}" if started else "-"]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    lines += [f"* {note}" for note in _notes(results)]
    return "\n".join(lines)


def _notes(results: Results) -> list[str]:
    notes = [*results.notes, *(f"{target} was not measured: {why}" for target, why in results.unavailable.items())]
    if any(bound_by_load(results.of(target, "ns16") + results.of(target, "s50")) for target in results.targets[1:]):
        notes.append("a star: the load's own core was at its limit, the target was not; its CPU figures still hold")
    if any(one.processes > 1 for one in results.started):
        notes.append("memory of several processes is their sum, and what they share is counted in each")
    notes += [f"INVALID: {failure}" for failure in results.failures]
    return notes


def as_json(results: Results) -> bytes:
    """All single figures, for another program."""
    content: dict[str, Any] = msgspec.to_builtins(results)
    content["figures"] = [
        {
            "target": one.target,
            "scenario": one.scenario,
            "round": one.round,
            "cpu_us_per_request": one.cpu_us_per_request,
            "cpu_us_per_event": one.cpu_us_per_event,
            "requests_per_s": one.requests_per_s,
            "events_per_s": one.events_per_s,
        }
        for one in results.measured
    ]
    return msgspec.json.format(msgspec.json.encode(content), indent=1)
