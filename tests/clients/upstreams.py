"""Scripts of upstreams: one meaning in the words of whichever dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from clients import said_in_chat, said_in_messages, said_in_responses
from simulator.script import body, sse, status

if TYPE_CHECKING:
    from clients.said import Said
    from simulator.steps import Script

Dialect = Literal["chat", "messages", "responses"]
DIALECTS: tuple[Dialect, ...] = ("chat", "messages", "responses")


_LAST_FRAMES: dict[Dialect, int] = {"chat": 3, "messages": 2, "responses": 1}
"""How many frames at the end of a stream say that, and how, it ended."""


def answer(dialect: Dialect, said: Said, *, streamed: bool) -> Script:
    """The script of an upstream of this dialect that says this."""
    return sse(_frames(dialect, said)) if streamed else body(_body(dialect, said))


def broken(dialect: Dialect, said: Said) -> Script:
    """A stream that says all of this, and then is cut before it says that it has ended."""
    return sse(_frames(dialect, said)[: -_LAST_FRAMES[dialect]], end="close")


def left_open(dialect: Dialect, said: Said) -> Script:
    """A stream that says the same, and then nothing any more for as long as somebody waits."""
    return sse(_frames(dialect, said)[: -_LAST_FRAMES[dialect]], end="hang")


def empty(dialect: Dialect, said: Said) -> Script:
    """An answer that is none, and has counted its tokens all the same."""
    whole = _body(dialect, said)
    match dialect:
        case "chat":
            return body({**whole, "choices": []})
        case "messages":
            return body({**_error(dialect, "overloaded_error"), "usage": whole["usage"]})
        case "responses":
            failed = {"code": "server_error", "message": "The model failed."}
            return body({**whole, "status": "failed", "output": [], "error": failed})


def billed(dialect: Dialect, said: Said) -> Script:
    """An error that says what it has cost."""
    return status(500, {**_error(dialect, "api_error"), "usage": _body(dialect, said)["usage"]})


def refusal(dialect: Dialect, code: int, kind: str) -> Script:
    """An error with this status in the dialect's own envelope; `kind` is the type that it tells."""
    return status(code, _error(dialect, kind))


def _error(dialect: Dialect, kind: str) -> dict[str, Any]:
    if dialect == "messages":
        error = {"type": kind, "message": "Please slow down."}
        return {"type": "error", "error": error, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}
    return {"error": {"type": kind, "message": "Please slow down.", "param": None, "code": None}}


def _body(dialect: Dialect, said: Said) -> dict[str, Any]:
    match dialect:
        case "chat":
            return said_in_chat.body(said)
        case "messages":
            return said_in_messages.body(said)
        case "responses":
            return said_in_responses.body(said)


def _frames(dialect: Dialect, said: Said) -> list[bytes]:
    match dialect:
        case "chat":
            return said_in_chat.frames(said)
        case "messages":
            return said_in_messages.frames(said)
        case "responses":
            return said_in_responses.frames(said)
