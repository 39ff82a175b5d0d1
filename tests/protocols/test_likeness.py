"""Endpoints that are alike are told the same: what that goes by is all that is read of them."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import Any, cast

import pytest
from msgspec import structs

from protocols.golden_support import cases
from setpoint.errors import RequestError
from setpoint.protocols.allowance import ALL, Allowance
from setpoint.protocols.forward import likeness, lower
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import Dialect, Endpoint, ModelReasoning, Provider
from setpoint.wire.body import split
from support.records import endpoint

OPEN = endpoint("acme", "acme/sage")
NARROW = structs.replace(OPEN, tier="flex", parameters=frozenset({"tools", "service_tier"}), max_output_tokens=99)
BOUNDED = Allowance(max_output=9, reasoning=ModelReasoning(supported_efforts=("low",)), tiers=frozenset({"flex"}))


class Watched:
    """An endpoint or a provider of which is remembered what was read."""

    def __init__(self, record: Endpoint | Provider, read: set[str], path: str = "") -> None:
        self._record = record
        self._read = read
        self._path = path

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._record, name)
        if isinstance(found, Provider):
            return Watched(found, self._read, f"{name}.")
        self._read.add(self._path + name)
        return found


def test_what_makes_endpoints_alike_is_all_that_is_read_of_them_to_tell_them_of_a_request() -> None:
    compared: set[str] = set()
    likeness(cast("Endpoint", Watched(OPEN, compared)), "chat")
    read: set[str] = set()
    for case, dialect, record, allowed in product(
        cases("request.json"), PROTOCOLS.values(), (OPEN, NARROW), (ALL, BOUNDED)
    ):
        with suppress(RequestError):
            lower(
                split(case.read("request.json")),
                cast("Endpoint", Watched(record, read)),
                skin=PROTOCOLS[case.protocol],
                dialect=dialect,
                stream=False,
                identity_key=b"key",
                allowance=allowed,
            )
    assert read - {"model"} == compared


@pytest.mark.parametrize(
    "other",
    [
        structs.replace(OPEN, tier="flex"),
        structs.replace(OPEN, parameters=frozenset({"tools"})),
        structs.replace(OPEN, max_output_tokens=9),
        structs.replace(OPEN, provider=structs.replace(OPEN.provider, takes=frozenset({"provider"}))),
        structs.replace(OPEN, provider=structs.replace(OPEN.provider, server_tools=True)),
    ],
)
def test_endpoints_that_differ_in_what_counts_are_not_alike(other: Endpoint) -> None:
    assert likeness(other, "chat") != likeness(OPEN, "chat")


@pytest.mark.parametrize(("dialect", "allowed"), [("messages", ALL), ("chat", BOUNDED)])
def test_nor_are_those_of_another_dialect_or_another_model(dialect: Dialect, allowed: Allowance) -> None:
    assert likeness(OPEN, dialect, allowed) != likeness(OPEN, "chat")


def test_those_that_differ_in_what_is_not_sent_are() -> None:
    other = structs.replace(OPEN, key="bolt", tag="bolt", provider=structs.replace(OPEN.provider, slug="bolt"))
    assert likeness(other, "chat") == likeness(OPEN, "chat")
    assert hash(likeness(other, "chat", BOUNDED)) == hash(likeness(OPEN, "chat", BOUNDED))
