"""A streamed answer of the responses protocol, read into events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from setpoint.canonical.events import Began, Counted, Event, Finished
from setpoint.errors import ProviderError
from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.responses.frames import LIFECYCLE, TERMINAL, check_failure, last_response, read_event
from setpoint.protocols.responses.output import Output
from setpoint.protocols.responses.result import finish_of
from setpoint.protocols.responses.usage import read_response_usage
from setpoint.wire.body import MalformedError, as_array, as_object, as_text

if TYPE_CHECKING:
    from setpoint.protocols.base import StreamReader
    from setpoint.wire.body import Body
    from setpoint.wire.sse import Frame


def reader() -> StreamReader:
    """The reader of one stream."""
    return ResponsesReader()


class ResponsesReader:
    """The state of one stream that is read. `terminal` once the upstream has said that its answer is complete."""

    def __init__(self) -> None:
        self.terminal = False
        self._output = Output()
        self._begun = False
        self._counted = False
        self._service_tier: str | None = None

    @property
    def done(self) -> bool:
        """Whether nothing that still counts can come: the last event and the usage are both there."""
        return self.terminal and self._counted

    @property
    def done_seen(self) -> bool:
        """As `terminal`: the last event is where the usage belongs, so only a late one is of interest behind it."""
        return self.terminal

    def read(self, frame: Frame) -> list[Event]:
        """The events of this frame.

        Raises: `StreamFailedError` for an error that the upstream reports, `ProviderError` for a malformed event.
        """
        if frame.data == b"[DONE]":
            return []
        try:
            event = read_event(frame)
            return [] if event is None else self._events(*event)
        except (MalformedError, ProviderError) as error:
            if self.terminal:
                return []
            raise ProviderError("provider_unavailable", "the provider sent a malformed event") from error
        except StreamFailedError:
            if self.terminal:
                return []
            raise

    def _events(self, kind: bytes, body: Body) -> list[Event]:
        if self.terminal:
            return [] if self._counted else [*self._count(as_object(body.get("response")) or body, final=True)]
        if events := self._output.tell(kind, body):
            return events if self._begun else [*self._began({}), *events]
        if kind in LIFECYCLE:
            response = as_object(body.get("response"))
            began = [] if self._begun else self._began(response)
            return [*began, *self._count(response, final=False)]
        return self._finish(last_response(kind, body)) if kind in TERMINAL else []

    def _began(self, response: Body) -> list[Event]:
        self._begun = True
        self._service_tier = as_text(response.get("service_tier"))
        return [Began(as_text(response.get("id")), self._service_tier)]

    def _count(self, response: Body, *, final: bool) -> list[Counted]:
        counted = read_response_usage(response)
        if counted is None:
            return []
        self._counted = self._counted or final
        return [Counted(*counted, final=final)]

    def _finish(self, response: Body) -> list[Event]:
        """The answer is complete: what only its last event tells, its usage, and why it ended.

        Raises: `StreamFailedError` when it has failed.
        """
        used = self._count(response, final=True)
        check_failure(response, used[0] if used else None)
        tier = as_text(response.get("service_tier"))
        # Which tier has served a request is known at its end; before that it says which was asked for.
        late = not self._begun or (tier is not None and tier != self._service_tier)
        began = self._began(response) if late else []
        events: list[Event] = [*began, *self._output.finish(as_array(response.get("output"))), *used]
        self.terminal = True
        if finish := finish_of(response):
            called = finish.reason == "stop" and self._output.has_call  # not every upstream tells its output once more
            events.append(Finished(structs.replace(finish, reason="tool_calls") if called else finish))
        return events
