"""Keys taken out of what is kept, however they are written there, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.gateway.redaction import REDACTED, Redaction

KEY = "sk-sp-v1-" + "0123456789abcdef" * 4
OWN = "my own key, of 28 characters"
REDACTION = Redaction([OWN, "short"])


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


@pytest.mark.parametrize("key", [KEY, KEY[:-40], KEY * 2, OWN])
def test_a_key_is_taken_out_of_a_text(key: str) -> None:
    assert REDACTION.text(f"it is {key}.") == f"it is {REDACTED}{REDACTED if key == KEY * 2 else ''}."
    assert REDACTION.finds(f"it is {key}.")


@pytest.mark.parametrize("text", ["", "short", "sk-sp-v1-", "sk-sp-v1-abc", "sk-sp-v2-" + "0" * 64, OWN[:-1]])
def test_what_is_no_key_stays(text: str) -> None:
    assert REDACTION.text(text) == text
    assert not REDACTION.finds(text)
    written = json.dumps([text]).encode()
    assert REDACTION.json(written) == written


@pytest.mark.parametrize("key", [KEY, OWN])
@pytest.mark.parametrize("write", [str, escaped])
def test_a_key_is_taken_out_of_any_string_of_json_in_any_form(key: str, write: Any) -> None:
    content = f'{{"a": ["{write(key)}", 1.50], "x {write(key)}": {{"b": "\\"{write(key)}\\\\"}}}}'.encode()
    said = REDACTION.json(content)
    assert json.loads(said) == {"a": [REDACTED, 1.5], f"x {REDACTED}": {"b": f'"{REDACTED}\\'}}
    assert b"1.50" in said, "what is no key keeps its bytes"


@pytest.mark.parametrize("offered", ['"', ":", "a", '":1,"bbbbbbbbbbbbb', '",12345678901234]', "12345678901234]}"])
def test_whatever_is_offered_as_a_key_json_stays_json(offered: str) -> None:
    content = b'{"a":1,"bbbbbbbbbbbbb":["\\\\",12345678901234]}'
    assert Redaction([offered]).json(content) == content


@given(
    content=st.recursive(
        st.none() | st.integers() | st.text(st.characters(codec="latin-1")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    offered=st.text(st.characters(codec="latin-1"), min_size=16, max_size=20),
    ascii_only=st.booleans(),
)
def test_json_without_keys_is_json_of_the_same_shape(content: Any, offered: str, *, ascii_only: bool) -> None:
    whole = {"a": content, "b": f"{offered} {KEY}"}
    said = Redaction([offered]).json(json.dumps(whole, ensure_ascii=ascii_only).encode())
    told = json.loads(said)
    assert list(told) == ["a", "b"]
    assert KEY not in told["b"]
    assert REDACTED in told["b"]
    if offered not in json.dumps(content, ensure_ascii=False):
        assert told["a"] == content or "\\" in json.dumps(content)
