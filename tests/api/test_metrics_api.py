"""`GET /metrics`: off unless asked for, for management keys only, and what requests leave in it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from api.api_support import USER, ask, new_key
from simulator.script import ok, status, stream
from support.http import call, open_stream
from support.scrape import Scrape

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

HANG_S = 20.0
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def test_without_the_setting_there_is_no_such_route(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    for key in (gateway.key, None):
        assert call("GET", f"{gateway.origin}/metrics", key=key).status == 404


def test_it_stands_outside_the_base_path_in_the_form_that_is_asked_for(shared_gateway: Gateway) -> None:
    url, key = f"{shared_gateway.origin}/metrics", shared_gateway.key
    plain = call("GET", url, key=key)
    assert plain.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    strict = call("GET", url, key=key, headers={"Accept": f"{OPENMETRICS},text/plain;q=0.5"})
    assert (strict.header("content-type") or "").startswith(OPENMETRICS)
    assert strict.body.endswith(b"# EOF\n")
    assert shared_gateway.call("GET", "/metrics").status == 404


def test_an_answer_counts_once_with_its_tokens_and_its_cost(shared_gateway: Gateway, simulator: Simulator) -> None:
    before = Scrape(shared_gateway)
    simulator.script(ok(tokens=(100, 20)))
    assert ask(shared_gateway, {"model": "sim/solo"}).status == 200
    after = Scrape(shared_gateway)

    def grown(name: str, **labels: str) -> float:
        return after.get(name, **labels) - before.get(name, **labels)

    asked = {"skin": "chat", "stream": "false"}
    assert grown("setpoint_requests_total") == 1
    assert grown("setpoint_requests_total", **asked, status="completed", error_type="none") == 1
    assert grown("setpoint_request_duration_seconds_count", **asked) == 1
    assert grown("setpoint_attempts_total", provider="sim", outcome="answered") == 1
    assert grown("setpoint_tokens_total", provider="sim", model="sim/solo", kind="input") == 100
    assert grown("setpoint_tokens_total", provider="sim", model="sim/solo", kind="output") == 20
    assert grown("setpoint_cost_dollars_total", provider="sim", model="sim/solo") == pytest.approx(0.00014)
    assert grown("setpoint_time_to_first_token_seconds_count") == 0


def test_a_stream_counts_its_first_token_and_a_failed_try_its_error(
    shared_gateway: Gateway, simulator: Simulator
) -> None:
    before = Scrape(shared_gateway)
    simulator.script(status(503), prefix="/a")
    asked = {"model": "sim/model", "messages": [USER], "stream": True}
    with open_stream(f"{shared_gateway.url}/chat/completions", asked, key=shared_gateway.key) as answer:
        assert [frame.data for frame in answer.frames()][-1] == "[DONE]"
    after = Scrape(shared_gateway)

    def grown(name: str, **labels: str) -> float:
        return after.get(name, **labels) - before.get(name, **labels)

    assert grown("setpoint_attempts_total", provider="sim", outcome="provider_overloaded") >= 1
    assert grown("setpoint_attempts_total", provider="other", outcome="answered") == 1
    assert grown("setpoint_time_to_first_token_seconds_count", provider="other") == 1
    assert grown("setpoint_requests_total", skin="chat", stream="true", status="completed") == 1
    assert grown("setpoint_unknown_costs_total", provider="other", model="other/solo") == 0
    assert grown("setpoint_unknown_costs_total", provider="other", model="sim/model") == 1


NAMED = {"sim/model", "sim/solo", "other/solo", "setpoint/echo"}
"""What the configuration of the gateway names, and what is built in."""


def test_model_names_of_the_callers_making_are_one_series(shared_gateway: Gateway, simulator: Simulator) -> None:
    """`sim/<whatever>` is sent to the provider `sim`, by a name that nothing bounds; others are no model at all."""
    simulator.script(ok())
    series = len(Scrape(shared_gateway).samples)
    for number in range(40):
        assert ask(shared_gateway, {"model": f"sim/made-up-{number}"}).status == 200
        ask(shared_gateway, {"model": f"nobody/made-up-{number}"})
    after = Scrape(shared_gateway)
    assert after.values("setpoint_tokens_total", "model") <= {*NAMED, "other"}
    assert after.get("setpoint_unknown_costs_total", provider="sim", model="other") >= 40
    assert len(after.samples) < series + 30


def test_no_key_and_no_name_of_one_is_told(shared_gateway: Gateway) -> None:
    plain, told = new_key(shared_gateway, name="a-name-for-a-key", role="read_only")
    text = call("GET", f"{shared_gateway.origin}/metrics", key=plain).body.decode()
    for secret in (plain, shared_gateway.key, told["hash"], told["hash"][:12], "a-name-for-a-key"):
        assert secret not in text


def test_the_state_of_the_process_is_there(shared_gateway: Gateway) -> None:
    scrape = Scrape(shared_gateway)
    assert scrape["setpoint_workers"] == 1
    assert scrape["setpoint_keys"] >= 1
    assert scrape["setpoint_process_cpu_seconds_total"] > 0
    assert scrape["setpoint_process_resident_memory_bytes"] > 1_000_000
    assert scrape["setpoint_process_open_fds"] > 3
    assert scrape["setpoint_event_loop_lag_seconds_count"] > 0
    assert scrape["setpoint_records_dropped_total"] == 0
    assert scrape.get("setpoint_build_info", version=shared_gateway.version) == 1


def test_what_never_reached_a_provider_is_counted_as_refused(shared_gateway: Gateway) -> None:
    before = Scrape(shared_gateway)
    assert ask(shared_gateway, {"model": "nobody/nothing", "stream": True}).status == 400
    assert ask(shared_gateway, {"model": 1}).status == 400
    assert ask(shared_gateway, {"model": "sim/solo"}, key="sk-sp-v1-unknown-0123456789").status == 401
    assert shared_gateway.call("GET", "/presets/there-is-none").status == 404
    after = Scrape(shared_gateway)

    def grown(name: str, **labels: str) -> float:
        return after.get(name, **labels) - before.get(name, **labels)

    refused = {"skin": "chat", "status": "refused"}
    assert grown("setpoint_requests_total") == grown("setpoint_requests_total", **refused) == 3
    assert grown("setpoint_requests_total", **refused, stream="true", error_type="invalid_request") == 1
    assert grown("setpoint_requests_total", **refused, stream="unknown", error_type="invalid_request") == 1
    assert grown("setpoint_requests_total", **refused, stream="unknown", error_type="authentication") == 1
    assert grown("setpoint_management_requests_total", status="404") == 1
    assert grown("setpoint_attempts_total") == 0


def test_what_is_in_work_is_there_while_it_is(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(stream(["One"], end="hang"))
    asked = {"model": "sim/solo", "messages": [USER], "stream": True}
    with open_stream(f"{shared_gateway.url}/chat/completions", asked, key=shared_gateway.key) as answer:
        next(iter(answer.frames()))
        during = Scrape(shared_gateway)
        assert during["setpoint_requests_in_flight"] == 1
        assert during.get("setpoint_provider_requests_in_flight", provider="sim") == 1
        assert during.get("setpoint_upstream_connections", provider="sim", state="in_use") == 1
        assert during.get("setpoint_client_connections", state="answering") >= 1
        assert during["setpoint_spool_bytes"] > 0
    simulator.wait_for_disconnect()
    until = time.monotonic() + HANG_S
    while (after := Scrape(shared_gateway))["setpoint_requests_in_flight"]:
        assert time.monotonic() < until
    assert after.get("setpoint_upstream_connections", state="in_use") == 0
