"""The contract of a protocol's room (what each of the three offers under the same names), and what all read alike.

A protocol is seen from two ends. As a *skin* it is what clients speak to us, as a *dialect* what we speak to a
provider. Where both are the same protocol an answer is edited; else it is read into canonical values and written from
them, so that no protocol knows another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Raw

from setpoint.wire.body import NULL, Body, as_array, is_array, is_object, is_string, items, join_strings, members

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from setpoint.canonical.conversation import Conversation
    from setpoint.canonical.events import Event
    from setpoint.canonical.parts import MediaKind
    from setpoint.canonical.result import Result
    from setpoint.canonical.usage import Usage
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Bill, Opening, Outcome
    from setpoint.protocols.checks import Schema
    from setpoint.protocols.terms import Terms
    from setpoint.records import Dialect
    from setpoint.wire.sse import Frame

_EMPTY = Raw(b'""')


class CaptureSkin(Protocol):
    """What a capture needs of a skin: which bodies are right, and what in them is configuration."""

    @property
    def name(self) -> Dialect:
        """`chat`, `messages` or `responses`."""
        ...

    def check(self, body: Body, *, creating: bool) -> None:
        """Check every known field of a body, at creation (lenient about what is missing) or at inference.

        Raises: `FieldError` naming the path of the first wrong one.
        """
        ...

    def schema(self, *, creating: bool) -> Schema:
        """The JSON Schema of the bodies that `check` takes."""
        ...

    def read_config(self, body: Body) -> Body:
        """The configuration in a checked body: canonical field name to raw value, in the order of the body.

        Fields that are null, transient or unknown are not in it; `model` is as it stands in the body.
        """
        ...

    def read_system(self, body: Body) -> Raw | None:
        """The system prompt in a checked body as one raw JSON string, None when it has none."""
        ...


class PresetSkin(CaptureSkin, Protocol):
    """What a request of a skin needs beside: the way back from a preset's configuration into the skin's body."""

    @property
    def COMPOSITE(self) -> frozenset[str]:  # noqa: N802 a module's constant
        """The fields that hold several settings: a preset's and a request's are put together member by member."""
        ...

    def settled(self, body: Body, request: Body, /) -> Body:
        """A request over a preset's fields (`body`), with what of the two cannot stand together in this protocol."""
        ...

    def write_config(self, config: Body) -> tuple[Body, tuple[str, ...]]:
        """A configuration (canonical names, also those of one call) in the protocol's own fields.

        And the canonical names of what the protocol cannot say, or not with this value.
        """
        ...

    def pointer(self, name: str) -> str:
        """Where the skin says this canonical field, or a member of it (`reasoning.exclude`): a JSON pointer."""
        ...

    def has_system(self, body: Body) -> bool:
        """Whether a checked body fills the place of the system prompt itself."""
        ...

    def write_system(self, body: Body, prompt: Raw) -> Body:
        """The body with this system prompt, in front of the body's own and a blank line when it has one."""
        ...


class EditedResult(Protocol):
    """A whole answer on its way from an upstream to a client of the same protocol, or of another."""

    @property
    def outcome(self) -> Outcome:
        """What it says of itself."""
        ...

    def write(self, opening: Opening, bill: Bill, metadata: Raw | None) -> bytes:
        """The answer for the client, as JSON; with router metadata when there is some."""
        ...


class AnswerWriter(Protocol):
    """How a stream that a client reads comes to its end, whoever wrote it up to there."""

    def end(self, bill: Bill, metadata: Raw | None) -> bytes:
        """The last events of an answer that is complete, with its usage."""
        ...

    def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        """The last events of an answer that broke, or never began: the skin's error event and what belongs to it."""
        ...


