"""The configuration in a messages body, read into canonical names and written from them.

Source: the field matrix in `docs/presets.md`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.base import read_fields
from setpoint.protocols.functions import functions_in_form
from setpoint.protocols.messages.fields import FIELDS as CHECKED
from setpoint.wire.body import (
    NULL,
    MalformedError,
    as_object,
    as_pointer,
    as_text,
    is_null,
    is_object,
    is_string,
    items,
    join,
    members,
    raw,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from setpoint.wire.body import Body

_TRUE = Raw(b"true")
_FALSE = Raw(b"false")

_NAMES = (
    *("model", "models", "provider", "route", "plugins", "tools", "stop_server_tools_when"),
    *("temperature", "top_p", "top_k", "max_tokens", "service_tier", "cache_control", "speed"),
    *("context_management", "safeguards", "deferred_tools", "cache_enabled", "cache_ttl_seconds"),
)

_READ = {name: name for name in _NAMES} | {"stop_sequences": "stop"}
"""Field of a body to canonical name, of the fields that a preset keeps as they are."""

PARTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"output_config": {"effort": "verbosity", "format": "response_format", "task_budget": "output_config"}}
)
"""The fields that hold several settings: field to its members, member to canonical name."""

COMPOSITE = frozenset({"output_config", "tool_choice"})
"""The fields in which a preset's settings and a request's stand side by side."""

_OTHER_WORDS = {"stop_sequences": "stop", "thinking": "reasoning"}

FIELDS: Mapping[str, str] = MappingProxyType(
    {name: _OTHER_WORDS.get(name, name) for name in CHECKED if name not in PARTS}
)
"""Every field of a request that has one canonical name: field to name."""

_POINTERS = {
    "stop": "/stop_sequences",
    "reasoning": "/thinking",
    "reasoning.effort": "/thinking/budget_tokens",
    "reasoning.max_tokens": "/thinking/budget_tokens",
    "reasoning.enabled": "/thinking/type",
    "reasoning.exclude": "/thinking/display",
    "verbosity": "/output_config/effort",
    "response_format": "/output_config/format",
    "output_config": "/output_config/task_budget",
    "parallel_tool_calls": "/tool_choice/disable_parallel_tool_use",
}


def settled(body: Body, request: Body) -> Body:
    """A request over a preset's fields, with what of the two cannot stand together.

    A preset's budget for thinking may fill the limit that a client sends with every request: it is on top of that.
    """
    if "thinking" in request or "max_tokens" not in request:
        return body
    budget = _whole(as_object(body.get("thinking")).get("budget_tokens"))
    limit = _whole(body.get("max_tokens"))
    if budget is None or limit is None or limit > budget:
        return body
    return {**body, "max_tokens": raw(budget + limit)}


def pointer(name: str) -> str:
    """Where a messages body says this canonical field, or a member of it: a JSON pointer."""
    return _POINTERS.get(name) or as_pointer(*name.split(".", 1))


# --- reading -------------------------------------------------------------------------------------------------

_TOOL_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def read_config(body: Body) -> Body:
    """The configuration in a checked messages body, in the order of the body."""
    return read_fields(body, _READ, _CONVERSIONS)


def read_call(body: Body) -> Body:
    """The configuration, and who the end user is: `user`, else the `user_id` of the protocol's own `metadata`.

    What nobody here knows of `output_config` stands beside it, by names of its own (`output_config.foo`).
    """
    config = _told_apart(read_config(body))
    for user in (body.get("user", NULL), as_object(body.get("metadata")).get("user_id", NULL)):
        if user != NULL:
            return {**config, "user": user}
    return config


def _told_apart(config: Body) -> Body:
    """The configuration with each unknown member of `output_config` under its own name, so that it can be named."""
    rest = as_object(config.get("output_config"))
    unknown = rest.keys() - PARTS["output_config"].keys()
    if not unknown:
        return config
    told = {name: content for name, content in config.items() if name != "output_config"}
    if known := {name: content for name, content in rest.items() if name not in unknown}:
        told["output_config"] = Raw(join(known))
    return told | {f"output_config.{name}": content for name, content in rest.items() if name in unknown}


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
    rest = {name: said for name, said in members(content).items() if not is_null(said)}
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

# --- writing -------------------------------------------------------------------------------------------------

LEAST_BUDGET, MOST_BUDGET = 1024, 128_000
"""What may be spent on thinking, in tokens."""

USUAL_LIMIT = 32_768
"""The output limit that an effort is a share of where the configuration has none, in tokens."""

_SHARES = {"max": 0.95, "xhigh": 0.95, "high": 0.8, "medium": 0.5, "low": 0.2, "minimal": 0.1}
"""Effort to the share of the output limit that may be spent on thinking."""

_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_CLIENT_TOOLS = frozenset({"local_shell", "shell", "apply_patch"})


def write_config(config: Body) -> tuple[Body, tuple[str, ...]]:
    """The configuration in messages' fields, and the canonical names of what messages cannot say."""
    body: Body = {}
    output: Body = {}
    unsaid: list[str] = []
    for name, content in config.items():
        write = _WRITERS.get(name)
        said = write(content, config) if write else {name: content} if name in _NAMES else None
        if said is None:
            unsaid.append(name)
        elif name in PARTS["output_config"].values():
            output |= said
        else:
            body |= said
    if output:
        body["output_config"] = Raw(join(output))
    return body, tuple(unsaid)


