"""What the tests of the chat protocol share: how an answer begins, what it costs, and odd JSON."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from hypothesis import strategies as st

from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill, Opening, Stamp
from setpoint.wire.sse import DONE

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.wire.body import Body

STAMP = Stamp("gen-1", "acme/sage-2", "Acme", 1767225000)
BILL = Bill(Usage(input_tokens=2, output_tokens=1), None, None)


def opening(*debug: tuple[Stamp, Raw], request: Body | None = None) -> Opening:
    """An answer that begins: new ids are numbered from 1."""
    numbers = count(1)
    return Opening(stamp=STAMP, request=request or {}, new_id=lambda prefix: f"{prefix}{next(numbers)}", debug=debug)


def chunks(out: bytes) -> list[Any]:
    """The chunks of what went to a client, which ends with a frame; `[DONE]` is left out."""
    if not out:
        return []
    assert out.endswith(b"\n\n")
    frames = out.removesuffix(DONE).removesuffix(b"\n\n").split(b"\n\n")
    assert all(frame.startswith(b"data: ") for frame in frames)
    return [json.loads(frame[6:]) for frame in frames]


TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=4)
"""Any text that JSON can write, halves of surrogate pairs included."""

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 3), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)


def odd(*names: str) -> st.SearchStrategy[Any]:
    """JSON values of any shape, whose members have mostly these names and texts often these words."""
    return st.recursive(
        _SCALARS | st.sampled_from(names),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names) | TEXTS, inner, max_size=5),
        max_leaves=12,
    )


@st.composite
def mutated(draw: st.DrawFn, content: Any, values: st.SearchStrategy[Any]) -> Any:
    """A JSON value with one of its inner values replaced or taken out."""
    if isinstance(content, dict) and content and draw(st.booleans()):
        told = cast("dict[str, Any]", content)
        name = draw(st.sampled_from(sorted(told)))
        rest = {key: said for key, said in told.items() if key != name}
        return rest if draw(st.booleans()) else {**rest, name: draw(mutated(told[name], values))}
    if isinstance(content, list) and content and draw(st.booleans()):
        entries = cast("list[Any]", content)
        at = draw(st.integers(0, len(entries) - 1))
        return [*entries[:at], draw(mutated(entries[at], values)), *entries[at + 1 :]]
    return draw(values)
