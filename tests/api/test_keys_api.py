"""API keys over HTTP: made once, shown once, and refused from the moment when they should be."""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import ask, data_of, new_key, new_workspace, refused
from simulator.script import ok
from support.http import call
from support.processes import KEY
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway, StartGateway

BOUNDS = ("allowed_presets", "allowed_models", "allowed_providers", "requests_per_minute", "tokens_per_minute")
PERIODS = ("", "_daily", "_weekly", "_monthly")
KEY_FIELDS = {
    *("hash", "name", "label", "disabled", "limit", "limit_remaining", "limit_reset", "include_byok_in_limit"),
    *(f"{kind}{period}" for kind in ("usage", "byok_usage") for period in PERIODS),
    *("created_at", "updated_at", "expires_at", "last_used_at", "creator_user_id", "external_user", "workspace_id"),
    *("role", "inference", *BOUNDS),
}
OWN_FIELDS = {
    *("label", "limit", "limit_remaining", "limit_reset", "include_byok_in_limit", "budgets", "effective_budget"),
    *(f"{kind}{period}" for kind in ("usage", "byok_usage") for period in PERIODS),
    *("is_free_tier", "is_management_key", "is_provisioning_key", "creator_user_id", "workspace_id"),
    *("organization_id", "allowed_data_regions", "free_model_daily_requests", "expires_at", "rate_limit"),
    *("role", "inference", *BOUNDS),
}


def listed(gateway: Gateway, query: str = "") -> list[dict[str, Any]]:
    return data_of(gateway.call("GET", f"/keys{query}"))


# --- the first key -------------------------------------------------------------------------------------------


def test_a_key_of_any_letters_is_known_however_a_client_writes_it(start_gateway: StartGateway) -> None:
    key = "ein Schl\u00fcssel f\u00fcr alle"
    gateway = start_gateway(key=key)
    for written in (key, key.encode().decode("latin-1")):  # which `call` sends as Latin-1, and so as UTF-8
        for headers in ({"Authorization": f"Bearer {written}"}, {"x-api-key": written}):
            assert call("GET", f"{gateway.url}/key", headers=headers).status == 200
            wrong = {name: f"{content}\u00fc" for name, content in headers.items()}
            assert call("GET", f"{gateway.url}/key", headers=wrong).status == 401


# --- making and reading --------------------------------------------------------------------------------------


def test_a_new_key_is_shown_once_and_works_at_once(shared_gateway: Gateway) -> None:
    answer = shared_gateway.call("POST", "/keys", {"name": "For the app \u00e9"})
    assert answer.status == 201
    assert set(answer.json()) == {"data", "key"}
    plain, told = answer.json()["key"], answer.json()["data"]
    assert re.fullmatch(r"sk-sp-v1-[0-9a-f]{64}", plain)
    assert set(told) == KEY_FIELDS
    assert told["hash"] == hashlib.sha256(plain.encode()).hexdigest()
    assert (told["name"], told["disabled"], told["role"], told["inference"]) == (
        "For the app \u00e9",
        False,
        "caller",
        True,
    )
    assert (told["updated_at"], told["expires_at"], told["last_used_at"], told["usage"]) == (None, None, None, 0)
    assert ask(shared_gateway, {"model": "sim/solo"}, key=plain).status == 200
    read_again = shared_gateway.call("GET", f"/keys/{told['hash']}")
    assert {**data_of(read_again), "last_used_at": None, **_unspent()} == told
    for path in (f"/keys/{told['hash']}", "/keys", "/key"):
        assert plain.encode() not in shared_gateway.call("GET", path).body


def _unspent() -> dict[str, int]:
    return {f"{kind}{period}": 0 for kind in ("usage", "byok_usage") for period in PERIODS}


def test_two_keys_are_never_alike(shared_gateway: Gateway) -> None:
    made = [new_key(shared_gateway, name="same") for _ in range(5)]
    assert len({plain for plain, _ in made}) == len({told["hash"] for _, told in made}) == 5


