"""Errors of the chat protocol: the envelope is the OpenAI-like one, and no error is told as an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.protocols.envelope import error_object, write_envelope

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Opening

__all__ = ["answer_instead", "error_object", "error_status", "write_error"]


def write_error(error: SetpointError, id_: str | None = None, metadata: Raw | None = None) -> bytes:
    """The JSON body of an error answer; a fault of ours shows no router metadata."""
    del id_  # the envelope has no place for it
    return write_envelope(error, metadata)


def error_status(error: SetpointError) -> int:
    """The HTTP status of that answer."""
    return error.status


def answer_instead(error: SetpointError, opening: Opening, metadata: Raw | None) -> bytes | None:
    """None: every error is one."""
