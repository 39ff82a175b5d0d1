"""The table of options: every row reads what it should, and refuses what it should not."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from setpoint.settings import OPTIONS, Settings, masked, read, variable

# Each option: texts that it takes and what they read as, and texts that it does not take.
CASES: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "api_key": (
        {"x" * 16: "x" * 16, "12345678901234567890": "12345678901234567890"},
        ("x" * 15, " " * 20, "x" * 16 + "\n"),
    ),
    "host": ({"0.0.0.0": "0.0.0.0", "::": "::"}, (" ", "a\tb")),
    "port": ({"0": 0, "65535": 65535}, ("-1", "65536", "x", "1.0", "1e3", "9" * 5000)),
    "workers": ({"1": 1, "16": 16}, ("0", "257", "-1", "two", "2.0")),
    "watchdog_s": ({"null": None, "2.5": 2.5}, ("0", "-1", "never")),
    "data_dir": ({"/srv/setpoint": Path("/srv/setpoint"), "~/x": Path.home() / "x"}, ("a\x00b", " ")),
    "database_url": ({"null": None}, ("sqlite:///x.db", "postgresql://localhost/x")),
    "valkey_url": ({"null": None}, ("redis://localhost",)),
    "secret_key": ({"null": None, "s3cret key": "s3cret key"}, ("a\nb", " x", "\u00e9")),
    "default_model": ({"null": None, "openai/gpt-4o": "openai/gpt-4o", "llama3:8b": "llama3:8b"}, ("a b", "@preset/x")),
    "system_prompt_merge": ({"override": "override", "prepend": "prepend"}, ("append", "null")),
    "stream_commit_s": ({"2.5": 2.5, "1e1": 10.0}, ("0", "-1", "null", "nan", "inf", ".inf", "1e999", "ten")),
    "keep_alive_s": ({"1": 1.0}, ("0", "null")),
    "connect_timeout_s": ({"null": None, "0.5": 0.5}, ("0", "-1", "never")),
    "first_token_timeout_s": ({"null": None, "3": 3.0}, ("0", "x")),
    "idle_timeout_s": ({"null": None, "3": 3.0}, ("0", "x")),
    "total_timeout_s": ({"null": None, "3": 3.0}, ("0", "x")),
    "max_body_bytes": ({"1": 1}, ("0", "64MiB")),
    "max_answer_bytes": ({"1": 1}, ("0", "x")),
    "max_event_bytes": ({"1": 1}, ("0", "x")),
    "max_json_depth": ({"1": 1}, ("0", "x")),
    "max_json_members": ({"1": 1}, ("0", "x")),
    "max_concurrent_requests": ({"1": 1}, ("0", "x")),
    "max_header_bytes": ({"1": 1}, ("0", "x")),
    "max_headers": ({"1": 1}, ("0", "x")),
    "header_timeout_s": ({"1": 1.0}, ("0", "null")),
    "body_timeout_s": ({"0.5": 0.5}, ("0", "null")),
    "write_timeout_s": ({"1": 1.0}, ("0", "null")),
    "keep_alive_timeout_s": ({"1": 1.0}, ("0", "null")),
    "max_connections": ({"1": 1}, ("0", "x")),
    "shutdown_grace_s": ({"0.1": 0.1}, ("0", "null")),
    "retry_budget": ({"0": 0, "0.5": 0.5, "1": 1}, ("-0.1", "1.1", "x")),
    "default_output_reservation_tokens": ({"1": 1, "100000": 100_000}, ("0", "-1", "x")),
    "allow_unpriced_on_limited_keys": ({"true": True, "false": False}, ("1", "yes", "x")),
    "record_content": ({"true": True, "false": False}, ("1", "yes")),
    "record_content_sample": ({"0": 0, "0.25": 0.25, "1": 1}, ("-0.1", "1.1", "x")),
    "record_content_days": ({"90": 90, "0.5": 0.5}, ("0", "null", "nan")),
    "record_days": ({"null": None, "90": 90, "0.5": 0.5}, ("0", "-1", "36501", "nan", "30d")),
    "metrics": ({"true": True, "False": False}, ("yes", "1", "null")),
    "cors_origins": (
        {
            "https://a.example,http://b:8080/": ("https://a.example", "http://b:8080"),
            "https://a.example:443,http://[::1]:80,https://b:80": ("https://a.example", "http://[::1]", "https://b:80"),
            "*": ("*",),
        },
        ("a.example", "https://a.example/path", "https://", "https://a.example:x", "null"),
    ),
    "trusted_proxies": (
        {
            "10.0.0.0/8, ::1": ("10.0.0.0/8", "::1/128"),
            "10.1.2.3/8": ("10.0.0.0/8",),
        },
        ("proxy.example", "10.0.0.0/33", "*"),
    ),
    "show_upstream_errors": ({"true": True, "False": False}, ("yes", "1", "null")),
    "echo_interval_ms": ({"0": 0, "20": 20}, ("-1", "1.5")),
    "log_level": ({"debug": "debug", "error": "error"}, ("WARN", "none")),
    "log_format": ({"null": None, "json": "json", "text": "text"}, ("xml",)),
}


def given(name: str, text: str) -> tuple[Settings, list[str]]:
    """The settings when the environment gives one option, and what is wrong."""
    reading = read(Path("/dev/null"), {variable(name): text}, {})
    return reading.loaded.settings, [str(problem) for problem in reading.problems]


def test_every_option_has_a_case() -> None:
    assert list(CASES) == list(OPTIONS)
    assert list(OPTIONS) == list(Settings.__struct_fields__)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, (right, _) in CASES.items() for text in right])
def test_an_option_takes_what_is_of_its_kind(name: str, text: str) -> None:
    settings, problems = given(name, text)
    value = getattr(settings, name)
    assert problems == []
    assert value == CASES[name][0][text]
    field = next(field for field in msgspec.structs.fields(Settings) if field.name == name)
    assert msgspec.convert(value, field.type) == value


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, (_, wrong) in CASES.items() for text in wrong])
def test_an_option_refuses_what_is_not_and_keeps_its_default(name: str, text: str) -> None:
    settings, problems = given(name, text)
    assert len(problems) == 1
    assert problems[0].removeprefix(f"{variable(name)}: {name}").startswith((": ", "[0]: "))
    assert getattr(settings, name) == getattr(Settings(), name)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_message_never_quotes_the_value(name: str) -> None:
    _, problems = given(name, "\x01canary-value\x01")
    assert problems
    assert "canary" not in "".join(problems)


def test_another_database_says_that_it_is_not_built() -> None:
    assert given("database_url", "postgresql://me:pw@db/x")[1] == [
        "SETPOINT_DATABASE_URL: database_url: only the SQLite database in data_dir is built: leave it out"
    ]


@pytest.mark.parametrize("name", OPTIONS)
def test_every_row_says_what_it_is(name: str) -> None:
    row = OPTIONS[name]
    assert row.doc
    assert row.kind.words
    unit = re.search(r"_(s|ms|bytes)$", name)
    assert row.kind.unit == ({"s": "seconds", "ms": "milliseconds", "bytes": "bytes"}[unit[1]] if unit else "")


def test_defaults_are_those_of_the_manual() -> None:
    settings = Settings(data_dir=Path("x"))
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8787, 1)
    assert (settings.max_body_bytes, settings.max_answer_bytes, settings.max_event_bytes) == (1 << 26, 1 << 26, 1 << 25)
    timeouts = (
        *(settings.connect_timeout_s, settings.first_token_timeout_s),
        *(settings.idle_timeout_s, settings.total_timeout_s),
    )
    assert timeouts == (10, 60, 120, 600)
    assert Settings().data_dir.name == "setpoint"


def test_settings_do_not_show_their_secrets() -> None:
    settings = Settings(api_key="canary-canary-canary", secret_key="canary", host="h")
    assert "canary" not in repr(settings)
    assert "host=h" in repr(settings)
    assert masked("api_key", settings.api_key) == "********"
    assert masked("show_upstream_errors", False) == "false"
    assert masked("keep_alive_s", 2.5) == "2.5"
    assert masked("log_format", None) == "null"