def test_keys_are_listed_newest_first_disabled_ones_only_when_asked_for(shared_gateway: Gateway) -> None:
    hashes = [new_key(shared_gateway)[1]["hash"] for _ in range(3)]
    data_of(shared_gateway.call("PATCH", f"/keys/{hashes[1]}", {"disabled": True}))
    assert [row["hash"] for row in listed(shared_gateway)[:2]] == [hashes[2], hashes[0]]
    assert [row["hash"] for row in listed(shared_gateway, "?include_disabled=true")[:3]] == hashes[::-1]
    assert [row["hash"] for row in listed(shared_gateway, "?offset=1")[:1]] == [hashes[0]]
    assert [row["hash"] for row in listed(shared_gateway, "?include_disabled=1&offset=1&limit=1")] == [hashes[1]]
    assert listed(shared_gateway, "?offset=1000") == []
    assert all(set(row) == KEY_FIELDS for row in listed(shared_gateway))
    for query in ("offset=-1", "offset=x", "limit=0", "limit=101", "include_disabled=maybe", "include_expired=maybe"):
        refused(shared_gateway.call("GET", f"/keys?{query}"), 400)


def test_a_key_changes_and_the_change_holds_for_its_next_call(shared_gateway: Gateway) -> None:
    plain, told = new_key(shared_gateway, role="caller")
    path = f"/keys/{told['hash']}"
    changed = data_of(shared_gateway.call("PATCH", path, {"name": "renamed", "role": "read_only"}))
    assert changed == {**told, "name": "renamed", "role": "read_only", "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > told["created_at"]
    assert "read_only" in refused(ask(shared_gateway, {"model": "sim/solo"}, key=plain), 403)
    data_of(shared_gateway.call("PATCH", path, {"role": "admin", "inference": False}))
    refused(ask(shared_gateway, {"model": "sim/solo"}, key=plain), 403)
    assert data_of(shared_gateway.call("GET", "/keys", key=plain))
    data_of(shared_gateway.call("PATCH", path, {"inference": True}))
    assert ask(shared_gateway, {"model": "sim/solo"}, key=plain).status == 200


def test_a_key_tells_its_holder_what_it_is(shared_gateway: Gateway) -> None:
    for members, management in (({"role": "admin", "inference": False}, True), ({"role": "admin"}, False), ({}, False)):
        plain, told = new_key(shared_gateway, **members)
        own = data_of(shared_gateway.call("GET", "/key", key=plain))
        assert set(own) == OWN_FIELDS
        assert (own["label"], own["creator_user_id"]) == (told["label"], told["creator_user_id"])
        assert own["is_management_key"] is own["is_provisioning_key"] is management
        assert own["rate_limit"]["requests"] == -1
        assert own["workspace_id"] == told["workspace_id"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a", "role": "owner"}, "role"),
        ({"name": "a", "role": ["admin"]}, "role"),
        ({"name": "a", "inference": "no"}, "inference"),
        ({"name": "a", "disabled": True}, "disabled"),
        ({"name": "a", "hash": "0" * 64}, "hash"),
        ({"name": "a", "key": "sk-mine"}, "key"),
        ({"name": "a", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"name": "a", "expires_at": "2030-01-01T00:00:00+02:00"}, "expires_at"),
        ({"name": "a", "expires_at": "2030-02-30T00:00:00Z"}, "expires_at"),
        ({"name": "a", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "a", "expires_at": 1893456000}, "expires_at"),
        ({"name": "a", "limit": -0.01}, "limit"),
        ({"name": "a", "limit": "5"}, "limit"),
        ({"name": "a", "limit": True}, "limit"),
        ({"name": "a", "limit": 10**6}, "limit"),
        ({"name": "a", "limit": [5]}, "limit"),
        ({"name": "a", "limit_reset": "hourly"}, "limit_reset"),
        ({"name": "a", "limit_reset": ["daily"]}, "limit_reset"),
        ({"name": "a", "include_byok_in_limit": 1}, "include_byok_in_limit"),
        ({"name": "a", "requests_per_minute": 0}, "requests_per_minute"),
        ({"name": "a", "requests_per_minute": 1.5}, "requests_per_minute"),
        ({"name": "a", "requests_per_minute": 2**63}, "requests_per_minute"),
        ({"name": "a", "tokens_per_minute": "many"}, "tokens_per_minute"),
        ({"name": "a", "tokens_per_minute": False}, "tokens_per_minute"),
        ({"name": "a", "allowed_presets": []}, "allowed_presets"),
        ({"name": "a", "allowed_presets": "x"}, "allowed_presets"),
        ({"name": "a", "allowed_presets": ["x", "@preset/y"]}, "allowed_presets[1]"),
        ({"name": "a", "allowed_models": ["a b"]}, "allowed_models[0]"),
        ({"name": "a", "allowed_models": ["m"] * 101}, "allowed_models"),
        ({"name": "a", "allowed_providers": ["OpenAI"]}, "allowed_providers[0]"),
        ({"name": "a", "allowed_providers": [1]}, "allowed_providers[0]"),
        ({"name": "a", "workspace_id": 1}, "workspace_id"),
        ({"name": "a", "creator_user_id": "user_nobody"}, "creator_user_id"),
        ({"name": "a", "creator_user_id": "\ud800"}, "creator_user_id"),
        ({"name": "a", "owner": "me"}, "owner"),
    ],
)
def test_a_wrong_key_is_refused_and_not_made(shared_gateway: Gateway, body: Any, path: str) -> None:
    def hashes() -> list[str]:
        return [row["hash"] for row in listed(shared_gateway, "?include_disabled=true")]

    before = hashes()
    answer = shared_gateway.call("POST", "/keys", body)
    assert refused(answer, 400).startswith(f"{path}: ")
    assert hashes() == before


