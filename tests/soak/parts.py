"""The parts of the soak, one row each: what, how much, in what time at most."""

from __future__ import annotations

from soak import fire, idle, memory, records
from soak.part import Part

PARTS: tuple[Part, ...] = (
    Part("memory", "requests", 1_000_000, 2 * 3600, memory.run),
    Part("idle", "connections", 10_000, 600, idle.run),
    Part("records", "records", 1_000_000, 1800, records.run),
    Part("kills", "kills", 1_000, 2 * 3600, fire.kills),
    Part("chaos", "requests", 100_000, 2 * 3600, fire.chaos),
    Part("markers", "streams", 10_000, 900, fire.markers),
    Part("visibility", "writes", 900, 900, fire.visibility),
)
