"""Which endpoints are used when some can do more than others: tiers, tools, long answers, long prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from routing.plan_support import catalog, left_out, places, planned, tags
from setpoint.routing.preferences import Preferences
from support.records import endpoint, model

if TYPE_CHECKING:
    from setpoint.records import Model

TIERED = model(
    "m",
    endpoint("acme", dollars=2),
    endpoint("acme/priority", dollars=4, tier="priority"),
    endpoint("acme/flex", dollars=1, tier="flex"),
    endpoint("acme/batch", dollars=1, tier="batch", variants=("batch",)),
)
PLAIN = model("plain", endpoint("acme", "plain", dollars=1))


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("m", {}, [("acme", "drawn")]),
        ("m", {"tier": "priority"}, [("acme/priority", "tier"), ("acme", "fallback")]),
        ("m", {"tier": "flex"}, [("acme/flex", "tier")]),
        ("m:nitro", {}, [("acme", "throughput"), ("acme/priority", "throughput")]),
        ("m:floor", {}, [("acme/flex", "price"), ("acme", "price")]),
        ("m:batch", {}, [("acme/batch", "drawn")]),
        ("m:nitro", {"preferences": Preferences(order=("acme",))}, [("acme", "order")]),
        ("m:floor", {"preferences": Preferences(order=("acme/flex",))}, [("acme/flex", "order"), ("acme", "price")]),
        ("m", {"preferences": Preferences(only=("acme/priority",))}, [("acme/priority", "drawn")]),
        ("m", {"tier": "priority", "preferences": Preferences(only=("acme",))}, [("acme", "drawn")]),
        ("plain", {"tier": "flex"}, [("acme", "drawn")]),
        ("plain", {"tier": "priority"}, [("acme", "drawn")]),
    ],
)
def test_a_service_tier_serves_only_requests_that_mean_it(text: str, more: dict[str, Any], expected: Any) -> None:
    found = planned(catalog(TIERED, PLAIN), text, **more)
    assert places(found) == expected
    assert set(left_out(found).values()) <= {"tier", "only", "variant"}


ALL, FEW = frozenset({"tools", "response_format", "verbosity"}), frozenset({"temperature"})


@pytest.mark.parametrize(
    ("parameters", "needs", "kept"),
    [
        ((ALL, FEW), ("tools",), [0]),
        ((FEW, None), ("tools",), [1]),
        ((FEW, FEW), ("tools",), [0, 1]),
        ((frozenset({"tools"}), ALL), ("tools", "response_format"), [1]),
        ((frozenset({"tools"}), frozenset({"response_format"})), ("tools", "response_format"), [0]),
        ((ALL, FEW), ("verbosity",), [0]),
        ((ALL, FEW), (), [0, 1]),
    ],
)
def test_what_some_endpoints_take_is_a_reason_to_use_only_these(
    parameters: Any, needs: tuple[str, ...], kept: list[int]
) -> None:
    listed = [endpoint(f"p{at}", parameters=fields) for at, fields in enumerate(parameters)]
    found = planned(catalog(model("m", *listed)), "m", needs=needs)
    assert tags(found) == [f"p{at}" for at in kept]
    assert set(left_out(found).values()) <= {"tools" if need == "tools" else "require_parameters" for need in needs}


def test_a_model_that_stands_in_must_take_the_tools_while_another_is_left() -> None:
    first = model("first", endpoint("acme", "first", parameters=FEW))
    lacks = model("lacks", endpoint("bolt", "lacks", parameters=FEW))
    takes = model("takes", endpoint("cora", "takes", parameters=ALL))
    world = catalog(first, lacks, takes)
    found = planned(world, "first", "lacks", "takes", needs=("tools",))
    assert [one.model for one in found.endpoints] == ["first", "takes"], "the first one may do without"
    assert left_out(found) == {"bolt": "tools"}
    alone = planned(world, "first", "lacks", needs=("tools",), preferences=Preferences(ignore=("acme",)))
    assert [one.model for one in alone.endpoints] == ["lacks"], "better than none"
    assert len(planned(world, "first", "lacks", "takes", needs=("verbosity",)).endpoints) == 3


@pytest.mark.parametrize(
    ("limits", "asked", "kept", "cut"),
    [
        ((100, 200, None), 150, ["p1", "p2"], None),
        ((100, 200, 200), 300, ["p1", "p2"], 200),
        ((100, 200, 300), 300, ["p2"], None),
        ((100, 200), 50, ["p0", "p1"], None),
        ((100, 200), None, ["p0", "p1"], None),
    ],
)
def test_an_answer_that_is_too_long_for_some_goes_to_others_and_else_is_cut(
    limits: tuple[int | None, ...], asked: int | None, kept: list[str], cut: int | None
) -> None:
    listed = [endpoint(f"p{at}", max_output_tokens=most) for at, most in enumerate(limits)]
    found = planned(catalog(model("m", *listed)), "m", max_output=asked)
    assert tags(found) == kept
    assert {one.max_output for one in found.candidates} == {cut}
    assert set(left_out(found).values()) <= {"output_limit"}


def test_a_prompt_goes_where_there_is_room_and_is_counted_only_when_its_bytes_do_not_settle_it() -> None:
    listed = [endpoint(f"p{most}", context_length=most) for most in (10, 100)]
    listed += [endpoint("prompt", context_length=100, max_prompt_tokens=20), endpoint("any")]
    world = catalog(model("m", *listed), model("small", endpoint("tiny", "small", context_length=5)))
    counted: list[int] = []

    def count(tokens: int) -> int:
        counted.append(tokens)
        return tokens

    everywhere = planned(world, "m", most_input=10, input_tokens=lambda: count(1))
    assert (tags(everywhere), counted) == (["p10", "p100", "prompt", "any"], [])
    some = planned(world, "m", "small", most_input=99, input_tokens=lambda: count(30))
    assert (tags(some), counted) == (["p100", "any"], [30])
    assert left_out(some) == dict.fromkeys(("p10", "prompt", "tiny"), "context_length")


def test_a_prompt_that_fits_nowhere_goes_to_those_with_the_most_room() -> None:
    world = catalog(
        model("m", endpoint("small", context_length=10), endpoint("large", context_length=20)),
        model("n", endpoint("other", "n", context_length=20)),
    )
    found = planned(world, "m", "n", most_input=99, input_tokens=lambda: 50)
    assert (tags(found), left_out(found)) == (["large", "other"], {"small": "context_length"})


def test_a_model_that_stands_in_must_take_the_media_that_the_file_says_it_does_not() -> None:
    def of(name: str, *media: str) -> Model:
        said: dict[str, Any] = {"input_modalities": ("text", *media), "modalities_said": True}
        return structs.replace(model(name, endpoint(name, name)), **said)

    unsaid = model("unsaid", endpoint("unsaid", "unsaid"))
    world = catalog(of("first"), of("blind"), of("sees", "image"), unsaid)
    images = frozenset({"image"})
    found = planned(world, "first", "blind", "sees", "unsaid", media=images)
    assert tags(found) == ["first", "sees", "unsaid"]
    assert left_out(found) == {"blind": "modality"}
    alone = planned(world, "first", "blind", media=images, preferences=Preferences(ignore=("first",)))
    assert tags(alone) == ["blind"], "better than none"
    assert tags(planned(world, "first", "blind", "sees")) == ["first", "blind", "sees"]
    assert tags(planned(world, "first", "blind", "sees", media=images | {"audio"})) == ["first"]
