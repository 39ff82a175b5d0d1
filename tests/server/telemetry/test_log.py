"""Log lines: one an exchange, on one line whatever it quotes, without bodies, prompts or keys."""

from __future__ import annotations

import json
import logging
import os
from contextlib import redirect_stderr
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setpoint.canonical.usage import Usage
from setpoint.records import Attempt, Cost, Generation
from setpoint.server.telemetry.log import configure, log_exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 4, 20, 10, tzinfo=UTC)
QUIET = ("uvicorn.error", "uvicorn.access", "aiohttp", "asyncio")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What a test configures ends with it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    for made in root.handlers:
        if made not in handlers:
            made.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def generation(**more: Any) -> Generation:
    everything: dict[str, Any] = {
        **dict.fromkeys(Generation.__struct_fields__),
        "id": "gen-1",
        "created_at": NOW,
        "skin": "chat",
        "status": "completed",
        "workspace_id": "w1",
        "key_digest": "0123456789abcdef" * 4,
        "model": "acme/sage",
        "provider": "acme",
        "streamed": True,
        "cancelled": False,
        "unsaid": (),
        "not_honoured": (),
        "attempts": (
            Attempt(
                provider="acme",
                provider_name="Acme",
                model="acme/sage",
                upstream_model="sage-2",
                tag="acme",
                key_id="k1",
                status=200,
                error=None,
                latency_ms=5,
                usage=Usage(input_tokens=11, output_tokens=12),
                cost=Decimal("1E-7"),
            ),
        ),
    }
    return Generation(**(everything | more))


def flush() -> None:
    for handler in logging.getLogger().handlers:
        handler.flush()


def written(capsys: pytest.CaptureFixture[str]) -> str:
    flush()
    return capsys.readouterr().err


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return written(capsys).splitlines()


def test_an_exchange_is_one_line_of_ids_and_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    log_exchange(
        generation(
            preset_slug="triage",
            preset_version=7,
            usage=Usage(input_tokens=11, output_tokens=12),
            cost=Cost(prompt=Decimal("1E-7"), completion=Decimal(0), total=Decimal("1E-7")),
            latency_ms=31,
            generation_ms=310,
            external_user="ann@example.com",
            user_agent="secret agent",
            http_referer="https://a.test/?token=x",
            session_id="s1",
        )
    )
    [line] = lines(capsys)
    said = json.loads(line)
    datetime.fromisoformat(said.pop("at"))
    assert said == {
        "level": "info",
        "logger": "setpoint.exchange",
        "message": "exchange",
        "id": "gen-1",
        "pid": os.getpid(),
        "status": "completed",
        "skin": "chat",
        "model": "acme/sage",
        "provider": "acme",
        "preset": "triage@7",
        "key": "0123456789ab",
        "streamed": True,
        "attempts": 1,
        "input_tokens": 11,
        "output_tokens": 12,
        "cost": "0.0000001",
        "first_event_ms": 31,
        "total_ms": 310,
    }


def test_what_is_not_known_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    log_exchange(generation(status="failed", error_type="timeout", attempts=()))
    [line] = lines(capsys)
    said = json.loads(line)
    assert said["error"] == "timeout"
    assert not {"cost", "input_tokens", "preset", "first_event_ms"} & said.keys()


def test_text_says_the_same_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text")
    log_exchange(generation(preset_slug="triage", preset_version=7, latency_ms=31))
    [line] = lines(capsys)
    assert (
        " info    exchange id=gen-1 status=completed skin=chat model=acme/sage provider=acme preset=triage@7 " in line
    )
    assert line.endswith(f" first_event_ms=31 pid={os.getpid()}")


def test_off_a_terminal_the_form_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", None)
    log_exchange(generation())
    [line] = lines(capsys)
    assert json.loads(line)["id"] == "gen-1"


@pytest.mark.parametrize("level", ["warning", "error"])
def test_exchanges_are_not_logged_above_their_level(level: Any, capsys: pytest.CaptureFixture[str]) -> None:
    configure(level, "json")
    log_exchange(generation())
    logging.getLogger("setpoint.server").error("broken")
    assert [json.loads(line)["message"] for line in lines(capsys)] == ["broken"]


def test_the_libraries_below_us_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")
    for name in QUIET:
        logging.getLogger(name).error("GET /v1/key?key=sk-secret")
    assert lines(capsys) == []


NASTY = "a\nb\r\x1b[31mc\x00\x7f\u2028d\ud800 e"


@pytest.mark.parametrize("form", ["text", "json"])
def test_whatever_is_quoted_stays_on_its_line(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", form)
    log_exchange(generation(model=NASTY, provider=NASTY))
    logging.getLogger("setpoint.server").warning("said %s", NASTY)
    said = written(capsys)
    assert said.count("\n") == 2
    assert said.isascii()
    assert said.replace("\n", "").isprintable()


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_is_quoted_is_cut_and_says_so(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", form)
    log_exchange(generation(model="x" * 100_000, provider="é" * 100_000))
    [line] = lines(capsys)
    assert len(line) < 2_500
    assert "100000 characters" in line
    logging.getLogger("setpoint.server").warning("said %s", "é" * 1_000_000)
    assert len(written(capsys)) < 30_000


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_unforeseen_error_comes_with_its_trace(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", form)
    try:
        raise RuntimeError("here")
    except RuntimeError:
        logging.getLogger("setpoint.server").exception("unforeseen")
    said = written(capsys)
    assert "RuntimeError: here" in said
    assert "Traceback" in said
    assert said.count("\n") == 1 or form == "text"


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=20), st.sampled_from(["text", "json"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_is_too_strange_for_one_line(name: str, form: Any) -> None:
    with redirect_stderr(StringIO()) as stream:
        configure(form=form, level="info")
        log_exchange(generation(model=name, provider=name, preset_slug=name, preset_version=1))
        flush()
    [line, rest] = stream.getvalue().split("\n")
    assert rest == ""
    assert line.isascii()
    assert line.isprintable()


def test_a_record_that_cannot_be_put_into_words_fails_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    logging.getLogger("library").error("%d of a secret", "sk-1")
    line = json.loads(written(capsys))
    assert (line["level"], line["message"]) == ("error", "a line of library failed: TypeError")
