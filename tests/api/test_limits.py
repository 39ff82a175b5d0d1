"""Limits in front of real upstreams: what is refused, in every skin's own words, and what reaches a provider."""

from __future__ import annotations

import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import data_of, new_key, new_workspace
from api.skins_support import ROUTES, SKINS, error_of, least, text_of, three_dialects
from simulator.script import body, hang, ok, status, stream
from support.http import RawConnection, open_stream, request_bytes
from support.processes import Gateway, config_file
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from setpoint.records import Dialect
    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import StartGateway

COST = Decimal("0.000021")
"""What the usual answer of the simulator costs."""
FREE = {"prompt": "0", "completion": "0"}
SETTINGS = {"default_output_reservation_tokens": 300}


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for the file, whose providers speak one dialect each."""
    folder = tmp_path_factory.mktemp("gateway")
    wired = three_dialects(simulator_process)
    chat = {"provider": "chat", "model": "chat-model"}
    wired["models"] |= {
        "at/unpriced": {"endpoints": [chat]},
        "at/free": {"endpoints": [{**chat, "pricing": FREE}]},
        "at/short": {"endpoints": [{**chat, "pricing": FREE, "max_output_tokens": 50}]},
        "at/older": {"endpoints": [{**chat, "pricing": FREE, "parameters": ["max_tokens"]}]},
        "at/newer": {"endpoints": [{**chat, "pricing": FREE, "parameters": ["max_tokens", "max_completion_tokens"]}]},
    }
    gateway = Gateway(folder, config=config_file(folder, **wired, settings=SETTINGS))
    yield gateway
    assert gateway.stop() == 0, gateway.log_text()


def ask(gateway: Gateway, key: str, skin: Dialect = "chat", model: str | None = None, **fields: Any) -> Answer:
    """The answer to a request of a skin, at the provider of the same dialect unless another is named."""
    content = least(skin, model=model or f"at/{skin}", **fields)
    return gateway.call("POST", ROUTES[skin], content, key=key)


def shown(gateway: Gateway, of: dict[str, Any]) -> dict[str, Any]:
    """What is told of a key."""
    return data_of(gateway.call("GET", f"/keys/{of['hash']}"))


def cancelled(gateway: Gateway, key: str) -> list[dict[str, Any]]:
    """The records of a key's requests whose clients have left."""
    return data_of(gateway.call("GET", "/generations?status=cancelled", key=key))


def verified(gateway: Gateway) -> None:
    """The books close."""
    told = data_of(gateway.call("GET", "/ledger/verify"))
    assert told["ok"], told


# --- refused, in the words of every skin ---------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("skin", SKINS)
def test_a_used_up_limit_is_402_and_nobody_is_asked_until_it_is_raised(
    gateway: Gateway, simulator: Simulator, skin: Dialect, *, streamed: bool
) -> None:
    key, told = new_key(gateway, limit=0.0000001)
    answer = ask(gateway, key, skin, stream=streamed)
    assert answer.status == 402
    kind, message = error_of(skin, answer)
    assert kind == "payment_required"
    assert "$0.0000001" in message
    if skin == "messages":
        assert answer.json()["error"]["type"] == "billing_error"
    assert simulator.requests() == []
    assert gateway.call("PATCH", f"/keys/{told['hash']}", {"limit": 1}).status == 200
    assert ask(gateway, key, skin, stream=streamed).status == 200


@pytest.mark.parametrize("skin", SKINS)
def test_a_used_up_budget_is_403_and_names_the_broadest(gateway: Gateway, simulator: Simulator, skin: Dialect) -> None:
    budgets = {"daily": 0.0000001, "monthly": 0.0000002, "lifetime": 500}
    key, _ = new_key(gateway, workspace_id=new_workspace(gateway, budgets))
    answer = ask(gateway, key, skin)
    assert answer.status == 403
    kind, message = error_of(skin, answer)
    assert (kind, message) == (
        "permission_denied",
        "Workspace monthly budget of $0.0000002 exceeded. Contact your org admin.",
    )
    assert simulator.requests() == []


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(("name", "limit"), [("requests", 1), ("tokens", 600)])
def test_a_used_up_rate_is_429_and_says_when_to_come_again(
    gateway: Gateway, simulator: Simulator, skin: Dialect, name: str, limit: int
) -> None:
    simulator.script(ok(tokens=(400, 150)))
    key, _ = new_key(gateway, **{f"{name}_per_minute": limit})
    answers = [ask(gateway, key, skin) for _ in range(3)]  # of which two may be on either side of a minute's end
    answer = next(one for one in answers if one.status != 200)
    assert answer.status == 429
    kind, message = error_of(skin, answer)
    assert (kind, message) == ("rate_limit_exceeded", f"Rate limit exceeded: {limit} {name} per minute")
    assert answer.header("x-ratelimit-limit") == str(limit)
    assert int(answer.header("x-ratelimit-remaining") or -1) == (0 if name == "requests" else 50)
    reset_ms, wait_s = int(answer.header("x-ratelimit-reset") or 0), int(answer.header("retry-after") or 0)
    assert 1 <= wait_s <= 60
    assert reset_ms % 60_000 == 0
    assert abs(time.time() + wait_s - reset_ms / 1_000) < 30
    assert len(simulator.requests()) < 3


