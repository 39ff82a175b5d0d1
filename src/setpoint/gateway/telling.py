"""What endpoints can be told of a request, before any of them is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import RequestError
from setpoint.protocols.forward import likeness

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from setpoint.gateway.exchange import Exchange
    from setpoint.gateway.relay import Relay
    from setpoint.records import Dialect, Endpoint, Exclusion
    from setpoint.routing.placing import Candidate
    from setpoint.routing.plan import Plan


class Telling:
    """Whether endpoints can be told all that a request asks for, and what the last that refused to be told said."""

    def __init__(self, exchange: Exchange, relay: Relay) -> None:
        self._exchange = exchange
        self._relay = relay
        self._known: dict[Hashable, Exclusion | None] = {}
        self.refused: RequestError | None = None

    def refusal(self, endpoint: Endpoint, dialect: Dialect) -> Exclusion | None:
        """Why an endpoint cannot be told all; None when nothing has to be left out. Endpoints alike are asked once."""
        alike = likeness(endpoint, dialect)
        if alike not in self._known:
            self._known[alike] = self._asked(endpoint, dialect)
        return self._known[alike]

    def _asked(self, endpoint: Endpoint, dialect: Dialect) -> Exclusion | None:
        try:
            unsaid = self._relay.lower(self._exchange, endpoint, dialect).unsaid
        except RequestError as error:
            self.refused = error
            return "dialect"
        return None if all(pointer.startswith(_NO_PARAMETERS) for pointer in unsaid) else "require_parameters"


# What no endpoint runs, and what is no parameter of the model's.
_NO_PARAMETERS = ("/plugins/", "/transforms", "/provider/")


def each_endpoint(planned: Plan) -> Iterable[Candidate]:
    """The first candidate of every endpoint that has a place: the others of it differ in their keys."""
    placed = {(one.provider, one.model, one.tag) for one in planned.endpoints}
    first: dict[tuple[str, str], Candidate] = {}
    for candidate in planned.candidates:
        endpoint, model = candidate.endpoint, candidate.model
        if (endpoint.provider.slug, model.id, endpoint.tag) in placed:
            first.setdefault((model.id, endpoint.key), candidate)
    return first.values()
