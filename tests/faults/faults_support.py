"""A gateway in front of the simulator, with what every fault has in common: how it is asked, and what must hold after.

Three providers of the simulator are told apart by the path they are reached under: `alpha` at `/a`, `beta` at `/b`,
`gamma` at `/c`. `pair/model` is at alpha and then beta, `solo/alpha`, `solo/beta` and `solo/gamma` at one.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.http import Answer, Streaming, call, open_stream
from support.processes import KEY, Gateway, config_file

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from simulator.client import Received, Simulator

PROMPT = "What does the fault book say?"
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": PROMPT}]
PRICE = {"prompt": "0.000001", "completion": "0.000002"}
PROVIDERS = {"alpha": "/a", "beta": "/b", "gamma": "/c"}

HANG_S = 20
"""No test waits longer for anything: what takes so long hangs."""

_LOOK_AGAIN_S = 0.005
_SECRET = "5ec2e7c0ffee"


def secret(slug: str) -> str:
    """The credential that gateways in these tests send to a provider. No two are alike, none may ever be seen."""
    return f"sk-upstream-{slug}-{_SECRET}"


SECRETS = (KEY, _SECRET)


def provider(origin: str, slug: str, **more: Any) -> dict[str, Any]:
    """The table of a chat provider at this origin, under the path that its slug stands for."""
    base_url = f"{origin}{PROVIDERS[slug]}/v1"
    return {"name": slug.title(), "dialect": "chat", "base_url": base_url, "api_key": secret(slug), **more}


def providers(origin: str) -> dict[str, Any]:
    """All three, at one origin."""
    return {slug: provider(origin, slug) for slug in PROVIDERS}


def endpoint(slug: str, **more: Any) -> dict[str, Any]:
    """An endpoint at this provider, with a price."""
    return {"provider": slug, "model": f"{slug}-model", "pricing": PRICE, **more}


def in_line(*endpoints: dict[str, Any]) -> list[dict[str, Any]]:
    """Endpoints that are tried in just this order: all but the first are spare."""
    return [*endpoints[:1], *({**one, "weight": 0} for one in endpoints[1:])]


def models() -> dict[str, Any]:
    """The models that there always are."""
    pair = {"pair/model": {"endpoints": in_line(endpoint("alpha"), endpoint("beta"))}}
    return {**pair, **{f"solo/{slug}": {"endpoints": [endpoint(slug)]} for slug in PROVIDERS}}


class Front:
    """How one test asks the gateway. `verify`, behind the test, holds what must be so after any fault."""

    def __init__(self, gateway: Gateway, simulator: Simulator) -> None:
        self.gateway = gateway
        self.simulator = simulator
        self._url = gateway.url + "/chat/completions"
        self.logged_before = gateway.process.stderr_size()  # what a hundred tests have logged is not read again
        self._recorded: list[str] = []
        self._unrecorded: list[str] = []
        self._found: set[str] = set()
        self._seen: list[bytes] = []

    def ask(
        self,
        model: str = "solo/alpha",
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        recorded: bool = True,
        **fields: Any,
    ) -> Answer:
        """One chat request and its whole answer. `recorded` False: it is refused before anything goes upstream."""
        content = None if body is not None else {"model": model, "messages": MESSAGES, **fields}
        answer = call("POST", self._url, content, body=body, key=KEY, headers=headers, timeout_s=HANG_S)
        self._note(answer, recorded=recorded)
        return answer

    def stream(self, model: str = "solo/alpha", **more: Any) -> Answer:
        """The same, streamed."""
        return self.ask(model, stream=True, **more)

    def open(self, model: str = "solo/alpha", **fields: Any) -> Streaming:
        """A stream that is read as it comes; returns with the head of the answer."""
        content = {"model": model, "messages": MESSAGES, "stream": True, **fields}
        streaming = open_stream(self._url, content, key=KEY, timeout_s=HANG_S)
        self._note(Answer(streaming.status, streaming.headers, b""), recorded=True)
        return streaming

    def record(self, answer: Answer | Streaming | str) -> dict[str, Any]:
        """The generation record of an answer, as soon as it is there."""
        id_ = answer if isinstance(answer, str) else generation_id(answer)
        until = time.monotonic() + HANG_S
        while (found := self.gateway.call("GET", f"/generation?id={id_}")).status == 404 and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN_S)
        assert found.status == 200, found.body
        self._seen.append(found.body)
        assert found.json()["data"]["status"] in ("completed", "failed", "cancelled")
        self._found.add(id_)
        return found.json()["data"]

    def reached(self) -> list[str]:
        """The slugs of the providers that got requests, in order."""
        slugs = {path: slug for slug, path in PROVIDERS.items()}
        return [slugs[one.path[:2]] for one in self.simulator.requests()]

    def upstream(self) -> Received:
        """The one request that the simulator got."""
        (received,) = self.simulator.requests()
        return received

    def wait_for_line(self) -> str:
        """The id of the one exchange of this test whose id the client never learnt, as soon as it is in the log."""
        until = time.monotonic() + HANG_S
        while time.monotonic() < until:
            new = {line["id"] for line in self._lines()} - set(self._recorded)
            if new:
                (id_,) = new
                self._recorded.append(id_)
                return id_
            time.sleep(_LOOK_AGAIN_S)
        raise TimeoutError("no exchange ended")

    def forget(self) -> None:
        """Have the gateway forget how its providers did until now."""
        self.gateway.forget()

    def verify(self) -> None:
        """All that was asked ended once, with one record; nothing secret was shown; the gateway still answers.

        Where a provider failed, the gateway is made to forget it: the next test begins with providers that are well.
        """
        self.simulator.clear()
        good = generation_id(_good(self.gateway))
        log = self.gateway.settled_log_text(since=self.logged_before)
        until = time.monotonic() + HANG_S  # of several workers each has a log of its own to write
        asked = {good, *self._recorded}
        while asked - set(ended := [line["id"] for line in self._lines()]) and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN_S)
        for id_ in asked:
            assert ended.count(id_) == 1, f"{id_} ended {ended.count(id_)} times"
        for id_ in set(self._recorded) - self._found:
            self.record(id_)
        for id_ in self._unrecorded:
            assert self.gateway.call("GET", f"/generation?id={id_}").status == 404
        shown = [log.encode(), *self._seen]
        assert not [one for one in SECRETS for text in shown if one.encode() in text], "a secret was shown"
        assert PROMPT not in log
        assert [line for line in log.splitlines() if "unforeseen" in line] == []
        assert self.gateway.process.running
        if any("error" in line or line["attempts"] > 1 for line in self._lines()):
            self.forget()
        self.simulator.unwell = False  # whatever that did is forgotten

    def _note(self, answer: Answer, *, recorded: bool) -> None:
        (self._recorded if recorded else self._unrecorded).append(generation_id(answer))
        self._seen.append(answer.body + repr(answer.headers).encode())

    def _lines(self) -> list[dict[str, Any]]:
        *logged, _ = self.gateway.process.stderr_text(since=self.logged_before).split("\n")  # the last is being written
        return [line for it in logged if it[:1] == "{" and (line := json.loads(it))["message"] == "exchange"]


def _good(gateway: Gateway) -> Answer:
    content = {"model": "setpoint/echo", "messages": MESSAGES}
    answer = call("POST", gateway.url + "/chat/completions", content, key=KEY, timeout_s=HANG_S)
    assert answer.status == 200, answer.body
    return answer


@contextmanager
def serving(
    folders: pytest.TempPathFactory,
    simulator: Simulator,
    *,
    settings: Mapping[str, Any] | None = None,
    more_providers: Mapping[str, Any] | None = None,
    more_models: Mapping[str, Any] | None = None,
) -> Generator[Gateway]:
    """A gateway with the providers and models of this file, and more."""
    folder = folders.mktemp("gateway")
    config = config_file(
        folder,
        providers={**providers(simulator.origin), **(more_providers or {})},
        models={**models(), **(more_models or {})},
        settings=settings,
    )
    gateway = Gateway(folder, config=config)
    try:
        yield gateway
    finally:
        code = gateway.stop()
    log = gateway.log_text()
    assert code == 0, log
    assert not [secret for secret in SECRETS if secret in log], "a secret was shown"


# Fixtures that a file of tests takes by assigning them: `gateway = plain_gateway`, `front = front_of_gateway`.


@pytest.fixture(scope="module")
def plain_gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with the providers and models of this file, for all tests of the file that takes it."""
    with serving(tmp_path_factory, simulator_process) as gateway:
        yield gateway


