"""What a request asks of routing, read out of its body once."""

from __future__ import annotations

from msgspec import Struct

from setpoint.records import Dialect
from setpoint.routing.preferences import Preferences


class Wanted(Struct, frozen=True, kw_only=True):
    """The models in the order of trying, the first being the one that was asked for; the skin; the preferences."""

    models: tuple[str, ...]
    skin: Dialect
    preferences: Preferences = Preferences()
