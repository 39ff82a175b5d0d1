"""What the tests of the three skins share: a gateway whose providers speak one dialect each, and least requests.

`at/chat`, `at/messages` and `at/responses` are at one provider each, `at/two` at one that speaks chat and messages,
`at/all` at all three in this order. Each is reached under a path of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from setpoint.records import Dialect

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway

SKINS: tuple[Dialect, ...] = get_args(Dialect)
PAIRS = [(skin, dialect) for skin in SKINS for dialect in SKINS]
ROUTES: dict[Dialect, str] = {"chat": "/chat/completions", "messages": "/messages", "responses": "/responses"}
SECRET = "sk-upstream-three-0123456789"
PRICE = {"prompt": "0.000001", "completion": "0.000002"}


def three_dialects(simulator: Simulator) -> dict[str, Any]:
    """The providers and models."""
    urls = {"chat": "/c/v1", "messages": "/m", "responses": "/r/v1"}
    providers: dict[str, Any] = {
        dialect: {"dialect": dialect, "base_url": simulator.url(url), "api_key": SECRET}
        for dialect, url in urls.items()
    }
    two = {"dialect": ["chat", "messages"], "base_url": simulator.url("/t/v1"), "api_key": SECRET, "auth": "bearer"}
    offers = {slug: {"provider": slug, "model": f"{slug}-model", "pricing": PRICE} for slug in (*urls, "two")}
    models: dict[str, Any] = {f"at/{slug}": {"endpoints": [offer]} for slug, offer in offers.items()}
    models["at/all"] = {"endpoints": [{**offers[slug], "weight": int(slug == "chat")} for slug in urls]}
    models["at/few"] = {
        "endpoints": [
            {**offers["chat"], "parameters": ["temperature"]},
            {**offers["messages"], "parameters": ["top_k"], "weight": 0},
        ]
    }
    return {"providers": {**providers, "two": two}, "models": models}


def least(skin: Dialect, text: str = "Hi there", **fields: Any) -> dict[str, Any]:
    """A request of a skin with one user message."""
    if skin == "responses":
        return {"input": text, **fields}
    return {"messages": [{"role": "user", "content": text}], **fields}


def ask(gateway: Gateway, skin: Dialect, model: str, text: str = "Hi there", **fields: Any) -> Answer:
    """The answer to a request of a skin."""
    return gateway.call("POST", ROUTES[skin], least(skin, text, model=model, **fields))


def text_of(skin: Dialect, answer: Answer) -> str:
    """The text of a whole answer."""
    assert answer.status == 200, answer.body
    content = answer.json()
    match skin:
        case "chat":
            return content["choices"][0]["message"]["content"]
        case "messages":
            return "".join(block["text"] for block in content["content"] if block["type"] == "text")
        case "responses":
            items = [item for item in content["output"] if item["type"] == "message"]
            return "".join(part["text"] for item in items for part in item["content"])


def error_of(skin: Dialect, answer: Answer) -> tuple[str, str]:
    """The type of an error answer in our own words and its message; its envelope must be the skin's."""
    assert answer.header("content-type") == "application/json", answer.body
    content = answer.json()
    if skin == "messages":
        assert content["type"] == "error"
        assert set(content) >= {"type", "error", "request_id"}
        assert content["error"]["type"].endswith("_error")
        return content["error"]["error_type"], content["error"]["message"]
    assert content["error"]["code"] == answer.status
    return content["error"]["metadata"]["error_type"], content["error"]["message"]
