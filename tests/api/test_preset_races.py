"""Many at once on one preset: versions without gap or twin, one order of events, one version for one request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

from api.api_support import ask, create, data_of, fresh, get, new_key
from simulator.script import ok, status, stream
from support.http import open_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway


def at_once(calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """The answers to all of these, each from a thread of its own that waits for all others before it starts."""
    barrier = Barrier(len(calls))

    def run(one: Callable[[], Answer]) -> Answer:
        barrier.wait(30)
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def poster(gateway: Gateway, path: str, body: Any) -> Callable[[], Answer]:
    return lambda: gateway.call("POST", path, body)


def test_64_captures_of_one_new_slug_at_once_are_versions_1_to_64(shared_gateway: Gateway) -> None:
    slug = fresh()
    skins = ("chat/completions", "messages", "responses")
    answers = at_once([poster(shared_gateway, f"/presets/{slug}/{skins[n % 3]}", {"top_k": n}) for n in range(64)])
    made = [data_of(answer) for answer in answers]

    assert len({preset["id"] for preset in made}) == 1, "one preset"
    assert sorted(preset["designated_version"]["version"] for preset in made) == list(range(1, 65))
    stored = shared_gateway.call("GET", f"/presets/{slug}/versions?limit=100").json()
    assert [version["version"] for version in stored["data"]] == list(range(1, 65))
    by_number = {version["version"]: version for version in stored["data"]}
    for n, preset in enumerate(made):
        version = preset["designated_version"]
        assert version["config"] == {"top_k": n}, "each was told of its own version"
        assert by_number[version["version"]] == version
    assert get(shared_gateway, slug)["designated_version"] == by_number[64]
    assert shared_gateway.call("GET", f"/presets/{slug}/versions").json()["total_count"] == 64


def test_captures_designations_and_an_archival_at_once_have_one_order(shared_gateway: Gateway) -> None:
    slug = fresh()
    first = create(shared_gateway, slug, {"top_k": 100})["designated_version"]
    path = f"/presets/{slug}"
    capture = [poster(shared_gateway, f"{path}/messages", {"top_k": n}) for n in range(24)]
    designate = poster(shared_gateway, f"{path}/versions/1/designate", {})
    calls = [*capture[:12], designate, designate, lambda: shared_gateway.call("DELETE", path), designate, *capture[12:]]
    answers = at_once(calls)

    captures = answers[:12] + answers[16:]
    assert {answer.status for answer in captures} <= {200, 409}
    made = sorted((data_of(answer) for answer in captures if answer.status == 200), key=_moment)
    archived = data_of(answers[14])
    stored = shared_gateway.call("GET", f"{path}/versions?limit=100").json()["data"]
    # Captures that were acknowledged came before the archival, one after the other; the others left nothing behind.
    assert all(preset["status"] == "active" for preset in made)
    assert [preset["designated_version"] for preset in made] == stored[1:]
    assert [version["version"] for version in stored] == list(range(1, len(made) + 2))
    assert not made or made[-1]["updated_at"] < archived["updated_at"]
    # Every designation found version 1, before or after the archival.
    designations = [data_of(answer) for answer in (answers[12], answers[13], answers[15])]
    assert all(preset["designated_version"] == first for preset in designations)
    assert archived["designated_version"] in stored
    # What the last of all was told is what is so.
    assert get(shared_gateway, slug) == max([*made, *designations, archived], key=_moment)


def _moment(preset: dict[str, Any]) -> str:
    return preset["updated_at"]


def test_a_request_on_its_way_keeps_its_version_in_every_attempt(shared_gateway: Gateway, simulator: Simulator) -> None:
    slug = fresh()
    create(shared_gateway, slug, {"model": "sim/model", "temperature": 0.1})
    simulator.script(status(500, delay_ms=400), prefix="/a")
    simulator.script(ok(), prefix="/b")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, shared_gateway, {"model": f"@preset/{slug}"})
        simulator.wait_for_requests(1)
        assert (
            create(shared_gateway, slug, {"model": "sim/solo", "temperature": 0.2})["designated_version"]["version"]
            == 2
        )
        answer = waiting.result(30)
    first, second = simulator.requests()
    assert (first.path[:3], first.json()["temperature"]) == ("/a/", 0.1)
    assert (second.path[:3], second.json()["temperature"]) == ("/b/", 0.1), "tried elsewhere after the change"
    assert (answer.status, answer.header("x-setpoint-preset")) == (200, f"{slug}@1")
    record = data_of(shared_gateway.call("GET", f"/generation?id={answer.json()['id']}"))
    assert (record["preset_slug"], record["preset_version"]) == (slug, 1)
    simulator.script(ok())
    assert ask(shared_gateway, {"model": f"@preset/{slug}"}).header("x-setpoint-preset") == f"{slug}@2"


def test_a_stream_on_its_way_keeps_its_version(shared_gateway: Gateway, simulator: Simulator) -> None:
    slug = fresh()
    create(shared_gateway, slug, {"model": "sim/solo", "temperature": 0.1})
    simulator.script(stream(["a", "b", "c"], pause_ms=60))
    body = {"model": f"@preset/{slug}", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    url = f"{shared_gateway.url}/chat/completions"
    with open_stream(url, body, key=shared_gateway.key) as answer:
        frames = answer.frames()
        id_ = next(frame for frame in frames if frame.data is not None).json()["id"]
        create(shared_gateway, slug, {"model": "other/solo"})
        data_of(shared_gateway.call("PATCH", f"/presets/{slug}", {"status": "disabled"}))
        assert [frame.data for frame in frames][-1] == "[DONE]"
        assert answer.header("x-setpoint-preset") == f"{slug}@1"
    record = data_of(shared_gateway.call("GET", f"/generation?id={id_}"))
    assert (record["status"], record["preset_version"], record["model"]) == ("completed", 1, "sim/solo")
    assert ask(shared_gateway, body).status == 404, "the next request finds what is so by then"


def test_a_change_is_seen_by_the_very_next_request(shared_gateway: Gateway, simulator: Simulator) -> None:
    slug = fresh()
    key, _ = new_key(shared_gateway)
    for seed in range(20):
        create(shared_gateway, slug, {"model": "sim/solo", "seed": seed})
        assert ask(shared_gateway, {"model": f"@preset/{slug}"}, key=key).status == 200
        if seed % 5 == 4:
            data_of(shared_gateway.call("POST", f"/presets/{slug}/versions/{seed}/designate", {}))
            ask(shared_gateway, {"model": f"@preset/{slug}"}, key=key)
    seeds = [received.json()["seed"] for received in simulator.requests()]
    assert seeds == [*range(5), 3, *range(5, 10), 8, *range(10, 15), 13, *range(15, 20), 18]
