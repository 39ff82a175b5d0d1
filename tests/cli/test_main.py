"""The command itself: its subcommands, and what it says where only the light part is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import setpoint

SOURCE = Path(setpoint.__file__).parents[1]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "setpoint", *words], capture_output=True, text=True, timeout=60, check=False
    )


def run_light(*words: str) -> subprocess.CompletedProcess[str]:
    """As after `pip install setpoint`: an interpreter that sees nothing but the package and its standard library."""
    code = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from setpoint.cli.main import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_version_is_the_packages_own() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"setpoint {setpoint.__version__}\n")


def test_help_names_every_subcommand() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in ("serve", "check", "echo", "demo"):
        assert f"\n    {name} " in done.stdout


def test_an_unknown_subcommand_is_an_error_that_lists_the_known_ones() -> None:
    done = run("sreve")
    assert done.returncode == 2
    assert "serve" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["serve", "check", "echo"])
def test_the_light_part_says_what_to_install(name: str) -> None:
    done = run_light(name)
    assert done.returncode == 2
    assert "pip install 'setpoint[server]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_light_part_still_knows_its_version_and_its_help() -> None:
    assert run_light("--version").stdout == f"setpoint {setpoint.__version__}\n"
    assert run_light("--help").returncode == 0
