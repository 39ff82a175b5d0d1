"""Logs: one line per exchange, and what an operator must hear of. Ids and numbers, never bodies, prompts or keys."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from setpoint.records import Generation

_exchanges = logging.getLogger("setpoint.exchange")
_FIELDS = "setpoint_fields"
_WORD_CHARACTERS = 200


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["text", "json"] | None) -> None:
    """Write log lines to standard error, as text or JSON; None: text on a terminal, else JSON."""
    as_json = form == "json" or (form is None and not sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if as_json else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # What these say is either said by us already or quotes what clients and providers sent.
    for name in ("uvicorn.error", "uvicorn.access", "aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def log_exchange(one: Generation) -> None:
    """One line for one exchange that has ended."""
    if not _exchanges.isEnabledFor(logging.INFO):
        return
    fields: dict[str, Any] = {
        "id": one.id,
        "status": one.status,
        "model": one.model,
        "provider": one.provider,
        "preset": f"{one.preset_slug}@{one.preset_version}" if one.preset_slug else None,
        "key": one.key_digest[:12],
        "streamed": one.streamed,
        "attempts": len(one.attempts),
        "error": one.error_type,
        "input_tokens": one.usage.input_tokens if one.usage else None,
        "output_tokens": one.usage.output_tokens if one.usage else None,
        "cost": format(one.cost.total, "f") if one.cost else None,
        "first_event_ms": one.latency_ms,
        "total_ms": one.generation_ms,
    }
    _exchanges.info("exchange", extra={_FIELDS: {name: said for name, said in fields.items() if said is not None}})


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        fields: dict[str, Any] = getattr(record, _FIELDS, {})
        said = "".join(f" {name}={_word(content)}" for name, content in fields.items())
        line = f"{at} {record.levelname.lower():7} {_plain(record.getMessage())}{said}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _word(content: Any) -> str:
    text = str(content)[:_WORD_CHARACTERS]
    return text if text.isascii() and text.isprintable() and " " not in text else json.dumps(text)


def _plain(message: str) -> str:
    """A message on one line: whatever could break out of it is escaped."""
    return message if message.isprintable() else json.dumps(message)[1:-1]
