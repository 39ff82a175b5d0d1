"""How much of a client's HTTP is taken, and how long it is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from setpoint.settings import Settings


class HttpLimits(Struct, frozen=True, kw_only=True):
    """Bounds on one client connection, and on how many there are. Sizes of heads count the request line too."""

    max_header_bytes: int
    max_headers: int
    max_body_bytes: int
    max_connections: int
    header_timeout_s: float
    body_timeout_s: float
    write_timeout_s: float
    keep_alive_timeout_s: float

    @staticmethod
    def of(settings: Settings, *, max_connections: int | None = None) -> HttpLimits:
        """The limits that the settings say; `max_connections` where the system allows fewer."""
        return HttpLimits(
            max_header_bytes=settings.max_header_bytes,
            max_headers=settings.max_headers,
            max_body_bytes=settings.max_body_bytes,
            max_connections=settings.max_connections if max_connections is None else max_connections,
            header_timeout_s=settings.header_timeout_s,
            body_timeout_s=settings.body_timeout_s,
            write_timeout_s=settings.write_timeout_s,
            keep_alive_timeout_s=settings.keep_alive_timeout_s,
        )
