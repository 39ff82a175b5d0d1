"""In which order the endpoints that may serve a request are tried, and why each stands where it does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from setpoint.routing.draw import Lots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from setpoint.records import Order, Sort
    from setpoint.routing.choice import Option
    from setpoint.routing.draw import Chance
    from setpoint.routing.preferences import Preferences
    from setpoint.routing.wanted import Wanted

    Placed = tuple[Option, Order]

# Ranks of the default order: what is free, what has a price, what has none that is known; those without a share
# behind all these, and all that have just failed behind everything.
_PRICED, _UNPRICED, _SPARE, _UNSTABLE = 1, 2, 4, 8
_REASONS: tuple[Order, ...] = (
    *("fallback", "fallback", "unpriced", "fallback", "spare", "spare", "spare", "spare"),
    *("unstable", "unstable", "unstable", "unstable", "unstable", "unstable", "unstable", "unstable"),
)
"""What is said of the members of a group, but of the first of all."""


def arranged(options: list[Option], wanted: Wanted, sort: Sort | None, chance: Chance) -> list[Placed]:
    """The options in the order of trying: those that the caller named, the conversation's own, then the others.

    Of these each as the sort, the service tier or else the draw has it; those that are too slow for the caller behind.
    """
    preferences = wanted.preferences
    plain = sort is None and wanted.tier is None and wanted.sticky is None and not preferences.order
    if plain and len(options) == 1 and options[0].standing is None:
        return [(options[0], "drawn" if options[0].endpoint.weight else "spare")]
    first: list[Placed] = []
    if preferences.order:
        listed = _listed(options, preferences.order_words)
        first = _as(listed, "order")
        options = [option for option in options if not any(option is one for one in listed)] if listed else options
    elif wanted.sticky is not None:
        first = _as([option for option in options if option.endpoint.key == wanted.sticky], "sticky")
        options = [option for option in options if option.endpoint.key != wanted.sticky]
    picky = preferences.least_throughput is not None or preferences.most_latency_s is not None
    slow = [option for option in options if _is_slow(option, preferences)] if picky else []
    if slow:
        options = [option for option in options if not _is_slow(option, preferences)]
    dice = None if preferences.order else chance
    behind = [option for option, _ in _ordered(slow, wanted, sort, None)]
    return [*first, *_ordered(options, wanted, sort, dice), *_as(behind, "slow")]


def _as(options: Iterable[Option], reason: Order) -> list[Placed]:
    return [(option, reason) for option in options]


def _ordered(options: list[Option], wanted: Wanted, sort: Sort | None, chance: Chance | None) -> list[Placed]:
    if sort is not None:
        return _as(sorted(options, key=_SORTS[sort]), sort)
    if wanted.tier is None:
        return drawn(options, chance)
    by = _throughput if wanted.tier == "priority" else _price
    tier = sorted((option for option in options if option.endpoint.tier == wanted.tier), key=by)
    others = [option for option in options if option.endpoint.tier != wanted.tier]
    return [*_as(tier, "tier"), *drawn(others, None if tier else chance)]


def _listed(options: list[Option], words: Iterable[str]) -> list[Option]:
    found: dict[int, Option] = {}
    for word in words:
        for at, option in enumerate(options):
            if word in option.endpoint.words:
                found.setdefault(at, option)
    return list(found.values())


# --- the default order ---------------------------------------------------------------------------------------


def drawn(options: list[Option], chance: Chance | None) -> list[Placed]:
    """By price, what is free first; the first of them by lot, those that have just failed last.

    Without dice the cheapest is the first.
    """
    ranked = [(*_rank(option, chance), at) for at, option in enumerate(options)]
    ranked.sort()
    if chance is not None and len(ranked) > 1 and ranked[0][0] == ranked[1][0] == _PRICED:
        lots = Lots(tuple(options[at].endpoint for group, _, at in ranked if group == _PRICED))
        ranked.insert(0, ranked.pop(chance.first(lots)))
    placed: list[Placed] = [(options[at], _REASONS[group]) for group, _, at in ranked]
    if chance is not None and ranked and ranked[0][0] < _SPARE:
        placed[0] = (placed[0][0], "drawn")
    return placed


def _rank(option: Option, chance: Chance | None) -> tuple[int, float]:
    """The group that an option belongs to, and its place in there: its price, or how its lot fell."""
    endpoint = option.endpoint
    price = endpoint.per_token
    group = 0 if price == 0 else _PRICED if price is not None else _UNPRICED
    if not endpoint.weight:
        group += _SPARE
    if option.standing is not None and not option.standing.stable:
        group += _UNSTABLE
    if price:
        return group, price
    if chance is None or group >= _SPARE:
        return group, -endpoint.weight
    return group, chance.wait(endpoint, endpoint.weight)


# --- an order that the caller chose --------------------------------------------------------------------------


def _price(option: Option) -> tuple[float, ...]:
    price = option.endpoint.per_token
    return (math.inf if price is None else price,)


def _throughput(option: Option) -> tuple[float, ...]:
    known = option.standing.throughput if option.standing else None
    return (-known.p50 if known else 0, *_price(option))


def _latency(option: Option) -> tuple[float, ...]:
    known = option.standing.latency_s if option.standing else None
    return (known.p50 if known else math.inf, *_price(option))


def _exacto(option: Option) -> tuple[float, ...]:
    """What is known for its tools first, then what has not failed of late."""
    parameters = option.endpoint.parameters
    failing = option.standing is not None and not option.standing.stable
    return (parameters is None or "tools" not in parameters, failing, *_price(option))


_SORTS: dict[Sort, Callable[[Option], tuple[float, ...]]] = {
    "price": _price,
    "throughput": _throughput,
    "latency": _latency,
    "exacto": _exacto,
}


def _is_slow(option: Option, preferences: Preferences) -> bool:
    """Whether it is known to do worse than the caller would like."""
    known = option.standing
    if known is None:
        return False
    least, most = preferences.least_throughput, preferences.most_latency_s
    too_few = least and known.throughput and any(so < asked for asked, so in least.pairs(known.throughput))
    too_late = most and known.latency_s and any(so > asked for asked, so in most.pairs(known.latency_s))
    return bool(too_few or too_late)
