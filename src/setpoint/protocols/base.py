"""The contract of a protocol's room (what each of the three offers under the same names), and what all read alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Raw

from setpoint.wire.body import NULL, Body, is_array, is_object, is_string, items, join_strings, members

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from setpoint.records import Dialect

# The dialects that there is a way to speak to providers in.
DIALECTS: tuple[Dialect, ...] = ("chat",)

_EMPTY = Raw(b'""')


class CaptureSkin(Protocol):
    """What a capture needs of a skin: which bodies are right, and what in them is configuration."""

    @property
    def name(self) -> str:
        """`chat`, `messages` or `responses`."""
        ...

    def check(self, body: Body, *, creating: bool) -> None:
        """Check every known field of a body, at creation (lenient about what is missing) or at inference.

        Raises: `FieldError` naming the path of the first wrong one.
        """
        ...

    def read_config(self, body: Body) -> Body:
        """The configuration in a checked body: canonical field name to raw value, in the order of the body.

        Fields that are null, transient or unknown are not in it; `model` is as it stands in the body.
        """
        ...

    def read_system(self, body: Body) -> Raw | None:
        """The system prompt in a checked body as one raw JSON string, None when it has none."""
        ...


class Skin(CaptureSkin, Protocol):
    """What a request of a skin needs beside: the way back from a preset's configuration into the skin's body."""

    def write_config(self, config: Body) -> tuple[Body, tuple[str, ...]]:
        """The configuration in the skin's own fields, and the canonical names of what the skin cannot say."""
        ...

    def has_system(self, body: Body) -> bool:
        """Whether a checked body fills the place of the system prompt itself."""
        ...

    def write_system(self, body: Body, prompt: Raw) -> Body:
        """The body with this system prompt, in front of the body's own and a blank line when it has one."""
        ...


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
