"""What a user wrote, before it means anything: text, lists and tables that know where they stand, and what is wrong.

A value never appears in a message: it may be a secret. Names do, escaped and cut.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_SHOWN = 64

Form = Literal["plain", "quoted", "given", "lost"]
"""plain: without quotes, so it may be a number, a truth value or null. quoted: a string, whatever it looks like.

given: what the environment or the command line gives, which is whatever its option asks for. lost: its text could not
be had (a `${NAME}` that the environment lacks), which is reported already.
"""


class Place(Struct, frozen=True):
    """Where something was written: a file and its line, an environment variable, an option of the command line."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


class Problem(Struct, frozen=True):
    """One thing that is wrong, or worth a warning, and where."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class ConfigError(Exception):
    """What the user wrote cannot be used. `problems` is all that is wrong with it, each source by its lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(map(str, self.problems)))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems by line, source after source."""
    found = list(problems)
    sources = list(dict.fromkeys(problem.place.source for problem in found))
    return tuple(sorted(found, key=lambda problem: (sources.index(problem.place.source), problem.place.line or 0)))


class Scalar(Struct, frozen=True):
    """One piece of text."""

    text: str
    place: Place
    form: Form

    def __repr__(self) -> str:  # the text may be a secret
        return f"Scalar(place={str(self.place)!r}, form={self.form!r})"


class Items(Struct, frozen=True):
    """A list."""

    entries: tuple[Node, ...]
    place: Place


class Members(Struct, frozen=True):
    """A table: keys with their values, each key once, in the order of the file."""

    entries: tuple[tuple[Scalar, Node], ...]
    place: Place


Node = Scalar | Items | Members


class Report:
    """What reading finds: problems, which stop the start, and warnings. The one thing here that changes."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._warnings: list[Problem] = []

    def wrong(self, place: Place, message: str) -> None:
        """Note something that stops the start."""
        self.problems.append(Problem(place, message))

    def warn(self, place: Place, message: str) -> None:
        """Note something that the user should know."""
        self._warnings.append(Problem(place, message))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """All warnings."""
        return tuple(self._warnings)


def shown(name: str) -> str:
    """A name as messages quote it: escaped, and cut when it is long."""
    return repr(name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}…")


def nearest(name: str, names: Iterable[str]) -> str:
    """The hint `, did you mean 'x'?` with the nearest of the names; nothing when none is near."""
    close = get_close_matches(name[:_MAX_SHOWN], list(names), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def member(path: str, name: str) -> str:
    """The path of a member, as messages say it."""
    plain = name.isprintable() and " " not in name and 0 < len(name) <= _MAX_SHOWN
    said = name if plain else shown(name)
    return f"{path}.{said}" if path else said
