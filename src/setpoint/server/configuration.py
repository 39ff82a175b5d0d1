"""All that the user wrote, in use: read at the start, and again whenever it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from msgspec import Struct

from setpoint.ids import utc_now
from setpoint.providers.facts import Facts
from setpoint.providers.known import known
from setpoint.routing import catalog
from setpoint.settings import ConfigError, Loaded, Problem, read
from setpoint.settings.nodes import in_order


class Configuration(Struct, frozen=True):
    """Settings with their origins, the catalog, and what there is to warn about."""

    loaded: Loaded
    catalog: catalog.Catalog
    warnings: tuple[Problem, ...]

    @property
    def verify(self) -> set[bool | str]:
        """Whom its providers' certificates are verified by: True for the system's authorities, or a CA file."""
        return {provider.verify for provider in self.catalog.providers.values()}


def _today() -> date:
    return utc_now().date()


class Source(Struct, frozen=True):
    """Where the configuration comes from: the arguments of `settings.load`. `today` is the day whose prices count."""

    config: Path | None
    environ: Mapping[str, str]
    command_line: Mapping[str, object]
    today: Callable[[], date] = _today

    def read(self, content: bytes | None = None) -> Configuration:
        """What the user wrote, ready for use. `content` is the file's, when it was read already.

        Raises: `ConfigError` with all that is wrong, in the settings and in the tables of providers and models.
        """
        reading = read(self.config, self.environ, self.command_line, content)
        problems = list(reading.problems)
        try:
            made, warnings = catalog.build(reading.loaded, known(), self.environ, Facts(self.today()))
        except ConfigError as error:
            raise ConfigError([*problems, *error.problems]) from None
        if problems:
            raise ConfigError(problems)
        return Configuration(reading.loaded, made, in_order(warnings))
