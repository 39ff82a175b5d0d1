"""That an answer which is not as documented fails its test, whatever is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.contract import Contract

ORIGIN = "http://127.0.0.1:1"
KEY = {
    "hash": "0" * 64,
    "name": "a",
    "label": "sk",
    "disabled": False,
    "limit": None,
    "limit_remaining": None,
    "limit_reset": None,
    "include_byok_in_limit": True,
    **{f"{kind}usage{period}": 0 for kind in ("", "byok_") for period in ("", "_daily", "_weekly", "_monthly")},
    "created_at": "2026-11-22T00:00:00Z",
    "updated_at": None,
    "expires_at": None,
    "last_used_at": None,
    "creator_user_id": "u",
    "external_user": None,
    "workspace_id": "w",
    "role": "caller",
    "inference": True,
    "allowed_presets": None,
    "allowed_models": None,
    "allowed_providers": None,
    "requests_per_minute": None,
    "tokens_per_minute": None,
}
JSON = "application/json"
CHAT: dict[str, Any] = {"id": "gen-1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}


@pytest.fixture(scope="module")
def contract() -> Contract:
    made = Contract()
    made.binds(ORIGIN)
    return made


def check(contract: Contract, method: str, path: str, status: int, content: Any, **more: Any) -> None:
    contract.check(method, ORIGIN + path, status, more.pop("kind", JSON), json.dumps(content).encode(), **more)


def test_what_is_as_documented_passes(contract: Contract) -> None:
    check(contract, "GET", "/api/v1/keys", 200, {"data": [KEY]})
    check(contract, "POST", "/v1/keys", 201, {"data": KEY, "key": "sk"}, asked=b'{"name":"a"}')
    check(contract, "POST", "/v1/chat/completions", 200, {**CHAT, "of_a_provider": 1})
    contract.check("HEAD", ORIGIN + "/api/v1/keys", 200, JSON, b"")
    contract.check("GET", "http://127.0.0.1:2/api/v1/keys", 200, None, b"of somebody else")


@pytest.mark.parametrize(
    ("method", "path", "status", "content", "more", "words"),
    [
        ("GET", "/api/v1/keys", 204, {}, {}, "is not documented"),
        ("GET", "/api/v1/keys", 200, {"data": [KEY]}, {"kind": "text/html"}, "is of type text/html"),
        ("GET", "/api/v1/keys", 200, {"data": [{**KEY, "secret": 1}]}, {}, "secret"),
        ("GET", "/api/v1/keys", 200, {"data": [{**KEY, "usage": "0"}]}, {}, "/data/0/usage"),
        ("GET", "/api/v1/keys/1", 404, {"detail": "no"}, {}, "error"),
        ("GET", "/api/v1/nothing", 200, {}, {}, "for a path without an operation"),
        ("GET", "/api/v1/keys?offset=-1", 200, {"data": []}, {}, "and its query"),
        ("POST", "/api/v1/keys", 201, {"data": KEY, "key": "sk"}, {"asked": b'{"names":"a"}'}, "and its request"),
        ("POST", "/api/v1/chat/completions", 200, {**CHAT, "choices": None}, {}, "/choices"),
    ],
)
def test_what_is_not_fails(
    contract: Contract, method: str, path: str, status: int, content: Any, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        check(contract, method, path, status, content, **more)


def test_an_event_that_is_not_as_documented_fails(contract: Contract) -> None:
    good = b': here\n\ndata: {"id":"g","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
    contract.check("POST", ORIGIN + "/v1/chat/completions", 200, "text/event-stream", good + b"data: [DONE]\n\n")
    with pytest.raises(AssertionError, match="choices"):
        contract.check(
            "POST", ORIGIN + "/v1/chat/completions", 200, "text/event-stream", good.replace(b'"choices"', b'"c"')
        )