class EditedStream(AnswerWriter, Protocol):
    """A streamed answer on its way from an upstream to a client.

    `meaningful` turns true with the first text, reasoning, tool call or finish; `terminal` once the answer is
    complete; `done` once nothing more needs to be read, which may be a usage behind the end; `done_seen` once only
    such a usage is of interest.
    """

    @property
    def outcome(self) -> Outcome:
        """What is known of the answer so far."""
        ...

    @property
    def meaningful(self) -> bool: ...

    @property
    def terminal(self) -> bool: ...

    @property
    def done(self) -> bool: ...

    @property
    def done_seen(self) -> bool: ...

    @property
    def open_parts(self) -> int:
        """How many parts there are that one frame may end all together, each of which is then told whole."""
        ...

    def read(self, frame: Frame) -> bytes:
        """What the client gets for this frame: whole events, or nothing.

        Raises: `StreamFailedError` for an error that the upstream reports, `ProviderError` for a malformed event.
        """
        ...


class StreamReader(Protocol):
    """A dialect's stream, read frame by frame into events. `terminal`, `done` and `done_seen` as in `EditedStream`."""

    @property
    def terminal(self) -> bool: ...

    @property
    def done(self) -> bool: ...

    @property
    def done_seen(self) -> bool: ...

    def read(self, frame: Frame) -> list[Event]:
        """The events of this frame. What it does not know it leaves out, and names (`Unsaid`) when it is content.

        Raises: `StreamFailedError` for an error that the upstream reports, `ProviderError` for a malformed event.
        """
        ...


class StreamWriter(AnswerWriter, Protocol):
    """Events written as the stream of a skin. Takes them in the order in which a `StreamReader` gives them."""

    @property
    def open_parts(self) -> int:
        """How many parts there are that one frame may end all together, each of which is then told whole."""
        ...

    def write(self, event: Event) -> bytes:
        """What the client gets for this event: whole events of the skin, or nothing."""
        ...


class Skin(PresetSkin, Protocol):
    """A protocol as clients speak it to us."""

    @property
    def KEEP_ALIVE(self) -> bytes:  # noqa: N802 a module's constant
        """What tells a waiting client, between events, that the stream is alive."""
        ...

    @property
    def SHOWN(self) -> frozenset[MediaKind]:  # noqa: N802 a module's constant
        """The media that an answer of this skin can hold."""
        ...

    def read_call(self, body: Body) -> Body:
        """The configuration in an effective body, with the fields beside it that belong to one call only.

        Canonical names, as `read_config`; also `user`, `safety_identifier`, `metadata`, `prompt_cache_key`,
        `prediction`, `include` where the skin has them.
        """
        ...

    def read_conversation(self, body: Body) -> Conversation:
        """What was said, the system prompt first.

        Raises: `FieldError` naming the path of what no other protocol has a word for.
        """
        ...

    def listed_tools(self, body: Body) -> list[tuple[str, Raw]]:
        """All tools that an effective body lists, each with the JSON pointer to it."""
        ...

    def edit_result(self, body: Body) -> EditedResult:
        """An upstream's answer in the skin's own protocol.

        Raises: `ProviderError` when it is not a complete one, `StreamFailedError` when it says that it failed.
        """
        ...

    def edit_stream(self, opening: Opening) -> EditedStream:
        """A stream of the skin's own protocol, edited on its way."""
        ...

    def write_result(self, result: Result, opening: Opening, bill: Bill, metadata: Raw | None) -> bytes:
        """A whole answer of another dialect in the skin's words, as JSON."""
        ...

    def writer(self, opening: Opening) -> StreamWriter:
        """The writer of a stream whose answer comes in another dialect, or not at all."""
        ...

    def write_error(self, error: SetpointError, id_: str | None, metadata: Raw | None) -> bytes:
        """The JSON body of an error answer. `id_` is the generation's, None before there is one."""
        ...

    def error_status(self, error: SetpointError) -> int:
        """The HTTP status of that answer."""
        ...

    def answer_instead(self, error: SetpointError, opening: Opening, metadata: Raw | None) -> bytes | None:
        """The successful answer that the skin gives instead of this error, whole or streamed as the request asks.

        None where it is an error like any other.
        """
        ...

    def estimated_input(self, body: Body) -> int:
        """Our own count of a request's input tokens."""
        ...


