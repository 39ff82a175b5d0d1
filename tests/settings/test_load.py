"""What wins over what, what is unknown, and that everything wrong is told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from setpoint.settings import ConfigError, Loaded, load, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(
    text: str,
    tmp_path: Path,
    environ: Mapping[str, str] | None = None,
    command_line: Mapping[str, object] | None = None,
) -> Loaded:
    file = tmp_path / "f.yaml"
    file.write_text(text)
    return load(file, environ or {}, command_line or {})


def problems(
    text: str,
    tmp_path: Path,
    environ: Mapping[str, str] | None = None,
    command_line: Mapping[str, object] | None = None,
) -> list[str]:
    """What is wrong, with the folder taken out."""
    with pytest.raises(ConfigError) as caught:
        loaded(text, tmp_path, environ, command_line)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]


# --- ranks ---------------------------------------------------------------------------------------------------

SOURCES: dict[str, tuple[str, dict[str, str], dict[str, int]]] = {
    "file": ("settings: {port: 1001}", {}, {}),
    "environment": ("", {"SETPOINT_PORT": "1002"}, {}),
    "command line": ("", {}, {"port": 1003}),
}


@pytest.mark.parametrize(
    ("sources", "port", "origin"),
    [
        ((), 8787, None),
        (("file",), 1001, "f.yaml:1"),
        (("environment",), 1002, "SETPOINT_PORT"),
        (("command line",), 1003, "--port"),
        (("file", "environment"), 1002, "SETPOINT_PORT"),
        (("file", "command line"), 1003, "--port"),
        (("environment", "command line"), 1003, "--port"),
        (("file", "environment", "command line"), 1003, "--port"),
    ],
)
def test_the_command_line_wins_over_the_environment_over_the_file_over_defaults(
    sources: tuple[str, ...], port: int, origin: str | None, tmp_path: Path
) -> None:
    text = "".join(SOURCES[source][0] for source in sources)
    environ = {name: value for source in sources for name, value in SOURCES[source][1].items()}
    command_line = {name: value for source in sources for name, value in SOURCES[source][2].items()}
    found = loaded(text, tmp_path, environ, command_line)
    assert found.settings.port == port
    place = found.origins.get("port")
    assert (str(place).removeprefix(f"{tmp_path}/") if place else None) == origin


def test_a_value_that_is_overridden_is_still_looked_at(tmp_path: Path) -> None:
    assert problems("settings: {port: x}", tmp_path, {"SETPOINT_PORT": "1"}) == [
        "f.yaml:1: settings.port: must be an integer from 0 to 65535"
    ]


def test_an_option_that_was_not_given_on_the_command_line_is_none(tmp_path: Path) -> None:
    assert loaded("settings: {port: 1}", tmp_path, {}, {"port": None, "log_level": None}).settings.port == 1


def test_an_empty_variable_counts_as_none(tmp_path: Path) -> None:
    assert loaded("settings: {port: 1}", tmp_path, {"SETPOINT_PORT": "", "SETPOINT_LOG_LEVEL": ""}).settings.port == 1


def test_null_in_a_nearer_source_takes_a_limit_away(tmp_path: Path) -> None:
    found = loaded("settings: {idle_timeout_s: 5}", tmp_path, {"SETPOINT_IDLE_TIMEOUT_S": "null"})
    assert found.settings.idle_timeout_s is None


# --- which file ----------------------------------------------------------------------------------------------


def test_the_file_is_the_named_one_else_the_variable_s_else_the_one_in_the_folder(tmp_path: Path) -> None:
    assert load(None, {}, {}).config is None
    for port, name in ((1, "setpoint.yaml"), (2, "variable.yaml"), (3, "named.yaml")):
        (tmp_path / name).write_text(f"settings: {{port: {port}}}")
    variable = {"SETPOINT_CONFIG": str(tmp_path / "variable.yaml")}
    assert load(None, {}, {}).settings.port == 1
    assert load(None, variable, {}).settings.port == 2
    assert load(tmp_path / "named.yaml", variable, {}).settings.port == 3


@pytest.mark.parametrize("source", ["argument", "variable"])
def test_a_file_that_is_named_and_is_not_there_is_an_error(source: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    with pytest.raises(ConfigError, match=r"missing\.yaml: cannot be read: No such file or directory"):
        load(missing if source == "argument" else None, {"SETPOINT_CONFIG": str(missing)}, {})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {}, {})


# --- unknown names and wrong sources -------------------------------------------------------------------------


def test_an_unknown_name_is_told_with_its_line_and_the_nearest_one(tmp_path: Path) -> None:
    assert problems("settings:\n  prot: 1\n  zzz: 2\nprovider: {}\n", tmp_path) == [
        "f.yaml:2: settings.prot: there is no such key, did you mean 'port'?",
        "f.yaml:3: settings.zzz: there is no such key",
        "f.yaml:4: provider: there is no such key, did you mean 'providers'?",
    ]


def test_an_unknown_variable_of_ours_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    assert problems("", tmp_path, {"SETPOINT_PROT": "1", "OTHER_PORT": "1"}) == [
        "SETPOINT_PROT: there is no such option, did you mean 'SETPOINT_PORT'?"
    ]


def test_a_variable_of_ours_that_the_file_takes_is_known(tmp_path: Path) -> None:
    found = loaded("settings: {port: '${SETPOINT_MY_PORT}'}", tmp_path, {"SETPOINT_MY_PORT": "5"})
    assert found.settings.port == 5


def test_an_unknown_option_of_the_command_line_is_told(tmp_path: Path) -> None:
    assert problems("", tmp_path, {}, {"prot": 1}) == ["--prot: prot: there is no such key, did you mean 'port'?"]


def test_the_api_key_is_taken_from_the_environment_only(tmp_path: Path) -> None:
    key = "canary-canary-canary"
    assert loaded("", tmp_path, {"SETPOINT_API_KEY": key}).settings.api_key == key
    message = "api_key: is taken from the environment only: SETPOINT_API_KEY"
    assert problems(f"settings: {{api_key: {key}}}", tmp_path) == [f"f.yaml:1: settings.{message}"]
    assert problems("", tmp_path, {}, {"api_key": key}) == [f"--api-key: {message}"]


# --- types in the file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('port: "8787"', "settings.port: must be an integer from 0 to 65535, without quotes"),
        ("port: [1]", "settings.port: must be an integer from 0 to 65535"),
        ("port:", "settings.port: must be an integer from 0 to 65535"),
        ("host: 12", "settings.host: must be a string: put it in quotes"),
        ("host: no", "settings.host: must be a string: put it in quotes"),
        ("host: true", "settings.host: must be a string: put it in quotes"),
        ("host: null", "settings.host: must be a string of printable characters, not empty"),
        ('workers: "1"', "settings.workers: must be an integer from 1 to 256, without quotes"),
        ('show_upstream_errors: "true"', "settings.show_upstream_errors: must be true or false"),
        ("show_upstream_errors: yes", "settings.show_upstream_errors: must be true or false"),
        ('idle_timeout_s: "null"', "settings.idle_timeout_s: must be a number of seconds greater than 0, or null"),
        ("log_level: warn", "settings.log_level: must be one of debug, info, warning, error, did you mean 'warning'?"),
    ],
)
def test_a_wrong_type_is_told_with_its_line(written: str, problem: str, tmp_path: Path) -> None:
    assert problems(f"settings:\n  keep_alive_s: 1\n  {written}\n", tmp_path) == [f"f.yaml:3: {problem}"]


@pytest.mark.parametrize("written", ["${PORT}", '"${PORT}"'])
def test_a_variable_is_read_as_what_the_option_asks_for(written: str, tmp_path: Path) -> None:
    assert loaded(f"settings:\n  port: {written}\n", tmp_path, {"PORT": "99"}).settings.port == 99


@pytest.mark.parametrize("text", ["", "settings:", "settings: {}\nproviders:\nmodels: null\n"])
def test_sections_may_be_empty(text: str, tmp_path: Path) -> None:
    found = loaded(text, tmp_path)
    assert found.settings.port == 8787
    assert found.providers.entries == found.models.entries == ()


@pytest.mark.parametrize("section", ["settings", "providers", "models"])
def test_a_section_is_a_table(section: str, tmp_path: Path) -> None:
    assert problems(f"{section}: [a]", tmp_path) == [f"f.yaml:1: {section}: must be a table, or null"]


# --- all at once ---------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_in_the_order_of_lines_and_nothing_twice(tmp_path: Path) -> None:
    text = (
        "settings:\n  port: 99999\n  secret_key: ${NOT_THERE}\n  hots: x\n  port: 1\n  log_level: loud\nprovders: {}\n"
    )
    environ = {"SETPOINT_WORKERS": "none", "SETPOINT_PORTS": "1"}
    found = problems(text, tmp_path, environ)
    assert [problem.split(" ")[0] for problem in found] == [
        *("f.yaml:2:", "f.yaml:3:", "f.yaml:4:", "f.yaml:5:", "f.yaml:6:", "f.yaml:7:"),
        *("SETPOINT_PORTS:", "SETPOINT_WORKERS:"),
    ]


def test_reading_tells_what_is_wrong_beside_what_can_be_had(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("settings: {port: x, host: h}\nproviders: {a: {}}\n")
    reading = read(file, {}, {})
    assert len(reading.problems) == 1
    assert (reading.loaded.settings.port, reading.loaded.settings.host) == (8787, "h")
    assert [key.text for key, _ in reading.loaded.providers.entries] == ["a"]


def test_an_error_of_the_file_says_all_of_it_in_words() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {"SETPOINT_PORT": "x", "SETPOINT_HSOT": "y"}, {})
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    assert len(caught.value.problems) == 2
