"""Changes that turn good JSON and good streams into such as nobody should send, and somebody does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from random import Random

ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        2**63,
        2**64,
        1e308,
        "",
        " ",
        "x",
        "\ud800",
        "\x00",
        "data:,",
        "data:image/png;base64,",
    ),
    *("{", "[]", "{}", '{"input":1}', "setpoint:", 'setpoint:["chat","text","","",null]', "http://", "a" * 300),
    *([], {}, [[]], [None], [{}], {"type": None}, {"type": "x"}, {"type": "text"}, {"type": "text", "text": None}),
    *({"type": "function"}, {"type": "message"}, {"role": "user"}, {"role": "assistant", "content": None}),
    *({"type": "image"}, {"type": "thinking"}, {"type": "reasoning"}, {"type": "tool_use"}, {"type": "function_call"}),
)
_MARKS = (
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\",
    b"\\u",
    b"\\ud83d",
    b"null",
    b"0",
    b"\xff",
    b"\xc3",
    b"\r",
    b"\n",
)
_DEEPEST = 12


def mutated_json(content: Any, dice: Random) -> Any:
    """The value with one to four places of it changed."""
    for _ in range(dice.randint(1, 4)):
        content = _changed(content, dice, 0)
    return content


_TALK = ("messages", "input", "tools", "system")
_MOSTLY = 0.85


def mutated_request(content: dict[str, Any], dice: Random) -> dict[str, Any]:
    """The body with one to four places changed, mostly inside what it says: its other fields are few and checked."""
    talk = [name for name in _TALK if name in content]
    if not talk or dice.random() > _MOSTLY:
        return mutated_json(content, dice)
    for _ in range(dice.randint(1, 4)):
        name = dice.choice(talk)
        content = {**content, name: _changed(content[name], dice, 1)}
    return content


def _changed(content: Any, dice: Random, depth: int) -> Any:
    """The value with one place changed: here, or somewhere below."""
    if depth < _DEEPEST and content and isinstance(content, (dict, list)) and dice.random() < _GO_DOWN:
        return _changed_inside(content, dice, depth)
    return _replaced(content, dice)


_GO_DOWN = 0.85


def _changed_inside(content: Any, dice: Random, depth: int) -> Any:
    if isinstance(content, dict):
        body = dict(cast("dict[str, Any]", content))
        name = dice.choice(list(body))
        match dice.randrange(8):
            case 0:
                del body[name]
            case 1:
                body[dice.choice(("type", "role", "content", "id", "index", "input", "delta", "x"))] = body[name]
            case _:
                body[name] = _changed(body[name], dice, depth + 1)
        return body
    entries = list(cast("list[Any]", content))
    at = dice.randrange(len(entries))
    match dice.randrange(8):
        case 0:
            del entries[at]
        case 1:
            entries.insert(at, entries[at])
        case 2:
            dice.shuffle(entries)
        case _:
            entries[at] = _changed(entries[at], dice, depth + 1)
    return entries


def _replaced(content: Any, dice: Random) -> Any:
    match dice.randrange(4):
        case 0:
            return [content]
        case 1:
            return {"type": content} if isinstance(content, str) else {"a": content}
        case _:
            return dice.choice(ODD)


def mutated_bytes(data: bytes, dice: Random) -> bytes:
    """The bytes with one to six of them changed, cut out, doubled or added."""
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(5):
            case 0:
                data = data[:at] + dice.choice(_MARKS) + data[at:]
            case 1:
                data = data[:at] + data[at + dice.randint(1, 8) :]
            case 2:
                data = data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
            case 3:
                data = data[:at]
            case _:
                length = dice.randint(1, 60)
                data = data[:at] + data[at : at + length] + data[at:]
    return data


def mutated_stream(data: bytes, dice: Random) -> bytes:
    """A stream of events with some of them lost, repeated, moved, or changed inside."""
    frames = [frame for frame in data.replace(b"\r\n", b"\n").split(b"\n\n") if frame]
    if not frames:
        return data
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(frames))
        match dice.randrange(6):
            case 0 if len(frames) > 1:
                del frames[at]
            case 1:
                frames.insert(dice.randrange(len(frames) + 1), frames[at])
            case 2:
                other = dice.randrange(len(frames))
                frames[at], frames[other] = frames[other], frames[at]
            case _:
                frames[at] = _changed_frame(frames[at], dice)
    return b"\n\n".join(frames) + b"\n\n"


def _changed_frame(frame: bytes, dice: Random) -> bytes:
    head, mark, content = frame.rpartition(b"data: ")
    try:
        changed = mutated_json(json.loads(content), dice)
    except ValueError:
        return mutated_bytes(frame, dice)
    return head + mark + json.dumps(changed).encode()
