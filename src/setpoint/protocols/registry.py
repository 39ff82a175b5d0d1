"""The three protocols by name: the one place that knows them all."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from setpoint.protocols import chat, messages, responses
from setpoint.protocols.base import Room
from setpoint.records import Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping


PROTOCOLS: Mapping[Dialect, Room] = MappingProxyType[Dialect, Room](
    {"chat": chat, "messages": messages, "responses": responses}
)
