"""What of a request goes to an upstream, and what does not: one row a canonical field, whatever the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from setpoint.records import Dialect, Endpoint

Rule = Literal["own", "identity", "listed", "supported", "always"]
"""own: the gateway's, never sent. identity: only as a keyed hash, where listed. listed: where the endpoint lists it.

supported: where the endpoint's parameters have it, or are not known. always: sent as it is.
"""

_RULES: dict[Rule, tuple[str, ...]] = {
    "own": (
        *("preset", "preset_variables", "preset_variables_schema", "provider", "models", "fallbacks", "route"),
        "plain_prompt",  # chat's legacy `prompt`, which has become a message
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
        *("metadata", "context_management", "speed", "truncation", "include", "output_config", "safeguards"),
    ),
    "always": (
        *("messages", "input", "system", "instructions", "prompt", "stream", "max_tokens", "max_completion_tokens"),
        *("model", "stream_options", "n", "store", "background", "previous_response_id"),
    ),
}
RULES: dict[str, Rule] = {name: rule for rule, names in _RULES.items() for name in names}

UNNAMED = frozenset(
    {"metadata", "cache_control", "prompt_cache_key", "prompt_cache_options", "user", "safety_identifier"}
)
"""Hints and labels whose absence changes no answer: left out without being named."""

REASONING = ("reasoning", "reasoning_effort", "include_reasoning")
"""Three ways of asking for the same thing: an endpoint that lists one takes it in that form."""


def takes(endpoint: Endpoint, dialect: Dialect, name: str) -> bool:
    """Whether an endpoint takes, in this dialect, a field that only some do."""
    if f"{dialect}.{name}" in endpoint.provider.lacks:
        return False
    if endpoint.parameters is None:
        return True
    return name in endpoint.parameters or (name in REASONING and not endpoint.parameters.isdisjoint(REASONING))


def lists(endpoint: Endpoint, name: str) -> bool:
    """Whether an endpoint, or its provider's row, lists a field that is sent only where it is known."""
    return name in endpoint.provider.takes or (endpoint.parameters is not None and name in endpoint.parameters)
