"""A thousand calls at once, over two workers, on keys with money for ten: limits hold to the last token."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import uvloop

from api.api_support import data_of, new_key, new_workspace
from api.skins_support import ROUTES, SKINS, error_of, least
from chaos.books import query
from chaos.stage import PATIENT, staged
from setpoint.ids import key_digest
from simulator.orders import Order, marker, read_order
from support.load import WELL, ask_all, asking
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from chaos.stage import Stage
    from setpoint.records import Dialect
    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway

CALLS, FEWER = 1_000, 150
OUTPUT = 40
"""The output limit of every request, in tokens."""
INPUT_PRICE, OUTPUT_PRICE = Decimal("0.000001"), Decimal("0.000002")
_numbers = count()


@dataclass
class Crowd:
    """Many calls with one key, of all skins, whose upstreams count so many tokens for each skin."""

    key: str
    tokens: dict[Dialect, tuple[int, int]]
    calls: int
    markers: set[str] = field(default_factory=set)

    def requests(self, gateway: Gateway) -> list[tuple[Dialect, bytes]]:
        """As they go over the wire."""
        return [self._request(gateway, SKINS[number % 3]) for number in range(self.calls)]

    def call(self, gateway: Gateway, skin: Dialect) -> Answer:
        """The answer to one more."""
        order = self._order(skin, pause_ms=0)
        return gateway.call("POST", ROUTES[skin], _content(skin, order), key=self.key)

    def _request(self, gateway: Gateway, skin: Dialect) -> tuple[Dialect, bytes]:
        body = json.dumps(_content(skin, self._order(skin, pause_ms=40))).encode()
        return skin, asking("POST", gateway.url + ROUTES[skin], body, key=self.key)

    def _order(self, skin: Dialect, *, pause_ms: int) -> Order:
        order = Order(marker(next(_numbers)), words=4, tokens=self.tokens[skin], pause_ms=10 + pause_ms)
        self.markers.add(order.marker)
        return order

    def served(self, simulator: Simulator) -> list[tuple[int, int]]:
        """The tokens that the upstream has counted, of each of its answers."""
        orders = [read_order(one.body) for one in simulator.requests()]
        return [order.tokens for order in orders if order is not None and order.marker in self.markers]


def _content(skin: Dialect, order: Order) -> dict[str, Any]:
    name = "max_output_tokens" if skin == "responses" else "max_tokens"
    return least(skin, order.prompt(), model=f"at/{skin}", stream=True, **{name: OUTPUT})


def cost(tokens: tuple[int, int]) -> Decimal:
    return tokens[0] * INPUT_PRICE + tokens[1] * OUTPUT_PRICE


def come(stage: Stage, *crowds: Crowd) -> list[Counter[tuple[int, str]]]:
    """All of these at once: of each crowd, how many were answered with which status and in which words."""
    requests = [crowd.requests(stage.gateway) for crowd in crowds]
    mixed = [one for crowd in requests for one in crowd]
    heard = uvloop.run(ask_all(stage.origin(), [(request, WELL) for _, request in mixed], at_once=len(mixed)))
    told: list[tuple[int, str]] = []
    for (skin, _), one in zip(mixed, heard, strict=True):
        assert one.end == "whole", one
        assert one.answer is not None
        told.append((one.answer.status, "" if one.answer.status == 200 else error_of(skin, one.answer)[0]))
    found: list[Counter[tuple[int, str]]] = []
    for crowd in requests:
        found.append(Counter(told[: len(crowd)]))
        del told[: len(crowd)]
    return found


def reserved(stage: Stage, key: str) -> list[Decimal]:
    """What was set aside for each try with this key that is booked."""
    rows = query(stage.data_dir, "SELECT reserved FROM ledger WHERE key_digest = ?", key_digest(key))
    return [Decimal(amount) for (amount,) in rows]


def usage(stage: Stage, key: str) -> Decimal:
    """What this key has spent, as it is told."""
    return Decimal(str(data_of(stage.gateway.call("GET", f"/keys/{key_digest(key)}"))["usage"]))


def bounds(stage: Stage) -> dict[Dialect, tuple[int, int]]:
    """The most tokens that an upstream may count of a request of each skin, as it is set aside."""
    found: dict[Dialect, tuple[int, int]] = {}
    for skin in SKINS:
        key, _ = new_key(stage.gateway, limit=1)
        assert Crowd(key, dict.fromkeys(SKINS, (100, OUTPUT)), 1).call(stage.gateway, skin).status == 200
        until(lambda key=key: reserved(stage, key))
        (amount,) = reserved(stage, key)
        found[skin] = (int((amount - OUTPUT * OUTPUT_PRICE) / INPUT_PRICE), OUTPUT)
        assert 100 < found[skin][0] < 1_000, "an order with these tokens is no longer than the one that was tried"
    return found


def closed(stage: Stage, simulator: Simulator, *crowds: Crowd) -> None:
    """The books close, and say of every key what the upstream says."""
    for crowd in crowds:
        counted = sum(map(cost, crowd.served(simulator)))
        until(lambda crowd=crowd, counted=counted: usage(stage, crowd.key) == counted)
    told = data_of(stage.gateway.call("GET", "/ledger/verify"))
    assert told["ok"], told


def test_a_thousand_calls_at_once_with_money_for_ten(tmp_path: Path, simulator: Simulator) -> None:
    with staged(tmp_path, simulator, "--workers", "2", settings=PATIENT) as stage:
        gateway, most = stage.gateway, bounds(stage)
        enough = cost((10 * sum(given for given, _ in most.values()) // 3, 10 * OUTPUT))
        of_money = Crowd(new_key(gateway, limit=float(enough))[0], most, CALLS)
        home = new_workspace(gateway, {"daily": float(enough)})
        of_a_budget = Crowd(new_key(gateway, workspace_id=home)[0], most, FEWER)
        more: dict[Dialect, tuple[int, int]] = {skin: (given + 500, made + 500) for skin, (given, made) in most.items()}
        beyond = Crowd(new_key(gateway, limit=float(enough))[0], more, FEWER)
        by_requests = Crowd(new_key(gateway, requests_per_minute=10)[0], most, FEWER)
        tokens = 10 * sum(map(sum, most.values())) // 3
        by_tokens = Crowd(new_key(gateway, tokens_per_minute=tokens)[0], most, FEWER)
        crowds = (of_money, of_a_budget, beyond, by_requests, by_tokens)

        money, budget, excess, requests, rate = come(stage, *crowds)
        assert set(money) == set(excess) == {(200, ""), (402, "payment_required")}
        assert set(budget) == {(200, ""), (403, "permission_denied")}
        assert set(requests) == set(rate) == {(200, ""), (429, "rate_limit_exceeded")}
        assert requests[200, ""] in (10, 20), "in one minute or in two"
        closed(stage, simulator, *crowds)

        dearest = max(map(cost, most.values()))
        for crowd, refusal in ((of_money, 402), (of_a_budget, 403)):
            assert sum(reserved(stage, crowd.key)) <= enough
            for skin in SKINS * 4:  # whatever the two workers still held of it, all of it can be had
                assert crowd.call(gateway, skin).status in (200, refusal)
            closed(stage, simulator, crowd)
            assert enough - dearest < usage(stage, crowd.key) <= enough
        for skin in SKINS * 2:
            assert beyond.call(gateway, skin).status == 402
        assert max(reserved(stage, beyond.key)) * len(beyond.served(simulator)) < usage(stage, beyond.key)
        assert sum(map(sum, by_tokens.served(simulator))) <= 2 * tokens

        path = f"/keys/{key_digest(of_money.key)}"
        assert gateway.call("PATCH", path, {"limit": float(enough + dearest)}).status == 200
        assert of_money.call(gateway, "messages").status == 200, "at once, whichever worker is asked"
        assert gateway.call("PATCH", path, {"limit": float(enough)}).status == 200
        assert [of_money.call(gateway, skin).status for skin in SKINS] == [402] * 3
        closed(stage, simulator, *crowds)
    assert query(stage.data_dir, "SELECT * FROM leases") == []
    assert not stage.leaks()
