"""The last touch to a request for a messages upstream: where it goes, and what the protocol's own rules ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.messages.config import LEAST_BUDGET, USUAL_LIMIT
from setpoint.protocols.messages.history import called_without_a_thought, mend_history
from setpoint.protocols.money import read_count
from setpoint.wire.body import NULL, MalformedError, as_array, as_object, as_text, is_null, join, raw, value

if TYPE_CHECKING:
    from setpoint.protocols.terms import Terms
    from setpoint.wire.body import Body

_LIMIT = 8192  # where neither the request nor the endpoint has one
_TRUE = Raw(b"true")

# The share of an endpoint's limit that a budget may have: where the request has a limit of its own, and at most.
_WITH_LIMIT, _MOST = 0.8, 0.95

_THINKING = ("enabled", "adaptive")
_LEAST_TOP_P = 0.95


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
    if "messages" in sent:
        finished["messages"] = mend_history(sent["messages"], as_text(sent.get("model")) or "")
    own_thinking = _is_own("thinking", sent, terms, body)
    if _lost_its_thought(sent, finished) if own_thinking else _may_not_think(finished):
        unsaid += _without_thinking(finished)
    if not own_thinking:
        unsaid += _mend_sampling(finished)
    # With the interleaved-thinking beta a budget may exceed the limit, so what the caller wrote of both stands.
    if not own_thinking or terms.clamped:
        thinking = finished.get("thinking")
        _fit_budget(finished, terms.max_output_tokens, limited="max_tokens" in sent)
        if own_thinking and finished.get("thinking") != thinking:
            unsaid.append("reasoning.max_tokens")
    if not (own_thinking and "max_tokens" in body):
        _make_room(finished)
    return finished, tuple(unsaid)


def _is_own(name: str, sent: Body, terms: Terms, body: Body) -> bool:
    """Whether the client itself wrote a field, in this protocol's words, as it is sent."""
    return name in body and body[name] == sent.get(name) and (terms.own is None or name in terms.own)


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
    kind = _thinking(sent)
    if kind not in _THINKING:
        return False
    if as_text(as_object(sent.get("tool_choice")).get("type")) in ("any", "tool"):
        return True
    return kind == "enabled" and called_without_a_thought(sent.get("messages", NULL))


def _lost_its_thought(told: Body, sent: Body) -> bool:
    """Whether the protocol refuses thinking only for what was left out of the history."""
    before, after = told.get("messages", NULL), sent.get("messages", NULL)
    if before is after or _thinking(sent) != "enabled":
        return False
    return called_without_a_thought(after) and not called_without_a_thought(before)


def _thinking(sent: Body) -> str | None:
    return as_text(as_object(sent.get("thinking")).get("type"))


def _without_thinking(sent: Body) -> list[str]:
    """Leave thinking out, and what needs it. Comes with the canonical names of both."""
    del sent["thinking"]
    # "`clear_thinking_20251015` strategy requires `thinking` to be enabled" (a Messages API error as public reports
    # quote it, read 2026-11)
    management = as_object(sent.get("context_management"))
    edits = as_array(management.get("edits"))
    kept = [edit for edit in edits if not (as_text(as_object(edit).get("type")) or "").startswith("clear_thinking_")]
    if len(kept) == len(edits):
        return ["reasoning"]
    if kept:
        sent["context_management"] = Raw(join({**management, "edits": raw(kept)}))
    else:
        del sent["context_management"]
    return ["reasoning", "context_management"]


def _mend_sampling(sent: Body) -> list[str]:
    """Leave out the sampling that may not stand beside thinking. Comes with its canonical names."""
    # "`temperature` may only be set to 1 when thinking is enabled" (the API's 400, as users report it); it takes no
    # `top_k` then either, and no `top_p` below 0.95.
    if _thinking(sent) not in _THINKING:
        return []
    temperature, top_p = _number(sent.get("temperature")), _number(sent.get("top_p"))
    refused = {
        "temperature": temperature is not None and temperature != 1,
        "top_p": top_p is not None and top_p < _LEAST_TOP_P,
        "top_k": not is_null(sent.get("top_k", NULL)),
    }
    names = [name for name, is_refused in refused.items() if is_refused]
    for name in names:
        del sent[name]
    return names


def _number(data: Raw | None) -> float | None:
    """A number, None for anything else."""
    try:
        content = None if data is None else value(data)
    except MalformedError:
        return None
    return content if isinstance(content, (int, float)) else None


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
