"""Reasoning items: one for the steps that belong together, and at most one opaque value in each.

Source: the reasoning item of the Responses reference (`summary`, `content`, `encrypted_content`), and the `signature`
and `format` that OpenRouter puts beside them, read 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.canonical.parts import Reasoning
from setpoint.errors import FieldError
from setpoint.protocols.seals import is_wrapped, read_seal, write_seal
from setpoint.wire.body import NULL, Body, as_object, as_text, is_array, is_null, is_string, items, raw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from setpoint.canonical.parts import Maker

FORMAT = "openai-responses-v1"
"""The word for reasoning of this protocol's own making."""

_EMPTY = Raw(b'""')


def same_reasoning(before: Reasoning, step: Reasoning) -> bool:
    """Whether a step stands in the item of the one before it. The step that is sealed is the last of its item."""
    return before.seal is None and (before.id, before.maker, before.format) == (step.id, step.maker, step.format)


def own_id(step: Reasoning) -> str | None:
    """The id of the item that a step was made in, when this protocol made it."""
    return step.id if step.maker == "responses" else None


def write_reasoning(steps: Sequence[Reasoning], item_id: str | None, status: str | None) -> Body:
    """The item of steps that belong together; an id and a status where they are to be said."""
    item: Body = {"type": raw("reasoning")}
    if item_id is not None:
        item["id"] = raw(item_id)
    item["summary"] = _write_texts(steps, "summary", "summary_text")
    if any(step.kind == "text" and step.text is not None for step in steps):
        item["content"] = _write_texts(steps, "text", "reasoning_text")
    last = steps[-1]
    # Without an opaque value a replayed item would pass for this protocol's own, under an id that nobody knows.
    if (seal := write_seal(last, "responses", unsealed=True)) != _EMPTY:
        signed = last.maker == "responses" and last.kind != "encrypted"
        item["signature" if signed else "encrypted_content"] = seal
    if last.maker == "responses" and last.format not in (None, FORMAT):
        item["format"] = raw(last.format)
    if status is not None:
        item["status"] = raw(status)
    return item


def _write_texts(steps: Sequence[Reasoning], kind: Literal["text", "summary"], word: str) -> Raw:
    return raw([{"type": word, "text": step.text} for step in steps if step.kind == kind and step.text is not None])


def read_reasoning(item: Body, path: str, *, replayed: bool) -> tuple[Reasoning, ...]:
    """The steps of an item: those of its summary, those of its content, then what is nothing but sealed.

    `replayed`: a client says it again. Then the opaque value may be another dialect's, which is wrapped, and what has
    none may be anybody's; else this protocol has made all of it.

    Raises: `FieldError`.
    """
    sealed = _read_sealed(item, path, replayed=replayed)
    maker: Maker | None = "responses" if sealed is None and not replayed else None
    family = as_text(item.get("format")) or FORMAT
    like = sealed or Reasoning(kind="text", maker=maker, format=family, id=as_text(item.get("id")), path=path)
    steps = [
        structs.replace(like, kind=kind, text=text, seal=None)
        for kind, texts in (
            ("summary", _read_texts(item, "summary", path)),
            ("text", _read_texts(item, "content", path)),
        )
        for text in texts
    ]
    return _with_seal(steps, sealed) if sealed is not None else tuple(steps)


def _with_seal(steps: list[Reasoning], sealed: Reasoning) -> tuple[Reasoning, ...]:
    """The steps with the opaque value at the last one of its kind, or behind them all when it has no text.

    A signature does not say which kind it signs: it is the last text's, whichever that is.
    """
    if sealed.kind != "encrypted":
        alike = [position for position, step in enumerate(steps) if step.kind == sealed.kind]
        if sealed.maker == "responses" and not alike:
            alike = list(range(len(steps)))
        if alike:
            steps[alike[-1]] = structs.replace(steps[alike[-1]], seal=sealed.seal)
            return tuple(steps)
    return (*steps, sealed) if sealed.seal is not None else tuple(steps)


def _read_sealed(item: Body, path: str, *, replayed: bool) -> Reasoning | None:
    """What an item's opaque value tells, without any text; None when it has none that is whole."""
    family, id_ = as_text(item.get("format")) or FORMAT, as_text(item.get("id"))
    for name in ("encrypted_content", "signature"):
        seal = item.get(name, NULL)
        if is_null(seal) or seal == _EMPTY:
            continue
        if not is_string(seal):
            raise FieldError(f"{path}.{name}", "must be a string")
        if replayed and is_wrapped(seal):
            step = read_seal(seal)
            return None if step is None else structs.replace(step, path=path)
        kind = "encrypted" if name == "encrypted_content" else "text"
        return Reasoning(kind=kind, seal=seal, maker="responses", format=family, id=id_, path=path)
    return None


def _read_texts(item: Body, name: str, path: str) -> list[Raw]:
    listed = item.get(name, NULL)
    if is_null(listed):
        return []
    if not is_array(listed):
        raise FieldError(f"{path}.{name}", "must be an array")
    texts: list[Raw] = []
    for position, part in enumerate(items(listed)):
        text = as_object(part).get("text", NULL)
        if not is_string(text):
            raise FieldError(f"{path}.{name}[{position}].text", "must be a string")
        texts.append(text)
    return texts
