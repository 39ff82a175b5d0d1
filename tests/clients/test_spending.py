"""What the official SDKs spend at two workers, all of them at once, is to the last digit what their upstreams count.

Each SDK asks on each of its skins, each at an upstream of each dialect, with a key of its own: whole and streamed, with
tries that cost and give nothing, with repetitions of its own, with streams that break and that it leaves.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest
from openrouter import OpenRouter
from openrouter.operations import GetUserActivityRequest

from api.api_support import data_of, new_key, new_workspace
from clients.buyers import BUYERS, QUESTION, Buyer
from clients.said import Tokens
from clients.tills import ANSWERS, BREAKS, FAILS, SCENES, Till, cost
from clients.upstreams import DIALECTS
from support.sdk import held
from support.waiting import until

if TYPE_CHECKING:
    from openrouter.components import ActivityItem

    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

LIMIT, MONTHLY, LIFETIME = Decimal(5), Decimal(50), Decimal(100)
COSTS: dict[str, int] = {"whole": 1, "streamed": 1, "empty": 2, "billed": 2, "refused": 1, "repeated": 1}
"""How many of the tries of the last request of a scene cost something that is known."""


@dataclass
class Lane:
    """One SDK over one skin, in front of its own upstreams, with a key of its own.

    `answered` are the scenes of its answers by the ids of their records; `uncounted` the ids of those that no upstream
    has counted to the end, `guessed` what the gateway takes them for.
    """

    buyer: Buyer
    till: Till
    plain: str
    digest: str
    answered: dict[str, str] = field(default_factory=dict)
    uncounted: list[str] = field(default_factory=list)
    guessed: list[Tokens] = field(default_factory=list)

    def spend(self) -> None:
        """Ask for all there is."""
        for scene in COSTS:
            told = self._in(scene, self.buyer.whole if scene not in ("streamed", "refused") else self.buyer.streamed)
            assert (told.tokens, told.cost) == (ANSWERS.tokens, float(cost(ANSWERS.tokens))), scene
            self.answered[self.buyer.last_id] = scene
        for scene, ask in (("broken", self.buyer.break_off), ("left", self.buyer.leave)):
            self._in(scene, ask)
            self.uncounted.append(self.buyer.last_id)

    def _in(self, scene: str, ask: Any) -> Any:
        self.till.stage(scene)
        return ask(self.till.model(scene))

    @property
    def known(self) -> Decimal:
        """What the upstreams have counted, at its price."""
        return sum(map(cost, self.till.counted), Decimal(0))

    @property
    def charged(self) -> Decimal:
        """What limits count: beside that what nobody has counted."""
        return self.known + sum(map(cost, self.guessed), Decimal(0))

    @property
    def requests(self) -> int:
        """How many requests it has made: one of them its SDK has repeated."""
        return len(SCENES) + 1

    @property
    def attempts(self) -> int:
        """How many of their tries have cost something, or may have."""
        return len(self.till.counted) + len(self.uncounted)

    @property
    def tokens(self) -> Tokens:
        """All tokens, also those that are guessed."""
        every = [*self.till.counted, *self.guessed]
        return Tokens(
            sum(one.input for one in every),
            sum(one.cached for one in every),
            sum(one.output for one in every),
            sum(one.reasoning for one in every),
        )


# The client warns of two of its own fields, whatever a server sends.
@pytest.mark.filterwarnings(r"ignore:.*DEPRECATED:DeprecationWarning")
def test_what_each_key_has_spent_is_what_its_upstreams_have_counted(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    tills = {
        f"{name}-at-{dialect}": Till(simulator, f"{name}-at-{dialect}", dialect)
        for name in BUYERS
        for dialect in DIALECTS
    }
    gateway = start_gateway(
        providers={slug: made for till in tills.values() for slug, made in till.providers().items()},
        models={id_: made for till in tills.values() for id_, made in till.models().items()},
        settings={"retry_budget": 1},
        arguments=["--workers", "2"],
    )
    home = new_workspace(gateway, {"monthly": float(MONTHLY), "lifetime": float(LIFETIME)})
    manager, _ = new_key(gateway, workspace_id=home, role="admin", inference=False)
    began = datetime.now(UTC)
    lanes: list[Lane] = []
    for name, till in tills.items():
        plain, told = new_key(gateway, name=name, workspace_id=home, limit=float(LIMIT), limit_reset="monthly")
        lanes.append(Lane(BUYERS[name.partition("-at-")[0]](gateway, plain), till, plain, told["hash"]))
    with ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(Lane.spend, lanes))
    for lane in lanes:
        lane.buyer.close()
        lane.till.verify()
        until(
            lambda lane=lane: len(records(gateway, lane)) == lane.requests
        )  # a moment later, above all of the one left
        lane.guessed = [guess(lane, record) for record in records(gateway, lane) if record["id"] in lane.uncounted]

    logged = [json.loads(line) for line in gateway.process.stderr_text().splitlines() if '"exchange"' in line]
    assert len({line["pid"] for line in logged}) == 2, "both workers were asked"
    ledger = data_of(gateway.call("GET", "/ledger/verify"))
    assert (ledger["ok"], ledger["checked"]) == (True, sum(lane.attempts for lane in lanes))
    spent = sum((lane.known for lane in lanes), Decimal(0))
    charged = sum((lane.charged for lane in lanes), Decimal(0))
    assert {exact(amount) for amount in ledger["sums"].values()} == {spent}
    days = {began.date().isoformat(), datetime.now(UTC).date().isoformat()}
    with sdk(gateway, gateway.key) as elsewhere, sdk(gateway, manager) as operator:
        credits_ = operator.credits.get_credits().data
        assert (exact(credits_.total_credits), exact(credits_.total_usage)) == (LIFETIME, spent)
        for whoever in (elsewhere, operator):
            verify_workspace(whoever, home, spent, days)
        for lane in lanes:
            with sdk(gateway, lane.plain) as holder:
                verify_key(holder, lane, charged)
                verify_records(holder, lane)
            verify_managed(operator, lane, days)
            verify_list(gateway, lane)


# --- what is read of it --------------------------------------------------------------------------------------


def sdk(gateway: Gateway, key: str) -> OpenRouter:
    return held(OpenRouter(api_key=key, server_url=gateway.url, retry_config=None))


def exact(amount: float | str) -> Decimal:
    """An amount by its own digits, whether they came as a number or as a text."""
    return Decimal(str(amount)).normalize()


def records(gateway: Gateway, lane: Lane) -> list[dict[str, Any]]:
    """All records of a key, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = gateway.call("GET", f"/generations?limit=8{cursor}", key=lane.plain).json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def guess(lane: Lane, record: dict[str, Any]) -> Tokens:
    """What the gateway takes a stream for that came to no end."""
    assert (record["total_cost"], record["usage_estimated"]) == (None, True)
    (attempt,) = record["provider_responses"]
    usage = attempt["usage"]
    if record["status"] == "cancelled":
        assert 0 < usage["output_tokens"] <= ceil(len(BREAKS.text.encode()) / 4)
    else:
        assert (record["status"], usage["output_tokens"]) == ("failed", ceil(len(BREAKS.text.encode()) / 4))
    counted = lane.till.dialect == "messages"  # the only one that says in the beginning what it was given
    given = (BREAKS.tokens.input, BREAKS.tokens.cached) if counted else (ceil(len(QUESTION) / 4), 0)
    assert (usage["input_tokens"], usage["cached_tokens"]) == given
    return Tokens(*given, usage["output_tokens"], usage["reasoning_tokens"])


