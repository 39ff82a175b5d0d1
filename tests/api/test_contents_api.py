"""Prompts and answers: kept when that is wanted, for admins alone, and nowhere else."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, ask, create, data_of, fresh, new_key, new_workspace, refused
from api.skins_support import ROUTES, SKINS, least
from simulator.script import body, cut, hang, ok, status, stream
from support.http import open_stream
from support.processes import Gateway, config_file, simulated
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.records import Dialect
    from simulator.client import Simulator
    from support.processes import StartGateway


@pytest.fixture(scope="module")
def keeping(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that keeps all prompts and answers."""
    folder = tmp_path_factory.mktemp("keeping")
    settings = {"record_content": True, "workers": 2}
    gateway = Gateway(folder, config=config_file(folder, **simulated(simulator_process), settings=settings))
    yield gateway
    gateway.stop()


def content(gateway: Gateway, id_: str | None, *, key: str | None = None) -> dict[str, Any]:
    """What is kept of this generation: a moment after its answer."""
    found = data_of(gateway.call("GET", f"/generation/content?id={id_}", key=key))
    assert set(found) == {"input", "output", "error"}
    return found


def streamed(gateway: Gateway, skin: Dialect, asked: dict[str, Any]) -> str | None:
    """The id of a stream that is read to its end."""
    with open_stream(gateway.url + ROUTES[skin], {**asked, "stream": True}, key=gateway.key) as answer:
        list(answer.frames())
        return answer.header("x-generation-id")


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("skin", SKINS)
def test_what_was_asked_and_answered_is_kept(
    keeping: Gateway, simulator: Simulator, skin: Dialect, *, streaming: bool
) -> None:
    simulator.script(ok("Grüße \U0001f389"))
    asked = least(skin, "Hi Zoë", model="sim/solo", max_tokens=9)
    if skin == "responses":
        asked.pop("max_tokens")
    if streaming:
        id_ = streamed(keeping, skin, asked)
    else:
        id_ = keeping.call("POST", ROUTES[skin], asked).header("x-generation-id")
    found = content(keeping, id_)
    assert found["input"] == ({"prompt": "Hi Zoë"} if skin == "responses" else {"messages": asked["messages"]})
    assert found["output"] == {"completion": "Grüße \U0001f389", "reasoning": None}
    assert found["error"] is None


def test_the_conversation_is_kept_as_the_preset_made_it(keeping: Gateway, simulator: Simulator) -> None:
    del simulator
    system = {"role": "system", "content": "You triage."}
    create(keeping, slug := fresh(), {"model": "sim/solo", "messages": [system]})
    by_skin = {
        "chat": {"messages": [system, USER]},
        "messages": {"system": "You triage.", "messages": [USER]},
        "responses": {"instructions": "You triage.", "prompt": "hi"},
    }
    for skin in SKINS:
        asked = least(skin, "hi", model=f"@preset/{slug}", **({"max_tokens": 9} if skin == "messages" else {}))
        id_ = keeping.call("POST", ROUTES[skin], asked).header("x-generation-id")
        assert content(keeping, id_)["input"] == by_skin[skin]


