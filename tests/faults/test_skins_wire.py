"""The same events written otherwise, or cut at every byte: each client is told the same bytes, from every dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faults.skins_faults_support import (
    SkinsFront,
    heard,
    pairs,
    skins_front,
    skins_gateway,
    without_names,
    written,
)
from simulator import messages, responses
from simulator.answers import USAGE, chunk, usage_chunk
from simulator.script import in_pieces, sse

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.records import Dialect
    from simulator.steps import Script

gateway = skins_gateway
front = skins_front

TEXT = 'Grüße 🎉 "日本"\n'
ARGUMENTS = {"city": "Zürich", "path": "C:\\x"}


def rich(dialect: Dialect) -> list[bytes]:
    """A stream that thinks, says and calls something."""
    match dialect:
        case "chat":
            call = {"name": "look", "arguments": '{"city":"Zürich","path":"C:\\\\x"}'}
            deltas: list[dict[str, Any]] = [
                {"role": "assistant", "content": "", "reasoning": "Hm 🤔."},
                {"content": TEXT},
                {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}]},
            ]
            frames = written([*map(chunk, deltas), chunk({}, "tool_calls"), usage_chunk(USAGE)])
            return [*frames, b"data: [DONE]\n\n"]
        case "messages":
            blocks = messages.thinking("Hm 🤔."), messages.text(TEXT), messages.tool_use("look", ARGUMENTS)
            return written(messages.events(messages.message(*blocks)))
        case "responses":
            call = responses.function_call("look", '{"city":"Zürich","path":"C:\\\\x"}')
            said = responses.response(responses.reasoning("Hm 🤔."), responses.message(TEXT), call)
            return written(responses.events(said))


def ended(ending: str) -> Callable[[list[bytes]], Script]:
    """The frames with other line ends."""
    return lambda frames: sse([frame.replace(b"\n", ending.encode()) for frame in frames])


def mixed(frames: list[bytes]) -> Script:
    """The frames with all line ends in turn."""
    ends = [(b"\n", b"\n"), (b"\r\n", b"\r\n"), (b"\r", b"\r"), (b"\r\n", b"\n"), (b"\n", b"\r\n"), (b"\r", b"\n\n")]
    turned: list[bytes] = []
    for at, frame in enumerate(frames):
        line, blank = ends[at % len(ends)]
        turned.append(frame.removesuffix(b"\n\n").replace(b"\n", line) + line + blank)
    return sse(turned)


def in_two_lines(frames: list[bytes]) -> Script:
    """The frames with their data on two lines, cut between two members."""
    return sse([frame.replace(b'{"', b'{\ndata: "', 1) for frame in frames])


WRITTEN: dict[str, Callable[[list[bytes]], Script]] = {
    "crlf": ended("\r\n"),
    "cr": ended("\r"),
    "mixed": mixed,
    "mixed-byte-by-byte": lambda frames: in_pieces(mixed(frames), size=1),
    "byte-by-byte": lambda frames: in_pieces(sse(frames), size=1),
    "seven-bytes": lambda frames: in_pieces(ended("\r\n")(frames), size=7),
    "all-at-once": lambda frames: sse([b"".join(frames)]),
    "byte-order-mark": lambda frames: sse([b"\xef\xbb\xbf" + frames[0], *frames[1:]]),
    "no-space": lambda frames: sse(
        [frame.replace(b"data: ", b"data:").replace(b"event: ", b"event:") for frame in frames]
    ),
    "data-on-two-lines": in_two_lines,
    "data-before-the-name": lambda frames: sse(
        [b"\n".join([*reversed(frame.split(b"\n")[:-2]), b"", b""]) for frame in frames]
    ),
    "ids-retries-and-comments": lambda frames: sse([b": hm\nid: 7\nretry: 10\nno-colon\n" + frame for frame in frames]),
    "until-the-connection-ends": lambda frames: sse(frames, framing="close"),
}


@pairs
def test_the_same_bytes_come_out_however_the_events_are_written(
    front: SkinsFront, skin: Dialect, dialect: Dialect
) -> None:
    frames = rich(dialect)
    front.simulator.script(sse(frames))
    plain = front.post(skin, f"at/{dialect}", stream=True)
    told = heard(skin, plain)
    assert told.text == TEXT
    assert [name for name, _ in told.calls] == ["look"]
    for name, write in WRITTEN.items():
        front.simulator.script(write(frames))
        answer = front.post(skin, f"at/{dialect}", stream=True)
        assert tight(without_names(answer)) == tight(without_names(plain)), name


def tight(body: bytes) -> bytes:
    """The bytes without the space that a line end between two members leaves behind."""
    return body.replace(b'{ "', b'{"')