def test_while_the_storage_is_away_a_limited_key_uses_what_is_left_of_its_lease_and_others_do_not_notice(
    gateway: Gateway, simulator: Simulator
) -> None:
    """Who needs more hears of it in time, in every skin."""
    unlimited, _ = new_key(gateway)
    used, told = new_key(gateway, limit=0.01)
    new: dict[Dialect, str] = {skin: new_key(gateway, limit=1)[0] for skin in SKINS}
    assert ask(gateway, used, max_tokens=10).status == 200
    with (
        closing(sqlite3.connect(gateway.data_dir / "setpoint.db", isolation_level=None)) as other,
        ThreadPoolExecutor(8) as threads,
    ):
        other.execute("BEGIN IMMEDIATE")
        away: list[tuple[Dialect, Future[Answer]]] = [
            (skin, threads.submit(ask, gateway, key, skin)) for skin, key in new.items()
        ]
        too_much = threads.submit(ask, gateway, used, max_tokens=4_000)
        assert [ask(gateway, unlimited, skin).status for skin in SKINS] == [200] * 3
        answers: list[tuple[Dialect, Answer]] = [(skin, answer.result()) for skin, answer in away]
        assert too_much.result().status == 503
        assert ask(gateway, used, max_tokens=10).status == 200
        assert ask(gateway, unlimited).status == 200
    for skin, answer in answers:
        assert answer.status == (529 if skin == "messages" else 503)
        assert error_of(skin, answer)[0] == "unavailable"
        assert answer.header("retry-after")
    assert len(simulator.requests()) == 6
    assert [ask(gateway, key, skin).status for skin, key in new.items()] == [200] * 3
    until(lambda: Decimal(str(shown(gateway, told)["usage"])) == 2 * COST)


# --- what is set aside, and what is booked -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "said", "sent"),
    [
        ("at/older", {}, {"max_tokens": 300}),
        ("at/newer", {}, {"max_completion_tokens": 300}),
        ("at/messages", {}, {"max_tokens": 300}),
        ("at/responses", {}, {"max_output_tokens": 300}),
        ("at/short", {}, {"max_completion_tokens": 50}),
        ("at/chat", {"max_tokens": 7}, {"max_tokens": 7}),
    ],
)
def test_the_bound_that_is_set_aside_is_told_to_the_provider(
    gateway: Gateway, simulator: Simulator, model: str, said: dict[str, Any], sent: dict[str, Any]
) -> None:
    limited, _ = new_key(gateway, limit=1)
    unlimited, _ = new_key(gateway)
    for key in (limited, unlimited):
        assert ask(gateway, key, model=model, **said).status == 200
    with_limit, without = (
        {name: content for name, content in received.json().items() if name.startswith("max_")}
        for received in simulator.requests()
    )
    assert with_limit == sent
    assert without == (said or without), "and only then is one made up"
    assert said or without != sent


def test_what_a_provider_counts_beyond_what_was_set_aside_is_booked_and_blocks_the_next(
    gateway: Gateway, simulator: Simulator
) -> None:
    simulator.script(ok(tokens=(100, 2_000)))
    key, told = new_key(gateway, limit=0.002)
    assert ask(gateway, key, max_tokens=10).status == 200
    assert ask(gateway, key, max_tokens=10).status == 402
    assert len(simulator.requests()) == 1
    until(lambda: Decimal(str(shown(gateway, told)["usage"])) == Decimal("0.0041"))
    assert shown(gateway, told)["limit_remaining"] == 0
    assert ask(gateway, key, max_tokens=10).status == 402
    verified(gateway)