SAID: dict[str, Any] = {
    "name": "all of it",
    "role": "editor",
    "inference": False,
    "expires_at": "2126-01-01T00:00:00.000000Z",
    "limit": 12.5,
    "limit_reset": "monthly",
    "include_byok_in_limit": False,
    "requests_per_minute": 60,
    "tokens_per_minute": 2**63 - 1,
    "allowed_presets": ["one", "Two.3"],
    "allowed_models": ["sim/solo", "other:model"],
    "allowed_providers": ["sim"],
}
"""Each member that a create and an update take, said."""


def test_every_member_is_taken_at_the_making_and_told(shared_gateway: Gateway) -> None:
    own = data_of(shared_gateway.call("GET", "/key"))
    homes = {name: own[name] for name in ("workspace_id", "creator_user_id")}
    plain, told = new_key(shared_gateway, **SAID, **homes)
    assert {name: told[name] for name in (*SAID, *homes)} == {**SAID, **homes}
    assert told["limit_remaining"] == 12.5
    assert data_of(shared_gateway.call("GET", f"/keys/{told['hash']}")) == told
    seen = data_of(shared_gateway.call("GET", "/key", key=plain))
    shared = SAID.keys() - {"name"}
    assert {name: seen[name] for name in shared} == {name: SAID[name] for name in shared}


def test_every_member_can_be_changed_and_cleared_but_whose_the_key_is(shared_gateway: Gateway) -> None:
    own = data_of(shared_gateway.call("GET", "/key"))
    _, made = new_key(shared_gateway)
    path = f"/keys/{made['hash']}"

    def change(**members: Any) -> dict[str, Any]:
        return data_of(shared_gateway.call("PATCH", path, members))

    for name, content in SAID.items():
        assert change(**{name: content})[name] == content
    emptied = dict.fromkeys(SAID.keys() - {"name", "role", "inference", "include_byok_in_limit"})
    for name in emptied:
        assert change(**{name: None})[name] is None
    kept = change(name=None, role=None, inference=None, include_byok_in_limit=None, disabled=None)
    assert kept == {**made, **SAID, **emptied, "limit_remaining": None, "updated_at": kept["updated_at"]}
    for name in ("workspace_id", "creator_user_id"):
        assert refused(shared_gateway.call("PATCH", path, {name: own[name]}), 400).startswith(f"{name}: ")


