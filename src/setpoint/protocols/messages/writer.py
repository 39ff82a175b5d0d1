"""A stream of the messages protocol, written: its frames, and events of another dialect put into them.

Its blocks are sequential, one is open at a time, while the parts of an answer may grow side by side. So one part is
live, and the others wait behind it until it has ended, or until it can be closed without being cut short.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.canonical.events import Began, Cited, Counted, Finished, Grew, PartBegan, PartEnded, Sealed
from setpoint.canonical.parts import Media, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill
from setpoint.protocols.messages.frames import BILLED, end_frames, error_frame, start_frames
from setpoint.protocols.messages.reader import malformed
from setpoint.protocols.messages.result import called, fill_block, stop_reason, write_citation
from setpoint.protocols.messages.usage import write_delta_usage, write_message_usage, write_tier
from setpoint.protocols.seals import write_seal
from setpoint.wire.body import NULL, Body, join, join_strings, members, raw, value
from setpoint.wire.sse import named_frame

if TYPE_CHECKING:
    from setpoint.canonical.events import Event
    from setpoint.canonical.parts import Citation
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Opening

_EMPTY = Raw(b'""')
_SPACE = " \t\r\n"


# --- blocks --------------------------------------------------------------------------------------------------


class _Arguments:
    """A tool call's arguments as they come: whether they are, so far, a complete JSON object or array."""

    __slots__ = ("_depth", "_escaped", "_in_string", "complete")

    _outside = re.compile(r'["\[\]{}]')
    _inside = re.compile(r'["\\]')

    def __init__(self) -> None:
        self.complete = False
        self._depth = 0
        self._in_string = False
        self._escaped = False  # the last piece ended behind a backslash

    def add(self, text: str) -> None:
        """Take one more piece, which may be cut anywhere."""
        at = 1 if self._escaped else 0
        self._escaped = False
        while match := (self._inside if self._in_string else self._outside).search(text, at):
            mark, at = match[0], match.end()
            if mark == '"':
                self._in_string = not self._in_string
            elif mark == "\\":
                self._escaped = at == len(text)
                at += 1
            else:
                self._depth += 1 if mark in "[{" else -1
                self.complete = self._depth == 0


_DELTAS: dict[type, bytes] = {
    Text: b'{"type":"text_delta","text":',
    Refusal: b'{"type":"text_delta","text":',
    Reasoning: b'{"type":"thinking_delta","thinking":',
    ToolCall: b'{"type":"input_json_delta","partial_json":',
}
_TEXT = Raw(join(fill_block({"type": raw("text"), "text": _EMPTY})))
_THINKING = Raw(join({"type": raw("thinking"), "thinking": _EMPTY, "signature": _EMPTY}))


