"""What is asked of every target: one row a scenario."""

from __future__ import annotations

from typing import NamedTuple


class Scenario(NamedTuple):
    """So many connections that ask for one behaviour of the upstream (native/upstream.c), again and again."""

    name: str
    behaviour: str
    pieces: int
    """Pieces of text in one answer, that is events; 1 for a whole answer."""
    connections: int
    seconds: float
    quick_seconds: float
    """In the quick run. 0: not there."""
    what: str

    @property
    def streamed(self) -> bool:
        """Whether the answer comes in events."""
        return self.behaviour.startswith("stream")

    @property
    def paced(self) -> bool:
        """Whether the upstream takes its time, so that the gateway is not at its limit."""
        return not self.behaviour.endswith("-0")


SCENARIOS = (
    Scenario("ns16", "whole-0", 1, 16, 2.0, 0.8, "whole answers at once, 16 connections: the most requests"),
    Scenario("ns1", "whole-0", 1, 1, 1.5, 0.5, "whole answers at once, one connection: latency"),
    Scenario("ns16d", "whole-50", 1, 16, 2.5, 0.6, "whole answers after 50 ms, 16 connections"),
    Scenario("s50", "stream-50-0", 50, 16, 2.0, 0.8, "streams of 50 events back to back, 16 connections"),
    Scenario("s200", "stream-200-0", 200, 16, 2.0, 0, "streams of 200 events back to back, 16 connections"),
    Scenario("s50d", "stream-50-20", 50, 32, 3.0, 1.0, "32 streams, one event every 20 ms each: all arrive alone"),
)
BEHAVIOURS = tuple(dict.fromkeys(scenario.behaviour for scenario in SCENARIOS))
