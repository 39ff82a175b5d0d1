"""The parts that a conversation and an answer are made of, in no protocol's dialect.

Text stays a raw JSON string wherever nobody has to look into it, so that no character is lost and none is decoded
twice. `path` is where a part stood in the body that it was read from (`messages[2].content[0]`): what a dialect
cannot say is refused by that name.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct


class Citation(Struct, frozen=True, kw_only=True):
    """Where a piece of text comes from. `start` and `end` count characters of the text; None: not said.

    `kind` is the messages protocol's own word (`char_location`) when it is no link; `body` is then the whole of it,
    which only messages can say.
    """

    url: Raw | None = None
    title: Raw | None = None
    quoted: Raw | None = None
    start: int | None = None
    end: int | None = None
    kind: str | None = None
    body: Raw | None = None


class Text(Struct, frozen=True, kw_only=True):
    """Words. `text` is a raw JSON string; `cache` the raw cache mark of its block, None without one."""

    text: Raw
    cache: Raw | None = None
    citations: tuple[Citation, ...] = ()
    path: str = ""


class Refusal(Struct, frozen=True, kw_only=True):
    """Words by which a model refuses."""

    text: Raw
    path: str = ""


MediaKind = Literal["image", "file", "audio", "video"]


class Media(Struct, frozen=True, kw_only=True):
    """An image, a file, sound or film: by address, by content, or by a provider's file id. Raw JSON strings.

    `url` is an address of the web. `data` is base64, with `media_type` (`image/png`; for audio the `format` word,
    `wav`). `text` is the content of a plain text document. `context` is a document's, `citations` its raw switch.
    """

    kind: MediaKind
    url: Raw | None = None
    data: Raw | None = None
    media_type: str | None = None
    file_id: Raw | None = None
    text: Raw | None = None
    filename: Raw | None = None
    detail: Raw | None = None
    context: Raw | None = None
    citations: Raw | None = None
    cache: Raw | None = None
    path: str = ""


Maker = Literal["chat", "messages", "responses"]


class Reasoning(Struct, frozen=True, kw_only=True):
    """A step of a model's reasoning. Its maker takes it back only unchanged.

    `text` is what can be read of it, a raw JSON string. `seal` is the opaque value that its maker signed or sealed it
    with; `maker` is the dialect it came in and may go back in, None when that is not known. `format` is the chat
    protocol's word for the family (`anthropic-claude-v1`, `openai-responses-v1`). Steps of one `id` belong together.
    `kind` says what the step is: the reasoning itself, a summary of it, or nothing but the sealed value.
    """

    kind: Literal["text", "summary", "encrypted"]
    text: Raw | None = None
    seal: Raw | None = None
    maker: Maker | None = None
    format: str | None = None
    id: str | None = None
    path: str = ""


CallKind = Literal["function", "custom", "local_shell", "shell", "apply_patch"]


class ToolCall(Struct, frozen=True, kw_only=True):
    """A model's wish to call a tool of the client's.

    `arguments` is a raw JSON string: of a function the JSON of its arguments, of a `custom` tool its free text, of the
    other kinds the JSON of their action or operation. `namespace` is the responses protocol's. `item_id` is the id of
    the responses item, where it had one.
    """

    id: str
    name: str
    arguments: Raw
    kind: CallKind = "function"
    namespace: str | None = None
    item_id: str | None = None
    cache: Raw | None = None
    path: str = ""


class ToolResult(Struct, frozen=True, kw_only=True):
    """What a tool gave back for the call of this id: `Text` and `Media` parts."""

    call_id: str
    parts: tuple[Text | Media, ...]
    kind: CallKind = "function"
    is_error: bool = False
    cache: Raw | None = None
    path: str = ""


Part = Text | Refusal | Media | Reasoning | ToolCall | ToolResult
