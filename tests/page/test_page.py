"""The page of the API in a browser's document model: all of it can be opened, and requests can be sent from it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clients.npm import NODE, NotInstalledError, installed
from support.http import call
from support.processes import clean_environment

if TYPE_CHECKING:
    from support.processes import Gateway

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def seen(shared_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a reader found on the page."""
    try:
        folder = installed(HERE, "page")
    except NotInstalledError as error:
        pytest.skip(str(error))
    script = Path(shutil.copy(HERE / "page.mjs", folder))
    command = [NODE, str(script), shared_gateway.origin, shared_gateway.key]
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env=clean_environment(home)
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_that_is_documented_can_be_opened(seen: dict[str, Any], shared_gateway: Gateway) -> None:
    paths = call("GET", f"{shared_gateway.origin}/openapi.json").json()["paths"]
    documented = {
        operation["operationId"] for item in paths.values() for method, operation in item.items() if method != "servers"
    }
    assert set(seen["operations"]) == documented
    assert seen["forms"] == sum(not name.startswith("head") for name in documented)
    assert seen["errors"] == []


def test_the_search_finds_by_every_word(seen: dict[str, Any]) -> None:
    assert seen["found"] == ["postPresetsBySlugChatCompletions"]


def test_requests_go_out_with_the_key_of_the_reader_and_nowhere_else(seen: dict[str, Any]) -> None:
    assert seen["refused"][0] == "401"
    assert seen["listed"][0] == "200"
    assert json.loads(seen["listed"][1])["data"]
    assert seen["missing"][0] == "404"
    assert [to for _, to, _ in seen["asked"]] == [
        "/api/v1/openapi.json",
        "/api/v1/keys",
        "/api/v1/keys?offset=0",
        "/api/v1/keys/a%2Fb",
        "/api/v1/chat/completions",
    ]
    assert "Authorization" not in seen["asked"][1][2]
    assert seen["asked"][2][2]["Authorization"].startswith("Bearer sk-")


def test_a_stream_is_shown_as_the_text_that_it_is(seen: dict[str, Any]) -> None:
    status, shown = seen["streamed"]
    assert status == "200"
    assert shown.rstrip().endswith("data: [DONE]")
    assert seen["bold"] == 0


def test_an_example_has_what_is_required(seen: dict[str, Any]) -> None:
    assert seen["example"] == {"name": ""}
