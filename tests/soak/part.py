"""What a part of the soak is: how much it does, what it remembers between two runs, and what it found."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Finding(NamedTuple):
    """One thing that was looked at, as a row of the table: what, the figure, what it must be, and whether it is."""

    what: str
    figure: str
    goal: str
    holds: bool


class Part(NamedTuple):
    """One row of the soak: so many `unit`s, in `limit_s` seconds at most."""

    name: str
    unit: str
    full: int
    limit_s: float
    run: Callable[[int, Progress], list[Finding]]
    """Takes how many units to do and what was done before; returns early when `progress.time_is_up`."""


class Progress:
    """How far one part has come, kept in a file after each step: a soak that was ended goes on where it was."""

    def __init__(self, file: Path, *, revision: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._revision = revision
        self._clock = clock
        self._until: float | None = None
        self.folder = file.with_suffix("")
        """The part's own folder, for data that must outlive one run."""
        self.done = 0
        """Units that are done and need not be done again."""
        self.figures: dict[str, Any] = {}
        """What the part wants to know at its next step or run. JSON values only."""
        self.findings: list[Finding] | None = None
        """What a finished part has found. None: it is not finished."""
        self._load()

    def _load(self) -> None:
        if not self._file.exists():
            return
        kept = json.loads(self._file.read_text("utf-8"))
        if kept["revision"] == self._revision:  # figures of other code prove nothing about this one
            self.done, self.figures = kept["done"], kept["figures"]
            self.findings = None if kept["findings"] is None else [Finding(*row) for row in kept["findings"]]

    def allow(self, seconds: float) -> None:
        """Start the part's time."""
        self._until = self._clock() + seconds

    @property
    def time_is_up(self) -> bool:
        """Whether the part shall end after the step that it is in."""
        return self._until is not None and self._clock() >= self._until

    def step(self, units: int, **figures: Any) -> None:
        """Remember that so many more units are done, and the figures that have changed with them."""
        self.done += units
        self.figures |= figures
        self._save()

    def finish(self, findings: list[Finding]) -> None:
        """Remember what the part has found: it is not run again for this code."""
        self.findings = findings
        self._save()

    def forget(self) -> None:
        """Begin anew."""
        self.done, self.figures, self.findings = 0, {}, None
        self._file.unlink(missing_ok=True)

    def _save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "revision": self._revision,
            "done": self.done,
            "figures": self.figures,
            "findings": self.findings,
        }
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(content, indent=1), "utf-8")
        new.replace(self._file)
