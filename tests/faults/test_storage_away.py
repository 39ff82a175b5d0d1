"""Storage that is locked, slow, broken, read-only or full: answers go on, writes say so in time, nothing is lost."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from faults.storage_support import BODY, HANG_S, Patient, recorded, refused
from simulator import script
from support.disk import Disk, State, filled, small_disk
from support.processes import Gateway, Process, clean_environment, config_file, simulated
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from simulator.client import Simulator
    from support.processes import StartGateway


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """The disk of the database, under the gateway of this file."""
    return Disk(tmp_path_factory.mktemp("disk"), "setpoint.db")


@pytest.fixture(scope="module")
def gateway(disk: Disk, simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose database is on that disk."""
    folder = tmp_path_factory.mktemp("gateway")
    config = config_file(folder, **simulated(simulator_process))
    gateway = Gateway(folder, config=config, environment=disk.environment)
    yield gateway
    assert gateway.stop() == 0, gateway.log_text()


def test_connection_that_is_made_on_a_read_only_disk_does_not_stay_read_only(
    gateway: Gateway, disk: Disk, simulator: Simulator
) -> None:
    with disk.state(State.READ_ONLY):  # no record was written before, so this makes the recorder's connection
        simulator.script(script.ok())
        answer = gateway.call("POST", "/chat/completions", BODY)
        until(lambda: "the storage is away" in gateway.log_text())
    until(lambda: answer.json()["id"] in recorded(gateway.data_dir))


@pytest.mark.parametrize("state", [State.SLOW, State.BROKEN])
def test_disk_that_is_slow_or_broken(gateway: Gateway, disk: Disk, simulator: Simulator, state: State) -> None:
    patient = Patient(gateway, simulator)
    with disk.state(state):
        patient.suffer(reads_fail=True)
        patient.unknown_keys(300)
    patient.recover()


def test_disk_that_is_read_only(gateway: Gateway, disk: Disk, simulator: Simulator) -> None:
    patient = Patient(gateway, simulator)
    with disk.state(State.READ_ONLY):
        patient.suffer(reads_fail=False)
    patient.recover()


def test_file_that_another_process_has_locked(gateway: Gateway, simulator: Simulator, tmp_path: Path) -> None:
    patient = Patient(gateway, simulator)
    path = gateway.data_dir / "setpoint.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        environment = {
            **clean_environment(tmp_path),
            "SETPOINT_DATA_DIR": str(gateway.data_dir),
            "SETPOINT_API_KEY": "sk-sp-another-0123456789",
        }
        second = Process(
            [sys.executable, "-m", "setpoint", "serve", "--port", "0"], folder=tmp_path, environment=environment
        )
        patient.suffer(reads_fail=False)
        assert second.wait(HANG_S) == 1  # a start waits no longer than a write does
        assert second.stderr_text() == "setpoint: cannot start: database is locked\n"
    patient.recover()


def test_disk_that_is_full_of_everything(tmp_path: Path, start_gateway: StartGateway, simulator: Simulator) -> None:
    with small_disk(tmp_path / "disk", "12m") as disk:
        gateway = start_gateway(data_dir=disk)
        patient = Patient(gateway, simulator)
        with filled(disk):
            refused(patient.write("x" * 2_000_000))  # more than the log has room for
            fill_log(gateway)
            patient.infer(40)
            until(lambda: "the storage is away" in gateway.log_text())
            until(lambda: "the spool is away" in gateway.log_text())
            assert gateway.call("GET", "/presets").status == 200
        patient.recover()
        assert patient.write("x" * 100_000).status == 200
        assert gateway.stop() == 0
        assert list((disk / "spool").iterdir()) == []


def test_disk_that_is_full_of_the_database_and_a_spool_elsewhere(
    tmp_path: Path, start_gateway: StartGateway, simulator: Simulator
) -> None:
    with small_disk(tmp_path / "disk", "6m") as disk, small_disk(disk / "spool", "12m"):
        gateway = start_gateway(data_dir=disk)
        patient = Patient(gateway, simulator)
        with filled(disk):
            fill_log(gateway)
            patient.infer(40)
            until(lambda: "the storage is away" in gateway.log_text())
            gateway.kill()  # what waited in memory is gone now
        gateway = start_gateway(data_dir=disk)
        patient.all_recorded(disk)
        assert gateway.stop() == 0


def test_spool_on_a_disk_that_is_too_small_for_it(
    tmp_path: Path, start_gateway: StartGateway, simulator: Simulator
) -> None:
    with small_disk(tmp_path / "data" / "spool", "64k"):
        gateway = start_gateway(data_dir=tmp_path / "data")
        patient = Patient(gateway, simulator)
        patient.infer(120)
        patient.recover()
        until(lambda: "the spool is away" in gateway.log_text())
        until(lambda: patient.infer(1) and "the spool is back" in gateway.log_text())
        assert gateway.stop() == 0


def test_start_on_a_full_disk_is_refused_with_its_reason(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk, filled(disk):
        environment = {**clean_environment(tmp_path), "SETPOINT_DATA_DIR": str(disk)}
        process = Process(
            [sys.executable, "-m", "setpoint", "serve", "--port", "0"], folder=tmp_path, environment=environment
        )
        assert process.wait(HANG_S) == 1
        assert process.stderr_text().startswith("setpoint: cannot start: ")
        assert "No space left" in process.stderr_text() or "full" in process.stderr_text()


def fill_log(gateway: Gateway) -> None:
    """Write until the database's log has no room left, either."""
    for _ in range(200):
        answer = gateway.call("POST", "/keys", {"name": "x" * 200})
        if answer.status == 503:
            return
        assert answer.status == 201, answer.body
    raise AssertionError("the disk does not get full")
