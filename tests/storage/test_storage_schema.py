"""The tables at the start: made, brought up, refused."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from msgspec import structs
from sqlalchemy.exc import OperationalError

from setpoint.canonical.usage import Usage
from setpoint.records import Cost
from setpoint.storage import generations, keys, upgrading
from setpoint.storage.database import Database
from setpoint.storage.ledger import entries
from setpoint.storage.schema import HEAD, SchemaError, prepare
from setpoint.storage.tables import activity, ledger, metadata, revision, spend

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.records import Generation, Preset
    from setpoint.storage.workspaces import Owner

STAMP = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)"


@pytest.fixture
def bare(database_path: Path) -> Iterator[Database]:
    """A database without any table."""
    database = Database.open(database_path)
    yield database
    database.close()


def run_sql(database: Database, *statements: str) -> None:
    with database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def tables_in(database: Database) -> sa.MetaData:
    found = sa.MetaData()
    with database.read() as connection:
        found.reflect(connection)
    return found


def differences(database: Database, expected: sa.MetaData) -> list[object]:
    with database.read() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), expected))


# The tables that are read back name each other in a circle, which is meant; ours say where it is to be cut.
@pytest.mark.filterwarnings("ignore:Cannot correctly sort tables")
def test_migrations_build_what_the_tables_say(bare: Database, tmp_path: Path) -> None:
    upgrading.upgrade(bare)
    made = Database.open(tmp_path / "made.db")
    prepare(made)
    assert differences(bare, metadata) == []
    assert differences(made, metadata) == []
    assert differences(made, tables_in(bare)) == []
    assert differences(bare, tables_in(made)) == []
    for database in (bare, made):
        with database.read() as connection:
            assert connection.execute(sa.select(revision)).all() == [(1, 0)]
            assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").all() == [(HEAD,)]
    made.close()


def test_comparison_would_see_a_difference(database: Database) -> None:
    run_sql(database, "DROP INDEX ix_presets_revision", "ALTER TABLE users ADD COLUMN more TEXT")
    assert len(differences(database, metadata)) == 2


def test_head_is_the_newest_migration() -> None:
    assert upgrading.known()[0] == HEAD


def test_start_without_an_upgrade_does_not_import_alembic(database_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from setpoint.storage.database import Database\n"
        "from setpoint.storage.schema import prepare\n"
        "for _ in range(2):\n"
        "    database = Database.open(Path(sys.argv[1])); prepare(database); database.close()\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(database_path)], check=True, timeout=60)


def test_preparing_again_changes_nothing(database: Database, capture: Callable[..., Preset]) -> None:
    capture("a")
    prepare(database)
    assert capture("a").designated.version == 2


def test_older_database_is_copied_and_brought_up(bare: Database, database_path: Path) -> None:
    run_sql(bare, STAMP, "CREATE TABLE mine (x)", "INSERT INTO mine VALUES (42)")
    prepare(bare)
    backup = database_path.with_name(f"setpoint.db.before-{HEAD}")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    copy = Database.open(backup)
    assert set(tables_in(copy).tables) == {"mine", "alembic_version"}
    copy.close()
    assert set(tables_in(bare).tables) == {"mine", "alembic_version", *metadata.tables}
    with bare.read() as connection:
        assert connection.exec_driver_sql("SELECT x FROM mine").all() == [(42,)]


def test_upgrade_that_breaks_off_leaves_the_old_database(bare: Database) -> None:
    run_sql(bare, STAMP, "CREATE TABLE versions (in_the_way)")
    with pytest.raises(OperationalError, match="already exists"):
        prepare(bare)
    assert set(tables_in(bare).tables) == {"versions", "alembic_version"}
    run_sql(bare, "DROP TABLE versions")
    prepare(bare)
    assert differences(bare, metadata) == []


OF_WORKSPACES = (
    *("revision", "deleted", "description", "default_text_model", "default_provider_sort", "include_byok_in_budgets"),
    *("is_observability_io_logging_enabled", "io_logging_sampling_rate", "io_logging_api_key_ids"),
)
TO_BEFORE_0004 = (
    *(
        f"DROP TABLE {name}"
        for name in ("contents", "rates", "leases", "spend", "activity", "ledger", "budgets", "facets")
    ),
    "DROP INDEX ix_workspaces_revision",
    *(f"DROP INDEX ix_generations_{by}" for by in ("workspace_id_created_at_id_facet", "facet_created_at_id")),
    "CREATE INDEX ix_generations_created_at ON generations (created_at)",
    "CREATE INDEX ix_generations_key_digest_created_at ON generations (key_digest, created_at)",
    *(
        f"ALTER TABLE generations DROP COLUMN {name}"
        for name in ("user_id", "metadata", "trace", "cost_drift", "facet")
    ),
    *(f"ALTER TABLE generations DROP COLUMN usage_{name}" for name in ("searches", "images")),
    *(f"ALTER TABLE keys DROP COLUMN {name}" for name in ('"limit"', "limit_reset", "include_byok_in_limit")),
    *(f"ALTER TABLE keys DROP COLUMN allowed_{name}" for name in ("presets", "models", "providers")),
    *(f"ALTER TABLE keys DROP COLUMN {name}_per_minute" for name in ("requests", "tokens")),
    *(f"ALTER TABLE workspaces DROP COLUMN {name}" for name in OF_WORKSPACES),
    "UPDATE alembic_version SET version_num = '0003'",
)
NEWER = {"user_id": "", "metadata": None, "trace": None, "cost_drift": False}
"""What records from before the books say of them."""
TO_BEFORE_0003 = (
    *TO_BEFORE_0004,
    *(f"ALTER TABLE generations DROP COLUMN {name}" for name in ("endpoints", "excluded", "zero_completion")),
    "DROP TABLE provider_keys",
)


def test_records_from_before_plans_were_kept_have_none(
    database: Database, make_generation: Callable[..., Generation]
) -> None:
    was = make_generation(endpoints=(), excluded=(), zero_completion=False, **NEWER)
    with database.write() as connection:
        generations.save_many(connection, [was])
    run_sql(database, *TO_BEFORE_0003, "UPDATE alembic_version SET version_num = '0002'")
    prepare(database)
    assert differences(database, metadata) == []
    with database.read() as connection:
        assert generations.get(connection, was.id, "w1") == was


def test_counts_from_before_there_was_a_cache_for_an_hour_are_kept(
    database: Database, make_generation: Callable[..., Generation]
) -> None:
    unplanned = {"endpoints": (), "excluded": (), "zero_completion": False, **NEWER}
    was = make_generation(usage=Usage(input_tokens=30, cache_write_tokens=20), **unplanned)
    none = make_generation(usage=None, **unplanned)
    with database.write() as connection:
        generations.save_many(connection, [was, none])
    run_sql(
        database,
        "ALTER TABLE generations DROP COLUMN usage_cache_write_1h_tokens",
        *TO_BEFORE_0003,
        "UPDATE alembic_version SET version_num = '0001'",
    )
    prepare(database)
    assert differences(database, metadata) == []
    with database.read() as connection:
        assert [generations.get(connection, one.id, "w1") for one in (was, none)] == [was, none]


def _silent_at_the_end(record: Generation) -> Generation:
    """The record with a last try that does not say what its answer used and cost."""
    *others, last = record.attempts
    return structs.replace(record, attempts=(*others, structs.replace(last, usage=None, cost=None)))


def test_generations_from_before_the_books_are_booked(
    database: Database, owner: Owner, now: datetime, make_generation: Callable[..., Generation]
) -> None:
    with database.write() as connection:
        key = keys.ensure(
            connection,
            digest="a" * 64,
            name="a",
            label="a",
            workspace_id=owner.workspace_id,
            creator_user_id=owner.user_id,
            now=now,
        )

    def cost(total: str) -> Cost:
        return Cost(prompt=Decimal(0), completion=Decimal(total), total=Decimal(total))

    mine = {"key_digest": key.digest, "workspace_id": key.workspace_id, **NEWER}
    answered = make_generation(cost=cost("0.10"), **mine)
    cheap = make_generation(cost=cost("0.000000000000000000000000000001"), **mine)
    theirs = make_generation(cost=None, provider_cost=Decimal("0.7"), **mine)
    unknown = make_generation(cost=None, provider_cost=None, status="cancelled", **mine)
    failed = make_generation(status="failed", usage=None, cost=None, **mine | {"attempts": answered.attempts[:1]})
    free = structs.replace(answered.attempts[0], usage=None, cost=None)
    refused = make_generation(status="failed", usage=None, cost=None, **mine | {"attempts": (free,)})
    old = [*map(_silent_at_the_end, (answered, cheap, theirs, unknown)), failed, refused]
    with database.write() as connection:
        generations.save_many(connection, old)
    run_sql(database, *TO_BEFORE_0004)
    prepare(database)
    assert differences(database, metadata) == []
    with database.read() as connection:
        found = connection.execute(sa.select(ledger).order_by(ledger.c.generation_id, ledger.c.position)).all()
        days = connection.execute(sa.select(activity)).all()
        sums = connection.execute(sa.select(spend).order_by(spend.c.scope, spend.c.period)).all()
    told = Decimal("0.0000012")  # by the first try of each, which failed
    assert [(row.generation_id, row.position, row.outcome, row.cost) for row in found] == [
        (answered.id, 0, "abandoned", told),
        (answered.id, 1, "answered", Decimal("0.10")),
        (cheap.id, 0, "abandoned", told),
        (cheap.id, 1, "answered", Decimal("0.000000000000000000000000000001")),
        (theirs.id, 0, "abandoned", told),
        (theirs.id, 1, "answered", Decimal("0.7")),
        (unknown.id, 0, "abandoned", told),
        (unknown.id, 1, "cancelled", None),
        (failed.id, 0, "abandoned", told),
    ]
    assert {row.user_id for row in found} == {key.creator_user_id}
    total = Decimal("0.800006000000000000000000000001")
    assert sum(Fraction(row.cost) for row in days) == sum(Fraction(row.charged) for row in days) == Fraction(total)
    assert (sum(row.requests for row in days), sum(row.unknown_cost_requests for row in days)) == (5, 1)
    assert sum(row.attempts for row in days) == 9
    at = answered.created_at
    assert [(row.scope, row.period, row.charged, row.requests) for row in sums] == [
        (scope, period, total, 5)
        for scope in (f"key:{key.digest}", f"workspace:{key.workspace_id}")
        for period in (f"{at:%Y-%m}", f"{at:%Y-%m-%d}", f"{at:%G-W%V}", "ever")
    ]
    assert {row.last_at for row in sums} == {failed.created_at}
    with database.read() as connection:
        for one in old:
            kept = generations.get(connection, one.id, one.workspace_id)
            assert kept is not None
            assert [entry.cost for entry in entries(kept)] == [row.cost for row in found if row.generation_id == one.id]


def test_database_from_the_future_is_refused_and_left_alone(database: Database) -> None:
    run_sql(database, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match=rf"newer Setpoint: its tables are at 9999, .* up to {HEAD}"):
        prepare(database)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").all() == [("9999",)]
    assert [path.name for path in database.path.parent.glob("*before*")] == []


def test_database_of_something_else_is_refused(bare: Database) -> None:
    run_sql(bare, "CREATE TABLE songs (title)")
    with pytest.raises(SchemaError, match="not one of Setpoint's"):
        prepare(bare)
    assert set(tables_in(bare).tables) == {"songs"}


def test_package_may_lie_where_the_path_has_a_percent_sign(tmp_path: Path, database_path: Path) -> None:
    package = Path(upgrading.__file__).parents[1]
    shutil.copytree(package, tmp_path / "50% off" / "setpoint", ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import sys; from pathlib import Path; from setpoint.storage.database import Database\n"
        "from setpoint.storage.upgrading import upgrade\n"
        "database = Database.open(Path(sys.argv[1])); upgrade(database); database.close()\n"
        "assert '%' in sys.modules['setpoint'].__file__"
    )
    command = [sys.executable, "-c", program, str(database_path)]
    subprocess.run(command, check=True, timeout=60, env=os.environ | {"PYTHONPATH": str(tmp_path / "50% off")})


def test_path_may_hold_what_has_a_meaning_elsewhere(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "50%(x)s off?#" / "setpoint.db")
    upgrading.upgrade(database)
    assert differences(database, metadata) == []
    assert (tmp_path / "50%(x)s off?#" / "setpoint.db").stat().st_size > 0
    database.close()
