"""The responses protocol (`/responses`), both ends: what clients speak to us and what we speak to providers."""

from typing import Final

from setpoint.protocols.responses.config import (
    COMPOSITE,
    FIELDS,
    PARTS,
    pointer,
    read_call,
    read_config,
    settled,
    write_config,
)
from setpoint.protocols.responses.conversation import has_system, read_system, write_system
from setpoint.protocols.responses.edit import edit_stream
from setpoint.protocols.responses.errors import error_status, write_error
from setpoint.protocols.responses.fields import check, schema
from setpoint.protocols.responses.instead import answer_instead
from setpoint.protocols.responses.items import SHOWN
from setpoint.protocols.responses.reader import reader
from setpoint.protocols.responses.reading import listed_tools, read_conversation
from setpoint.protocols.responses.request import finish_request, path
from setpoint.protocols.responses.result import edit_result, read_result, write_result
from setpoint.protocols.responses.usage import estimated_input, read_tier, read_usage
from setpoint.protocols.responses.writer import writer
from setpoint.protocols.responses.writing import write_conversation
from setpoint.wire.sse import KEEP_ALIVE

name: Final = "responses"

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
