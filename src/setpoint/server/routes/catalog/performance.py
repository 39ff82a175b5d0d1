"""How endpoints have done of late, as clients are shown it: what all workers saw, taken together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from setpoint.routing.rolling import percentiles
from setpoint.routing.standing import Percentiles
from setpoint.routing.vitals import Shown, summed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.coordination.board import Slot
    from setpoint.routing.health import Health

_EVERY_S = 1.0
# Of so few tries nobody can say how well an endpoint does.
_FEW = 10
_OPEN, _UNSTABLE = -5, -2

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(dict[str, Shown]).decode


class Performance(Struct, frozen=True, kw_only=True):
    """Uptime in percent, rate limits left out; the time to the first token in milliseconds and output tokens per second
    over 30 minutes. None: too little is known. `status` is 0, and below that when this worker avoids it just now.
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


class Observed:
    """What the workers of a server have seen of endpoints. Each writes its own slot, `index` being this one's."""

    def __init__(self, health: Health, slots: Sequence[Slot], index: int) -> None:
        self._health = health
        self._slot = slots[index]
        self._others = [slot for at, slot in enumerate(slots) if at != index]

    async def keep_up(self) -> None:
        """Write for the others what this worker has seen, about once a second. Never returns."""
        while self._others:
            packed = _pack(self._health.shown())
            if len(packed) <= self._slot.most_bytes:  # else the others go on with what they know
                self._slot.write(packed)
            await asyncio.sleep(_EVERY_S)

    def __call__(self) -> Performances:
        """How every endpoint does that was asked within a day."""
        seen = [self._health.shown(), *(_unpack(packed) for slot in self._others if (packed := slot.read()))]
        keys = dict.fromkeys(key for one in seen for key in one)
        return {key: self._performance(key, summed(one[key] for one in seen if key in one)) for key in keys}

    def _performance(self, key: str, shown: Shown) -> Performance:
        standing = self._health.of(key)
        latency = percentiles(shown.latency_s)
        return Performance(
            status=0 if standing is None else _OPEN if standing.open else 0 if standing.stable else _UNSTABLE,
            uptime_5m=_uptime(*shown.minutes_5),
            uptime_30m=_uptime(*shown.minutes_30),
            uptime_1d=_uptime(*shown.day),
            latency_ms=None if latency is None else _milliseconds(latency),
            throughput=percentiles(shown.throughput),
        )


def _uptime(well: int, badly: int) -> float | None:
    tries = well + badly
    return None if tries < _FEW else round(100 * well / tries, 2)


def _milliseconds(seconds: Percentiles) -> Percentiles:
    return Percentiles(*(round(1_000 * value, 1) for value in (seconds.p50, seconds.p75, seconds.p90, seconds.p99)))