class _Block:
    """One block on its way to the client.

    It is *claimed* once it has something to say, gets its turn when no other is live, and is *closed* behind that.
    `deltas` are those that wait for its turn; `ended` says that no more can come.
    """

    __slots__ = ("arguments", "claimed", "closed", "deltas", "ended", "head", "lead", "opening", "seals")

    def __init__(self, head: Text | Refusal | Reasoning | ToolCall) -> None:
        self.head = head
        self.lead = _DELTAS[type(head)]
        # The free text of a custom tool is complete only when it ends.
        self.arguments = _Arguments() if isinstance(head, ToolCall) and head.kind != "custom" else None
        # It stands in an object, as every input of this protocol does.
        self.deltas = [self._piece('{"input":"')] if self.is_free_text else list[bytes]()
        self.seals: list[Raw] = []
        self.opening = b""
        self.claimed = self.ended = self.closed = False

    @property
    def may_close(self) -> bool:
        """Whether the block can be closed for another's sake: a text can go on in a new one, a call cannot."""
        return (
            self.ended
            or not isinstance(self.head, ToolCall)
            or (self.arguments is not None and self.arguments.complete)
        )

    @property
    def is_free_text(self) -> bool:
        """Whether the block is a call of a tool that takes one text."""
        return isinstance(self.head, ToolCall) and self.head.kind == "custom"

    def delta(self, text: Raw) -> bytes:
        """One more piece of the block's text or of its arguments."""
        if self.is_free_text:
            return self._piece(bytes(text)[1:-1].decode("utf-8", "surrogatepass"))
        return self.lead + bytes(text) + b"}"

    def _piece(self, written: str) -> bytes:
        return self.lead + bytes(raw(written)) + b"}"

    @property
    def is_redacted(self) -> bool:
        """Whether the block is one step of reasoning that nobody but its maker can read: it comes whole."""
        return isinstance(self.head, Reasoning) and self.head.kind == "encrypted"

    @property
    def seal(self) -> Raw:
        """The opaque string of a step of reasoning, as this protocol writes it; empty without one."""
        if not isinstance(self.head, Reasoning):
            return _EMPTY
        seal = join_strings(self.seals) if self.seals else None
        return write_seal(structs.replace(self.head, seal=seal), "messages")

    def start(self, opening: Opening) -> Raw:
        """The block as it begins."""
        match self.head:
            case ToolCall():
                id_ = self.head.id or opening.new_id("toolu_")
                block = {"type": raw("tool_use"), "id": raw(id_), "name": raw(called(self.head)), "input": Raw(b"{}")}
                return Raw(join(fill_block(block)))
            case Reasoning() if self.is_redacted:
                return Raw(join({"type": raw("redacted_thinking"), "data": self.seal}))
            case Reasoning():
                return _THINKING
            case _:
                return _TEXT

    def last_deltas(self) -> list[bytes]:
        """What is said when the block closes: the signature of what was thought, or the end of a free text's object."""
        if self.is_free_text:
            return [self._piece('"}')]
        seal = _EMPTY if self.is_redacted else self.seal
        return [b'{"type":"signature_delta","signature":' + bytes(seal) + b"}"] if seal != _EMPTY else []


# --- the stream ----------------------------------------------------------------------------------------------


