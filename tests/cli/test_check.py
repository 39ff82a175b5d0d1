"""`setpoint check`: what it prints, what it returns, and what it never shows."""

from __future__ import annotations

import argparse
import hashlib
from typing import TYPE_CHECKING

import pytest

from setpoint.cli.check import configure, run
from setpoint.server.configuration import Source
from setpoint.settings import OPTIONS, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = (
    "settings: {port: 9000, secret_key: canary-sealing-key}\n"
    "providers:\n"
    "  groq: {api_key: canary-groq, headers: {X-A: canary-header}, proxy: 'http://u:canary@proxy.test'}\n"
    "  own: {dialect: chat, base_url: 'http://own.test/v1', enabled: false, verify: false}\n"
    "models:\n"
    "  a/m: {endpoints: [{provider: groq, pricing: {image: '0.1'}}]}\n"
)


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, and no provider's key in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI", "OPENROUTER", "GROQ", "MISTRAL"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)


def checked(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    configure(parser)
    return run(parser.parse_args(arguments))


def test_a_right_file_is_said_to_be_right_with_its_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text(GOOD)
    assert checked("--config", "mine.yaml") == 0
    assert capsys.readouterr().out.splitlines() == [
        "warning: mine.yaml:4: providers.own.verify: TLS is not verified; anyone on the way can read the key",
        "mine.yaml: nothing is wrong",
    ]


def test_no_file_is_right_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert checked() == 0
    assert capsys.readouterr().out == "no file: nothing is wrong\n"


def test_the_file_in_the_folder_is_checked_when_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "setpoint.yaml").write_text("settings: {prot: 1}")
    assert checked() == 1
    assert capsys.readouterr().out == ("setpoint.yaml:1: settings.prot: there is no such key, did you mean 'port'?\n")


def test_all_that_is_wrong_in_settings_and_tables_is_said_at_once_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETPOINT_PORT", "x")
    (tmp_path / "setpoint.yaml").write_text(
        "models: {m: {endpoints: [{provider: nobody}]}}\nproviders: {own: {}}\nsettings: {port: x, hsot: y}\n"
    )
    assert checked("--show") == 1
    said = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in said] == [
        *("setpoint.yaml:1:", "setpoint.yaml:2:", "setpoint.yaml:2:", "setpoint.yaml:3:", "setpoint.yaml:3:"),
        "SETPOINT_PORT:",
    ]


def test_show_prints_every_value_with_its_origin_and_masks_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETPOINT_API_KEY", "canary-canary-canary")
    monkeypatch.setenv("SETPOINT_LOG_LEVEL", "debug")
    monkeypatch.setenv("MISTRAL_API_KEY", "canary-mistral")
    (tmp_path / "mine.yaml").write_text(GOOD)
    assert checked("--config", "mine.yaml", "--show") == 0
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines()]
    assert "canary" not in said
    assert {row[0] for row in rows} >= set(OPTIONS)
    for row in (
        ["port", "9000", "mine.yaml:1"],
        ["log_level", "debug", "SETPOINT_LOG_LEVEL"],
        ["workers", "1", "default"],
        ["api_key", "********", "SETPOINT_API_KEY"],
        ["secret_key", "********", "mine.yaml:1"],
        ["total_timeout_s", "600", "default"],
        [
            "groq",
            "https://api.groq.com/openai/v1",
            "(key",
            f"groq:{hashlib.sha256(b'canary-groq').hexdigest()[:8]})",
            "mine.yaml:3",
        ],
        ["own", "http://own.test/v1", "(no", "key,", "disabled)", "mine.yaml:4"],
        ["setpoint", "-", "built", "in"],
        ["a/m", "groq"],
        ["setpoint/echo", "setpoint"],
    ):
        assert row in rows
    assert [row[-1] for row in rows if row[0] == "mistral"] == ["MISTRAL_API_KEY"]


def test_what_is_wrong_does_not_tell_a_secret_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETPOINT_API_KEY", "canary")
    monkeypatch.setenv("KEY", "canary\n")
    monkeypatch.setenv("GROQ_API_KEY", "canary\n")
    (tmp_path / "setpoint.yaml").write_text(
        "settings: {secret_key: '${KEY}', port: '${KEY}'}\nproviders: {openai: {api_key: '${KEY}', name: '${KEY}'}}\n"
    )
    assert checked() == 1
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 6
    assert "canary" not in said.out + said.err


def test_the_configuration_for_the_start_is_the_same_reading(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(GOOD)
    found = Source(tmp_path / "mine.yaml", {"SETPOINT_HOST": "::1"}, {"port": 1}).read()
    assert (found.loaded.settings.port, found.loaded.settings.host) == (1, "::1")
    assert found.catalog.find("groq/x") is not None
    assert len(found.warnings) == 1
    with pytest.raises(ConfigError) as caught:
        Source(None, {"SETPOINT_PORT": "x", "GROQ_API_KEY": "a b\n"}, {}).read()
    assert len(caught.value.problems) == 2
