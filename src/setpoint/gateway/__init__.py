"""The hot path: one request's life, from a checked body to the last byte of its answer. It never sees the database."""
