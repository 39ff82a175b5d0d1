"""Presets in chat requests: what reaches the upstream, byte for byte, and what the answer says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, ask, create, data_of, fresh, refused, sent
from simulator.script import status
from support.http import open_stream

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway


# --- naming a preset -----------------------------------------------------------------------------------------


def test_a_preset_alone_gives_everything_byte_for_byte(gateway: Gateway, simulator: Simulator) -> None:
    slug = fresh()
    captured = (
        b'{"model": "sim/solo", "temperature": 0.20, "logit_bias": {"7":  1.50}, "max_tokens":1e2,'
        b' "provider": {"sort": "price"}, "messages": [{"role":"system","content":"S\\u00e9\\ud83d"}]}'
    )
    assert gateway.call("POST", f"/presets/{slug}/chat/completions", body=captured).status == 200
    messages = b'[{"role":"user",  "content":"hi"}]'
    request = b'{"model":"@preset/%s","messages":%s, "x_new":{"a": 1.50}}' % (slug.encode(), messages)
    answer = gateway.call("POST", "/chat/completions", body=request)
    assert answer.status == 200
    (received,) = simulator.requests()
    assert received.body == (
        b'{"model":"upstream-model","temperature":0.20,"logit_bias":{"7":  1.50},"max_tokens":1e2,'
        b'"messages":[{"role":"system","content":"S\\u00e9\\ud83d"},{"role":"user",  "content":"hi"}],'
        b'"x_new":{"a": 1.50}}'
    )
    assert answer.json()["model"] == "sim/solo"
    assert answer.header("x-setpoint-preset") == f"{slug}@1"
    assert answer.header("x-setpoint-system-prompt") is None


SPELLINGS: list[tuple[dict[str, Any], str]] = [
    ({"model": "@preset/{}"}, "/a"),
    ({"preset": "{}"}, "/a"),
    ({"preset": "@preset/{}"}, "/a"),
    ({"preset": "{}@1"}, "/a"),
    ({"model": "@preset/{}", "preset": "{}"}, "/a"),
    ({"model": "@preset/{}@1", "preset": "@preset/{}@1"}, "/a"),
    ({"model": None, "preset": "{}"}, "/a"),
    ({"model": "other/solo", "preset": "{}"}, "/b"),
    ({"model": "other/solo@preset/{}"}, "/b"),
    ({"model": "other/solo@preset/{}@designated", "preset": "{}"}, "/b"),
    ({"model": "@preset/{}:nitro"}, "/a"),
    ({"model": "@preset/{}@latest:nitro:floor"}, "/a"),
    ({"model": "other/solo@preset/{}:nitro"}, "/b"),
    ({"model": "other/solo:nitro@preset/{}:nitro"}, "/b"),
    ({"model": "other/solo:nitro@preset/{}@1"}, "/b"),
]


@pytest.mark.parametrize(("reference", "prefix"), SPELLINGS)
def test_every_spelling_applies_the_preset_under_the_request(
    gateway: Gateway, simulator: Simulator, reference: dict[str, str | None], prefix: str
) -> None:
    slug = fresh()
    create(gateway, slug, {"model": "sim/solo", "temperature": 0.25})
    written = {name: None if text is None else text.format(slug) for name, text in reference.items()}
    answer = ask(gateway, written)
    assert (answer.status, answer.header("x-setpoint-preset")) == (200, f"{slug}@1")
    assert sent(simulator, prefix) == {"model": "upstream-model", "temperature": 0.25, "messages": [USER]}


def test_an_encoded_slug_in_a_model_string_is_decoded_once(gateway: Gateway, simulator: Simulator) -> None:
    slug = fresh()
    create(gateway, slug, {"model": "sim/solo", "seed": 3})
    assert ask(gateway, {"model": f"@preset/{slug.replace('-', '%2D')}"}).status == 200
    assert sent(simulator)["seed"] == 3
    for encoded in ("a%2Fb", "a%252D", "%2e%2e"):
        assert refused(ask(gateway, {"model": f"@preset/{encoded}"}), 400).startswith("model: ")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"model": "@preset/"}, "model"),
        ({"model": "a/b@preset/"}, "model"),
        ({"model": "@preset/a@preset/b"}, "model"),
        ({"model": "@preset/a/b"}, "model"),
        ({"model": "@preset/a@"}, "model"),
        ({"model": "@preset/a@007"}, "model"),
        ({"model": "@preset/a@V1"}, "model"),
        ({"model": "@preset/a@1@2"}, "model"),
        ({"model": "@preset/a:"}, "model"),
        ({"model": "@preset/a: nitro"}, "model"),
        ({"model": "@preset/ a"}, "model"),
        ({"model": "@preset/caf\u00e9"}, "model"),
        ({"model": ""}, "model"),
        ({"model": 7}, "model"),
        ({"model": "@preset/a", "preset": "b"}, "preset"),
        ({"model": "@preset/a@1", "preset": "a@2"}, "preset"),
        ({"model": "a/b", "preset": "a b"}, "preset"),
        ({"preset": ""}, "preset"),
        ({"preset": 5}, "preset"),
        ({"model": "a/b", "models": ["@preset/a"]}, "models[0]"),
        ({"model": "a/b", "models": ["a/b", "c/d@preset/a"]}, "models[1]"),
    ],
)
def test_a_malformed_reference_is_refused_by_its_field(
    gateway: Gateway, simulator: Simulator, body: dict[str, Any], path: str
) -> None:
    assert refused(ask(gateway, body), 400).startswith(f"{path}: ")
    assert simulator.requests() == []


def test_an_at_sign_alone_makes_no_reference(gateway: Gateway, simulator: Simulator) -> None:
    assert ask(gateway, {"model": "sim/model@2024"}).status == 200
    assert sent(simulator)["model"] == "model@2024", "a name at the provider, as it stands"


def test_neither_model_nor_preset_is_a_400(gateway: Gateway, simulator: Simulator) -> None:
    create(gateway, slug := fresh(), {"temperature": 1})
    for body in ({}, {"model": None}, {"model": f"@preset/{slug}"}, {"preset": slug}):
        assert refused(ask(gateway, body), 400) == "No model specified"
    assert simulator.requests() == []


# --- pins ----------------------------------------------------------------------------------------------------


def test_pins_choose_versions_and_no_pin_means_the_designated_one(gateway: Gateway, simulator: Simulator) -> None:
    slug = fresh()
    for seed in (1, 2, 3):
        create(gateway, slug, {"model": "sim/solo", "seed": seed})
    data_of(gateway.call("POST", f"/presets/{slug}/versions/2/designate", {}))
    for pin, version in (("", 2), ("@1", 1), ("@2", 2), ("@3", 3), ("@latest", 3), ("@designated", 2)):
        for body in ({"model": f"@preset/{slug}{pin}"}, {"model": "sim/solo", "preset": f"{slug}{pin}"}):
            answer = ask(gateway, body)
            assert answer.header("x-setpoint-preset") == f"{slug}@{version}"
            record = data_of(gateway.call("GET", f"/generation?id={answer.json()['id']}"))
            assert (record["preset_slug"], record["preset_version"]) == (slug, version)
            assert sent(simulator)["seed"] == version
            simulator.forget_requests()


# --- what does not answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_a_preset_that_cannot_be_used_is_a_404_and_no_other_model_answers(
    gateway: Gateway, simulator: Simulator, stream: bool
) -> None:
    disabled, archived, active = fresh("disabled"), fresh("archived"), fresh("active")
    for slug in (disabled, archived, active):
        create(gateway, slug, {"model": "sim/solo", "models": ["other/solo"]})
    data_of(gateway.call("PATCH", f"/presets/{disabled}", {"status": "disabled"}))
    data_of(gateway.call("DELETE", f"/presets/{archived}"))
    unusable = [
        ("nobody-made-this", "nobody-made-this"),
        (disabled, "disabled"),
        (f"{disabled}@1", disabled),
        (archived, archived),
        (f"{archived}@latest", archived),
        (active.upper(), active.upper()),
        (f"{active}@2", "2"),
        (f"{active}@0", "0"),
        (f"{active}@9223372036854775808", "9223372036854775808"),
        (f"{active}@{'9' * 100}", "9" * 100),
        (f"{active}@production", "production"),
    ]
    for reference, named in unusable:
        for body in (
            {"model": f"@preset/{reference}"},
            {"model": f"@preset/{reference}", "models": ["sim/model", "other/solo"]},
            {"model": f"sim/solo@preset/{reference}"},
            {"model": "sim/solo", "preset": reference},
        ):
            assert named in refused(ask(gateway, {**body, "stream": stream}), 404)
    assert simulator.requests() == []


def test_a_default_model_stands_in_for_a_missing_model_and_never_for_a_preset(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = start_gateway(settings={"default_model": "other/solo"})
    usable, disabled = fresh(), fresh("disabled")
    for slug in (usable, disabled):
        create(gateway, slug, {"temperature": 1})
    data_of(gateway.call("PATCH", f"/presets/{disabled}", {"status": "disabled"}))
    for reference in (disabled, f"{usable}@2", "nobody-made-this"):
        refused(ask(gateway, {"model": f"@preset/{reference}"}), 404)
        refused(ask(gateway, {"preset": reference}), 404)
    assert simulator.requests() == []
    for body in ({}, {"preset": usable}, {"model": f"@preset/{usable}"}):
        assert ask(gateway, body).json()["model"] == "other/solo"


# --- answers -------------------------------------------------------------------------------------------------


def test_a_stream_says_in_its_head_which_version_it_is_of(gateway: Gateway, simulator: Simulator) -> None:
    body = {"model": "sim/solo", "temperature": 0.5, "messages": [{"role": "system", "content": "House."}]}
    create(gateway, slug := fresh(), body)
    request = {"model": f"@preset/{slug}", "stream": True, "messages": [{"role": "system", "content": "Mine."}, USER]}
    with open_stream(f"{gateway.url}/chat/completions", request, key=gateway.key) as answer:
        assert (answer.status, answer.header("content-type")) == (200, "text/event-stream")
        assert answer.header("x-setpoint-preset") == f"{slug}@1"
        assert answer.header("x-setpoint-system-prompt") == "request"
        chunks = [frame.json() for frame in answer.frames() if frame.data not in (None, "[DONE]")]
    assert {chunk["model"] for chunk in chunks} == {"sim/solo"}
    body = sent(simulator)
    assert (body["temperature"], body["stream"], body["stream_options"]) == (0.5, True, {"include_usage": True})


def test_errors_of_the_provider_still_say_which_version_it_was(gateway: Gateway, simulator: Simulator) -> None:
    create(gateway, slug := fresh(), {"model": "sim/solo"})
    simulator.script(status(429))
    for stream in (False, True):
        answer = ask(gateway, {"model": f"@preset/{slug}", "stream": stream})
        assert (answer.status, answer.header("x-setpoint-preset")) == (429, f"{slug}@1")


def test_a_request_without_a_preset_says_nothing_of_one(gateway: Gateway, simulator: Simulator) -> None:
    answer = ask(gateway, {"model": "sim/solo"})
    assert answer.status == 200
    assert not [name for name, _ in answer.headers if name.lower().startswith("x-setpoint")]
    record = data_of(gateway.call("GET", f"/generation?id={answer.json()['id']}"))
    assert (record["preset_id"], record["preset_slug"], record["preset_version"]) == (None, None, None)
    assert sent(simulator) == {"model": "upstream-model", "messages": [USER]}


# --- the manual's examples, end to end -----------------------------------------------------------------------


def test_a_feature_is_captured_updated_from_another_skin_used_and_overridden(
    gateway: Gateway, simulator: Simulator
) -> None:
    slug = fresh()
    body = {
        "model": "sim/model",
        "temperature": 0.7,
        "provider": {"sort": "price"},
        "messages": [{"role": "system", "content": "You triage."}, USER],
    }
    first = create(gateway, slug, body)["designated_version"]
    assert first["config"] == {"model": "sim/model", "temperature": 0.7, "provider": {"sort": "price"}}
    assert (first["version"], first["system_prompt"]) == (1, "You triage.")

    system = [{"type": "text", "text": "You triage parcels."}]
    body = {"model": "sim/solo", "max_tokens": 512, "system": system, "messages": [USER]}
    second = create(gateway, slug, body, "messages")["designated_version"]
    assert (second["version"], second["config"]) == (2, {"model": "sim/solo", "max_tokens": 512})
    versions = gateway.call("GET", f"/presets/{slug}/versions").json()
    assert versions == {"data": [first, second], "total_count": 2}

    assert ask(gateway, {"model": f"@preset/{slug}"}).header("x-setpoint-preset") == f"{slug}@2"
    prompt = {"role": "system", "content": "You triage parcels."}
    assert sent(simulator, "/a") == {"model": "upstream-model", "max_tokens": 512, "messages": [prompt, USER]}
    simulator.forget_requests()

    assert ask(gateway, {"model": f"other/solo@preset/{slug}", "temperature": 0}).json()["model"] == "other/solo"
    expected = {"model": "upstream-model", "max_tokens": 512, "temperature": 0, "messages": [prompt, USER]}
    assert sent(simulator, "/b") == expected
