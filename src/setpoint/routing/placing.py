"""Candidates of the endpoints of a plan: each with its provider's keys, and what should wait behind the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.records import Dialect, Endpoint, Excluded, Model, Planned, ProviderKey
from setpoint.routing.keys import by_use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.records import Exclusion, Order
    from setpoint.routing.arrangement import Placed
    from setpoint.routing.choice import Option
    from setpoint.routing.preferences import Preferences
    from setpoint.routing.standing import Standings


class Candidate(Struct, frozen=True, gc=False):
    """One thing to try: an endpoint with one of its provider's keys, in the dialect to speak there.

    `max_output` is the limit to which the answer that was asked for must be cut, None where it need not be.
    """

    model: Model
    endpoint: Endpoint
    key: ProviderKey | None
    dialect: Dialect
    max_output: int | None = None


class Line(Struct, frozen=True):
    """The candidates in the order of trying, what the plan says of their endpoints, and of those that are left out.

    Behind all others the candidates hold what only the moment keeps out (`breaker_open`, `key_refused`, `concurrency`):
    that may have changed by the time it is asked for.
    """

    candidates: tuple[Candidate, ...]
    planned: tuple[Planned, ...]
    excluded: tuple[Excluded, ...]


def lined_up(placed: Sequence[Placed], preferences: Preferences, standings: Standings) -> Line:
    """The candidates of what is placed: what is cooling down behind all others, what should not be asked behind that.

    Without fallbacks of the first alone, or of what the caller has listed.
    """
    line = _line(placed, standings)
    if preferences.allow_fallbacks is not False:
        return line
    kept = _first(placed, line, preferences)
    others = [left_out(option, "no_fallbacks") for option, _ in placed if all(option is not one for one, _ in kept)]
    line = _line(kept, standings)
    return Line(line.candidates, line.planned, (*line.excluded, *others))


def _line(placed: Sequence[Placed], standings: Standings) -> Line:
    ready: list[Candidate] = []
    cooling: list[Candidate] = []
    held: list[Candidate] = []
    first: list[Planned] = []
    behind: list[Planned] = []
    excluded: list[Excluded] = []
    for option, reason in placed:
        endpoint, keys = option.endpoint, option.keys
        if option.standing is not None and option.standing.open:
            held += [candidate(option, key) for key in keys]
            excluded.append(left_out(option, "breaker_open"))
            continue
        if endpoint.limited and standings.full(endpoint):
            held += [candidate(option, key) for key in keys]
            excluded.append(left_out(option, "concurrency"))
            continue
        if len(keys) == 1:
            key = keys[0]
            if standings.held_back(endpoint.key, key.id if key is not None else None) is None:
                ready.append(Candidate(option.model, endpoint, key, option.dialect, option.max_output))
                first.append(planned(option, reason))
                continue
        use = by_use(keys, endpoint, standings)
        ready += [candidate(option, key) for key in use.ready]
        cooling += [candidate(option, key) for key in use.cooling]
        if use.ready:
            first.append(planned(option, reason))
        elif use.cooling:
            behind.append(planned(option, "cooling"))
        else:
            held += [candidate(option, key) for key in use.refused]
            excluded.append(left_out(option, "key_refused"))
    return Line((*ready, *cooling, *held), (*first, *behind), tuple(excluded))


def _first(placed: Sequence[Placed], line: Line, preferences: Preferences) -> list[Placed]:
    """What is left without fallbacks: of one model what the caller has listed, else the first endpoint of the line."""
    meant = [one for one in placed if one[1] == "order"] if preferences.order else placed
    for tried in line.candidates:
        first = [one for one in meant if one[0].endpoint is tried.endpoint and one[0].model is tried.model]
        if first:
            return [one for one in meant if one[0].model is tried.model] if preferences.order else first
    return []


def left_out(option: Option, reason: Exclusion) -> Excluded:
    """What the plan says of an endpoint that cannot serve."""
    endpoint = option.endpoint
    return Excluded(provider=endpoint.provider.slug, model=option.model.id, tag=endpoint.tag, reason=reason)


def planned(option: Option, reason: Order) -> Planned:
    """What the plan says of an endpoint that can."""
    endpoint = option.endpoint
    return Planned(provider=endpoint.provider.slug, model=option.model.id, tag=endpoint.tag, reason=reason)


def candidate(option: Option, key: ProviderKey | None) -> Candidate:
    """The endpoint with one of its keys."""
    return Candidate(option.model, option.endpoint, key, option.dialect, option.max_output)
