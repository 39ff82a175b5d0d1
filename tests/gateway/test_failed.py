"""What is quoted of an upstream's failure: enough to be of use, and no key of its provider."""

from __future__ import annotations

import json

from setpoint.errors import ProviderError
from setpoint.gateway.failed import Failed
from setpoint.records import ProviderKey
from setpoint.routing.catalog import Catalog
from setpoint.routing.placing import Candidate
from setpoint.snapshot import SnapshotHolder
from support.records import endpoint, model

SECRET = "".join(f"k{number:04}" for number in range(800))  # as long as the tokens of some clouds


def candidate() -> Candidate:
    at = endpoint("acme", "acme/m")
    return Candidate(model("acme/m", at), at, ProviderKey(id="k", secret=SECRET), "chat")


def raised(body: bytes) -> ProviderError:
    failed = Failed(SnapshotHolder(Catalog(models={}, providers={}, aliases={}, offers={})))
    try:
        failed.check_status(candidate(), 500, {}, body)
    except ProviderError as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_long_key_is_not_cut_in_two_before_it_is_looked_for() -> None:
    gossip = {"error": {"message": f"I was sent {SECRET}"}, "headers": {"authorization": SECRET}}
    error = raised(json.dumps(gossip).encode())
    assert error.message == "Acme: I was sent [redacted]"
    assert error.raw == json.dumps(gossip).replace(SECRET, "[redacted]")
