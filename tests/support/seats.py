"""A place at a board of its own, for parts that are tried without a server around them."""

from __future__ import annotations

import time

from setpoint.coordination.board import Board, Seat


def lone_seat() -> Seat:
    """The seat of the only worker."""
    return Board(1, time.monotonic).seat(0)
