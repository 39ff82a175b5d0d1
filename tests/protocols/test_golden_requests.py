"""Golden requests: what a client says means what its case says, and the same once it is told to any upstream.

A case's `turns` and `config` are what its body means. `towards` holds, for each dialect, what an endpoint there gets
otherwise: `unsaid` are the pointers that are named, `config` what a field becomes (null: nothing), `turns` other
turns, `reasoning` how many steps go along, `refused` the path of what cannot be said there, `otherwise` what goes as
the nearest that there is: the pointer that is named, and the settings that are sent instead. `model` and `endpoint`
are what a case needs of them, and `plan` what the plan allows.
"""

from __future__ import annotations

from base64 import b64decode
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from protocols.golden_support import call_meaning, cases
from setpoint.canonical.parts import Media, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.presets.merge import said
from setpoint.protocols.allowance import Allowance
from setpoint.protocols.forward import lower
from setpoint.protocols.registry import PROTOCOLS
from setpoint.protocols.rules import RULES, UNNAMED
from setpoint.records import Endpoint, ModelReasoning
from setpoint.wire.body import as_object, as_text, items, members, split, value
from support import records

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from msgspec import Raw

    from protocols.golden_support import Case, Meaning
    from setpoint.canonical.conversation import Conversation, Turn
    from setpoint.protocols.forward import Lowered
    from setpoint.protocols.names import ToolNames
    from setpoint.records import Dialect
    from setpoint.wire.body import Body

    Tier = Literal["default", "priority", "flex", "batch"]

REQUESTS = cases("request.json")
LOWERED = list(product(REQUESTS, PROTOCOLS))

LONGEST_OUTPUT = 8_192
MODEL = "sage-2-at-acme"

# What a case leaves out of a turn, a call and a result.
_TURN: Meaning = {"texts": [], "media": [], "calls": [], "results": [], "reasoning": 0}
_CALL: Meaning = {"kind": "function", "namespace": None}
_RESULT: Meaning = {"texts": [], "media": [], "is_error": False}
# What is the gateway's own, and what an endpoint may be told or not without a word.
_SILENT = {name for name, rule in RULES.items() if rule == "own"} | UNNAMED | {"model"}


def endpoint(dialect: Dialect, *, tier: Tier = "default", takes: Iterable[str] = ()) -> Endpoint:
    """An endpoint that takes all that its dialect has a word for, and these beside."""
    at = records.provider(dialects=(dialect,), takes=frozenset(takes))
    return records.endpoint(at, "acme/sage-2", model=MODEL, tier=tier, max_output_tokens=LONGEST_OUTPUT)


# --- what a request means ------------------------------------------------------------------------------------


def spoken(conversation: Conversation, names: ToolNames | None = None) -> list[Meaning]:
    """What was said, turn by turn; neighbouring turns of one speaker are one."""
    return merged(_turn(turn, names) for turn in conversation)


def merged(turns: Iterable[Meaning]) -> list[Meaning]:
    """The turns with neighbours of one speaker put together."""
    joined: list[Meaning] = []
    for turn in turns:
        if joined and joined[-1]["speaker"] == turn["speaker"]:
            joined[-1] = {name: turn[name] if name == "speaker" else joined[-1][name] + turn[name] for name in turn}
        else:
            joined.append(turn)
    return joined


def _turn(turn: Turn, names: ToolNames | None) -> Meaning:
    told: Meaning = {"speaker": turn.speaker, "texts": [], "media": [], "calls": [], "results": [], "reasoning": 0}
    for part in turn.parts:
        match part:
            case Text(text=text) | Refusal(text=text):
                told["texts"].append(value(text))
            case Media():
                told["media"].append(medium(part))
            case ToolCall():
                told["calls"].append(call_meaning(names.restored(part) if names else part))
            case ToolResult():
                told["results"].append(_result(part))
            case Reasoning():
                told["reasoning"] += 1
    if turn.name and told["texts"]:
        told["texts"][0] = f"{turn.name}: {told['texts'][0]}"
    return told


def _result(result: ToolResult) -> Meaning:
    texts = [value(part.text) for part in result.parts if isinstance(part, Text)]
    media = [medium(part) for part in result.parts if isinstance(part, Media)]
    return {"call_id": result.call_id, "texts": texts, "media": media, "is_error": result.is_error}


def medium(part: Media) -> str:
    """One medium in a line: its kind, where it is or what it holds, the name of a file."""
    name = f" ({value(part.filename)})" if part.filename is not None else ""
    if part.file_id is not None:
        return f"{part.kind} #{value(part.file_id)}{name}"
    if part.url is not None:
        return f"{part.kind} {value(part.url)}{name}"
    if part.data is None:
        return f"{part.kind} = {value(part.text) if part.text is not None else ''}{name}"
    if part.media_type == "text/plain":
        return f"{part.kind} = {b64decode(value(part.data)).decode()}{name}"
    return f"{part.kind} {part.media_type} {value(part.data)}{name}"


def settings(config: Body) -> Meaning:
    """A configuration as values, its tools by their names."""
    return {name: _tool_names(content) if name == "tools" else value(content) for name, content in config.items()}


def _tool_names(tools: Raw) -> list[str]:
    named: list[str] = []
    for tool in map(members, items(tools)):
        inner = as_object(tool.get("function")) or as_object(tool.get("custom")) or tool
        named.append(as_text(inner.get("name")) or as_text(tool.get("type")) or "")
    return named


def wanted(turns: list[Meaning]) -> list[Meaning]:
    """The turns of a case with what is left out filled in."""
    return merged(
        {
            **_TURN,
            **turn,
            "calls": [{**_CALL, **call} for call in turn.get("calls", [])],
            "results": [{**_RESULT, **result} for result in turn.get("results", [])],
        }
        for turn in turns
    )