def verify_key(holder: OpenRouter, lane: Lane, charged: Decimal) -> None:
    """What a key tells of itself; `charged` is what all keys of its workspace come to."""
    own = holder.api_keys.get_current_key_metadata().data
    assert {exact(one) for one in (own.usage, own.usage_daily, own.usage_weekly, own.usage_monthly)} == {lane.known}
    assert own.limit_remaining is not None
    assert exact(own.limit_remaining) == LIMIT - lane.charged
    budgets = [(one.scope, exact(one.spend_usd), exact(one.remaining_usd)) for one in own.budgets]
    assert budgets == [
        ("key_limit", lane.charged, LIMIT - lane.charged),
        ("workspace", charged, LIFETIME - charged),
        ("workspace", charged, MONTHLY - charged),
    ]


def activity(client: OpenRouter, days: set[str], **wanted: Any) -> list[ActivityItem]:
    """What some days came to, of what is wanted."""
    asked = [GetUserActivityRequest(date_=day, **wanted) for day in days]
    return [item for request in asked for item in client.analytics.get_user_activity(request=request).data]


def verify_workspace(client: OpenRouter, home: str, spent: Decimal, days: set[str]) -> None:
    """What a workspace came to, and whose keys it was; the other one has spent nothing."""
    owner = client.workspaces.get(id=home).data.created_by
    for wanted in ({}, {"workspace_id": home}, {"user_id": owner}):
        items = activity(client, days, group_by="workspace", **wanted)
        assert sum(exact(item.usage) for item in items) == spent
        assert {item.workspace_id for item in items} == {home}
    assert activity(client, days, user_id="nobody") == []


def verify_records(holder: OpenRouter, lane: Lane) -> None:
    """The record of each answer that has a cost."""
    for id_, scene in lane.answered.items():
        record = holder.generations.get_generation(id=id_).data
        paid = [ANSWERS.tokens] + [FAILS.tokens] * (COSTS[scene] - 1)
        assert exact(record.total_cost) == sum(map(cost, paid)), scene
        assert (record.tokens_prompt, record.tokens_completion) == (ANSWERS.tokens.input, ANSWERS.tokens.output)
        assert (record.native_tokens_cached, record.native_tokens_reasoning) == (80, 30)


def verify_managed(operator: OpenRouter, lane: Lane, days: set[str]) -> None:
    """What is told of a key to who manages it, and what its days came to."""
    shown = operator.api_keys.get(hash=lane.digest).data
    assert (exact(shown.usage), exact(shown.limit_remaining or 0)) == (lane.known, LIMIT - lane.charged)
    assert shown.last_used_at is not None
    items = activity(operator, days, api_key_hash=lane.digest)
    assert sum(exact(item.usage) for item in items) == lane.known
    assert sum(item.requests for item in items) == lane.requests
    assert lane.tokens == Tokens(
        sum(item.prompt_tokens for item in items),
        sum(item.cached_tokens for item in items),
        sum(item.completion_tokens for item in items),
        sum(item.reasoning_tokens for item in items),
    )


def verify_list(gateway: Gateway, lane: Lane) -> None:
    """The list of a key's records."""
    found = [record["total_cost"] for record in records(gateway, lane)]
    known = [amount for amount in found if amount is not None]
    assert sum(map(exact, known)) == lane.known
    assert len(found) - len(known) == len(lane.guessed) == len(lane.uncounted)
