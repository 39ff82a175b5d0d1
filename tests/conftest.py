"""What tests run against: one simulator for the session, gateways as they are asked for, a database of one's own."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from setpoint.storage.database import Database
from setpoint.storage.schema import prepare
from support.processes import Gateway, SimulatorProcess, StartGateway, config_file, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from simulator.client import Simulator


# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("setpoint", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("setpoint")


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """The one simulator process of the session. Tests use `simulator`, which is cleared before each."""
    process = SimulatorProcess(tmp_path_factory.mktemp("simulator"))
    yield process.handle
    assert process.stop() == 0, process.process.stderr_text()
    assert process.process.stderr_text() == ""


@pytest.fixture
def simulator(simulator_process: Simulator) -> Iterator[Simulator]:
    """The simulator, as new; and left so, for tests that do without a script and do not ask for it."""
    simulator_process.clear()
    yield simulator_process
    simulator_process.clear()


@pytest.fixture(autouse=True)
def providers_are_well(request: pytest.FixtureRequest) -> Iterator[None]:
    """Behind a test with scripted faults the gateways that outlive it forget how their providers did."""
    if "simulator_process" not in request.fixturenames:
        yield
        return
    simulator: Simulator = request.getfixturevalue("simulator_process")
    simulator.unwell = False
    yield
    if simulator.unwell:
        used: dict[str, Any] = request.node.funcargs
        for gateway in {id(one): one for one in used.values() if isinstance(one, Gateway)}.values():
            if gateway.process.running:
                gateway.forget()


@pytest.fixture
def start_gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartGateway]:
    """Starts gateways, each with a data folder of its own unless one is given; all are stopped behind the test."""
    with ExitStack() as stack:

        def start(
            *,
            providers: Mapping[str, Any] | None = None,
            models: Mapping[str, Any] | None = None,
            settings: Mapping[str, Any] | None = None,
            **options: Any,
        ) -> Gateway:
            folder = tmp_path_factory.mktemp("gateway")
            wired = {"providers": providers, "models": models} if providers or models else simulated(simulator)
            options.setdefault("config", config_file(folder, **wired, settings=settings))
            gateway = Gateway(folder, **options)
            stack.callback(gateway.stop)
            return gateway

        yield start


@pytest.fixture(scope="module")
def shared_gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for all tests of a file, wired to the simulator as `simulated` says."""
    folder = tmp_path_factory.mktemp("gateway")
    gateway = Gateway(folder, config=config_file(folder, **simulated(simulator_process)))
    yield gateway
    assert gateway.stop() != -9, "the gateway had to be killed\n" + gateway.log_text()


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    """Where the database under test lies."""
    return tmp_path / "data" / "setpoint.db"


@pytest.fixture
def database(database_path: Path) -> Iterator[Database]:
    """The database under test, with its tables. Another engine is another line here."""
    database = Database.open(database_path)
    prepare(database)
    yield database
    database.close()
