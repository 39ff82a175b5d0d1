"""What this process counts of its own work: the metrics there are, and what is told to each.

Labels hold what the configuration names, or words of a closed set; what callers made up is `other`.
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from setpoint import __version__
from setpoint.metrics import OTHER, Registry
from setpoint.server.log import dropped_lines

if TYPE_CHECKING:
    from setpoint.records import Generation
    from setpoint.snapshot import SnapshotHolder

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BOTH = {True: "true", False: "false"}


class Recording(Protocol):
    """What is asked of the recorder."""

    @property
    def dropped(self) -> int:
        """How many records will never be in the database."""
        ...

    @property
    def waiting(self) -> int:
        """How many records wait for the database."""
        ...


class Figures:
    """The metrics of one process. `ended` is called for each exchange, the rest is looked up when it is asked for."""

    def __init__(self, snapshots: SnapshotHolder, recorder: Recording) -> None:
        self.registry = registry = Registry()
        self._snapshots = snapshots
        self._requests = registry.counter(
            "setpoint_requests_total",
            "Inference requests that have ended, with the type of the error that they ended with.",
            ("skin", "stream", "status", "error_type"),
            limit=400,
        )
        self._durations = registry.histogram(
            "setpoint_request_duration_seconds",
            "From the start of an inference request to the end of its answer.",
            ("skin", "stream"),
            bounds=_SECONDS,
        )
        self._attempts = registry.counter(
            "setpoint_attempts_total",
            "Tries at providers, by what came of them: answered, or the type of the error.",
            ("provider", "outcome"),
            limit=400,
        )
        self._first_tokens = registry.histogram(
            "setpoint_time_to_first_token_seconds",
            "From the start of a streamed try to the first event with content, of those that answered.",
            ("provider",),
            bounds=_SECONDS,
            limit=100,
        )
        self._tokens = registry.counter(
            "setpoint_tokens_total",
            "Tokens used. Cached and cache_write are part of input, reasoning is part of output.",
            ("provider", "model", "kind"),
            limit=1500,
        )
        self._cost = registry.counter(
            "setpoint_cost_dollars_total",
            "US dollars that answers cost, of those whose cost is known.",
            ("provider", "model"),
            limit=500,
        )
        self._unknown_costs = registry.counter(
            "setpoint_unknown_costs_total",
            "Answers with usage whose cost is not known: no price, or no count by the provider.",
            ("provider", "model"),
            limit=500,
        )
        self._lag = registry.histogram(
            "setpoint_event_loop_lag_seconds",
            "How late the event loop was, asked twenty times a second.",
            bounds=_LAG_SECONDS,
        )
        self._state(recorder)

    def _state(self, recorder: Recording) -> None:
        """The metrics that are looked up."""
        registry, snapshots = self.registry, self._snapshots
        waiting = registry.gauge("setpoint_records_waiting", "Generation records that wait for the database.")
        dropped = registry.counter("setpoint_records_dropped_total", "Generation records that were lost.")
        registry.tally(dropped, lambda: recorder.dropped)
        lines = registry.counter("setpoint_log_lines_dropped_total", "Log lines that nobody took in time.")
        registry.tally(lines, dropped_lines)
        revision = registry.gauge("setpoint_snapshot_revision", "The newest revision that is served.", how="max")
        presets = registry.gauge("setpoint_presets", "Presets, archived ones included.", how="max")
        keys = registry.gauge("setpoint_keys", "API keys, disabled and expired ones included.", how="max")
        workers = registry.gauge("setpoint_workers", "Processes that serve.")
        build = registry.gauge("setpoint_build_info", "Always 1.", ("version", "python"), how="max")
        cpu = registry.counter("setpoint_process_cpu_seconds_total", "CPU time of the processes that serve.")
        registry.tally(cpu, time.process_time)
        memory = registry.gauge("setpoint_process_resident_memory_bytes", "Memory of the processes that serve.")
        files = registry.gauge("setpoint_process_open_fds", "Open files and sockets of the processes that serve.")

        def collect() -> None:
            snapshot = snapshots.current
            waiting.set(recorder.waiting)
            revision.set(snapshot.revision)
            presets.set(len(snapshot.presets))
            keys.set(len(snapshot.keys))
            workers.set(1)
            build.set(1, (__version__, platform.python_version()))
            memory.set(_resident_bytes())
            files.set(_open_files())

        registry.collector(collect)

    def lag(self, late_s: float) -> None:
        """The event loop was so late once."""
        self._lag.observe(late_s)

    def ended(self, one: Generation) -> None:
        """An exchange has ended as this record."""
        stream = _BOTH[one.streamed]
        self._requests.add((one.skin, stream, one.status, one.error_type or "none"))
        if one.generation_ms is not None:
            self._durations.observe(one.generation_ms / 1000, (one.skin, stream))
        for attempt in one.attempts:
            self._attempts.add((attempt.provider, attempt.error or "answered"))
        provider = one.provider or "none"
        first_ms = one.attempts[-1].latency_ms if one.streamed and one.latency_ms is not None and one.attempts else None
        if first_ms is not None:
            self._first_tokens.observe(first_ms / 1000, (provider,))
        if one.usage is not None:
            # A model that nothing names, `<provider>/<whatever>`, has an id of the caller's making.
            model = one.model if one.model in self._snapshots.current.catalog.models else OTHER
            self._used(one, provider, model)

    def _used(self, one: Generation, provider: str, model: str) -> None:
        usage, tokens = one.usage, self._tokens
        if usage is None:
            return
        tokens.add((provider, model, "input"), usage.input_tokens)
        tokens.add((provider, model, "output"), usage.output_tokens)
        if usage.cached_tokens:
            tokens.add((provider, model, "cached"), usage.cached_tokens)
        if usage.cache_write_tokens:
            tokens.add((provider, model, "cache_write"), usage.cache_write_tokens)
        if usage.reasoning_tokens:
            tokens.add((provider, model, "reasoning"), usage.reasoning_tokens)
        cost = one.cost.total if one.cost is not None else one.provider_cost
        if cost is None:
            self._unknown_costs.add((provider, model))
        else:
            self._cost.add((provider, model), float(cost))


def _resident_bytes() -> int:
    """The memory of this process that is in RAM; where only its peak can be had, that."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _open_files() -> int:
    """The open files of this process; the folder's size is their number where the kernel says it (Linux 6.2)."""
    for folder in (Path("/proc/self/fd"), Path("/dev/fd")):
        try:
            return folder.stat().st_size or sum(1 for _ in folder.iterdir())
        except OSError:
            continue
    return 0