# --- read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", REQUESTS, ids=str)
def test_a_request_is_right_and_means_what_its_case_says(case: Case) -> None:
    expected, skin = case.expected(), PROTOCOLS[case.protocol]
    body = split(case.read("request.json"))
    skin.check(body, creating=False)
    assert settings(skin.read_call(body)) == expected["config"]
    if expected["turns"] is None:
        with pytest.raises(FieldError):
            skin.read_conversation(body)
        return
    assert spoken(skin.read_conversation(body)) == wanted(expected["turns"])


# --- told to an upstream -------------------------------------------------------------------------------------


def lowered(case: Case, dialect: Dialect) -> Lowered:
    body, expected = said(split(case.read("request.json"))), case.expected()
    reasoning = msgspec.convert(expected.get("model"), ModelReasoning | None)
    return lower(
        body,
        endpoint(dialect, **expected.get("endpoint", {})),
        skin=PROTOCOLS[case.protocol],
        dialect=PROTOCOLS[dialect],
        stream=value(body["stream"]) if "stream" in body else False,
        identity_key=b"key",
        allowance=Allowance(reasoning=reasoning, **expected.get("plan", {})),
    )


@pytest.mark.parametrize(("case", "dialect"), LOWERED, ids=str)
def test_an_upstream_of_any_dialect_is_told_what_the_client_said(case: Case, dialect: Dialect) -> None:
    expected = case.expected()
    towards: Meaning = expected["towards"].get(dialect, {})
    if path := towards.get("refused"):
        with pytest.raises(FieldError) as refused:
            lowered(case, dialect)
        assert (refused.value.path, refused.value.metadata) == (path, {"reason": "unsupported"})
        return
    done, room = lowered(case, dialect), PROTOCOLS[dialect]
    otherwise: Meaning = towards.get("otherwise", {})
    assert sorted(done.unsaid) == sorted([*towards.get("unsaid", []), *otherwise])
    sent = settings(room.read_call(done.body))
    assert sent.pop("model") == MODEL
    instead: Meaning = {name: content for settings in otherwise.values() for name, content in settings.items()}
    _compare_settings(case, dialect, {**expected["config"], **towards.get("config", {}), **instead}, sent)
    if expected["turns"] is None:
        assert dialect == case.protocol
        return
    turns = wanted(towards.get("turns", expected["turns"]))
    if dialect == case.protocol:
        assert spoken(room.read_conversation(done.body), done.names) == turns
        return
    told = spoken(room.read_conversation(done.body), done.names)
    assert sum(turn["reasoning"] for turn in told) == towards.get("reasoning", 0)
    assert _plain(told, dialect) == _plain(_as_told(turns, dialect), dialect)


def _compare_settings(case: Case, dialect: Dialect, expected: Meaning, sent: Meaning) -> None:
    """Every setting of the case goes along as it is or was named; none is made up but the limit that messages needs."""
    unsaid = case.expected()["towards"].get(dialect, {}).get("unsaid", [])
    pointer = PROTOCOLS[case.protocol].pointer
    for name, content in expected.items():
        if content is None or pointer(name) in unsaid:
            assert sent.pop(name, None) is None, name
        elif RULES.get(name) == "identity":
            # Only the messages protocol's own `metadata` tells who the user is, to an upstream of that protocol.
            assert sent.pop(name, None) is None or case.protocol == dialect == "messages", name
        elif name in _SILENT:
            sent.pop(name, None)
        else:
            assert _same_form(name, sent.pop(name, None)) == _same_form(name, content), name
    if dialect == "messages" and "max_tokens" not in expected:
        assert sent.pop("max_tokens") == LONGEST_OUTPUT
    assert sent == {}


def _same_form(name: str, content: Any) -> Any:
    """One stop sequence is a list of one."""
    return [content] if name == "stop" and isinstance(content, str) else content


def _as_told(turns: list[Meaning], dialect: Dialect) -> list[Meaning]:
    """The turns as a dialect says them that has no word for a failed tool, or none for media in a tool's result."""
    if dialect == "messages":
        return turns
    told: list[Meaning] = []
    for turn in turns:
        results = [_result_as_told(result, dialect) for result in turn["results"]]
        moved = [it for result in turn["results"] for it in result["media"]] if dialect == "chat" else []
        told.append({**turn, "results": results, "media": [*moved, *turn["media"]]})
    return told


def _result_as_told(result: Meaning, dialect: Dialect) -> Meaning:
    texts = list[str](result["texts"])
    if result["is_error"] and not texts[0].startswith("Error"):
        texts[0] = f"Error: {texts[0]}"
    return {**result, "texts": texts, "is_error": False, "media": [] if dialect == "chat" else result["media"]}


def _plain(turns: list[Meaning], dialect: Dialect) -> list[Meaning]:
    """What was said without what the protocols merely put differently.

    The system's words may be one text or several, and a developer is a system to messages. To chat, a tool's result of
    an image alone has a text of ours, and so has the image, which tells to which call it belongs.
    """
    plain: list[Meaning] = []
    for turn in turns:
        speaker = "system" if turn["speaker"] == "developer" else turn["speaker"]
        results = [{**result, "texts": "".join(result["texts"])} for result in turn["results"]]
        texts = turn["texts"]
        if dialect == "chat":
            results = [{**result, "texts": "" if "below" in result["texts"] else result["texts"]} for result in results]
            texts = [text for text in texts if not any(result["call_id"] in text for result in results)]
        plain.append({**turn, "speaker": speaker, "texts": texts, "results": results, "reasoning": 0})
    return [
        {**turn, "texts": ["\n\n".join(turn["texts"])]} if turn["speaker"] == "system" else turn
        for turn in merged(plain)
    ]
