"""Part `idle`: ten thousand clients that keep a connection open and say nothing.

Health and inference answer beside them, each costs little memory and the process next to no time, and all is given
back when they go: a second crowd of them finds as much room as the first.
"""

from __future__ import annotations

import resource
import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from bench.machine import cpu_s, tree
from bench.requests import Request, chat_body, model
from bench.tools import Load, Order, run_load
from soak.gateway import MIB, Size, gateway_under_test
from soak.part import Finding
from support.http import call

if TYPE_CHECKING:
    from soak.gateway import Under
    from soak.part import Progress

_SPARE_FILES = 1_000
_LOAD_S = 3.0
_IDLE_S = 3.0
_QUIET_S = 0.5
_CALLS = 50
_RELEASE_S = 30
_OK = 200
_MOST_BYTES = 20_000
_MOST_SHARE = 0.2
_MOST_GROWTH = 0.05
_SPARE_RSS = 2 * MIB
_HEALTH = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Crowd(NamedTuple):
    """What was seen while one crowd of idle clients was there."""

    before: Size
    during: Size
    after: Size
    idle_share: float
    """Of one core, while nobody asked anything."""
    load: Load
    health_ms: list[float]


def run(goal: int, progress: Progress) -> list[Finding]:
    """Two crowds of so many connections, one after the other."""
    _allow_files(goal + _SPARE_FILES)
    settings = {"max_connections": goal + _SPARE_FILES, "keep_alive_timeout_s": 3600, "log_level": "warning"}
    progress.folder.mkdir(parents=True, exist_ok=True)
    with gateway_under_test(progress.folder, ["whole-0"], settings) as under:
        request = Request("/api/v1/chat/completions", chat_body(model("whole-0"), streamed=False))
        order = Order(request.write(progress.folder, "plain"), status=200, pieces=1)
        alone = run_load(under.tools, under.port, [order], connections=4, seconds=_LOAD_S)
        crowds = [_crowd(under, order, goal) for _ in range(2)]
    progress.step(goal - progress.done)
    return _findings(goal, alone, *crowds)


def _allow_files(needed: int) -> None:
    """Let this process, and what it starts, have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(hard, needed)))
        except ValueError:
            raise RuntimeError(f"needs {needed} open files in one process: ulimit -n {needed}") from None


def _crowd(under: Under, order: Order, connections: int) -> Crowd:
    time.sleep(_QUIET_S)  # the clients of before have gone
    before = under.size()
    idle = [_idle_client(under.port) for _ in range(connections)]
    try:
        during = under.size()
        pids = tree(under.gateway.pid)
        used = cpu_s(pids)
        time.sleep(_IDLE_S)
        share = (cpu_s(pids) - used) / _IDLE_S
        load = run_load(under.tools, under.port, [order], connections=4, seconds=_LOAD_S)
        health_ms = [_health_ms(under.gateway.origin) for _ in range(_CALLS)]
        for client in idle[:: max(1, connections // 100)]:
            _ask_health(client)  # none of them was closed in the meantime
    finally:
        for client in idle:
            client.close()
    until = time.monotonic() + _RELEASE_S
    while (after := under.size()).files > before.files and time.monotonic() < until:
        time.sleep(0.1)
    return Crowd(before, during, after, share, load, health_ms)


def _idle_client(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    _ask_health(client)
    return client


def _ask_health(client: socket.socket) -> None:
    client.sendall(_HEALTH)
    said = client.recv(65_536)
    if not said.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"an idle client was told {said[:100]!r}")


def _health_ms(origin: str) -> float:
    started = time.monotonic()
    assert call("GET", f"{origin}/health").status == _OK
    return (time.monotonic() - started) * 1000


def _findings(connections: int, alone: Load, first: Crowd, second: Crowd) -> list[Finding]:
    each = (first.during.rss - first.before.rss) / connections
    grown = second.during.rss - first.during.rss
    failed = [alone.failed, first.load.failed, second.load.failed]
    return [
        Finding(
            "connections held, by open files",
            f"{first.during.files - first.before.files:,} and {second.during.files - second.before.files:,}",
            f"{connections:,}",
            holds=all(crowd.during.files - crowd.before.files >= connections for crowd in (first, second)),
        ),
        Finding("memory for each", f"{each:,.0f} bytes", f"{_MOST_BYTES:,} at most", holds=each <= _MOST_BYTES),
        Finding(
            "of one core while all are idle",
            f"{max(first.idle_share, second.idle_share):.1%}",
            f"{_MOST_SHARE:.0%} at most",
            holds=max(first.idle_share, second.idle_share) <= _MOST_SHARE,
        ),
        Finding(
            "inference beside them, p99, and without them",
            f"{first.load.p99_us / 1000:.1f} ms, {alone.p99_us / 1000:.1f} ms",
            "no failure",
            holds=not any(failed) and first.load.answered > 0,
        ),
        Finding("health beside them, the slowest", f"{max(first.health_ms):.1f} ms", "every answer 200", holds=True),
        Finding(
            "open files when they have gone",
            f"{first.after.files} and {second.after.files}",
            f"{first.before.files} at most",
            holds=max(first.after.files, second.after.files) <= first.before.files,
        ),
        Finding(
            "memory with the second crowd, beside the first",
            f"{second.during.rss / MIB:.1f} and {first.during.rss / MIB:.1f} MiB",
            f"{_MOST_GROWTH:.0%} more at most",
            holds=grown <= max(_SPARE_RSS, first.during.rss * _MOST_GROWTH),
        ),
    ]
