"""JSON that parsers disagree about: one rule at our door, and upstreams get the bytes that came or nothing at all."""

from __future__ import annotations

import json

import pytest

from faults.faults_support import PROMPT, Front, error_of, front_of_gateway, plain_gateway
from simulator.script import body, status

MESSAGES = f'"messages":[{{"role":"user","content":"{PROMPT}"}}]'


gateway = plain_gateway
front = front_of_gateway


def request(*members: str) -> bytes:
    """A chat request with these members, as they are written here."""
    return ("{" + ",".join(['"model":"solo/alpha"', MESSAGES, *members]) + "}").encode("utf-8", "surrogatepass")


# --- requests ------------------------------------------------------------------------------------------------

KEPT = [
    '"x_number":1.50',
    '"x_large":12345678901234567890123',
    f'"x_huge":1{"0" * 400}',
    '"x_infinite":1e400',
    '"x_half":"\\ud800"',
    '"x_escaped":"\\u0041\\/"',
    '"x_nested":{"b":1,"a":[{"c":2.0,"c":3}]}',
    '"temperature":0.20',
    '"seed":9007199254740993',
    '"logit_bias":{"50256":-100.0}',
    '"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"maximum":1e2,"maximum":1E3}}}',
]


@pytest.mark.parametrize("member", KEPT)
@pytest.mark.parametrize("streamed", ["false", "true"])
def test_what_is_sent_keeps_its_bytes(front: Front, member: str, streamed: str) -> None:
    assert front.ask(body=request(member, f'"stream":{streamed}')).status == 200
    sent = front.upstream().body
    assert member.encode() in sent
    assert MESSAGES.encode() in sent


def test_messages_keep_their_bytes(front: Front) -> None:
    odd = '"messages":[ {"role":"user" ,"content":"\\ud83d \\u0041 \\/","x":1.50,"x":1e400,"name":"n"} ]'
    assert front.ask(body=('{"model":"solo/alpha",' + odd + "}").encode()).status == 200
    assert odd.encode() in front.upstream().body


def test_of_equal_members_the_last_counts_for_us_and_for_the_upstream(front: Front) -> None:
    twice = '"temperature":0.1,"temperature":0.2,"model":"solo/gamma","model":"solo/beta"'
    answer = front.ask(body=request(twice))
    assert answer.json()["model"] == "solo/beta"
    assert front.reached() == ["beta"]
    sent = front.upstream().body
    assert json.loads(sent)["temperature"] == 0.2
    assert (sent.count(b'"temperature"'), sent.count(b'"model"')) == (1, 1)


def test_of_equal_members_the_last_counts_inside_what_we_read(front: Front) -> None:
    answer = front.ask("pair/model", body=request('"provider":{"only":["alpha"],"only":["gamma"]}'), recorded=False)
    assert answer.status == 404
    answer = front.ask(
        body=request('"models":["pair/model"],"provider":{"order":["alpha"],"order":["beta"]}').replace(
            b"solo/alpha", b"pair/model"
        )
    )
    assert answer.json()["provider"] == "Beta"


REFUSED = [
    '"x":NaN',
    '"x":Infinity',
    '"x":-Infinity',
    '"x":[{"y":NaN}]',
    '"x":01',
    '"x":1.',
    "\"x\":'y'",
    '"x":"\\x"',
    '"x":"\t"',
    '"x":1,',
    '"temperature":1e400',
    '"temperature":-1e400',
    '"temperature":NaN',
    '"max_tokens":1e400',
    '"seed":1.5',
    '"top_k":1e400',
]


@pytest.mark.parametrize("member", REFUSED)
def test_what_is_no_json_or_no_number_is_refused_before_anything_is_sent(front: Front, member: str) -> None:
    answer = front.ask(body=request(member), recorded=False)
    assert answer.status == 400
    assert error_of(answer)["metadata"]["error_type"] == "invalid_request"
    assert front.simulator.requests() == []


@pytest.mark.parametrize("sent", [b"\xff", "Grüße".encode("latin-1"), "\ud800".encode("utf-8", "surrogatepass")])
def test_what_is_no_utf_8_is_refused(front: Front, sent: bytes) -> None:
    content = request('"x":"HERE"').replace(b"HERE", sent)
    assert front.ask(body=content, recorded=False).status == 400
    assert front.simulator.requests() == []