@pytest.mark.parametrize("digits", ["0", "0.1", "1e-9", "999999.999999", "0.1000000000000000055511151231257827"])
def test_a_limit_is_the_number_that_was_written(shared_gateway: Gateway, digits: str) -> None:
    answer = shared_gateway.call("POST", "/keys", body=b'{"name":"a","limit":' + digits.encode() + b"}")
    assert answer.status == 201, answer.body
    for name in ("limit", "limit_remaining"):
        [said] = re.findall(rb'"%s":([^,]+)' % name.encode(), answer.body)
        assert Decimal(said.decode()) == Decimal(digits)


def test_what_is_left_of_a_limit_is_what_its_period_has_not_spent(
    shared_gateway: Gateway, simulator: Simulator
) -> None:
    simulator.script(ok(tokens=(100, 20)))
    plain, told = new_key(shared_gateway, limit=1, limit_reset="daily")
    path = f"/keys/{told['hash']}"
    assert ask(shared_gateway, {"model": "sim/solo", "max_tokens": 20}, key=plain).status == 200
    until(lambda: data_of(shared_gateway.call("GET", path))["usage"])
    row = data_of(shared_gateway.call("GET", path))
    assert (row["usage"], row["limit"], row["limit_remaining"]) == (0.00014, 1, 0.99986)
    assert [one for one in listed(shared_gateway) if one["hash"] == told["hash"]] == [row]
    own = data_of(shared_gateway.call("GET", "/key", key=plain))
    assert (own["limit_remaining"], own["limit_reset"], own["include_byok_in_limit"]) == (0.99986, "daily", True)
    [layer] = own["budgets"]
    midnight = layer.pop("resets_at")
    assert own["effective_budget"] == {**layer, "resets_at": midnight}
    assert layer == {
        "scope": "key_limit",
        "budget_id": None,
        "guardrail_id": None,
        "include_byok": True,
        "limit_usd": 1,
        "spend_usd": 0.00014,
        "remaining_usd": 0.99986,
        "reset_interval": "daily",
    }
    ends = datetime.fromisoformat(midnight)
    assert (ends.time(), timedelta() < ends - datetime.now(UTC) <= timedelta(days=1)) == (datetime.min.time(), True)
    lower = data_of(shared_gateway.call("PATCH", path, {"limit": 0.0001, "limit_reset": None}))
    assert lower["limit_remaining"] == 0
    own = data_of(shared_gateway.call("GET", "/key", key=plain))
    assert (own["limit_remaining"], own["budgets"][0]["remaining_usd"]) == (0, -0.00004)
    assert (own["budgets"][0]["reset_interval"], own["budgets"][0]["resets_at"]) == (None, None)


