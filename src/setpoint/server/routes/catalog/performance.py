"""How an endpoint has done of late, as clients are shown it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from setpoint.routing.standing import Percentiles


class Performance(Struct, frozen=True, kw_only=True):
    """Uptime in percent, rate limits left out; the time to the first token in milliseconds and output tokens per second
    over 30 minutes. None: too little is known. `status` is 0, and below that when requests avoid it just now.
    """

    status: int = 0
    uptime_5m: float | None = None
    uptime_30m: float | None = None
    uptime_1d: float | None = None
    latency_ms: Percentiles | None = None
    throughput: Percentiles | None = None


NOTHING_KNOWN = Performance()

Performances = Mapping[str, Performance]
"""By the keys of endpoints."""
