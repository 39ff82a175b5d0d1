"""Presets as values: how a body names one, how a version is captured from a body and put under another."""
