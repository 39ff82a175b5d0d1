"""What a response repeats of its request's tools: as they came, but for what clients need of a function."""

from __future__ import annotations

import json

import pytest

from setpoint.protocols.responses.repeated import repeated
from setpoint.wire.body import split

WHOLE = b'{"type":"function","name":"f","parameters":{"type":"object", "x":1.50}}'
BARE = b'{"type":"function","name":"g"}'
SEARCH = b'{"type":"web_search"}'


def tools(listed: bytes) -> bytes:
    return bytes(repeated(split(b'{"tools":' + listed + b"}"))["tools"])


def test_tools_that_lack_nothing_keep_their_bytes() -> None:
    listed = b"[ " + WHOLE + b",\n" + SEARCH + b' , {"type":"function","parameters":null}]'
    assert tools(listed) == listed
    assert tools(b"[]") == b"[]"
    assert bytes(repeated({})["tools"]) == b"[]"
    assert bytes(repeated(split(b'{"tools":null}'))["tools"]) == b"[]"


@pytest.mark.parametrize(
    "odd", [b'{"type":5}', b'{"type":"\\ud800"}', b"7", b'{"type":"function","parameters":"\\ud800"}']
)
def test_a_function_without_parameters_has_null_for_them_whatever_stands_beside_it(odd: bytes) -> None:
    told = json.loads(tools(b"[" + WHOLE + b"," + BARE + b"," + odd + b"]"))
    assert told == [json.loads(WHOLE), {**json.loads(BARE), "parameters": None}, json.loads(odd)]
