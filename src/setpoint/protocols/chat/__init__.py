"""The chat protocol (`/chat/completions`), both ends: what clients speak to us and what we speak to providers."""

from typing import Final

from setpoint.protocols.base import listed_tools
from setpoint.protocols.chat.config import (
    COMPOSITE,
    FIELDS,
    PARTS,
    pointer,
    read_call,
    read_config,
    settled,
    write_config,
)
from setpoint.protocols.chat.conversation import has_system, read_system, write_system
from setpoint.protocols.chat.errors import answer_instead, error_status, write_error
from setpoint.protocols.chat.fields import check, schema
from setpoint.protocols.chat.message import SHOWN
from setpoint.protocols.chat.reader import reader
from setpoint.protocols.chat.reading import read_conversation
from setpoint.protocols.chat.request import finish_request, path
from setpoint.protocols.chat.result import edit_result, read_result, write_result
from setpoint.protocols.chat.stream import edit_stream
from setpoint.protocols.chat.usage import estimated_input, read_tier, read_usage
from setpoint.protocols.chat.writer import writer
from setpoint.protocols.chat.writing import write_conversation
from setpoint.wire.sse import KEEP_ALIVE

name: Final = "chat"

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
