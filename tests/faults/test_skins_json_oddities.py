"""JSON that parsers disagree about, or that is too much, in every skin and from every dialect: one rule for all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from api.skins_support import SKINS, error_of
from faults.faults_support import PROMPT
from faults.skins_faults_support import (
    PATHS,
    TEXT,
    SkinsFront,
    heard,
    pairs,
    refused,
    skins_front,
    skins_gateway,
    spoken,
    written,
)
from simulator import messages, responses
from simulator.answers import USAGE, chunk, completion
from simulator.script import body, sse

if TYPE_CHECKING:
    from setpoint.records import Dialect
    from support.http import Answer

gateway = skins_gateway
front = skins_front

DEEP = 100_000
WIDE = 100_001


def request(skin: Dialect, dialect: Dialect, *members: str, said: str = f'"{PROMPT}"', stream: bool = False) -> bytes:
    """A request of this skin for the model of this dialect, with these members, as they are written here.

    `said` is the content of its one message.
    """
    field = "input" if skin == "responses" else "messages"
    turn = f'"{field}":[{{"role":"user","content":{said}}}]'
    model = [f'"model":"at/{dialect}"', f'"stream":{json.dumps(stream)}']
    return ("{" + ",".join([*model, turn, *members]) + "}").encode("utf-8", "surrogatepass")


def part(skin: Dialect, text: str) -> str:
    """A content of one text part; the text is raw JSON."""
    return f'[{{"type":"{"input_text" if skin == "responses" else "text"}","text":{text}}}]'


# --- requests ------------------------------------------------------------------------------------------------

HALF = r'"a \ud800 b"'


@pairs
def test_half_a_pair_in_a_text_goes_upstream_as_it_came(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    for said in (HALF, part(skin, HALF)):
        front.simulator.forget_requests()
        answer = front.post(skin, "", body=request(skin, dialect, said=said))
        assert answer.status == 200, answer.body
        sent = front.upstream()
        assert sent.body.count(rb"a \ud800 b") == 1
        assert sent.json()


KEPT = [
    '"x_number":1.50',
    '"x_large":12345678901234567890123',
    f'"x_huge":1{"0" * 400}',
    '"x_infinite":1e400',
    '"x_half":"\\ud800"',
    '"x_\\ud800":1',
    '"x_nested":{"b":1,"a":[{"c":2.0,"c":3}]}',
]


@pairs
def test_what_nobody_knows_keeps_its_bytes_or_is_named(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    answer = front.post(skin, "", body=request(skin, dialect, *KEPT))
    assert answer.status == 200, answer.body
    sent = front.upstream().body
    record = front.record(answer)
    assert record["status"] == "completed"
    if skin == dialect:
        assert [member for member in KEPT if member.encode() not in sent] == []
        assert record["unsaid"] == []
    else:
        assert b'"x_' not in sent
        assert len(record["unsaid"]) == len(KEPT)


def call_of(skin: Dialect, arguments: str) -> list[dict[str, Any]]:
    """A history in which a tool was called with these arguments, and answered."""
    match skin:
        case "chat":
            call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": arguments}}
            said = {"role": "assistant", "content": None, "tool_calls": [call]}
            return [said, {"role": "tool", "tool_call_id": "call_1", "content": "rain"}]
        case "messages":
            use = {"type": "tool_use", "id": "call_1", "name": "look", "input": {"HERE": 0}}
            result = {"type": "tool_result", "tool_use_id": "call_1", "content": "rain"}
            return [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
        case "responses":
            return [
                {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": arguments},
                {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
            ]


def with_call(skin: Dialect, dialect: Dialect, arguments: str) -> bytes:
    """A request that goes on behind such a call; the arguments keep their bytes."""
    field = "input" if skin == "responses" else "messages"
    turns = [{"role": "user", "content": PROMPT}, *call_of(skin, arguments)]
    written = json.dumps({"model": f"at/{dialect}", field: turns}, ensure_ascii=False)
    return written.replace('{"HERE": 0}', arguments).encode("utf-8", "surrogatepass")


def arguments_in(dialect: Dialect, sent: bytes) -> str:
    """The arguments that an upstream got, as the text that they are."""
    content = json.loads(sent)
    match dialect:
        case "chat":
            (call,) = [call for message in content["messages"] for call in message.get("tool_calls", ())]
            return call["function"]["arguments"]
        case "messages":
            start = sent.index(b'"input":') + len(b'"input":')
            decoded = sent[start:].decode("utf-8", "surrogatepass").lstrip()
            return decoded[: json.JSONDecoder().raw_decode(decoded)[1]]
        case "responses":
            (call,) = [item for item in content["input"] if item.get("type") == "function_call"]
            return call["arguments"]


ODD_ARGUMENTS = [
    '{"n":12345678901234567890123,"x":1.50,"huge":1e400}',
    '{"same":1,"same":2}',
    r'{"half":"\ud800","whole":"\ud83c\udf89","escaped":"\u0041\/"}',
    '{ "spaced" : [ 1 , 2 ] }',
]


@pairs
def test_arguments_in_a_history_keep_their_bytes(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    for arguments in ODD_ARGUMENTS:
        front.simulator.forget_requests()
        answer = front.post(skin, "", body=with_call(skin, dialect, arguments))
        assert answer.status == 200, answer.body
        assert arguments_in(dialect, front.upstream().body) == arguments


REFUSED = [
    '"x":NaN',
    '"x":[{"y":Infinity}]',
    '"x":-Infinity',
    '"x":01',
    '"x":"\\x"',
    '"x":"\t"',
    '"x":1,',
    '"temperature":1e400',
]


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("member", REFUSED)
def test_what_is_no_json_is_refused_in_the_skins_words(front: SkinsFront, skin: Dialect, member: str) -> None:
    bodies = [request(skin, dialect, member) for dialect in SKINS]
    bodies += [request(skin, "chat", said=f"[{{{member}}}]")] if '"x"' in member else []
    path = "temperature" if '"temperature"' in member else ""
    for content in bodies:
        assert refused(skin, front.post(skin, "", body=content, refusable=True), path)[0] == "invalid_request"
    assert front.simulator.requests() == []


@pairs
def test_of_equal_members_the_last_counts_at_both_ends(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    other: Dialect = "chat" if dialect == "messages" else "messages"
    members = (f'"temperature":0.1,"temperature":0.2,"model":"at/{other}"', f'"model":"at/{dialect}"')
    said = part(skin, '"no","text":"yes"')
    answer = front.post(skin, "", body=request(skin, other, *members, said=said))
    assert answer.status == 200, answer.body
    assert front.reached() == [dialect]
    sent = front.upstream()
    assert sent.json()["temperature"] == 0.2
    assert (sent.body.count(b'"temperature"'), sent.body.count(b'"model"')) == (1, 1)
    assert b'"no"' not in sent.body or skin == dialect, "one of two texts is chosen by us alone"
    assert b"yes" in sent.body


# --- answers -------------------------------------------------------------------------------------------------


def text_of(skin: Dialect, answer: Answer) -> str:
    """The text of an answer that is not streamed, with halves of pairs in it."""
    assert answer.status == 200, answer.body
    content = answer.json()
    match skin:
        case "chat":
            return content["choices"][0]["message"]["content"]
        case "messages":
            return "".join(block["text"] for block in content["content"])
        case "responses":
            return "".join(part["text"] for item in content["output"] for part in item["content"])


def whole(dialect: Dialect, text: str, *members: str) -> bytes:
    """A whole answer with this raw text, and these members beside it and at the top."""
    more = "".join(f",{member}" for member in members)
    match dialect:
        case "chat":
            content: dict[str, Any] = completion("HERE", USAGE)
        case "messages":
            content = messages.message(messages.text("HERE"))
        case "responses":
            content = responses.response(responses.message("HERE"))
    said = json.dumps(content).replace('"HERE"', text + more)
    return (said.removesuffix("}") + more + "}").encode("utf-8", "surrogatepass")


@pairs
def test_half_a_pair_in_an_answer_reaches_the_client(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    front.simulator.script(body(whole(dialect, HALF, '"x":"\\udfff"')))
    assert text_of(skin, front.post(skin, f"at/{dialect}")) == "a \ud800 b"
    frames = [frame.replace(b'" upon"', HALF.encode()) for frame in spoken(dialect).whole]
    frames = [frame.replace(b"Once upon", b"Oncea \\ud800 b") for frame in frames]
    front.simulator.script(sse(frames))
    answer = front.post(skin, f"at/{dialect}", stream=True)
    assert heard(skin, answer).text == "Oncea \ud800 b a time"


NO_JSON = ['"x":NaN', '"x":1.', '"x":"\\x"', '"x":tru', '"x":[1,]', '"x":"\udcff"']


@pairs
def test_an_answer_that_is_no_json_somewhere_is_malformed(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    """Members are put in as bytes: the last of them is a byte that no UTF-8 has there."""
    for member in NO_JSON:
        front.forget()
        wrong = member.encode("utf-8", "surrogateescape")
        front.simulator.script(body(whole(dialect, '"Hi"', '"x":0').replace(b'"x":0', wrong)))
        answer = front.post(skin, f"at/{dialect}")
        assert (answer.status, error_of(skin, answer)[0]) == (502, "provider_unavailable"), member
        event = spoken(dialect).words[2].replace(b'{"content"' if dialect == "chat" else b'{"type"', b"{" + wrong, 1)
        front.simulator.script(sse([*spoken(dialect).begun, event, *spoken(dialect).closing]))
        told = heard(skin, front.post(skin, f"at/{dialect}", stream=True))
        assert told.error is not None, member
        assert (told.text, told.error.type) == ("Once upon", "provider_unavailable")


@pairs
def test_of_equal_members_of_an_answer_the_last_counts(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    word = {"chat": b"content", "messages": b"text", "responses": b"delta"}[dialect]
    twice = b'"%b":" no","%b":" upon"' % (word, word)
    frames = [frame.replace(b'"%b":" upon"' % word, twice) for frame in spoken(dialect).whole]
    front.simulator.script(sse(frames))
    assert heard(skin, front.post(skin, f"at/{dialect}", stream=True)).text == TEXT


NO_COUNTS = ["-1", "1.5", '"12"', "null", "1" + "0" * 30, "1e400", "true", "[]", "{}"]


@pairs
def test_a_count_that_is_none_spoils_neither_answer_nor_record(
    front: SkinsFront, skin: Dialect, dialect: Dialect
) -> None:
    name = "completion_tokens" if dialect == "chat" else "output_tokens"
    right = f'"{name}":{USAGE[1]}'.encode()
    for count in NO_COUNTS:
        frames = [frame.replace(right, f'"{name}":{count}'.encode()) for frame in spoken(dialect).whole]
        front.simulator.script(sse(frames))
        answer = front.post(skin, f"at/{dialect}", stream=True)
        told = heard(skin, answer)
        assert told.text == TEXT
        assert told.usage is not None, count
        record = front.record(answer)
        assert record["status"] == "completed"
        assert record["tokens_completion"] == told.usage[1] >= 0


RECORDED = ["id", "service_tier", "finish_reason", "stop_reason", "model"]


@pairs
def test_half_a_pair_in_what_is_recorded_spoils_nothing(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    for name in RECORDED:
        front.simulator.script(sse([_with_half(frame, name) for frame in spoken(dialect).whole]))
        answer = front.post(skin, f"at/{dialect}", stream=True)
        assert heard(skin, answer).text == TEXT
        assert front.record(answer)["status"] == "completed", name


def _with_half(frame: bytes, name: str) -> bytes:
    """The frame with half a pair in every string of this name."""
    head, data = frame.rsplit(b"data: ", 1)
    if data.startswith(b"[DONE]"):
        return frame
    return head + b"data: " + json.dumps(_spoilt(json.loads(data), name)).encode() + b"\n\n"


def _spoilt(content: Any, place: str) -> Any:
    if isinstance(content, dict):
        members = cast("dict[str, Any]", content)
        spoilt = {name: _spoilt(it, place) for name, it in members.items()}
        return spoilt | ({place: "x\ud800"} if isinstance(members.get(place), str) else {})
    return [_spoilt(it, place) for it in cast("list[Any]", content)] if isinstance(content, list) else content


@pairs
def test_half_a_pair_in_an_error_is_an_error_like_any_other(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    events: dict[Dialect, dict[str, Any]] = {
        "chat": {"error": {"message": "bad \ud800 thing", "code": 400}},
        "messages": messages.error("invalid_request_error", "bad \ud800 thing"),
        "responses": responses.error("invalid_prompt", "bad \ud800 thing"),
    }
    frame = json.dumps(events[dialect]).encode()
    front.simulator.script(sse([*spoken(dialect).begun, b"data: " + frame + b"\n\n"]))
    told = heard(skin, front.post(skin, f"at/{dialect}", stream=True))
    assert told.error is not None
    assert told.error.type == "invalid_request"
    assert told.error.message.startswith(f"{dialect.title()}: bad ")
    whole_body = events[dialect] if dialect != "responses" else {"error": events[dialect]}
    front.simulator.script(body(json.dumps(whole_body), code=400))
    answer = front.post(skin, f"at/{dialect}")
    assert error_of(skin, answer)[1].startswith(f"{dialect.title()}: bad ")


# --- too much ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_request_that_is_nested_too_deeply_is_refused(front: SkinsFront, skin: Dialect, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    deep = opening * DEEP + "1" + closing * DEEP
    bodies = [
        request(skin, "chat", f'"x":{deep}'),
        request(skin, "chat", said=deep),
        request(skin, "chat", f'"tools":[{deep}]'),
        request(skin, "chat", f'"x":{opening * DEEP}'),
        deep.encode(),
    ]
    for content in bodies:
        message = refused(skin, front.post(skin, "", body=content, refusable=True))[1]
        assert "256" in message
    assert front.simulator.requests() == []


@pairs
def test_depth_inside_a_text_is_no_depth(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    """The arguments of a call are a text: however deep it is, it is passed on, or there is nothing in it."""
    if skin == "messages":  # there they are no text
        return
    for arguments in ("[" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "[" * DEEP + "]" * DEEP):
        front.simulator.forget_requests()
        answer = front.post(skin, "", body=with_call(skin, dialect, arguments))
        assert answer.status == 200, answer.body[:500]
        told = arguments_in(dialect, front.upstream().body)
        assert told == ("{}" if dialect == "messages" else arguments)


@pairs
def test_an_answer_that_is_nested_too_deeply_is_malformed(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    for deep in ("[" * DEEP + "]" * DEEP, '{"a":' * DEEP):
        front.forget()
        front.simulator.script(body(whole(dialect, '"Hi"', f'"x":{deep}')))
        answer = front.post(skin, f"at/{dialect}")
        assert (answer.status, error_of(skin, answer)[0]) == (502, "provider_unavailable")
        event = b'data: {"type":"ping","x":' + deep.encode() + b"}\n\n"
        front.simulator.script(sse([*spoken(dialect).begun, event, *spoken(dialect).closing]))
        told = heard(skin, front.post(skin, f"at/{dialect}", stream=True))
        assert told.error is not None
        assert told.text == "Once upon"


@pairs
def test_depth_inside_a_text_of_an_answer_is_no_depth(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    deep = "[" * DEEP
    calls: dict[Dialect, Any] = {
        "chat": completion(
            None, USAGE, tool_calls=[{"id": "c", "type": "function", "function": {"name": "look", "arguments": deep}}]
        ),
        "messages": messages.message(messages.text(deep)),
        "responses": responses.response(responses.function_call("look", deep)),
    }
    front.simulator.script(body(calls[dialect]))
    answer = front.post(skin, f"at/{dialect}")
    assert answer.status == 200, answer.body[:500]
    assert deep.encode() in answer.body
    if dialect == "chat":
        fragment = {"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": deep}}
        last = spoken("chat").closing
        front.simulator.script(sse([*written([chunk({"tool_calls": [fragment]})]), *last]))
        assert heard(skin, front.post(skin, "at/chat", stream=True)).calls == [("look", deep)]


MANY = 10_000


def tool_of(skin: Dialect, name: str) -> str:
    """A function, in the skin's form."""
    match skin:
        case "chat":
            return f'{{"type":"function","function":{{"name":"{name}","parameters":{{}}}}}}'
        case "messages":
            return f'{{"name":"{name}","input_schema":{{}}}}'
        case "responses":
            return f'{{"type":"function","name":"{name}","parameters":{{}}}}'


