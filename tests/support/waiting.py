"""Waiting for what another process does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def until(true: Callable[[], object], timeout_s: float = 20) -> None:
    """Wait until it is so. Raises: `AssertionError` when it does not come to be in time."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it does not come to be"
        time.sleep(0.01)


def children(pid: int) -> set[int]:
    """The ids of a process's children."""
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()}


def lives(pid: int) -> bool:
    """Whether a process lives; one that has ended and waits for its parent's notice does not."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
