"""What the fuzzer runs: every way of a body or a stream through the protocols, and what must hold for each.

A way may refuse what it is given with a typed error. It may not raise anything else, and what it writes is JSON.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, get_args

import msgspec
from msgspec import structs

from setpoint.canonical.usage import Usage
from setpoint.errors import GatewayError, ProviderError, RequestError
from setpoint.presets.capture import capture
from setpoint.presets.diff import diff
from setpoint.presets.merge import resolve
from setpoint.presets.receipt import receipt
from setpoint.protocols.answer import Bill, Opening, Stamp, StreamFailedError
from setpoint.protocols.failures import reported_in
from setpoint.protocols.forward import lower
from setpoint.protocols.names import Named, ToolNames
from setpoint.protocols.registry import PROTOCOLS
from setpoint.protocols.translate import read_answer, read_stream
from setpoint.records import Cost, Dialect
from setpoint.wire.body import MalformedError, as_pointer, join, split
from setpoint.wire.shown import readable
from setpoint.wire.sse import FrameReader, FrameTooLargeError
from support.records import endpoint, provider, version

if TYPE_CHECKING:
    from random import Random

    from setpoint.presets.capture import Captured
    from setpoint.protocols.base import Room
    from setpoint.wire.body import Body

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

_PROVIDER = provider(dialects=DIALECTS)
_OPEN = endpoint(_PROVIDER)
ENDPOINTS = (
    _OPEN,
    structs.replace(_OPEN, parameters=frozenset({"max_completion_tokens", "tools", "tool_choice", "reasoning_effort"})),
    structs.replace(
        _OPEN,
        provider=structs.replace(
            _PROVIDER, takes=frozenset({"user", "service_tier", "provider", "cache_control"}), reasoning_form="effort"
        ),
    ),
    structs.replace(_OPEN, provider=structs.replace(_PROVIDER, server_tools=True, reasoning_back="content")),
)
_NAMES = ToolNames(
    {
        "run": Named("run", "custom"),
        "box__look": Named("look", "function", "box"),
        "local_shell": Named("local_shell", "local_shell"),
    }
)
_BILL = Bill(
    Usage(input_tokens=7, output_tokens=3, cached_tokens=2, reasoning_tokens=1),
    Cost(prompt=Decimal("0.1"), completion=Decimal("0.2"), total=Decimal("0.3")),
    Decimal("0.3"),
)
_BEFORE = version(config=b'{"tools":[{"type":"function","function":{"name":"f"}}],"stop":"a","reasoning":{"x":{}}}')
_BROKEN = ProviderError("provider_unavailable", "the provider broke off")
_STOPPING = GatewayError("server", "x")
_check = msgspec.json.Decoder()


class BrokenPromiseError(AssertionError):
    """Something was written that is not what it should be."""


def run_request(data: bytes, skin_name: Dialect, dice: Random) -> None:
    """A request body on its way through a preset's capture and merge, and to an endpoint of any dialect."""
    if dice.random() < _RARELY:
        skin_name = dice.choice(DIALECTS)
    skin, dialect = PROTOCOLS[skin_name], PROTOCOLS[dice.choice(DIALECTS)]
    try:
        body = split(data)
        skin.check(body, creating=True)
        captured = capture(skin, body, None)
        _is_json(captured.config)
        _has_a_receipt(skin, body, captured)
        skin.check(body, creating=False)
        effective = resolve(skin, body, None, default_model="acme/sage").body
        _written(skin.estimated_input(effective) >= 0, "a count below zero")
        stream = dice.random() < _HALF
        lowered = lower(effective, dice.choice(ENDPOINTS), skin=skin, dialect=dialect, stream=stream, identity_key=b"k")
        _is_json(join(lowered.body))
    except (RequestError, MalformedError):
        return


def _has_a_receipt(skin: Room, body: Body, captured: Captured) -> None:
    """What a capture says of a body that it has taken in: whatever else is in that, and of every field."""
    try:
        told = receipt(skin, body, None, captured)
        changed = diff(_BEFORE, structs.replace(_BEFORE, config=captured.config, system_prompt=captured.system_prompt))
    except MalformedError as error:
        raise BrokenPromiseError(f"a receipt cannot be made: {error}") from error
    _is_json(msgspec.json.encode([told, changed]))
    paths = {one.path for one in told.fields}
    _written(paths >= {readable(as_pointer(name)) for name in body}, "a field is not accounted for")


_HALF = 0.5
_RARELY = 0.05


def run_answer(data: bytes, dialect_name: Dialect, dice: Random) -> None:
    """A whole answer of an upstream on its way to a client of any skin."""
    skin, dialect = PROTOCOLS[dice.choice(DIALECTS)], PROTOCOLS[dialect_name]
    try:
        body = split(data)
        if reported_in(body) is not None:
            return
        result = read_answer(body, skin=skin, dialect=dialect, names=_NAMES)
    except (ProviderError, StreamFailedError, MalformedError):
        return
    _is_json(result.write(_opening(dice, {}), _BILL, None))


def run_stream(data: bytes, dialect_name: Dialect, dice: Random) -> None:
    """A streamed answer of an upstream on its way to a client of any skin, in pieces of any length."""
    skin, dialect = PROTOCOLS[dice.choice(DIALECTS)], PROTOCOLS[dialect_name]
    edited = read_stream(_opening(dice, {}), skin=skin, dialect=dialect, names=_NAMES)
    reader, written = FrameReader(1 << 20), b""
    step = dice.choice((1 << 20, 1 << 20, 97, 13))
    try:
        for at in range(0, len(data), step):
            for frame in reader.feed(data[at : at + step]):
                written += edited.read(frame)
    except (ProviderError, StreamFailedError, FrameTooLargeError):
        written += edited.fail(_BROKEN, None)
    else:
        written += edited.end(_BILL, None) if edited.terminal else edited.fail(_STOPPING, None)
    _is_stream(written)


def _opening(dice: Random, request: Body) -> Opening:
    return Opening(
        stamp=Stamp("gen-1", "acme/sage", "Acme", 1_767_225_600),
        request=request,
        new_id=lambda prefix: f"{prefix}{dice.getrandbits(32):08x}",
    )


def _is_json(data: bytes) -> None:
    try:
        _check.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        try:
            json.loads(data)
        except ValueError as error:
            raise BrokenPromiseError(f"no JSON: {data[:400]!r}") from error


def _is_stream(data: bytes) -> None:
    for frame in FrameReader(1 << 26).feed(data):
        if frame.data != b"[DONE]":
            _is_json(frame.data)


def _written(good: bool, problem: str) -> None:
    if not good:
        raise BrokenPromiseError(problem)
