"""What Setpoint remembers: presets, keys, providers, models, generations. Frozen values, no behaviour.

Times are aware datetimes in UTC. JSON that came from outside is kept as the bytes it was (`config`, `system_prompt`).
"""

from setpoint.records.generations import (
    Attempt,
    Content,
    Excluded,
    Exclusion,
    Generation,
    GenerationStatus,
    Order,
    Planned,
    Reservation,
)
from setpoint.records.keys import INTERVALS, Budget, Interval, Key, Reset, Role, Workspace
from setpoint.records.models import Endpoint, EndpointFacts, ListedModel, Model, ModelReasoning, Sort
from setpoint.records.presets import Preset, PresetStatus, Version
from setpoint.records.prices import EXACT, RATES, Cost, LongPrice, Price
from setpoint.records.providers import AddedKey, Dialect, KeyTerms, Provider, ProviderKey, Timeouts

__all__ = [
    "EXACT",
    "INTERVALS",
    "RATES",
    "AddedKey",
    "Attempt",
    "Budget",
    "Content",
    "Cost",
    "Dialect",
    "Endpoint",
    "EndpointFacts",
    "Excluded",
    "Exclusion",
    "Generation",
    "GenerationStatus",
    "Interval",
    "Key",
    "KeyTerms",
    "ListedModel",
    "LongPrice",
    "Model",
    "ModelReasoning",
    "Order",
    "Planned",
    "Preset",
    "PresetStatus",
    "Price",
    "Provider",
    "ProviderKey",
    "Reservation",
    "Reset",
    "Role",
    "Sort",
    "Timeouts",
    "Version",
    "Workspace",
]