def test_a_key_is_told_of_the_budgets_of_its_workspace_in_the_order_of_asking(
    shared_gateway: Gateway, simulator: Simulator
) -> None:
    simulator.script(ok(tokens=(100, 20)))
    home = new_workspace(shared_gateway)
    for interval, dollars in (("daily", 1), ("lifetime", 4), ("weekly", 2), ("monthly", 3)):
        put = shared_gateway.call("PUT", f"/workspaces/{home}/budgets/{interval}", {"limit_usd": dollars})
        assert put.status == 200, put.body
    plain, told = new_key(shared_gateway, workspace_id=home, limit=2.5)
    assert ask(shared_gateway, {"model": "sim/solo", "max_tokens": 20}, key=plain).status == 200
    until(lambda: data_of(shared_gateway.call("GET", f"/keys/{told['hash']}"))["usage"])

    def own() -> dict[str, Any]:
        return data_of(shared_gateway.call("GET", "/key", key=plain))

    seen = own()
    assert [(one["scope"], one["reset_interval"], one["limit_usd"]) for one in seen["budgets"]] == [
        ("key_limit", None, 2.5),
        ("workspace", None, 4),
        ("workspace", "monthly", 3),
        ("workspace", "weekly", 2),
        ("workspace", "daily", 1),
    ]
    assert {one["spend_usd"] for one in seen["budgets"]} == {0.00014}
    assert [one["resets_at"] is None for one in seen["budgets"]] == [True, True, False, False, False]
    rows = data_of(shared_gateway.call("GET", f"/workspaces/{home}/budgets"))
    ids = {row["reset_interval"]: row["id"] for row in rows}
    assert [one["budget_id"] for one in seen["budgets"]] == [
        None,
        *(ids[one] for one in (None, "monthly", "weekly", "daily")),
    ]
    assert seen["effective_budget"] == seen["budgets"][-1], "the one with least left"
    assert shared_gateway.call("PUT", f"/workspaces/{home}/budgets/daily", {"limit_usd": 0.0001}).status == 200
    data_of(shared_gateway.call("PATCH", f"/keys/{told['hash']}", {"limit": 0.00014}))
    seen = own()
    assert [one["remaining_usd"] for one in (seen["budgets"][0], seen["budgets"][-1])] == [0, -0.00004]
    assert seen["effective_budget"]["scope"] == "key_limit", "the first of which nothing is left"


@pytest.mark.parametrize("hash_", ["0" * 64, "x", "%00", "..", "a" * 10_000, "%27%20OR%201=1"])
def test_a_key_that_is_not_there_is_a_404(shared_gateway: Gateway, hash_: str) -> None:
    for method, body in (("GET", None), ("PATCH", {"disabled": True}), ("DELETE", None)):
        refused(shared_gateway.call(method, f"/keys/{hash_}", body), 404)


# --- the end of a key ----------------------------------------------------------------------------------------


def test_a_disabled_or_deleted_key_is_refused_at_once(shared_gateway: Gateway) -> None:
    plain, told = new_key(shared_gateway)
    path = f"/keys/{told['hash']}"

    def use() -> list[Answer]:
        return [
            ask(shared_gateway, {"model": "sim/solo"}, key=plain),
            shared_gateway.call("GET", "/presets", key=plain),
        ]

    for _ in range(3):
        assert [answer.status for answer in use()] == [200, 200]
        data_of(shared_gateway.call("PATCH", path, {"disabled": True}))
        assert [refused(answer, 401) for answer in use()] == ["Invalid credentials"] * 2
        data_of(shared_gateway.call("PATCH", path, {"disabled": False}))
    assert shared_gateway.call("DELETE", path).json() == {"deleted": True}
    assert [refused(answer, 401) for answer in use()] == ["Invalid credentials"] * 2
    refused(shared_gateway.call("GET", path), 404)
    refused(shared_gateway.call("PATCH", path, {"disabled": False}), 404)
    assert told["hash"] not in [row["hash"] for row in listed(shared_gateway, "?include_disabled=true")]


