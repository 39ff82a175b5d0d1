"""The messages protocol (`/messages`), both ends: as clients speak it to us, and as we speak it to providers."""

from typing import Final

from setpoint.protocols.base import listed_tools
from setpoint.protocols.messages.config import (
    COMPOSITE,
    FIELDS,
    PARTS,
    pointer,
    read_call,
    read_config,
    settled,
    write_config,
)
from setpoint.protocols.messages.conversation import has_system, read_system, write_system
from setpoint.protocols.messages.edit import edit_stream
from setpoint.protocols.messages.errors import answer_instead, error_status, write_error
from setpoint.protocols.messages.fields import check, schema
from setpoint.protocols.messages.frames import KEEP_ALIVE, SHOWN
from setpoint.protocols.messages.reader import reader
from setpoint.protocols.messages.reading import read_conversation
from setpoint.protocols.messages.request import finish_request, path
from setpoint.protocols.messages.result import edit_result, read_result, write_result
from setpoint.protocols.messages.usage import estimated_input, read_tier
from setpoint.protocols.messages.usage import read_whole_usage as read_usage
from setpoint.protocols.messages.writer import writer
from setpoint.protocols.messages.writing import write_conversation

name: Final = "messages"

__all__ = [
    "COMPOSITE",
    "FIELDS",
    "KEEP_ALIVE",
    "PARTS",
    "SHOWN",
    "answer_instead",
    "check",
    "edit_result",
    "edit_stream",
    "error_status",
    "estimated_input",
    "finish_request",
    "has_system",
    "listed_tools",
    "name",
    "path",
    "pointer",
    "read_call",
    "read_config",
    "read_conversation",
    "read_result",
    "read_system",
    "read_tier",
    "read_usage",
    "reader",
    "schema",
    "settled",
    "write_config",
    "write_conversation",
    "write_error",
    "write_result",
    "write_system",
    "writer",
]
