"""The fields that more than one skin has: a row is a field's name and its check.

Each skin's `fields.py` lists its own rows beside these; a field of one skin only stands there. A check says what a
value may be and nothing else: what a field means, and what becomes of it, is written in `docs/presets.md`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.canonical.config import EFFORTS
from setpoint.errors import FieldError
from setpoint.protocols.checks import (
    ARRAY,
    BOOLEAN,
    OBJECT,
    STRING,
    Check,
    either,
    integer,
    number,
    refused,
    ruled,
    text,
    word,
)
from setpoint.protocols.structures import Rows, array, mapping, one_of_two, record, tagged
from setpoint.wire.body import NULL, Body, items, members, value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from msgspec import Raw

    from setpoint.records import Dialect

SOME_TEXT = text(1)
TEXTS = array(STRING)
LABEL = text(longest=256)
SHARE = number(0, 1)
COUNT = integer(1)

FUNCTION_NAME = text(
    pattern=r"[A-Za-z0-9_-]{1,64}", problem="must be a string of 1 to 64 letters, digits, underscores and hyphens"
)
MODEL_ID = text(
    pattern=r"(?![\s\S]*@preset/)[\s\S]+", problem="must be the name of a model, which is not empty and has no @preset/"
)

# --- sampling and answers ------------------------------------------------------------------------------------

PENALTY = number(-2, 2)
STOP = either(string=STRING, array=array(STRING, most=4))
EFFORT = word(*reversed(EFFORTS))
VERBOSITY = word("low", "medium", "high", "xhigh", "max")
SERVICE_TIER = word("auto", "default", "fast", "flex", "priority", "scale", "ultrafast")

REASONING = ruled(
    record(
        {
            "effort": EFFORT,
            "max_tokens": integer(0),
            "enabled": BOOLEAN,
            "exclude": BOOLEAN,
            "summary": word("auto", "concise", "detailed"),
        }
    ),
    one_of_two("effort", "max_tokens"),
)

IMAGE_CONFIG = mapping(either(string=STRING, number=number(), array=ARRAY))
CACHE_CONTROL = record({"type": word("ephemeral"), "ttl": word("5m", "1h")}, needs=("type",))
PROMPT_CACHE_OPTIONS = record({"mode": word("explicit"), "ttl": STRING}, needs=("mode",))

# --- routing -------------------------------------------------------------------------------------------------

AMOUNT = either(
    string=text(
        pattern=r"[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?",
        problem="must be an amount of dollars, such as 0.5",
    ),
    number=number(0),
)
PERCENTILES = either(number=number(0), object=record(dict.fromkeys(("p50", "p75", "p90", "p99"), number(0))))
QUANTIZATION = word(
    *("int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown")
)
SORT = word("price", "throughput", "latency", "exacto")

PROVIDER = record(
    {
        "order": TEXTS,
        "only": TEXTS,
        "ignore": TEXTS,
        "allow_fallbacks": BOOLEAN,
        "require_parameters": BOOLEAN,
        "data_collection": word("allow", "deny"),
        "zdr": BOOLEAN,
        "enforce_distillable_text": BOOLEAN,
        "quantizations": array(QUANTIZATION),
        "sort": either(string=SORT, object=record({"by": SORT, "partition": word("model", "none")})),
        "max_price": record(dict.fromkeys(("prompt", "completion", "request", "image", "audio"), AMOUNT)),
        "preferred_min_throughput": PERCENTILES,
        "preferred_max_latency": PERCENTILES,
        "options": OBJECT,
    }
)

# --- plugins -------------------------------------------------------------------------------------------------


def _in_all(most: int) -> Callable[[Raw, str], None]:
    """The rule that the strings of an array have so many characters together."""

    def rule(raw: Raw, path: str) -> None:
        if sum(len(entry) for entry in value(raw)) > most:
            raise FieldError(path, f"must have at most {most} characters in all entries together")

    return rule


PATTERNS = ruled(array(text(longest=1024), most=1024), _in_all(65536))
COST_TIER = word("low", "medium", "high", "xhigh", "max")
MODE = word("enforce", "audit")

_AUTO_ROUTER = {
    "allowed_models": PATTERNS,
    "excluded_models": PATTERNS,
    "cost_tier": COST_TIER,
    "pin_model": BOOLEAN,
    "cost_quality_tradeoff": number(0, 10),
}

_PLUGINS: dict[str, dict[str, Check]] = {
    "response-healing": {},
    "context-compression": {"engine": word("middle-out")},
    "file-parser": {"pdf": record({"engine": word("mistral-ocr", "native", "cloudflare-ai", "pdf-text")})},
    "web": {
        "engine": word("native", "exa", "firecrawl", "parallel", "perplexity"),
        "max_results": COUNT,
        "max_uses": COUNT,
        "mode": STRING,
        "search_prompt": STRING,
        "include_domains": TEXTS,
        "exclude_domains": TEXTS,
        "user_location": OBJECT,
        "x_search": OBJECT,
    },
    "web-fetch": {
        "allowed_domains": TEXTS,
        "blocked_domains": TEXTS,
        "max_uses": COUNT,
        "max_content_tokens": COUNT,
    },
    "moderation": {},
    "auto-router": _AUTO_ROUTER,
    "auto-beta-router": _AUTO_ROUTER,
    "pareto-router": {
        "min_coding_score": SHARE,
        "max_price": number(0),
        "price_source": word("prompt", "weighted_avg"),
    },
    "fusion": {
        "preset": word("general-high", "general-budget", "general-fast"),
        "analysis_models": array(MODEL_ID, least=1, most=8),
        "model": MODEL_ID,
        "max_tool_calls": integer(1, 16),
        "tools": array(OBJECT, most=8),
    },
    "alignment": {
        "rules": ARRAY,
        "mode": MODE,
        "threshold": SHARE,
        "instruct": BOOLEAN,
        "max_retries": integer(0),
    },
    "armor": {"mode": MODE, "on_error": word("block", "log"), "output_mode": STRING},
    "jev-router": {"models": PATTERNS, "excluded_models": PATTERNS, "cost_tier": STRING},
    "switchyard-router": {"algorithm": STRING},
}
"""Plugin id to its parameters, beside `enabled`, which all have."""

_NEEDED = {"alignment": ("rules",)}
"""Plugin id to the parameters it cannot do without."""


def _unknown_plugin(_: str, path: str) -> None:
    raise FieldError(path, "is not the id of a known plugin")


PLUGINS = array(
    tagged(
        "id",
        {id_: Rows({"enabled": BOOLEAN, **rows}, needs=_NEEDED.get(id_, ())) for id_, rows in _PLUGINS.items()},
        others=_unknown_plugin,
        closed=True,
    )
)

# --- tools ---------------------------------------------------------------------------------------------------

_ALL: tuple[Dialect, ...] = ("chat", "messages", "responses")

SERVER_TOOLS: dict[str, tuple[Dialect, ...]] = {
    "openrouter:datetime": _ALL,
    "openrouter:subagent": _ALL,
    "openrouter:advisor": _ALL,
    "openrouter:web_fetch": _ALL,
    "openrouter:web_search": _ALL,
    "openrouter:image_generation": _ALL,
    "openrouter:fusion": ("chat", "responses"),
    "openrouter:tool_search": ("messages", "responses"),
    "openrouter:apply_patch": ("responses",),
    "openrouter:files": ("chat", "responses"),
    "openrouter:experimental__search_models": _ALL,
    "openrouter:shell": ("messages", "responses"),
    "openrouter:bash": ("messages",),
}
"""Type of a server tool to the skins that have it."""

WEB_SEARCHES = ("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11")
"""Types of tool that stand for `openrouter:web_search` on chat and responses."""

_API: dict[Dialect, str] = {"chat": "Chat Completions", "messages": "Messages", "responses": "Responses"}

_CREW = {"openrouter:advisor": "advisor", "openrouter:subagent": "subagent"}
"""Server tools of which a request may have several, told apart by name, with the word for each."""

_CREW_NAME = re.compile(r"[A-Za-z0-9 _-]{1,64}")


def _check_crew_name(raw: Raw, path: str) -> None:
    STRING(raw, path)
    if not _CREW_NAME.fullmatch(value(raw).strip()):
        raise FieldError(path, "must be 1 to 64 letters, digits, spaces, underscores and hyphens")


_NESTED_MODELS = {"model": MODEL_ID, "analysis_models": array(MODEL_ID)}
_SERVER_TOOL = Rows({"parameters": record(_NESTED_MODELS)})
# The name has no shape, so that `explain` sees every list with one of a crew in it, and the rule over all is kept.
_CREW_MEMBER = Rows({"parameters": record({**_NESTED_MODELS, "name": Check(_check_crew_name, schema=STRING.schema)})})


def server_tools(skin: Dialect) -> tuple[str, ...]:
    """The types of the server tools that a skin has."""
    return tuple(kind for kind, skins in SERVER_TOOLS.items() if skin in skins)


def tools(skin: Dialect, kinds: Mapping[str, Rows], *, untyped: str | None = None) -> Check:
    """The tools of a skin: its own kinds and the server tools it has. Types of others' making are let through.

    `untyped` is the kind of a tool without a type; None means that each needs one.
    """
    served = {kind: _CREW_MEMBER if kind in _CREW else _SERVER_TOOL for kind in server_tools(skin)}

    def other(kind: str, path: str) -> None:
        if skins := SERVER_TOOLS.get(kind):  # that this one is not of, or `served` would have it
            apis = " or ".join(_API[known] for known in skins)
            raise FieldError(path, f"{kind} is not available on the {_API[skin]} API; use the {apis} API")
        if kind.startswith("openrouter:"):
            raise FieldError(path, "is not the type of a known server tool")

    entries = array(tagged("type", {**served, **kinds}, default=untyped, others=other))

    def explain(raw: Raw, path: str) -> None:
        entries.explain(raw, path)
        _check_crews([members(tool) for tool in items(raw)], path)

    return Check(explain, entries.shape, schema=entries.schema)


def _check_crews(listed: list[Body], path: str) -> None:
    """Of each kind of crew one member may go without a name, and no two may share one."""
    seen: set[tuple[str, str]] = set()
    for tool in listed:
        crew = _CREW.get(value(tool.get("type", NULL)))
        if crew is None:
            continue
        parameters = tool.get("parameters", NULL)
        name = "" if parameters == NULL else (value(members(parameters).get("name", NULL)) or "").strip()
        if (crew, name) not in seen:
            seen.add((crew, name))
        elif name:
            raise FieldError(path, f"two {crew} tools have the same name; each must have its own")
        else:
            raise FieldError(
                path,
                f"Only one {crew} tool can serve as the default. All other {crew} tools must have a name defined.",
            )


STOP_SERVER_TOOLS_WHEN = array(
    tagged(
        "type",
        {
            "step_count_is": Rows({"step_count": integer(0)}, needs=("step_count",)),
            "has_tool_call": Rows({"tool_name": SOME_TEXT}, needs=("tool_name",)),
            "max_tokens_used": Rows({"max_tokens": integer(0)}, needs=("max_tokens",)),
            "max_cost": Rows({"max_cost_in_dollars": number(0)}, needs=("max_cost_in_dollars",)),
            "finish_reason_is": Rows({"reason": STRING}, needs=("reason",)),
        },
    ),
    least=1,
)

# --- the conversation ----------------------------------------------------------------------------------------

ENTRIES = array(OBJECT)
"""Messages of a preset's creation: objects, whatever they say, for nothing but the system prompt is kept."""


