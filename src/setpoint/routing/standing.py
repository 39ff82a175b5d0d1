"""What a plan may know of the health of endpoints: asked for by an endpoint's key, never kept here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from setpoint.records import Endpoint

Held = Literal["cooling", "refused"]
"""Why a candidate should not be asked just now: its provider wants a pause of it, or does not take its key."""


class Percentiles(Struct, frozen=True):
    """A rolling distribution of the last five minutes."""

    p50: float
    p75: float
    p90: float
    p99: float


class Standing(Struct, frozen=True, kw_only=True):
    """How an endpoint does. `stable`: no significant outage in the last 30 s; `open`: its breaker lets nothing through.

    `latency_s` is to the first token, in seconds; `throughput` in output tokens per second; None: too little is known.
    """

    stable: bool = True
    open: bool = False
    latency_s: Percentiles | None = None
    throughput: Percentiles | None = None


class Standings(Protocol):
    """Whoever knows how endpoints do."""

    def of(self, endpoint: str) -> Standing | None:
        """How the endpoint of this key does; None when nothing is known but good."""
        ...

    def held_back(self, endpoint: str, key_id: str | None) -> Held | None:
        """Why this endpoint should not be asked with this provider key just now; None when it may be."""
        ...

    def full(self, endpoint: Endpoint) -> bool:
        """Whether this endpoint, whose requests are limited, has as many of them as it may have at once."""
        ...


class NothingKnown:
    """The standings of a server that has just begun."""

    def of(self, endpoint: str) -> None:
        """Nothing."""

    def held_back(self, endpoint: str, key_id: str | None) -> None:
        """Nothing."""

    def full(self, endpoint: Endpoint) -> bool:  # noqa: ARG002 a protocol's signature
        """Nothing has been sent to it."""
        return False