def test_reasoning_and_tool_calls_are_kept_apart_from_the_text(keeping: Gateway, simulator: Simulator) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":"x"}'}}
    message = {"role": "assistant", "content": "Let me see.", "reasoning": "Hm.", "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    simulator.script(body({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}))
    whole = content(keeping, ask(keeping, {"model": "sim/solo"}).header("x-generation-id"))["output"]
    delta = {"reasoning": "Hm.", "tool_calls": [{**call, "index": 0}]}
    simulator.script(stream(["Let me ", "see.", delta], finish="tool_calls"))
    in_pieces = content(keeping, streamed(keeping, "chat", {"model": "sim/solo", "messages": [USER]}))["output"]
    expected = {"completion": "Let me see.", "reasoning": "Hm."}
    assert (
        whole == in_pieces == {**expected, "tool_calls": [{"id": "call_1", "name": "look", "arguments": '{"at":"x"}'}]}
    )


def test_of_a_failure_the_error_is_kept_and_of_a_break_what_had_come(keeping: Gateway, simulator: Simulator) -> None:
    simulator.script(status(400))
    failed = content(keeping, ask(keeping, {"model": "sim/solo"}).header("x-generation-id"))
    assert failed["output"] == {"completion": None, "reasoning": None}
    assert (failed["error"]["status"], failed["error"]["provider_name"]) == (400, "sim")
    assert failed["error"]["message"]
    simulator.script(cut(stream(["Hel", "lo"]), after=600))
    broken = content(keeping, streamed(keeping, "chat", {"model": "sim/solo", "messages": [USER]}))
    assert broken["output"]["completion"].startswith("Hel")
    assert broken["error"]["status"] == 502


def test_of_a_cancelled_stream_what_had_come_is_kept(keeping: Gateway, simulator: Simulator) -> None:
    simulator.script(hang(stream(["Hel", "lo"]), after=600))
    asked = {"model": "sim/solo", "messages": [USER], "stream": True}
    with open_stream(f"{keeping.url}/chat/completions", asked, key=keeping.key) as answer:
        next(iter(answer.frames()))
        id_ = answer.header("x-generation-id")
    until(lambda: keeping.call("GET", f"/generation/content?id={id_}").status == 200)
    found = content(keeping, id_)
    assert (found["output"]["completion"][:3], found["error"]) == ("Hel", None)


def test_a_try_that_was_given_up_leaves_nothing_in_the_answer(keeping: Gateway, simulator: Simulator) -> None:
    simulator.script(status(500), prefix="/a")
    simulator.script(ok("the second"), prefix="/b")
    id_ = streamed(keeping, "chat", {"model": "sim/model", "messages": [USER]})
    assert content(keeping, id_)["output"] == {"completion": "the second", "reasoning": None}


def test_media_are_kept_as_their_size_and_keys_not_at_all(keeping: Gateway, simulator: Simulator) -> None:
    del simulator
    image = base64.b64encode(bytes(range(256)) * 30).decode()
    (key, _), (theirs, _) = new_key(keeping), new_key(keeping)
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in key)
    parts = [
        {"type": "text", "text": f"my key is {key}, theirs {theirs}"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
        {"type": "input_audio", "input_audio": {"data": image, "format": "wav"}},
    ]
    asked = {"model": "sim/solo", "messages": [{"role": "user", "content": parts}, {"role": "user", "content": "KEY"}]}
    answer = keeping.call(
        "POST",
        "/chat/completions",
        key=key,
        body=json.dumps(asked).replace("KEY", escaped).encode(),
    )
    found = content(keeping, answer.header("x-generation-id"))
    text, url, audio = found["input"]["messages"][0]["content"]
    assert text["text"] == "my key is [redacted], theirs [redacted]"
    assert url["image_url"]["url"] == "data:image/png;base64,[7680 bytes]"
    assert audio["input_audio"]["data"] == "[7680 bytes]"
    assert found["input"]["messages"][1]["content"] == "[redacted]"


def test_what_is_too_long_is_left_out_and_its_length_is_said(keeping: Gateway, simulator: Simulator) -> None:
    simulator.script(ok("y" * 1_500_000))
    asked = {"model": "sim/solo", "messages": [{"role": "user", "content": "x " * 600_000}]}
    found = content(keeping, ask(keeping, asked).header("x-generation-id"))
    assert found["input"]["left_out_bytes"] > 1_200_000
    assert found["output"]["left_out_bytes"] > 1_500_000


def test_only_admins_see_contents_and_only_of_their_workspace(keeping: Gateway, simulator: Simulator) -> None:
    del simulator
    own, _ = new_key(keeping)
    id_ = ask(keeping, {"model": "sim/solo"}, key=own).header("x-generation-id")
    assert content(keeping, id_)["input"] == {"messages": [USER]}
    for role in ("editor", "caller", "read_only"):
        key, _ = new_key(keeping, role=role)
        refused(keeping.call("GET", f"/generation/content?id={id_}", key=key), 403)
    elsewhere, _ = new_key(keeping, role="admin", workspace_id=new_workspace(keeping))
    refused(keeping.call("GET", f"/generation/content?id={id_}", key=elsewhere), 404)
    assert refused(keeping.call("GET", "/generation/content"), 400).startswith("id: ")
    refused(keeping.call("GET", "/generation/content?id=gen-1700000000-" + "a" * 20), 404)


def test_nothing_is_kept_unless_it_is_said(shared_gateway: Gateway, simulator: Simulator) -> None:
    del simulator
    word = fresh("a-word-that-is-nowhere-else")
    answer = ask(shared_gateway, {"model": "sim/solo", "messages": [{"role": "user", "content": word}]})
    refused(shared_gateway.call("GET", f"/generation/content?id={answer.json()['id']}"), 404)
    _stored(shared_gateway, answer.json()["id"])
    assert _holding(shared_gateway, word) == []


def test_prompts_are_in_no_file_but_the_database(start_gateway: StartGateway, simulator: Simulator) -> None:
    del simulator
    gateway = start_gateway(settings={"record_content": True})
    word = fresh("a-word-that-is-nowhere-else")
    id_ = ask(gateway, {"model": "sim/solo", "messages": [{"role": "user", "content": word}]}).json()["id"]
    assert content(gateway, id_)["input"]["messages"][0]["content"] == word
    assert {path.name.removesuffix("-wal") for path in _holding(gateway, word)} == {"setpoint.db"}
    assert word not in gateway.log_text()


def test_a_share_of_the_conversations_is_kept_whole(start_gateway: StartGateway, simulator: Simulator) -> None:
    del simulator
    gateway = start_gateway(settings={"record_content": True, "record_content_sample": 0.5})

    def asked(session: str) -> str:
        return ask(gateway, {"model": "sim/solo", "session_id": session}).json()["id"]

    def kept(id_: str) -> bool:
        return gateway.call("GET", f"/generation/content?id={id_}").status == 200

    sessions = [*map(str, range(4))] * 2
    ids = [asked(session) for session in sessions]
    with ThreadPoolExecutor(8) as threads:  # what is not kept is looked for a while
        found = set(zip(sessions, threads.map(kept, ids), strict=True))
    assert {one for _, one in found} == {True, False}
    assert len(found) == 4, "of a conversation all or nothing"


def _stored(gateway: Gateway, id_: str) -> None:
    until(lambda: id_ in [one["id"] for one in gateway.call("GET", "/generations").json()["data"]])


def _holding(gateway: Gateway, word: str) -> list[Any]:
    files = [path for path in gateway.data_dir.rglob("*") if path.is_file()]
    return [path for path in files if word.encode() in path.read_bytes()]
