"""Setpoint: a self-hosted LLM gateway built around presets."""

__version__ = "0.1.0"
