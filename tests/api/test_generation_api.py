"""The record of an answer: there as soon as the answer is, for those who may see it, and still there afterwards."""

from __future__ import annotations

import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, ask, create, data_of, fresh, new_key, refused
from simulator.script import cut, ok, status, stream
from support.http import open_stream

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

FIELDS = {
    *("id", "created_at", "api_type", "model", "provider_name", "router", "preset_id", "workspace_id", "request_id"),
    *("session_id", "upstream_id", "app_id", "origin", "http_referer", "user_agent", "external_user", "data_region"),
    *("tokens_prompt", "tokens_completion", "native_tokens_prompt", "native_tokens_completion"),
    *("native_tokens_reasoning", "native_tokens_cached", "native_tokens_completion_images", "num_media_prompt"),
    *("num_media_completion", "num_input_audio_prompt", "num_search_results", "num_fetches"),
    *("total_cost", "usage", "upstream_inference_cost", "cache_discount", "is_byok"),
    *("latency", "generation_time", "moderation_latency"),
    *("finish_reason", "native_finish_reason", "streamed", "cancelled", "service_tier", "web_search_engine"),
    *("provider_responses", "response_cache_source_id"),
    *("status", "preset_slug", "preset_version", "system_prompt_from", "unsaid", "not_honoured", "usage_estimated"),
}


def record(gateway: Gateway, id_: str, *, key: str | None = None) -> dict[str, Any]:
    return data_of(gateway.call("GET", f"/generation?id={id_}", key=key))


def streamed_id(gateway: Gateway, body: dict[str, Any], *, key: str | None = None) -> str:
    """The id of a streamed answer, read to its last byte."""
    asked = {"messages": [USER], "stream": True, **body}
    with open_stream(f"{gateway.url}/chat/completions", asked, key=key or gateway.key) as answer:
        assert [frame.data for frame in answer.frames()][-1] == "[DONE]"
        return answer.header("x-generation-id") or ""


def test_a_record_has_every_documented_field(shared_gateway: Gateway, simulator: Simulator) -> None:
    create(shared_gateway, slug := fresh(), {"model": "sim/model"})
    simulator.script(ok(tokens=(100, 20)))
    answer = ask(
        shared_gateway,
        {"model": f"@preset/{slug}", "user": "someone", "session_id": "s-1"},
        headers={"HTTP-Referer": "https://app.example", "User-Agent": "an agent"},
    )
    told = record(shared_gateway, answer.json()["id"])
    assert set(told) >= FIELDS
    assert (told["id"], answer.header("x-generation-id")) == (answer.json()["id"], answer.json()["id"])
    assert (told["model"], told["provider_name"], told["upstream_id"]) == ("sim/model", "sim", "chatcmpl-simulator")
    assert (told["tokens_prompt"], told["tokens_completion"], told["usage_estimated"]) == (100, 20, False)
    assert told["total_cost"] == told["usage"] == answer.json()["usage"]["cost"] == 0.00014
    assert (told["finish_reason"], told["status"], told["streamed"], told["cancelled"]) == (
        *("stop", "completed"),
        *(False, False),
    )
    assert (told["external_user"], told["session_id"]) == ("someone", "s-1")
    assert (told["origin"], told["user_agent"]) == ("https://app.example", "an agent")
    assert (told["preset_slug"], told["preset_version"]) == (slug, 1)
    (attempt,) = told["provider_responses"]
    assert (attempt["provider_name"], attempt["status"], attempt["error_type"]) == ("sim", 200, None)


def test_a_record_is_there_as_soon_as_the_answer_is(shared_gateway: Gateway, simulator: Simulator) -> None:
    del simulator  # its default answer will do, as new
    for _ in range(25):
        id_ = ask(shared_gateway, {"model": "sim/solo"}).json()["id"]
        assert record(shared_gateway, id_)["status"] == "completed"
        id_ = streamed_id(shared_gateway, {"model": "sim/solo"})
        told = record(shared_gateway, id_)
        assert (told["status"], told["streamed"], told["tokens_completion"]) == ("completed", True, 5)


def test_an_unknown_cost_is_null_and_never_nothing(shared_gateway: Gateway, simulator: Simulator) -> None:
    answer = ask(shared_gateway, {"model": "other/solo"})
    told = record(shared_gateway, answer.json()["id"])
    assert (told["total_cost"], told["usage"], told["tokens_prompt"]) == (None, None, 11)
    assert len(simulator.requests()) == 1


