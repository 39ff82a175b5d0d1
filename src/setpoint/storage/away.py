"""The one error of a storage that cannot be used now."""

from __future__ import annotations

from setpoint.errors import GatewayError


def away() -> GatewayError:
    """What is raised when the storage is needed and away: the caller may try again."""
    return GatewayError("unavailable", "Service temporarily unavailable", retry_after_s=1)
