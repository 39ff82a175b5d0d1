"""Providers: who they are, how to reach them, and the model that needs none."""
