"""Catalogs and standings as tests of routing make them, and a plan with dice that fall all alike."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from setpoint.routing.catalog import Catalog
from setpoint.routing.keyring import KeyRing
from setpoint.routing.plan import Plan, plan
from setpoint.routing.standing import NothingKnown, Standing, Standings
from setpoint.routing.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from setpoint.records import Endpoint, Exclusion, Model
    from setpoint.routing.plan import Refusal
    from setpoint.routing.standing import Held


def catalog(*models: Model, offers: dict[str, Endpoint] | None = None) -> Catalog:
    """A catalog of these models."""
    return Catalog(
        models=MappingProxyType({model.id: model for model in models}),
        providers=MappingProxyType({one.provider.slug: one.provider for model in models for one in model.endpoints}),
        aliases=MappingProxyType({alias: model for model in models for alias in model.aliases}),
        offers=offers or {},
    )


class Known:
    """Standings by a table: those of endpoints by their tags, what is held back by tag and key, and who is full."""

    def __init__(
        self,
        standings: Mapping[str, Standing],
        held: Mapping[tuple[str, str | None], Held] | None = None,
        full: Container[str] = (),
    ) -> None:
        self._standings = standings
        self._held = held or {}
        self._full = full

    def of(self, endpoint: str) -> Standing | None:
        return self._standings.get(endpoint.rsplit(maxsplit=1)[-1])

    def held_back(self, endpoint: str, key_id: str | None) -> Held | None:
        return self._held.get((endpoint.rsplit(maxsplit=1)[-1], key_id))

    def full(self, endpoint: Endpoint) -> bool:
        assert endpoint.limited, "only these are asked for"
        return endpoint.tag in self._full


def evenly() -> float:
    """Dice that leave all that have the same share in the order of the file."""
    return 0.5


def planned(
    world: Catalog,
    *models: str,
    standings: Standings | None = None,
    dice: Callable[[], float] = evenly,
    refusal: Refusal | None = None,
    keys: KeyRing | None = None,
    **more: Any,
) -> Plan:
    """The plan for a chat request for these models."""
    everything: dict[str, Any] = {"models": models, "skin": "chat"}
    wanted = Wanted(**(everything | more))
    return plan(wanted, world, keys or KeyRing(), standings or NothingKnown(), dice, refusal=refusal)


def places(plan: Plan) -> list[tuple[str, str]]:
    """The tags of a plan in their order, each with the reason."""
    return [(one.tag, one.reason) for one in plan.endpoints]


def tags(plan: Plan) -> list[str]:
    """The tags of a plan in their order."""
    return [one.tag for one in plan.endpoints]


def left_out(plan: Plan) -> dict[str, Exclusion]:
    """Why each that is excluded is so, by tag; a provider that nobody is by its name."""
    return {one.tag or one.provider: one.reason for one in plan.excluded}