NOWHERE = ["\\ud800", "solo/\\ud800", "alpha/\\udfff", "@preset/\\ud800"]


@pytest.mark.parametrize("model", NOWHERE)
@pytest.mark.parametrize("streamed", ["false", "true"])
def test_half_a_pair_in_a_model_is_a_model_that_does_not_exist(front: Front, model: str, streamed: str) -> None:
    content = f'{{"model":"{model}","stream":{streamed},{MESSAGES}}}'.encode()
    answer = front.ask(body=content, recorded=False)
    assert answer.status in (400, 404)
    assert error_of(answer)["message"]
    assert front.simulator.requests() == []


def test_half_a_pair_in_a_fallback_model_or_a_members_name_is_refused_in_words(front: Front) -> None:
    for member in ('"models":["\\ud800"]', '"metadata":{"\\ud800":1}', '"temperature":"\\ud800"'):
        answer = front.ask(body=request(member), recorded=False)
        assert answer.status == 400
        assert error_of(answer)["message"]


@pytest.mark.parametrize(
    "member",
    [
        '"user":"\\ud800"',
        '"session_id":"\\ud800"',
        '"metadata":{"\\ud800":"\\ud800"}',
        '"provider":{"\\ud800":1}',
        '"\\ud800":1',
        '"plugins":[{"id":"web","search_prompt":"\\ud800"}]',
    ],
)
def test_half_a_pair_in_a_label_spoils_neither_answer_nor_record(front: Front, member: str) -> None:
    answer = front.ask(body=request(member))
    assert answer.status == 200
    assert front.record(answer)["status"] == "completed"


# --- answers -------------------------------------------------------------------------------------------------


def whole(*members: str) -> str:
    """An answer with these members at the top, in its choice, and in its message."""
    more = "".join(f",{member}" for member in members)
    message = f'{{"role":"assistant","content":"Hi"{more}}}'
    choice = f'{{"index":0,"finish_reason":"stop","message":{message}{more}}}'
    return f'{{"id":"x","choices":[{choice}],"usage":{{"prompt_tokens":1,"completion_tokens":1{more}}}{more}}}'


@pytest.mark.parametrize("member", KEPT[:7])
def test_what_an_answer_says_keeps_its_bytes_at_every_level(front: Front, member: str) -> None:
    front.simulator.script(body(whole(member)))
    answer = front.ask()
    assert answer.status == 200
    assert answer.body.count(member.encode()) == 4


@pytest.mark.parametrize("member", ['"x":NaN', '"x":1.', '"x":"\\x"', '"x":tru', '"x":[1,]'])
def test_an_answer_that_is_no_json_somewhere_is_malformed(front: Front, member: str) -> None:
    for place in (body(whole(member)), body(f'{{"choices":[{{"message":{{"content":{{{member}}}}}}}]}}')):
        front.simulator.script(place)
        assert front.ask().status == 502


def test_of_equal_members_of_an_answer_the_last_counts(front: Front) -> None:
    first, second = (f'"choices":[{{"message":{{"content":"{text}"}}}}]' for text in ("no", "yes"))
    front.simulator.script(body(f"{{{first},{second}}}"))
    answer = front.ask()
    assert [choice["message"]["content"] for choice in answer.json()["choices"]] == ["yes"]
    assert answer.body.count(b'"choices"') == 1


@pytest.mark.parametrize(
    "member", ["id", "service_tier", "system_fingerprint", "finish_reason", "native_finish_reason"]
)
def test_half_a_pair_in_what_is_recorded_of_an_answer_spoils_nothing(front: Front, member: str) -> None:
    said = '{"index":0,"finish_reason":"stop","message":{"content":"Hi"}'
    front.simulator.script(body(f'{{"{member}":"\\ud800","choices":[{said},"{member}":"\\ud800"}}]}}'))
    answer = front.ask()
    assert answer.status == 200
    assert front.record(answer)["status"] == "completed"


def test_half_a_pair_in_an_upstreams_error_is_passed_on_in_words(front: Front) -> None:
    for script in (status(400, '{"error":{"message":"bad \\ud800"}}'), body('{"error":{"message":"bad \\ud800"}}')):
        front.simulator.script(script)
        assert error_of(front.ask())["message"].startswith("Alpha: bad ")
