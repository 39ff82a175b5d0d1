"""The configuration in a messages body, read into canonical names. Source: the field matrix in `docs/presets.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.base import read_fields
from setpoint.wire.body import NULL, items, join, members, raw, value

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.wire.body import Body

_TRUE = Raw(b"true")
_FALSE = Raw(b"false")

_NAMES = (
    *("model", "models", "provider", "route", "plugins", "tools", "stop_server_tools_when"),
    *("temperature", "top_p", "top_k", "max_tokens", "service_tier", "cache_control", "speed"),
    *("context_management", "safeguards", "deferred_tools", "cache_enabled", "cache_ttl_seconds"),
)

_READ = {name: name for name in _NAMES} | {"stop_sequences": "stop"}
"""Field of a body to canonical name."""

_TOOL_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def read_config(body: Body) -> Body:
    """The configuration in a checked messages body, in the order of the body."""
    return read_fields(body, _READ, _CONVERSIONS)


def _fallbacks(content: Raw) -> Body:
    return {"models": raw([members(entry)["model"] for entry in items(content)])}


def _tool_choice(content: Raw) -> Body:
    choice = members(content)
    kind = value(choice["type"])
    if kind == "tool":
        written = raw({"type": "function", "function": {"name": choice["name"]}})
    else:
        written = raw(_TOOL_CHOICES[kind])
    config: Body = {"tool_choice": written}
    one_at_a_time = choice.get("disable_parallel_tool_use", NULL)
    if one_at_a_time != NULL:
        config["parallel_tool_calls"] = _FALSE if one_at_a_time == _TRUE else _TRUE
    return config


def _thinking(content: Raw) -> Body:
    thinking = members(content)
    kind = value(thinking["type"])
    reasoning: Body = {"enabled": _FALSE if kind == "disabled" else _TRUE}
    if kind == "enabled":
        reasoning["max_tokens"] = thinking["budget_tokens"]
    if value(thinking.get("display", NULL)) == "omitted":
        reasoning["exclude"] = _TRUE
    return {"reasoning": Raw(join(reasoning))}


def _output_config(content: Raw) -> Body:
    rest = members(content)
    effort = rest.pop("effort", NULL)
    output_format = rest.pop("format", NULL)
    config: Body = {}
    if effort != NULL:
        config["verbosity"] = effort
    if output_format != NULL:
        schema = {"name": "output", "schema": members(output_format)["schema"], "strict": True}
        config["response_format"] = raw({"type": "json_schema", "json_schema": schema})
    if rest:
        config["output_config"] = Raw(join(rest))
    return config


_CONVERSIONS: dict[str, Callable[[Raw], Body]] = {
    "fallbacks": _fallbacks,
    "tool_choice": _tool_choice,
    "thinking": _thinking,
    "output_config": _output_config,
}
