"""The parts of the soak, one row each: what, how much, in what time at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soak.part import Part

PARTS: tuple[Part, ...] = ()
