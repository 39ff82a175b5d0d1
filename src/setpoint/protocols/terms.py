"""What a dialect must know of an endpoint, and of the request's tools, to put a conversation into words for it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from setpoint.protocols.names import ToolNames


class Terms(Struct, frozen=True, kw_only=True):
    """The terms of one attempt at one endpoint.

    `stream`: the answer is to be streamed. `max_output_tokens`: the endpoint's limit, None when not known.
    `parameters`: the fields it takes, in chat names, None when all that its dialect has a word for. `reasoning_form`:
    how a chat upstream wants reasoning to be asked for (`object`: `reasoning`; `effort`: `reasoning_effort`; None: as
    it came).
    `own`: the fields that the client itself sent; the others are a preset's. None: all are the client's.
    `verbosity`: how much the request wants to be said, in canonical words, whether or not the endpoint is told.
    `cache_marks`: the endpoint takes the cache marks of other protocols (`cache_control` on parts of chat).
    `efforts`: those that the model knows, the least first; none when that is not known. `clamped`: the output limit is
    not what the request asks for, but the most that there is.
    `reasoning_back`: how a chat upstream wants its own reasoning back (`details`: `reasoning_details`; `content`:
    `reasoning_content`; `none`: not at all). `names`: what each tool is called there.
    """

    stream: bool = False
    max_output_tokens: int | None = None
    parameters: frozenset[str] | None = None
    reasoning_form: Literal["object", "effort"] | None = None
    own: frozenset[str] | None = None
    verbosity: str | None = None
    cache_marks: bool = False
    efforts: tuple[str, ...] = ()
    clamped: bool = False
    reasoning_back: Literal["details", "content", "none"] = "details"
    names: ToolNames = ToolNames()
