"""With which of its provider's keys an endpoint is tried, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.records import ProviderKey
from setpoint.routing.bounds import is_named

if TYPE_CHECKING:
    from setpoint.records import Endpoint, Model
    from setpoint.routing.draw import Chance
    from setpoint.routing.standing import Standings


Keys = Sequence[ProviderKey | None]


class KeysByUse(Struct, frozen=True):
    """The keys that may be used; those whose provider wants a pause of them here; those that it has refused."""

    ready: Keys
    cooling: Keys = ()
    refused: Keys = ()


def for_model(keys: Keys, own: Sequence[ProviderKey], model: Model, chance: Chance) -> Keys:
    """The keys that are for this model. The provider's own share the load by weight, in front of others."""
    if len(keys) == 1 and (keys[0] is None or keys[0].models is None):
        return keys
    meant = [key for key in keys if key is None or key.models is None or is_named(model, key.models)]
    shared = [key for key in meant if key is not None and any(key is one for one in own)]
    if len(shared) < 2:
        return meant
    shared.sort(key=lambda key: chance.wait(key, key.weight))
    return [*shared, *(key for key in meant if key is None or all(key is not one for one in shared))]


def retaining_nothing(keys: Keys, endpoint: Endpoint) -> Keys:
    """The keys with which this endpoint retains nothing: what is said of a key's account goes before what is of it."""
    return [key for key in keys if (endpoint.zdr if key is None or key.zdr is None else key.zdr)]


def by_use(keys: Keys, endpoint: Endpoint, standings: Standings) -> KeysByUse:
    """The keys by what can be done with them now."""
    ready: list[ProviderKey | None] = []
    cooling: list[ProviderKey | None] = []
    refused: list[ProviderKey | None] = []
    for key in keys:
        match standings.held_back(endpoint.key, key.id if key is not None else None):
            case None:
                ready.append(key)
            case "cooling":
                cooling.append(key)
            case "refused":
                refused.append(key)
    return KeysByUse(ready, cooling, refused)
