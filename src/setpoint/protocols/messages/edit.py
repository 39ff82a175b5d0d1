"""A streamed answer between an upstream and a client that both speak messages: edited event by event.

Nothing is rebuilt: what clients need and upstreams leave out is filled in, and what we do not know goes on as the
bytes that came. The `message_delta` with the usage is held back, and written once, at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.answer import Outcome
from setpoint.protocols.messages.frames import BILLED, ENDING, end_frames, error_frame, start_frames
from setpoint.protocols.messages.reader import Step, Tally, malformed, read_step
from setpoint.protocols.messages.result import fill_block, finish_of
from setpoint.protocols.messages.usage import EMPTY_USAGE, said_bytes, tier_in, write_delta_usage
from setpoint.protocols.money import text_bytes
from setpoint.wire.body import NULL, MalformedError, as_object, as_text, is_array, is_null, join, members, raw
from setpoint.wire.sse import named_frame

if TYPE_CHECKING:
    from setpoint.canonical.events import Counted
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Bill, Opening
    from setpoint.wire.body import Body
    from setpoint.wire.sse import Frame

# Where a delta says something in words.
_TEXTS = ("text", "thinking", "partial_json")
# Blocks that begin with nothing said; every other kind of block is something in itself.
_SAID_LATER = ("text", "thinking")


class MessagesStream:
    """The state of one streamed answer. `terminal` turns true with `message_stop`."""

    def __init__(self, opening: Opening) -> None:
        self.outcome = Outcome()
        self.meaningful = False
        self.terminal = False
        self._opening = opening
        self._begun = False
        self._tally = Tally()
        self._held: Body = {}
        self._ending: Body = {}
        self._stop: Body = {}

    @property
    def done(self) -> bool:
        """Whether nothing that still counts can come: the answer is complete and its usage known."""
        return self.terminal and self._tally.final

    @property
    def done_seen(self) -> bool:
        """Whether only a late usage is of interest."""
        return self.terminal

    @property
    def open_parts(self) -> int:
        """None: what has come has gone on."""
        return 0

    def read(self, frame: Frame) -> bytes:
        """What the client gets for this frame: whole events, or nothing.

        Raises: `StreamFailedError` for an error that the upstream reports, `ProviderError` for a malformed event.
        """
        if self.terminal:
            self._count(self._tally.add_late(frame))
            return b""
        try:
            step = read_step(frame)
            return self._edited(step) if step is not None else b""
        except MalformedError as error:
            raise malformed() from error

    def end(self, bill: Bill, metadata: Raw | None) -> bytes:
        """The last events: `message_delta` with the usage and its cost, `message_stop` with router metadata."""
        usage = write_delta_usage(self._tally.counts, bill)
        return self._begin() + end_frames(self._held, self._ending, usage, self._stop, metadata)

    def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        """The event that ends a broken stream."""
        return error_frame(self._opening, error, metadata)

    def _edited(self, step: Step) -> bytes:
        match step.kind:
            case "content_block_delta":
                self._note(members(step.body.get("delta", NULL)))
                said = named_frame(step.kind.encode(), step.data)
                return said if self._begun else self._begin() + said
            case "content_block_start":
                start = named_frame(step.kind.encode(), self._block(step))
                return self._begin() + start
            case "content_block_stop":
                return self._begin() + named_frame(step.kind.encode(), step.data)
            case "message_start":
                return b"" if self._begun else self._start(step.body, members(step.body.get("message", NULL)))
            case "message_delta":
                self._hold(step.body)
                return b""
            case "message_stop":
                self.terminal = True
                self._stop = step.body
                return b""
            case _:
                return named_frame(step.kind.encode(), step.data)

    # --- the message ---

    def _begin(self) -> bytes:
        """The `message_start` that an upstream left out, nothing when there was one."""
        return b"" if self._begun else self._start({}, {})

    def _start(self, event: Body, message: Body) -> bytes:
        self._begun = True
        self.outcome.upstream_id = as_text(message.get("id")) or None
        self._ending = {name: message[name] for name in ENDING if not is_null(message.get(name, NULL))}
        told = as_object(message.get("usage"))
        self._count(self._tally.add(message.get("usage"), final=False))
        usage = members(EMPTY_USAGE) | {name: said for name, said in told.items() if not is_null(said)}
        if not is_array(usage.get("iterations", NULL)):  # clients take a list, or nothing
            usage.pop("iterations", None)
        return start_frames(
            self._opening, event, message, {name: said for name, said in usage.items() if name not in BILLED}
        )

    def _hold(self, body: Body) -> None:
        """Keep a `message_delta` for the end. Of several, the later ones count."""
        self._held |= body
        said = {name: content for name, content in as_object(body.get("delta")).items() if not is_null(content)}
        self._ending |= said
        self._count(self._tally.add(body.get("usage"), final=True))
        if "stop_reason" in said and (finish := finish_of(self._ending)):
            self.meaningful = True
            self.outcome.finish_reason, self.outcome.native_finish_reason = finish.reason, finish.native

    def _count(self, counted: Counted | None) -> None:
        outcome = self.outcome
        outcome.service_tier = tier_in(self._tally.counts)
        if counted is None:
            return
        if counted.final:
            outcome.usage = counted.usage
            outcome.provider_cost = counted.provider_cost
        else:
            outcome.partial = counted.usage

    # --- its blocks ---

    def _block(self, step: Step) -> bytes:
        """The data of a block's start; unchanged when nothing is missing."""
        block = members(step.body.get("content_block", NULL))
        kind, said = as_text(block.get("type")), said_bytes([block])
        self.outcome.output_bytes += said
        self.meaningful = self.meaningful or said > 0 or kind not in _SAID_LATER
        filled = fill_block(block)
        if kind == "tool_use" and not as_text(block.get("id")):
            filled = {**filled, "id": raw(self._opening.new_id("toolu_"))}
        return step.data if filled is block else join({**step.body, "content_block": Raw(join(filled))})

    def _note(self, delta: Body) -> None:
        """Count what a delta says."""
        for name in _TEXTS:
            if name in delta and (said := text_bytes(delta[name])):
                self.outcome.output_bytes += said
                self.meaningful = True


def edit_stream(opening: Opening) -> MessagesStream:
    """A stream of this protocol, edited on its way."""
    return MessagesStream(opening)
