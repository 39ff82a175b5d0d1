"""The parts of the soak, one row each: what, how much, in what time at most."""

from __future__ import annotations

from soak import idle, memory
from soak.part import Part

PARTS: tuple[Part, ...] = (
    Part("memory", "requests", 1_000_000, 2 * 3600, memory.run),
    Part("idle", "connections", 10_000, 600, idle.run),
)