@pairs
def test_ten_thousand_tools_are_told_of(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    tools = ",".join(tool_of(skin, f"tool_{number}") for number in range(MANY))
    answer = front.post(skin, "", body=request(skin, dialect, f'"tools":[{tools}]'))
    assert answer.status == 200, answer.body
    told = front.upstream().json()["tools"]
    assert [(tool.get("function") or tool)["name"] for tool in told] == [f"tool_{number}" for number in range(MANY)]


@pytest.mark.parametrize("skin", SKINS)
def test_more_members_than_anybody_needs_are_refused(front: SkinsFront, skin: Dialect) -> None:
    numbers = ",".join(["1"] * WIDE)
    members = ",".join(f'"m{number}":1' for number in range(WIDE))
    field = "input" if skin == "responses" else "messages"
    turns = ",".join(['{"role":"user","content":"a"}'] * WIDE)
    bodies = [
        request(skin, "chat", f'"x":[{numbers}]'),
        request(skin, "chat", f'"x":{{{members}}}'),
        request(skin, "chat", members),
        request(skin, "chat", f'"tools":[{",".join([tool_of(skin, "f")] * WIDE)}]'),
        f'{{"model":"at/chat","{field}":[{turns}]}}'.encode(),
    ]
    for content in bodies:
        message = refused(skin, front.post(skin, "", body=content, refusable=True))[1]
        assert "100000" in message
    assert front.simulator.requests() == []


@pairs
def test_an_answer_with_more_members_than_anybody_needs_is_malformed(
    front: SkinsFront, skin: Dialect, dialect: Dialect
) -> None:
    wide = f'"x":[{",".join(["1"] * WIDE)}]'
    front.simulator.script(body(whole(dialect, '"Hi"', wide)), prefix=PATHS[dialect])
    answer = front.post(skin, f"at/{dialect}")
    assert (answer.status, error_of(skin, answer)[0]) == (502, "provider_unavailable")
    event = f'data: {{"type":"ping",{wide}}}\n\n'.encode()
    front.simulator.script(sse([*spoken(dialect).begun, event, *spoken(dialect).closing]), prefix=PATHS[dialect])
    told = heard(skin, front.post(skin, f"at/{dialect}", stream=True))
    assert told.error is not None
    assert told.text == "Once upon"
