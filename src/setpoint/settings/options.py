"""Every option of the server itself: one row each, from which the parser, the environment's names and the manual come.

An option comes into being with what honours it, not before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import platformdirs
from msgspec import Struct, field

from setpoint.settings.addresses import NETWORKS, ORIGINS
from setpoint.settings.kinds import (
    BOOLEAN,
    CREDENTIAL,
    MODEL_ID,
    NAME,
    PATH,
    SECONDS,
    Kind,
    KindError,
    integer,
    number,
    or_null,
    scalar,
    word,
)
from setpoint.settings.rows import Row, rows_of

if TYPE_CHECKING:
    from setpoint.settings.nodes import Scalar

ENVIRONMENT = "the environment"

_LEAST_API_KEY = 16
_MOST_WORKERS = 256

# --- kinds that only one option has --------------------------------------------------------------------------


def _api_key(node: Scalar) -> str:
    text = node.text
    if len(text) < _LEAST_API_KEY or not text.isprintable() or text != text.strip():
        raise KindError
    return text


def _not_built(what: str) -> Kind:
    def parse(node: Scalar) -> object:
        del node
        raise KindError(f"{what}: leave it out")

    # It may hold a password, though nothing is ever taken from it.
    return Kind("null", or_null(scalar("null", parse)).read, secret=True)


_API_KEY = scalar(f"a printable string of at least {_LEAST_API_KEY} characters", _api_key, secret=True)
_BYTES = integer(1, unit="bytes")
_COUNT = integer(1)
_LIMIT = or_null(SECONDS)
_SHARE = number("a number from 0 to 1", lambda share: 0 <= share <= 1)
_DAYS = number("a number of days greater than 0 and up to 36500", lambda days: 0 < days <= 36_500)


def _data_dir() -> Path:
    return platformdirs.user_data_path("setpoint", appauthor=False)


# --- the options ---------------------------------------------------------------------------------------------


class Settings(Struct, frozen=True, kw_only=True):
    """The options of the server, each with its default. Numbers of seconds say so in their name."""

    api_key: Annotated[
        str | None,
        Row(
            _API_KEY,
            "ensured as an admin key at every start, instead of a key made at the first",
            only=ENVIRONMENT,
            at_start=True,
        ),
    ] = None
    host: Annotated[str, Row(NAME, "the address it listens on", at_start=True)] = "127.0.0.1"
    port: Annotated[int, Row(integer(0, 65535), "the port it listens on; 0 takes a free one", at_start=True)] = 8787
    workers: Annotated[
        int, Row(integer(1, _MOST_WORKERS), "processes that serve, all on the one address", at_start=True)
    ] = 1
    watchdog_s: Annotated[
        float | None,
        Row(
            _LIMIT,
            "a worker whose event loop stands still for this long is replaced, when there are several",
            at_start=True,
        ),
    ] = 30
    data_dir: Annotated[
        Path,
        Row(
            PATH,
            "the folder of the database and the secret key; by default the platform's own for user data",
            at_start=True,
        ),
    ] = field(default_factory=_data_dir)
    database_url: Annotated[
        str | None, Row(_not_built("only the SQLite database in data_dir is built"), "null: SQLite in data_dir")
    ] = None
    valkey_url: Annotated[
        str | None, Row(_not_built("shared state in Valkey is not built yet"), "null: nothing is shared")
    ] = None
    secret_key: Annotated[
        str | None,
        Row(
            or_null(CREDENTIAL),
            "seals provider keys and keys the hash of end users' ids; null: made in data_dir at the first start",
            at_start=True,
        ),
    ] = None
    default_model: Annotated[
        str | None, Row(or_null(MODEL_ID), "the model of a request that names neither model nor preset")
    ] = None
    system_prompt_merge: Annotated[
        Literal["override", "prepend"],
        Row(
            word("override", "prepend"),
            "when both a preset and a request bring a system prompt: the request's alone, or the preset's before it",
        ),
    ] = "override"
    stream_commit_s: Annotated[
        float, Row(SECONDS, "after this long without a first event a stream is answered 200 and kept alive")
    ] = 10
    keep_alive_s: Annotated[float, Row(SECONDS, "silence in a stream before a keep-alive comment or ping")] = 10
    connect_timeout_s: Annotated[float | None, Row(_LIMIT, "to connect to an upstream; null: no limit")] = 10
    first_token_timeout_s: Annotated[
        float | None, Row(_LIMIT, "to an upstream stream's first event; null: no limit")
    ] = 60
    idle_timeout_s: Annotated[float | None, Row(_LIMIT, "between the bytes of an upstream stream; null: no limit")] = (
        120
    )
    total_timeout_s: Annotated[
        float | None, Row(_LIMIT, "for an upstream answer that is not streamed; null: no limit")
    ] = 600
    max_body_bytes: Annotated[int, Row(_BYTES, "a request's body, also decompressed; beyond it 413")] = 67_108_864
    max_answer_bytes: Annotated[
        int, Row(_BYTES, "an upstream answer that is not streamed, decompressed; beyond it 502")
    ] = 67_108_864
    max_event_bytes: Annotated[
        int, Row(_BYTES, "one event of an upstream stream; beyond it an error in the stream")
    ] = 33_554_432
    max_json_depth: Annotated[int, Row(_COUNT, "nesting of a request's JSON; beyond it 400")] = 256
    max_json_members: Annotated[int, Row(_COUNT, "members of one object or array of a request; beyond it 400")] = (
        100_000
    )
    max_concurrent_requests: Annotated[
        int, Row(_COUNT, "inference requests in work at a time; beyond it 503, or 529 on messages")
    ] = 1000
    max_header_bytes: Annotated[int, Row(_BYTES, "all headers of a request; beyond it 431")] = 65_536
    max_headers: Annotated[int, Row(_COUNT, "the number of a request's headers; beyond it 431")] = 100
    header_timeout_s: Annotated[
        float, Row(SECONDS, "for a request's head, from its first byte or from the accept; beyond it 408 or close")
    ] = 10
    body_timeout_s: Annotated[float, Row(SECONDS, "between the pieces of a request's body; beyond it 408")] = 30
    write_timeout_s: Annotated[
        float, Row(SECONDS, "how long a client may take nothing of what waits for it; beyond it its connection ends")
    ] = 60
    keep_alive_timeout_s: Annotated[float, Row(SECONDS, "how long an idle client connection is kept")] = 75
    max_connections: Annotated[
        int, Row(_COUNT, "client connections of one worker; beyond it 503, but for `/health`")
    ] = 10_000
    shutdown_grace_s: Annotated[float, Row(SECONDS, "how long open streams may go on after SIGTERM")] = 30
    retry_budget: Annotated[
        float,
        Row(
            _SHARE,
            "further tries at providers in trouble, as a share of the requests; two a second may always be",
        ),
    ] = 0.2
    default_output_reservation_tokens: Annotated[
        int,
        Row(
            integer(1),
            "the output limit in tokens, under a limit of money or tokens, where neither request nor endpoint has one",
        ),
    ] = 4_096
    allow_unpriced_on_limited_keys: Annotated[
        bool, Row(BOOLEAN, "whether endpoints without a price may be used under a limit of money, which counts nothing")
    ] = False
    record_content: Annotated[
        bool, Row(BOOLEAN, "whether prompts and answers are kept, for admins at `GET /generation/content`")
    ] = False
    record_content_sample: Annotated[
        float, Row(_SHARE, "of which share of the conversations they are kept, by their session ids")
    ] = 1
    record_content_days: Annotated[float, Row(_DAYS, "how long they are kept")] = 30
    record_days: Annotated[
        float | None,
        Row(
            or_null(_DAYS),
            "how long records of generations are kept; null: for ever. What they cost stays in the ledger",
        ),
    ] = None
    metrics: Annotated[
        bool, Row(BOOLEAN, "whether `GET /metrics` is there, for keys of the roles `admin` and `read_only`")
    ] = False
    cors_origins: Annotated[
        tuple[str, ...],
        Row(ORIGINS, "whose pages may call the inference and model routes from a browser, without credentials"),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...], Row(NETWORKS, "whose `X-Forwarded-For` is believed about a client's address")
    ] = ()
    show_upstream_errors: Annotated[
        bool, Row(BOOLEAN, "whether errors show the upstream's own words, as `metadata.raw`")
    ] = False
    echo_interval_ms: Annotated[
        int, Row(integer(0, unit="milliseconds"), "pause between the pieces of the echo model's stream")
    ] = 0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Row(word("debug", "info", "warning", "error"), "the least level that is logged"),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"] | None,
        Row(or_null(word("text", "json")), "how log lines are written; null: text on a terminal, else json"),
    ] = None

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={masked(name, getattr(self, name))}" for name in OPTIONS)
        return f"Settings({said})"


OPTIONS = rows_of(Settings)
"""The options by name."""


def variable(name: str) -> str:
    """The environment's name of an option."""
    return f"SETPOINT_{name.upper()}"


def masked(name: str, value: object) -> str:
    """An option's value as people may see it: a secret is `********`."""
    if value is None:
        return "null"
    if OPTIONS[name].kind.secret:
        return "********"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, cast('tuple[object, ...]', value)))}]"
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)
