"""What a script may consist of, and its form in JSON: written by tests, read by the process."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

How = Literal["close", "reset", "hang"]
"""How a connection stops: FIN, RST, or open and silent for as long as the peer stays."""


@dataclass(frozen=True)
class Send:
    """These bytes, as they are."""

    data: bytes


@dataclass(frozen=True)
class Repeat:
    """The same bytes again and again: so many times, or until the peer goes away."""

    data: bytes
    times: int | None = None
    pause_ms: float = 0


@dataclass(frozen=True)
class Pause:
    """Silence, in milliseconds."""

    ms: float


@dataclass(frozen=True)
class Answer:
    """A correct answer in the dialect of the request's path: a stream when it asked for one, else whole.

    `id_` None is the id that all answers of the dialect have.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    pause_ms: float = 0
    id_: str | None = None


@dataclass(frozen=True)
class End:
    """The end of the connection. A script without it leaves the connection to the next request."""

    how: How


Step = Send | Repeat | Pause | Answer | End

_STEPS: dict[str, type[Step]] = {"send": Send, "repeat": Repeat, "pause": Pause, "answer": Answer, "end": End}
_NAMES = {type_: name for name, type_ in _STEPS.items()}


@dataclass(frozen=True)
class Script:
    """How one request is treated.

    `read_body` False leaves the request's body in the socket. `stop_after` counts the bytes of the whole answer, head
    included, after which the connection stops as `stop_how` says, whatever steps are left. The answer is cut into
    writes of `piece_bytes`, or at the byte positions `cuts`, with a pause between them; else each step is one write.
    `gate` is how many requests must have come before it begins. `obeys`: the request's own order tells what happens
    (`orders.py`), and nothing else here counts.
    """

    steps: tuple[Step, ...]
    read_body: bool = True
    stop_after: int | None = None
    stop_how: How = "close"
    piece_bytes: int | None = None
    cuts: tuple[int, ...] = ()
    piece_pause_ms: float = 0
    gate: int = 0
    obeys: bool = False

    @property
    def is_well(self) -> bool:
        """Whether this is a right answer and nothing else: no provider is the worse for it."""
        return self == Script(self.steps) and all(isinstance(step, Answer) and not step.pause_ms for step in self.steps)

    def behind(self, ms: float) -> Script:
        """The same, behind so many milliseconds of silence."""
        return replace(self, steps=(Pause(ms), *self.steps))

    def at_gate(self, count: int) -> Script:
        """The same, when so many requests have come."""
        return replace(self, gate=count)

    def to_json(self) -> dict[str, Any]:
        """The script as JSON values."""
        return {**asdict(self), "steps": [_write_step(step) for step in self.steps]}

    @staticmethod
    def from_json(members: dict[str, Any]) -> Script:
        """The script out of JSON values. Raises: `KeyError` or `TypeError` for what is none."""
        read: dict[str, Any] = {
            "steps": tuple(_read_step(step) for step in members["steps"]),
            "cuts": tuple(members.get("cuts", ())),
        }
        return Script(**{**members, **read})


def _write_step(step: Step) -> dict[str, Any]:
    members = asdict(step)
    if "data" in members:
        members["data"] = b64encode(members["data"]).decode()
    return {"do": _NAMES[type(step)], **members}


def _read_step(step: dict[str, Any]) -> Step:
    members = {name: content for name, content in step.items() if name != "do"}
    if "data" in members:
        members["data"] = b64decode(members["data"])
    return _STEPS[step["do"]](**members)
