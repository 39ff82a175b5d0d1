"""The tool calls of a streamed answer, put together of fragments that may come in turns and without a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.events import Grew, PartBegan, PartEnded, Unsaid
from setpoint.canonical.parts import ToolCall
from setpoint.protocols.chat.calls import read_arguments
from setpoint.wire.body import NULL, as_object, as_text, is_null

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from setpoint.canonical.events import Event
    from setpoint.wire.body import Body

_EMPTY = Raw(b'""')


class _Call:
    """One call that grows. `number` is its part's, None as long as its name is not known."""

    __slots__ = ("id", "known", "name", "number", "waiting")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.number: int | None = None
        self.waiting: list[Raw] = []
        self.known = True


class Calls:
    """All calls of one answer, open side by side."""

    def __init__(self, next_part: Callable[[], int]) -> None:
        self._next_part = next_part
        self._calls: list[_Call] = []
        self._numbered: dict[bytes, _Call] = {}
        self._last: _Call | None = None

    def __bool__(self) -> bool:
        return any(call.number is not None for call in self._calls)

    def add(self, fragment: Body, position: int, count: int) -> Iterator[Event]:
        """The events of a fragment, which stands at this position among so many in its chunk."""
        kind = "custom" if "custom" in fragment else "function"
        said = as_text(fragment.get("type"))
        told = as_object(fragment.get(kind))
        call = self._last = self._call_of(fragment, as_text(told.get("name")) or "", position, count)
        if said not in (None, "", "function", "custom"):
            call.known = False
            yield Unsaid(said or "")
        if not call.known:
            return
        call.id = call.id or as_text(fragment.get("id")) or ""
        call.name = call.name or as_text(told.get("name")) or ""
        arguments = read_arguments(told.get("input" if kind == "custom" else "arguments"))
        if call.number is None:
            call.waiting.append(arguments)
            if call.name:
                yield from self._begin(call, custom=kind == "custom")
        elif arguments != _EMPTY:
            yield Grew(call.number, arguments)

    def end(self) -> Iterator[Event]:
        """The ends of all calls, and the beginnings of those whose names never came."""
        for call in self._calls:
            said = call.id or any(arguments != _EMPTY for arguments in call.waiting)
            if call.known and call.number is None and said:
                yield from self._begin(call, custom=False)
        for call in self._calls:
            if call.number is not None:
                yield PartEnded(call.number)

    def _begin(self, call: _Call, *, custom: bool) -> Iterator[Event]:
        call.number = self._next_part()
        head = ToolCall(id=call.id, name=call.name, arguments=_EMPTY, kind="custom" if custom else "function")
        yield PartBegan(call.number, head)
        for arguments in call.waiting:
            if arguments != _EMPTY:
                yield Grew(call.number, arguments)

    def _call_of(self, fragment: Body, name: str, position: int, count: int) -> _Call:
        """The call that a fragment belongs to: by its number, else by what it says and where it stands."""
        id_, number = as_text(fragment.get("id")) or "", bytes(fragment.get("index", NULL))
        if not is_null(Raw(number)):
            call = self._numbered.get(number)
            # Some providers give every call the same number; a new id with a name is a new call whatever its number.
            if call is None or (id_ and name and call.id not in ("", id_)):
                call = self._numbered[number] = self._new()
            return call
        last = self._last
        if count > 1 and not (id_ or name) and position < len(self._calls):
            return self._calls[position]
        return self._new() if last is None or _is_another(last, id_, name, position) else last

    def _new(self) -> _Call:
        call = _Call()
        self._numbered.setdefault(str(len(self._calls)).encode(), call)
        self._calls.append(call)
        return call


def _is_another(last: _Call, id_: str, name: str, position: int) -> bool:
    """Whether a fragment without a number begins a call, rather than going on with the last one."""
    if id_ and last.id:
        return id_ != last.id
    if not (name and last.name):
        return False
    # An id that the last call lacks, another name, or a second place in one chunk.
    return bool(id_) or name != last.name or position > 0
