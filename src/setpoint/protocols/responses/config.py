"""The configuration in a responses body, read and written.

Source: the field matrix in `docs/presets.md`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.errors import FieldError
from setpoint.protocols.base import read_fields
from setpoint.protocols.functions import flat_custom, functions_in_form
from setpoint.protocols.responses.fields import check
from setpoint.wire.body import NULL, as_array, as_object, as_text, is_null, is_object, join, members, raw, value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from setpoint.wire.body import Body

_NAMES = (
    *("model", "models", "provider", "route", "plugins"),
    *("tools", "parallel_tool_calls", "max_tool_calls", "stop_server_tools_when"),
    *("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "top_logprobs"),
    *("stop", "reasoning", "modalities", "image_config", "cache_control", "prompt_cache_options"),
    *("truncation", "deferred_tools", "cache_enabled", "cache_ttl_seconds"),
)

_OF_A_CALL = ("user", "safety_identifier", "metadata", "prompt_cache_key", "include")
"""Fields that belong to one call and have a canonical name all the same."""

_OWN = (
    *("input", "instructions", "prompt", "stream", "store", "background", "previous_response_id"),
    *("preset", "preset_variables", "preset_variables_schema", "session_id", "trace", "debug", "client_metadata"),
    *("tool_choice", "service_tier"),
)

_READ = {name: name for name in _NAMES} | {"max_output_tokens": "max_tokens"}
_READ_OF_A_CALL = _READ | {name: name for name in _OF_A_CALL}

FIELDS: Mapping[str, str] = MappingProxyType(_READ_OF_A_CALL | {name: name for name in _OWN})
"""Every field of a request that has one canonical name: field to name."""

PARTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"text": MappingProxyType({"format": "response_format", "verbosity": "verbosity"})}
)
"""The fields that hold several settings: field to its members, member to canonical name."""

COMPOSITE: frozenset[str] = frozenset(PARTS)
"""The fields of a preset and of a request that are put together member by member."""

_POINTERS = {name: f"/{field}" for field, name in FIELDS.items()} | {
    **{name: f"/{field}/{member}" for field, parts in PARTS.items() for member, name in parts.items()},
    "max_completion_tokens": "/max_output_tokens",
}


def settled(body: Body, _request: Body, /) -> Body:
    """A request over a preset's fields as it is: here any two of their fields can stand together."""
    return body


def pointer(name: str) -> str:
    """Where the protocol says this canonical field, or a member of it (`reasoning.exclude`): a JSON pointer."""
    field, *within = name.split(".")
    return "/".join((_POINTERS.get(field, f"/{field}"), *within))


# --- reading -------------------------------------------------------------------------------------------------


def read_config(body: Body) -> Body:
    """The configuration in a checked responses body, in the order of the body."""
    return read_fields(body, _READ, _CONVERSIONS)


def read_call(body: Body) -> Body:
    """The configuration in an effective body, with the fields beside it that belong to one call only."""
    return read_fields(body, _READ_OF_A_CALL, _CONVERSIONS)


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


# --- writing -------------------------------------------------------------------------------------------------

_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_LOGPROBS = Raw(b'["message.output_text.logprobs"]')
_REASONING_WORDS = frozenset({"effort", "summary", "context", "mode", "enabled", "max_tokens"})


def write_config(config: Body) -> tuple[Body, tuple[str, ...]]:
    """The configuration in this protocol's fields, and the canonical names of what it cannot say.

    Another skin may have captured what is refused here, such as five stop sequences: that is named as well. Tools are
    not checked; which of them an endpoint cannot be told is found out for each.
    """
    body: Body = {}
    unsaid: list[str] = []
    for name, content in config.items():
        if name == "max_tokens" and "max_completion_tokens" in config:
            continue  # the older name of the same limit
        write = _WRITERS.get(name)
        fields = write(content) if write else None
        if fields is None or not _takes(fields):
            unsaid.append(name)
            continue
        if name == "reasoning":
            unsaid += [f"reasoning.{member}" for member in _unsaid_members(content)]
        for field in COMPOSITE & fields.keys() & body.keys():
            fields[field] = Raw(join({**members(body[field]), **members(fields[field])}))
        body |= fields
    return body, tuple(unsaid)


def _takes(fields: Body) -> bool:
    try:
        check({name: content for name, content in fields.items() if name != "tools"}, creating=True)
    except FieldError:
        return False
    return True


def _write_as(field: str, member: str | None = None) -> Callable[[Raw], Body]:
    """The writer of a value that stays as it is, in a field or in a member of one."""

    def write(content: Raw) -> Body:
        return {field: content if member is None else Raw(join({member: content}))}

    return write


def _write_tools(content: Raw) -> Body:
    """Functions in this protocol's form, and the tools that take free text, which chat writes one level deeper."""
    tools = functions_in_form(content, "responses")
    entries = as_array(tools)
    written = [flat_custom(members(tool)) if "custom" in members(tool) else tool for tool in entries]
    changed = any(new is not old for new, old in zip(written, entries, strict=True))
    return {"tools": raw(written) if changed else tools}


def _write_tool_choice(content: Raw) -> Body:
    """A choice in this protocol's form, which has the name of a tool, and a list of them, beside the type."""
    choice = content
    for kind in ("function", "custom", "allowed_tools"):
        choice = _flat(choice, kind)
    told = as_object(choice)
    if as_text(told.get("type")) == "allowed_tools":
        listed = [_flat(_flat(tool, "function"), "custom") for tool in as_array(told.get("tools"))]
        choice = Raw(join({**told, "tools": raw(listed)}))
    return {"tool_choice": choice}


def _write_logprobs(content: Raw) -> Body | None:
    """Whether log probabilities are wanted, which this protocol says by what is to be included."""
    if content == _TRUE:
        return {"include": _LOGPROBS}
    return {} if content == _FALSE else None


def _write_response_format(content: Raw) -> Body:
    return {"text": Raw(join({"format": _flat(content, "json_schema")}))}


def _write_reasoning(content: Raw) -> Body:
    told = as_object(content)
    kept = {member: said for member, said in told.items() if member in _REASONING_WORDS or is_null(said)}
    if len(kept) == len(told):
        return {"reasoning": content}
    return {"reasoning": Raw(join(kept))} if kept else {}


def _unsaid_members(reasoning: Raw) -> list[str]:
    """The members of a reasoning object that ask for something which this protocol has no word for."""
    silent = (NULL, Raw(b"false"))
    return [name for name, said in as_object(reasoning).items() if name not in _REASONING_WORDS and said not in silent]


def _flat(content: Raw, kind: str) -> Raw:
    """An object of this type without the level that chat puts between it and its members."""
    told = as_object(content)
    inner = told.get(kind, NULL)
    if as_text(told.get("type")) != kind or not is_object(inner):
        return content
    return Raw(join({"type": told["type"], **members(inner)}))


_WRITERS: dict[str, Callable[[Raw], Body | None]] = {
    **{name: _write_as(name) for name in (*_NAMES, *_OF_A_CALL, "service_tier")},
    "max_tokens": _write_as("max_output_tokens"),
    "max_completion_tokens": _write_as("max_output_tokens"),
    "verbosity": _write_as("text", "verbosity"),
    "response_format": _write_response_format,
    "tools": _write_tools,
    "tool_choice": _write_tool_choice,
    "reasoning": _write_reasoning,
    "logprobs": _write_logprobs,
}
"""Canonical name to the fields that say it."""
