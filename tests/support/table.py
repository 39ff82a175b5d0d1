"""The server's own table of routes, for tests that walk it. Its handlers are never called: they need no parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.server.routes.activity import Activity
from setpoint.server.routes.budgets import Budgets
from setpoint.server.routes.catalog.models import Models
from setpoint.server.routes.contents import Contents
from setpoint.server.routes.documents import Documents
from setpoint.server.routes.explain import Explain
from setpoint.server.routes.generations import Generations
from setpoint.server.routes.health import Health
from setpoint.server.routes.inference import Inference
from setpoint.server.routes.keys import Keys
from setpoint.server.routes.ledger import Ledger
from setpoint.server.routes.metrics import Metrics
from setpoint.server.routes.presets import Presets
from setpoint.server.routes.provider_keys import ProviderKeys
from setpoint.server.routes.table import routes
from setpoint.server.routes.workspaces import Workspaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.server.router import Route


def route_table() -> Sequence[Route]:
    """Every route there is."""
    return routes(
        Inference.__new__(Inference),
        Explain.__new__(Explain),
        Presets.__new__(Presets),
        Keys.__new__(Keys),
        ProviderKeys.__new__(ProviderKeys),
        Workspaces.__new__(Workspaces),
        Budgets.__new__(Budgets),
        Generations.__new__(Generations),
        Contents.__new__(Contents),
        Activity.__new__(Activity),
        Ledger.__new__(Ledger),
        Models.__new__(Models),
        Health.__new__(Health),
        Documents.__new__(Documents),
        Metrics.__new__(Metrics),
    )
