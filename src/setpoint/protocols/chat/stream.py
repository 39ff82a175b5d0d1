"""A streamed answer of the chat protocol: read frame by frame from an upstream, stamped frame by frame for the client.

Every chunk is edited, never rebuilt: what we do not know goes on as the bytes that came. The usage is taken out
wherever the upstream puts it, and written once, at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.errors import ProviderError
from setpoint.protocols.answer import Outcome, StreamFailedError
from setpoint.protocols.chat.chunks import Chunks
from setpoint.protocols.chat.finish import normal_finish_reason
from setpoint.protocols.chat.result import created_at, fill, fill_function
from setpoint.protocols.chat.usage import read_input, read_usage, said_bytes, write_usage
from setpoint.protocols.failures import Reported, reported_in, scrubbed
from setpoint.wire.body import NULL, MalformedError, as_array, as_object, as_text, is_null, join, members, raw, split

if TYPE_CHECKING:
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Bill, Opening, Stamp
    from setpoint.wire.body import Body
    from setpoint.wire.sse import Frame

_EMPTY = (b"null", b'""', b"[]", b"{}")
_ASSISTANT = Raw(b'"assistant"')
_FUNCTION = Raw(b'"function"')

# What a delta says beside its role; any of it, not empty, makes an event meaningful.
_CONTENT = (
    "content",
    "tool_calls",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "refusal",
    "function_call",
    "audio",
    "images",
    "annotations",
)


def edit_stream(opening: Opening) -> ChatStream:
    """A stream of a chat upstream, edited on its way to a client that speaks chat."""
    return ChatStream(opening)


class ChatStream:
    """The state of one streamed answer.

    `meaningful` turns true with the first text, reasoning, tool call or finish; `terminal` once the answer is
    complete (every choice has finished, or `[DONE]` came); `done` once nothing more needs to be read.
    """

    def __init__(self, opening: Opening) -> None:
        self.outcome = Outcome()
        self.meaningful = False
        self._done_seen = False
        self._finished: set[bytes] = set()
        self._open: set[bytes] = set()
        self._calls: dict[tuple[bytes, bytes], Body] = {}
        self._chunks = Chunks(opening)
        self._new_id = opening.new_id
        self._scrub = opening.scrub
        self._usage: Raw | None = None
        self._created_known = False

    @property
    def stamp(self) -> Stamp:
        """What its chunks are stamped with; the time is the upstream's as soon as one is said."""
        return self._chunks.stamp

    @property
    def terminal(self) -> bool:
        """Whether the upstream has said that its answer is complete."""
        return self._done_seen or (bool(self._finished) and not self._open)

    @property
    def done(self) -> bool:
        """Whether nothing that still counts can come: `[DONE]` and the usage are both there."""
        return self._done_seen and self.outcome.usage is not None

    @property
    def done_seen(self) -> bool:
        """Whether `[DONE]` came; only a late usage is of interest from there on."""
        return self._done_seen

    @property
    def open_parts(self) -> int:
        """None: what has come has gone on."""
        return 0

    def read(self, frame: Frame) -> bytes:
        """What the client gets for this frame: one edited frame, or nothing.

        Raises: `StreamFailedError` for an error that the upstream reports, `ProviderError` for a malformed event.
        """
        if frame.data == b"[DONE]":
            self._done_seen = True
            return b""
        try:
            chunk = split(frame.data)
            if self._done_seen:  # of what comes behind the end only a usage that has not come yet counts
                if not self.done:
                    self._count(chunk)
                return b""
            if frame.event == b"error" or not is_null(chunk.get("error", NULL)):
                raise StreamFailedError(reported_in(chunk) or Reported())
            return self._chunk(chunk)
        except MalformedError as error:
            if self._done_seen:
                return b""
            raise ProviderError("provider_unavailable", "the provider sent a malformed event") from error

    def end(self, bill: Bill, metadata: Raw | None) -> bytes:
        """The last frames: one usage chunk, with router metadata when there is some, then `[DONE]`."""
        return self._chunks.end(write_usage(self._usage, bill), metadata)

    def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        """The last frames of an answer that broke, or never began: the error chunk, then `[DONE]`."""
        return self._chunks.fail(error, metadata)

    def _count(self, chunk: Body) -> None:
        """Take the usage out of a chunk. The last one that counts anything stands for the whole answer."""
        usage = chunk.pop("usage", None)
        if usage is not None and (counted := read_usage(usage)):
            self._usage = usage
            self.outcome.usage, cost = counted
            self.outcome.provider_cost = cost if cost is not None else self.outcome.provider_cost
        elif usage is not None and (half := read_input(usage)):
            self.outcome.partial = half

    def _chunk(self, chunk: Body) -> bytes:
        self._count(chunk)
        self._note(chunk)
        entries = as_array(chunk.get("choices"))
        choices = [edited for entry in entries if (edited := self._choice(members(entry))) is not None]
        head = self._chunks.head.keys()
        extra = chunk.keys() - head - {"choices", "system_fingerprint", "service_tier"}
        if not choices and not extra:
            return b""
        if is_null(chunk.get("system_fingerprint", NULL)):
            chunk.pop("system_fingerprint", None)
        edited = {name: content for name, content in chunk.items() if name not in head}
        edited["choices"] = Raw(b"[" + b",".join(choices) + b"]")
        return self._chunks.write(edited)

    def _note(self, chunk: Body) -> None:
        """Remember what the upstream says of its answer as a whole, once."""
        if not self.outcome.upstream_id:
            self.outcome.upstream_id = as_text(chunk.get("id"))
        if self.outcome.service_tier is None:
            self.outcome.service_tier = as_text(chunk.get("service_tier"))
        if not self._created_known:
            self._created_known = True
            if created := created_at(chunk):
                self._chunks.begin_at(created)

    def _choice(self, choice: Body) -> bytes | None:
        """One choice of a chunk for the client, None when it has finished already."""
        fill(choice, "index", Raw(b"0"))
        index = bytes(choice["index"])
        if index in self._finished:
            return None
        delta = as_object(choice.get("delta"))
        self._delta(index, delta)
        choice["delta"] = Raw(join(delta))
        native = as_text(choice.get("finish_reason"))
        choice["finish_reason"] = raw(normal_finish_reason(native)) if native else NULL
        if native:
            self._finish(index, native, choice)
        if is_null(choice.get("logprobs", NULL)):
            choice.pop("logprobs", None)
        if "error" in choice:
            choice["error"] = scrubbed(choice["error"], self._scrub)
        return join(choice)

    def _delta(self, index: bytes, delta: Body) -> None:
        if index not in self._open:
            self._open.add(index)
            delta["role"] = _ASSISTANT
        else:
            delta.pop("role", None)  # clients join what is repeated
        if any(bytes(delta[name]) not in _EMPTY for name in _CONTENT if name in delta):
            self.meaningful = True
            self.outcome.output_bytes += said_bytes(delta)
        if calls := as_array(delta.get("tool_calls")):
            edited = [self._call(index, position, members(call)) for position, call in enumerate(calls)]
            delta["tool_calls"] = Raw(b"[" + b",".join(edited) + b"]")

    def _call(self, choice: bytes, position: int, call: Body) -> bytes:
        fill(call, "index", raw(position))
        index = bytes(call["index"])
        begun = self._calls.get((choice, index))
        if begun is None:
            if not as_text(call.get("id")):
                call["id"] = raw(self._new_id("call_"))
            fill(call, "type", _FUNCTION)
            if "function" in call:
                call["function"] = fill_function(call["function"])
            self._calls[choice, index] = call
            return join(call)
        return join(_without_repeats(call, begun))

    def _finish(self, index: bytes, native: str, choice: Body) -> None:
        if normal_finish_reason(native) == "error":
            raise StreamFailedError(reported_in(choice) or Reported())
        self.meaningful = True
        self._finished.add(index)
        self._open.discard(index)
        if is_null(choice.get("native_finish_reason", NULL)):
            choice["native_finish_reason"] = raw(native)
        if self.outcome.finish_reason is None:
            self.outcome.finish_reason = normal_finish_reason(native)
            self.outcome.native_finish_reason = as_text(choice["native_finish_reason"]) or native


def _without_repeats(call: Body, begun: Body) -> Body:
    """A later fragment of a tool call without what the first has told already: clients join what is repeated."""
    repeated = [name for name in ("id", "type") if call.get(name) in (NULL, begun[name])]
    rest = {name: content for name, content in call.items() if name not in repeated}
    function, told = as_object(call.get("function")), as_object(begun.get("function"))
    if "name" in function and function["name"] in (NULL, told.get("name")):
        del function["name"]
        rest["function"] = Raw(join(function))
    return rest
