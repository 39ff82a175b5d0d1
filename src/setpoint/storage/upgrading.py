"""Bringing an older database up to the tables of today. The only file that knows Alembic, beside the migrations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from setpoint.storage.database import Database

_FOLDER = Path(__file__).parent / "migrations"


def known() -> list[str]:
    """The migrations that this program knows, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def upgrade(database: Database) -> None:
    """Run every migration that the database has not seen, all of them or none.

    Raises: as `Database` does.
    """
    config = _config()
    with database.rebuild() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
