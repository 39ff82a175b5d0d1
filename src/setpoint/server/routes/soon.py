"""What is written a moment after its answer, by whichever worker has it: it is looked for a while."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_TRIES = 8
_PAUSE_S = 0.06  # a little more than records are gathered for: mostly the first look finds it


async def soon(look: Callable[[], Awaitable[T | None]]) -> T | None:
    """What the look gives as soon as it gives anything; None when it does not for half a second."""
    for _ in range(_TRIES):
        await asyncio.sleep(_PAUSE_S)
        if (found := await look()) is not None:
            return found
    return None
