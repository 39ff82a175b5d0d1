"""The messages protocol (`/messages`): its fields, and the configuration and system prompt that a capture reads."""

from typing import Final

from setpoint.protocols.messages.config import read_config
from setpoint.protocols.messages.conversation import read_system
from setpoint.protocols.messages.fields import check

name: Final = "messages"

__all__ = ["check", "name", "read_config", "read_system"]
