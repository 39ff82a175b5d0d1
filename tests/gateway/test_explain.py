"""What is told of the endpoints of a plan, and of what an answer of theirs would cost."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from setpoint.gateway.aside import Aside
from setpoint.gateway.exchange import Caller, Exchange
from setpoint.gateway.explain import Estimate, Explained, explained
from setpoint.gateway.relay import Bounds, Relay
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import Excluded, Planned, Price, ProviderKey
from setpoint.routing.placing import Candidate
from setpoint.routing.plan import Plan
from setpoint.wire.body import split
from support import records
from support.records import NOW, endpoint, model

if TYPE_CHECKING:
    from setpoint.protocols.forward import Lowered
    from setpoint.records import Exclusion

CENT = Price(prompt=Decimal("0.01"), completion=Decimal("0.01"))
NOBODY: Any = None
"""Stands for the clients of upstreams, which nothing here is sent to."""


class Counting(Relay):
    """A relay that counts how often it writes a request for an endpoint."""

    def __init__(self) -> None:
        limits = Bounds(max_answer_bytes=9_999, max_event_bytes=9_999, max_json_depth=99, max_json_members=999)
        super().__init__(NOBODY, NOBODY, limits, b"identity", str, Aside(), NOBODY)
        self.times = 0

    def told(self, exchange: Exchange, candidate: Candidate) -> Lowered:
        self.times += 1
        return super().told(exchange, candidate)


def candidate(slug: str, *, key: str | None = None, price: Price | None = CENT, **more: Any) -> Candidate:
    at = endpoint(slug, "acme/sage", model="sage", price=price, **more)
    return Candidate(model("acme/sage", at), at, ProviderKey(id=key, secret=key) if key else None, "chat")


def told(
    *candidates: Candidate, out: dict[str, Exclusion] | None = None, relay: Relay | None = None, **more: Any
) -> Explained:
    """The explanation of a plan with these candidates; those of `out` are left out of it, each for this reason.

    `more` is what the request says beside what every one does.
    """
    excluded = out or {}
    slugs = dict.fromkeys(one.endpoint.provider.slug for one in candidates)
    plan = Plan(
        candidates=candidates,
        endpoints=tuple(
            Planned(provider=slug, model="acme/sage", tag=slug, reason="drawn")
            for slug in slugs
            if slug not in excluded
        ),
        excluded=tuple(
            Excluded(provider=slug, model="acme/sage", tag=slug, reason=reason) for slug, reason in excluded.items()
        ),
    )
    exchange = Exchange(
        "gen-1",
        skin=PROTOCOLS["chat"],
        key=records.key(),
        body=split(json.dumps({"model": "acme/sage", "max_tokens": 10, "top_p": 0.5, "messages": [], **more}).encode()),
        caller=Caller(referer=None, app_title=None, user_agent=None, session_id=None),
        created_at=NOW,
        begin=NOBODY,
        record=NOBODY,
    )
    return explained(exchange, plan, exchange.body, {}, relay or Counting())


def test_an_endpoint_of_several_keys_is_told_of_once() -> None:
    assert told(candidate("bolt", key="k1"), candidate("bolt", key="k2"), candidate("cora")).unsaid == {
        "bolt/acme/sage": (),
        "cora/acme/sage": (),
    }


@pytest.mark.parametrize("reason", ["breaker_open", "key_refused"])
def test_what_only_its_health_keeps_out_has_no_part_in_the_cost(reason: Exclusion) -> None:
    dear = Price(prompt=Decimal(1), completion=Decimal(1))
    found = told(candidate("bolt"), candidate("cora", price=dear), out={"cora": reason})
    assert found.unsaid == {"bolt/acme/sage": ()}
    assert found.estimated_cost == Estimate(Decimal(0), Decimal("0.1"))


def test_where_only_health_is_in_the_way_nothing_is_known_of_the_cost() -> None:
    found = told(candidate("bolt"), out={"bolt": "breaker_open"})
    assert (found.endpoints, found.unsaid, found.refused, found.estimated_cost) == ((), {}, {}, None)


def test_one_price_that_is_unknown_makes_the_cost_unknown() -> None:
    assert told(candidate("bolt"), candidate("cora", price=None)).estimated_cost is None


def test_a_request_is_written_once_for_all_endpoints_that_are_told_the_same() -> None:
    relay, few = Counting(), frozenset({"temperature"})
    open_ones = [candidate(f"open{number}") for number in range(10)]
    narrow_ones = [candidate(f"narrow{number}", parameters=few, max_output_tokens=7) for number in range(10)]
    dear = candidate("dear", price=Price(prompt=Decimal(0), completion=Decimal(5)))
    found = told(*open_ones, *narrow_ones, dear, relay=relay)
    assert relay.times == 2
    assert len(found.unsaid) == 21
    assert all(found.unsaid[f"{name}/acme/sage"] == () for name in ("open0", "open9", "dear"))
    assert all(found.unsaid[f"{name}/acme/sage"] == ("/top_p",) for name in ("narrow0", "narrow9"))
    assert found.estimated_cost == Estimate(Decimal(0), Decimal(50)), "each has its own price"


def test_where_another_tier_is_asked_for_either_may_be_what_it_costs() -> None:
    takes: dict[str, Any] = {"parameters": frozenset({"max_tokens", "service_tier"})}
    dear = {"priority": Price(prompt=Decimal("0.02"), completion=Decimal("0.05"))}
    known, unknown = candidate("bolt", tier_prices=dear, **takes), candidate("bolt", **takes)
    assert told(known).estimated_cost == Estimate(Decimal(0), Decimal("0.1"))
    assert told(known, service_tier="priority").estimated_cost == Estimate(Decimal(0), Decimal("0.5"))
    assert told(unknown, service_tier="priority").estimated_cost is None
    assert told(known, service_tier="default").estimated_cost == Estimate(Decimal(0), Decimal("0.1"))
