"""Logs: one line per exchange, and what an operator must hear of. Ids and numbers, never bodies, prompts or keys."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from setpoint.server.telemetry.log_queue import QueueHandler

if TYPE_CHECKING:
    from setpoint.gateway.exchange import Exchange
    from setpoint.records import Generation
    from setpoint.routing.health import Notice, What

_exchanges = logging.getLogger("setpoint.exchange")
_providers = logging.getLogger("setpoint.provider")
_FIELDS = "setpoint_fields"
_WORD_CHARACTERS = 200
_MESSAGE_CHARACTERS = 4_000
_TRACE_CHARACTERS = 20_000
_json = msgspec.json.Encoder()


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["text", "json"] | None) -> None:
    """Write log lines to standard error, as text or JSON; None: text on a terminal, else JSON.

    Nothing that logs ever waits for whoever reads them. What is not written yet is written by `logging.shutdown`, which
    the interpreter calls at its end; a process that ends without it calls it itself.
    """
    as_json = form == "json" or (form is None and not sys.stderr.isatty())
    handler = QueueHandler(_Json() if as_json else _Text())
    root = logging.getLogger()
    for before in root.handlers:
        if isinstance(before, QueueHandler):
            before.close()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # What these say is either said by us already or quotes what clients and providers sent.
    for name in ("uvicorn.error", "uvicorn.access", "aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def dropped_lines() -> int:
    """How many lines of this process were dropped, because whoever reads them did not keep up."""
    handlers = logging.getLogger().handlers
    return sum(handler.queue.dropped for handler in handlers if isinstance(handler, QueueHandler))


def log_exchange(one: Generation, client: str | None = None) -> None:
    """One line for one exchange that has ended; `client` is the address that asked, where it is known."""
    if not _exchanges.isEnabledFor(logging.INFO):
        return
    fields: dict[str, Any] = {
        "id": one.id,
        "status": one.status,
        "skin": one.skin,
        "model": one.model,
        "provider": one.provider,
        "preset": f"{one.preset_slug}@{one.preset_version}" if one.preset_slug else None,
        "key": one.key_digest[:12],
        "client": client,
        "streamed": one.streamed,
        "attempts": len(one.attempts),
        "error": one.error_type,
        "input_tokens": one.usage.input_tokens if one.usage else None,
        "output_tokens": one.usage.output_tokens if one.usage else None,
        "cost": format(cost, "f") if (cost := one.total_cost) is not None else None,
        "first_event_ms": one.latency_ms,
        "total_ms": one.generation_ms,
    }
    _exchanges.info("exchange", extra={_FIELDS: {name: said for name, said in fields.items() if said is not None}})


_NOTICES: dict[What, tuple[int, str]] = {
    "key_refused": (logging.ERROR, "a provider refuses a configured key"),
    "no_quota": (logging.ERROR, "a provider says that there is no quota left"),
    "model_unknown": (logging.ERROR, "a provider does not know a configured model"),
    "breaker_open": (logging.WARNING, "an endpoint has failed repeatedly and is not asked for now"),
    "breaker_closed": (logging.INFO, "an endpoint answers again"),
}


def log_notice(notice: Notice) -> None:
    """One line for something that an operator must hear of."""
    level, message = _NOTICES[notice.what]
    fields = {"what": notice.what, "provider": notice.provider, "endpoint": notice.endpoint}
    if notice.key_id is not None:
        fields["key_id"] = notice.key_id
    _providers.log(level, message, extra={_FIELDS: fields})


def log_refused(one: Exchange) -> None:
    """One line for an exchange that has ended without having been sent to a provider."""
    if not _exchanges.isEnabledFor(logging.INFO):
        return
    fields = {
        "id": one.id,
        "status": "cancelled" if one.error is None else "refused",
        "skin": one.skin.name,
        "key": one.key.digest[:12],
        "client": one.caller.client,
        "streamed": one.stream,
        "error": one.error.type if one.error is not None else None,
        "total_ms": one.elapsed_ms,
    }
    _exchanges.info("refused", extra={_FIELDS: {name: said for name, said in fields.items() if said is not None}})


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": _cut(record.getMessage(), _MESSAGE_CHARACTERS),
        }
        fields: dict[str, Any] = getattr(record, _FIELDS, {})
        for name, content in fields.items():
            line[name] = _cut(content, _WORD_CHARACTERS) if isinstance(content, str) else content
        if record.exc_info:
            line["trace"] = _cut(self.formatException(record.exc_info), _TRACE_CHARACTERS)
        return _as_json(line)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        fields: dict[str, Any] = getattr(record, _FIELDS, {})
        said = "".join(f" {name}={_word(content)}" for name, content in fields.items())
        message = _plain(_cut(record.getMessage(), _MESSAGE_CHARACTERS))
        line = f"{at} {record.levelname.lower():7} {message}{said} pid={record.process}"
        return f"{line}\n{_cut(self.formatException(record.exc_info), _TRACE_CHARACTERS)}" if record.exc_info else line


def _cut(text: str, most: int) -> str:
    """A text that is no longer than so; where something is missing, its end says so."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def _word(content: Any) -> str:
    text = _cut(str(content), _WORD_CHARACTERS)
    return text if _is_plain(text) and " " not in text else _escaped(text)


def _plain(message: str) -> str:
    """A message on one line: whatever could break out of it is escaped."""
    return message if _is_plain(message) else _escaped(message)[1:-1]


def _as_json(line: dict[str, Any]) -> str:
    """A line as JSON, in visible ASCII only."""
    try:
        said = _json.encode(line).decode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return _escaped(line)
    return said if _is_plain(said) else _escaped(line)


def _escaped(content: Any) -> str:
    return json.dumps(content).replace("\x7f", "\\u007f")  # the one control character that JSON lets through


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
