"""The last touch to a request for a messages upstream: where it goes, and what the protocol's own rules ask of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.messages.config import LEAST_BUDGET, USUAL_LIMIT
from setpoint.protocols.money import read_count
from setpoint.protocols.seals import is_wrapped
from setpoint.wire.body import NULL, as_array, as_object, as_text, is_null, is_string, join, raw

if TYPE_CHECKING:
    from setpoint.protocols.terms import Terms
    from setpoint.wire.body import Body

_LIMIT = 8192  # where neither the request nor the endpoint has one
_TRUE = Raw(b"true")
_EMPTY = Raw(b'""')

# The share of an endpoint's limit that a budget may have: where the request has a limit of its own, and at most.
_WITH_LIMIT, _MOST = 0.8, 0.95

# Where a thought may have a signature that is empty or another maker's.
_FOREIGN = re.compile(rb'"s(?:etpoint:|ignature"\s*:\s*"")')


def path(base_url: str) -> str:
    """What stands behind a provider's base URL, which may or may not end in the version."""
    return "/messages" if base_url.endswith("/v1") else "/v1/messages"


def finish_request(sent: Body, terms: Terms, body: Body) -> tuple[Body, tuple[str, ...]]:
    """The request with the output limit that this protocol requires, and without what it refuses side by side.

    What the caller wrote in this protocol's own words is only added to. Comes with the canonical names of what could
    not be said after all.
    """
    finished = dict(sent)
    unsaid: list[str] = []
    if terms.stream:
        finished["stream"] = _TRUE
    finished.setdefault("max_tokens", raw(terms.max_output_tokens or _LIMIT))
    _mend_choice(finished)
    own_thinking = "thinking" in body and body["thinking"] == sent.get("thinking")
    if not own_thinking and _may_not_think(finished):
        del finished["thinking"]
        unsaid.append("reasoning")
    # With the interleaved-thinking beta a budget may exceed the limit, so what the caller wrote of both stands.
    if not own_thinking:
        _fit_budget(finished, terms.max_output_tokens, limited="max_tokens" in sent)
    if not (own_thinking and "max_tokens" in body):
        _make_room(finished)
    if "messages" in finished:
        finished["messages"] = _own_thoughts(finished["messages"], as_text(finished.get("model")) or "")
    return finished, tuple(unsaid)


def _mend_choice(sent: Body) -> None:
    """A choice that says nothing without tools is not said; one of none has nothing beside it."""
    choice = as_object(sent.get("tool_choice"))
    kind = as_text(choice.get("type"))
    if kind in ("auto", "none") and "tools" not in sent:
        del sent["tool_choice"]
    elif kind == "none" and "disable_parallel_tool_use" in choice:
        sent["tool_choice"] = raw({"type": "none"})


# --- thinking ------------------------------------------------------------------------------------------------


def _may_not_think(sent: Body) -> bool:
    """Whether the protocol refuses this request for its thinking."""
    # "Thinking may not be enabled when tool_choice forces tool use." And with a budget: "When `thinking` is enabled, a
    # final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and
    # `tool_result` blocks)." (Messages API errors as public reports quote them, read 2026-11)
    kind = as_text(as_object(sent.get("thinking")).get("type"))
    if kind not in ("enabled", "adaptive"):
        return False
    if as_text(as_object(sent.get("tool_choice")).get("type")) in ("any", "tool"):
        return True
    return kind == "enabled" and _called_without_a_thought(sent.get("messages", NULL))


def _called_without_a_thought(messages: Raw) -> bool:
    """Whether the conversation ends in results of calls that no thought of this protocol's making led to."""
    last = [as_object(message) for message in as_array(messages)[-2:]]
    if len(last) != 2 or _first_block(last[1]) != "tool_result":
        return False
    return _first_block(last[0]) not in ("thinking", "redacted_thinking")


def _first_block(message: Body) -> str | None:
    content = message.get("content")
    return next((as_text(as_object(block).get("type")) for block in as_array(content)), None)


def _fit_budget(sent: Body, most: int | None, *, limited: bool) -> None:
    """A translated budget that leaves something of the endpoint's output limit for the answer.

    `most` is that limit, None when not known; `limited` says that the request has one of its own.
    """
    budget, limit = _budget_and_limit(sent)
    if most is None or budget < limit or budget + limit <= most:
        return
    share = _WITH_LIMIT if limited else min(budget / USUAL_LIMIT, _MOST)
    fitting = max(min(budget, int(most * share)), LEAST_BUDGET)
    sent["thinking"] = Raw(join({**as_object(sent["thinking"]), "budget_tokens": raw(fitting)}))
    sent["max_tokens"] = raw(max(most, limit))


def _make_room(sent: Body) -> None:
    """An output limit above what may be spent on thinking, as the protocol counts both together."""
    budget, limit = _budget_and_limit(sent)
    if budget >= limit:
        sent["max_tokens"] = raw(budget + limit)


def _budget_and_limit(sent: Body) -> tuple[int, int]:
    """What may be thought with, and the output limit; a budget that is none is below any limit."""
    try:
        thinking = as_object(sent.get("thinking"))
        return read_count(thinking, "budget_tokens") or -1, read_count(sent, "max_tokens")
    except ValueError:
        return -1, 0


def _own_thoughts(messages: Raw, model: str) -> Raw:
    """The messages without the thoughts that another maker sealed, which every upstream refuses.

    Claude refuses those with an empty signature too; other models behind this protocol may write them themselves.
    """
    if not _FOREIGN.search(messages):
        return messages
    claude = "claude" in model.lower()
    kept = [_without_foreign(message, claude=claude) for message in as_array(messages)]
    return raw([message for message in kept if message is not None])


def _without_foreign(data: Raw, *, claude: bool) -> Raw | None:
    message = as_object(data)
    blocks = as_array(message.get("content"))
    kept = [block for block in blocks if not _is_foreign(as_object(block), claude=claude)]
    if len(kept) == len(blocks):
        return data
    return Raw(join({**message, "content": raw(kept)})) if kept else None


def _is_foreign(block: Body, *, claude: bool) -> bool:
    match as_text(block.get("type")):
        case "thinking":
            seal = block.get("signature", NULL)
        case "redacted_thinking":
            seal = block.get("data", NULL)
        case _:
            return False
    if is_null(seal) or seal == _EMPTY:
        return claude
    return is_string(seal) and is_wrapped(seal)
