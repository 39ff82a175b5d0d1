"""What answers on each route: one file a noun."""
