"""A newer configuration while the server runs: no request fails, and a wrong one changes nothing."""

from __future__ import annotations

import copy
import os
import re
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.processes import config_file, simulated
from support.scrape import Scrape
from support.waiting import children, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

ASK = {"model": "fresh/model", "messages": [{"role": "user", "content": "hi"}]}
BY_WORKERS = pytest.mark.parametrize("workers", ["1", "2"])


def written(folder: Path, simulator: Simulator, **settings: Any) -> Path:
    """The configuration of the simulator with these settings."""
    return config_file(folder, **simulated(simulator), settings=settings)


def with_model(path: Path, name: str) -> None:
    """Add a model to the file."""
    content = yaml.safe_load(path.read_text("utf-8"))
    content["models"][name] = copy.deepcopy(content["models"]["sim/solo"])  # an alias is not taken
    path.write_text(yaml.safe_dump(content), "utf-8")


def everywhere(gateway: Gateway, model: str, status: int) -> bool:
    """Whether so many calls in a row, each on a connection of its own, all end so: no worker differs."""
    return all(gateway.call("POST", "/chat/completions", {**ASK, "model": model}).status == status for _ in range(12))


def says(gateway: Gateway, pattern: str) -> Callable[[], bool]:
    return lambda: re.search(pattern, gateway.process.stderr_text()) is not None


@BY_WORKERS
def test_a_changed_file_is_in_use_without_a_word(
    start_gateway: StartGateway, simulator: Simulator, tmp_path: Path, workers: str
) -> None:
    path = written(tmp_path, simulator)
    gateway = start_gateway(config=path, arguments=["--workers", workers])
    assert gateway.call("POST", "/chat/completions", ASK).status == 400
    with_model(path, "fresh/model")
    until(lambda: everywhere(gateway, "fresh/model", 200))
    assert gateway.stop() == 0


@BY_WORKERS
def test_a_wrong_file_is_refused_with_its_reasons_and_the_old_one_stays(
    start_gateway: StartGateway, simulator: Simulator, tmp_path: Path, workers: str
) -> None:
    path = written(tmp_path, simulator, metrics=True)
    gateway = start_gateway(config=path, arguments=["--workers", workers])
    right = path.read_text("utf-8")
    path.write_text(right + "\nsettings: {prot: 1, secret_key: canary-in-a-file}\nmodels: [", "utf-8")
    gateway.process.send_signal(signal.SIGHUP)
    until(says(gateway, r"the new configuration is refused, the old one stays: .*setpoint\.yaml"))
    assert everywhere(gateway, "sim/solo", 200)
    path.write_text(right.replace("sim/solo", "fresh/solo"), "utf-8")
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: everywhere(gateway, "fresh/solo", 200))
    assert "canary" not in gateway.log_text()
    path.write_text(right.replace("dialect: chat", "dialect: chat\n    verify: /nowhere/ca.pem", 1), "utf-8")
    gateway.process.send_signal(signal.SIGHUP)
    until(says(gateway, "the CA file /nowhere/ca.pem cannot be used"))
    path.unlink()
    gateway.process.send_signal(signal.SIGHUP)
    until(says(gateway, "cannot be read: No such file"))
    assert everywhere(gateway, "fresh/solo", 200)
    scrape = Scrape(gateway)
    assert scrape.get("setpoint_reloads_total", outcome="applied") == 1
    assert scrape.get("setpoint_reloads_total", outcome="refused") >= 3
    assert gateway.stop() == 0


@BY_WORKERS
def test_settings_change_in_place_and_those_that_cannot_are_named(
    start_gateway: StartGateway, simulator: Simulator, tmp_path: Path, workers: str
) -> None:
    path = written(tmp_path, simulator, log_format="json")
    gateway = start_gateway(config=path, arguments=["--workers", workers])
    big = {**ASK, "model": "sim/solo", "x_padding": "x" * 3000}
    assert gateway.call("POST", "/chat/completions", big).status == 200
    written(tmp_path, simulator, log_format="json", max_body_bytes=2000, max_headers=20, secret_key="another secret")
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: all(gateway.call("POST", "/chat/completions", big).status == 413 for _ in range(12)))
    many = {f"x-{at}": "y" for at in range(30)}
    until(lambda: all(gateway.call("GET", "/models", headers=many).status == 431 for _ in range(12)))
    until(says(gateway, "these settings change with the next start only: secret_key"))
    assert "another secret" not in gateway.log_text()
    assert gateway.stop() == 0


def test_reloads_under_load_fail_no_request_and_end_no_stream(
    start_gateway: StartGateway, simulator: Simulator, tmp_path: Path
) -> None:
    path = written(tmp_path, simulator)
    gateway = start_gateway(config=path, arguments=["--workers", "2"])
    done, statuses = threading.Event(), list[int]()

    def ask() -> None:
        while not done.is_set():
            answer = gateway.call("POST", "/chat/completions", {**ASK, "model": "sim/solo", "stream": True})
            statuses.append(answer.status if answer.body.endswith(b"data: [DONE]\n\n") else -1)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for at in range(5):
        with_model(path, f"fresh/model-{at}")
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda at=at: everywhere(gateway, f"fresh/model-{at}", 200))
    done.set()
    for thread in asking:
        thread.join()
    assert len(statuses) > 20
    assert set(statuses) == {200}
    assert gateway.stop() == 0


def test_a_worker_that_starts_after_a_reload_has_the_newer_configuration(
    start_gateway: StartGateway, simulator: Simulator, tmp_path: Path
) -> None:
    path = written(tmp_path, simulator)
    gateway = start_gateway(config=path, arguments=["--workers", "2"])
    with_model(path, "fresh/model")
    until(lambda: everywhere(gateway, "fresh/model", 200))
    before = children(gateway.pid)
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    until(lambda: len(children(gateway.pid)) == 2 and not children(gateway.pid) & before)
    until(lambda: everywhere(gateway, "fresh/model", 200))
