"""The official clients for JavaScript, each over its own skins, in front of an upstream of each dialect.

One Node.js process a client asks in every way there is, of every dialect, and prints what it made of the answers.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clients.npm import NODE, NotInstalledError, installed
from clients.pair import anthropic_url
from clients.scenes import (
    HEARD_FIRST,
    HEARD_SECOND,
    LOOKS,
    QUESTION,
    RESULTS,
    SYSTEM,
    TELLS,
    THINKS,
    TOOL_DESCRIPTION,
    TOOL_NAME,
    TOOL_SCHEMA,
    expected,
    without_thoughts,
)
from support.processes import clean_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clients.pair import Pair
    from clients.said import Said
    from clients.upstreams import Dialect
    from support.processes import Gateway

    Ways = dict[str, tuple[Dialect, list[tuple[Said, bool]]]]

HERE = Path(__file__).parent
TOOL = {"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "parameters": TOOL_SCHEMA}

WHOLE = [(THINKS, False)]
STREAM = [(LOOKS, True)]
LOOP = [(LOOKS, False), (TELLS, False)]
STREAMED_LOOP = [(LOOKS, True), (TELLS, True)]
OPENAI: Ways = {
    "chat_create": ("chat", WHOLE),
    "chat_stream": ("chat", STREAM),
    "chat_run_tools": ("chat", LOOP),
    "response_create": ("responses", WHOLE),
    "response_stream": ("responses", STREAM),
    "response_tool_loop": ("responses", LOOP),
}
ANTHROPIC: Ways = {
    "create": ("messages", WHOLE),
    "stream": ("messages", STREAM),
    "tool_loop": ("messages", STREAMED_LOOP),
    "tool_runner": ("messages", LOOP),
}
OPENROUTER: Ways = {
    "chat_send": ("chat", WHOLE),
    "chat_stream": ("chat", STREAM),
    "chat_tool_loop": ("chat", LOOP),
    "response_send": ("responses", WHOLE),
    "response_stream": ("responses", STREAM),
    "response_tool_loop": ("responses", STREAMED_LOOP),
}
"""Each way to ask, in the order of the script: its skin, and what the upstream answers, streamed or not."""


@pytest.fixture(scope="session")
def npm_folder() -> Path:
    """The folder with the clients and our scripts beside them, where their imports are looked up."""
    try:
        folder = installed(HERE, "npm-sdk")
    except NotInstalledError as error:
        pytest.skip(f"the clients of tests/clients/package.json are not here: {error}")
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, folder)
    return folder


@pytest.mark.parametrize(
    ("client", "ways"),
    [("openai", OPENAI), ("anthropic", ANTHROPIC), ("openrouter", OPENROUTER)],
    ids=["openai", "anthropic", "openrouter"],
)
def test_npm_client_in_every_way(
    pairs_gateway: Gateway, pairs: Sequence[Pair], npm_folder: Path, tmp_path: Path, client: str, ways: Ways
) -> None:
    for pair in pairs:
        pair.says_each([answer for _, answers in ways.values() for answer in answers])
    facts = told_by(npm_folder / f"{client}.mjs", pairs_gateway, pairs, home=tmp_path)
    wanted = {way: as_json(skin, answers[-1][0]) for way, (skin, answers) in ways.items()}
    for pair in pairs:
        for way, told in facts[pair.model].items():
            assert told == wanted[way], f"{way} of {pair.model}: {told.get('error', told)}"
        assert list(facts[pair.model]) == list(ways)
    steps = {way: [HEARD_FIRST, HEARD_SECOND][: len(answers)] for way, (_, answers) in ways.items()}
    if "chat_run_tools" in steps:  # this helper keeps of an answer what its types know, so no reasoning
        steps["chat_run_tools"][1] = without_thoughts(HEARD_SECOND)
    for pair in pairs:
        assert pair.heard() == [request for requests in steps.values() for request in requests]


@pytest.mark.parametrize("folder", ["clients", "agents"])
def test_a_lock_holds_hashes_and_no_addresses(folder: str) -> None:
    text = (HERE.parent / folder / "package-lock.json").read_text("utf-8")
    assert "://" not in text
    packages: dict[str, Any] = json.loads(text)["packages"]
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []


def told_by(script: Path, gateway: Gateway, pairs: Sequence[Pair], *, home: Path) -> dict[str, Any]:
    """What a script prints of the answers that it gets."""
    asking = {
        "url": gateway.url,
        "anthropicUrl": anthropic_url(gateway),
        "key": gateway.key,
        "models": [pair.model for pair in pairs],
        "system": SYSTEM,
        "question": QUESTION,
        "tool": TOOL,
        "results": RESULTS,
    }
    done = subprocess.run(
        [NODE, str(script), json.dumps(asking)],
        env=clean_environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def as_json(skin: Dialect, said: Said) -> dict[str, Any]:
    """The expected facts in the form that the scripts print."""
    facts = expected(skin, said)
    counted = facts.tokens
    return {
        "text": facts.text,
        "calls": [list(call) for call in facts.calls],
        "stop": facts.stop,
        "tokens": [counted.input, counted.cached, counted.output, counted.reasoning],
    }
