"""The JSON Schemas of bodies against `field_cases.toml`: they take all that the checks take, and little else."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs

from protocols.test_field_checks import ASKED, INVALID, SKINS, VALID, Case

SCHEMAS = {
    (name, creating): jsonschema_rs.validator_for(skin.schema(creating=creating))
    for name, skin in SKINS.items()
    for creating in (True, False)
}

# What no schema says: that two members exclude each other, what entries are together, the names of a crew, the server
# tools of another skin, and an integer of more than 64 bits.
BEYOND = {
    "fallbacks",
    "plugins",
    "reasoning",
    "reasoning_effort",
    "tool_choice",
    "tools",
    "max_tokens",
    "seed",
    "top_k",
}


def taken(case: Case) -> bool:
    asked: dict[str, Any] = {} if case.creating else json.loads(ASKED[case.skin])
    body = asked | json.loads(case.beside) | json.loads(f'{{"{case.field}":{case.value}}}')
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")  # half a surrogate pair is no text there
    return SCHEMAS[case.skin, case.creating].is_valid(json.loads(text))


def test_a_schema_takes_every_value_that_passes() -> None:
    assert [case for case in VALID if not taken(case)] == []


def test_a_schema_refuses_what_is_refused_but_for_what_it_cannot_say() -> None:
    readable = [case for case in INVALID if len(case.value) < 3_000]  # Python reads no integer of thousands of digits
    beyond = [case for case in readable if taken(case)]
    assert {case.field for case in beyond} <= BEYOND
    assert len(beyond) < len(INVALID) / 10
