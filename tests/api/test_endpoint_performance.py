"""How endpoints do, as clients are shown it: what all workers have seen together, and what this one avoids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.api_support import USER, data_of
from simulator.script import status, stream
from support.http import call
from support.waiting import until

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

TRIES = 12


def shown(gateway: Gateway) -> dict[str, Any]:
    """The one endpoint of `sim/solo`, asked of whichever worker takes a new connection."""
    [endpoint] = data_of(call("GET", f"{gateway.url}/models/sim/solo/endpoints", key=gateway.key))["endpoints"]
    return endpoint


def test_every_worker_shows_what_all_have_seen(start_gateway: StartGateway, simulator: Simulator) -> None:
    gateway = start_gateway(arguments=("--workers", "2"))
    assert (shown(gateway)["uptime_last_30m"], shown(gateway)["latency_last_30m"]) == (None, None)
    simulator.script(stream("Hello"))
    for _ in range(TRIES):
        asked = {"model": "sim/solo", "messages": [USER], "stream": True}
        assert call("POST", f"{gateway.url}/chat/completions", asked, key=gateway.key).status == 200

    def told_by_all() -> bool:
        return all(shown(gateway)["uptime_last_1d"] == 100 for _ in range(TRIES))

    until(told_by_all)
    endpoint = shown(gateway)
    assert (endpoint["status"], endpoint["uptime_last_5m"], endpoint["uptime_last_30m"]) == (0, 100, 100)
    latency = endpoint["latency_last_30m"]
    assert 0 < latency["p50"] <= latency["p75"] <= latency["p90"] <= latency["p99"]


def test_outages_count_against_an_endpoint_and_rate_limits_do_not(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = start_gateway()
    asked = {"model": "sim/solo", "messages": [USER]}
    simulator.script(*[status(429)] * 2, *[status(500)] * 2, stream("Hello"))
    for _ in range(2 + 2):
        call("POST", f"{gateway.url}/chat/completions", asked, key=gateway.key)
    for _ in range(8):
        answer = call("POST", f"{gateway.url}/chat/completions", {**asked, "stream": True}, key=gateway.key)
        assert answer.status == 200
    endpoint = shown(gateway)
    assert 0 < endpoint["uptime_last_30m"] < 100
    assert endpoint["status"] == 0