@pytest.fixture
def front_of_gateway(gateway: Gateway, simulator: Simulator) -> Iterator[Front]:
    """The file's own `gateway`, for one test, behind which what must be so after any fault is held."""
    front = Front(gateway, simulator)
    yield front
    front.verify()


def peak_memory(gateway: Gateway) -> int:
    """The most memory that the gateway has ever held, in bytes."""
    status = Path(f"/proc/{gateway.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1_024


def cpu_seconds(gateway: Gateway) -> float:
    """The processor time that the gateway has taken so far."""
    fields = Path(f"/proc/{gateway.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- reading answers -----------------------------------------------------------------------------------------


def generation_id(answer: Answer | Streaming) -> str:
    """The id that the answer's header tells."""
    id_ = answer.header("x-generation-id")
    assert id_ is not None
    assert id_.startswith("gen-")
    return id_


def chunks(answer: Answer) -> list[Any]:
    """The chunks of a stream, which ends with `[DONE]`; comments are left out."""
    assert answer.status == 200, answer.body
    assert answer.header("content-type") == "text/event-stream"
    *frames, last = [frame for frame in answer.frames() if frame.data is not None]
    assert last.data == "[DONE]"
    return [frame.json() for frame in frames]


def said(answer: Answer, index: int = 0) -> str:
    """The text that one choice of a stream says."""
    return "".join(
        choice["delta"].get("content") or ""
        for chunk in chunks(answer)
        for choice in chunk["choices"]
        if choice["index"] == index
    )


def error_of(answer: Answer) -> Any:
    """The error of an answer that is one; its code is the status."""
    assert answer.header("content-type") == "application/json"
    error = answer.json()["error"]
    assert error["code"] == answer.status
    assert error["message"]
    return error


def stream_error(answer: Answer) -> Any:
    """The error that a stream ends with: the last chunk before `[DONE]`, and the only one."""
    *others, last = chunks(answer)
    assert not [chunk for chunk in others if "error" in chunk]
    assert last["id"] == generation_id(answer)
    assert last["object"] == "chat.completion.chunk"
    assert last["choices"] == [
        {"index": 0, "delta": {"content": ""}, "finish_reason": "error", "native_finish_reason": None}
    ]
    return last["error"]


def attempts(record: Mapping[str, Any]) -> list[tuple[str, int | None, str | None]]:
    """Who was tried, with which status, and with what error."""
    return [(one["provider_name"], one["status"], one["error_type"]) for one in record["provider_responses"]]