def conversation(*roles: str, least: int = 1) -> Check:
    """Messages that can be answered, each with one of these roles. Their content is not looked at."""
    return array(record({"role": word(*roles)}, needs=("role",)), least=least)


# --- rows ----------------------------------------------------------------------------------------------------

_TRACED = ("trace_id", "trace_name", "span_name", "generation_name", "parent_span_id")

EVERY_SKIN: dict[str, Check] = {
    "model": SOME_TEXT,
    "models": array(MODEL_ID),
    "preset": SOME_TEXT,
    "provider": PROVIDER,
    "route": word("fallback", "sort"),
    "plugins": PLUGINS,
    "stop_server_tools_when": STOP_SERVER_TOOLS_WHEN,
    "stream": BOOLEAN,
    "temperature": number(0, 2),
    "top_p": SHARE,
    "top_k": integer(0),
    "cache_control": CACHE_CONTROL,
    "session_id": LABEL,
    "user": LABEL,
    "trace": record(dict.fromkeys(_TRACED, STRING)),
    "deferred_tools": OBJECT,
    "cache_enabled": BOOLEAN,
    "cache_ttl_seconds": integer(1, 86400),
    "preset_variables_schema": refused("is not supported yet", reason="unsupported"),
    "preset_variables": refused("is not supported yet", reason="unsupported"),
}
"""The fields that are the same on all three skins."""
