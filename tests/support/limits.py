"""The limits of keys that have none: nobody is ever asked."""

from __future__ import annotations

from typing import Never

from setpoint.coordination.leases import Leases
from setpoint.gateway.limits import Limits, Terms
from support.records import NOW


async def _nobody(_: object) -> Never:
    raise AssertionError("the storage was asked")


UNLIMITED = Limits(Leases(_nobody, _nobody, lambda: 0.0), lambda: NOW, Terms())
