"""What of this process is looked up when somebody asks for its metrics: how much there is of everything."""

from __future__ import annotations

import platform
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from urllib.parse import urlsplit

from setpoint import __version__
from setpoint.coordination.board import Happening
from setpoint.gateway.admission import Shed
from setpoint.metrics import OTHER
from setpoint.server.connection.connections import Phase
from setpoint.server.telemetry.log import dropped_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.coordination.board import Board
    from setpoint.gateway.admission import Admission
    from setpoint.gateway.contents import Contents
    from setpoint.gateway.lag import LoopLag
    from setpoint.metrics import Registry
    from setpoint.providers.client import HttpClient, Origin
    from setpoint.records import Provider
    from setpoint.routing.health import Health
    from setpoint.server.connection.connections import Connections
    from setpoint.snapshot import SnapshotHolder
    from setpoint.storage.contents import ContentRecorder
    from setpoint.storage.recorder import Recorder
    from setpoint.storage.retention import Retention
    from setpoint.storage.spool import Spool

_HTTPS, _HTTP = 443, 80


def look_up_work(registry: Registry, admission: Admission, lag: LoopLag) -> None:
    """How much is in work, and how much was too much."""
    in_flight = registry.gauge("setpoint_requests_in_flight", "Inference requests in work.")
    at_provider = registry.gauge(
        "setpoint_provider_requests_in_flight", "Those of them that are at a provider.", ("provider",)
    )
    late = registry.gauge("setpoint_event_loop_late_seconds", "The mean lateness of the last half second.", how="max")
    shed = registry.counter("setpoint_requests_shed_total", "Inference requests that got no place.", ("reason",))
    for reason in get_args(Shed):
        registry.tally(shed, lambda reason=reason: admission.shed[reason], (reason,))

    def collect() -> None:
        in_flight.set(admission.in_work)
        late.set(lag.lag_s)
        at_provider.clear()
        for provider, held in admission.held.items():
            at_provider.set(held, (provider,))

    registry.collector(collect)


def look_up_storage(registry: Registry, snapshots: SnapshotHolder, recorder: Recorder, spool: Spool) -> None:
    """What is known here, and what has not got to the database yet."""
    waiting = registry.gauge("setpoint_records_waiting", "Generation records that wait for the database.")
    dropped = registry.counter("setpoint_records_dropped_total", "Generation records that were lost.")
    registry.tally(dropped, lambda: recorder.dropped)
    depth = registry.gauge("setpoint_spool_bytes", "The size of the files that hold what waits for the database.")
    revision = registry.gauge("setpoint_snapshot_revision", "The newest revision that is served.", how="max")
    presets = registry.gauge("setpoint_presets", "Presets, archived ones included.", how="max")
    keys = registry.gauge("setpoint_keys", "API keys, disabled and expired ones included.", how="max")

    def collect() -> None:
        snapshot = snapshots.current
        waiting.set(recorder.waiting)
        depth.set(spool.bytes)
        revision.set(snapshot.revision)
        presets.set(len(snapshot.presets))
        keys.set(len(snapshot.keys))

    registry.collector(collect)


def look_up_retention(registry: Registry, retention: Retention) -> None:
    """What is deleted because it has been kept as long as it was to be."""
    deleted = registry.counter("setpoint_kept_rows_deleted_total", "Records and contents that were too old.")
    registry.tally(deleted, lambda: retention.deleted)
    steps = registry.counter("setpoint_retention_steps_total", "The steps in which they were deleted.")
    registry.tally(steps, lambda: retention.steps)


def look_up_contents(registry: Registry, contents: Contents, recorder: ContentRecorder) -> None:
    """What of prompts and answers was to be kept, and is not."""
    dropped = registry.counter("setpoint_contents_dropped_total", "Prompts and answers that were to be kept.")
    registry.tally(dropped, lambda: contents.dropped + recorder.dropped)


def look_up_upstream(registry: Registry, snapshots: SnapshotHolder, client: HttpClient) -> None:
    """The connections to providers."""
    pool = registry.gauge("setpoint_upstream_connections", "Connections to providers.", ("provider", "state"))

    def collect() -> None:
        slugs = _origins(snapshots.current.catalog.providers.values())
        pool.clear()
        counts: dict[str, tuple[int, int]] = {}
        for origin, (in_use, idle) in client.pool().items():
            slug = slugs.get(origin, OTHER)
            before = counts.get(slug, (0, 0))
            counts[slug] = (before[0] + in_use, before[1] + idle)
        for slug, (in_use, idle) in counts.items():
            pool.set(in_use, (slug, "in_use"))
            pool.set(idle, (slug, "idle"))

    registry.collector(collect)


def look_up_breakers(registry: Registry, health: Health) -> None:
    """What is known of the health of providers."""
    breakers = registry.gauge(
        "setpoint_provider_breakers_open", "Endpoints that are not asked, or by a probe only.", ("provider",)
    )

    def collect() -> None:
        breakers.clear()
        for provider, count in health.open_breakers().items():
            breakers.set(count, (provider,))

    registry.collector(collect)


def look_up_clients(registry: Registry, connections: Connections) -> None:
    """The connections of clients."""
    open_ = registry.gauge("setpoint_client_connections", "Connections of clients, by what each is at.", ("state",))

    def collect() -> None:
        phases = connections.phases()
        for phase in get_args(Phase):
            open_.set(phases[phase], (phase,))

    registry.collector(collect)


def look_up_process(registry: Registry, board: Board) -> None:
    """The process itself, and those beside it."""
    workers = registry.gauge("setpoint_workers", "Processes that serve.")
    restarts = registry.counter("setpoint_worker_restarts_total", "Workers that were replaced.", how="max")
    reloads = registry.counter("setpoint_reloads_total", "Readings of a newer configuration.", ("outcome",), how="max")
    build = registry.gauge("setpoint_build_info", "Always 1.", ("version", "python"), how="max")
    cpu = registry.counter("setpoint_process_cpu_seconds_total", "CPU time of the processes that serve.")
    registry.tally(cpu, time.process_time)
    memory = registry.gauge("setpoint_process_resident_memory_bytes", "Memory of the processes that serve.")
    files = registry.gauge("setpoint_process_open_fds", "Open files and sockets of the processes that serve.")
    lines = registry.counter("setpoint_log_lines_dropped_total", "Log lines that nobody took in time.")
    registry.tally(lines, dropped_lines)

    def collect() -> None:
        workers.set(1)
        restarts.reach(board.counted(Happening.RESTART))
        reloads.reach(board.counted(Happening.RELOAD), ("applied",))
        reloads.reach(board.counted(Happening.REFUSED_RELOAD), ("refused",))
        build.set(1, (__version__, platform.python_version()))
        memory.set(_resident_bytes())
        files.set(_open_files())

    registry.collector(collect)


def _origins(providers: Iterable[Provider]) -> dict[Origin, str]:
    """Whose connections those to an origin are; of several that share one, the first."""
    slugs: dict[Origin, str] = {}
    for provider in providers:
        parts = urlsplit(provider.base_url)
        port = parts.port or (_HTTPS if parts.scheme == "https" else _HTTP)
        slugs.setdefault((parts.hostname or "", port), provider.slug)
    return slugs


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