def _written_tools(content: Raw, _: Body) -> Body:
    return {"tools": functions_in_form(content, "messages")}


def _written_stop(content: Raw, _: Body) -> Body:
    return {"stop_sequences": raw([content]) if is_string(content) else content}


def _written_user(content: Raw, _: Body) -> Body:
    return {"metadata": raw({"user_id": content})}


def _written_limit(content: Raw, config: Body) -> Body:
    return {} if "max_completion_tokens" in config else {"max_tokens": content}


def _written_completion_limit(content: Raw, _: Body) -> Body:
    return {"max_tokens": content}


def _written_choice(content: Raw, config: Body) -> Body | None:
    choice = _choice(content)
    if choice is None:
        return None
    parallel = config.get("parallel_tool_calls")
    if parallel is not None and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = parallel != _TRUE
    return {"tool_choice": raw(choice)}


def _written_parallel(content: Raw, config: Body) -> Body:
    """One call at a time, where no choice says it already. Several at once is what the protocol does anyway."""
    if content == _TRUE or ("tool_choice" in config and _choice(config["tool_choice"]) is not None):
        return {}
    return {"tool_choice": raw({"type": "auto", "disable_parallel_tool_use": True})}


def _choice(content: Raw) -> dict[str, object] | None:
    """A canonical `tool_choice`: chat's words, or a tool named in the words of chat or responses."""
    if (word := as_text(content)) is not None:
        return {"type": _CHOICES[word]} if word in _CHOICES else None
    told = as_object(content)
    kind = as_text(told.get("type")) or ""
    if kind in _CLIENT_TOOLS:
        return {"type": "tool", "name": kind}
    if kind not in ("function", "custom"):
        return None
    name = as_text(as_object(told.get(kind)).get("name")) or as_text(told.get("name"))
    return {"type": "tool", "name": name} if name else None


def _written_thinking(content: Raw, config: Body) -> Body:
    """How much to think. A wish that says nothing of that (only `summary`, only `exclude`) says nothing here."""
    reasoning = as_object(content)
    effort, budget = as_text(reasoning.get("effort")), _whole(reasoning.get("max_tokens"))
    thinking: dict[str, object]
    if reasoning.get("enabled") == _FALSE or effort == "none" or budget == 0:
        return {"thinking": raw({"type": "disabled"})}
    if budget is not None:
        thinking = {"type": "enabled", "budget_tokens": max(budget, LEAST_BUDGET)}
    elif effort in _SHARES:
        thinking = {"type": "enabled", "budget_tokens": _share(effort, config)}
    elif reasoning.get("enabled") == _TRUE:
        thinking = {"type": "adaptive"}
    else:
        return {}
    if reasoning.get("exclude") == _TRUE:
        thinking["display"] = "omitted"
    return {"thinking": raw(thinking)}


def _share(effort: str, config: Body) -> int:
    limit = _whole(config.get("max_completion_tokens")) or _whole(config.get("max_tokens")) or USUAL_LIMIT
    return max(min(int(limit * _SHARES[effort]), MOST_BUDGET), LEAST_BUDGET)


def _whole(data: Raw | None) -> int | None:
    """A number as an integer, None for anything else."""
    try:
        return None if data is None else int(value(data))
    except (MalformedError, TypeError, ValueError, OverflowError):
        return None


def _written_effort(content: Raw, _: Body) -> Body:
    return {"effort": content}


def _written_format(content: Raw, _: Body) -> Body | None:
    told = as_object(content)
    kind, schema = as_text(told.get("type")), as_object(told.get("json_schema")).get("schema", NULL)
    if kind == "json_schema" and is_object(schema):
        return {"format": raw({"type": "json_schema", "schema": schema})}
    return {} if kind == "text" else None


def _written_rest(content: Raw, _: Body) -> Body:
    return as_object(content)


_WRITERS: dict[str, Callable[[Raw, Body], Body | None]] = {
    "tools": _written_tools,
    "tool_choice": _written_choice,
    "parallel_tool_calls": _written_parallel,
    "stop": _written_stop,
    "max_tokens": _written_limit,
    "max_completion_tokens": _written_completion_limit,
    "reasoning": _written_thinking,
    "user": _written_user,
    "verbosity": _written_effort,
    "response_format": _written_format,
    "output_config": _written_rest,
}
"""Canonical field to what says it, from its value and the configuration it stands in: fields, or members of a part.

None when nothing does. A field that is not here goes by its own name.
"""
