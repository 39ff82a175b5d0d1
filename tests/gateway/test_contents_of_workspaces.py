"""Of which requests a workspace has prompts and answers kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from setpoint.gateway.contents import OFF, Contents, Sampling, own_sampling
from support import records

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.records import Content

KEY = records.key(digest="d" * 64)
ON: dict[str, Any] = {"is_observability_io_logging_enabled": True}


@pytest.mark.parametrize(
    ("home", "on", "share"),
    [
        ({}, False, 1),
        ({"io_logging_sampling_rate": 0.5, "io_logging_api_key_ids": ("d" * 64,)}, False, 1),
        (ON, True, 1),
        ({**ON, "io_logging_sampling_rate": 0.25}, True, 0.25),
        ({**ON, "io_logging_api_key_ids": ("e" * 64, "d" * 64)}, True, 1),
        ({**ON, "io_logging_api_key_ids": ("e" * 64,)}, False, 1),
    ],
)
def test_a_workspace_has_kept_what_it_asks_for(home: dict[str, Any], on: bool, share: float) -> None:
    assert own_sampling(records.workspace(**home), KEY) == Sampling(on=on, share=share)


def test_nobody_asks_for_anything_where_there_is_no_workspace() -> None:
    assert own_sampling(None, KEY) is OFF


def anyway(_id: str, _read: Callable[[], Content], _done: Callable[[], None]) -> bool:
    return True


@pytest.mark.parametrize("server", [0, 0.25, 0.5])
@pytest.mark.parametrize("own", [0, 0.25, 0.5])
def test_the_larger_share_of_the_servers_and_the_workspaces_is_kept(server: float, own: float) -> None:
    def kept(*shares: float) -> set[int]:
        contents = Contents(anyway)
        contents.sampling, said = (Sampling(on=share > 0, share=share) for share in shares)
        return {at for at in range(200) if contents.begin("gen-1", f"session {at}", said) is not None}

    assert kept(server, own) == kept(max(server, own), 0)
    assert bool(kept(server, own)) is (server > 0 or own > 0)