def test_what_a_provider_counts_of_answers_that_are_none_uses_a_limit_up(
    gateway: Gateway, simulator: Simulator
) -> None:
    error = {"message": "out of memory", "code": 502}
    simulator.script(body({"error": error, "usage": {"prompt_tokens": 100, "completion_tokens": 2_000}}))
    key, told = new_key(gateway, limit=0.01)
    answers: list[int] = []
    for _ in range(4):
        answers.append(ask(gateway, key, max_tokens=10).status)
        gateway.forget()
    assert answers == [502, 502, 502, 402]
    until(lambda: Decimal(str(shown(gateway, told)["usage"])) == 3 * Decimal("0.0041"))
    verified(gateway)


def test_a_fallback_that_the_limit_does_not_allow_ends_the_request_and_names_what_failed(
    gateway: Gateway, simulator: Simulator
) -> None:
    simulator.script(body(b'{"id": "x", "cho'), prefix="/c")  # which may have cost something
    key, told = new_key(gateway, limit=0.0008)
    answer = ask(gateway, key, model="at/all", max_tokens=200)
    assert answer.status == 402, answer.body
    metadata = answer.json()["error"]["metadata"]
    assert metadata["error_type"] == "payment_required"
    assert metadata["previous_errors"] == [{"provider": "chat", "code": "provider_unavailable", "status": 502}]
    assert len(simulator.requests()) == 1
    simulator.script(status(500), prefix="/c")  # which has not
    gateway.forget()
    assert ask(gateway, key, model="at/all", max_tokens=200).status == 200
    until(lambda: Decimal(str(shown(gateway, told)["usage"])) == COST)
    verified(gateway)


