"""What of a request goes to the upstream, and what does not: one table of fields, and the edit that follows it.

What the request asked for and the endpoint does not get is named as a JSON pointer, never lost in silence.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Literal

from msgspec import Raw, Struct

from setpoint.errors import RequestError
from setpoint.wire.body import (
    NULL,
    Body,
    as_array,
    as_object,
    as_text,
    is_null,
    is_string,
    join,
    members,
    raw,
    value,
)

if TYPE_CHECKING:
    from setpoint.records import Endpoint

Rule = Literal["own", "identity", "listed", "supported", "always"]
"""own: the gateway's, never sent. identity: only as a keyed hash, where listed. listed: where the endpoint lists it.

supported: where the endpoint's parameters have it, or are not known. always: sent as it is.
"""

_RULES: dict[Rule, tuple[str, ...]] = {
    "own": (
        *("preset", "preset_variables", "preset_variables_schema", "provider", "models", "fallbacks", "route"),
        "prompt",  # it has become a message
        *("plugins", "transforms", "usage", "session_id", "trace", "debug", "deferred_tools"),
        *("stop_server_tools_when", "max_tool_calls", "cache_enabled", "cache_ttl_seconds", "client_metadata"),
    ),
    "identity": ("user", "safety_identifier"),
    "listed": ("service_tier",),
    "supported": (
        *("reasoning", "reasoning_effort", "include_reasoning", "verbosity", "temperature", "top_p", "top_k"),
        *("min_p", "top_a", "repetition_penalty", "frequency_penalty", "presence_penalty", "seed", "logit_bias"),
        *("logprobs", "top_logprobs", "response_format", "structured_outputs", "tools", "tool_choice"),
        *("parallel_tool_calls", "stop", "prediction", "modalities", "audio", "image_config"),
        *("web_search_options", "x_search_filter", "cache_control", "prompt_cache_key", "prompt_cache_options"),
        "metadata",
    ),
    "always": ("messages", "stream", "max_tokens", "max_completion_tokens", "model", "stream_options", "n"),
}
RULES: dict[str, Rule] = {name: rule for rule, names in _RULES.items() for name in names}

# Hints and labels whose absence changes no answer: left out without being named.
_UNNAMED = frozenset({"metadata", "cache_control", "prompt_cache_key", "prompt_cache_options"})

_REASONING = ("reasoning", "reasoning_effort", "include_reasoning")
_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_AUTO, _NONE = Raw(b'"auto"'), Raw(b'"none"')
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_TIERS = {b'"fast"': b'"priority"'}
_SHARES = {"xhigh": 0.95, "high": 0.8, "medium": 0.5, "low": 0.2, "minimal": 0.1}
"""Effort to the share of the output limit that it stands for."""


class Lowered(Struct, frozen=True):
    """A body as it goes to the upstream, and the pointers to what it leaves out."""

    body: Body
    unsaid: tuple[str, ...]


def lower(body: Body, endpoint: Endpoint, *, stream: bool, identity_key: bytes) -> Lowered:
    """The chat body for one endpoint: its model name, only what it takes, nothing that is the gateway's own.

    Raises: `RequestError` when `tool_choice` forces a tool that this endpoint cannot be told.
    """
    sent: Body = {"model": raw(endpoint.model)}
    unsaid: list[str] = []
    for name, content in body.items():
        rule = RULES.get(name, "always")
        if rule == "own":
            continue
        if rule == "identity":
            if _lists(endpoint, name) and is_string(content):
                sent[name] = _hashed(content, identity_key)
        elif rule == "listed" and not _lists(endpoint, name):
            unsaid.append(f"/{name}")
        elif rule == "supported" and not _takes(endpoint, name):
            if name not in _UNNAMED:
                unsaid.append(f"/{name}")
        elif name not in sent:
            sent[_limit_name(name, endpoint)] = content
    if "service_tier" in sent:
        sent["service_tier"] = Raw(_TIERS.get(bytes(sent["service_tier"]), bytes(sent["service_tier"])))
    _lower_reasoning(sent, body, endpoint, unsaid)
    _lower_tools(sent, body, endpoint, unsaid)
    unsaid += _plugins(body)
    _lower_provider_options(sent, body, endpoint, unsaid)
    _lower_stream(sent, stream=stream)
    return Lowered(sent, tuple(unsaid))


def _takes(endpoint: Endpoint, name: str) -> bool:
    if endpoint.parameters is None:
        return True
    return name in endpoint.parameters or (name in _REASONING and not endpoint.parameters.isdisjoint(_REASONING))


def _lists(endpoint: Endpoint, name: str) -> bool:
    return name in endpoint.provider.takes or (endpoint.parameters is not None and name in endpoint.parameters)


def _limit_name(name: str, endpoint: Endpoint) -> str:
    """The output limit under the name that the endpoint lists, where it lists only the other one."""
    other = _LIMITS.get(name)
    if other is None or endpoint.parameters is None or name in endpoint.parameters:
        return name
    return other if other in endpoint.parameters else name


def _hashed(content: Raw, key: bytes) -> Raw:
    return raw(hmac.new(key, bytes(content), hashlib.sha256).hexdigest())


def _lower_stream(sent: Body, *, stream: bool) -> None:
    options = sent.pop("stream_options", None)
    if not stream:
        return
    asked = as_object(options)
    asked["include_usage"] = Raw(b"true")
    sent["stream"] = Raw(b"true")
    sent["stream_options"] = Raw(join(asked))


def _lower_provider_options(sent: Body, body: Body, endpoint: Endpoint, unsaid: list[str]) -> None:
    options = as_object(body.get("provider")).get("options", NULL)
    if is_null(options):
        return
    if "provider" in endpoint.provider.takes:
        sent["provider"] = Raw(join({"options": options}))
    else:
        unsaid.append("/provider/options")


# --- reasoning -----------------------------------------------------------------------------------------------


def _lower_reasoning(sent: Body, body: Body, endpoint: Endpoint, unsaid: list[str]) -> None:
    """Reasoning in the form that the endpoint takes: as it came where that is not known."""
    form = endpoint.provider.reasoning_form
    if endpoint.parameters is not None:
        form = "object" if "reasoning" in endpoint.parameters else "effort"
    if form is None or not any(name in sent for name in _REASONING):
        return
    if form == "object" and sent.keys().isdisjoint(_REASONING[1:]):  # as it came, byte for byte
        return
    asked = _asked_reasoning(sent)
    for name in _REASONING:
        sent.pop(name, None)
    if form == "object":
        sent["reasoning"] = Raw(join(asked))
        return
    effort = _effort(asked, body)
    if effort is not None:
        sent["reasoning_effort"] = raw(effort)
    kept = {"effort", "enabled", "max_tokens"} if effort is not None else set[str]()
    unsaid += [f"/reasoning/{name}" for name in asked if name not in kept and not is_null(asked[name])]


def _asked_reasoning(sent: Body) -> Body:
    """The three spellings of what the request asks of reasoning, as one object."""
    asked = as_object(sent.get("reasoning"))
    if "reasoning_effort" in sent:
        asked["effort"] = sent["reasoning_effort"]
    if sent.get("include_reasoning") == _FALSE:
        asked.setdefault("exclude", _TRUE)
    return asked


def _effort(asked: Body, body: Body) -> str | None:
    """The effort word nearest to what was asked, None when nothing was asked of it."""
    effort = as_text(asked.get("effort"))
    if effort is not None:
        return effort
    if asked.get("enabled") == _FALSE:
        return "none"
    budget = asked.get("max_tokens", NULL)
    if is_null(budget):
        return "medium" if asked.get("enabled") == _TRUE else None
    limit = body.get("max_tokens") or body.get("max_completion_tokens")
    share = float(value(budget)) / float(value(limit)) if limit is not None else 0.5
    return min(_SHARES, key=lambda word: abs(_SHARES[word] - share))


# --- tools and plugins ---------------------------------------------------------------------------------------

_SHORTHANDS = ("web_search", "web_search_preview", "web_search_preview_2025_03_11", "web_search_2025_08_26")


def _lower_tools(sent: Body, body: Body, endpoint: Endpoint, unsaid: list[str]) -> None:
    """Leave out the tools that the endpoint cannot be told, and name them by their place in the merged list."""
    kept: list[Raw] = []
    if "tools" in body and "tools" not in sent:  # it takes none at all
        _refuse_forced(body.get("tool_choice"), [members(tool) for tool in as_array(body["tools"])], none_left=True)
        sent.pop("parallel_tool_calls", None)
        return
    left_out: list[Body] = []
    for position, data in enumerate(as_array(sent.get("tools"))):
        tool = members(data)
        if _is_sayable(tool, endpoint):
            kept.append(data)
        else:
            left_out.append(tool)
            unsaid.append(f"/tools/{position}")
    if not left_out:
        return
    _refuse_forced(sent.get("tool_choice"), left_out, none_left=not kept)
    if kept:
        sent["tools"] = Raw(b"[" + b",".join(bytes(tool) for tool in kept) + b"]")
    else:
        if sent.get("tool_choice", _AUTO) not in (_AUTO, _NONE):
            unsaid.append("/tool_choice")
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            sent.pop(name, None)


def _is_sayable(tool: Body, endpoint: Endpoint) -> bool:
    kind = as_text(tool.get("type")) or ""
    if kind == "function" and "function" in tool:
        return True
    if kind == "custom" and "custom" in tool:
        return True
    server_tool = kind.startswith("openrouter:") or kind in _SHORTHANDS
    return server_tool and endpoint.provider.server_tools


def _refuse_forced(choice: Raw | None, left_out: list[Body], *, none_left: bool) -> None:
    """A tool that must be called and cannot be said is an error, never an answer without it."""
    named = as_object(choice)
    forced = next((tool for tool in left_out if named and _names(named, tool)), None)
    if as_text(choice) == "required" and none_left and left_out:
        forced = left_out[0]
    if forced is not None:
        name = _tool_name(forced)
        raise RequestError(
            "invalid_request",
            f"tool_choice: forces the tool {name}, which is not supported here",
            metadata={"reason": "unsupported"},
        )


def _names(choice: Body, tool: Body) -> bool:
    kind, other = as_text(choice.get("type")), as_text(tool.get("type"))
    if kind in ("function", "custom"):
        return as_text(as_object(choice.get(kind)).get("name")) == _tool_name(tool)
    shorthands = (*_SHORTHANDS, "openrouter:web_search")
    return kind == other or (kind in shorthands and other in shorthands)


def _tool_name(tool: Body) -> str:
    inner = as_object(tool.get("function")) or as_object(tool.get("custom")) or tool
    return as_text(inner.get("name")) or as_text(tool.get("type")) or ""


def _plugins(body: Body) -> list[str]:
    """Pointers to the plugins that were asked for, also by their older name: none is run here."""
    enabled = (as_object(plugin).get("enabled") != _FALSE for plugin in as_array(body.get("plugins")))
    pointers = [f"/plugins/{position}" for position, asked in enumerate(enabled) if asked]
    return [*pointers, "/transforms"] if as_array(body.get("transforms")) else pointers