class DialectRoom(Protocol):
    """A protocol as we speak it to a provider."""

    @property
    def name(self) -> Dialect:
        """`chat`, `messages` or `responses`."""
        ...

    @property
    def FIELDS(self) -> Mapping[str, str]:  # noqa: N802 a module's constant
        """Every field of a request that has one canonical name: field to name."""
        ...

    @property
    def PARTS(self) -> Mapping[str, Mapping[str, str]]:  # noqa: N802 a module's constant
        """The fields that hold several settings: field to its members, member to canonical name."""
        ...

    def path(self, base_url: str) -> str:
        """What stands behind a provider's base URL."""
        ...

    def write_config(self, config: Body) -> tuple[Body, tuple[str, ...]]:
        """As `PresetSkin.write_config`."""
        ...

    def write_conversation(self, conversation: Conversation, terms: Terms) -> Body:
        """The fields of a request that hold the conversation.

        Raises: `FieldError` naming the path of a part that the protocol cannot say.
        """
        ...

    def finish_request(self, sent: Body, terms: Terms, body: Body) -> tuple[Body, tuple[str, ...]]:
        """A request that is otherwise complete, with what this protocol needs in any and what its own rules change.

        That is: `stream`, the output limit that it requires, `store: false`, the order to count a stream's usage, the
        form in which the endpoint wants reasoning. `body` is the skin's own. Comes with the canonical names of what
        could not be said after all (`reasoning.exclude`).
        """
        ...

    def read_result(self, body: Body) -> Result:
        """A whole answer. Raises: `ProviderError`, `StreamFailedError` as `Skin.edit_result`."""
        ...

    def read_usage(self, data: Raw) -> tuple[Usage, Decimal | None] | None:
        """The tokens in a whole answer's `usage`, and the cost it names; None when nothing in it can be read."""
        ...

    def read_tier(self, body: Body) -> str | None:
        """The service tier that a whole answer says has served it; None when it says none."""
        ...

    def reader(self) -> StreamReader:
        """The reader of one stream."""
        ...


class Room(Skin, DialectRoom, Protocol):
    """A protocol, both ends."""


def read_fields(
    body: Body, words: Mapping[str, str], conversions: Mapping[str, Callable[[Raw], Body]] | None = None
) -> Body:
    """The configuration in a body by a skin's two tables: field to canonical name, and field to what it converts to.

    What is null or in neither table is left out.
    """
    config: Body = {}
    for name, content in body.items():
        if content == NULL:
            continue
        if word := words.get(name):
            config[word] = content
        elif conversions and (convert := conversions.get(name)):
            config.update(convert(content))
    return config


def listed_tools(body: Body) -> list[tuple[str, Raw]]:
    """The tools of a body's `tools`, each with the JSON pointer to it."""
    return [(f"/tools/{position}", tool) for position, tool in enumerate(as_array(body.get("tools")))]


def read_text(content: Raw | None, between: str = "") -> Raw:
    """The text of a message's content as one raw JSON string: a string as it is, or the text of its parts, joined.

    All three protocols write a piece of text as a part with a `text`; parts of other kinds have none.
    """
    if content is None:
        return _EMPTY
    if is_string(content):
        return content
    if not is_array(content):
        return _EMPTY
    texts = (members(part).get("text", NULL) for part in items(content) if is_object(part))
    return join_strings([text for text in texts if is_string(text)], between)


def read_prompt(texts: list[Raw]) -> Raw | None:
    """One system prompt of several texts, a blank line between them; None when they say nothing."""
    prompt = texts[0] if len(texts) == 1 else join_strings(texts, "\n\n")
    return None if prompt == _EMPTY else prompt
