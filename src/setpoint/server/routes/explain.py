"""What would become of a request, over HTTP, in three skins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

from setpoint.presets.origin import Origin
from setpoint.protocols.money import money
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import Excluded
from setpoint.server.operation import Named, described
from setpoint.server.respond import Response
from setpoint.server.routes.kinds import Anything, One
from setpoint.wire.body import raw

if TYPE_CHECKING:
    from decimal import Decimal

    from setpoint.gateway.admission import Admission
    from setpoint.gateway.explain import Explained
    from setpoint.gateway.pipeline import Pipeline
    from setpoint.records import Dialect
    from setpoint.server.request import Request
    from setpoint.server.router import Handler
    from setpoint.server.routes.inference import Exchanges


class NamedVersion(TypedDict):
    """A version of a preset."""

    slug: str
    version: int


class PlannedEndpoint(TypedDict):
    """An endpoint, in which place it would be tried, and why there."""

    provider: str
    model: str
    tag: str
    position: int
    reason: str


class EstimatedCost(TypedDict):
    """US dollars between which an answer should cost."""

    min: str
    max: str


class Explanation(TypedDict):
    """What would become of a request. `effective` is its body with the preset under it."""

    preset: NamedVersion | None
    effective: Anything
    origin: dict[str, Origin]
    system_prompt_from: Literal["preset", "request", "both"] | None
    endpoints: list[PlannedEndpoint]
    excluded: tuple[Excluded, ...]
    not_honoured: tuple[str, ...]
    unsaid: dict[str, tuple[str, ...]]
    refused: dict[str, str]
    estimated_cost: EstimatedCost | None


class Explain:
    """The handlers of the routes that explain. They take a place as the inference routes do: it is as much work."""

    def __init__(self, pipeline: Pipeline, admission: Admission, exchanges: Exchanges) -> None:
        self._pipeline = pipeline
        self._admission = admission
        self._exchanges = exchanges

    def skin(self, name: Dialect) -> Handler:
        """The handler of a skin's route: POST /explain/chat/completions, /explain/messages or /explain/responses."""
        skin = PROTOCOLS[name]

        @described(
            "What would become of this request",
            group="Explain",
            body=Named(f"{name.capitalize()}Request", skin.schema(creating=False)),
            answer=One[Explanation],
        )
        async def handle(request: Request) -> Response:
            self._admission.check()
            data = await request.read()
            with self._admission.enter():
                exchange = await self._exchanges.read(request, skin, data)
                told = await self._pipeline.explain(exchange)
                return Response(200, await request.aside(exchange.size, lambda: bytes(raw({"data": _explained(told)}))))

        return handle


def _explained(told: Explained) -> Explanation:
    preset, cost = told.preset, told.estimated_cost
    return {
        "preset": {"slug": preset[0], "version": preset[1]} if preset is not None else None,
        "effective": told.effective,
        "origin": told.origin,
        "system_prompt_from": told.system_prompt_from,
        "endpoints": [
            {"provider": one.provider, "model": one.model, "tag": one.tag, "position": place, "reason": one.reason}
            for place, one in enumerate(told.endpoints, 1)
        ],
        "excluded": told.excluded,
        "not_honoured": told.not_honoured,
        "unsaid": told.unsaid,
        "refused": told.refused,
        "estimated_cost": {"min": _dollars(cost.min), "max": _dollars(cost.max)} if cost is not None else None,
    }


def _dollars(amount: Decimal) -> str:
    return bytes(money(amount)).decode()
