"""A sealer for parts that are tried without a server around them."""

from __future__ import annotations

from random import SystemRandom

from setpoint.storage.sealing import Sealer

SEALER = Sealer(b"a secret of tests", SystemRandom())
"""One that seals under a secret of the tests."""