def test_every_attempt_is_in_the_record(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(status(500), prefix="/a")
    simulator.script(ok(), prefix="/b")
    told = record(shared_gateway, ask(shared_gateway, {"model": "sim/model"}).json()["id"])
    attempts = [(one["provider_name"], one["status"], one["error_type"]) for one in told["provider_responses"]]
    assert attempts == [("sim", 500, "provider_unavailable"), ("other", 200, None)]
    assert (told["provider_name"], told["status"]) == ("other", "completed")


@pytest.mark.parametrize("streaming", [False, True])
def test_what_failed_is_recorded_too(shared_gateway: Gateway, simulator: Simulator, *, streaming: bool) -> None:
    simulator.script(status(500))
    answer = ask(shared_gateway, {"model": "sim/solo", "stream": streaming})
    assert answer.status == 502
    told = record(shared_gateway, answer.header("x-generation-id") or "")
    assert (told["status"], told["error_type"], told["finish_reason"]) == ("failed", "provider_unavailable", None)
    assert told["streamed"] is streaming


def test_a_stream_that_broke_is_recorded_as_failed(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(cut(stream(["Hel", "lo"]), after=600))
    id_ = streamed_id(shared_gateway, {"model": "sim/solo"})
    told = record(shared_gateway, id_)
    assert (told["status"], told["cancelled"], told["usage_estimated"]) == ("failed", False, True)


def test_an_unknown_record_is_a_404_and_no_id_a_400(shared_gateway: Gateway) -> None:
    for id_ in ("gen-1700000000-" + "a" * 20, "x", "..", "%00", "a" * 10_000, "%27%20OR%201=1--"):
        assert refused(shared_gateway.call("GET", f"/generation?id={id_}"), 404) == "Resource not found"
    for query in ("", "?id=", "?ids=x"):
        assert refused(shared_gateway.call("GET", f"/generation{query}"), 400).startswith("id: ")


def test_callers_see_their_own_records_and_readers_those_of_the_workspace(
    shared_gateway: Gateway, simulator: Simulator
) -> None:
    del simulator
    keys = {name: new_key(shared_gateway, role=name)[0] for name in ("caller", "editor", "admin", "read_only")}
    others = new_key(shared_gateway)[0]
    mine = ask(shared_gateway, {"model": "sim/solo"}, key=keys["caller"]).json()["id"]
    editors = ask(shared_gateway, {"model": "sim/solo"}, key=keys["editor"]).json()["id"]
    for id_, seen_by in ((mine, {"caller", "admin", "read_only"}), (editors, {"editor", "admin", "read_only"})):
        for name, key in keys.items():
            answer = shared_gateway.call("GET", f"/generation?id={id_}", key=key)
            if name in seen_by:
                assert data_of(answer)["id"] == id_
            else:
                assert refused(answer, 404) == "Resource not found", "as one that is not there"
        refused(shared_gateway.call("GET", f"/generation?id={id_}", key=others), 404)


def test_what_a_key_spent_is_summed(shared_gateway: Gateway, simulator: Simulator) -> None:
    plain, told = new_key(shared_gateway)
    simulator.script(ok(tokens=(1_000, 500)))
    for _ in range(3):
        ask(shared_gateway, {"model": "sim/solo"}, key=plain)
    ask(shared_gateway, {"model": "other/solo"}, key=plain)
    last = ask(shared_gateway, {"model": "sim/solo"}, key=plain).json()["id"]
    _wait_until_stored(shared_gateway, last)
    seen = data_of(shared_gateway.call("GET", f"/keys/{told['hash']}"))
    assert seen["usage"] == seen["usage_daily"] == seen["byok_usage_monthly"] == 0.008
    assert seen["last_used_at"] == record(shared_gateway, last)["created_at"]
    assert data_of(shared_gateway.call("GET", "/key", key=plain))["usage_weekly"] == 0.008


def _wait_until_stored(gateway: Gateway, id_: str) -> None:
    for _ in range(1_000):
        with closing(_open(gateway)) as database:
            if database.execute("SELECT 1 FROM generations WHERE id = ?", [id_]).fetchone():
                return
        record(gateway, id_)
    raise AssertionError("the record has not reached the database")


def _open(gateway: Gateway) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{gateway.data_dir / 'setpoint.db'}?mode=ro", uri=True)


def test_a_clean_stop_loses_no_record(start_gateway: StartGateway, simulator: Simulator) -> None:
    del simulator
    gateway = start_gateway()

    def one(number: int) -> str:
        if number % 4:
            return ask(gateway, {"model": "sim/solo"}).json()["id"]
        return streamed_id(gateway, {"model": "sim/solo"})

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(one, range(200)))
    assert gateway.stop() == 0
    with closing(_open(gateway)) as database:
        rows = database.execute("SELECT id, status, cost_total FROM generations").fetchall()
    assert sorted(row[0] for row in rows) == sorted(ids)
    assert {row[1] for row in rows} == {"completed"}
    assert {row[2] for row in rows} == {"0.000021"}


def test_a_clean_stop_waits_for_the_database(start_gateway: StartGateway, simulator: Simulator) -> None:
    del simulator
    gateway = start_gateway()
    with closing(sqlite3.connect(gateway.data_dir / "setpoint.db", isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")  # nobody else can write until this ends
        ids = [ask(gateway, {"model": "sim/solo"}).json()["id"] for _ in range(20)]
        assert record(gateway, ids[0])["status"] == "completed", "the answer does not wait, nor does the record"
        gateway.process.send_signal(signal.SIGTERM)
        with pytest.raises(TimeoutExpired):
            gateway.process.wait(1)
        assert another.execute("SELECT count(*) FROM generations").fetchone() == (0,)
        another.execute("ROLLBACK")
    assert gateway.process.wait(20) == 0
    with closing(_open(gateway)) as database:
        rows = database.execute("SELECT id FROM generations").fetchall()
    assert sorted(row[0] for row in rows) == sorted(ids)


def test_records_outlive_a_restart(start_gateway: StartGateway, simulator: Simulator) -> None:
    del simulator
    first = start_gateway()
    before = record(first, ask(first, {"model": "sim/solo"}).json()["id"])
    assert first.stop() == 0
    again = start_gateway(data_dir=first.data_dir)
    assert record(again, before["id"]) == before
