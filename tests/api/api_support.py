"""What the tests of the HTTP surface share: slugs that nobody used yet, bodies to post, answers taken apart."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway

USER: dict[str, str] = {"role": "user", "content": "hi"}
SKINS = ("chat/completions", "messages", "responses")

_ERROR_TYPES = {
    400: "invalid_request",
    401: "authentication",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "payload_too_large",
    431: "headers_too_large",
}
_numbers = itertools.count(1)


def fresh(word: str = "preset") -> str:
    """A slug that no test of this run has used."""
    return f"{word}-{next(_numbers)}"


def create(gateway: Gateway, slug: str, body: Any, skin: str = "chat/completions") -> dict[str, Any]:
    """The preset, with its new version, that this body makes."""
    return data_of(gateway.call("POST", f"/presets/{slug}/{skin}", body))


def get(gateway: Gateway, slug: str) -> dict[str, Any]:
    """The preset with its designated version."""
    return data_of(gateway.call("GET", f"/presets/{slug}"))


def ask(gateway: Gateway, body: dict[str, Any], *, key: str | None = None, **more: Any) -> Answer:
    """The answer to a chat completion; one user message is in it when the body brings none."""
    return gateway.call("POST", "/chat/completions", {"messages": [USER], **body}, key=key, **more)


def data_of(answer: Answer) -> Any:
    """The `data` of an answer that is a success."""
    assert answer.status == 200, (answer.status, answer.body)
    assert answer.header("content-type") == "application/json"
    return answer.json()["data"]


def refused(answer: Answer, status: int) -> str:
    """The message of an error answer, whose envelope is exactly the documented one."""
    assert answer.status == status, (answer.status, answer.body)
    assert answer.header("content-type") == "application/json"
    content = answer.json()
    assert set(content) == {"error", "user_id", "openrouter_metadata"}
    assert content["user_id"] is None
    assert content["openrouter_metadata"] is None
    error = content["error"]
    assert error["code"] == status
    assert error["metadata"]["error_type"] == _ERROR_TYPES[status]
    assert error["message"]
    return error["message"]


def new_key(gateway: Gateway, **members: Any) -> tuple[str, dict[str, Any]]:
    """A new key in plain text, and what is told of it."""
    answer = gateway.call("POST", "/keys", {"name": "a key", **members})
    assert answer.status == 201, answer.body
    content = answer.json()
    return content["key"], content["data"]


def new_workspace(gateway: Gateway, budgets: Mapping[str, float] | None = None, **members: Any) -> str:
    """The id of a new workspace, with these budgets by their intervals."""
    word = fresh("workspace")
    answer = gateway.call("POST", "/workspaces", {"name": word, "slug": word, **members})
    assert answer.status == 201, answer.body
    for interval, limit in (budgets or {}).items():
        data_of(gateway.call("PUT", f"/workspaces/{word}/budgets/{interval}", {"limit_usd": limit}))
    return answer.json()["data"]["id"]


def sent(simulator: Simulator, prefix: str = "") -> dict[str, Any]:
    """The body of the one request that the upstream has received."""
    (received,) = simulator.requests(prefix)
    return received.json()
