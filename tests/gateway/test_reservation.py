"""What is set aside for a try: a bound that holds for whatever a provider may count of what it is told."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from setpoint.gateway.reservation import Bound, bound, price_of
from setpoint.records import LongPrice, Price
from setpoint.wire.body import split
from support.records import endpoint

if TYPE_CHECKING:
    from setpoint.records import Dialect, Endpoint

HALF_A_MEGABYTE = base64.b64encode(b"x" * 393_216).decode()
DOLLAR = Decimal("0.000001")
"""A dollar for a million."""


def bounded(content: dict[str, Any] | bytes, at: Endpoint | None = None, dialect: Dialect = "chat") -> Bound:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return bound(split(data), data, endpoint() if at is None else at, dialect)


def priced(content: dict[str, Any], dialect: Dialect = "chat", at: dict[str, Any] | None = None, **price: Any) -> Any:
    """What a request may cost where input and output are a dollar for a million tokens, but for what is said."""
    rates: dict[str, Any] = {"prompt": DOLLAR, "completion": DOLLAR}
    where = endpoint(price=Price(**(rates | price)), **(at or {}))
    data = json.dumps(content).encode()
    return price_of(bound(split(data), data, where, dialect), where, data)


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], **more}


# --- the input -----------------------------------------------------------------------------------------------


def test_a_byte_of_text_is_a_token_and_a_message_sixteen_more() -> None:
    content = {"messages": [{"role": "user", "content": "Grüße"}, {"role": "user", "content": "!"}]}
    assert bounded(content).input_tokens == len(json.dumps(content)) + 2 * 16


def test_every_item_of_a_responses_input_is_a_message() -> None:
    content = {"input": [{"role": "user", "content": "a"}] * 3}
    assert bounded(content, dialect="responses").input_tokens == len(json.dumps(content)) + 3 * 16


@pytest.mark.parametrize(
    ("dialect", "part"),
    [
        ("chat", {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{HALF_A_MEGABYTE}"}}),
        (
            "messages",
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": HALF_A_MEGABYTE}},
        ),
        ("responses", {"type": "input_image", "image_url": f"data:image/png;base64,{HALF_A_MEGABYTE}"}),
    ],
)
def test_an_image_counts_by_itself_and_not_by_its_bytes(dialect: Dialect, part: dict[str, Any]) -> None:
    content = user([part]) if dialect != "responses" else {"input": [{"role": "user", "content": [part]}]}
    assert 1_600 < bounded(content, dialect=dialect).input_tokens < 2_500


def test_an_image_that_is_only_named_counts_the_same() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert 1_600 < bounded(user([part])).input_tokens < 2_000


def test_a_document_counts_by_the_pages_that_it_may_have_and_sound_by_its_seconds() -> None:
    pages = -(-len(HALF_A_MEGABYTE) // 2_000)
    document = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{HALF_A_MEGABYTE}"}}
    assert bounded(user([document])).input_tokens > 3_000 * pages
    seconds = -(-len(HALF_A_MEGABYTE) // 4_000)
    sound = {"type": "input_audio", "input_audio": {"data": HALF_A_MEGABYTE, "format": "wav"}}
    assert 100 * seconds < bounded(user([sound])).input_tokens < 100 * seconds + 3_000


def test_a_medium_counts_by_itself_also_where_slashes_are_escaped_and_inside_of_a_tools_result() -> None:
    url = f"data:image/png;base64,{'iVBO//8' * 9_000}"
    part = {"type": "image_url", "image_url": {"url": url}}
    escaped = json.dumps(user([part])).replace("/", "\\/").encode()
    assert 1_600 < bounded(escaped).input_tokens < 2_000
    source = {"type": "base64", "media_type": "image/png", "data": "iVBO//8" * 9_000}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": source}]}
    assert 1_600 < bounded(user([result]), dialect="messages").input_tokens < 2_000
    output = [{"type": "input_image", "image_url": url}]
    item = {"type": "function_call_output", "call_id": "c", "output": output}
    assert 1_600 < bounded({"input": [item]}, dialect="responses").input_tokens < 2_000


def test_what_only_has_the_name_of_a_medium_counts_by_its_bytes_whatever_picture_is_beside_it() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"data": "A" * 90_000}}}
    assert bounded(user([picture], tools=[tool])).input_tokens > 90_000
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"data": "A" * 90_000}}
    shown = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    assert bounded(user([call, shown]), dialect="messages").input_tokens > 90_000


def test_text_that_talks_of_media_is_text() -> None:
    said = '{"type": "image_url", "image_url": {"url": "data:image/png;base64,' + "A" * 9_000 + '"}}'
    assert bounded(user(said)).input_tokens > 9_000


def test_no_more_is_counted_than_there_is_room_for() -> None:
    at = endpoint(context_length=1_000)
    assert bounded(user("x" * 5_000), at).input_tokens == at.room


def test_what_the_input_will_rather_come_to_is_a_quarter_of_its_bytes() -> None:
    content = user("x" * 5_000)
    assert bounded(content).likely_input == -(-len(json.dumps(content)) // 4)
    assert bounded(content, endpoint(context_length=1_000)).likely_input == 1_000
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{HALF_A_MEGABYTE}"}}
    assert 3_200 < bounded(user([picture, picture])).likely_input < 3_400


# --- the output ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "said", "output"),
    [
        ("chat", {"max_tokens": 70}, 70),
        ("chat", {"max_completion_tokens": 70}, 70),
        ("chat", {"max_tokens": 7, "max_completion_tokens": 70}, 70),  # who knows which of the two is heeded
        ("chat", {"max_tokens": 70, "max_completion_tokens": None}, 70),
        ("messages", {"max_tokens": 70}, 70),
        ("responses", {"max_output_tokens": 70}, 70),
        ("chat", {}, None),
        ("chat", {"max_tokens": -5}, 0),
        ("chat", {"max_tokens": 2**63}, 2**63),
        ("chat", {"max_tokens": 70, "n": 3}, 210),
        ("chat", {"max_tokens": 70, "n": 1_000_000}, 70_000_000),
        ("chat", {"max_tokens": 70, "n": "3"}, 210),
        ("chat", {"max_tokens": 70, "n": 2.5}, 210),
        ("chat", {"max_tokens": 70, "n": None}, 70),
        ("chat", {"max_tokens": 70, "n": -4}, 70),
        ("chat", {"max_tokens": 70, "n": "many"}, 70),
        ("chat", {"max_tokens": 70, "n": [9]}, 70),
    ],
)
def test_the_output_is_what_the_request_allows_times_its_answers(
    dialect: Dialect, said: dict[str, Any], output: int | None
) -> None:
    assert bounded(said, dialect=dialect).output_tokens == output


@pytest.mark.parametrize("number", [b"1e999", b"9" * 5_000, b'"1e999"'])
def test_a_number_of_any_size_is_more_than_anybody_can_pay_for(number: bytes) -> None:
    most = bounded(b'{"max_tokens":1,"n":' + number + b"}").output_tokens
    assert most is not None
    assert most >= 10**18


def test_the_endpoint_bounds_what_the_request_does_not_and_what_it_asks_beyond_that() -> None:
    at = endpoint(max_output_tokens=50)
    assert bounded({}, at).output_tokens == 50
    assert bounded({"max_tokens": 70}, at).output_tokens == 50
    assert bounded({"max_tokens": 30, "n": 2}, at).output_tokens == 60


# --- the price -----------------------------------------------------------------------------------------------


def test_what_is_set_aside_is_all_tokens_at_the_price() -> None:
    content = user("Hi", max_tokens=1_000)
    tokens = len(json.dumps(content)) + 16
    assert priced(content) == (tokens + 1_000) * DOLLAR
    assert priced(content, request=Decimal("0.5")) == (tokens + 1_000) * DOLLAR + Decimal("0.5")


def test_where_several_prices_may_apply_it_is_the_highest() -> None:
    content = user("Hi", max_tokens=1_000)
    tokens = len(json.dumps(content)) + 16
    assert priced(content, internal_reasoning=3 * DOLLAR) == (tokens + 3_000) * DOLLAR
    assert priced(content, input_cache_write=2 * DOLLAR) == (2 * tokens + 1_000) * DOLLAR
    assert priced(content, input_cache_write_1h=9 * DOLLAR) == priced(content), "which nobody asked for"
    marked = user([{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}], max_tokens=1)
    assert priced(marked, "messages", input_cache_write_1h=9 * DOLLAR) > 8 * priced(marked, "messages")
    heard = user([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}], max_tokens=1)
    assert priced(heard, audio=40 * DOLLAR) > 39 * priced(heard)


def test_each_image_that_has_a_price_counts_beside_its_tokens() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://a.test/a.png"}}
    content = user([picture, {"type": "text", "text": 'a "type":"image_url"'}, picture], max_tokens=1)
    assert priced(content, image=Decimal(3)) - priced(content) == 6


def test_a_dearer_tier_or_a_dearer_long_prompt_counts() -> None:
    content = user("x" * 3_000, max_tokens=1)
    dear = Price(prompt=5 * DOLLAR, completion=5 * DOLLAR)
    assert priced(content, at={"tier_prices": {"priority": dear}}) == 5 * priced(content)
    long = (LongPrice(above_tokens=1_000, price=dear),)
    assert priced(content, long=long) == 5 * priced(content)
    assert priced(user("Hi", max_tokens=1), long=long) == priced(user("Hi", max_tokens=1))


def test_a_tier_or_a_length_whose_price_is_not_known_changes_nothing_of_what_is() -> None:
    content = user("x" * 3_000, max_tokens=1)
    half = Price(prompt=5 * DOLLAR)
    assert priced(content, at={"tier_prices": {"priority": half}}) == priced(content)
    assert priced(content, long=(LongPrice(above_tokens=1_000, price=half),)) == priced(content)


def test_sound_that_is_asked_for_counts_at_its_own_price() -> None:
    content = user("Hi", max_tokens=1_000)
    spoken = {**content, "modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    assert priced(content, audio_output=9 * DOLLAR) == priced(content)
    assert priced(spoken, audio_output=9 * DOLLAR) - priced(spoken) == 8_000 * DOLLAR


def test_without_a_price_or_a_bound_it_is_not_known() -> None:
    content = user("Hi", max_tokens=1)
    assert priced(content, completion=None) is None
    assert priced(content, prompt=None) is None
    assert priced(user("Hi")) is None
    assert price_of(Bound(1, 1), endpoint(), b"") is None
