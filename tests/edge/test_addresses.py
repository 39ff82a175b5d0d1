"""Where a request goes is said in the configuration alone: nothing that a caller or a key says moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.script import status

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway

USER = {"role": "user", "content": "hi"}
HERE = {"/a/v1/chat/completions", "/b/v1/chat/completions"}


def paths(simulator: Simulator) -> set[str]:
    """Where anything has gone."""
    return {one.path for one in simulator.requests()}


@pytest.mark.parametrize("name", ["base_url", "api_base", "endpoint", "url", "host", "proxy", "api_key"])
def test_no_member_of_a_request_or_a_preset_says_where_a_provider_is(
    shared_gateway: Gateway, simulator: Simulator, name: str
) -> None:
    elsewhere = simulator.url("/elsewhere/v1")
    moving: list[dict[str, Any]] = [
        {name: elsewhere},
        {"provider": {name: elsewhere}},
        {"provider": {"options": {"sim": {name: elsewhere}}}},
        {"providers": {"sim": {name: elsewhere}}},
        {"plugins": [{"id": "web", name: elsewhere}]},
        {"metadata": {name: elsewhere}},
    ]
    answered = 0
    for number, more in enumerate(moving):
        asked = {"model": "sim/solo", "messages": [USER], **more}
        answered += shared_gateway.call("POST", "/chat/completions", asked).status == 200
        slug = f"moving-{name.replace('_', '-')}-{number}"
        kept = shared_gateway.call("POST", f"/presets/{slug}/chat/completions", asked)
        if kept.status == 200:
            told = {"model": f"@preset/{slug}", "messages": [USER]}
            answered += shared_gateway.call("POST", "/chat/completions", told).status == 200
    headers = {"X-Base-Url": elsewhere, "X-Forwarded-Host": "elsewhere.test", f"X-{name.replace('_', '-')}": elsewhere}
    asked = {"model": "sim/solo", "messages": [USER]}
    assert shared_gateway.call("POST", "/chat/completions", asked, headers=headers).status == 200
    assert answered > len(moving)
    assert paths(simulator) == {"/a/v1/chat/completions"}


def test_no_key_of_a_provider_says_where_it_is(shared_gateway: Gateway, simulator: Simulator) -> None:
    elsewhere = simulator.url("/elsewhere/v1")
    simulator.script(status(401))
    blobs = [
        f'{{"api_key":"k","base_url":"{elsewhere}"}}',
        f'{{"endpoint_url":"{elsewhere}","api_key":"k"}}',
        f"k@{elsewhere}",
        elsewhere,
        "k\r\nHost: elsewhere.test",
        "k#@elsewhere.test/..",
    ]
    made = [shared_gateway.call("POST", "/byok", {"provider": "other", "key": blob}) for blob in blobs]
    assert [answer.status for answer in made] == [400, 400, 201, 201, 400, 201]
    for name in ("base_url", "region", "url"):
        for provider in ("other", "elsewhere"):
            refused = {"provider": provider, "key": "k", name: elsewhere}
            assert shared_gateway.call("POST", "/byok", refused).status == 400
    shared_gateway.call("POST", "/chat/completions", {"model": "other/solo", "messages": [USER]})
    assert len(simulator.requests()) == 4, "each key is nothing but a key"
    assert paths(simulator) == {"/b/v1/chat/completions"}
    for answer in made:
        if answer.status == 201:
            shared_gateway.call("DELETE", f"/byok/{answer.json()['data']['id']}")


NAMES = [
    *("../../elsewhere", "..", "x/../../elsewhere", "/..", "%2e%2e/elsewhere", "x%23", "x#elsewhere", "x?y=z"),
    *("@elsewhere.test", "x@elsewhere.test:80", "//elsewhere.test", "x\\..\\elsewhere", "http://elsewhere.test"),
    *("x;y", "x\t", "x\r\ny", "x%0d%0aHost:%20elsewhere", "eu-west-1.elsewhere.test#"),
]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_becomes_a_part_of_an_address(shared_gateway: Gateway, simulator: Simulator, name: str) -> None:
    elsewhere: list[dict[str, Any]] = [
        {"model": f"sim/{name}"},
        {"model": f"{name}/m"},
        {"model": "sim/solo", "provider": {"order": [name], "only": [name, "sim"]}},
        {"model": "sim/solo", "session_id": name, "user": name, "service_tier": name},
    ]
    for asked in elsewhere:
        answer = shared_gateway.call("POST", "/chat/completions", {"messages": [USER], **asked})
        assert answer.status in (200, 400, 404), answer.body
    assert paths(simulator) <= HERE
    assert shared_gateway.call("POST", "/byok", {"provider": name, "key": "sk-0123456789"}).status == 400
    assert shared_gateway.call("POST", "/byok", {"provider": f"sim/{name}", "key": "sk-0123456789"}).status == 400
