"""One client connection from its accept to its end: its deadlines, its place in the registry, and its answers in order.

What is refused here never reaches a route: it gets a plain JSON error and the connection ends, in a way that lets a
client that is still sending read why.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from setpoint.errors import GatewayError, RequestError
from setpoint.server.connection.connections import NEVER, Connections, Phase, Room
from setpoint.server.connection.turn import Turn, refusal
from setpoint.server.connection.unread import has_unread
from setpoint.server.connection.unsent import Progress, forget_unsent, unsent_bytes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from setpoint.errors import SetpointError
    from setpoint.server.connection.asgi import Application

_LINGER_S = 5.0
_CROWDED_HEAD_S = 2.0
_PROGRESS_LOOKS = 4


class ClientConnection(HttpToolsProtocol):
    """What every request of a client shares. Sizes are in bytes, times in seconds of the loop's clock.

    Whoever reads sets `begun` while a head is incomplete, and hears nothing more once `deaf` is set.
    """

    def __init__(self, *args: Any, registry: Connections, **more: Any) -> None:
        super().__init__(*args, **more)
        del self.parser  # ours is another
        self.phase: Phase = "head"
        self.deadline = NEVER
        self.room: Room = "none"
        self.begun = False
        self.deaf = False
        self.discarded = 0
        self.limits = registry.limits
        self.watchers: set[Callable[[], object]] = set()
        self.turn: Turn | None = None
        self.latest: Turn | None = None
        self.queue: deque[Turn] = deque()
        self._app = cast("Application", self.config.loaded_app)
        self._registry = registry
        self._last_words: SetpointError | None = None
        self._progress = Progress()

    # --- the connection ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] uvicorn narrows it likewise
        """A client has come: take it in, if there is room."""
        super().connection_made(transport)
        self.room = self._registry.add(self)
        if self.room == "none":
            self.cut()
            return
        patience = self.limits.header_timeout_s
        self.deadline = self.loop.time() + (min(patience, _CROWDED_HEAD_S) if self.room == "crowded" else patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever works for this client that nobody waits any more."""
        self._registry.discard(self)
        self.phase, self.deadline = "closing", NEVER
        if self.turn is not None:
            self.turn.leave()
        self.queue.clear()
        super().connection_lost(exc)
        watchers, self.watchers = self.watchers, set()
        for watcher in watchers:
            watcher()

    def expire(self, now: float) -> None:
        """The deadline has passed: end what is too late, or set another."""
        match self.phase:
            case "idle":
                self._leave_idle(now)
            case "head" if self.begun:
                self.refuse(RequestError("request_timeout", "the request's head did not come in time"))
            case "head":
                self.transport.close()
            case "body" if self.flow.read_paused:
                self.deadline = now + self.limits.body_timeout_s
            case "body":
                self.fail_body(RequestError("request_timeout", "the request's body did not come in time"))
            case "closing" if not self.transport.get_write_buffer_size():
                self.cut()
            case "answering" | "closing":
                self._look_for_progress(now)

    def turn_away(self) -> None:
        """End at once, with a word if there is time for one: the place is needed."""
        if self.phase == "idle":
            self._part(linger=False)
        elif self.turn is None and self.phase == "head":
            self.write(refusal(crowded()))
            self._part(linger=False)
        else:
            self.cut()

    def retire(self) -> None:
        """End, unless something is under way or has come that is not read yet: the server stops."""
        resting = self.phase == "idle" or (self.phase == "head" and not self.begun)
        if resting and not has_unread(self.transport):
            self._part(linger=False)

    def cut(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._progress.written += len(data)
        self.transport.write(data)

    def _leave_idle(self, now: float) -> None:
        """End between two requests; while the last answer is still on its way, only when nobody takes it."""
        if unsent_bytes(self.transport):
            self._look_for_progress(now)
        else:
            self.transport.close()

    def _part(self, *, linger: bool) -> None:
        """End the connection behind what was written. A client that still sends is let finish, for a while: closed
        under its hands, the system would tell it of a reset before it has read its answer."""
        now = self.loop.time()
        self.deaf = True
        wait = _LINGER_S if linger else self.limits.write_timeout_s / _PROGRESS_LOOKS
        self.phase, self.deadline = "closing", now + wait
        self._progress.begin(now)
        if linger:
            self.flow.resume_reading()
            self.transport.write_eof()
        else:
            self.transport.close()

    def _look_for_progress(self, now: float) -> None:
        """End the connection when its client has taken nothing of what waits for it for too long."""
        if self._progress.stands_still(self.transport, now, self.limits.write_timeout_s):
            forget_unsent(self.transport)
            self.cut()
        self.deadline = now + self.limits.write_timeout_s / _PROGRESS_LOOKS

    # --- refusing ---

    def fail_body(self, error: SetpointError) -> None:
        """The rest of the body that is being read will not come, for this reason."""
        self.deaf = True
        if self.latest is not None:
            self.latest.fail(error)
            self.await_progress()

    def refuse(self, error: SetpointError) -> None:
        """Answer with an error, behind the answers that are still due, and part."""
        self.deaf = True
        if self.turn is not None:
            self._last_words = error
            return
        self.write(refusal(error))
        self._part(linger=True)

    # --- answering ---

    def start(self, turn: Turn) -> None:
        """Answer this request now."""
        self.turn = turn
        if turn.body_complete:
            self.await_progress()
        else:
            self.phase = "body"
            self.await_body()
        task = self.loop.create_task(turn.run(self._app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def answered(self, turn: Turn) -> None:
        """The last byte of an answer has been written: on to the next request, if there may be one."""
        self.server_state.total_requests += 1
        self.turn = None
        if self.transport.is_closing():
            return
        if not turn.keep_alive:
            self._part(linger=not turn.body_complete or self.discarded > 0)
            return
        self.flow.resume_reading()
        if self.queue:
            self.start(self.queue.popleft())
        elif self._last_words is not None:
            self.refuse(self._last_words)
        elif self.begun:
            self.await_head()
        else:
            self._rest()

    def may_stay(self) -> bool:
        """Whether the connection may carry another request."""
        return not self._registry.draining

    def common_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer: the date."""
        return self.server_state.default_headers

    def await_body(self) -> None:
        """The client is waited for again: its time starts anew."""
        if self.phase == "body":
            self.flow.resume_reading()
            self.deadline = self.loop.time() + self.limits.body_timeout_s

    def await_head(self) -> None:
        """The client is waited for, to send the rest of a head."""
        self.phase = "head"
        if self.room == "ordinary":  # in the reserve the time runs from the accept
            self.deadline = self.loop.time() + self.limits.header_timeout_s

    def await_progress(self) -> None:
        """The client has said all; from now on it is to take its answer."""
        self.phase = "answering"
        now = self.loop.time()
        self._progress.begin(now)
        self.deadline = now + self.limits.write_timeout_s / _PROGRESS_LOOKS

    def _rest(self) -> None:
        """Between two requests; nothing of the last is kept, for there may be thousands who rest."""
        self.phase = "idle"
        self.deadline = self.loop.time() + self.limits.keep_alive_timeout_s
        self.latest = None
        self.headers = []


def crowded() -> GatewayError:
    """The error of whoever comes when there are too many."""
    return GatewayError("unavailable", "too many connections", retry_after_s=1)
