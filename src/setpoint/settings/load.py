"""Brings together what a user wrote: defaults, file, environment, command line; each wins over those before it.

All that is wrong is collected, also in values that another source overrides.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import UNSET, Struct, structs

from setpoint.settings.document import MAX_BYTES, Document, parse
from setpoint.settings.kinds import MEMBERS, or_null, read_as
from setpoint.settings.nodes import ConfigError, Members, Node, Place, Problem, Report, Scalar, in_order, nearest
from setpoint.settings.options import ENVIRONMENT, OPTIONS, Settings, variable
from setpoint.settings.rows import Row, Table, known_row, read_table

DEFAULT_FILE = "setpoint.yaml"
CONFIG_VARIABLE = "SETPOINT_CONFIG"

_PREFIX = "SETPOINT_"


class Loaded(Struct, frozen=True, kw_only=True):
    """What the user wrote: the settings, where each of them came from, and the tables of providers and models.

    `origins` has a place for each setting that is not a default. `config` is the file, None when there was none.
    """

    settings: Settings
    origins: Mapping[str, Place]
    providers: Members
    models: Members
    config: Path | None


class Reading(Struct, frozen=True):
    """What was read, with a default for each value that is wrong, and all that is wrong."""

    loaded: Loaded
    problems: tuple[Problem, ...]


class _File(Table, frozen=True, kw_only=True):
    """The keys of the file."""

    settings: Annotated[Members | None, Row(or_null(MEMBERS), "options of the server")] = None
    providers: Annotated[Members | None, Row(or_null(MEMBERS), "who runs models, by slug")] = None
    models: Annotated[Members | None, Row(or_null(MEMBERS), "models, by the id that clients write")] = None


class _Given(Struct, frozen=True):
    """One value for an option, from one of the sources."""

    name: str
    node: Node
    origin: Place
    source: str
    path: str


def load(config: Path | None, environ: Mapping[str, str], command_line: Mapping[str, object]) -> Loaded:
    """What the user wrote. Raises: `ConfigError` with all that is wrong with it.

    `config` is the file that the command line names. Without one it is SETPOINT_CONFIG's, else `setpoint.yaml` in the
    working folder, when it is there. `command_line` is options by name; None there means that it was not given.
    """
    reading = read(config, environ, command_line)
    if reading.problems:
        raise ConfigError(reading.problems)
    return reading.loaded


def read(
    config: Path | None, environ: Mapping[str, str], command_line: Mapping[str, object], content: bytes | None = None
) -> Reading:
    """As `load`, but what is wrong is told beside what could be read.

    `content` is what stands in the file, when it was read already.
    """
    report = Report()
    path = _find(config, environ)
    document = _read_file(path, environ, report, content)
    file = None if document.members is None else read_table(_File, document.members, "", report)
    given = [
        *_from_file(file, report),
        *_from_environment(environ, document.variables, report),
        *_from_command_line(command_line, report),
    ]
    values: dict[str, object] = {}
    origins: dict[str, Place] = {}
    for entry in given:
        row = OPTIONS[entry.name]
        if row.only is not None and entry.source != row.only:
            report.wrong(entry.origin, f"{entry.path}: is taken from {row.only} only: {variable(entry.name)}")
            continue
        value = read_as(row.kind, entry.node, entry.path, report)
        if value is not UNSET:
            values[entry.name] = value
            origins[entry.name] = entry.origin
    nothing = Members((), Place(str(path) if path else DEFAULT_FILE))
    loaded = Loaded(
        settings=structs.replace(Settings(), **values),
        origins=origins,
        providers=(file and file.providers) or nothing,
        models=(file and file.models) or nothing,
        config=path,
    )
    return Reading(loaded, in_order(report.problems))


# --- the sources ---------------------------------------------------------------------------------------------


def _find(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = environ.get(CONFIG_VARIABLE)
    if config is not None:
        return config
    if named:
        return Path(named)
    default = Path(DEFAULT_FILE)
    return default if default.exists() else None


def _read_file(path: Path | None, environ: Mapping[str, str], report: Report, content: bytes | None) -> Document:
    if path is None:
        return Document(None, frozenset())
    try:
        data = read_content(path) if content is None else content
    except OSError as error:
        report.wrong(Place(str(path)), f"cannot be read: {error.strerror or type(error).__name__}")
        return Document(None, frozenset())
    return parse(data, str(path), environ, report)


def read_content(path: Path) -> bytes:
    """The bytes of a configuration file, cut short where it is larger than one can be. Raises: `OSError`."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _from_file(file: _File | None, report: Report) -> list[_Given]:
    if file is None or file.settings is None:
        return []
    return [
        _Given(row.name, node, key.place, "the file", f"settings.{row.name}")
        for key, node in file.settings.entries
        if (row := known_row(OPTIONS, key, "settings", report)) is not None
    ]


def _from_environment(environ: Mapping[str, str], taken: frozenset[str], report: Report) -> list[_Given]:
    """The options that the environment gives. An empty variable counts as none, as shells and containers mean it.

    An unknown SETPOINT_… is an error, unless the file itself takes it as `${SETPOINT_…}`.
    """
    options = {variable(name): name for name in OPTIONS}
    given: list[_Given] = []
    for name in sorted(environ):
        if name in options and environ[name]:
            place = Place(name)
            node = Scalar(environ[name], place, "given")
            given.append(_Given(options[name], node, place, ENVIRONMENT, options[name]))
        elif name.startswith(_PREFIX) and name not in options and name not in taken and name != CONFIG_VARIABLE:
            report.wrong(Place(name), f"there is no such option{nearest(name, options)}")
    return given


def _from_command_line(command_line: Mapping[str, object], report: Report) -> list[_Given]:
    given: list[_Given] = []
    for name, value in command_line.items():
        place = Place("--" + name.replace("_", "-"))
        if value is None:
            continue
        node = Scalar(str(value), place, "given")
        if known_row(OPTIONS, Scalar(name, place, "given"), "", report) is not None:
            given.append(_Given(name, node, place, "the command line", name))
    return given
