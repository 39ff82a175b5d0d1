"""A key that somebody pastes where none belongs: it is in no record, no log, no error, and goes to no provider."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, data_of, new_key, refused
from support.processes import Gateway, config_file, simulated
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.http import Answer

OURS = "sk-sp-v1-" + "0123456789abcdef" * 4
"""Somebody else's: nobody here has it, so that only its form can tell what it is."""
ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in OURS)


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One that keeps contents and logs all that it can. Its admin key has another form than keys that it makes."""
    folder = tmp_path_factory.mktemp("gateway")
    settings = {"record_content": True, "log_level": "debug"}
    started = Gateway(folder, config=config_file(folder, **simulated(simulator_process), settings=settings))
    yield started
    assert started.stop() == 0, started.log_text()


def ask(gateway: Gateway, fields: dict[str, Any], headers: dict[str, str] | None = None, path: str = "") -> Answer:
    content = json.dumps({"model": "sim/solo", "messages": [USER], **fields}).replace("ESCAPED", ESCAPED).encode()
    return gateway.call("POST", f"{path}/chat/completions", body=content, headers=headers)


FIELDS: dict[str, Any] = {
    "user": {"user": "KEY"},
    "session": {"session_id": "KEY"},
    "metadata": {"metadata": {"a": "KEY"}},
    "an escaped metadata": {"metadata": {"a": "ESCAPED"}},
    "a name in the trace": {"trace": {"a": {"KEY": 1}}},
    "provider.only": {"provider": {"only": ["KEY", "sim"]}},
    "provider.order": {"provider": {"order": ["x" * 60 + "KEY"]}},
    "provider.ignore": {"provider": {"ignore": ["KEY"]}},
    "a member of provider": {"provider": {"KEY": 1}},
    "a member": {"KEY": 1},
    "a tool": {"tools": [{"type": "KEY"}]},
}
HEADERS = ("HTTP-Referer", "X-Title", "User-Agent", "X-Session-Id", "X-Forwarded-For")


@pytest.mark.parametrize("place", [*FIELDS, *HEADERS])
def test_a_key_in_a_request_is_not_in_its_record(gateway: Gateway, simulator: Simulator, place: str) -> None:
    del simulator
    for key in (OURS, gateway.key):
        fields = json.loads(json.dumps(FIELDS.get(place, {})).replace("KEY", key))
        answer = ask(gateway, fields, {place: key} if place in HEADERS else None)
        assert answer.status == 200, answer.body
        id_ = answer.header("x-generation-id")
        for path in ("/generation", "/generation/content"):
            until(lambda path=path, id_=id_: gateway.call("GET", f"{path}?id={id_}").status == 200)
            told = data_of(gateway.call("GET", f"{path}?id={id_}"))
            assert key[:-4] not in json.dumps(told)
            if path == "/generation" and place != "X-Forwarded-For":
                assert "[redacted]" in json.dumps(told) or place in ("a member", "a tool")


def test_a_key_is_in_no_header_that_names_what_was_left_out(gateway: Gateway) -> None:
    asked = {"model": "sim/solo", "max_tokens": 9, "messages": [USER], OURS: 1}
    answer = gateway.call("POST", "/messages", asked)
    assert (answer.status, answer.header("x-setpoint-unsaid")) == (200, "/[redacted]")
    record = data_of(gateway.call("GET", f"/generation?id={answer.header('x-generation-id')}"))
    assert record["unsaid"] == ["/[redacted]"]


@pytest.mark.parametrize("fields", [{"model": "sim/KEY"}, {"models": ["sim/KEY"]}, {"model": "KEY"}])
@pytest.mark.parametrize("path", ["", "/explain"])
def test_a_key_in_the_place_of_a_model_goes_nowhere(
    gateway: Gateway, simulator: Simulator, fields: dict[str, Any], path: str
) -> None:
    for key in (OURS, gateway.key):
        answer = ask(gateway, json.loads(json.dumps(fields).replace("KEY", key)), path=path)
        message = answer.json()["error"]["message"]
        assert (answer.status, message.endswith("[redacted] is not a valid model ID")) == (400, True)
        assert key not in answer.body.decode()
    assert simulator.requests() == []


def test_no_error_repeats_a_key(gateway: Gateway) -> None:
    bounded, _ = new_key(gateway, allowed_presets=["mine"])
    for method, path, content, key, status in (
        ("POST", "/chat/completions", {"model": f"@preset/{OURS}", "messages": [USER]}, None, 404),
        ("GET", f"/presets/{OURS}", None, bounded, 403),
        ("PATCH", "/keys/none", {OURS: 1}, None, 400),
        ("GET", f"/generations?{OURS}=1", None, None, 400),
    ):
        message = refused(gateway.call(method, path, content, key=key), status)
        assert "[redacted]" in message
        assert OURS not in message


def test_what_people_call_things_is_no_key(gateway: Gateway) -> None:
    create = {"model": "sim/solo"}
    assert "slug" in refused(gateway.call("POST", f"/presets/{OURS}/chat/completions", create), 400)
    assert gateway.call("POST", "/presets/p/chat/completions", create).status == 200
    for method, path, members in (
        ("POST", "/keys", {"name": OURS}),
        ("POST", "/byok", {"provider": "sim", "key": "k", "name": f"of {OURS}"}),
        ("POST", "/workspaces", {"slug": "w", "name": OURS}),
        ("PATCH", "/workspaces/default", {"description": f"first\n{OURS}"}),
        ("PATCH", "/presets/p", {"name": OURS}),
        ("PATCH", "/presets/p", {"description": OURS}),
    ):
        message = refused(gateway.call(method, path, members), 400)
        assert message.endswith(": has an API key in it")


@pytest.mark.parametrize("offered", ['"', ":", "i", 'hi"}],"more"', 'bbbbbbb","b":"ccccccc', '",1234567890123456]'])
def test_whatever_else_is_offered_as_a_key_records_stay_readable(gateway: Gateway, offered: str) -> None:
    labels = {"a": "bbbbbbbbbbbb", "b": "cccccccccccc", "c": "\\"}
    content = [{"type": "text", "text": "hi\\"}, {"type": "text", "text": "\\"}]
    fields = {"messages": [{"role": "user", "content": content, "x": ["\\", 1234567890123456]}], "metadata": labels}
    answer = ask(gateway, fields, {"X-Api-Key": offered})
    assert answer.status == 200, answer.body
    id_ = answer.header("x-generation-id")
    assert data_of(gateway.call("GET", f"/generation?id={id_}"))["metadata"] == labels
    until(lambda: gateway.call("GET", f"/generation/content?id={id_}").status == 200)
    assert data_of(gateway.call("GET", f"/generation/content?id={id_}"))["input"]["messages"] == fields["messages"]
    assert data_of(gateway.call("GET", "/generations?limit=1"))[0]["id"] == id_


def test_afterwards_none_is_in_the_log_or_the_data_folder(gateway: Gateway) -> None:
    """Behind all others of this file: what they have pasted is in neither."""
    text = gateway.settled_log_text()
    files = "".join(path.read_bytes().decode("latin-1") for path in gateway.data_dir.rglob("*") if path.is_file())
    assert "sim/solo" in files
    for key in (OURS, gateway.key):
        assert key[:-4] not in text
        assert key[:-4] not in files
