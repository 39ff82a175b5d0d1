"""What a user writes: the options of the server, and the reader of `setpoint.yaml`.

One row an option (`options.py`); the tables of providers and models use the same rows, and lie where they are used.
"""

from setpoint.settings.load import CONFIG_VARIABLE, DEFAULT_FILE, Loaded, Reading, load, read
from setpoint.settings.nodes import ConfigError, Place, Problem
from setpoint.settings.options import OPTIONS, Settings, masked, variable

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_FILE",
    "OPTIONS",
    "ConfigError",
    "Loaded",
    "Place",
    "Problem",
    "Reading",
    "Settings",
    "load",
    "masked",
    "read",
    "variable",
]
