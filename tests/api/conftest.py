"""Two gateways for the tests of a file, each of which keeps to slugs and keys of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.processes import Gateway, config_file, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator


@pytest.fixture(scope="module")
def shared_gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for a file, wired to the simulator as `simulated` says."""
    folder = tmp_path_factory.mktemp("gateway")
    config = config_file(folder, **simulated(simulator_process), settings={"metrics": True})
    started = Gateway(folder, config=config)
    yield started
    assert started.stop() == 0, started.log_text()


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """As the shared one, with a provider that takes server tools and a model that takes few parameters."""
    folder = tmp_path_factory.mktemp("gateway")
    tables = simulated(simulator_process)
    tables["providers"]["tools"] = {
        "dialect": "chat",
        "base_url": simulator_process.url("/t/v1"),
        "server_tools": True,
    }
    tables["models"]["few/model"] = {
        "endpoints": [{"provider": "other", "model": "few", "parameters": ["temperature", "service_tier"]}]
    }
    started = Gateway(folder, config=config_file(folder, **tables))
    yield started
    assert started.stop() == 0, started.log_text()
