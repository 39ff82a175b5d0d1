"""The credentials of each provider, in the order of trying."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from setpoint.records import Provider, ProviderKey


class KeyRing(Struct, frozen=True):
    """Every key that requests may carry upstream."""

    def of(self, provider: Provider) -> tuple[ProviderKey | None, ...]:
        """The keys for this provider; a lone None for one that is asked without any."""
        return provider.keys or (None,)
