"""The configuration in a responses body, read into canonical names. Source: the field matrix in `docs/presets.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.base import read_fields
from setpoint.wire.body import NULL, is_object, join, members, raw, value

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.wire.body import Body

_NAMES = (
    *("model", "models", "provider", "route", "plugins"),
    *("tools", "parallel_tool_calls", "max_tool_calls", "stop_server_tools_when"),
    *("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "top_logprobs"),
    *("stop", "reasoning", "modalities", "image_config", "cache_control", "prompt_cache_options"),
    *("truncation", "deferred_tools", "cache_enabled", "cache_ttl_seconds"),
)

_READ = {name: name for name in _NAMES} | {"max_output_tokens": "max_tokens"}
"""Field of a body to canonical name."""


def read_config(body: Body) -> Body:
    """The configuration in a checked responses body, in the order of the body."""
    return read_fields(body, _READ, _CONVERSIONS)


def _tool_choice(content: Raw) -> Body:
    """A named function in chat's form; words and the protocol's other forms as they are."""
    if is_object(content):
        choice = members(content)
        if value(choice["type"]) == "function":
            return {"tool_choice": raw({"type": "function", "function": {"name": choice["name"]}})}
    return {"tool_choice": content}


def _text(content: Raw) -> Body:
    config: Body = {}
    for name, said in members(content).items():
        if said == NULL:
            continue
        if name == "verbosity":
            config["verbosity"] = said
        elif name == "format":
            config["response_format"] = _response_format(said)
    return config


def _response_format(content: Raw) -> Raw:
    """The format in chat's form, which keeps a schema and its name one level deeper."""
    rest = members(content)
    kind = rest.pop("type")
    if value(kind) != "json_schema":
        return content
    return Raw(join({"type": kind, "json_schema": Raw(join(rest))}))


def _service_tier(content: Raw) -> Body:
    # The official Python client sends "auto" with every call of this skin: a setting that nobody made.
    return {} if value(content) == "auto" else {"service_tier": content}


_CONVERSIONS: dict[str, Callable[[Raw], Body]] = {
    "tool_choice": _tool_choice,
    "text": _text,
    "service_tier": _service_tier,
}