def test_a_key_ends_at_the_very_second_it_should(shared_gateway: Gateway) -> None:
    end = (datetime.now(UTC) + timedelta(seconds=1.6)).replace(microsecond=0)
    plain, told = new_key(shared_gateway, expires_at=end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert told["expires_at"] == end.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    worked = 0
    give_up = time.monotonic() + 30
    while True:
        began = datetime.now(UTC)
        answer = shared_gateway.call("GET", "/presets?limit=1", key=plain)
        ended = datetime.now(UTC)
        if answer.status == 401:
            break
        assert (answer.status, began < end) == (200, True), "used after its end"
        worked += 1
        assert time.monotonic() < give_up
    assert refused(answer, 401) == "Invalid credentials"
    assert ended >= end, "refused before its end"
    assert worked > 0
    later = (end + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    data_of(shared_gateway.call("PATCH", f"/keys/{told['hash']}", {"expires_at": later}))
    assert shared_gateway.call("GET", "/presets", key=plain).status == 200
    data_of(shared_gateway.call("PATCH", f"/keys/{told['hash']}", {"expires_at": None}))
    assert data_of(shared_gateway.call("GET", "/key", key=plain))["expires_at"] is None


def test_a_key_that_ended_before_it_was_made_never_works_and_is_listed_when_asked_for(shared_gateway: Gateway) -> None:
    plain, told = new_key(shared_gateway, expires_at="2020-01-01T00:00:00.5Z")
    refused(ask(shared_gateway, {"model": "sim/solo"}, key=plain), 401)
    assert told["hash"] not in [row["hash"] for row in listed(shared_gateway, "?include_disabled=true")]
    assert told["hash"] in [row["hash"] for row in listed(shared_gateway, "?include_expired=true")]
    assert data_of(shared_gateway.call("GET", f"/keys/{told['hash']}"))["expires_at"] == told["expires_at"]


# --- what is no key ------------------------------------------------------------------------------------------


def test_the_stored_digest_is_no_credential(shared_gateway: Gateway) -> None:
    plain, told = new_key(shared_gateway)
    digest = told["hash"]
    of_digest = hashlib.sha256(digest.encode()).hexdigest()
    for wrong in (digest, digest.upper(), of_digest, "sk-sp-v1-" + digest, told["label"], plain[:-1], plain + "0"):
        for headers in ({"Authorization": f"Bearer {wrong}"}, {"x-api-key": wrong}):
            answer = call("GET", f"{shared_gateway.url}/presets", headers=headers)
            assert refused(answer, 401) == "Invalid credentials"


def test_two_keys_with_the_same_beginning_are_two_keys(start_gateway: StartGateway, tmp_path: Path) -> None:
    beginning = "sk-sp-v1-aaaaaaaaaaa"
    first, second, third = (beginning + letter * 44 for letter in "bcd")
    assert len(beginning) == 20
    one = start_gateway(key=first, data_dir=tmp_path / "data")
    assert ask(one, {"model": "sim/solo"}).status == 200
    assert one.stop() == 0
    two = start_gateway(key=second, data_dir=tmp_path / "data")
    for key in (first, second):
        assert ask(two, {"model": "sim/solo"}, key=key).status == 200
    digest = hashlib.sha256(first.encode()).hexdigest()
    data_of(two.call("PATCH", f"/keys/{digest}", {"disabled": True}))
    for _ in range(2):
        refused(ask(two, {"model": "sim/solo"}, key=first), 401)
        assert ask(two, {"model": "sim/solo"}, key=second).status == 200
        refused(ask(two, {"model": "sim/solo"}, key=third), 401)


# --- where a key may stand -----------------------------------------------------------------------------------


def test_a_key_stands_in_either_header_and_one_valid_one_is_enough(shared_gateway: Gateway) -> None:
    plain, _ = new_key(shared_gateway)
    good, bad = f"Bearer {plain}", "Bearer sk-sp-v1-nobody"
    for headers, expected in (
        ({"Authorization": good}, 200),
        ({"authorization": f"bearer {plain}"}, 200),
        ({"AUTHORIZATION": f"BEARER  {plain} "}, 200),
        ({"x-api-key": plain}, 200),
        ({"X-Api-Key": plain, "Authorization": bad}, 200),
        ({"x-api-key": "nobody", "Authorization": good}, 200),
        ({"x-api-key": plain, "Authorization": "Basic eDp5"}, 200),
        ({"x-api-key": "nobody", "Authorization": bad}, 401),
        ({"Authorization": plain}, 401),
        ({"Authorization": f"Token {plain}"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"x-api-key": ""}, 401),
        ({"x-api-key": good}, 401),
        ({"api-key": plain}, 401),
        ({"x-goog-api-key": plain}, 401),
        ({"Cookie": f"key={plain}"}, 401),
    ):
        answer = call("GET", f"{shared_gateway.url}/presets", headers=headers)
        assert answer.status == expected, headers


def test_a_key_in_the_query_or_the_body_is_no_key_and_is_not_logged(start_gateway: StartGateway) -> None:
    gateway = start_gateway(settings={"log_level": "debug"})
    plain, _ = new_key(gateway)
    for name in ("key", "api_key", "apikey", "access_token", "token", "authorization", "Authorization", "x-api-key"):
        refused(call("GET", f"{gateway.url}/presets?{name}={plain}"), 401)
        refused(call("GET", f"{gateway.url}/presets?{name}=Bearer%20{plain}"), 401)
        body = {"model": "sim/solo", "messages": [{"role": "user", "content": "x"}], name: plain}
        refused(call("POST", f"{gateway.url}/chat/completions", body), 401)
    told = {"user": plain, "metadata": {"k": plain}, "session_id": plain}
    assert ask(gateway, {"model": "sim/solo", **told}, key=plain, headers={"User-Agent": plain}).status == 200
    refused(gateway.call("GET", f"/presets/{plain}.{plain}"), 400)
    refused(ask(gateway, {"model": plain}, key=plain), 400)
    assert gateway.stop() == 0
    assert plain not in gateway.log_text()
    assert plain[12:-3] not in gateway.log_text()


def test_a_label_never_shows_more_than_a_quarter_of_a_key(shared_gateway: Gateway, start_gateway: StartGateway) -> None:
    shortest = start_gateway(key="0123456789abcdef")
    for gateway, secret in (
        (shared_gateway, KEY),
        (shared_gateway, new_key(shared_gateway)[0]),
        (shortest, "0123456789abcdef"),
    ):
        label = data_of(gateway.call("GET", "/key", key=secret))["label"]
        begins, dots, ends = label.partition("...")
        assert dots
        assert (secret.startswith(begins), secret.endswith(ends)) == (True, True)
        assert len(begins) + len(ends) <= len(secret) / 4


def test_keys_of_another_workspace_are_there_for_its_own_managers_and_those_of_the_default_one(
    shared_gateway: Gateway,
) -> None:
    home = data_of(shared_gateway.call("GET", "/key"))["workspace_id"]
    other = new_workspace(shared_gateway)
    away, told = new_key(shared_gateway, role="admin", workspace_id=other)
    reader, _ = new_key(shared_gateway, role="read_only")
    assert told["workspace_id"] == other
    assert [row["hash"] for row in listed(shared_gateway, f"?workspace_id={other}")] == [told["hash"]]
    assert told["hash"] not in [row["hash"] for row in listed(shared_gateway, f"?workspace_id={home}")]
    assert data_of(shared_gateway.call("PATCH", f"/keys/{told['hash']}", {"name": "b"}))["name"] == "b"
    # It sees itself and makes its like, and knows of nothing else.
    assert [row["hash"] for row in data_of(shared_gateway.call("GET", "/keys", key=away))] == [told["hash"]]
    made = shared_gateway.call("POST", "/keys", {"name": "mine"}, key=away).json()["data"]
    assert made["workspace_id"] == other
    [_, mine, *_] = listed(shared_gateway)
    unknown = "0" * 64
    for method, body in (("GET", None), ("PATCH", {"name": "c"}), ("DELETE", None)):
        answers = [shared_gateway.call(method, f"/keys/{one}", body, key=away) for one in (mine["hash"], unknown)]
        assert refused(answers[0], 404) == "Resource not found"
        assert answers[0].body == answers[1].body
    assert shared_gateway.call("DELETE", f"/keys/{made['hash']}", key=away).json() == {"deleted": True}
    for key, workspace in ((away, home), (away, "another"), (reader, other), (None, "another"), (None, "")):
        refused(shared_gateway.call("GET", f"/keys?workspace_id={workspace}", key=key), 404)
    refused(shared_gateway.call("GET", f"/keys/{told['hash']}", key=reader), 404)
    for key, workspace in ((away, home), (None, "another")):
        refused(shared_gateway.call("POST", "/keys", {"name": "a", "workspace_id": workspace}, key=key), 404)
