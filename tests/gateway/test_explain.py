"""What is told of the endpoints of a plan, and of what an answer of theirs would cost."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from gateway.gateway_support import KEY, NOW
from setpoint.gateway.aside import Aside
from setpoint.gateway.exchange import Caller, Exchange
from setpoint.gateway.explain import Estimate, Explained, explained
from setpoint.gateway.relay import Limits, Relay
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import Endpoint, Excluded, Model, Planned, Price, Provider, ProviderKey, Timeouts
from setpoint.routing.placing import Candidate
from setpoint.routing.plan import Plan
from setpoint.wire.body import split

if TYPE_CHECKING:
    from setpoint.records import Exclusion

CENT = Price(prompt=Decimal("0.01"), completion=Decimal("0.01"))
NOBODY: Any = None
"""Stands for the clients of upstreams, which nothing here is sent to."""


def candidate(slug: str, *, key: str | None = None, price: Price | None = CENT) -> Candidate:
    provider = Provider(slug=slug, name=slug.title(), dialects=("chat",), base_url=f"http://{slug}.test/v1")
    endpoint = Endpoint(
        key=f"{slug}/sage",
        provider=provider,
        model_id="acme/sage",
        model="sage",
        tag=slug,
        dialects=("chat",),
        base_url=provider.base_url,
        timeouts=Timeouts(),
        price=price,
    )
    model = Model(id="acme/sage", name="Sage", endpoints=(endpoint,))
    return Candidate(model, endpoint, ProviderKey(id=key, secret=key) if key else None, "chat")


def told(*candidates: Candidate, out: dict[str, Exclusion] | None = None) -> Explained:
    """The explanation of a plan with these candidates; those of `out` are left out of it, each for this reason."""
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
        key=KEY,
        body=split(json.dumps({"model": "acme/sage", "max_tokens": 10, "messages": []}).encode()),
        caller=Caller(referer=None, app_title=None, user_agent=None, session_id=None),
        created_at=NOW,
        begin=NOBODY,
        record=NOBODY,
    )
    limits = Limits(max_answer_bytes=9_999, max_event_bytes=9_999, max_json_depth=99, max_json_members=999)
    relay = Relay(NOBODY, NOBODY, limits, b"identity", str, Aside(), NOBODY)
    return explained(exchange, plan, {}, relay)


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