def test_a_stream_whose_client_goes_away_leaves_what_it_did_not_use(gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(stream(["Hello"] * 200, pause_ms=50))
    key, told = new_key(gateway, limit=0.001)
    content = {**least("chat", model="at/chat", stream=True), "max_tokens": 400}
    with open_stream(f"{gateway.url}/chat/completions", content, key=key) as streaming:
        next(frame for frame in streaming.frames() if frame.data)
        assert ask(gateway, key, max_tokens=400).status == 402, "it may still use all of it"
    simulator.wait_for_disconnect(0)
    simulator.script(ok())
    until(lambda: ask(gateway, key, max_tokens=400).status == 200)
    until(lambda: cancelled(gateway, key))
    (record,) = cancelled(gateway, key)
    assert record["usage_estimated"]
    assert record["total_cost"] is None
    assert shown(gateway, told)["limit_remaining"] < 0.001
    verified(gateway)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("skin", SKINS)
def test_a_client_that_leaves_before_the_first_byte_leaves_all_but_the_input(
    gateway: Gateway, simulator: Simulator, skin: Dialect, *, streamed: bool
) -> None:
    simulator.script(hang())
    key, told = new_key(gateway, limit=0.001, tokens_per_minute=100_000)
    content = json.dumps(least(skin, model=f"at/{skin}", stream=streamed)).encode()
    connection = RawConnection(gateway.origin)
    headers = [("Authorization", f"Bearer {key}"), ("Content-Type", "application/json")]
    connection.send(request_bytes("POST", gateway.url + ROUTES[skin], content, headers=headers))
    simulator.wait_for_requests(1)
    connection.close()
    simulator.wait_for_disconnect(0)
    until(lambda: cancelled(gateway, key))
    (record,) = cancelled(gateway, key)
    assert (record["usage"], record["total_cost"]) == (None, None)
    left = shown(gateway, told)["limit_remaining"]
    assert 0 < Decimal("0.001") - Decimal(str(left)) < Decimal("0.0001"), "its input, by our own count"
    simulator.script(ok())
    assert ask(gateway, key, skin).status == 200, "with 300 tokens of output, which is what there is"
    verified(gateway)


def test_a_limit_that_is_changed_while_it_is_used_holds_as_it_is_from_the_next_request_on(
    gateway: Gateway, simulator: Simulator
) -> None:
    """Whatever is changed: how much, per what time, whether there is one at all; and budgets beside it."""
    simulator.script(ok(tokens=(100, 450)))  # 0.001 dollars
    home = new_workspace(gateway, {})
    key, told = new_key(gateway, workspace_id=home)
    path, budget = f"/keys/{told['hash']}", f"/workspaces/{home}/budgets/monthly"

    def booked() -> bool:
        return Decimal(str(shown(gateway, told)["usage"])) == Decimal("0.001") * len(simulator.requests())

    def status(**changes: Any) -> int:
        if changes:
            until(booked)
            assert gateway.call("PATCH", path, changes).status == 200
        return ask(gateway, key, max_tokens=450).status

    def budgeted(amount: float) -> int:
        until(booked)
        assert gateway.call("PUT", budget, {"limit_usd": amount}).status == 200
        return ask(gateway, key, max_tokens=450).status

    assert status() == 200, "0.001 is spent without a limit, and counts"
    assert status(limit=0.0015) == 402
    assert status(limit=0.0035) == 200
    assert status() == 200
    assert status() == 402
    assert status(limit_reset="daily") == 402, "it was all spent today"
    assert status(limit=0.0045) == 200
    assert status(limit_reset=None) == 402
    assert status(limit=0.0001) == 402
    assert status(limit=None) == 200
    assert budgeted(0.0055) == 403
    assert budgeted(0.0065) == 200
    assert status(limit=0.0065) == 402
    assert status(limit=None) == 403
    assert gateway.call("DELETE", budget).status == 200
    assert status() == 200
    until(booked)
    assert len(simulator.requests()) == 7
    verified(gateway)


def test_what_has_no_price_is_not_for_a_limit_of_money(gateway: Gateway, simulator: Simulator) -> None:
    for members, code in (({"limit": 1}, 402), ({"tokens_per_minute": 9_999}, 200), ({}, 200)):
        key, _ = new_key(gateway, **members)
        answer = ask(gateway, key, model="at/unpriced")
        assert answer.status == code, answer.body
    assert len(simulator.requests()) == 2
    key, _ = new_key(gateway, limit=0)
    assert ask(gateway, key, model="at/free").status == 200, "what costs nothing needs nothing"


def test_what_has_no_price_may_be_used_where_the_operator_says_so(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = start_gateway(settings={"allow_unpriced_on_limited_keys": True})
    key, _ = new_key(gateway, limit=0.001)
    assert ask(gateway, key, model="other/solo").status == 200
    key, _ = new_key(gateway, limit=0)
    assert ask(gateway, key, model="other/solo").status == 402
    assert len(simulator.requests()) == 1


# --- what cannot get by --------------------------------------------------------------------------------------


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("number", ["-1", "1.5", "1e999", "9" * 400])
def test_an_output_limit_that_is_none_is_the_callers_mistake(
    gateway: Gateway, simulator: Simulator, skin: Dialect, number: str
) -> None:
    key, _ = new_key(gateway, limit=1)
    name = "max_output_tokens" if skin == "responses" else "max_tokens"
    content = json.dumps(least(skin, model=f"at/{skin}"))[:-1] + f', "{name}": {number}}}'
    answer = gateway.call("POST", ROUTES[skin], key=key, body=content.encode())
    assert answer.status == 400
    assert name in error_of(skin, answer)[1]
    assert simulator.requests() == []


@pytest.mark.parametrize(
    "said",
    [
        '"max_tokens": 9223372036854775807',
        '"max_tokens": 1, "n": 1000000',
        '"max_tokens": 1, "n": "1000000"',
        '"max_tokens": 1, "n": 1e999',
        '"max_tokens": 1, "n": ' + "9" * 5_000,
        '"max_tokens": 1, "max_completion_tokens": 1000000',
    ],
)
def test_what_may_cost_more_than_there_is_is_402_however_much_more(
    gateway: Gateway, simulator: Simulator, said: str
) -> None:
    key, told = new_key(gateway, limit=1)
    content = json.dumps(least("chat", model="at/chat"))[:-1] + f", {said}}}"
    answer = gateway.call("POST", "/chat/completions", key=key, body=content.encode())
    assert answer.status == 402, answer.body
    assert simulator.requests() == []
    assert text_of("chat", ask(gateway, key))
    until(lambda: shown(gateway, told)["usage"])


def test_counting_and_explaining_cost_nothing_and_answer_nobody(gateway: Gateway, simulator: Simulator) -> None:
    key, told = new_key(gateway, limit=0, requests_per_minute=1)
    content = least("messages", model="at/messages", max_tokens=10, stream=True)
    for _ in range(3):
        counted = gateway.call("POST", "/messages/count_tokens", content, key=key)
        assert counted.status == 200
        assert set(counted.json()) == {"input_tokens"}
    for skin in SKINS:
        path = f"/explain{ROUTES[skin]}"
        assert gateway.call("POST", path, least(skin, model=f"at/{skin}"), key=key).status == 200
    huge = json.dumps(least("chat", model="at/chat"))[:-1] + ', "n": 1e999}'
    assert gateway.call("POST", "/explain/chat/completions", key=key, body=huge.encode()).status == 200
    assert {one.path.rpartition("/")[2] for one in simulator.requests()} == {"count_tokens"}
    assert (shown(gateway, told)["usage"], shown(gateway, told)["last_used_at"]) == (0, None)
    assert ask(gateway, key).status == 402
