"""Where a request may go, in order: its models, each with the endpoints that may serve it. A pure function.

Every endpoint of every model that was asked for is in the plan once: in `endpoints` with the reason for its place, or
in `excluded` with the reason why it cannot serve. Endpoints are tried in the order of the file, unless the caller
orders them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.records import Dialect, Endpoint, Excluded, Model, Planned, ProviderKey
from setpoint.routing.filters import exclusion, unknown_slugs
from setpoint.routing.naming import SORTS, named
from setpoint.routing.preferences import ordered
from setpoint.routing.refusals import nothing_left
from setpoint.routing.standing import NothingKnown

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.records import Exclusion, Order
    from setpoint.routing.catalog import Catalog
    from setpoint.routing.keyring import KeyRing
    from setpoint.routing.naming import Named
    from setpoint.routing.standing import Standings
    from setpoint.routing.wanted import Wanted

    TellsAll = Callable[[Endpoint, Dialect], bool]


_NOTHING_KNOWN = NothingKnown()


class Candidate(Struct, frozen=True):
    """One thing to try: an endpoint with one of its provider's keys, in the dialect to speak there."""

    model: Model
    endpoint: Endpoint
    key: ProviderKey | None
    dialect: Dialect


class Plan(Struct, frozen=True, kw_only=True):
    """The candidates in order; each endpoint with the reason for its place; those that were left out, with theirs.

    `unfollowed` and `unsearched` are the models whose variants ask for a way of routing, and for a search, unmet both.
    """

    candidates: tuple[Candidate, ...]
    endpoints: tuple[Planned, ...]
    excluded: tuple[Excluded, ...]
    unfollowed: tuple[str, ...] = ()
    unsearched: tuple[str, ...] = ()


def plan(
    wanted: Wanted,
    catalog: Catalog,
    keys: KeyRing,
    standings: Standings = _NOTHING_KNOWN,
    *,
    tells_all: TellsAll | None = None,
) -> Plan:
    """The plan for a request. `tells_all` says whether an endpoint can be told all of it, where that is required.

    Raises: `RequestError` for a model that does not exist, or when no endpoint of any model is left.
    """
    planning = _Planning(wanted, keys, standings, tells_all)
    for text in wanted.models:
        planning.add(text, named(text, catalog))
    return planning.done(catalog)


def dialect_of(endpoint: Endpoint, skin: Dialect) -> Dialect:
    """The dialect to speak with an endpoint: the skin's own where it has that, else its first."""
    return skin if skin in endpoint.dialects else endpoint.dialects[0]


class _Planning:
    """A plan on the way."""

    def __init__(self, wanted: Wanted, keys: KeyRing, standings: Standings, tells_all: TellsAll | None) -> None:
        self._wanted = wanted
        self._keys = keys
        self._standings = standings
        self._tells_all = tells_all if wanted.preferences.require_parameters else None
        self._candidates: list[Candidate] = []
        self._planned: dict[tuple[str, str], Planned] = {}
        self._excluded: dict[tuple[str, str], Excluded] = {}
        self._unfollowed: list[str] = []
        self._unsearched: list[str] = []

    def add(self, text: str, asked: Named) -> None:
        """Place the endpoints of the next model. One that an earlier name of the same model has placed stays there."""
        model, left = asked.model, list[Endpoint]()
        for endpoint in model.endpoints:
            if (model.id, endpoint.key) in self._planned:
                continue
            if reason := self._exclusion(endpoint, asked):
                self._leave_out(model, endpoint, reason)
            elif not self._keys.of(endpoint.provider, model):
                self._leave_out(model, endpoint, "key_not_allowed")
            else:
                left.append(endpoint)
        listed = ordered(left, self._wanted.preferences, self._standings)
        if self._wanted.preferences.allow_fallbacks is False:  # the first choice or none, and its error as it is
            count = 0 if self._planned else len(listed) if self._wanted.preferences.order else 1
            kept = [one for one in listed[:count] if one[1] == "order" or not self._wanted.preferences.order]
            for endpoint, _ in listed:
                if all(endpoint is not one for one, _ in kept):
                    self._leave_out(model, endpoint, "no_fallbacks")
            listed = kept
        for endpoint, reason in listed:
            self._place(model, endpoint, reason)
        if asked.dynamic & SORTS:
            self._unfollowed.append(text)
        if "online" in asked.dynamic:
            self._unsearched.append(text)

    def done(self, catalog: Catalog) -> Plan:
        """The plan. Raises: `RequestError` when it is empty."""
        tags = [one.tag for one in (*self._planned.values(), *self._excluded.values()) if one.tag is not None]
        unknown = unknown_slugs(self._wanted.preferences, catalog.providers.values(), tags)
        excluded = (*self._excluded.values(), *unknown)
        if not self._candidates:
            raise nothing_left(self._wanted.models, excluded)
        return Plan(
            candidates=tuple(self._candidates),
            endpoints=tuple(self._planned.values()),
            excluded=excluded,
            unfollowed=tuple(self._unfollowed),
            unsearched=tuple(self._unsearched),
        )

    def _exclusion(self, endpoint: Endpoint, asked: Named) -> Exclusion | None:
        if reason := exclusion(endpoint, asked, self._wanted.preferences):
            return reason
        if self._tells_all and not self._tells_all(endpoint, dialect_of(endpoint, self._wanted.skin)):
            return "require_parameters"
        return None

    def _leave_out(self, model: Model, endpoint: Endpoint, reason: Exclusion) -> None:
        self._excluded[model.id, endpoint.key] = Excluded(
            provider=endpoint.provider.slug, model=model.id, tag=endpoint.tag, reason=reason
        )

    def _place(self, model: Model, endpoint: Endpoint, reason: Order) -> None:
        mark = (model.id, endpoint.key)
        self._excluded.pop(mark, None)
        self._planned[mark] = Planned(provider=endpoint.provider.slug, model=model.id, tag=endpoint.tag, reason=reason)
        dialect = dialect_of(endpoint, self._wanted.skin)
        self._candidates += [
            Candidate(model, endpoint, key, dialect) for key in self._keys.of(endpoint.provider, model)
        ]
