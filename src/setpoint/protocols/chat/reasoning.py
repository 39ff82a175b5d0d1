"""Reasoning in a chat message, both ways: `reasoning_details`, and the plain text beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.canonical.parts import Reasoning
from setpoint.protocols.chat.content import array_in, string_or_none, unsayable
from setpoint.wire.body import as_object, as_text, is_null, join, join_strings, raw

if TYPE_CHECKING:
    from setpoint.canonical.parts import Maker
    from setpoint.wire.body import Body

_EMPTY = Raw(b'""')

_MESSAGES_FORMAT = "anthropic-claude-v1"
# `openai-responses-v1`, `azure-openai-responses-v1`, `xai-responses-v1`: whoever runs the model, what ends so was made
# in the responses protocol.
_RESPONSES_FORMATS = "-responses-v1"


class Detail:
    """One entry of `reasoning_details`: a step, or a piece of one. `index` is its raw number, None without one."""

    __slots__ = ("index", "step")

    def __init__(self, step: Reasoning, index: bytes | None) -> None:
        self.step = step
        self.index = index

    def continues(self, before: Detail, *, unnumbered: bool) -> bool:
        """Whether this is more of the step before: the same number, or both without one where `unnumbered` allows it.

        What has been sealed is complete.
        """
        step, earlier = self.step, before.step
        numbered = self.index is not None and self.index == before.index
        return (
            step.kind == earlier.kind != "encrypted"
            and earlier.seal is None
            and (numbered or (unnumbered and self.index is None and before.index is None))
            and (step.id is None or earlier.id is None or step.id == earlier.id)
        )


def read_detail(detail: Body) -> Detail | None:
    """One entry of `reasoning_details`, made by chat; None for a kind that there is no other word for."""
    match as_text(detail.get("type")):
        case "reasoning.text":
            kind, text, seal = "text", string_or_none(detail, "text"), _said(detail, "signature")
        case "reasoning.summary":
            kind, text, seal = "summary", string_or_none(detail, "summary"), None
        case "reasoning.encrypted":
            kind, text, seal = "encrypted", None, _said(detail, "data")
        case _:
            return None
    index = detail.get("index")
    step = Reasoning(
        kind=kind,
        text=text,
        seal=seal,
        maker="chat",
        format=as_text(detail.get("format")),
        id=as_text(detail.get("id")) or None,
    )
    return Detail(step, None if index is None or is_null(index) else bytes(index))


def plain_reasoning(message: Body) -> Raw | None:
    """The reasoning that a message or a delta tells as plain text, under either of its names; None when it has none."""
    return _said(message, "reasoning") or _said(message, "reasoning_content")


def read_steps(message: Body, path: str) -> list[Reasoning]:
    """The reasoning in a message of the conversation, each step with its maker. Pieces of one step are put together.

    Raises: `FieldError` naming what no other protocol has a word for, or what is no list.
    """
    entries = array_in(message, "reasoning_details", path)
    text = plain_reasoning(message)
    if not entries:
        return [] if text is None else [Reasoning(kind="text", text=text, maker="chat", path=f"{path}.reasoning")]
    details: list[Detail] = []
    for position, entry in enumerate(entries):
        at = f"{path}.reasoning_details[{position}]"
        told = as_object(entry)
        detail = read_detail(told)
        if detail is None:
            raise unsayable(at, as_text(told.get("type")) or "an entry without a type")
        if details and detail.continues(details[-1], unnumbered=False):
            details[-1].step = _joined(details[-1].step, detail.step)
        else:
            detail.step = structs.replace(detail.step, maker=_maker(detail.step.format), path=at)
            details.append(detail)
    return [one.step for one in details if one.step.text is not None or one.step.seal is not None]


def _maker(family: str | None) -> Maker:
    """The dialect in which a detail of this format is made."""
    if family == _MESSAGES_FORMAT:
        return "messages"
    return "responses" if family is not None and family.endswith(_RESPONSES_FORMATS) else "chat"


def _joined(step: Reasoning, more: Reasoning) -> Reasoning:
    texts = [text for text in (step.text, more.text) if text is not None]
    return structs.replace(step, text=join_strings(texts) if texts else None, seal=more.seal, id=step.id or more.id)


def _said(body: Body, name: str) -> Raw | None:
    """A member that is a string and not empty."""
    text = string_or_none(body, name)
    return None if text == _EMPTY else text


def whole(step: Reasoning) -> Reasoning:
    """A step that is all there: of one that only its maker can read there is a text, which is empty."""
    if step.kind == "text" and step.text is None and step.seal is not None:
        return structs.replace(step, text=_EMPTY)
    return step


def write_details(step: Reasoning, index: int) -> list[Raw]:
    """The entries of `reasoning_details` that a step, or a piece of one, becomes."""
    words: Body = {}
    match step.kind:
        case "text" if step.text is not None or step.seal is not None:
            words = {"type": raw("reasoning.text")}
            if step.text is not None:
                words["text"] = step.text
            if step.seal is not None:
                words["signature"] = step.seal
        case "summary" if step.text is not None:
            words = {"type": raw("reasoning.summary"), "summary": step.text}
        case _:
            pass
    entries = [words] if words else []
    if step.seal is not None and step.kind != "text":  # a summary has no place for what seals it
        entries.append({"type": raw("reasoning.encrypted"), "data": step.seal})
    about: Body = {}
    if step.format is not None:
        about["format"] = raw(step.format)
    if step.id is not None:
        about["id"] = raw(step.id)
    return [Raw(join({**entry, **about, "index": raw(index)})) for entry in entries]


def readable(steps: list[Reasoning]) -> Raw | None:
    """What can be read of these steps, a blank line between them; None when they are all sealed."""
    texts = [step.text for step in steps if step.text is not None and step.text != _EMPTY]
    return join_strings(texts, "\n\n") if texts else None
