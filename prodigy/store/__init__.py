"""Files, logs and locks: the only layer that writes a run's state."""
