"""Bytes: JSON members and server-sent event frames."""
