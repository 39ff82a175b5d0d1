"""What `debug.echo_upstream_body` shows: JSON still, without secrets and without payloads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.protocols.debug import redacted, wants_echo
from setpoint.wire.body import split

PAYLOAD = "iVBORw0KGgo" * 10


def shown(text: str) -> str:
    """The body as it is shown, still JSON."""
    out = bytes(redacted(text.encode()))
    json.loads(out)
    return out.decode()


@pytest.mark.parametrize(
    ("debug", "wanted"),
    [
        ('{"echo_upstream_body":true}', True),
        ('{"echo_upstream_body":false}', False),
        ('{"echo_upstream_body":"true"}', False),
        ("{}", False),
        ("true", False),
    ],
)
def test_only_true_asks_for_it(debug: str, wanted: bool) -> None:
    assert wants_echo(split(f'{{"debug":{debug}}}'.encode())) == wanted


def test_a_body_without_debug_does_not_ask() -> None:
    assert not wants_echo({})


@pytest.mark.parametrize(
    ("prefix", "payload"),
    [
        ("data:image/png;base64,", PAYLOAD),
        (r"data:image\/png;base64,", PAYLOAD.replace("K", r"\/")),
        ("data:audio/wav;codec=pcm;base64,", PAYLOAD),
        ("data:;base64,", "AA=="),
        ("data:image/png;base64,", r"AAAA\r\nBBBB\n"),
    ],
)
def test_the_payload_of_a_data_url_is_taken_out(prefix: str, payload: str) -> None:
    body = f'{{"image_url":{{"url":"{prefix}{payload}","detail":"low"}}}}'
    assert shown(body) == f'{{"image_url":{{"url":"{prefix}[redacted]","detail":"low"}}}}'


def test_a_data_url_inside_json_inside_a_string_is_taken_out_and_the_string_stays_whole() -> None:
    arguments = json.dumps({"image": f"data:image/png;base64,{PAYLOAD}", "n": 1})
    body = json.dumps({"arguments": arguments, "content": 'see "data:image/png;base64,AAAA" there'})
    told = json.loads(shown(body))
    assert json.loads(told["arguments"]) == {"image": "data:image/png;base64,[redacted]", "n": 1}
    assert told["content"] == 'see "data:image/png;base64,[redacted]" there'


@pytest.mark.parametrize("name", ["data", "file_data", "b64_json"])
def test_long_base64_under_the_usual_names_is_taken_out(name: str) -> None:
    assert shown(f'{{"{name}": "{PAYLOAD}","format":"wav"}}') == f'{{"{name}": "[redacted]","format":"wav"}}'
    assert shown(f'{{"{name}":"short"}}') == f'{{"{name}":"short"}}'


@pytest.mark.parametrize("key", ["sk-proj-abcdefghijkl", "pk-abcdefghijkl", "gsk-abcdefghijkl", "xai-abcdefghijkl"])
def test_what_is_shaped_like_a_key_is_taken_out(key: str) -> None:
    assert shown(f'{{"content":"use {key}, or\\n{key}"}}') == r'{"content":"use [redacted], or\n[redacted]"}'


@pytest.mark.parametrize(
    "text", ['{"content":"the data: one, two"}', '{"content":"task-oriented-programming"}', '{"data":"plain words"}']
)
def test_plain_text_is_left_alone(text: str) -> None:
    assert shown(text) == text


_PIECES = st.sampled_from(
    ["data:", "image/png", ";base64,", "AAAA", '"', "\\", "/", "\n", " ", "sk-", "abcdefghijklmno"]
)


@given(st.dictionaries(st.sampled_from(["data", "content"]), st.lists(_PIECES).map("".join)), st.booleans())
def test_what_is_shown_is_json_whatever_the_body_says(body: dict[str, str], nested: bool) -> None:
    text = json.dumps({"arguments": json.dumps(body)} if nested else body)
    told = json.loads(shown(text))
    assert (json.loads(told["arguments"]) if nested else told).keys() == body.keys()
