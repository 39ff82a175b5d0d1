"""Part `memory`: does the process grow with the number of requests that it has answered?

All kinds of requests in turn: whole and streamed, by model and by preset, of two skins, refused, failed upstream, and
left by the client in the middle. What has grown when the first tenth is behind, and not later, is warm-up: caches and
pools that fill up. It cannot go on where it was ended, because what it looks at ends with the process.
"""

from __future__ import annotations

import shutil
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.requests import Request, chat_body, model
from bench.tools import Order, run_load
from soak.gateway import MIB, Size, gateway_under_test
from soak.part import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from soak.gateway import Under
    from soak.part import Progress

_BEHAVIOURS = ("whole-0", "stream-8-0", "stream-20-5", "status-400")
_CONNECTIONS = 8
_SLICES = 100
_WARM_UP = _SLICES // 10
_QUIET_S = 0.3
_SLICE_TIMEOUT_S = 900
_MOST_DRIFT = 0.02

_CHAT, _MESSAGES = "/api/v1/chat/completions", "/api/v1/messages"


def _messages_body(behaviour: str, *, streamed: bool) -> dict[str, Any]:
    conversation = [{"role": "user", "content": "Hello"}]
    return {"model": model(behaviour), "max_tokens": 64, "messages": conversation, "stream": streamed}


def _orders(folder: Path) -> list[Order]:
    """The mix, one round of it."""
    plain = chat_body(model("whole-0"), streamed=False)
    streamed = chat_body(model("stream-8-0"), streamed=True)
    preset = {"model": "@preset/soak", "messages": [{"role": "user", "content": "Hello"}]}
    requests: list[tuple[Request, int, int, int]] = [
        (Request(_CHAT, plain), 200, 1, 0),
        (Request(_CHAT, streamed), 200, 8, 0),
        (Request(_CHAT, preset), 200, 1, 0),
        (Request(_MESSAGES, _messages_body("whole-0", streamed=False)), 200, 1, 0),
        (Request(_CHAT, chat_body(model("stream-20-5"), streamed=True)), 200, 20, 3),
        (Request(_CHAT, plain), 200, 1, 0),
        (Request(_MESSAGES, _messages_body("stream-8-0", streamed=True)), 200, 8, 0),
        (Request(_CHAT, {**plain, "model": "no/such"}), 400, 0, 0),
        (Request(_CHAT, chat_body(model("status-400"), streamed=False)), 400, 0, 0),
        (Request(_CHAT, {**plain, "temperature": "hot"}), 400, 0, 0),
    ]
    return [
        Order(request.write(folder, f"order-{index}"), status, pieces, cancel)
        for index, (request, status, pieces, cancel) in enumerate(requests)
    ]


def _slice(under: Under, orders: list[Order], requests: int) -> Size:
    """How large the gateway is after so many more requests."""
    load = run_load(
        under.tools,
        under.port,
        orders,
        connections=_CONNECTIONS,
        requests=requests,
        timeout_s=_SLICE_TIMEOUT_S,
    )
    if load.failed:
        raise RuntimeError(f"{load.failed} answers were not as ordered: {load.first_failure}")
    time.sleep(_QUIET_S)  # connections are closed and records written behind the last answer
    return under.size()


def run(goal: int, progress: Progress) -> list[Finding]:
    """So many requests to one process, and its size after each hundredth of them."""
    progress.forget()
    shutil.rmtree(progress.folder, ignore_errors=True)
    progress.folder.mkdir(parents=True)
    orders = _orders(progress.folder)
    sizes: list[Size] = []
    with gateway_under_test(progress.folder, _BEHAVIOURS, {"log_level": "warning"}) as under:
        body = chat_body(model("whole-0"), streamed=False)
        captured = under.gateway.call("POST", "/presets/soak/chat/completions", body)
        assert captured.status in (200, 201), captured.body
        while len(sizes) < _SLICES and not progress.time_is_up:
            requests = goal * (len(sizes) + 1) // _SLICES - progress.done
            sizes.append(_slice(under, orders, requests))
            progress.step(requests, sizes=sizes)
    shutil.rmtree(progress.folder, ignore_errors=True)  # a million records
    return _findings(sizes) if len(sizes) > 3 * _WARM_UP else []


def _findings(sizes: list[Size]) -> list[Finding]:
    first, last = sizes[_WARM_UP : 2 * _WARM_UP], sizes[-_WARM_UP:]
    before, after = median(size.rss for size in first), median(size.rss for size in last)
    drift = after / before - 1
    files = [max(size.files for size in some) for some in (first, last)]
    threads = [max(size.threads for size in some) for some in (first, last)]
    return [
        Finding(
            "memory behind the first tenth, and at the end",
            f"{before / MIB:.1f} and {after / MIB:.1f} MiB, {drift:+.2%}",
            f"{_MOST_DRIFT:.0%} more at most",
            holds=drift <= _MOST_DRIFT,
        ),
        Finding(
            "open files",
            f"{files[0]} and {files[1]}",
            f"{_CONNECTIONS} more at most, which may wait in a pool",
            holds=files[1] <= files[0] + _CONNECTIONS,
        ),
        Finding("threads", f"{threads[0]} and {threads[1]}", "not more", holds=threads[1] <= threads[0]),
    ]
