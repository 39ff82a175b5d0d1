"""What a client sends back of a conversation, without what no messages upstream takes.

A client may have got parts of it from another maker's model, or from us, in this protocol's words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.seals import is_wrapped
from setpoint.wire.body import NULL, as_array, as_object, as_text, is_null, is_string, join, raw

if TYPE_CHECKING:
    from setpoint.wire.body import Body

_EMPTY = Raw(b'""')

# The results of tools that a gateway ran itself.
_DROPPED = frozenset({"openrouter_shell_tool_result", "openrouter_bash_tool_result"})
_LINK = "web_search_result_location"
_SEALS = {"thinking": "signature", "redacted_thinking": "data"}

# A message that has none of these words needs no second look; most have none, and searching is cheap.
_SUSPECT = (b'"setpoint:', *(b'"%b"' % kind.encode() for kind in sorted(_DROPPED)))
_SUSPECT_TO_CLAUDE = (*_SUSPECT, b'"thinking"', b'"redacted_thinking"', b'"encrypted_index"')


def mend_history(messages: Raw, model: str) -> Raw:
    """The messages without thoughts that another maker sealed and results of a gateway's own tools.

    Claude also refuses thoughts without a signature, and links without their index; other models behind this protocol
    may write the former themselves. The same bytes when nothing is left out, whole messages when nothing is left.
    """
    claude = "claude" in model.lower()
    words = _said(messages, _SUSPECT_TO_CLAUDE if claude else _SUSPECT)
    if not words:
        return messages
    told = as_array(messages)
    kept = [_mended(message, claude=claude) if _said(message, words) else message for message in told]
    if all(mended is message for mended, message in zip(kept, told, strict=True)):
        return messages
    return raw([message for message in kept if message is not None])


def _said(data: Raw, words: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Those of the words that occur: few are left to be looked for in each message."""
    said = bytes(data)
    return tuple(word for word in words if word in said)


def _mended(data: Raw, *, claude: bool) -> Raw | None:
    """A message without the blocks that are not taken; None when no other is there."""
    message = as_object(data)
    blocks = as_array(message.get("content"))
    kept = [_block(block, claude=claude) for block in blocks]
    if all(mended is block for mended, block in zip(kept, blocks, strict=True)):
        return data
    content = [block for block in kept if block is not None]
    return Raw(join({**message, "content": raw(content)})) if content else None


def _block(data: Raw, *, claude: bool) -> Raw | None:
    """A block as it goes on; None when it does not."""
    block = as_object(data)
    kind = as_text(block.get("type"))
    if kind in _DROPPED or (kind in _SEALS and _is_foreign(block.get(_SEALS[kind], NULL), claude=claude)):
        return None
    return _without_bare_links(data, block) if kind == "text" and claude else data


def _is_foreign(seal: Raw, *, claude: bool) -> bool:
    if is_null(seal) or seal == _EMPTY:
        return claude
    return is_string(seal) and is_wrapped(seal)


def _without_bare_links(data: Raw, block: Body) -> Raw:
    """A text without the links that no search of its maker's found: those that we wrote have no index."""
    cited = as_array(block.get("citations"))
    kept = [citation for citation in cited if not _is_bare_link(as_object(citation))]
    if len(kept) == len(cited):
        return data
    return Raw(join({**block, "citations": raw(kept) if kept else NULL}))


def _is_bare_link(citation: Body) -> bool:
    return as_text(citation.get("type")) == _LINK and citation.get("encrypted_index", NULL) in (NULL, _EMPTY)


# --- where a conversation stands -----------------------------------------------------------------------------


def called_without_a_thought(messages: Raw) -> bool:
    """Whether the conversation ends in results of calls that no thought of this protocol's making led to."""
    last = [as_object(message) for message in as_array(messages)[-2:]]
    if len(last) != 2 or _first_block(last[1]) != "tool_result":
        return False
    return _first_block(last[0]) not in _SEALS


def _first_block(message: Body) -> str | None:
    content = message.get("content")
    return next((as_text(as_object(block).get("type")) for block in as_array(content)), None)
