"""A gateway in front of an upstream of each dialect, and the handle by which tests of clients hold one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clients.pair import Pair, pairs_config, verify
from clients.upstreams import DIALECTS, Dialect
from support.processes import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator


@pytest.fixture(scope="session")
def pairs_gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for all tests of clients."""
    folder = tmp_path_factory.mktemp("gateway")
    gateway = Gateway(folder, config=pairs_config(folder, simulator_process))
    yield gateway
    assert gateway.stop() == 0, gateway.log_text()


@pytest.fixture
def pairs(pairs_gateway: Gateway, simulator: Simulator) -> Iterator[list[Pair]]:
    """The gateway in front of every dialect; nothing is asked there more often than the test says."""
    made = [Pair(pairs_gateway, simulator, dialect) for dialect in DIALECTS]
    yield made
    verify(made, simulator)


@pytest.fixture(params=DIALECTS)
def pair(request: pytest.FixtureRequest, pairs: list[Pair]) -> Pair:
    """The gateway in front of each dialect in turn."""
    dialect: Dialect = request.param
    return next(made for made in pairs if made.dialect == dialect)


@pytest.fixture
def others(pair: Pair, pairs: list[Pair]) -> list[Pair]:
    """The same gateway in front of the other two."""
    return [other for other in pairs if other is not pair]