class MessagesWriter:
    """One stream on its way to a client."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._begun = False
        self._tier: str | None = None
        self._usage = Usage()
        self._finish: Finished | None = None
        self._blocks: dict[int, _Block] = {}
        self._growing = 0  # how many blocks have not ended
        self._waiting: deque[_Block] = deque()
        self._live: _Block | None = None
        self._index = -1

    @property
    def open_parts(self) -> int:
        """How many blocks are not closed: the live one, and those that wait behind it."""
        return len(self._waiting) + self._growing

    def write(self, event: Event) -> bytes:
        """What the client gets for this event: whole events, or nothing.

        Raises: `ProviderError` when a call goes on whose arguments were complete.
        """
        match event:
            case Grew(part, text):
                return self._grow(part, text)
            case PartBegan(part, head):
                if isinstance(head, Media):  # there is no block for it; the caller names it
                    return b""
                block = self._blocks[part] = _Block(head)
                self._growing += 1
                return self._claim(block) if isinstance(head, ToolCall) else b""
            case PartEnded(part):
                return self._end(self._blocks.get(part))
            case Sealed(part, seal):
                if block := self._blocks.get(part):
                    block.seals.append(seal)
            case Cited(part, citation):
                return self._cite(part, citation)
            case Counted(usage):
                self._usage = usage
            case Began(_, service_tier):
                self._tier = service_tier or self._tier
            case Finished():
                self._finish = event
                return self._end_all()
            case _:
                pass
        return b""

    def end(self, bill: Bill, metadata: Raw | None) -> bytes:
        """The last events of a complete answer: what is left of its blocks, `message_delta` and `message_stop`."""
        ending: Body = {}
        if self._finish is not None:
            finish = self._finish.finish
            ending = {
                "stop_reason": raw(stop_reason(finish)),
                "stop_sequence": finish.stop_sequence or NULL,
                "stop_details": finish.details or NULL,
            }
        left = self._end_all()
        return left + self._begin() + end_frames({}, ending, write_delta_usage({}, bill), {}, metadata)

    def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        """The event that ends a broken stream; what is open stays open."""
        return error_frame(self._opening, error, metadata)

    def _begin(self) -> bytes:
        """The first events, once."""
        if self._begun:
            return b""
        self._begun = True
        usage = members(write_message_usage({"service_tier": write_tier(self._tier)}, Bill(self._usage, None, None)))
        return start_frames(self._opening, {}, {}, {name: usage[name] for name in usage if name not in BILLED})

    def _grow(self, part: int, text: Raw) -> bytes:
        block = self._blocks.get(part)
        if block is None or text == _EMPTY or block.is_redacted:
            return b""
        if isinstance(block.head, ToolCall):
            piece = str(value(text))
            if block.closed:
                if piece.strip(_SPACE):
                    raise malformed()
                return b""
            if block.arguments is not None:
                block.arguments.add(piece)
        return self._say(part, block, block.delta(text))

    def _cite(self, part: int, citation: Citation) -> bytes:
        """A source of a text; one that comes when the text's block is closed has nowhere to stand."""
        block, written = self._blocks.get(part), write_citation(citation)
        if block is None or written is None or block.closed:
            return b""
        delta = b'{"type":"citations_delta","citation":' + bytes(written) + b"}"
        if block.claimed:
            return self._say(part, block, delta)
        block.deltas.append(delta)  # there is no block before there is text: clients may not send an empty one back
        return b""

    def _say(self, part: int, block: _Block, delta: bytes) -> bytes:
        """One more delta of a part: at once when its block is live, else when its turn comes."""
        if block is self._live:
            said = block.opening + delta + b"}\n\n"
            return said + self._advance() if self._waiting else said
        if block.closed:
            block = self._blocks[part] = _Block(block.head)
        block.deltas.append(delta)
        return b"" if block.claimed else self._claim(block)

    def _claim(self, block: _Block) -> bytes:
        block.claimed = True
        self._waiting.append(block)
        return self._advance()

    def _end(self, block: _Block | None) -> bytes:
        if block is None or block.ended:
            return b""
        block.ended = True
        self._growing -= 1
        if block.claimed:
            return self._advance()
        return self._claim(block) if block.seal != _EMPTY else b""  # reasoning of which only the seal can be told

    def _end_all(self) -> bytes:
        return b"".join([self._end(block) for block in self._blocks.values()])

    def _advance(self) -> bytes:
        """Close the live block where that is due, and give those behind it their turn."""
        frames: list[bytes] = []
        while True:
            if self._live is not None:
                if not (self._live.ended or (self._waiting and self._live.may_close)):
                    break
                frames.append(self._close(self._live))
            elif self._waiting:
                frames.append(self._open(self._waiting.popleft()))
            else:
                break
        return b"".join(frames)

    def _open(self, block: _Block) -> bytes:
        self._live = block
        self._index += 1
        start: Body = {
            "type": raw("content_block_start"),
            "index": raw(self._index),
            "content_block": block.start(self._opening),
        }
        block.opening = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":' % self._index
        )
        said = [block.opening + delta + b"}\n\n" for delta in block.deltas]
        block.deltas.clear()
        return b"".join((self._begin(), named_frame(b"content_block_start", join(start)), *said))

    def _close(self, block: _Block) -> bytes:
        self._live = None
        block.closed = True
        said = [block.opening + delta + b"}\n\n" for delta in block.last_deltas()]
        stop: Body = {"type": raw("content_block_stop"), "index": raw(self._index)}
        return b"".join((*said, named_frame(b"content_block_stop", join(stop))))


def writer(opening: Opening) -> MessagesWriter:
    """The writer of a stream whose answer comes in another dialect, or not at all."""
    return MessagesWriter(opening)
