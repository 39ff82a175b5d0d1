"""What would become of a request: how it reads with its preset, where it could go, and about what it would cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from msgspec import Raw, Struct

from setpoint.canonical.usage import Usage
from setpoint.errors import RequestError
from setpoint.gateway.meter import cost
from setpoint.gateway.relay import allowance
from setpoint.gateway.reservation import output_asked
from setpoint.gateway.telling import each_endpoint
from setpoint.presets.origin import Origin
from setpoint.protocols.forward import likeness
from setpoint.records import Excluded, Planned
from setpoint.routing.plan import passing_over
from setpoint.routing.rates import price_served
from setpoint.wire.body import Body, as_text, join
from setpoint.wire.shown import readable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from setpoint.gateway.exchange import Exchange
    from setpoint.gateway.relay import Relay
    from setpoint.records import Endpoint, Price
    from setpoint.routing.plan import Candidate, Plan

_SOLD = frozenset({"flex", "priority", "fast"})


class Estimate(Struct, frozen=True):
    """US dollars between which an answer should cost: with no output where that is cheapest, with all where dearest."""

    min: Decimal
    max: Decimal


class Explained(Struct, frozen=True, kw_only=True):
    """An explanation. `preset` is slug and version, None without one; `effective` the skin's body before any shaping.

    `endpoints` are in the order of trying. `unsaid` and `refused` go by `<tag>/<model>`: what each would not be told,
    and why those that cannot be asked this at all would be passed over. `estimated_cost` is None when a price or a
    limit is not known.
    """

    preset: tuple[str, int] | None
    effective: Raw
    origin: dict[str, Origin]
    system_prompt_from: Literal["preset", "request", "both"] | None
    endpoints: tuple[Planned, ...]
    excluded: tuple[Excluded, ...]
    not_honoured: tuple[str, ...]
    unsaid: dict[str, tuple[str, ...]]
    refused: dict[str, str]
    estimated_cost: Estimate | None


class _Told(Struct, frozen=True, kw_only=True):
    """What endpoints that are alike are not told; the most tokens and the answers that are asked of them. None: any.

    `tier` is the service tier that they are asked for, None where that is nothing special.
    """

    unsaid: tuple[str, ...]
    most: int | None
    answers: int
    tier: str | None


def explained(exchange: Exchange, planned: Plan, effective: Body, origin: dict[str, Origin], relay: Relay) -> Explained:
    """The explanation of a request whose plan is known. `effective` is its body, each of whose fields has an origin.

    Raises: `RequestError` when there is no endpoint that could be told what the request insists on.
    """
    known: dict[Hashable, _Told | RequestError] = {}
    unsaid: dict[str, tuple[str, ...]] = {}
    refused: dict[str, str] = {}
    ranges: list[Estimate | None] = []
    error: RequestError | None = None
    for candidate in tuple(each_endpoint(planned)):
        name = f"{candidate.endpoint.tag}/{candidate.model.id}"
        alike = likeness(candidate.endpoint, candidate.dialect, allowance(exchange, candidate))
        if alike not in known:  # a long conversation is written once for all that are told the same
            known[alike] = _told(exchange, candidate, relay)
        told = known[alike]
        if isinstance(told, RequestError):
            error = told
            refused[name] = told.message
            if not ranges:  # a request passes it over before any other has answered
                planned = passing_over(planned, candidate, "dialect")
            continue
        unsaid[name] = tuple(dict.fromkeys((*unsaid.get(name, ()), *told.unsaid)))
        ranges.append(_range(exchange, candidate.endpoint, told))
    if error is not None and not ranges:
        raise error
    preset, version = exchange.preset, exchange.version
    return Explained(
        preset=(preset.slug, version.version) if preset is not None and version is not None else None,
        effective=Raw(join(effective)),
        origin={readable(at): whose for at, whose in origin.items()},
        system_prompt_from=exchange.system_prompt_from,
        endpoints=planned.endpoints,
        excluded=planned.excluded,
        not_honoured=tuple(map(readable, exchange.not_honoured)),
        unsaid=unsaid,
        refused=refused,
        estimated_cost=_all(ranges),
    )


def _told(exchange: Exchange, candidate: Candidate, relay: Relay) -> _Told | RequestError:
    """What this candidate would be told, or why it cannot be told of the request."""
    try:
        lowered = relay.told(exchange, candidate)
    except RequestError as error:
        return error
    most, answers = output_asked(lowered.body, candidate.dialect)
    return _Told(
        unsaid=tuple(map(readable, exchange.untold(lowered.unsaid))),
        most=most,
        answers=answers,
        tier=_tier(lowered.body),
    )


def _tier(sent: Body) -> str | None:
    asked = as_text(sent.get("service_tier")) if as_text(sent.get("speed")) != "fast" else "fast"
    return asked if asked in _SOLD else None


def _range(exchange: Exchange, endpoint: Endpoint, told: _Told) -> Estimate | None:
    """What an answer of this endpoint would cost, by the limit that it is told; None: unknown.

    Where it is asked for another service tier, at either: which one serves, it says itself.
    """
    limits = (told.most, endpoint.max_output_tokens, endpoint.context_length)
    most = min((limit for limit in limits if limit is not None), default=None)
    if most is None:
        return None
    tokens, output = exchange.estimated_input(), most * told.answers
    prices = (endpoint.price, price_served(endpoint, told.tier))
    return _all([_between(price, tokens, output) for price in prices])


def _between(price: Price | None, tokens: int, output: int) -> Estimate | None:
    least = _cost(price, tokens, 0, 0)
    plain, thought = _cost(price, tokens, output, 0), _cost(price, tokens, output, output)
    return None if least is None or plain is None or thought is None else Estimate(least, max(plain, thought))


def _cost(price: Price | None, input_tokens: int, output_tokens: int, reasoning_tokens: int) -> Decimal | None:
    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens, reasoning_tokens=reasoning_tokens)
    amount = cost(usage, price)
    return None if amount is None else amount.total


def _all(ranges: list[Estimate | None]) -> Estimate | None:
    """From the least of all to the most, None when one is unknown: then either may be anything."""
    known = [one for one in ranges if one is not None]
    if not known or len(known) < len(ranges):
        return None
    return Estimate(min(one.min for one in known), max(one.max for one in known))
