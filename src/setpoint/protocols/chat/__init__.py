"""The chat protocol (`/chat/completions`): its fields, its configuration and system prompt, its answers and streams."""

from typing import Final

from setpoint.protocols.chat.config import read_config, write_config
from setpoint.protocols.chat.conversation import has_system, read_system, write_system
from setpoint.protocols.chat.fields import check

name: Final = "chat"

__all__ = ["check", "has_system", "name", "read_config", "read_system", "write_config", "write_system"]
