"""What a coding agent is to these runs: how it is started, what the model tells it to do, what it said at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from clients.said import Thought

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clients.said import Said
    from clients.upstreams import Dialect

THOUGHT = Thought("First I read the note.", "c2VhbGVkIGJ5IGl0cyBtYWtlcg==")
NOTE = "The secret number is 4711."
"""What is in the file that the agent is told to read."""
WRITTEN = "The note says 4711.\n"
"""What the agent is told to write."""
FINAL = "I wrote down what the note says."
"""The text that ends the turn."""
PROMPT = "Read note.txt and write what it says to answer.txt."


@dataclass(frozen=True)
class Place:
    """Where one run happens: the folder the agent works in, its home, its packages, and the gateway as it knows it."""

    folder: Path
    home: Path
    packages: Path
    origin: str
    key: str
    model: str

    @property
    def note(self) -> Path:
        """The file to be read."""
        return self.folder / "note.txt"

    @property
    def answer(self) -> Path:
        """The file to be written."""
        return self.folder / "answer.txt"


class Agent(Protocol):
    """A coding agent. `terminal` are the event names that may end an answer, of which each has one."""

    name: str
    skin: Dialect
    route: str
    terminal: Sequence[str]

    def prepare(self, place: Place) -> None:
        """Write the files that it is configured by."""
        ...

    def script(self, place: Place) -> list[Said]:
        """What the model says, one answer a request."""
        ...

    def command(self, place: Place) -> list[str]:
        """How it is started."""
        ...

    def environment(self, place: Place) -> dict[str, str]:
        """What it finds in its environment, beside what every process needs."""
        ...

    def final_text(self, output: str) -> str:
        """The text that it ended with."""
        ...
