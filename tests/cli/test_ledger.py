"""`setpoint ledger verify`: what it prints, and what it returns."""

from __future__ import annotations

import argparse
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from setpoint.canonical.usage import Usage
from setpoint.cli.ledger import configure, run
from setpoint.server.process.serve import DATABASE_FILE
from setpoint.storage.generations import save_many
from setpoint.storage.tables import ledger, spend
from support import records

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.storage.database import Database


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(f"settings: {{data_dir: '{tmp_path}'}}")


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    return tmp_path / DATABASE_FILE


@pytest.fixture
def booked(database: Database) -> Database:
    """The database, with one entry."""
    tried = records.attempt(usage=Usage(input_tokens=3), cost=Decimal("0.5"))
    with database.write() as connection:
        save_many(connection, [records.generation(id="gen-1-a", attempts=(tried,))])
    return database


def verified(*more: str) -> int:
    parser = argparse.ArgumentParser()
    configure(parser)
    return run(parser.parse_args(["verify", "--config", "mine.yaml", *more]))


@pytest.mark.usefixtures("booked")
def test_books_that_close_are_said_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert verified() == 0
    assert capsys.readouterr().out.splitlines() == [
        "by attempt    0.5",
        "by preset     0.5",
        "by provider   0.5",
        "by key        0.5",
        "by workspace  0.5",
        "1 entries: the books close",
    ]


def test_what_does_not_close_is_told_line_by_line(booked: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with booked.write() as connection:
        connection.execute(sa.update(ledger).values(outcome="abandoned"))
        connection.execute(
            sa.update(spend).where(spend.c.scope == "workspace:w1", spend.c.period == "ever").values(requests=2)
        )
    assert verified() == 1
    assert capsys.readouterr().out.splitlines()[:6] == [
        "record gen-1-a|0",
        "  must be  outcome: answered",
        "  is       outcome: abandoned",
        "spend workspace:w1|ever",
        "  must be  requests: 1",
        "  is       requests: 2",
    ]


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified() == 2
    assert "there is no" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_tables_of_another_version_are_not_read(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    assert verified() == 2
    assert "start the server once" in capsys.readouterr().err


def test_a_file_that_is_wrong_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text("settings: {prot: 1}")
    assert verified() == 2
    assert "prot" in capsys.readouterr().err
