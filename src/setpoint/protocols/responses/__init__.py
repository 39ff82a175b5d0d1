"""The responses protocol (`/responses`): its fields, and the configuration and system prompt that a capture reads."""

from typing import Final

from setpoint.protocols.responses.config import read_config
from setpoint.protocols.responses.conversation import read_system
from setpoint.protocols.responses.fields import check

name: Final = "responses"

__all__ = ["check", "name", "read_config", "read_system"]
