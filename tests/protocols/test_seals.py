"""Opaque values of other makers: wrapped where a protocol has one string for them, and whole again behind it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from setpoint.canonical.parts import Maker, Reasoning
from setpoint.protocols.seals import is_wrapped, read_seal, write_seal
from setpoint.wire.body import raw, value

KINDS = st.sampled_from(("text", "summary", "encrypted"))
MAKERS: st.SearchStrategy[Maker] = st.sampled_from(("chat", "messages", "responses"))
TEXTS = st.text(max_size=30)

STEPS = st.builds(
    Reasoning,
    kind=KINDS,
    seal=TEXTS.map(raw),
    maker=MAKERS,
    format=st.one_of(st.none(), TEXTS.filter(bool)),
    id=st.one_of(st.none(), TEXTS.filter(bool)),
)


@given(STEPS, MAKERS)
def test_a_seal_of_another_maker_comes_back_whole(step: Reasoning, own: Maker) -> None:
    written = write_seal(step, own)
    if step.maker == own:
        assert written == step.seal
    else:
        assert is_wrapped(written)
        assert read_seal(written) == step


def test_what_has_no_seal_and_no_id_is_an_empty_string() -> None:
    assert write_seal(Reasoning(kind="text", text=raw("x"), maker="chat"), "messages") == Raw(b'""')
    assert write_seal(Reasoning(kind="text", maker="messages"), "messages") == Raw(b'""')


def test_an_id_without_a_seal_is_kept() -> None:
    step = Reasoning(kind="summary", maker="responses", id="rs_1", format="openai-responses-v1")
    assert read_seal(write_seal(step, "messages")) == step


@pytest.mark.parametrize("family", [None, "unknown"])
def test_what_has_neither_is_wrapped_where_it_must_not_pass_for_the_protocols_own(family: str | None) -> None:
    step = Reasoning(kind="text", maker="chat", format=family)
    assert read_seal(write_seal(step, "responses", unsealed=True)) == step
    own = structs.replace(step, maker="responses")
    assert write_seal(own, "responses", unsealed=True) == Raw(b'""')


def test_the_bytes_of_a_seal_are_kept_as_they_came() -> None:
    step = Reasoning(kind="encrypted", seal=Raw(b'"a\\/b\\u0041"'), maker="responses")
    found = read_seal(write_seal(step, "messages"))
    assert found is not None
    assert bytes(found.seal or b"") == b'"a\\/b\\u0041"'


@pytest.mark.parametrize(
    "seal",
    [
        "",
        "EqQBCkYIARgCKkBv",
        "setpoint:",
        "setpoint:[]",
        "setpoint:{}",
        'setpoint:["chat","text","",""]',
        'setpoint:["chat","thought","","","x"]',
        'setpoint:["chat","text","","","x"',
        "setpoint:\ud800",
    ],
)
def test_what_is_not_wrapped_or_no_longer_whole_is_no_step(seal: str) -> None:
    assert read_seal(raw(seal)) is None


def test_a_maker_that_nobody_knows_is_none() -> None:
    step = Reasoning(kind="text", seal=raw("x"), maker="chat")
    other = raw(str(value(write_seal(step, "messages"))).replace('"chat"', '"acme"'))
    assert read_seal(other) == structs.replace(step, maker=None)
