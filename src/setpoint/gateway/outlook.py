"""What plans are told of endpoints as they are just now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setpoint.gateway.admission import Admission
    from setpoint.routing.health import Health


class Outlook:
    """The standings of this worker: how endpoints do by its health, and which are full by its admission."""

    __slots__ = ("full", "held_back", "of")

    def __init__(self, health: Health, admission: Admission) -> None:
        # The methods themselves: a plan asks for each endpoint, and one more call would cost as much as the answer.
        self.of = health.of
        self.held_back = health.held_back
        self.full = admission.full
