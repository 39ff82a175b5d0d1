"""Candidates of the endpoints of a plan: each with its provider's keys, and what should wait behind the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.records import Dialect, Endpoint, Excluded, Model, Planned, ProviderKey
from setpoint.routing.choice import Option
from setpoint.routing.keys import Keys, by_use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.records import Exclusion, Order
    from setpoint.routing.arrangement import Placed
    from setpoint.routing.preferences import Preferences
    from setpoint.routing.standing import Standings


class Candidate(Struct, frozen=True):
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

    Behind all others the candidates hold what only its health keeps out (`breaker_open`, `key_refused`): that may have
    changed by the time it is asked for.
    """

    candidates: tuple[Candidate, ...]
    planned: tuple[Planned, ...]
    excluded: tuple[Excluded, ...]


class _Step(Struct, frozen=True):
    """An endpoint with some of its keys.

    `place` is what the plan says of it, or `out` is; neither where it stands in the line with others of its keys.
    """

    option: Option
    keys: Keys
    named: bool
    place: Planned | None = None
    out: Excluded | None = None


def lined_up(placed: Sequence[Placed], preferences: Preferences, standings: Standings) -> Line:
    """The candidates of what is placed: what is cooling down behind all others, what should not be asked behind that.

    Without fallbacks of the first alone, or of what the caller has listed.
    """
    ready: list[_Step] = []
    cooling: list[_Step] = []
    held: list[_Step] = []
    excluded: list[Excluded] = []
    for option, reason in placed:
        named = reason == "order"
        if option.standing is not None and option.standing.open:
            held.append(_Step(option, option.keys, named, out=left_out(option, "breaker_open")))
            continue
        use = by_use(option.keys, option.endpoint, standings)
        if use.ready:
            ready.append(_Step(option, use.ready, named, place=_planned(option, reason)))
        if use.cooling:
            place = None if use.ready else _planned(option, "cooling")
            cooling.append(_Step(option, use.cooling, named, place=place))
        if use.refused and not use.ready and not use.cooling:
            held.append(_Step(option, use.refused, named, out=left_out(option, "key_refused")))
    steps = [*ready, *cooling, *held] if cooling or held else ready
    if preferences.allow_fallbacks is False and steps:
        kept = _first(steps, preferences)
        excluded += [
            left_out(one.option, "no_fallbacks") for one in steps if (one.place or one.out) and one not in kept
        ]
        steps = kept
    return Line(
        candidates=tuple(_candidate(one.option, key) for one in steps for key in one.keys),
        planned=tuple(one.place for one in steps if one.place is not None),
        excluded=(*excluded, *(one.out for one in steps if one.out is not None)),
    )


def _first(steps: list[_Step], preferences: Preferences) -> list[_Step]:
    """What is left without fallbacks: of one model what the caller has listed, else one endpoint."""
    first = next((one for one in steps if one.named), None) if preferences.order else steps[0]
    if first is None:
        return []
    if preferences.order:
        return [one for one in steps if one.named and one.option.model is first.option.model]
    return [one for one in steps if one.option is first.option]


def left_out(option: Option, reason: Exclusion) -> Excluded:
    """What the plan says of an endpoint that cannot serve."""
    endpoint = option.endpoint
    return Excluded(provider=endpoint.provider.slug, model=option.model.id, tag=endpoint.tag, reason=reason)


def _planned(option: Option, reason: Order) -> Planned:
    endpoint = option.endpoint
    return Planned(provider=endpoint.provider.slug, model=option.model.id, tag=endpoint.tag, reason=reason)


def _candidate(option: Option, key: ProviderKey | None) -> Candidate:
    return Candidate(option.model, option.endpoint, key, option.dialect, option.max_output)
