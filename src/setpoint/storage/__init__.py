"""What Setpoint remembers on disk: SQLAlchemy Core, synchronous, called from threads and never from the hot path."""
